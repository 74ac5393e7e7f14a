//! The steps between log and commit, each a function of what it is given.
//!
//! `decode` (envelope to event, in parallel) -> `decide` (outcome, in log order) -> `shape` (rows and statistics, in
//! parallel) -> `books` (tallies per shard and project).
//! Beside them `rules` (what control records ask for), `sights` (what late records need to know of later ones) and
//! `rederive` (the same steps for a commit that was made already).
//! Guarantees: no I/O, no clock, no randomness (I12). Deliberately not here: writing anything.

pub mod again;
pub mod books;
pub mod decide;
pub mod decode;
mod effects;
pub mod rederive;
pub mod rules;
pub mod shape;
pub mod sights;
