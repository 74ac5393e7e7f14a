//! Walks the log shard by shard and compares what the books claim with what the files show.

use super::evidence::Evidence;
use super::{Report, VerifyError};
use std::collections::BTreeMap;
use tallymark_catalog::{Advance, CommitRecord};
use tallymark_ledger::{Account, Fingerprint, Tally};
use tallymark_log::{Item, LogReader, ReadLimit};
use tallymark_model::{Lane, OutcomeKind, Position, Record, Shard};

/// Checks I1-I4 for every shard.
pub async fn check(
    log: &dyn LogReader,
    commits: &[CommitRecord],
    evidence: &Evidence,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let mut books: BTreeMap<Shard, Vec<&Advance>> = BTreeMap::new();
    for advance in commits.iter().flat_map(|c| &c.advances) {
        books.entry(advance.shard).or_default().push(advance);
    }
    for lane in Lane::ALL {
        for partition in 0..log.partitions() {
            let shard = Shard { lane, partition };
            let advances = books.get(&shard).map_or(&[][..], Vec::as_slice);
            check_shard(log, shard, advances, evidence, report).await?;
        }
    }
    let ends: BTreeMap<Shard, u64> =
        books.iter().filter_map(|(s, a)| a.last().map(|last| (*s, last.to))).collect();
    evidence.visible_outside(|p| ends.get(&p.shard()).is_some_and(|end| p.offset < *end), report);
    Ok(())
}

async fn check_shard(
    log: &dyn LogReader,
    shard: Shard,
    advances: &[&Advance],
    evidence: &Evidence,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let bounds = log.bounds(shard).await?;
    let mut cursor = 0;
    for advance in advances {
        if advance.from != cursor {
            report.violation(format!("I2: {shard}: the books jump from {cursor} to {}", advance.from));
        }
        check_advance(log, bounds.start, advance, evidence, report).await?;
        cursor = advance.to;
    }
    if cursor > bounds.end {
        report.violation(format!("I1: {shard}: the books reach {cursor}, the log ends at {}", bounds.end));
    }
    let mut pending = Walk::new(shard, cursor.max(bounds.start), bounds.end);
    while let Some((_, record)) = pending.next(log).await? {
        if let Found::Event = record {
            report.pending += 1;
            report.acknowledged += 1;
        }
    }
    Ok(())
}

async fn check_advance(
    log: &dyn LogReader,
    kept_from: u64,
    advance: &Advance,
    evidence: &Evidence,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let place = format!("{}[{}, {})", advance.shard, advance.from, advance.to);
    let Account::Accounted { tally: claimed, visible: claimed_sum } = &advance.account else {
        report.lost += advance.to - advance.from;
        report.acknowledged += advance.to - advance.from;
        return Ok(());
    };
    let (mut found, mut sum) = (Tally::default(), Fingerprint::default());
    let mut log_says: BTreeMap<u64, bool> = BTreeMap::new();
    let mut walk = Walk::new(advance.shard, advance.from.max(kept_from), advance.to);
    while let Some((offset, record)) = walk.next(log).await? {
        log_says.insert(offset, matches!(record, Found::Event));
    }
    for offset in advance.from..advance.to {
        let position = Position { lane: advance.shard.lane, partition: advance.shard.partition, offset };
        let outcome = evidence.outcome(position.pack(), report);
        let is_event = log_says.get(&offset).copied();
        match (outcome, is_event) {
            (Some(kind), _) => {
                found.count(kind);
                if kind == OutcomeKind::Visible {
                    sum += evidence.fingerprint(position);
                }
            }
            // A control record leaves no trace but its count.
            (None, Some(false)) => found.count(OutcomeKind::Control),
            (None, Some(true)) => {
                report.violation(format!("I3: {position} was acknowledged and has no outcome"))
            }
            // Trimmed from the log, without row or exception: the books must say control or hole.
            (None, None) => found.count(OutcomeKind::Hole),
        }
    }
    let merged = |t: &Tally| (t.visible, t.duplicate, t.filtered, t.dead, t.control + t.hole);
    if merged(&found) != merged(claimed) {
        report.violation(format!("I3: {place}: the books say {claimed:?}, the files show {found:?}"));
    }
    if sum != *claimed_sum {
        report.violation(format!(
            "I4: {place}: the fingerprint of the rows is {sum}, the books say {claimed_sum}"
        ));
    }
    report.duplicate += found.duplicate;
    report.filtered += found.filtered;
    report.dead += found.dead;
    report.control += found.control;
    report.acknowledged += found.visible + found.duplicate + found.filtered + found.dead;
    Ok(())
}

/// What stands at an offset.
enum Found {
    Event,
    Control,
}

/// Reads a range of one shard record by record.
struct Walk {
    shard: Shard,
    at: u64,
    to: u64,
    buffer: std::collections::VecDeque<(u64, Found)>,
}

impl Walk {
    fn new(shard: Shard, at: u64, to: u64) -> Walk {
        Walk { shard, at, to, buffer: std::collections::VecDeque::new() }
    }

    async fn next(&mut self, log: &dyn LogReader) -> Result<Option<(u64, Found)>, VerifyError> {
        loop {
            if let Some(found) = self.buffer.pop_front() {
                return Ok((found.0 < self.to).then_some(found));
            }
            if self.at >= self.to {
                return Ok(None);
            }
            let position =
                Position { lane: self.shard.lane, partition: self.shard.partition, offset: self.at };
            let items = log.read(position, ReadLimit::default()).await?;
            if items.is_empty() {
                return Ok(None);
            }
            for item in items {
                match item {
                    Item::Records(records) => {
                        for (position, record) in records {
                            self.at = position.offset + 1;
                            let found = match record {
                                Record::Event(_) => Found::Event,
                                Record::Control { .. } => Found::Control,
                            };
                            self.buffer.push_back((position.offset, found));
                        }
                    }
                    Item::Gap { to, .. } => self.at = to,
                }
            }
        }
    }
}
