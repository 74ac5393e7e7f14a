//! Walks the log shard by shard and compares what the books say now with what the files show.

use super::evidence::Evidence;
use super::{Report, VerifyError};
use std::collections::BTreeMap;
use tallymark_catalog::{Cursor, LedgerRow};
use tallymark_ledger::{Account, Book, Entry, Fingerprint, Interval, Tally};
use tallymark_log::{Item, LogReader, ReadError, ReadLimit};
use tallymark_model::{Lane, OutcomeKind, Position, Record, Shard};

/// Offsets compared at a time.
const STRETCH: u64 = 1 << 18;

/// Checks I1-I4 for every shard, against the books as they are after all restatements.
pub async fn check(
    log: &dyn LogReader,
    rows: &[LedgerRow],
    cursors: &[Cursor],
    evidence: &Evidence,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let mut book = Book::new();
    for cursor in cursors {
        book.open(cursor.shard, 0, cursor.position);
    }
    for row in rows {
        book.record(Entry { interval: row.interval, account: row.account.clone() });
    }
    book.verify().into_iter().for_each(|violation| report.violation(violation.to_string()));

    let ends: BTreeMap<Shard, u64> = cursors.iter().map(|c| (c.shard, c.position)).collect();
    for lane in Lane::ALL {
        for partition in 0..log.partitions() {
            let shard = Shard { lane, partition };
            let ours: Vec<&LedgerRow> = rows.iter().filter(|r| r.interval.shard == shard).collect();
            check_shard(log, shard, &ours, ends.get(&shard).copied().unwrap_or(0), evidence, report).await?;
        }
    }
    evidence.visible_outside(|p| ends.get(&p.shard()).is_some_and(|end| p.offset < *end), report);
    Ok(())
}

async fn check_shard(
    log: &dyn LogReader,
    shard: Shard,
    rows: &[&LedgerRow],
    cursor: u64,
    evidence: &Evidence,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let bounds = log.bounds(shard).await?;
    // One walk over all rows: what was read ahead in one is used in the next.
    let mut walk = Walk::new(shard, bounds.start);
    for row in rows {
        check_row(log, row, &mut walk, evidence, report).await?;
    }
    if cursor > bounds.end {
        report.violation(format!("I1: {shard}: the books reach {cursor}, the log ends at {}", bounds.end));
        return Ok(());
    }
    walk.skip_to(cursor.max(bounds.start));
    while let Some((_, record)) = walk.next(log, bounds.end).await? {
        if let Found::Event = record {
            report.pending += 1;
            report.acknowledged += 1;
        }
    }
    Ok(())
}

async fn check_row(
    log: &dyn LogReader,
    row: &LedgerRow,
    walk: &mut Walk,
    evidence: &Evidence,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let Account::Accounted { tally: claimed, visible: claimed_sum } = &row.account else {
        report.lost += row.interval.len();
        report.acknowledged += row.interval.len();
        let traced = evidence.outcomes(row.interval, report).iter().flatten().count();
        if traced > 0 {
            report.violation(format!(
                "I3: {}: {traced} records have outcomes, the books say none has",
                row.interval
            ));
        }
        return Ok(());
    };
    let (mut found, mut sum) = (Tally::default(), Fingerprint::default());
    let mut from = row.interval.from;
    while from < row.interval.to {
        let stretch = Interval { from, to: row.interval.to.min(from + STRETCH), ..row.interval };
        let (tally, part) = derive(log, stretch, walk, evidence, report).await?;
        found += tally;
        sum += part;
        from = stretch.to;
    }
    let merged = |t: &Tally| (t.visible, t.duplicate, t.filtered, t.dead, t.control + t.hole);
    if merged(&found) != merged(claimed) {
        report
            .violation(format!("I3: {}: the books say {claimed:?}, the files show {found:?}", row.interval));
    }
    if sum != *claimed_sum {
        report.violation(format!(
            "I4: {}: the fingerprint of the rows is {sum}, the books say {claimed_sum}",
            row.interval
        ));
    }
    report.duplicate += found.duplicate;
    report.filtered += found.filtered;
    report.dead += found.dead;
    report.control += found.control;
    report.acknowledged += found.visible + found.duplicate + found.filtered + found.dead;
    Ok(())
}

/// What log and files say of an interval together.
async fn derive(
    log: &dyn LogReader,
    interval: Interval,
    walk: &mut Walk,
    evidence: &Evidence,
    report: &mut Report,
) -> Result<(Tally, Fingerprint), VerifyError> {
    let outcomes = evidence.outcomes(interval, report);
    let mut is_event: Vec<Option<bool>> = vec![None; outcomes.len()];
    walk.skip_to(interval.from);
    while let Some((offset, record)) = walk.next(log, interval.to).await? {
        is_event[(offset - interval.from) as usize] = Some(matches!(record, Found::Event));
    }
    let (mut found, mut sum) = (Tally::default(), Fingerprint::default());
    for (offset, (outcome, is_event)) in (interval.from..).zip(outcomes.into_iter().zip(is_event)) {
        let position = || Position { lane: interval.shard.lane, partition: interval.shard.partition, offset };
        match (outcome, is_event) {
            (Some(kind), _) => {
                found.count(kind);
                if kind == OutcomeKind::Visible {
                    sum += evidence.fingerprint(position());
                }
            }
            // A control record leaves no trace but its count.
            (None, Some(false)) => found.count(OutcomeKind::Control),
            (None, _) if evidence.was_erased(position()) => found.count(OutcomeKind::Filtered),
            (None, Some(true)) => {
                report.violation(format!("I3: {} was acknowledged and has no outcome", position()));
            }
            // Trimmed from the log, without row or exception: the books must say control or hole.
            (None, None) => found.count(OutcomeKind::Hole),
        }
    }
    Ok((found, sum))
}

/// What stands at an offset.
enum Found {
    Event,
    Control,
}

/// Reads one shard record by record, forwards.
struct Walk {
    shard: Shard,
    at: u64,
    buffer: std::collections::VecDeque<(u64, Found)>,
}

impl Walk {
    fn new(shard: Shard, at: u64) -> Walk {
        Walk { shard, at, buffer: std::collections::VecDeque::new() }
    }

    /// Passes by what comes before an offset.
    fn skip_to(&mut self, offset: u64) {
        while self.buffer.front().is_some_and(|(at, _)| *at < offset) {
            self.buffer.pop_front();
        }
        if self.buffer.is_empty() {
            self.at = self.at.max(offset);
        }
    }

    /// The next record below `to`.
    async fn next(&mut self, log: &dyn LogReader, to: u64) -> Result<Option<(u64, Found)>, VerifyError> {
        loop {
            if let Some((offset, _)) = self.buffer.front() {
                return Ok(if *offset < to { self.buffer.pop_front() } else { None });
            }
            if self.at >= to {
                return Ok(None);
            }
            let position =
                Position { lane: self.shard.lane, partition: self.shard.partition, offset: self.at };
            let items = match log.read(position, ReadLimit::default()).await {
                // The books reach further than the log: said once, for the shard.
                Err(ReadError::Ahead { .. }) => return Ok(None),
                read => read?,
            };
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
