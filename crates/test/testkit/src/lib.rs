//! Builders, behaviour suites, brute-force references and the architecture tests.
//!
//! Guarantees: [`reference`] is written from the text of the insight semantics and shares no code with the
//! engine beyond the vocabulary of `model`, so that an agreement between the two means something.
//! Deliberately not here: anything that ships; this crate is only ever a dev-dependency.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod reference;
pub mod streams;
