//! 3.1, 3.3 to 3.5: one attempt in `this_order` or `exact_order`.

use super::super::events::Prepared;
use super::Attempt;
use super::rules::{Order, Rules};
use tallymark_model::Millis;

/// The attempt from an entry; `taken` events belong to earlier attempts.
pub fn attempt(
    prepared: &Prepared,
    rules: &Rules,
    stream: &[usize],
    taken: &[usize],
    entry: usize,
) -> Attempt {
    let (events, hit) = continued(prepared, rules, stream, taken, vec![entry]);
    let mut steps = vec![None; rules.steps.len()];
    for (step, event) in rules.required().iter().zip(&events) {
        steps[*step] = Some(*event);
    }
    let mut attempt = Attempt { entry, depth: events.len(), steps, hit, stream: stream.to_vec() };
    optional(prepared, rules, stream, taken, &mut attempt);
    attempt
}

/// The events of required steps, greedily, and the exclusion that ended it.
fn continued(
    prepared: &Prepared,
    rules: &Rules,
    stream: &[usize],
    taken: &[usize],
    so_far: Vec<usize>,
) -> (Vec<usize>, Option<usize>) {
    let required = rules.required();
    let reached = so_far.len();
    if reached == required.len() {
        return (so_far, None);
    }
    let step = required[reached];
    let time = |i: usize| prepared.events[i].event.time;
    let (first, previous) = (time(so_far[0]), time(so_far[reached - 1]));
    let candidate = |y: &usize| {
        let after = if rules.strict { time(*y) > previous } else { time(*y) >= previous - rules.tolerance };
        rules.steps[step][*y]
            && !so_far.contains(y)
            && !taken.contains(y)
            && after
            && time(*y) - first <= rules.window
            && rules.within[step].is_none_or(|w| time(*y) - previous <= w)
    };
    let candidates: Vec<usize> = stream.iter().copied().filter(candidate).collect();
    let mut earliest: Option<Millis> = candidates.iter().map(|y| time(*y)).min();
    if rules.order == Order::Exact
        && let Some(y) = earliest
    {
        let current = required[reached - 1];
        let between = stream.iter().any(|z| {
            let repeat = rules.allow_repeats && rules.steps[current][*z];
            let inside = previous + rules.tolerance < time(*z) && time(*z) < y - rules.tolerance;
            rules.active[*z] && inside && !so_far.contains(z) && !repeat
        });
        if between {
            earliest = None;
        }
    }
    if let Some(hit) = hit(prepared, rules, stream, &so_far, earliest) {
        return (so_far, Some(hit));
    }
    let Some(earliest) = earliest else { return (so_far, None) };
    // Of several at that time the one that lets the attempt go deepest, else the first in stream order.
    let mut best: (Vec<usize>, Option<usize>) = (Vec::new(), None);
    for y in candidates.into_iter().filter(|y| time(*y) == earliest) {
        let longer = continued(prepared, rules, stream, taken, [so_far.clone(), vec![y]].concat());
        if longer.0.len() > best.0.len() {
            best = longer;
        }
    }
    best
}

/// The first exclusion that hits while waiting for the step after these, which comes at `next` or never.
fn hit(
    prepared: &Prepared,
    rules: &Rules,
    stream: &[usize],
    so_far: &[usize],
    next: Option<Millis>,
) -> Option<usize> {
    let required = rules.required();
    let time = |i: usize| prepared.events[i].event.time;
    let waiting_for = required[so_far.len()];
    let mut hits = Vec::new();
    for exclusion in &rules.exclusions {
        if !(exclusion.from < waiting_for && waiting_for <= exclusion.to) {
            continue;
        }
        let at = required.iter().position(|k| *k == exclusion.from)?;
        let begin = time(so_far[at]);
        let inside = |x: Millis| match next {
            Some(next) => begin + rules.tolerance < x && x < next - rules.tolerance,
            None => begin < x && x <= time(so_far[0]) + rules.window,
        };
        let unused = |x: &&usize| !so_far.contains(x);
        hits.extend(stream.iter().filter(unused).filter(|x| exclusion.matches[**x] && inside(time(**x))));
    }
    hits.into_iter().min()
}

/// "its count is the actors whose attempt contains a matching event between the neighbouring matched steps"
fn optional(prepared: &Prepared, rules: &Rules, stream: &[usize], taken: &[usize], attempt: &mut Attempt) {
    let time = |i: usize| prepared.events[i].event.time;
    let required = rules.required();
    for step in (0..rules.steps.len()).filter(|k| rules.optional[*k]) {
        let before = required.iter().rfind(|k| **k < step).and_then(|k| attempt.steps[*k]);
        let after = required.iter().find(|k| **k > step).and_then(|k| attempt.steps[*k]);
        let (Some(before), Some(after)) = (before, after) else { continue };
        let (low, high, first) = (time(before), time(after), time(attempt.entry));
        let fits = |y: &&usize| {
            let t = time(**y);
            let inside = if rules.strict {
                low < t && t < high
            } else {
                low - rules.tolerance <= t && t <= high + rules.tolerance
            };
            rules.steps[step][**y]
                && inside
                && t - first <= rules.window
                && rules.within[step].is_none_or(|w| t - low <= w)
                && !taken.contains(y)
                && !attempt.steps.contains(&Some(**y))
        };
        attempt.steps[step] = stream.iter().find(fits).copied();
    }
}
