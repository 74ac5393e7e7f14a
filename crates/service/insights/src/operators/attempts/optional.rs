//! Optional steps (3.2): looked for between the required steps beside them, once those are found.

use super::{Attempt, NONE, Rules, Stream};

/// One after the other, each takes the earliest event that the attempt has not used.
pub(super) fn fill(rules: &Rules, stream: &Stream, attempt: &mut Attempt) {
    for step in (0..rules.steps).filter(|k| !rules.required.contains(k)) {
        let at = rules.required.partition_point(|k| *k < step);
        let (before, after) = (attempt.steps[rules.required[at - 1]], attempt.steps[rules.required[at]]);
        if before == NONE || after == NONE {
            continue;
        }
        let (low, high, start) = (stream.time(before), stream.time(after), stream.time(attempt.entry));
        let (from, until) = match rules.strict {
            true => (low + 1, high - 1),
            false => (low - rules.tolerance, high + rules.tolerance),
        };
        let until = until.min(start + rules.window).min(rules.within[step].map_or(until, |w| low + w));
        let inside = stream.from(step, from).iter().copied().take_while(|e| stream.time(*e) <= until);
        let mut unused = inside.filter(|e| !stream.is_taken(*e) && !attempt.steps.contains(e));
        let found = unused.next().unwrap_or(NONE);
        attempt.steps[step] = found;
    }
}
