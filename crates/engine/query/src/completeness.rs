//! What is known to be missing in a snapshot, and what changed lately.
//!
//! Guarantees: a gap that closes or opens while the snapshot is taken counts as open: an answer may say too often that
//! it lacks something, never too seldom.
//! Deliberately not here: how answers show it (`insights`).

use tallymark_catalog::{LedgerRow, Origin, RestatedRow};
use tallymark_ledger::{Account, Interval};
use tallymark_model::{CommitSeq, Millis};

/// Restatements older than this are history, not news.
pub const RECENT_MS: Millis = 86_400_000;

/// What a snapshot lacks, and what was restated lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Intervals of the log without final outcomes, by shard and offset.
    pub gaps: Vec<Gap>,
    /// Restatements of the last day, newest first; those of one piece of work together.
    pub restated: Vec<Restated>,
}

/// How it comes that records are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapState {
    /// They were skipped and can be replayed.
    Skipped,
    /// The log has lost them.
    Lost,
    /// The books believe that all is well; who checks them says that it is not.
    Unaccounted,
}

impl GapState {
    /// Name used in answers.
    pub fn name(self) -> &'static str {
        match self {
            GapState::Skipped => "skipped",
            GapState::Lost => "lost",
            GapState::Unaccounted => "unaccounted",
        }
    }
}

/// Records that no answer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Where they are.
    pub interval: Interval,
    /// How many of them.
    pub count: u64,
    /// How it comes.
    pub state: GapState,
    /// First and last receive time, ms UTC.
    pub received: (Millis, Millis),
    /// Why.
    pub reason: String,
}

/// Accounts that were replaced by one piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restated {
    /// Why.
    pub origin: Origin,
    /// The last commit of it.
    pub seq: CommitSeq,
    /// When that was, ms UTC.
    pub at: Millis,
    /// How many records.
    pub records: u64,
    /// First and last receive time of them, ms UTC.
    pub received: (Millis, Millis),
}

impl Gap {
    /// Something that whoever checks the books found, and that the books themselves do not say.
    pub fn found(interval: Interval, count: Option<u64>, received: (Millis, Millis), reason: String) -> Gap {
        let count = count.unwrap_or(interval.len());
        Gap { interval, count, state: GapState::Unaccounted, received, reason }
    }
}

impl Completeness {
    /// From the anomalies of the books before and after the snapshot was taken, and the newest restatements.
    pub fn of(
        before: &[LedgerRow],
        after: &[LedgerRow],
        restated: &[RestatedRow],
        now: Millis,
    ) -> Completeness {
        let mut gaps: Vec<Gap> = before.iter().filter_map(gap).collect();
        for more in after.iter().filter_map(gap) {
            if !gaps.iter().any(|known| known.interval.encloses(&more.interval)) {
                gaps.push(more);
            }
        }
        gaps.sort_by_key(|g| g.interval);
        let mut found: Vec<Restated> = Vec::new();
        for row in restated.iter().filter(|r| r.at >= now - RECENT_MS) {
            let one = &row.restatement;
            let received = (one.received_from, one.received_to);
            match found.iter_mut().find(|r| r.origin == row.origin) {
                Some(known) => {
                    known.records += one.records();
                    known.received = (known.received.0.min(received.0), known.received.1.max(received.1));
                }
                None => found.push(Restated {
                    origin: row.origin,
                    seq: row.seq,
                    at: row.at,
                    records: one.records(),
                    received,
                }),
            }
        }
        Completeness { gaps, restated: found }
    }

    /// With what was found by others. What the books say themselves is not said twice.
    pub fn and(mut self, found: Vec<Gap>) -> Completeness {
        for more in found {
            if !self.gaps.iter().any(|known| known.interval.encloses(&more.interval)) {
                self.gaps.push(more);
            }
        }
        self.gaps.sort_by_key(|g| g.interval);
        self
    }

    /// Gaps with records received in `[from, to)`.
    pub fn gaps_in(&self, from: Millis, to: Millis) -> impl Iterator<Item = &Gap> {
        self.gaps.iter().filter(move |g| g.received.1 >= from && g.received.0 < to)
    }

    /// Restatements of records received in `[from, to)`.
    pub fn restated_in(&self, from: Millis, to: Millis) -> impl Iterator<Item = &Restated> {
        self.restated.iter().filter(move |r| r.received.1 >= from && r.received.0 < to)
    }
}

fn gap(row: &LedgerRow) -> Option<Gap> {
    let (state, reason) = match &row.account {
        Account::Accounted { .. } => return None,
        Account::Skipped { by, reason } => (GapState::Skipped, format!("skipped by {by}: {reason}")),
        Account::Lost { cause, evidence } => (GapState::Lost, format!("{cause:?}: {evidence}")),
    };
    let received = (row.received_from, row.received_to);
    Some(Gap { interval: row.interval, count: row.interval.len(), state, received, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_model::{Lane, Shard};

    fn span(from: u64, to: u64) -> Interval {
        Interval::new(Shard { lane: Lane::Live, partition: 0 }, from, to)
    }

    #[test]
    fn what_only_the_auditor_knows_is_a_gap_and_what_the_books_say_is_said_once() {
        let account = Account::Skipped { by: "me".into(), reason: "poison".into() };
        let row = LedgerRow {
            interval: span(10, 20),
            account,
            received_from: 100,
            received_to: 200,
            tally: tallymark_ledger::Tally::default(),
            visible: tallymark_ledger::Fingerprint::default(),
        };
        let books = Completeness::of(std::slice::from_ref(&row), std::slice::from_ref(&row), &[], 0);
        let found = |interval, received| Gap::found(interval, None, received, "no outcome".into());
        let known = books.and(vec![found(span(12, 14), (100, 200)), found(span(3, 5), (40, 60))]);
        let told: Vec<_> = known.gaps.iter().map(|g| (g.interval.from, g.count, g.state.name())).collect();
        assert_eq!(told, [(3, 2, "unaccounted"), (10, 10, "skipped")]);
        assert_eq!(known.gaps_in(50, 55).count(), 1);
        assert_eq!(known.gaps_in(61, 100).count(), 0);
    }
}
