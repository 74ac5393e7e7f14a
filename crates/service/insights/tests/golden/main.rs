//! Small worlds with numbers reasoned by hand.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod basics;
mod cases;
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
mod values;
