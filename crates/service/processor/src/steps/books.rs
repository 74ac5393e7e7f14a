//! Outcomes counted per interval and project, ready for the ledger.
//!
//! Guarantees: what is counted here is what [`Books::advances`] claims, and the claims are proved (I3, I4) before
//! anything is sent.
//! Deliberately not here: the rules of the proofs (`ledger`).

use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use tallymark_catalog::Advance;
use tallymark_ledger::{Account, Fingerprint, GapCause, Interval, Tally};
use tallymark_model::{LogId, Millis, Outcome, OutcomeKind, Position, ProjectId, Shard};

/// A run of one shard that a group covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Which offsets.
    pub interval: Interval,
    /// Smallest receive time, ms UTC.
    pub received_from: Millis,
    /// Largest receive time, ms UTC.
    pub received_to: Millis,
    /// How many of the offsets never carried a record. Counted by whoever read them, not inferred: an outcome
    /// that is missing must break the sum, not pass as a hole.
    pub holes: u64,
    /// Some: the log cannot give these offsets.
    pub lost: Option<(GapCause, String)>,
}

/// Outcomes, counted.
#[derive(Debug)]
pub struct Books {
    log: LogId,
    /// By shard, in order of offset of arrival; summed per run at the end.
    counted: FxHashMap<Shard, Vec<(u64, ProjectId, OutcomeKind)>>,
}

type Sums = BTreeMap<ProjectId, (Tally, Fingerprint)>;

impl Books {
    /// Empty books of a log.
    pub fn new(log: LogId) -> Books {
        Books { log, counted: FxHashMap::default() }
    }

    /// Counts one record.
    pub fn count(&mut self, position: Position, project: ProjectId, outcome: &Outcome) {
        self.counted.entry(position.shard()).or_default().push((position.offset, project, outcome.kind()));
    }

    /// The advances over these runs.
    pub fn advances(mut self, runs: &[Run]) -> Vec<Advance> {
        self.counted.values_mut().for_each(|c| c.sort_unstable_by_key(|(offset, ..)| *offset));
        runs.iter().map(|run| self.advance(run)).collect()
    }

    /// The advances that these runs would make, without giving the books away.
    pub fn accounts(&self, runs: &[Run]) -> Vec<Advance> {
        let counted = self.counted.iter().map(|(shard, counted)| (*shard, counted.clone())).collect();
        Books { log: self.log, counted }.advances(runs)
    }

    fn advance(&self, run: &Run) -> Advance {
        let Interval { shard, from, to } = run.interval;
        let sums = self.sums(run.interval);
        let account = match &run.lost {
            Some((cause, evidence)) => Account::Lost { cause: *cause, evidence: evidence.clone() },
            None => {
                let mut tally = sums.values().fold(Tally::default(), |t, (part, _)| t + *part);
                tally.hole += run.holes;
                let visible = sums.values().fold(Fingerprint::default(), |f, (_, part)| f + *part);
                Account::Accounted { tally, visible }
            }
        };
        Advance {
            shard,
            from,
            to,
            account,
            received_from: run.received_from,
            received_to: run.received_to,
            projects: sums.into_iter().map(|(project, (tally, visible))| (project, tally, visible)).collect(),
        }
    }

    fn sums(&self, interval: Interval) -> Sums {
        let mut sums = Sums::new();
        let counted = self.counted.get(&interval.shard).map_or(&[][..], Vec::as_slice);
        let from = counted.partition_point(|(offset, ..)| *offset < interval.from);
        for &(offset, project, kind) in
            counted[from..].iter().take_while(|(offset, ..)| *offset < interval.to)
        {
            let (tally, visible) = sums.entry(project).or_default();
            tally.count(kind);
            if kind == OutcomeKind::Visible {
                let Shard { lane, partition } = interval.shard;
                *visible += Fingerprint::of(self.log, Position { lane, partition, offset });
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_ledger::check_sum;
    use tallymark_model::Lane;

    const SHARD: Shard = Shard { lane: Lane::Bulk, partition: 2 };

    fn at(offset: u64) -> Position {
        Position { lane: SHARD.lane, partition: SHARD.partition, offset }
    }

    fn run(from: u64, to: u64, holes: u64, lost: Option<(GapCause, String)>) -> Run {
        Run { interval: Interval { shard: SHARD, from, to }, received_from: 1, received_to: 2, holes, lost }
    }

    #[test]
    fn runs_are_counted_apart() {
        let log = LogId(uuid::Uuid::from_u128(9));
        let mut books = Books::new(log);
        let witness = at(0);
        for (offset, project, outcome) in [
            (11, 1, Outcome::Visible),
            (0, 1, Outcome::Visible),
            (2, 2, Outcome::Visible),
            (1, 1, Outcome::Duplicate { witness }),
        ] {
            books.count(at(offset), ProjectId(project), &outcome);
        }
        let lost = Some((GapCause::Corrupt, "file 7".to_owned()));
        let advances = books.advances(&[run(0, 4, 1, None), run(4, 11, 0, lost), run(11, 12, 0, None)]);
        let Account::Accounted { tally, visible } = &advances[0].account else { panic!() };
        assert_eq!(*tally, Tally { visible: 2, duplicate: 1, hole: 1, ..Tally::default() });
        assert_eq!(*visible, Fingerprint::of(log, at(0)) + Fingerprint::of(log, at(2)));
        assert_eq!(advances[0].projects.len(), 2);
        assert!(matches!(&advances[1].account, Account::Lost { evidence, .. } if evidence == "file 7"));
        assert!(advances[1].projects.is_empty());
        assert_eq!((advances[2].from, advances[2].to), (11, 12));
        assert!(advances.iter().all(|a| check_sum(a.interval(), &a.account).is_none()));
    }

    #[test]
    fn a_missing_outcome_breaks_the_sum() {
        let mut books = Books::new(LogId(uuid::Uuid::from_u128(9)));
        books.count(at(0), ProjectId(1), &Outcome::Control);
        let advances = books.advances(&[run(0, 2, 0, None)]);
        assert!(check_sum(advances[0].interval(), &advances[0].account).is_some());
    }
}
