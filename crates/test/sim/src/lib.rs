//! The whole write path on a disk that fails, driven by a seed, judged by somebody who only knows the requests.
//!
//! One seed decides everything that happens: what clients send, which rules change, which ranges are skipped, replayed
//! and decided again, at which step the processor or the compactor is stopped dead, when the power goes, which writes
//! tear, when the object store is away, how the clock jumps. What it does not decide is how threads interleave inside
//! a step; outcomes must not depend on that, and the judge sees to it.
//!
//! * [`run`] plays one seed and returns what happened, or the first thing that is wrong with the seed in front.
//! * `cargo run -p tallymark-sim -- --from 1 --seeds 5000` plays many, for hours; a failing seed prints itself and
//!   belongs into `tests/seeds.rs`.
//!
//! Guarantees: real log code, real catalog, real segment files; only the log's disk is simulated, because only there
//! can a power cut be played.
//! Deliberately not here: HTTP, processes, real kills (drills), identity and queries (the reference in `testkit`).
#![allow(clippy::unwrap_used, clippy::expect_used)] // A panic is how a simulation says that it failed.

mod clients;
mod observe;
mod predict;
mod script;
mod world;

#[path = "../../../engine/log/tests/support/fault_disk.rs"]
#[allow(dead_code, missing_docs, reason = "the log's own tests use the rest of it")]
mod fault_disk;

pub use script::{Story, run};
