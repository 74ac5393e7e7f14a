//! Which segments count, when nothing but the segments says so.
//!
//! Compaction leaves the files of its inputs for a while, a compaction that died leaves outputs that nobody reads,
//! and reprocessing leaves rows that are masked. Told apart by positions, oldest commit first:
//! - level 0 without its delta was never committed and is left out, unless it holds what no other file holds and
//!   commits followed it: then it replaced a segment that was lost;
//! - what a delta says was decided again masks all older rows; so does level 0 over positions that are there already;
//! - merged files whose every row is there already are left out: their inputs are still there;
//! - merged files with rows that are not there (some inputs were collected) count, and what is left of the inputs goes.
//!
//! Guarantees: no position is visible twice.
//! Deliberately not here: reading values.

use super::super::RebuildReport;
use super::accounts::Table;
use super::folded::Folded;
use crate::RecoveryError;
use crate::archive::blocking;
use std::collections::{BTreeMap, HashMap, HashSet};
use tallymark_ledger::{Interval, IntervalSet, SegmentKind, SegmentMeta};
use tallymark_model::{CommitId, LogId, Position};
use tallymark_store::{ObjectStore, SEGMENTS, SegmentReader};

/// The segments of one commit.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub commit: CommitId,
    pub segments: Vec<SegmentMeta>,
    /// Positions whose older rows do not count.
    pub masks: Vec<Interval>,
}

/// The segments that count.
pub(super) struct Chosen {
    groups: BTreeMap<CommitId, Group>,
    log: Option<LogId>,
}

impl Chosen {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// Whose positions they carry.
    pub fn log(&self) -> Option<LogId> {
        self.log
    }

    /// Notes every row that counts; later groups replace what they mask.
    pub async fn visible(&self, store: &ObjectStore, table: &mut Table) -> Result<(), RecoveryError> {
        for group in self.groups() {
            group.masks.iter().for_each(|mask| table.forget(*mask));
            for meta in group.segments.iter().filter(|m| m.kind == SegmentKind::Events) {
                for (position, received_at) in rows(store, meta).await? {
                    table.visible(position, meta.project, received_at);
                }
            }
        }
        Ok(())
    }
}

/// Positions of a segment's rows and when they were received.
async fn rows(store: &ObjectStore, meta: &SegmentMeta) -> Result<Vec<(Position, i64)>, RecoveryError> {
    let (store, meta) = (store.clone(), meta.clone());
    blocking(move || {
        let reader = SegmentReader::open(&store, &meta)?;
        let mut rows = Vec::with_capacity(usize::try_from(meta.rows).unwrap_or(0));
        for row in reader.events() {
            let row = row?;
            rows.push((row.position, row.received_at));
        }
        Ok(rows)
    })
    .await
}

pub(super) async fn read(
    store: &ObjectStore,
    deltas: &[Folded],
    report: &mut RebuildReport,
) -> Result<Chosen, RecoveryError> {
    let mut all: BTreeMap<CommitId, Vec<SegmentMeta>> = BTreeMap::new();
    let mut log = None;
    for object in store.list(SEGMENTS).await? {
        match SegmentReader::open_key(store, &object.key) {
            Ok(reader) => {
                log = log.or(Some(reader.log()));
                all.entry(reader.meta().commit).or_default().push(reader.meta().clone());
            }
            Err(error) => report.repairs.push(format!("I4: {error}")),
        }
    }
    let committed: HashMap<CommitId, &[Interval]> =
        deltas.iter().map(|f| (f.delta.commit, f.delta.restated.as_slice())).collect();
    // Also those that left no segment: what they restated has no row any more.
    for (commit, _) in committed.iter().filter(|(_, restated)| !restated.is_empty()) {
        all.entry(*commit).or_default();
    }
    let newest = committed.keys().max().copied();
    let (mut choice, mut late) = (Choice::default(), Vec::new());
    for (commit, segments) in all {
        let fresh = segments.iter().all(|s| s.level == 0);
        let mut positions = Vec::new();
        for meta in segments.iter().filter(|m| m.kind == SegmentKind::Events) {
            let rows = match rows(store, meta).await {
                Ok(rows) => rows,
                Err(error) => {
                    report.repairs.push(format!("I4: {error}"));
                    continue;
                }
            };
            positions.extend(rows.into_iter().map(|(p, _)| p.pack()));
        }
        let masks = committed.get(&commit).map_or(Vec::new(), |restated| restated.to_vec());
        let group = Group { commit, segments, masks };
        if fresh && !committed.contains_key(&commit) {
            late.extend(newest.filter(|newest| *newest > commit).map(|_| (group, positions)));
        } else {
            choice.offer(group, positions, fresh);
        }
    }
    for (group, positions) in late {
        if positions.iter().all(|p| !choice.owner.contains_key(p)) {
            choice.offer(group, positions, true);
        }
    }
    Ok(Chosen { groups: choice.groups, log })
}

#[derive(Default)]
struct Choice {
    groups: BTreeMap<CommitId, Group>,
    /// Which commit's row counts at a position.
    owner: HashMap<u64, CommitId>,
}

impl Choice {
    fn offer(&mut self, mut group: Group, positions: Vec<u64>, fresh: bool) {
        self.forget(&group.masks);
        let taken: HashSet<CommitId> = positions.iter().filter_map(|p| self.owner.get(p).copied()).collect();
        if !taken.is_empty() && fresh {
            // Decided again: all of its intervals, whatever became of their records.
            let intervals = group.segments.iter().flat_map(|s| s.sources.iter().map(|s| s.interval));
            group.masks = intervals.chain(group.masks).collect::<IntervalSet>().iter().collect();
            self.forget(&group.masks);
        } else if !taken.is_empty() {
            if positions.iter().all(|p| self.owner.contains_key(p)) {
                return;
            }
            for commit in taken {
                self.give_up(commit, &group);
            }
        }
        self.owner.extend(positions.into_iter().map(|p| (p, group.commit)));
        if !group.segments.is_empty() || !group.masks.is_empty() {
            self.groups.insert(group.commit, group);
        }
    }

    fn forget(&mut self, masks: &[Interval]) {
        if !masks.is_empty() {
            let masked = |p: Position| masks.iter().any(|m| m.contains(p));
            self.owner.retain(|p, _| !Position::unpack(*p).is_some_and(masked));
        }
    }

    /// Takes out the segments of a commit that a merge has replaced: those of the projects it merged.
    fn give_up(&mut self, commit: CommitId, merged: &Group) {
        let projects: HashSet<_> = merged.segments.iter().map(|s| s.project).collect();
        if let Some(group) = self.groups.get_mut(&commit) {
            group.segments.retain(|s| !projects.contains(&s.project));
            if group.segments.is_empty() {
                self.groups.remove(&commit);
            }
        }
    }
}
