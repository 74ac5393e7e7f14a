//! The engine against the brute-force reference, on random worlds and queries, through real segment files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod agree;
mod cohort;
mod composition;
mod engagement;
mod funnel;
mod lifecycle;
mod ltv;
mod paths;
mod personas;
mod realtime;
mod retention;
mod segmentation;
mod sessions;
mod stickiness;
mod vocabulary;
