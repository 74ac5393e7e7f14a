//! When one actor came back after it started (chapter 4).
//!
//! Guarantees: a return comes strictly after its start in stream order, so one event is never its own return;
//! calendar offsets count interval boundaries, rolling offsets count elapsed units from each start.
//! Deliberately not here: how events are found, cohort tables, cell states (`retention`).

mod cells;

pub(crate) use cells::{Cell, CellRules, Outcomes};

use tallymark_model::Millis;

/// How offsets are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Boundaries between the buckets of start and return; only the first start of an interval counts.
    Calendar,
    /// Elapsed units of this many ms; every start opens its own windows.
    Rolling(Millis),
}

/// Which returns make an actor count at offset k.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Those at offset k.
    On,
    /// Those at one single offset of at least k.
    OnOrAfter,
}

/// Which intervals an actor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CohortBy {
    /// Every one in which it started.
    Any,
    /// That of its first start ever, if inside the range.
    FirstTime,
    /// That of its first start inside the range.
    FirstInRange,
}

/// The rules all actors of a query share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// How offsets are counted.
    pub mode: Mode,
    /// Which returns count.
    pub kind: Kind,
    /// Which cohorts.
    pub cohort_by: CohortBy,
    /// Largest offset.
    pub periods: usize,
    /// Returns needed at an offset.
    pub min_returns: usize,
}

/// An event that starts, returns, or both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit {
    /// When.
    pub time: Millis,
    /// Number of its interval, from the first of the range; only meaningful from there on.
    pub bucket: u32,
    /// Starts.
    pub start: bool,
    /// Returns.
    pub back: bool,
    /// A start inside the range (starts before it only matter for [`CohortBy::FirstTime`]).
    pub inside: bool,
}

/// The starts that count: (cohort, index among the visits), ascending. `visits` are sorted by (time, log order).
pub(crate) fn counting_starts(visits: &[Visit], rules: &Rules, starts: &mut Vec<(u32, usize)>) {
    starts.clear();
    for (i, visit) in visits.iter().enumerate().filter(|(_, v)| v.start) {
        if !visit.inside {
            match rules.cohort_by {
                CohortBy::FirstTime => return, // its first start ever is not in the range
                CohortBy::Any | CohortBy::FirstInRange => continue,
            }
        }
        let again = starts.last().is_some_and(|(cohort, _)| *cohort == visit.bucket);
        // By the calendar only the first start of an interval counts.
        if !again || matches!(rules.mode, Mode::Rolling(_)) {
            starts.push((visit.bucket, i));
        }
        if rules.cohort_by != CohortBy::Any {
            return;
        }
    }
}

/// Marks the offsets, up to the periods, at which the actor returned after any of these starts of one cohort.
pub(crate) fn returned(
    visits: &[Visit],
    starts: impl Iterator<Item = usize>,
    rules: &Rules,
    marks: &mut Vec<bool>,
) {
    marks.clear();
    marks.resize(rules.periods + 1, false);
    for start in starts {
        let first = &visits[start];
        let later = &visits[start + 1..];
        match rules.mode {
            Mode::Calendar => offsets(later, |v| (v.bucket - first.bucket) as usize, rules, marks),
            Mode::Rolling(unit) => offsets(later, |v| ((v.time - first.time) / unit) as usize, rules, marks),
        }
    }
}

/// Marks the offsets at which there are enough returns. Offsets never decrease along the visits.
fn offsets(later: &[Visit], offset: impl Fn(&Visit) -> usize, rules: &Rules, returned: &mut [bool]) {
    let mut last_good = None;
    let mut at = 0;
    while at < later.len() {
        let k = offset(&later[at]);
        if rules.kind == Kind::On && k > rules.periods {
            break;
        }
        let end = at + later[at..].partition_point(|v| offset(v) == k);
        if later[at..end].iter().filter(|v| v.back).take(rules.min_returns).count() >= rules.min_returns {
            last_good = Some(k);
            if k <= rules.periods {
                returned[k] = true;
            }
        }
        at = end;
    }
    if rules.kind == Kind::OnOrAfter
        && let Some(last) = last_good
    {
        // Offset 0 keeps its own meaning ("came back within the interval of the start").
        returned.iter_mut().take(last + 1).skip(1).for_each(|r| *r = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Millis = 86_400_000;
    const HOUR: Millis = 3_600_000;

    fn visit(hours: Millis, start: bool, back: bool) -> Visit {
        Visit { time: hours * HOUR, bucket: (hours / 24) as u32, start, back, inside: true }
    }

    fn run(visits: &[Visit], rules: Rules) -> Vec<(u32, Vec<bool>)> {
        let mut out = Vec::new();
        let (mut starts, mut marks) = (Vec::new(), Vec::new());
        counting_starts(visits, &rules, &mut starts);
        for part in starts.chunk_by(|a, b| a.0 == b.0) {
            returned(visits, part.iter().map(|s| s.1), &rules, &mut marks);
            out.push((part[0].0, marks.clone()));
        }
        out
    }

    fn rules(mode: Mode, kind: Kind) -> Rules {
        Rules { mode, kind, cohort_by: CohortBy::Any, periods: 3, min_returns: 1 }
    }

    #[test]
    fn an_event_is_never_its_own_return() {
        let both = [visit(1, true, true)];
        assert_eq!(run(&both, rules(Mode::Calendar, Kind::On)), [(0, vec![false; 4])]);
        let twice = [visit(1, true, true), visit(1, true, true)];
        assert_eq!(run(&twice, rules(Mode::Calendar, Kind::On))[0].1, [true, false, false, false]);
    }

    #[test]
    fn calendar_counts_boundaries_and_rolling_counts_elapsed_days() {
        // Starts at 23:00, returns at 01:00: day 1 by the calendar, day 0 by elapsed time.
        let visits = [visit(23, true, false), visit(25, false, true)];
        assert_eq!(run(&visits, rules(Mode::Calendar, Kind::On))[0].1, [false, true, false, false]);
        assert_eq!(run(&visits, rules(Mode::Rolling(DAY), Kind::On))[0].1, [true, false, false, false]);
        // Exactly 24 hours later is day 1.
        let visits = [visit(23, true, false), visit(47, false, true)];
        assert_eq!(run(&visits, rules(Mode::Rolling(DAY), Kind::On))[0].1, [false, true, false, false]);
    }

    #[test]
    fn every_start_of_a_rolling_cohort_opens_windows() {
        let visits = [visit(0, true, false), visit(20, true, false), visit(45, false, true)];
        // 45 h after the first start (day 1), 25 h after the second (day 1 too).
        assert_eq!(run(&visits, rules(Mode::Rolling(DAY), Kind::On))[0].1, [false, true, false, false]);
        let visits =
            [visit(0, true, false), visit(22, true, false), visit(45, false, true), visit(49, false, true)];
        assert_eq!(run(&visits, rules(Mode::Rolling(DAY), Kind::On))[0].1, [true, true, true, false]);
    }

    #[test]
    fn on_or_after_fills_up_to_the_last_good_offset() {
        let visits = [visit(0, true, false), visit(24 * 9, false, true)];
        assert_eq!(run(&visits, rules(Mode::Calendar, Kind::On))[0].1, [false; 4]);
        assert_eq!(run(&visits, rules(Mode::Calendar, Kind::OnOrAfter))[0].1, [false, true, true, true]);
        // Two returns on different days do not make two at one offset.
        let visits =
            [visit(0, true, false), visit(24, false, true), visit(48, false, true), visit(49, false, true)];
        let two = Rules { min_returns: 2, ..rules(Mode::Calendar, Kind::OnOrAfter) };
        assert_eq!(run(&visits, two)[0].1, [false, true, true, false]);
        let two = Rules { min_returns: 2, ..rules(Mode::Calendar, Kind::On) };
        assert_eq!(run(&visits, two)[0].1, [false, false, true, false]);
    }

    #[test]
    fn first_time_looks_at_starts_before_the_range() {
        let before = Visit { inside: false, bucket: 0, ..visit(0, true, false) };
        let visits = [before, visit(30, true, false)];
        let by = |cohort_by| run(&visits, Rules { cohort_by, ..rules(Mode::Calendar, Kind::On) }).len();
        assert_eq!((by(CohortBy::Any), by(CohortBy::FirstTime), by(CohortBy::FirstInRange)), (1, 0, 1));
        let visits = [visit(0, true, false), visit(30, true, false)];
        let by = |cohort_by| run(&visits, Rules { cohort_by, ..rules(Mode::Calendar, Kind::On) }).len();
        assert_eq!((by(CohortBy::Any), by(CohortBy::FirstTime), by(CohortBy::FirstInRange)), (2, 1, 1));
    }
}
