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

/// Records that no answer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Which.
    pub interval: Interval,
    /// True: the log has lost them; false: they were skipped and can be replayed.
    pub lost: bool,
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
    let (lost, reason) = match &row.account {
        Account::Accounted { .. } => return None,
        Account::Skipped { by, reason } => (false, format!("skipped by {by}: {reason}")),
        Account::Lost { cause, evidence } => (true, format!("{cause:?}: {evidence}")),
    };
    Some(Gap { interval: row.interval, lost, received: (row.received_from, row.received_to), reason })
}
