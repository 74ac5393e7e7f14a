//! A half-open range of offsets in one shard.

use model::{Position, Shard};
use serde::{Deserialize, Serialize};
use tallymark_model as model;

/// Offsets `[from, to)` of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// The shard.
    pub shard: Shard,
    /// First offset inside.
    pub from: u64,
    /// First offset after.
    pub to: u64,
}

impl Interval {
    /// Number of offsets inside.
    pub fn len(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }
    /// True if nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.to <= self.from
    }
    /// True if the position lies inside.
    pub fn contains(&self, position: Position) -> bool {
        position.shard() == self.shard && self.from <= position.offset && position.offset < self.to
    }
}
