//! Read-only SQL over one project's events, persons and property timelines.
//!
//! Guarantees: a statement sees one snapshot of one project and nothing else: no files, no other catalogs, no
//! statement that writes; time, memory and rows are limited. Deliberately not here: charts (`insights`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub use datafusion::error::DataFusionError;
