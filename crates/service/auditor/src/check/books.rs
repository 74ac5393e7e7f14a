//! The books by themselves and against the ends of the log: tiling, sums, what is pending, what is lost (I2, I3).

use crate::{Fault, FindingKind};
use std::collections::BTreeMap;
use tallymark_catalog::{Books, Cursor, LedgerRow};
use tallymark_ledger::{Account, Book, Entry, Interval, InvariantId};
use tallymark_model::{LogId, Millis, Shard};

/// What the log is, as far as the books depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnds {
    /// Which log.
    pub id: LogId,
    /// First offset kept and next offset, per shard.
    pub bounds: BTreeMap<Shard, (u64, u64)>,
}

/// Everything wrong with the books themselves. `bound` = the log that the catalog says it belongs to.
pub fn check_books(books: &Books, bound: Option<LogId>, log: &LogEnds) -> Vec<Fault> {
    let mut found = Vec::new();
    if let Some(bound) = bound.filter(|id| *id != log.id) {
        let text = format!("the catalog belongs to log {bound}, the folder holds log {}", log.id);
        // Offsets of another log say nothing about this one.
        return vec![Fault::new(FindingKind::LogMismatch, text)];
    }
    found.extend(tiling(books));
    found.extend(books.rows.iter().filter_map(anomaly));
    found.extend(books.cursors.iter().filter_map(|cursor| against(cursor, log)));
    found
}

/// I2 and I3: no hole, no overlap, no wrong sum.
fn tiling(books: &Books) -> Vec<Fault> {
    let mut book = Book::new();
    for cursor in &books.cursors {
        book.open(cursor.shard, 0, cursor.position);
    }
    for row in &books.rows {
        book.record(Entry { interval: row.interval, account: row.account.clone() });
    }
    let violations = book.verify().into_iter();
    violations
        .map(|v| {
            let kind = if v.invariant == InvariantId::I2 { FindingKind::Hole } else { FindingKind::WrongSum };
            let fault = Fault::new(kind, format!("the books do not tile or add up: {}", v.message));
            match v.at {
                Some(interval) => fault.at(interval).of(interval.len(), around(books, interval)),
                None => fault,
            }
        })
        .collect()
}

/// Receive times of the rows next to an interval: that much is known of what lies between.
fn around(books: &Books, interval: Interval) -> (Millis, Millis) {
    let same = || books.rows.iter().filter(move |r| r.interval.shard == interval.shard);
    let before = same().filter(|r| r.interval.to <= interval.from).map(|r| r.received_to).max();
    let after = same().filter(|r| r.interval.from >= interval.to).map(|r| r.received_from).min();
    let cursor = books.cursors.iter().find(|c| c.shard == interval.shard).map(|c| c.received_to);
    // Nothing known: an empty span, which no finding shows.
    let Some(from) = before.or(after).or(cursor) else { return (Millis::MAX, Millis::MIN) };
    (from, after.or(cursor).unwrap_or(from).max(from))
}

fn anomaly(row: &LedgerRow) -> Option<Fault> {
    let received = (row.received_from, row.received_to);
    let fault = match &row.account {
        Account::Accounted { .. } => return None,
        Account::Skipped { by, reason } => {
            let text = format!("records were skipped by {by} ({reason}) and wait to be replayed");
            Fault::new(FindingKind::Skipped, text)
        }
        Account::Lost { cause, evidence } => {
            Fault::new(FindingKind::Lost, format!("records are lost ({cause:?}: {evidence})"))
        }
    };
    Some(fault.at(row.interval).of(row.interval.len(), received))
}

/// The cursor against the ends of its shard.
fn against(cursor: &Cursor, log: &LogEnds) -> Option<Fault> {
    let shard = cursor.shard;
    let Some(&(start, end)) = log.bounds.get(&shard) else {
        let text = format!("the books have a cursor in {shard}, which the log does not have");
        return Some(Fault::new(FindingKind::LogMismatch, text));
    };
    let at = cursor.position;
    let received = (cursor.received_to, cursor.received_to);
    if at > end {
        let text =
            format!("the books reach offset {at}, the log ends at {end}: it is older than the catalog");
        return Some(
            Fault::new(FindingKind::LogMismatch, text)
                .at(Interval::new(shard, end, at))
                .of(at - end, received),
        );
    }
    (at < start).then(|| {
        let text = format!("the log begins at {start}, but only offsets below {at} were processed");
        Fault::new(FindingKind::Lost, text).at(Interval::new(shard, at, start)).of(start - at, received)
    })
}
