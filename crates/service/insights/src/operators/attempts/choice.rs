//! 3.2, 3.5, 3.8: which attempts of a unit count.

use super::{Attempt, NONE, Order, Rules, Stream};
use crate::operators::attempt::Choice;
use std::cmp::Reverse;
use tallymark_model::Millis;
use tallymark_query::{Cancel, QueryError};

/// The attempt that counts among those from these entries, if any does.
pub(crate) fn choose(
    rules: &Rules,
    stream: &Stream,
    entries: &[u32],
    cancel: &Cancel,
) -> Result<Option<Attempt>, QueryError> {
    let first_only = rules.choice == Choice::FirstEntry;
    let entries = if first_only { &entries[..entries.len().min(1)] } else { entries };
    let removes = rules.remove && rules.order != Order::Any;
    let mut best: Option<Attempt> = None;
    // The deepest that attempts which were hit would have been.
    let mut without = 0;
    for (at, entry) in entries.iter().enumerate() {
        if at % 256 == 255 {
            cancel.check()?;
        }
        let attempt = rules.attempt(stream, *entry, true, cancel)?;
        if removes && attempt.hit != NONE {
            without = without.max(rules.attempt(stream, *entry, false, cancel)?.depth);
            continue;
        }
        if attempt.depth == 0 {
            continue;
        }
        if best.is_none_or(|b| better(rules, &attempt, &b, |e| stream.time(e))) {
            best = Some(attempt);
        }
        // Nothing is deeper, and none of the same depth begins earlier.
        if rules.choice == Choice::Best && attempt.depth == rules.required.len() {
            break;
        }
    }
    Ok(best.filter(|b| without <= b.depth))
}

/// Whether an attempt is to be taken instead of another, of the same unit or of its other held values.
fn better(rules: &Rules, new: &Attempt, old: &Attempt, time: impl Fn(u32) -> Millis) -> bool {
    let end = |a: &Attempt| time(a.steps[rules.required[a.depth - 1]]);
    match rules.choice {
        Choice::Best => (new.depth, Reverse(new.entry)) > (old.depth, Reverse(old.entry)),
        Choice::FirstEntry => (Reverse(new.entry), new.depth) > (Reverse(old.entry), old.depth),
        Choice::Tightest => {
            (new.depth, Reverse(end(new)), new.entry) > (old.depth, Reverse(end(old)), old.entry)
        }
    }
}

/// 3.8: the attempts of a unit one after the other, without overlap; each event is used once.
pub(crate) fn attempts_of(
    rules: &Rules,
    stream: &mut Stream,
    entries: &[u32],
    cancel: &Cancel,
    attempts: &mut Vec<Attempt>,
) -> Result<(), QueryError> {
    stream.release();
    let mut last: Option<Attempt> = None;
    for (at, entry) in entries.iter().copied().enumerate() {
        if at % 256 == 255 {
            cancel.check()?;
        }
        let over = last.is_none_or(|last| match (last.depth == rules.required.len(), last.hit) {
            (true, _) => entry > last.steps[rules.steps - 1],
            (false, NONE) => stream.time(entry) > stream.time(last.entry) + rules.window,
            (false, hit) => entry > hit,
        });
        if !over || stream.is_taken(entry) {
            continue;
        }
        let attempt = rules.attempt(stream, entry, true, cancel)?;
        if attempt.depth > 0 {
            stream.take(attempt.events());
            attempts.push(attempt);
            last = Some(attempt);
        }
    }
    Ok(())
}

/// The best of several alternatives per bucket, the first of equals.
#[derive(Debug, Default)]
pub(crate) struct Alternatives {
    best: Vec<(usize, usize, Attempt)>,
}

impl Alternatives {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.best.clear();
    }
    /// Adds an alternative of a bucket, from source number `of`.
    pub fn add(
        &mut self,
        rules: &Rules,
        bucket: usize,
        of: usize,
        attempt: Attempt,
        time: impl Fn(u32) -> Millis,
    ) {
        match self.best.iter_mut().find(|(b, ..)| *b == bucket) {
            None => self.best.push((bucket, of, attempt)),
            Some(known) if better(rules, &attempt, &known.2, time) => *known = (bucket, of, attempt),
            Some(_) => {}
        }
    }
    /// (bucket, source, attempt).
    pub fn list(&self) -> &[(usize, usize, Attempt)] {
        &self.best
    }
}
