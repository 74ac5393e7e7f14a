//! Random worlds and queries: small id spaces and coarse clocks, so that ties, shared devices, merges and
//! replays happen all the time; and the same from a seed, for tests that want one big world.
//!
//! Guarantees: numbers are multiples of 0.25, so sums are exact in any order; every world is valid input (no
//! garbage ids); log order and time order differ. Not here: malformed input (the fuzz targets do that).

mod cohort;
mod composition;
mod engagement;
mod funnel;
mod lifecycle;
mod ltv;
mod parts;
mod paths;
mod personas;
mod realtime;
mod retention;
mod segmentation;
mod sessions;
mod stickiness;
mod worlds;

pub use cohort::{cohort, cohort_conditions, definition};
pub use composition::composition;
pub use engagement::engagement;
pub use funnel::funnel;
pub use lifecycle::lifecycle;
pub use ltv::ltv;
pub use paths::paths;
pub use personas::personas;
pub use realtime::realtime;
pub use retention::retention;
pub use segmentation::segmentation;
pub use sessions::sessions;
pub use stickiness::stickiness;
pub use worlds::{WorldShape, identity_log, seeded, world};

/// A query of any of the three great types.
pub fn query() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
    proptest::prop_oneof![segmentation(), funnel(), retention()]
}
