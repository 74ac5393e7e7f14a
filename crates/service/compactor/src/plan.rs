//! What to merge: a pure function of the live segments and the time.
//!
//! Guarantees: no two tasks of a plan share a segment; carrying out tasks and planning again comes to rest, because
//! every task leaves fewer files, or moves rows up a level, where they stay.

use crate::config::PlanConfig;
use ledger::{SegmentKind, SegmentMeta};
use model::{Millis, ProjectId, SegmentId};
use std::collections::BTreeMap;
use tallymark_ledger as ledger;
use tallymark_model as model;

/// What a merge is to achieve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Many fresh segments into one of level 1, in arrival order.
    Gather,
    /// Rows below level 2 into files per UTC day.
    Split,
    /// Level 2 files of one day into one.
    Day(i32),
    /// Property operations into one sorted file of this level.
    Names(u8),
}

/// One merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Whose segments.
    pub project: ProjectId,
    /// Of which kind.
    pub kind: SegmentKind,
    /// To what end.
    pub action: Action,
    /// The segments to replace.
    pub inputs: Vec<SegmentMeta>,
}

impl Task {
    /// Ids of the inputs.
    pub fn input_ids(&self) -> Vec<SegmentId> {
        self.inputs.iter().map(|s| s.id).collect()
    }
}

/// Rewrites one segment without some of its rows; it keeps its place among the levels.
pub fn rewrite(segment: &SegmentMeta) -> Task {
    let action = match (segment.kind, segment.day) {
        (SegmentKind::Properties, _) => Action::Names(segment.level.max(1)),
        (SegmentKind::Events, Some(day)) => Action::Day(day),
        (SegmentKind::Events, None) if is_leftover(segment) => Action::Split,
        (SegmentKind::Events, None) => Action::Gather,
    };
    Task { project: segment.project, kind: segment.kind, action, inputs: vec![segment.clone()] }
}

/// The merges that are due. `live` = all live segments of any number of projects.
pub fn plan(live: &[SegmentMeta], now: Millis, config: &PlanConfig) -> Vec<Task> {
    let mut projects: BTreeMap<ProjectId, (Vec<&SegmentMeta>, Vec<&SegmentMeta>)> = BTreeMap::new();
    for segment in live {
        let (events, properties) = projects.entry(segment.project).or_default();
        match segment.kind {
            SegmentKind::Events => events.push(segment),
            SegmentKind::Properties => properties.push(segment),
        }
    }
    let mut tasks = Vec::new();
    for (project, (events, properties)) in projects {
        let of = |kind, (action, inputs): (Action, Vec<&SegmentMeta>)| Task {
            project,
            kind,
            action,
            inputs: inputs.into_iter().cloned().collect(),
        };
        tasks.extend(
            plan_events(&events, now, config).into_iter().map(|found| of(SegmentKind::Events, found)),
        );
        tasks.extend(
            plan_properties(&properties, now, config).map(|found| of(SegmentKind::Properties, found)),
        );
    }
    tasks
}

type Found<'a> = (Action, Vec<&'a SegmentMeta>);

fn plan_events<'a>(segments: &[&'a SegmentMeta], now: Millis, config: &PlanConfig) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    let below: Vec<&SegmentMeta> = oldest_first(segments.iter().copied().filter(|s| s.level < 2));
    if split_is_due(&below, now, config) {
        // News first: what an earlier division left over comes along as far as there is room.
        let mut inputs = below.clone();
        inputs.sort_by_key(|s| is_leftover(s));
        found.push((Action::Split, up_to(config.max_task_rows, &inputs)));
    } else {
        let fresh: Vec<&SegmentMeta> = below.iter().copied().filter(|s| s.level == 0).collect();
        found.extend(gather(&fresh, now, config).map(|inputs| (Action::Gather, inputs)));
    }
    let mut days: BTreeMap<i32, Vec<&SegmentMeta>> = BTreeMap::new();
    for segment in segments.iter().filter(|s| s.level >= 2) {
        if let Some(day) = segment.day {
            days.entry(day).or_default().push(segment);
        }
    }
    found.extend(days.iter().filter_map(|(day, files)| Some((Action::Day(*day), merge_day(files, config)?))));
    found
}

/// True if rows below level 2 should be divided by day. Rows that an earlier division left over (sorted, hence with
/// an identity) do not count: dividing them again alone would change nothing.
fn split_is_due(below: &[&SegmentMeta], now: Millis, config: &PlanConfig) -> bool {
    let news: Vec<&&SegmentMeta> = below.iter().filter(|s| !is_leftover(s)).collect();
    let rows: u64 = news.iter().map(|s| s.rows).sum();
    let newest = news.iter().map(|s| s.received_max).max().unwrap_or(Millis::MAX);
    let merged = news.iter().filter(|s| s.level == 1).count();
    let worth = news.len() > 1 || below.len() > news.len() || rows >= config.min_day_rows as u64;
    worth && (rows >= config.split_rows || merged > config.max_merged || newest < now - config.quiet_ms)
}

/// A level 1 file of sorted rows: days too small for files of their own.
fn is_leftover(segment: &SegmentMeta) -> bool {
    segment.level == 1 && segment.identity.0 > 0
}

fn gather<'a>(fresh: &[&'a SegmentMeta], now: Millis, config: &PlanConfig) -> Option<Vec<&'a SegmentMeta>> {
    let old = fresh.first().is_some_and(|s| s.received_max < now - config.fresh_age_ms);
    (fresh.len() > config.max_fresh || (old && fresh.len() > 1))
        .then(|| up_to(config.max_task_rows, fresh))
        .filter(|inputs| inputs.len() > 1)
}

/// The files of one day to merge: the smaller ones, as many as fit, if enough of them have come together.
fn merge_day<'a>(files: &[&'a SegmentMeta], config: &PlanConfig) -> Option<Vec<&'a SegmentMeta>> {
    let mut files = files.to_vec();
    files.sort_by_key(|s| (s.rows, s.id));
    let inputs = up_to(config.max_task_rows, &files);
    let (largest, smaller) = inputs.split_last()?;
    let late: u64 = smaller.iter().map(|s| s.rows).sum();
    let enough = inputs.len() > config.max_per_day || late * 100 >= largest.rows * config.late_percent;
    (enough && !smaller.is_empty() && leaves_fewer(&inputs, config)).then_some(inputs)
}

fn plan_properties<'a>(
    segments: &[&'a SegmentMeta],
    now: Millis,
    config: &PlanConfig,
) -> std::option::IntoIter<Found<'a>> {
    let of = |level: u8| oldest_first(segments.iter().copied().filter(|s| s.level.min(2) == level));
    let (merged, sorted) = (of(1), of(2));
    let late: u64 = merged.iter().map(|s| s.rows).sum();
    let largest = sorted.iter().map(|s| s.rows).max().unwrap_or_default();
    let due = merged.len() > config.max_per_day.max(8)
        || (merged.len() > 1 && late * 100 >= largest * config.late_percent);
    if due {
        let mut files: Vec<&SegmentMeta> = merged.into_iter().chain(sorted).collect();
        files.sort_by_key(|s| (s.rows, s.id));
        let inputs = up_to(config.max_task_rows, &files);
        if leaves_fewer(&inputs, config) {
            return Some((Action::Names(2), inputs)).into_iter();
        }
    }
    gather(&of(0), now, config).map(|inputs| (Action::Names(1), inputs)).into_iter()
}

fn leaves_fewer(inputs: &[&SegmentMeta], config: &PlanConfig) -> bool {
    let rows: u64 = inputs.iter().map(|s| s.rows).sum();
    rows.div_ceil(config.max_file_rows.max(1)) < inputs.len() as u64
}

fn oldest_first<'a>(segments: impl Iterator<Item = &'a SegmentMeta>) -> Vec<&'a SegmentMeta> {
    let mut all: Vec<&SegmentMeta> = segments.collect();
    all.sort_by_key(|s| (s.received_min, s.id));
    all
}

/// The first segments that together have at most this many rows, but at least one.
fn up_to<'a>(max_rows: u64, segments: &[&'a SegmentMeta]) -> Vec<&'a SegmentMeta> {
    let mut rows = 0;
    let fits = |s: &&&SegmentMeta| {
        let first = rows == 0;
        rows += s.rows;
        first || rows <= max_rows
    };
    segments.iter().take_while(fits).copied().collect()
}
