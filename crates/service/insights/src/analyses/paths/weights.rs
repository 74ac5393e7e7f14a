//! Weights of edges and nodes: distinct actors or segments.

use rustc_hash::FxHashMap;
use std::hash::Hash;
use tallymark_model::Millis;
use tallymark_query::{QueryError, Reservation};

/// Where something is: the step, from 1, and the item.
pub(super) type Place = (u32, u32);

/// A number of actors, or of occurrences.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weight {
    pub count: u64,
    /// All segments of an actor come one after the other.
    last_actor: u32,
    /// Time spent, and on how many occurrences.
    time: i64,
    timed: u64,
}

/// One thread's weights.
pub(super) struct Weights {
    totals: bool,
    /// Step, from, to.
    pub edges: FxHashMap<(u32, u32, u32), Weight>,
    pub nodes: FxHashMap<Place, Weight>,
    pub dropoffs: FxHashMap<Place, Weight>,
    pub truncated: FxHashMap<Place, Weight>,
    pub segments: u64,
    held: Reservation,
    taken: Vec<Reservation>,
}

impl Weight {
    fn add(&mut self, actor: u32, totals: bool) {
        self.count += u64::from(totals || self.last_actor != actor);
        self.last_actor = actor;
    }

    /// Seconds from one item to the next, on average.
    pub fn seconds(&self) -> Option<f64> {
        (self.timed > 0).then(|| self.time as f64 / self.timed as f64 / 1000.0)
    }
}

impl Weights {
    /// Nothing yet; `totals` counts every occurrence.
    pub fn new(totals: bool, held: Reservation) -> Weights {
        let edges = FxHashMap::default();
        let [nodes, dropoffs, truncated] = [(); 3].map(|()| FxHashMap::default());
        Weights { totals, edges, nodes, dropoffs, truncated, segments: 0, held, taken: Vec::new() }
    }

    pub fn edge(&mut self, step: u32, from: u32, to: u32, actor: u32, time: Option<Millis>) {
        let weight = self.edges.entry((step, from, to)).or_default();
        weight.add(actor, self.totals);
        if let Some(time) = time {
            weight.time += time;
            weight.timed += 1;
        }
    }
    pub fn node(&mut self, place: Place, actor: u32) {
        self.nodes.entry(place).or_default().add(actor, self.totals);
    }
    pub fn dropoff(&mut self, place: Place, actor: u32) {
        self.dropoffs.entry(place).or_default().add(actor, self.totals);
    }
    pub fn truncation(&mut self, place: Place, actor: u32) {
        self.truncated.entry(place).or_default().add(actor, self.totals);
    }

    /// Counts its memory.
    pub fn count(&mut self) -> Result<(), QueryError> {
        let places = self.nodes.len() + self.dropoffs.len() + self.truncated.len();
        self.held.grow_to(112 * (self.edges.len() + places) as u64)
    }

    /// Takes in the weights of other actors.
    pub fn merge(&mut self, other: Weights) {
        add(&mut self.edges, other.edges);
        add(&mut self.nodes, other.nodes);
        add(&mut self.dropoffs, other.dropoffs);
        add(&mut self.truncated, other.truncated);
        self.segments += other.segments;
        self.taken.push(other.held);
    }
}

fn add<K: Eq + Hash>(all: &mut FxHashMap<K, Weight>, other: FxHashMap<K, Weight>) {
    for (key, theirs) in other {
        let weight = all.entry(key).or_default();
        weight.count += theirs.count;
        weight.time += theirs.time;
        weight.timed += theirs.timed;
    }
}

/// In order of step, weight descending, item.
pub(super) fn ranked(weights: &FxHashMap<Place, Weight>) -> Vec<(Place, u64)> {
    let mut all: Vec<(Place, u64)> = weights.iter().map(|(place, weight)| (*place, weight.count)).collect();
    all.sort_unstable_by_key(|((step, item), count)| (*step, std::cmp::Reverse(*count), *item));
    all
}
