//! 3.1, 3.3 to 3.5: the greedy attempt in `this_order` and `exact_order`.

use super::{Attempt, NONE, Order, Rules, Stream};
use rustc_hash::FxHashMap;
use tallymark_model::Millis;
use tallymark_query::{Cancel, QueryError};

/// What the rest of an attempt depends on: how far it is, the time before, used events in reach, and with
/// exclusions the times of all steps.
type Waiting = (usize, Millis, Vec<u32>, Vec<Millis>);

struct Search<'a> {
    rules: &'a Rules,
    stream: &'a Stream,
    exclude: bool,
    cancel: &'a Cancel,
    /// Events of the required steps so far.
    used: Vec<u32>,
    memory: FxHashMap<Waiting, (usize, u32)>,
    visits: u64,
}

pub(super) fn attempt(
    rules: &Rules,
    stream: &Stream,
    entry: u32,
    exclude: bool,
    cancel: &Cancel,
) -> Result<Attempt, QueryError> {
    let used = vec![entry];
    let memory = FxHashMap::default();
    let mut search = Search { rules, stream, exclude, cancel, used, memory, visits: 0 };
    let mut attempt = Attempt::of(entry);
    while search.used.len() < rules.required.len() {
        let (first, hit) = search.waits();
        if first == NONE {
            attempt.hit = hit;
            break;
        }
        let next = match search.simultaneous(first)[..] {
            [only] => only,
            _ => search.deepest()?.1,
        };
        search.used.push(next);
    }
    attempt.depth = search.used.len();
    for (step, event) in rules.required.iter().zip(&search.used) {
        attempt.steps[*step] = *event;
    }
    Ok(attempt)
}

impl Search<'_> {
    fn previous(&self) -> Millis {
        self.stream.time(self.used[self.used.len() - 1])
    }

    fn earliest(&self) -> Millis {
        let previous = self.previous();
        if self.rules.strict { previous + 1 } else { previous - self.rules.tolerance }
    }

    fn usable(&self, event: u32) -> bool {
        !self.used.contains(&event) && !self.stream.is_taken(event)
    }

    /// The first candidate for the next step, or none if it does not come or something stands in the way; and the
    /// exclusion that hits while waiting for it.
    fn waits(&self) -> (u32, u32) {
        let step = self.rules.required[self.used.len()];
        let (start, previous) = (self.stream.time(self.used[0]), self.previous());
        let near = |time: Millis| {
            time - start <= self.rules.window && self.rules.within[step].is_none_or(|w| time - previous <= w)
        };
        let list = self.stream.from(step, self.earliest());
        let mut next = list.iter().copied().find(|e| self.usable(*e)).filter(|e| near(self.stream.time(*e)));
        if self.rules.order == Order::Exact
            && next.is_some_and(|y| self.between(previous, self.stream.time(y)))
        {
            next = None;
        }
        let hit = if self.exclude { self.hit(next.map(|y| self.stream.time(y))) } else { NONE };
        (if hit == NONE { next.unwrap_or(NONE) } else { NONE }, hit)
    }

    /// Whether another active event lies between the step before and a candidate.
    fn between(&self, previous: Millis, next: Millis) -> bool {
        let Rules { tolerance, allow_repeats, ref required, active, .. } = *self.rules;
        let repeat = if allow_repeats { 1 << required[self.used.len() - 1] } else { 0 };
        let later = self.stream.from(active as usize, previous + tolerance + 1).iter();
        let mut inside = later.take_while(|z| self.stream.time(**z) < next - tolerance);
        inside.any(|z| self.stream.mask(*z) & repeat == 0 && !self.used.contains(z))
    }

    /// The first exclusion that hits while waiting for a step that comes at `next` or never.
    fn hit(&self, next: Option<Millis>) -> u32 {
        let (reached, tolerance) = (self.used.len(), self.rules.tolerance);
        let mut first = NONE;
        for exclusion in self.rules.exclusions.iter().filter(|x| x.from < reached && reached <= x.to) {
            let begin = self.stream.time(self.used[exclusion.from]);
            let (after, until) = match next {
                Some(next) => (begin + tolerance, next - tolerance - 1),
                None => (begin, self.stream.time(self.used[0]) + self.rules.window),
            };
            let later = self.stream.from(exclusion.bit as usize, after + 1).iter();
            let mut inside = later.take_while(|x| self.stream.time(**x) <= until);
            first = first.min(inside.find(|x| !self.used.contains(x)).copied().unwrap_or(NONE));
        }
        first
    }

    /// How deep the attempt can get from here, and the event to take next.
    fn deepest(&mut self) -> Result<(usize, u32), QueryError> {
        let reached = self.used.len();
        if reached == self.rules.required.len() {
            return Ok((reached, NONE));
        }
        self.visits += 1;
        if self.visits.is_multiple_of(4096) {
            self.cancel.check()?;
        }
        let (first, _) = self.waits();
        if first == NONE {
            return Ok((reached, NONE));
        }
        let candidates = self.simultaneous(first);
        if let [only] = candidates[..] {
            return Ok((self.taking(only)?, only));
        }
        let earliest = self.earliest();
        let whole = !self.rules.exclusions.is_empty();
        let mut reusable: Vec<u32> =
            self.used.iter().copied().filter(|e| whole || self.stream.time(*e) >= earliest).collect();
        reusable.sort_unstable();
        let times = self.used.iter().map(|e| self.stream.time(*e)).filter(|_| whole).collect();
        let key = (reached, self.previous(), reusable, times);
        if let Some(known) = self.memory.get(&key) {
            return Ok(*known);
        }
        let mut best = (0, NONE);
        for candidate in candidates {
            let deep = self.taking(candidate)?;
            if deep > best.0 {
                best = (deep, candidate);
            }
            if deep == self.rules.required.len() {
                break;
            }
        }
        self.memory.insert(key, best);
        Ok(best)
    }

    fn taking(&mut self, event: u32) -> Result<usize, QueryError> {
        self.used.push(event);
        let deep = self.deepest();
        self.used.pop();
        Ok(deep?.0)
    }

    /// Candidates as early as the first; those that match the same are interchangeable.
    fn simultaneous(&self, first: u32) -> Vec<u32> {
        let step = self.rules.required[self.used.len()];
        let time = self.stream.time(first);
        let mut candidates: Vec<u32> = Vec::new();
        let same = self.stream.from(step, time).iter().copied().take_while(|e| self.stream.time(*e) == time);
        for event in same.filter(|e| self.usable(*e)) {
            let mask = self.stream.mask(event);
            if !candidates.iter().any(|c| self.stream.mask(*c) == mask) {
                candidates.push(event);
            }
        }
        candidates
    }
}
