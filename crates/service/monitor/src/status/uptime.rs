//! Uptime per component and day.
//!
//! Guarantees: weights are those of Statuspage (a partial outage counts 30 %, a major one wholly); a day that was
//! not watched has no uptime rather than a perfect one.
//! Deliberately not here: counting (`store::days`).

use super::ComponentState;
use super::time::day;
use crate::config::DAY;
use crate::store::{DayHistory, DayStates};
use serde::{Deserialize, Serialize};
use tallymark_model::Millis;

/// As many days as the page shows.
pub const DAYS_SHOWN: i64 = 90;
const PARTIAL_WEIGHT: f64 = 0.3;

/// The last days of a component.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Uptime {
    /// Share over all watched time, 0 to 1; `None` if it was never watched.
    pub share: Option<f64>,
    /// Day, its share (`None` = not watched), and the worst state; oldest first.
    pub days: Vec<(String, Option<f64>, Option<ComponentState>)>,
}

/// Out of a history: the [`DAYS_SHOWN`] days up to and with today.
pub fn uptime(history: &DayHistory, now: Millis) -> Uptime {
    let (mut up, mut watched) = (0.0, 0.0);
    let mut days = Vec::with_capacity(DAYS_SHOWN as usize);
    for back in (0..DAYS_SHOWN).rev() {
        let name = day(now - back * DAY);
        let sums = history.get(&name).map(sums);
        if let Some((day_up, day_watched)) = sums {
            up += day_up;
            watched += day_watched;
        }
        let share = sums.filter(|s| s.1 > 0.0).map(|s| s.0 / s.1);
        let worst = history.get(&name).and_then(|d| d.0.keys().max().copied());
        days.push((name, share, worst));
    }
    Uptime { share: (watched > 0.0).then(|| up / watched), days }
}

/// Up and watched, ms.
fn sums(day: &DayStates) -> (f64, f64) {
    day.0.iter().fold((0.0, 0.0), |(up, watched), (state, ms)| {
        let weight = match state {
            ComponentState::MajorOutage => 0.0,
            ComponentState::PartialOutage => 1.0 - PARTIAL_WEIGHT,
            _ => 1.0,
        };
        (up + weight * *ms as f64, watched + *ms as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn outages_count_by_weight_and_unwatched_time_does_not() {
        let now = 1_795_240_800_000;
        let states =
            |list: &[(ComponentState, Millis)]| DayStates(list.iter().copied().collect::<BTreeMap<_, _>>());
        let history = DayHistory::from([
            (
                "2026-11-21".into(),
                states(&[(ComponentState::Operational, 900), (ComponentState::MajorOutage, 100)]),
            ),
            ("2026-11-20".into(), states(&[(ComponentState::PartialOutage, 1_000)])),
        ]);
        let found = uptime(&history, now);
        assert_eq!(found.days.len(), DAYS_SHOWN as usize);
        assert_eq!(found.days[89], ("2026-11-21".to_owned(), Some(0.9), Some(ComponentState::MajorOutage)));
        assert_eq!(found.days[88].1, Some(0.7));
        assert_eq!(found.days[0].1, None);
        assert!((found.share.unwrap() - 0.8).abs() < 1e-9);
        assert_eq!(uptime(&DayHistory::new(), now).share, None);
    }
}
