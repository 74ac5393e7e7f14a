//! The estimate of one moment.
//!
//! Guarantees: `low <= middle <= high`; a partition that does not shrink has no end, and then neither has the lane.
//! Deliberately not here: what the rates are (`window`).

use super::ENDS_AT_AGE;
use super::window::Rates;
use serde::{Deserialize, Serialize};
use tallymark_model::{Lane, Millis, Shard};

/// Two standard errors: about 19 of 20 ends should lie inside.
const STANDARD_ERRORS: f64 = 2.0;
/// A range is never narrower than this part of the middle: the future is not the window.
const SPREAD_MIN: f64 = 0.10;
/// Nothing beyond this is told as a time.
const REMAINING_MAX: f64 = 365.0 * 86_400_000.0;

/// What can be said about the end of a backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum EtaAnswer {
    /// Nothing waits.
    Drained,
    /// It moves, but not for long enough to say.
    Measuring,
    /// It does not shrink: as much or more arrives as is worked off, or nothing is worked off.
    NotShrinking,
    /// It ends in so many ms.
    Ends {
        /// At the earliest.
        low_ms: Millis,
        /// Probably.
        middle_ms: Millis,
        /// At the latest.
        high_ms: Millis,
    },
}

/// The estimate for one partition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ShardEta {
    /// Which.
    pub shard: Shard,
    /// Records that wait.
    pub backlog: u64,
    /// Records worked off per second.
    pub drain_per_s: f64,
    /// Records added per second.
    pub arrival_per_s: f64,
    /// When it ends.
    #[serde(flatten)]
    pub answer: EtaAnswer,
}

impl ShardEta {
    /// The estimate from measured rates; `None` = not measured for long enough.
    pub fn of(shard: Shard, backlog: u64, rates: Option<Rates>) -> ShardEta {
        let (drain_per_s, arrival_per_s) = rates.map_or((0.0, 0.0), |r| (r.drain_per_s, r.arrival_per_s));
        let answer = match rates {
            _ if backlog == 0 => EtaAnswer::Drained,
            None => EtaAnswer::Measuring,
            Some(rates) => ends(backlog, rates),
        };
        ShardEta { shard, backlog, drain_per_s, arrival_per_s, answer }
    }

    /// Greater = later. What is not known to end comes after everything that is.
    fn lateness(&self) -> (u8, Millis) {
        match self.answer {
            EtaAnswer::Drained => (0, 0),
            EtaAnswer::Ends { middle_ms, .. } => (1, middle_ms),
            EtaAnswer::Measuring => (2, 0),
            EtaAnswer::NotShrinking => (3, 0),
        }
    }
}

fn ends(backlog: u64, rates: Rates) -> EtaAnswer {
    let net = rates.drain_per_s - rates.arrival_per_s;
    // It is over when nothing is older than a moment, not when nothing is pending: under load something always is.
    let fresh = rates.arrival_per_s * ENDS_AT_AGE as f64 / 1_000.0;
    let old = (backlog as f64 - fresh).max(0.0);
    let remaining = |net: f64| if net > 0.0 { old / net * 1_000.0 } else { f64::INFINITY };
    let middle = remaining(net);
    if !middle.is_finite() || middle > REMAINING_MAX {
        return EtaAnswer::NotShrinking;
    }
    let spread = rates.standard_error * STANDARD_ERRORS;
    let low = remaining(net + spread).min(middle * (1.0 - SPREAD_MIN));
    let high = remaining(net - spread).max(middle * (1.0 + SPREAD_MIN)).min(REMAINING_MAX);
    EtaAnswer::Ends { low_ms: low as Millis, middle_ms: middle as Millis, high_ms: high as Millis }
}

/// The estimate for a lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EtaNow {
    /// When it was made.
    pub at: Millis,
    /// Which lane.
    pub lane: Lane,
    /// Since when there is a backlog.
    pub started_at: Millis,
    /// Records that wait, over all partitions.
    pub backlog: u64,
    /// The partition that ends last, with the rates that it has now. Its answer is the lane's: it will get what
    /// the others do not need any more.
    pub worst: ShardEta,
    /// Every partition with a backlog.
    pub shards: Vec<ShardEta>,
}

impl EtaNow {
    /// Out of the estimates of its partitions and the rates of all of them together; `None` if nothing waits.
    ///
    /// One processor works off the partitions of a lane in turn, so its speed is the lane's: when one partition is
    /// drained, the others go on faster. The end is therefore all that waits over all that is worked off; the
    /// slowest partition with the rate of now would be announced too late. A partition that does not shrink while
    /// others do will not end with them: then there is no end.
    pub fn of(
        at: Millis,
        lane: Lane,
        started_at: Millis,
        shards: Vec<ShardEta>,
        together: Option<Rates>,
    ) -> Option<EtaNow> {
        let shards: Vec<ShardEta> = shards.into_iter().filter(|s| s.backlog > 0).collect();
        let backlog = shards.iter().map(|s| s.backlog).sum();
        let mut worst = *shards.iter().max_by_key(|s| s.lateness())?;
        if let (EtaAnswer::Ends { .. }, Some(rates)) = (worst.answer, together) {
            worst.answer = ends(backlog, rates);
        }
        Some(EtaNow { at, lane, started_at, backlog, worst, shards })
    }

    /// Earliest, probable and latest end, as instants.
    pub fn ends_at(&self) -> Option<(Millis, Millis, Millis)> {
        match self.worst.answer {
            EtaAnswer::Ends { low_ms, middle_ms, high_ms } => {
                Some((self.at + low_ms, self.at + middle_ms, self.at + high_ms))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHARD: Shard = Shard { lane: Lane::Live, partition: 3 };

    fn rates(drain_per_s: f64, arrival_per_s: f64, standard_error: f64) -> Option<Rates> {
        Some(Rates { drain_per_s, arrival_per_s, standard_error, over_ms: 60_000 })
    }

    #[test]
    fn the_end_is_old_backlog_over_net_rate() {
        // 1,500 of them are younger than half a minute: these are no backlog.
        let eta = ShardEta::of(SHARD, 10_500, rates(150.0, 50.0, 0.0));
        let EtaAnswer::Ends { low_ms, middle_ms, high_ms } = eta.answer else { panic!("{eta:?}") };
        assert_eq!((low_ms, middle_ms, high_ms), (81_000, 90_000, 99_000));
    }

    #[test]
    fn what_does_not_shrink_has_no_end() {
        assert_eq!(ShardEta::of(SHARD, 1, rates(50.0, 50.0, 1.0)).answer, EtaAnswer::NotShrinking);
        assert_eq!(ShardEta::of(SHARD, 1, rates(0.0, 0.0, 0.0)).answer, EtaAnswer::NotShrinking);
        assert_eq!(ShardEta::of(SHARD, 0, rates(0.0, 9.0, 0.0)).answer, EtaAnswer::Drained);
        assert_eq!(ShardEta::of(SHARD, 1, None).answer, EtaAnswer::Measuring);
    }

    #[test]
    fn a_lane_ends_with_its_slowest_partition_which_gets_what_others_leave() {
        let slow = ShardEta::of(SHARD, 9_000, rates(20.0, 0.0, 0.0));
        let fast = ShardEta::of(Shard { partition: 1, ..SHARD }, 92_000, rates(2_000.0, 0.0, 0.0));
        let together = rates(2_020.0, 0.0, 0.0);
        let now = EtaNow::of(1_000, Lane::Live, 0, vec![fast, slow], together).unwrap();
        assert_eq!((now.worst.shard, now.worst.drain_per_s), (SHARD, 20.0));
        assert_eq!(now.backlog, 101_000);
        assert_eq!(now.ends_at().unwrap().1, 1_000 + 50_000);
        let stuck = ShardEta::of(Shard { partition: 2, ..SHARD }, 1, rates(0.0, 0.0, 0.0));
        let now = EtaNow::of(1_000, Lane::Live, 0, vec![fast, slow, stuck], together).unwrap();
        assert_eq!((now.worst.shard.partition, now.ends_at()), (2, None));
        assert_eq!(EtaNow::of(1_000, Lane::Live, 0, vec![], together), None);
    }

    proptest! {
        #[test]
        fn a_range_holds_its_middle(backlog in 1u64..1 << 40, drain in 0.0f64..1e6, arrival in 0.0f64..1e6, error in 0.0f64..1e5) {
            match ShardEta::of(SHARD, backlog, rates(drain, arrival, error)).answer {
                EtaAnswer::Ends { low_ms, middle_ms, high_ms } => {
                    prop_assert!(drain > arrival);
                    prop_assert!(0 <= low_ms && low_ms <= middle_ms && middle_ms <= high_ms);
                }
                EtaAnswer::NotShrinking => {
                    prop_assert!(drain <= arrival || backlog as f64 / (drain - arrival) * 1_000.0 > REMAINING_MAX);
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
