//! Partial aggregates of one series, group and bucket.
//!
//! Guarantees: merging is exact and does not depend on order, so threads, batches and compaction change no digit.

use super::idset::IdSet;
use super::sum::ExactSum;
use rustc_hash::FxHashMap;

/// What a cell keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellKind {
    /// Events.
    Count,
    /// Distinct actors.
    Actors,
    /// Events with an actor, and distinct actors.
    PerActor,
    /// Numbers: their sum and count.
    Sum,
    /// Numbers: smallest and largest.
    Extremes,
    /// All numbers.
    Values,
    /// Distinct values.
    Distinct,
    /// Events per actor.
    Times,
    /// Numbers of events with an actor: their sum, and distinct actors.
    SumPerActor,
}

/// One partial aggregate.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// Events seen.
    pub events: u64,
    /// What else is kept.
    pub state: State,
}

/// What a cell keeps besides the number of events.
#[derive(Debug, Clone)]
pub(crate) enum State {
    Count,
    Actors(IdSet),
    PerActor { with_actor: u64, actors: IdSet },
    Sum { numbers: u64, sum: Box<ExactSum> },
    Extremes { numbers: u64, min: f64, max: f64 },
    Values(Vec<f64>),
    Distinct(IdSet),
    Times(FxHashMap<u32, u64>),
    SumPerActor { sum: Box<ExactSum>, actors: IdSet },
}

impl Cell {
    /// An empty one.
    pub fn new(kind: CellKind) -> Cell {
        let state = match kind {
            CellKind::Count => State::Count,
            CellKind::Actors => State::Actors(IdSet::default()),
            CellKind::PerActor => State::PerActor { with_actor: 0, actors: IdSet::default() },
            CellKind::Sum => State::Sum { numbers: 0, sum: Box::default() },
            CellKind::Extremes => State::Extremes { numbers: 0, min: f64::INFINITY, max: f64::NEG_INFINITY },
            CellKind::Values => State::Values(Vec::new()),
            CellKind::Distinct => State::Distinct(IdSet::default()),
            CellKind::Times => State::Times(FxHashMap::default()),
            CellKind::SumPerActor => State::SumPerActor { sum: Box::default(), actors: IdSet::default() },
        };
        Cell { events: 0, state }
    }

    /// Counts an event of an actor (0 = nobody).
    #[inline]
    pub fn add_actor(&mut self, actor: u32) {
        self.events += 1;
        match &mut self.state {
            State::Actors(actors) if actor != 0 => actors.insert(actor),
            State::PerActor { with_actor, actors } if actor != 0 => {
                *with_actor += 1;
                actors.insert(actor);
            }
            State::Times(times) if actor != 0 => *times.entry(actor).or_default() += 1,
            _ => {}
        }
    }

    /// Counts an event of each of these actors (0 = nobody).
    pub fn add_actors(&mut self, all: impl Iterator<Item = u32>) {
        let (mut events, mut with) = (0, 0);
        match &mut self.state {
            State::Actors(actors) | State::PerActor { actors, .. } => {
                let counted = all.inspect(|_| events += 1).filter(|actor| *actor != 0);
                actors.extend(counted.inspect(|_| with += 1));
            }
            _ => return all.for_each(|actor| self.add_actor(actor)),
        }
        self.events += events;
        if let State::PerActor { with_actor, .. } = &mut self.state {
            *with_actor += with;
        }
    }

    /// Counts an event of an actor (0 = nobody) with the number of its property, if it has one.
    #[inline]
    pub fn add_number_of(&mut self, actor: u32, number: Option<f64>) {
        self.events += 1;
        if let State::SumPerActor { sum, actors } = &mut self.state
            && actor != 0
        {
            actors.insert(actor);
            number.into_iter().for_each(|n| sum.add(n));
        }
    }

    /// Counts an event with the number of its property, if it has one.
    #[inline]
    pub fn add_number(&mut self, number: Option<f64>) {
        self.events += 1;
        let Some(n) = number else { return };
        match &mut self.state {
            State::Sum { numbers, sum } => {
                *numbers += 1;
                sum.add(n);
            }
            State::Extremes { numbers, min, max } => {
                *numbers += 1;
                *min = min.min(n);
                *max = max.max(n);
            }
            State::Values(values) => values.push(n),
            _ => {}
        }
    }

    /// Counts an event with each of these numbers, NaN being none.
    pub fn add_numbers(&mut self, all: impl Iterator<Item = f64>) {
        let State::Values(values) = &mut self.state else {
            return all.for_each(|n| self.add_number(Some(n).filter(|n| !n.is_nan())));
        };
        values.reserve(all.size_hint().1.unwrap_or(0));
        let mut events = 0;
        values.extend(all.inspect(|_| events += 1).filter(|n| !n.is_nan()));
        self.events += events;
    }

    /// All numbers, if it keeps them.
    pub fn numbers(&self) -> Option<&[f64]> {
        match &self.state {
            State::Values(values) => Some(values),
            _ => None,
        }
    }

    /// Counts an event with the distinct values of its property.
    pub fn add_values(&mut self, values: &[u32]) {
        self.events += 1;
        if let State::Distinct(set) = &mut self.state {
            values.iter().for_each(|v| set.insert(*v));
        }
    }

    /// Adds another cell of the same kind.
    pub fn merge(&mut self, other: &Cell) {
        self.events += other.events;
        match (&mut self.state, &other.state) {
            (State::Actors(a), State::Actors(b)) | (State::Distinct(a), State::Distinct(b)) => a.merge(b),
            (State::PerActor { with_actor, actors }, State::PerActor { with_actor: n, actors: b }) => {
                *with_actor += n;
                actors.merge(b);
            }
            (State::Sum { numbers, sum }, State::Sum { numbers: n, sum: b }) => {
                *numbers += n;
                sum.merge(b);
            }
            (State::Extremes { numbers, min, max }, State::Extremes { numbers: n, min: a, max: b }) => {
                *numbers += n;
                *min = min.min(*a);
                *max = max.max(*b);
            }
            (State::Values(a), State::Values(b)) => a.extend_from_slice(b),
            (State::Times(a), State::Times(b)) => {
                b.iter().for_each(|(actor, n)| *a.entry(*actor).or_default() += n);
            }
            (State::SumPerActor { sum, actors }, State::SumPerActor { sum: s, actors: a }) => {
                sum.merge(s);
                actors.merge(a);
            }
            _ => {}
        }
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        let inner = match &self.state {
            State::Count | State::Extremes { .. } => 0,
            State::Actors(set) | State::Distinct(set) | State::PerActor { actors: set, .. } => set.bytes(),
            State::Sum { .. } => 64,
            State::SumPerActor { actors, .. } => 64 + actors.bytes(),
            State::Times(times) => times.capacity() * 18,
            State::Values(values) => values.capacity() * 8,
        };
        size_of::<Cell>() + 16 + inner
    }
}
