//! Random worlds and queries: small id spaces and coarse clocks, so that ties, shared devices, merges and
//! replays happen all the time; and the same from a seed, for tests that want one big world.
//!
//! Guarantees: numbers are multiples of 0.25, so sums are exact in any order; every world is valid input (no
//! garbage ids); log order and time order differ. Not here: malformed input (the fuzz targets do that).

mod queries;
mod worlds;

pub use queries::{funnel, query, retention, segmentation};
pub use worlds::{WorldShape, identity_log, seeded, world};
