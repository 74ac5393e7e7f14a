//! What became of each offset, as accounts.
//!
//! Guarantees: the accounts of a shard follow each other from 0 to its last trace without a hole (I2) and add up (I3).
//! Deliberately not here: which rows and exceptions count.

use super::super::RebuildReport;
use crate::RecoveryError;
use std::collections::BTreeMap;
use tallymark_catalog::Advance;
use tallymark_ledger::{Account, Fingerprint, Interval, Tally};
use tallymark_log::{Item, LogReader, ReadLimit};
use tallymark_model::{LogId, Millis, OutcomeKind, Position, ProjectId, Record, Shard};
use tallymark_state::Delta;

/// The books close a row at each hour of receive time.
const HOUR_MS: Millis = 3_600_000;

/// What a record became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fate {
    project: ProjectId,
    outcome: OutcomeKind,
    received_at: Millis,
}

/// Fates by shard and offset.
pub(super) struct Table {
    log: LogId,
    shards: BTreeMap<Shard, BTreeMap<u64, Fate>>,
}

impl Table {
    pub fn new(log: LogId) -> Table {
        Table { log, shards: BTreeMap::new() }
    }

    pub fn visible(&mut self, position: Position, project: ProjectId, received_at: Millis) {
        self.put(position, Fate { project, outcome: OutcomeKind::Visible, received_at });
    }

    /// What a delta says, after the rows that count are known: a record whose row counts was decided again later.
    pub fn exceptions(&mut self, delta: &Delta) {
        for interval in &delta.restated {
            if let Some(shard) = self.shards.get_mut(&interval.shard) {
                shard.retain(|offset, fate| {
                    !(interval.from..interval.to).contains(offset) || fate.outcome == OutcomeKind::Visible
                });
            }
        }
        for e in &delta.exceptions {
            let (project, received_at) = (e.project, e.received_at);
            self.put_if_not_visible(e.position, Fate { project, outcome: e.outcome.kind(), received_at });
        }
        for (position, control) in &delta.controls {
            let (project, received_at) = (ProjectId::UNKNOWN, control.made_at());
            self.put_if_not_visible(*position, Fate { project, outcome: OutcomeKind::Control, received_at });
        }
    }

    fn put_if_not_visible(&mut self, position: Position, fate: Fate) {
        let known = self.shards.get(&position.shard()).and_then(|s| s.get(&position.offset));
        if known.is_none_or(|known| known.outcome != OutcomeKind::Visible) {
            self.put(position, fate);
        }
    }

    /// What was decided about these offsets does not count any more.
    pub fn forget(&mut self, interval: Interval) {
        if let Some(shard) = self.shards.get_mut(&interval.shard) {
            shard.retain(|offset, _| *offset < interval.from || *offset >= interval.to);
        }
    }

    fn put(&mut self, position: Position, fate: Fate) {
        self.shards.entry(position.shard()).or_default().insert(position.offset, fate);
    }

    /// Advances over everything from offset 0 to the last trace of each shard.
    pub async fn advances(
        mut self,
        log: Option<&dyn LogReader>,
        report: &mut RebuildReport,
    ) -> Result<Vec<Advance>, RecoveryError> {
        let mut all = Vec::new();
        for (shard, mut fates) in std::mem::take(&mut self.shards) {
            let Some(end) = fates.last_key_value().map(|(offset, _)| offset + 1) else { continue };
            let traceless = traceless(shard, &fates, end);
            let mut skipped = 0;
            for interval in traceless {
                skipped += fill(log, interval, &mut fates, report).await?;
            }
            if skipped > 0 {
                report.unknown.push(format!(
                    "{skipped} records of {shard} have no trace in any file; they are booked as skipped: replay them"
                ));
            }
            all.extend(self.of_shard(shard, &fates, end));
        }
        Ok(all)
    }

    fn of_shard(&self, shard: Shard, fates: &BTreeMap<u64, Fate>, end: u64) -> Vec<Advance> {
        let mut advances: Vec<Advance> = Vec::new();
        let mut received = fates.values().map(|f| f.received_at).min().unwrap_or(0);
        let mut run = Run::new(shard, 0);
        for offset in 0..end {
            let fate = fates.get(&offset);
            if let Some(fate) = fate {
                received = fate.received_at;
            }
            if run.ends_before(fate, received) {
                advances.push(run.finish(offset));
                run = Run::new(shard, offset);
            }
            run.take(self.log, offset, fate, received);
        }
        advances.push(run.finish(end));
        advances
    }
}

/// Offsets below `end` of which nothing is known.
fn traceless(shard: Shard, fates: &BTreeMap<u64, Fate>, end: u64) -> Vec<Interval> {
    let mut found = Vec::new();
    let mut at = 0;
    for offset in fates.keys().copied().chain([end]) {
        if offset > at {
            found.push(Interval::new(shard, at, offset));
        }
        at = offset + 1;
    }
    found
}

/// Asks the log what stands there. Control records leave no trace in files; offsets that the log cannot say anything
/// about were accounted before they were trimmed, so they are taken for control records too. Answers how many events
/// stay without a fate.
async fn fill(
    log: Option<&dyn LogReader>,
    interval: Interval,
    fates: &mut BTreeMap<u64, Fate>,
    report: &mut RebuildReport,
) -> Result<u64, RecoveryError> {
    let control =
        |received_at| Fate { project: ProjectId::UNKNOWN, outcome: OutcomeKind::Control, received_at };
    let (mut at, mut skipped, mut guessed) = (interval.from, 0, 0);
    while at < interval.to {
        let position =
            Position { lane: interval.shard.lane, partition: interval.shard.partition, offset: at };
        let items = match log {
            Some(log) => log.read(position, ReadLimit::default()).await.unwrap_or_default(),
            None => Vec::new(),
        };
        if items.is_empty() {
            fates.extend((at..interval.to).map(|offset| (offset, control(0))));
            guessed += interval.to - at;
            break;
        }
        for item in items {
            match item {
                Item::Records(records) => {
                    for (position, record) in records.into_iter().filter(|(p, _)| p.offset < interval.to) {
                        at = position.offset + 1;
                        match record {
                            Record::Control { control: c, .. } => {
                                fates.insert(position.offset, control(c.made_at()));
                            }
                            Record::Event(_) => skipped += 1,
                        }
                    }
                }
                Item::Gap { from, to, .. } => {
                    let to = to.min(interval.to);
                    fates.extend((from.offset..to).map(|offset| (offset, control(0))));
                    guessed += to.saturating_sub(from.offset);
                    at = at.max(to);
                }
            }
            if at >= interval.to {
                break;
            }
        }
    }
    if guessed > 0 {
        report.unknown.push(format!(
            "{guessed} records in {interval} are in no file and not in the log any more; they are counted as control"
        ));
    }
    Ok(skipped)
}

/// Offsets that share one account.
struct Run {
    shard: Shard,
    from: u64,
    /// `None` before the first offset.
    skipped: Option<bool>,
    tally: Tally,
    visible: Fingerprint,
    received: Option<(Millis, Millis)>,
    projects: BTreeMap<ProjectId, (Tally, Fingerprint)>,
}

impl Run {
    fn new(shard: Shard, from: u64) -> Run {
        Run {
            shard,
            from,
            skipped: None,
            tally: Tally::default(),
            visible: Fingerprint::default(),
            received: None,
            projects: BTreeMap::new(),
        }
    }

    fn ends_before(&self, fate: Option<&Fate>, received: Millis) -> bool {
        let Some(skipped) = self.skipped else { return false };
        let later = |(from, _): (Millis, Millis)| received.div_euclid(HOUR_MS) > from.div_euclid(HOUR_MS);
        skipped != fate.is_none() || self.received.is_some_and(later)
    }

    fn take(&mut self, log: LogId, offset: u64, fate: Option<&Fate>, received: Millis) {
        self.skipped = Some(fate.is_none());
        let (from, to) = self.received.unwrap_or((received, received));
        self.received = Some((from.min(received), to.max(received)));
        let Some(fate) = fate else { return };
        self.tally.count(fate.outcome);
        let part = self.projects.entry(fate.project).or_default();
        part.0.count(fate.outcome);
        if fate.outcome == OutcomeKind::Visible {
            let at = Position { lane: self.shard.lane, partition: self.shard.partition, offset };
            let term = Fingerprint::of(log, at);
            self.visible += term;
            part.1 += term;
        }
    }

    fn finish(self, to: u64) -> Advance {
        let (received_from, received_to) = self.received.unwrap_or((0, 0));
        let account = if self.skipped == Some(true) {
            Account::Skipped {
                by: "rebuild catalog".to_owned(),
                reason: "no file has a trace of these records".to_owned(),
            }
        } else {
            Account::Accounted { tally: self.tally, visible: self.visible }
        };
        let projects = self.projects.into_iter().map(|(p, (t, f))| (p, t, f)).collect();
        Advance { shard: self.shard, from: self.from, to, account, received_from, received_to, projects }
    }
}
