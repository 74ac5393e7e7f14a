//! All rows of all files against all rows of the books, as of one commit (I4).
//!
//! Guarantees: order does not matter; memory is one sum per row of the books, whatever the number of events.

use crate::{Fault, FindingKind};
use std::collections::BTreeMap;
use tallymark_catalog::LedgerRow;
use tallymark_ledger::{Account, Entry, Fingerprint, Interval, check_rows};
use tallymark_model::{LogId, Millis, Position, Shard};

/// Sums of the rows found so far, per row of the books.
#[derive(Debug)]
pub struct RowSums {
    log: LogId,
    shards: BTreeMap<Shard, Vec<Sum>>,
    /// Rows at offsets that the books do not have: first, last, how many.
    outside: BTreeMap<Shard, (u64, u64, u64)>,
}

#[derive(Debug)]
struct Sum {
    entry: Entry,
    received: (Millis, Millis),
    rows: u64,
    fingerprint: Fingerprint,
}

impl RowSums {
    /// Nothing found yet; these are the books.
    pub fn new(log: LogId, rows: &[LedgerRow]) -> RowSums {
        let mut shards: BTreeMap<Shard, Vec<Sum>> = BTreeMap::new();
        for row in rows {
            let entry = Entry { interval: row.interval, account: row.account.clone() };
            let received = (row.received_from, row.received_to);
            let sum = Sum { entry, received, rows: 0, fingerprint: Fingerprint::default() };
            shards.entry(row.interval.shard).or_default().push(sum);
        }
        shards.values_mut().for_each(|sums| sums.sort_by_key(|s| s.entry.interval));
        RowSums { log, shards, outside: BTreeMap::new() }
    }

    /// Counts one row of a file.
    pub fn add(&mut self, position: Position) {
        let shard = position.shard();
        let found = self.shards.get_mut(&shard).and_then(|sums| {
            let after = sums.partition_point(|s| s.entry.interval.from <= position.offset);
            sums.get_mut(after.checked_sub(1)?).filter(|s| s.entry.interval.contains(position))
        });
        match found {
            Some(sum) => {
                sum.rows += 1;
                sum.fingerprint += Fingerprint::of(self.log, position);
            }
            None => {
                let (first, last, count) =
                    self.outside.entry(shard).or_insert((position.offset, position.offset, 0));
                *first = (*first).min(position.offset);
                *last = (*last).max(position.offset);
                *count += 1;
            }
        }
    }

    /// What does not agree, once every file was counted.
    pub fn faults(&self) -> Vec<Fault> {
        let mut found = Vec::new();
        for sum in self.shards.values().flatten() {
            let Some(violation) = check_rows(&sum.entry, sum.rows, sum.fingerprint) else { continue };
            let booked = match &sum.entry.account {
                Account::Accounted { tally, .. } => tally.visible,
                Account::Skipped { .. } | Account::Lost { .. } => 0,
            };
            let fault = Fault::new(FindingKind::WrongRows, format!("I4: {}", violation.message));
            found.push(fault.at(sum.entry.interval).of(booked.abs_diff(sum.rows).max(1), sum.received));
        }
        for (shard, (first, last, count)) in &self.outside {
            let text = format!("{count} rows are at offsets that the books do not have");
            let at = Interval::new(*shard, *first, last + 1);
            found.push(Fault { count: Some(*count), ..Fault::new(FindingKind::WrongRows, text).at(at) });
        }
        found
    }
}
