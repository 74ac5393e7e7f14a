//! 3.4, `any_order`: maximum matchings between events and steps.

use super::super::events::Prepared;
use super::Attempt;
use super::rules::Rules;
use tallymark_model::Millis;

/// The attempt that begins at `entry`.
pub fn attempt(
    prepared: &Prepared,
    rules: &Rules,
    stream: &[usize],
    taken: &[usize],
    entry: usize,
) -> Attempt {
    let time = |i: usize| prepared.events[i].event.time;
    let begin = time(entry);
    let excluded = |x: &&usize| rules.exclusions.iter().any(|e| e.matches[**x]);
    let cut = stream.iter().filter(excluded).find(|x| time(**x) > begin).copied();
    let steps = vec![None; rules.steps.len()];
    let mut attempt = Attempt { entry, steps, depth: 0, hit: None, stream: stream.to_vec() };
    let mut so_far: Vec<usize> = Vec::new();
    for event in stream.iter().copied().filter(|e| !taken.contains(e)) {
        let inside = begin <= time(event) && time(event) <= begin + rules.window;
        if !inside || cut.is_some_and(|x| time(event) > time(x)) {
            continue;
        }
        so_far.push(event);
        let level = level(prepared, rules, &so_far);
        while attempt.depth < level {
            attempt.steps[attempt.depth] = Some(event);
            attempt.depth += 1;
        }
    }
    if attempt.depth < rules.steps.len() {
        attempt.hit = cut.filter(|x| time(*x) <= begin + rules.window);
    }
    attempt
}

/// "the size of a maximum matching between those events and the steps"
fn level(prepared: &Prepared, rules: &Rules, events: &[usize]) -> usize {
    if rules.first_listed && !events.iter().any(|e| rules.steps[0][*e]) {
        return 0;
    }
    // Per block that began: the times its events may have.
    let mut spans: Vec<(Vec<usize>, Millis, Millis)> = Vec::new();
    let mut begin = Millis::MIN;
    let mut times: Vec<Millis> = events.iter().map(|e| prepared.events[*e].event.time).collect();
    times.sort_unstable();
    for block in rules.blocks() {
        spans.push((block, begin, Millis::MAX));
        let wanted: usize = spans.iter().map(|s| s.0.len()).sum();
        let last = spans.len() - 1;
        let done = times.iter().copied().filter(|t| *t >= begin).find(|t| {
            spans[last].2 = *t;
            matching(prepared, rules, events, &spans) == wanted
        });
        match done {
            Some(t) => begin = t,
            None => {
                spans[last].2 = Millis::MAX;
                return matching(prepared, rules, events, &spans);
            }
        }
    }
    rules.steps.len()
}

/// The size of a maximum matching, by augmenting paths.
fn matching(
    prepared: &Prepared,
    rules: &Rules,
    events: &[usize],
    spans: &[(Vec<usize>, Millis, Millis)],
) -> usize {
    let fits = |step: usize, event: usize| {
        let t = prepared.events[event].event.time;
        rules.steps[step][event]
            && spans.iter().any(|(b, low, high)| b.contains(&step) && *low <= t && t <= *high)
    };
    fn augment(
        step: usize,
        events: &[usize],
        fits: &dyn Fn(usize, usize) -> bool,
        owner: &mut Vec<Option<usize>>,
        visited: &mut Vec<bool>,
    ) -> bool {
        for i in 0..events.len() {
            if visited[i] || !fits(step, events[i]) {
                continue;
            }
            visited[i] = true;
            let free = match owner[i] {
                None => true,
                Some(other) => augment(other, events, fits, owner, visited),
            };
            if free {
                owner[i] = Some(step);
                return true;
            }
        }
        false
    }
    let mut owner = vec![None; events.len()];
    let steps = spans.iter().flat_map(|s| s.0.clone());
    steps.filter(|s| augment(*s, events, &fits, &mut owner, &mut vec![false; events.len()])).count()
}
