//! 3.4, `any_order`: the largest matching between events and steps, event by event.
//!
//! A new event enlarges the matching exactly if an augmenting path begins at it. Steps between anchors form blocks;
//! once all steps of a block are matched, the next begins at that time.

use super::{Attempt, NONE, Rules, Stream};
use crate::operators::attempt::STEPS_MAX;
use tallymark_model::Millis;
use tallymark_query::{Cancel, QueryError};

struct Matching<'a> {
    rules: &'a Rules,
    stream: &'a Stream,
    /// The event of each step.
    owner: [u32; STEPS_MAX],
    matched: usize,
    /// First and last time of the events of each block that began.
    spans: Vec<(Millis, Millis)>,
}

pub(super) fn attempt(
    rules: &Rules,
    stream: &Stream,
    entry: u32,
    cancel: &Cancel,
) -> Result<Attempt, QueryError> {
    let begin = stream.time(entry);
    let cut = stream.cut_after(rules, begin);
    let end = begin + rules.window;
    let until = cut.map_or(end, |x| end.min(stream.time(x)));
    let mut matching = Matching {
        rules,
        stream,
        owner: [NONE; STEPS_MAX],
        matched: 0,
        spans: vec![(Millis::MIN, Millis::MAX)],
    };
    let mut attempt = Attempt::of(entry);
    let mut first_seen = !rules.first_listed;
    let events = matter(rules, stream, begin, until);
    for (at, event) in events.iter().copied().enumerate() {
        if at % 4096 == 4095 {
            cancel.check()?;
        }
        first_seen |= stream.mask(event) & 1 != 0;
        matching.add(event, &events[..at]);
        while first_seen && attempt.depth < matching.matched {
            attempt.steps[attempt.depth] = event;
            attempt.depth += 1;
        }
        if attempt.depth == rules.steps {
            return Ok(attempt);
        }
    }
    attempt.hit = cut.filter(|x| stream.time(*x) <= end).unwrap_or(NONE);
    Ok(attempt)
}

/// The events that can matter, in stream order: no matching needs more events of a step than there are steps,
/// unless anchors make it wait.
fn matter(rules: &Rules, stream: &Stream, begin: Millis, until: Millis) -> Vec<u32> {
    let enough = if rules.blocks.len() > 1 { usize::MAX } else { rules.steps };
    let mut events: Vec<u32> = Vec::new();
    for step in 0..rules.steps {
        let list = stream.from(step, begin).iter().copied();
        let inside = list.take_while(|e| stream.time(*e) <= until).filter(|e| !stream.is_taken(*e));
        events.extend(inside.take(enough));
    }
    events.sort_unstable();
    events.dedup();
    events
}

impl Matching<'_> {
    fn add(&mut self, event: u32, earlier: &[u32]) {
        self.matched += usize::from(self.augment(event, &mut 0));
        // When a block is complete, simultaneous events may serve the next, and free others.
        while self.matched == self.begun() && self.spans.len() < self.rules.blocks.len() {
            let time = self.stream.time(event);
            let last = self.spans.len() - 1;
            self.spans[last].1 = time;
            self.spans.push((time, Millis::MAX));
            for other in earlier.iter().chain([&event]) {
                if !self.owner.contains(other) {
                    self.matched += usize::from(self.augment(*other, &mut 0));
                }
            }
        }
    }

    /// Steps of the blocks that began.
    fn begun(&self) -> usize {
        self.rules.blocks[..self.spans.len()].iter().map(|b| b.count_ones() as usize).sum()
    }

    /// Finds a step for an event, moving others if need be.
    fn augment(&mut self, event: u32, visited: &mut u32) -> bool {
        let time = self.stream.time(event);
        let mut open = 0;
        for (block, span) in self.rules.blocks.iter().zip(&self.spans) {
            if span.0 <= time && time <= span.1 {
                open |= block;
            }
        }
        let open = open & self.stream.mask(event);
        for step in (0..self.rules.steps).filter(|k| open & (1 << k) != 0) {
            if *visited & (1 << step) != 0 {
                continue;
            }
            *visited |= 1 << step;
            if self.owner[step] == NONE || self.augment(self.owner[step], visited) {
                self.owner[step] = event;
                return true;
            }
        }
        false
    }
}
