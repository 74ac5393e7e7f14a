//! One actor's events as units (3.6), their attempts that count, and the groups these are in (3.7).

use super::marks::{Key, NOT_REACHED, Resolved, product};
use crate::analyses::records::Record;
use crate::operators::attempts::{Alternatives, Attempt, Event, Rules, Stream, attempts_of, choose};
use crate::query::At;
use rustc_hash::{FxHashMap, FxHashSet};
use tallymark_model::Millis;
use tallymark_query::{Buckets, Cancel, QueryError};

/// An event with everything that options of a funnel may need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wide {
    pub actor: u32,
    /// The actor, also within a partition.
    pub who: u32,
    pub mask: u32,
    /// Groups and held values.
    pub mark: u32,
    pub time: Millis,
    pub received: Millis,
    pub position: u64,
    /// Of the property that is summed between steps; NaN = none.
    pub number: f64,
    /// May begin an attempt.
    pub entry: bool,
}

impl Record for Wide {
    fn actor(&self) -> u32 {
        self.actor
    }
    fn set_actor(&mut self, actor: u32) {
        self.actor = actor;
    }
    fn opens(&self) -> bool {
        self.entry
    }
    fn order(&self) -> impl Ord {
        (self.time, self.received, self.position)
    }
}

/// An attempt that counts.
pub(super) struct Found<'e> {
    pub bucket: usize,
    /// Its events are numbers in `events`.
    pub attempt: Attempt,
    pub events: &'e [Wide],
    /// The unit's events.
    pub members: &'e [u32],
}

/// What all actors of a query share.
pub(super) struct Unitary<'a> {
    pub rules: Rules,
    pub at: &'a [At],
    pub totals: bool,
    /// Held properties: one unit per value, or the best value of an actor.
    pub held: bool,
    pub hold_actor: bool,
    /// Buckets of entries, over time.
    pub buckets: Option<Buckets>,
}

/// Buffers reused from actor to actor.
#[derive(Default)]
pub(super) struct Work {
    stream: Stream,
    entries: Vec<u32>,
    found: Vec<(usize, Attempt)>,
}

/// Events of one unit.
struct Pair {
    members: Vec<u32>,
}

/// Takes what counts: its group and itself.
pub(super) type Emit<'e> = dyn FnMut(&[u32], &Found<'_>) -> Result<(), QueryError> + 'e;

/// Group of what a limit cut off; no tuple of groups is that long.
pub(super) const REST: [u32; 9] = [0; 9];

impl Unitary<'_> {
    /// Emits what counts for an actor; with `rest`, only what is in these groups, pooled as [`REST`].
    pub fn actor(
        &self,
        work: &mut Work,
        events: &[Wide],
        marks: &Resolved,
        rest: Option<&FxHashSet<Key>>,
        cancel: &Cancel,
        emit: &mut Emit<'_>,
    ) -> Result<(), QueryError> {
        let pairs = self.pairs(events, marks);
        match self.at.first() {
            Some(At::AllSteps | At::FilterStep(_)) => {
                self.filtered(work, events, &pairs, marks, rest, cancel, emit)
            }
            _ => self.labelled(work, events, &pairs, marks, rest, cancel, emit),
        }
    }

    fn pairs(&self, events: &[Wide], marks: &Resolved) -> Vec<Pair> {
        if !self.held {
            return vec![Pair { members: (0..events.len() as u32).collect() }];
        }
        let mut by_value: FxHashMap<Key, Vec<u32>> = FxHashMap::default();
        for (i, event) in events.iter().enumerate() {
            for value in marks.held(event.mark) {
                by_value.entry(value).or_default().push(i as u32);
            }
        }
        by_value.retain(|_, members| members.iter().any(|i| events[*i as usize].entry));
        let mut pairs: Vec<(Key, Vec<u32>)> = by_value.into_iter().collect();
        pairs.sort_by(|a, b| marks.held_texts(&a.0).cmp(&marks.held_texts(&b.0)));
        pairs.into_iter().map(|(_, members)| Pair { members }).collect()
    }

    /// "Choose, then label."
    #[expect(clippy::too_many_arguments, reason = "one call, all of it the actor's")]
    fn labelled(
        &self,
        work: &mut Work,
        events: &[Wide],
        pairs: &[Pair],
        marks: &Resolved,
        rest: Option<&FxHashSet<Key>>,
        cancel: &Cancel,
        emit: &mut Emit<'_>,
    ) -> Result<(), QueryError> {
        let mut give = |bucket, of: usize, attempt: Attempt| {
            let found = Found { bucket, attempt, events, members: &pairs[of].members };
            let keys = self.labels(&attempt, events, marks);
            match rest {
                None => keys.iter().try_for_each(|key| emit(key, &found)),
                Some(rest) if keys.iter().any(|key| rest.contains(key)) => emit(&REST, &found),
                Some(_) => Ok(()),
            }
        };
        let mut best = Alternatives::default();
        for (of, pair) in pairs.iter().enumerate() {
            self.count(work, events, pair, |event| event.mask, cancel)?;
            for (bucket, attempt) in &work.found {
                if self.hold_actor {
                    best.add(&self.rules, *bucket, of, *attempt, |e| events[e as usize].time);
                } else {
                    give(*bucket, of, *attempt)?;
                }
            }
        }
        best.list().iter().try_for_each(|(bucket, of, attempt)| give(*bucket, *of, *attempt))
    }

    /// "Filter, then choose": a funnel for each value.
    #[expect(clippy::too_many_arguments, reason = "one call, all of it the actor's")]
    fn filtered(
        &self,
        work: &mut Work,
        events: &[Wide],
        pairs: &[Pair],
        marks: &Resolved,
        rest: Option<&FxHashSet<Key>>,
        cancel: &Cancel,
        emit: &mut Emit<'_>,
    ) -> Result<(), QueryError> {
        // Value, and which pairs have a funnel for it; by label.
        let mut values: FxHashMap<Key, Vec<usize>> = FxHashMap::default();
        for (of, pair) in pairs.iter().enumerate() {
            for event in self.seen(events, pair) {
                for key in marks.tuples(events[event].mark) {
                    let known = values.entry(key).or_default();
                    if known.last() != Some(&of) {
                        known.push(of);
                    }
                }
            }
        }
        values.retain(|key, _| rest.is_none_or(|rest| rest.contains(key)));
        let mut values: Vec<(Key, Vec<usize>)> = values.into_iter().collect();
        values.sort_by_cached_key(|(key, _)| marks.label(key));
        let must = match self.at[0] {
            At::FilterStep(k) => 1 << k,
            _ => self.rules.step_bits(),
        };
        let found =
            |bucket, of: usize, attempt| Found { bucket, attempt, events, members: &pairs[of].members };
        let time = |e: u32| events[e as usize].time;
        // The best of a unit among the rest's funnels; of an actor, in the first of them.
        let mut pooled: Vec<Alternatives> = pairs.iter().map(|_| Alternatives::default()).collect();
        let mut best = Alternatives::default();
        for (key, of_pairs) in values {
            best.clear();
            for of in of_pairs {
                let mask = |event: &Wide| {
                    if marks.carries(event.mark, &key) { event.mask } else { event.mask & !must }
                };
                self.count(work, events, &pairs[of], mask, cancel)?;
                for (bucket, attempt) in &work.found {
                    match (rest, self.hold_actor) {
                        (Some(_), _) if self.totals => emit(&REST, &found(*bucket, of, *attempt))?,
                        (Some(_), actor) => {
                            let unit = if actor { 0 } else { of };
                            pooled[unit].add(&self.rules, *bucket, of, *attempt, time);
                        }
                        (None, true) => best.add(&self.rules, *bucket, of, *attempt, time),
                        (None, false) => emit(&key, &found(*bucket, of, *attempt))?,
                    }
                }
            }
            for (bucket, of, attempt) in best.list() {
                emit(&key, &found(*bucket, *of, *attempt))?;
            }
        }
        for (bucket, of, attempt) in pooled.iter().flat_map(Alternatives::list) {
            emit(&REST, &found(*bucket, *of, *attempt))?;
        }
        Ok(())
    }

    /// The attempts of a unit that count, by bucket; events are numbers among the actor's.
    fn count(
        &self,
        work: &mut Work,
        events: &[Wide],
        pair: &Pair,
        mask: impl Fn(&Wide) -> u32,
        cancel: &Cancel,
    ) -> Result<(), QueryError> {
        let Work { stream, entries, found } = work;
        let of = |i: &u32| &events[*i as usize];
        stream.fill(pair.members.iter().map(|i| Event { time: of(i).time, mask: mask(of(i)) }));
        entries.clear();
        let bits = self.rules.entry_bits();
        let begins = |(n, i): &(usize, &u32)| of(i).entry && stream.mask(*n as u32) & bits != 0;
        entries.extend(pair.members.iter().enumerate().filter(begins).map(|(n, _)| n as u32));
        found.clear();
        let number = |n: u32| pair.members[n as usize];
        let bucket = |entry: u32| match &self.buckets {
            None => Some(0),
            Some(buckets) => buckets.find(stream.time(entry)),
        };
        if self.totals {
            let mut attempts = Vec::new();
            // Borrowed apart: the buckets of entries do not change while events are taken.
            let by_entry: Vec<Option<usize>> = entries.iter().map(|e| bucket(*e)).collect();
            attempts_of(&self.rules, stream, entries, cancel, &mut attempts)?;
            for attempt in attempts {
                let at = entries.binary_search(&attempt.entry).unwrap_or_default();
                found.extend(by_entry[at].map(|bucket| (bucket, attempt.renumbered(number))));
            }
            return Ok(());
        }
        for entries in entries.chunk_by(|a, b| bucket(*a) == bucket(*b)) {
            let Some(bucket) = bucket(entries[0]) else { continue };
            let attempt = choose(&self.rules, stream, entries, cancel)?;
            found.extend(attempt.map(|a| (bucket, a.renumbered(number))));
        }
        Ok(())
    }

    /// The events of a unit whose values it has funnels for.
    fn seen(&self, events: &[Wide], pair: &Pair) -> Vec<usize> {
        let members = pair.members.iter().map(|i| *i as usize);
        let entries: Vec<usize> = members.clone().filter(|i| events[*i].entry).collect();
        let At::FilterStep(k) = self.at[0] else { return entries };
        let early = k as Millis * self.rules.tolerance;
        let in_a_window = |y: Millis| {
            // The last entry that is early enough has the latest window.
            let after = entries.partition_point(|e| events[*e].time - early <= y);
            after > 0 && y <= events[entries[after - 1]].time + self.rules.window
        };
        members.filter(|y| events[*y].mask & (1 << k) != 0 && in_a_window(events[*y].time)).collect()
    }

    /// The groups of a chosen attempt.
    fn labels(&self, attempt: &Attempt, events: &[Wide], marks: &Resolved) -> Vec<Key> {
        let touched = |d: usize, e: usize| marks.touched(events[e].mark, d).map(<[u32]>::to_vec);
        let dimension = |(d, at): (usize, &At)| match at {
            At::Step(k) => match attempt.step(*k) {
                Some(event) => marks.groups(events[event].mark, d).to_vec(),
                None => vec![NOT_REACHED],
            },
            At::LastTouch => {
                attempt.events().rev().find_map(|e| touched(d, e)).unwrap_or_else(|| marks.none(d))
            }
            _ => attempt.events().find_map(|e| touched(d, e)).unwrap_or_else(|| marks.none(d)),
        };
        let lists: Vec<Key> = self.at.iter().enumerate().map(dimension).collect();
        product(lists.iter().map(Vec::as_slice))
    }
}
