//! One backlog from its beginning to its end: every estimate, and how wrong each was.
//!
//! Guarantees: the score is computed from the points alone; nothing is left out of it but what had no estimate.
//! Deliberately not here: making estimates.

use super::EtaNow;
use serde::{Deserialize, Serialize};
use tallymark_model::{Millis, Shard};

/// Errors are measured against the time that really remained, but at least this: near the end, seconds count little.
const REMAINING_FLOOR: Millis = 120_000;
/// Scores begin so long after the backlog began to shrink.
const SCORED_AFTER: Millis = 5 * 60_000;

/// One estimate as it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EtaPoint {
    /// When it was shown.
    pub at: Millis,
    /// Records that waited.
    pub backlog: u64,
    /// The slowest partition.
    pub worst: Shard,
    /// Its drain rate.
    pub drain_per_s: f64,
    /// Its arrival rate.
    pub arrival_per_s: f64,
    /// Earliest, probable and latest end; `None` = no end was in sight.
    pub ends_at: Option<(Millis, Millis, Millis)>,
    /// How wrong it was, as a part of the time that really remained; positive = too late. Known at the end.
    #[serde(default)]
    pub error: Option<f64>,
    /// Whether the true end was inside the range. Known at the end.
    #[serde(default)]
    pub inside: Option<bool>,
}

impl EtaPoint {
    /// The estimate as it is shown.
    pub fn of(now: &EtaNow) -> EtaPoint {
        EtaPoint {
            at: now.at,
            backlog: now.backlog,
            worst: now.worst.shard,
            drain_per_s: now.worst.drain_per_s,
            arrival_per_s: now.worst.arrival_per_s,
            ends_at: now.ends_at(),
            error: None,
            inside: None,
        }
    }
}

/// How good the estimates of one run were.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct EtaScore {
    /// Estimates from minute 5 on.
    pub points: u32,
    /// The largest error among them, without sign.
    pub error_max: Option<f64>,
    /// The middle one.
    pub error_median: Option<f64>,
    /// Part of them whose range held the true end.
    pub inside_share: Option<f64>,
    /// The furthest the shown end moved to later from one estimate to the next, ms.
    pub slip_max_ms: Millis,
}

/// Fills in the error of every point, and sums them up. `shrinking_since` is when the backlog began to shrink.
pub fn score(points: &mut [EtaPoint], shrinking_since: Millis, drained_at: Millis) -> EtaScore {
    for point in points.iter_mut() {
        let Some((low, middle, high)) = point.ends_at else { continue };
        let remained = (drained_at - point.at).max(REMAINING_FLOOR) as f64;
        point.error = Some((middle - drained_at) as f64 / remained);
        point.inside = Some(low <= drained_at && drained_at <= high);
    }
    let scored: Vec<&EtaPoint> =
        points.iter().filter(|p| p.at >= shrinking_since + SCORED_AFTER && p.error.is_some()).collect();
    let mut errors: Vec<f64> = scored.iter().filter_map(|p| p.error).map(f64::abs).collect();
    errors.sort_by(f64::total_cmp);
    let inside = scored.iter().filter(|p| p.inside == Some(true)).count();
    let ends: Vec<Millis> = scored.iter().filter_map(|p| p.ends_at).map(|e| e.1).collect();
    EtaScore {
        points: scored.len() as u32,
        error_max: errors.last().copied(),
        error_median: errors.get(errors.len() / 2).copied(),
        inside_share: (!scored.is_empty()).then(|| inside as f64 / scored.len() as f64),
        slip_max_ms: ends.windows(2).map(|e| e[1] - e[0]).max().unwrap_or(0).max(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_model::Lane;

    fn point(minute: i64, end_minute: i64) -> EtaPoint {
        let end = end_minute * 60_000;
        EtaPoint {
            at: minute * 60_000,
            backlog: 1,
            worst: Shard { lane: Lane::Live, partition: 0 },
            drain_per_s: 1.0,
            arrival_per_s: 0.0,
            ends_at: Some((end - 60_000, end, end + 60_000)),
            error: None,
            inside: None,
        }
    }

    #[test]
    fn errors_are_parts_of_what_remained() {
        // True end: minute 25. At minute 5, 20 minutes remained and 30 were told.
        let mut points = [point(1, 200), point(5, 35), point(15, 24), point(20, 25)];
        let score = score(&mut points, 0, 25 * 60_000);
        assert_eq!(points[1].error, Some(0.5));
        assert_eq!(points[2].error, Some(-0.1));
        assert_eq!((score.points, score.error_max, score.error_median), (3, Some(0.5), Some(0.1)));
        assert!((score.inside_share.unwrap() - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(score.slip_max_ms, 60_000);
    }
}
