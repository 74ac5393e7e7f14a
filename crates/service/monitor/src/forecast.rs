//! How fast something grows, from samples of it.
//!
//! Guarantees: only what was observed counts; noise without a trend has no rate.
//! Deliberately not here: keeping samples (`store`), judging the result (`checks`).

use crate::config::{DAY, HOUR};
use crate::facts::Growth;
use std::collections::BTreeMap;
use tallymark_model::Millis;

/// A window counts only if samples cover at least this part of it (or of the time since the first sample).
const POINTS_MIN: usize = 5;
/// Part of the variation that the line must explain, for things that go up and down.
const FIT_MIN: f64 = 0.6;
/// Windows in which growth is looked for: the recent one sees what has just begun, the long one what creeps.
const WINDOWS: [Millis; 3] = [6 * HOUR, DAY, 7 * DAY];
/// The longest time for which samples are of use here.
pub const LOOK_BACK: Millis = 7 * DAY;

/// The growth of every series of samples (`(at, used)`, oldest first) that has one.
pub fn growths(samples: &BTreeMap<String, Vec<(Millis, f64)>>, now: Millis) -> BTreeMap<String, Growth> {
    samples.iter().filter_map(|(series, points)| Some((series.clone(), growth(points, now)?))).collect()
}

/// The fastest growth over the windows; `None` if nothing steady was seen.
pub fn growth(points: &[(Millis, f64)], now: Millis) -> Option<Growth> {
    WINDOWS
        .into_iter()
        .filter_map(|window| {
            let from = points.partition_point(|(at, _)| *at < now - window);
            line(&points[from..])
        })
        .max_by(|a, b| a.per_day.total_cmp(&b.per_day))
}

/// Least squares.
fn line(points: &[(Millis, f64)]) -> Option<Growth> {
    if points.len() < POINTS_MIN {
        return None;
    }
    let first = points[0].0;
    let n = points.len() as f64;
    let x = |at: Millis| (at - first) as f64 / DAY as f64;
    let (mean_x, mean_y) = points.iter().fold((0.0, 0.0), |(a, b), (at, y)| (a + x(*at) / n, b + y / n));
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (at, y) in points {
        let (dx, dy) = (x(*at) - mean_x, y - mean_y);
        xx += dx * dx;
        xy += dx * dy;
        yy += dy * dy;
    }
    if xx <= 0.0 || yy <= 0.0 || xy * xy / (xx * yy) < FIT_MIN {
        return None;
    }
    let observed_hours = (points[points.len() - 1].0 - first) as f64 / HOUR as f64;
    Some(Growth { per_day: xy / xx, observed_hours })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MINUTE;
    use crate::facts::{ResourceFacts, ResourceKind};
    use proptest::prelude::*;

    fn every_minute(hours: i64, value: impl Fn(f64) -> f64) -> Vec<(Millis, f64)> {
        (0..=hours * 60).map(|m| (m * MINUTE, value(m as f64 / 1440.0))).collect()
    }

    #[test]
    fn a_steady_rate_is_found() {
        let points = every_minute(3, |day| 100.0 + 24.0 * day);
        let growth = growth(&points, 3 * HOUR).unwrap();
        assert!((growth.per_day - 24.0).abs() < 1e-6);
        assert_eq!(growth.observed_hours, 3.0);
    }

    #[test]
    fn what_goes_up_and_down_does_not_grow() {
        let points = every_minute(12, |day| 100.0 + 30.0 * (day * 200.0).sin());
        assert_eq!(growth(&points, 12 * HOUR), None);
        assert_eq!(growth(&[], 0), None);
        assert_eq!(growth(&every_minute(6, |_| 5.0), 6 * HOUR), None);
    }

    #[test]
    fn growth_that_has_just_begun_is_not_hidden_by_quiet_days() {
        let points = every_minute(7 * 24, |day| if day < 6.75 { 10.0 } else { 10.0 + (day - 6.75) * 400.0 });
        assert!(growth(&points, 7 * DAY).unwrap().per_day > 390.0);
    }

    #[test]
    fn days_left_follow() {
        let mut resource = ResourceFacts::new(ResourceKind::Inodes, "data", 160.0, 300.0);
        let samples = BTreeMap::from([(resource.series(), every_minute(24, |day| 140.0 + 20.0 * day))]);
        resource.growth = growths(&samples, DAY).remove(&resource.series());
        assert!((resource.days_left().unwrap() - 7.0).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn noise_on_a_rate_hardly_moves_it(rate in 10.0f64..1e6, noise in proptest::collection::vec(-1.0f64..1.0, 24 * 60 + 1)) {
            // Noise as large as a tenth of what a day adds.
            let points: Vec<(Millis, f64)> = noise.iter().enumerate()
                .map(|(m, n)| (m as Millis * MINUTE, rate * m as f64 / 1440.0 + n * rate / 10.0)).collect();
            let found = line(&points).unwrap().per_day;
            prop_assert!((found / rate - 1.0).abs() < 0.05, "{found} for {rate}");
        }
    }
}
