//! When a backlog will be worked off: from what was measured, with a range, and with its own errors on record.
//!
//! Guarantees: an estimate uses drain rates minus arrival rates over a sliding window, of each partition and of the
//! lane; what is shown is the partition that ends last and when all have ended, never a mean; no rate is assumed.
//! Deliberately not here: storing (`store`).

mod estimate;
mod run;
mod tracker;
mod window;

pub use estimate::{EtaAnswer, EtaNow, ShardEta};
pub use run::{EtaPoint, EtaScore, score};
pub use tracker::{EtaStep, EtaTracker};
pub use window::{Rates, Window};

use tallymark_model::Millis;

/// Estimates look back this far.
pub const WINDOW: Millis = 5 * 60_000;
/// Nothing is estimated from less than this.
pub const WINDOW_MIN: Millis = 10_000;
/// A partition whose cursor has stood still for so long is stalled; its window begins anew when it moves.
pub const STALL: Millis = 30_000;
/// A run begins when the oldest pending record of a lane is this old.
pub const BEGINS_AT_AGE: Millis = 60_000;
/// A run ends when no pending record of the lane is older than this.
pub const ENDS_AT_AGE: Millis = 30_000;
