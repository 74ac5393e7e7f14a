//! The attempt of one actor through the steps of a funnel (chapter 3.1 to 3.3).
//!
//! Guarantees: exactly the greedy rule of the semantics: the earliest candidate by time, among simultaneous ones
//! the one that leads deepest, no event twice. Where no event matches two steps, simultaneous candidates are
//! interchangeable and one pass with a pointer per step gives the same answer; otherwise a search with memory
//! decides, which costs time only where overlapping steps meet in one tie.
//! Deliberately not here: how events are found and grouped by actor (`funnel`).

use rustc_hash::FxHashMap;
use std::hint::select_unpredictable;
use tallymark_model::Millis;
use tallymark_query::{Cancel, QueryError};

/// Most steps of a funnel.
pub(crate) const STEPS_MAX: usize = 20;

/// Longer ago than any window.
const NEVER: Millis = Millis::MIN / 4;

/// The rules all attempts of a query share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Number of steps, 1 to [`STEPS_MAX`].
    pub steps: usize,
    /// From the first step to any later one, inclusive.
    pub window: Millis,
    /// How much earlier than its predecessor a step may be.
    pub tolerance: Millis,
    /// Steps must be strictly later than their predecessors.
    pub strict: bool,
    /// Which attempt of an actor counts.
    pub choice: Choice,
}

/// Which attempt of an actor counts (chapter 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Choice {
    /// The deepest, of these the one that begins first.
    #[default]
    Best,
    /// That of the first entry.
    FirstEntry,
    /// The deepest, of these the one that ends first, of these the one that begins last.
    Tightest,
}

/// An event that matches at least one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    /// When.
    pub time: Millis,
    /// Bit `k` = matches step `k`; bit 0 only if it may also begin an attempt.
    pub mask: u32,
}

/// The attempt that counts for an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Steps reached, at least 1.
    pub depth: usize,
    /// Index of the entry among the hits.
    pub entry: usize,
    /// Times of the steps reached.
    pub times: [Millis; STEPS_MAX],
}

/// What the rest of an attempt depends on: the step waited for, the time before, used events in reach.
type Waiting = (usize, Millis, Vec<u32>);

/// Buffers reused from actor to actor.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// Per step: indices of its hits.
    hits: Vec<Vec<u32>>,
    /// Per step: times of its hits.
    times: Vec<Vec<Millis>>,
    memory: FxHashMap<Waiting, (usize, Option<u32>)>,
    visits: u64,
}

/// The attempt that counts. `hits` are sorted by (time, log order).
pub(crate) fn choose(
    hits: &[Hit],
    rules: &Rules,
    workspace: &mut Workspace,
    cancel: &Cancel,
) -> Result<Option<Attempt>, QueryError> {
    if hits.iter().all(|h| h.mask.is_power_of_two()) {
        return Ok(choose_apart(hits.iter().map(|h| (h.time, h.mask.trailing_zeros())), rules, workspace));
    }
    workspace.prepare(hits);
    let mut best: Option<Attempt> = None;
    for at in 0..workspace.hits[0].len() {
        let attempt = workspace.search(hits, rules, workspace.hits[0][at] as usize, cancel)?;
        if best.is_none_or(|b| rules.choice.prefers((attempt.depth, attempt.end()), &b)) {
            best = Some(attempt);
        }
        if rules.choice.is_settled(attempt.depth, rules) {
            break;
        }
    }
    Ok(best)
}

/// The same where each hit matches one step only: time and step, sorted by time.
///
/// Each step takes the first hit late enough. As entries advance so do the earliest times of every step, hence one
/// cursor per step for all entries.
pub(crate) fn choose_apart(
    hits: impl Iterator<Item = (Millis, u32)> + Clone,
    rules: &Rules,
    workspace: &mut Workspace,
) -> Option<Attempt> {
    workspace.part(hits.clone(), rules.steps);
    let [entries, later @ ..] = workspace.times.as_slice() else { return None };
    let mut cursors = [0usize; STEPS_MAX];
    let mut times = [0; STEPS_MAX];
    let mut best: Option<Attempt> = None;
    for (entry, start) in entries.iter().enumerate() {
        times[0] = *start;
        let (mut depth, mut over) = (1, false);
        while depth < rules.steps {
            let earliest = rules.earliest(times[depth - 1]);
            let (step, cursor) = (&later[depth - 1], &mut cursors[depth]);
            while step.get(*cursor).is_some_and(|time| *time < earliest) {
                *cursor += 1;
            }
            let next = step.get(*cursor);
            over = next.is_none();
            let Some(next) = next.filter(|next| **next - start <= rules.window) else { break };
            times[depth] = *next;
            depth += 1;
        }
        if best.as_ref().is_none_or(|best| rules.choice.prefers((depth, times[depth - 1]), best)) {
            let best = best.get_or_insert(Attempt { depth, entry, times });
            (best.depth, best.entry) = (depth, entry);
            best.times[..depth].copy_from_slice(&times[..depth]);
        }
        // Where this one found no hit any more, later ones find none, and get no deeper.
        if rules.choice.is_settled(depth, rules) || (over && rules.choice == Choice::Best) {
            break;
        }
    }
    let mut best = best?;
    let mut entries = hits.enumerate().filter(|(_, (_, step))| *step == 0);
    best.entry = entries.nth(best.entry)?.0;
    Some(best)
}

/// The same by [`Rules::is_plain`] rules, of hits sorted by time and step.
///
/// A later entry gets as far as an earlier one or further, if it gets anywhere, so per step only the latest entry that
/// reached it is remembered. Entries that reach the depth that counts at the same time as the first to do so all have
/// that end in their window: the earliest of them is the first entry from where the window of that end begins.
#[inline]
pub(crate) fn choose_deepest(
    hits: impl Iterator<Item = (Millis, u32)> + Clone,
    rules: &Rules,
) -> Option<Attempt> {
    // Per number of steps reached; an entry is the latest that has reached none. Steps come at random, so what is
    // done for each is the same, without a branch.
    let mut latest = [NEVER; STEPS_MAX + 1];
    let (mut depth, mut end) = (0, 0);
    for (time, step) in hits.clone() {
        let step = step as usize;
        latest[0] = time;
        let start = latest[step];
        let fits = time - start <= rules.window;
        latest[step + 1] = select_unpredictable(fits, start, latest[step + 1]);
        if fits & (step >= depth) {
            (depth, end) = (step + 1, time);
            if depth == rules.steps {
                break;
            }
        }
    }
    let mut attempt = Attempt { depth, entry: 0, times: [0; STEPS_MAX] };
    let mut reached = 0;
    for (nth, (time, step)) in hits.enumerate() {
        if step as usize != reached || (reached == 0 && end - time > rules.window) {
            continue;
        }
        if reached == 0 {
            attempt.entry = nth;
        }
        attempt.times[reached] = time;
        reached += 1;
        if reached == depth {
            return Some(attempt);
        }
    }
    None
}

impl Choice {
    /// Whether a later entry's attempt, of this depth and end, is to be taken instead of the one so far.
    fn prefers(self, (depth, end): (usize, Millis), so_far: &Attempt) -> bool {
        depth > so_far.depth || (self == Choice::Tightest && depth == so_far.depth && end <= so_far.end())
    }

    /// Whether no later entry's attempt can be taken instead of one of this depth.
    fn is_settled(self, depth: usize, rules: &Rules) -> bool {
        match self {
            Choice::Best => depth == rules.steps,
            Choice::FirstEntry => true,
            Choice::Tightest => false,
        }
    }
}

impl Attempt {
    fn end(&self) -> Millis {
        self.times[self.depth - 1]
    }
}

impl Rules {
    /// True if the deepest attempt counts and steps follow each other without further conditions.
    pub fn is_plain(&self) -> bool {
        self.choice == Choice::Best && !self.strict && self.tolerance == 0
    }

    /// Earliest time of the step after one at `previous`.
    fn earliest(&self, previous: Millis) -> Millis {
        if self.strict { previous + 1 } else { previous - self.tolerance }
    }
}

impl Workspace {
    fn prepare(&mut self, hits: &[Hit]) {
        self.hits.resize_with(STEPS_MAX, Vec::new);
        self.hits.iter_mut().for_each(Vec::clear);
        for (i, hit) in hits.iter().enumerate() {
            let mut mask = hit.mask;
            while mask != 0 {
                self.hits[mask.trailing_zeros() as usize].push(i as u32);
                mask &= mask - 1;
            }
        }
    }

    /// Lists the times of each step.
    fn part(&mut self, hits: impl Iterator<Item = (Millis, u32)>, steps: usize) {
        self.times.resize_with(steps, Vec::new);
        self.times.iter_mut().for_each(Vec::clear);
        for (time, step) in hits {
            self.times[step as usize].push(time);
        }
    }

    /// Events may match several steps: among simultaneous candidates, try each.
    fn search(
        &mut self,
        hits: &[Hit],
        rules: &Rules,
        entry: usize,
        cancel: &Cancel,
    ) -> Result<Attempt, QueryError> {
        self.memory.clear();
        self.visits = 0;
        let start = hits[entry].time;
        let mut attempt = Attempt { depth: 1, entry, times: [start; STEPS_MAX] };
        let mut used = vec![entry as u32];
        for step in 1..rules.steps {
            let state = Step { hits, rules, start, cancel };
            let previous = attempt.times[step - 1];
            let Some(chosen) = self.deepest(&state, step, previous, &mut used)?.1 else { break };
            used.push(chosen);
            attempt.times[step] = hits[chosen as usize].time;
            attempt.depth = step + 1;
        }
        Ok(attempt)
    }

    /// How deep an attempt can get that waits for `step` after `previous`, and the event to take next.
    fn deepest(
        &mut self,
        state: &Step<'_>,
        step: usize,
        previous: Millis,
        used: &mut Vec<u32>,
    ) -> Result<(usize, Option<u32>), QueryError> {
        let Step { hits, rules, start, cancel } = *state;
        if step == rules.steps {
            return Ok((step, None));
        }
        self.visits += 1;
        if self.visits.is_multiple_of(4096) {
            cancel.check()?;
        }
        let earliest = rules.earliest(previous);
        let list = &self.hits[step];
        let from = list.partition_point(|i| hits[*i as usize].time < earliest);
        let Some(first) = list[from..].iter().copied().find(|i| !used.contains(i)) else {
            return Ok((step, None));
        };
        let time = hits[first as usize].time;
        if time - start > rules.window {
            return Ok((step, None));
        }
        let mut candidates: Vec<u32> = Vec::new();
        for i in list[from..].iter().copied().take_while(|i| hits[*i as usize].time <= time) {
            // Simultaneous events with the same steps are interchangeable.
            let seen = |c: &u32| hits[*c as usize].mask == hits[i as usize].mask;
            if hits[i as usize].time == time && !used.contains(&i) && !candidates.iter().any(seen) {
                candidates.push(i);
            }
        }
        if let [only] = candidates[..] {
            used.push(only);
            let deep = self.deepest(state, step + 1, time, used)?.0;
            used.pop();
            return Ok((deep, Some(only)));
        }
        let key = (step, previous, reusable(hits, used, earliest));
        if let Some(known) = self.memory.get(&key) {
            return Ok(*known);
        }
        let mut best = (step, None);
        for candidate in candidates {
            used.push(candidate);
            let deep = self.deepest(state, step + 1, time, used)?.0;
            used.pop();
            if best.1.is_none() || deep > best.0 {
                best = (deep, Some(candidate));
            }
            if deep == rules.steps {
                break;
            }
        }
        self.memory.insert(key, best);
        Ok(best)
    }
}

/// What stays the same during the search from one entry.
#[derive(Clone, Copy)]
struct Step<'a> {
    hits: &'a [Hit],
    rules: &'a Rules,
    start: Millis,
    cancel: &'a Cancel,
}

/// The used events that could still be taken again were they not used: what the future depends on.
fn reusable(hits: &[Hit], used: &[u32], earliest: Millis) -> Vec<u32> {
    let mut list: Vec<u32> = used.iter().copied().filter(|i| hits[*i as usize].time >= earliest).collect();
    list.sort_unstable();
    list
}

#[cfg(test)]
mod tests;
