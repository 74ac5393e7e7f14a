//! What happened between two steps (3.10): how often, the sum of a property, and what it has to do with going on.

use crate::operators::sum::ExactSum;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tallymark_query::json_number;

/// Of those who went on from a step, and of those who did not.
#[derive(Debug, Clone, Default)]
pub(super) struct Between {
    pub converted: Side,
    pub dropped: Side,
}

/// One side.
#[derive(Debug, Clone, Default)]
pub(super) struct Side {
    /// Attempts by how often the event happened in them.
    frequency: BTreeMap<u64, u64>,
    sum: ExactSum,
}

impl Between {
    pub fn merge(&mut self, other: &Between) {
        self.converted.merge(&other.converted);
        self.dropped.merge(&other.dropped);
    }

    /// Steps from 0.
    pub fn write(&self, from: usize, to: usize, sums: bool) -> Value {
        let (converted, dropped) = (self.converted.write(sums), self.dropped.write(sums));
        let (a, b) = self.converted.with_and_without();
        let (c, d) = self.dropped.with_and_without();
        let below = ((a + b) * (c + d) * (a + c) * (b + d)).sqrt();
        let correlation = if below == 0.0 { Value::Null } else { json_number((a * d - b * c) / below) };
        json!({"from_step": from + 1, "to_step": to + 1, "converted": converted, "dropped": dropped,
            "correlation": correlation})
    }
}

impl Side {
    /// Counts an attempt with these numbers of the events' property, none for events without.
    pub fn add(&mut self, numbers: impl Iterator<Item = f64>) {
        let mut times = 0;
        for number in numbers {
            times += 1;
            if !number.is_nan() {
                self.sum.add(number);
            }
        }
        *self.frequency.entry(times).or_default() += 1;
    }

    /// Distinct frequencies, which are what grows.
    pub fn len(&self) -> usize {
        self.frequency.len()
    }

    fn merge(&mut self, other: &Side) {
        other.frequency.iter().for_each(|(times, n)| *self.frequency.entry(*times).or_default() += n);
        self.sum.merge(&other.sum);
    }

    fn actors(&self) -> u64 {
        self.frequency.values().sum()
    }

    fn with_and_without(&self) -> (f64, f64) {
        let without = self.frequency.get(&0).copied().unwrap_or(0);
        ((self.actors() - without) as f64, without as f64)
    }

    fn write(&self, sums: bool) -> Value {
        let events: u64 = self.frequency.iter().map(|(times, n)| times * n).sum();
        let without = self.frequency.get(&0).copied().unwrap_or(0);
        let frequency: Vec<(u64, u64)> = self.frequency.iter().map(|(times, n)| (*times, *n)).collect();
        let mut row = json!({"actors": self.actors(), "with": self.actors() - without, "events": events,
            "frequency": frequency});
        if sums {
            row["sum"] = self.sum.value().map_or(Value::Null, json_number);
        }
        row
    }
}
