//! What the drills about estimates share: ends as they were announced, held against the true end.
//!
//! Guarantees: a drain during which nothing was announced fails; nothing that was announced is left out but what was
//! announced before "minute 5", which is a twelfth of the drain here.
//! Deliberately not here: where announcements are read.

use crate::figure::Figure;
use crate::stage::Stage;

/// Minute 5 of an hour.
const FROM: f64 = 1.0 / 12.0;
/// Fewer announcements than this judge nothing.
const AT_LEAST: f64 = 5.0;

/// An announcement; Unix milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Announced {
    /// When it was made.
    pub at: i64,
    /// The probable end.
    pub end: i64,
    /// Earliest and latest end, where a range is told.
    pub range: Option<(i64, i64)>,
}

/// Figures of every announcement from "minute 5" on. An error is a part of the time that really remained, or of a
/// twelfth of the drain if less remained: towards the end, seconds count little.
pub fn judge(stage: &mut Stage, announced: &[Announced], began: i64, ended: i64) {
    let total = (ended - began).max(1) as f64;
    let settled: Vec<&Announced> =
        announced.iter().filter(|a| (a.at - began) as f64 >= total * FROM && a.at < ended).collect();
    let floor = total * FROM;
    let mut errors: Vec<f64> = settled
        .iter()
        .map(|a| 100.0 * (a.end - ended).abs() as f64 / ((ended - a.at) as f64).max(floor))
        .collect();
    errors.sort_by(f64::total_cmp);
    let told: Vec<String> = settled
        .iter()
        .step_by((settled.len() / 8).max(1))
        .map(|a| format!("{:+.1} s", (a.end - ended) as f64 / 1000.0))
        .collect();
    stage.note(format!("how far announced ends were off, in turn: {}", told.join(", ")));
    stage.figure(
        Figure::count("ends announced from minute 5 on (time-compressed)", settled.len()).at_least(AT_LEAST),
    );
    let within = errors.iter().filter(|e| **e <= 20.0).count();
    let whole = errors.len().max(1);
    let off: Vec<f64> = settled.iter().map(|a| 100.0 * (a.end - ended).abs() as f64 / total).collect();
    let near = off.iter().filter(|e| **e <= 20.0).count();
    stage.figure(
        Figure::share("announced ends within 20 % of the whole drain", near, off.len().max(1))
            .objective("O6"),
    );
    stage.figure(
        Figure::of("median error of the announced end, of the time that remained", middle(&errors), "%")
            .at_most(20.0)
            .objective("O6"),
    );
    let largest = off.iter().copied().fold(0.0, f64::max);
    stage.figure(
        Figure::of("largest error of the announced end, of the whole drain", largest, "%")
            .at_most(20.0)
            .objective("O6"),
    );
    stage.figure(Figure::share("announced ends within 20 % of the time that remained", within, whole));
    let slips = settled.windows(2).map(|a| a[1].end - a[0].end);
    let slip = slips.max().unwrap_or(0).max(0) as f64;
    stage.figure(
        Figure::of(
            "largest slip from one announcement to the next, of the whole drain",
            100.0 * slip / total,
            "%",
        )
        .objective("A19-14"),
    );
    let ranges: Vec<(i64, i64)> = settled.iter().filter_map(|a| a.range).collect();
    if !ranges.is_empty() {
        let inside =
            ranges.iter().filter(|(low, high)| *low <= ended + 1000 && ended <= *high + 1000).count();
        stage.figure(Figure::share("ranges that hold the true end", inside, ranges.len()).objective("A19-6"));
    }
}

/// Of nothing it is everything: what was not announced was not right.
fn middle(errors: &[f64]) -> f64 {
    errors.get(errors.len() / 2).copied().unwrap_or(100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn figures(announced: &[Announced]) -> Vec<Figure> {
        let mut stage = Stage::new(Path::new("/nowhere"), Path::new("/nowhere"), 1, 1.0, true);
        judge(&mut stage, announced, 0, 120_000);
        stage.end().2
    }

    fn announced(end: i64) -> Vec<Announced> {
        (1..12).map(|n| Announced { at: n * 10_000, end, range: None }).collect()
    }

    #[test]
    fn a_drain_without_announcements_fails_and_a_right_one_passes() {
        assert!(figures(&[]).iter().any(|f| !f.met()));
        assert!(figures(&announced(120_000)).iter().all(Figure::met));
        assert!(figures(&announced(170_000)).iter().any(|f| !f.met()));
    }

    #[test]
    fn what_was_announced_before_minute_five_is_not_held_against_anybody() {
        let mut all = announced(121_000);
        all.insert(0, Announced { at: 5_000, end: 900_000, range: None });
        assert!(figures(&all).iter().all(Figure::met));
    }
}
