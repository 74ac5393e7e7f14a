//! Sources of events: what is remembered of them, what is usual, and when somebody is told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod files;
mod judged;
mod kept;
mod remembered;

use tallymark_model::Millis;

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;
