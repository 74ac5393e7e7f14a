//! The books of a log: for each shard, what became of `[start, cursor)`.
//!
//! Guarantees: [`Book::advance`] refuses what would break I2 or I3, so a book built by it always verifies;
//! [`Book::verify`] re-derives the same two rules from scratch for books that were read from elsewhere.
//! Deliberately not here: storage, and the comparison with segments (`proof`).

use crate::{Account, Entry, GapCause, Interval, IntervalSet, InvariantId, Tally, Violation, check_sum};
use std::collections::BTreeMap;
use tallymark_model::Shard;

/// The part of a book that belongs to one shard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Page {
    start: u64,
    cursor: u64,
    entries: Vec<Entry>,
}

/// What the books say, over all shards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Book {
    pages: BTreeMap<Shard, Page>,
}

impl Book {
    /// An empty book; every shard starts at offset 0.
    pub fn new() -> Book {
        Book::default()
    }

    /// States where a shard starts and how far it is read, for a book whose entries come from elsewhere.
    pub fn open(&mut self, shard: Shard, start: u64, cursor: u64) {
        let page = self.pages.entry(shard).or_default();
        page.start = start;
        page.cursor = cursor;
    }

    /// Adds an entry without checking it; call [`Book::verify`] afterwards.
    pub fn record(&mut self, entry: Entry) {
        self.pages.entry(entry.interval.shard).or_default().entries.push(entry);
    }

    /// Moves a shard's cursor over an interval. Nothing changes if the interval does not start at the cursor
    /// (I2) or the account does not add up (I3).
    pub fn advance(&mut self, entry: Entry) -> Result<(), Violation> {
        let interval = entry.interval;
        let cursor = self.cursor(interval.shard);
        if interval.is_empty() || interval.from != cursor {
            return Err(Violation::at(
                InvariantId::I2,
                interval,
                format!("an interval must be non-empty and start at the cursor {cursor}"),
            ));
        }
        check_sum(interval, &entry.account).map_or(Ok(()), Err)?;
        let page = self.pages.entry(interval.shard).or_default();
        page.cursor = interval.to;
        page.entries.push(entry);
        Ok(())
    }

    /// First offset of a shard that has no account yet.
    pub fn cursor(&self, shard: Shard) -> u64 {
        self.pages.get(&shard).map_or(0, |p| p.cursor)
    }

    /// The entries in order of shard; within a shard, as recorded.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.pages.values().flat_map(|p| &p.entries)
    }

    /// Sum of all accounted tallies.
    pub fn total(&self) -> Tally {
        self.entries().fold(Tally::default(), |sum, e| match &e.account {
            Account::Accounted { tally, .. } => sum + *tally,
            _ => sum,
        })
    }

    /// Every place where I2 or I3 does not hold; empty for a sound book.
    pub fn verify(&self) -> Vec<Violation> {
        self.pages.iter().flat_map(|(shard, page)| verify_page(*shard, page)).collect()
    }

    /// The offsets whose fate is final: accounted, or lost for a recorded cause. Skipped ones are pending and
    /// stay in the log (I9).
    pub fn settled(&self) -> IntervalSet {
        let settled = |a: &Account| !matches!(a, Account::Skipped { .. });
        self.entries().filter(|e| settled(&e.account)).map(|e| e.interval).collect()
    }

    /// The intervals that the log could not give back, with their cause (I14).
    pub fn gaps(&self) -> impl Iterator<Item = (Interval, GapCause, &str)> {
        self.entries().filter_map(|e| match &e.account {
            Account::Lost { cause, evidence } => Some((e.interval, *cause, evidence.as_str())),
            _ => None,
        })
    }
}

fn verify_page(shard: Shard, page: &Page) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut entries: Vec<&Entry> = page.entries.iter().collect();
    entries.sort_by_key(|e| (e.interval.from, e.interval.to));
    let mut at = page.start;
    for entry in entries {
        let interval = entry.interval;
        if interval.is_empty() {
            found.push(Violation::at(InvariantId::I2, interval, "the interval is empty"));
            continue;
        }
        if interval.from > at {
            let hole = Interval::new(shard, at, interval.from);
            found.push(Violation::at(InvariantId::I2, hole, "no entry covers these offsets"));
        }
        if interval.from < at {
            let twice = Interval::new(shard, interval.from, at.min(interval.to));
            found.push(Violation::at(InvariantId::I2, twice, "more than one entry covers these offsets"));
        }
        at = at.max(interval.to);
        found.extend(check_sum(interval, &entry.account));
    }
    if at < page.cursor {
        let hole = Interval::new(shard, at, page.cursor);
        found.push(Violation::at(InvariantId::I2, hole, "no entry covers these offsets below the cursor"));
    }
    if at > page.cursor {
        let beyond = Interval::new(shard, page.cursor, at);
        found.push(Violation::at(InvariantId::I2, beyond, "these offsets are beyond the cursor"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fingerprint;
    use proptest::prelude::*;
    use tallymark_model::Lane;

    const SHARD: Shard = Shard { lane: Lane::Bulk, partition: 1 };

    fn visible(from: u64, to: u64) -> Entry {
        let tally = Tally { visible: to - from, ..Tally::default() };
        Entry {
            interval: Interval::new(SHARD, from, to),
            account: Account::Accounted { tally, visible: Fingerprint::default() },
        }
    }

    #[test]
    fn advancing_is_by_equality_and_by_sum() {
        let mut book = Book::new();
        book.advance(visible(0, 5)).unwrap();
        assert_eq!(book.advance(visible(6, 9)).unwrap_err().invariant, InvariantId::I2);
        assert_eq!(book.advance(visible(4, 9)).unwrap_err().invariant, InvariantId::I2);
        assert_eq!(book.advance(visible(5, 5)).unwrap_err().invariant, InvariantId::I2);
        let mut short = visible(5, 9);
        short.account = visible(5, 8).account;
        assert_eq!(book.advance(short).unwrap_err().invariant, InvariantId::I3);
        assert_eq!(book.cursor(SHARD), 5);
        assert!(book.verify().is_empty());
    }

    #[test]
    fn skipped_is_pending_and_lost_is_a_gap() {
        let mut book = Book::new();
        book.advance(visible(0, 5)).unwrap();
        let skipped = Account::Skipped { by: "operator".into(), reason: "poison".into() };
        book.advance(Entry { interval: Interval::new(SHARD, 5, 8), account: skipped }).unwrap();
        let lost = Account::Lost { cause: GapCause::Corrupt, evidence: "file 3".into() };
        book.advance(Entry { interval: Interval::new(SHARD, 8, 9), account: lost }).unwrap();
        let settled: Vec<_> = book.settled().iter().collect();
        assert_eq!(settled, [Interval::new(SHARD, 0, 5), Interval::new(SHARD, 8, 9)]);
        assert_eq!(book.gaps().map(|g| g.0).collect::<Vec<_>>(), [Interval::new(SHARD, 8, 9)]);
        assert_eq!(book.total().total(), 5);
    }

    proptest! {
        /// Model: how often each offset is covered.
        #[test]
        fn verify_finds_exactly_holes_and_overlaps(
            ranges in proptest::collection::vec((0u64..30, 1u64..8), 0..8), cursor in 0u64..40,
        ) {
            let mut book = Book::new();
            book.open(SHARD, 0, cursor);
            let mut count = vec![0u32; 64];
            for (from, len) in ranges {
                book.record(visible(from, from + len));
                (from..from + len).for_each(|o| count[o as usize] += 1);
            }
            let sound = count.iter().enumerate().all(|(o, n)| *n == u32::from((o as u64) < cursor));
            prop_assert_eq!(book.verify().is_empty(), sound);
        }

        #[test]
        fn a_book_built_by_advancing_verifies(lengths in proptest::collection::vec(1u64..50, 0..20)) {
            let mut book = Book::new();
            for len in &lengths {
                let at = book.cursor(SHARD);
                book.advance(visible(at, at + len)).unwrap();
            }
            prop_assert!(book.verify().is_empty());
            prop_assert_eq!(book.total().visible, lengths.iter().sum::<u64>());
            prop_assert!(book.settled().covers(Interval::new(SHARD, 0, book.cursor(SHARD))));
        }
    }
}
