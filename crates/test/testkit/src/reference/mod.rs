//! Brute force: every analysis in the plainest Rust, from the text of the insight semantics.
//!
//! Slow on purpose (everything is recomputed for every event) and readable on purpose: when the engine
//! disagrees, this is what decides, after reading the chapter again.
//!
//! Shapes of answers (`run`), where the query contract leaves them open:
//! * segmentation: `{as_of, buckets, incomplete, series:[{key, breakdown?, values, total}]}`; `key` is the
//!   letter of the series (`A`, `B`, …); `breakdown` is a text for one dimension and a list of texts for
//!   several, `"$other"` in both cases for the rest; rows of series A first, each in ranking order,
//!   `$other` last; `interval:"none"` gives empty `buckets` and `values`. Only values that occur in the range have
//!   rows, also where lines look back. Rows of formulas follow, `key` being the formula, for every value shown by
//!   any series and without `$other`. `frequency` is `{times: actors}`. `compare` is the answer's `{buckets,
//!   incomplete, series}` for the earlier range. A rolling window that reaches the bucket in which the range begins
//!   takes all of it; a session counts in the bucket of its first event, and ranks by sessions.
//! * funnel: `{as_of, counts, step_times, total_time}` or `{as_of, groups:[{breakdown, counts, step_times,
//!   total_time}]}`; `step_times` has one entry per step, null for the first; `total_time` is
//!   `{avg_s, median_s, pNN_s…}`, all null if nobody completed; with `over_time`
//!   `{as_of, buckets, open, entered, converted, rate}`, per group the last three. `dropped` are those who reached
//!   that step and not the next; `histogram` is `[{from_s, to_s, count}]`; `between:{selector, property?}` gives
//!   `between:[{from_step, to_step, converted:{actors, with, events, frequency, sum?}, dropped:{…}, correlation}]`.
//! * retention: `{as_of, cohorts:[{cohort, size, values, complete}], overall}` or `{as_of, groups:[{breakdown,
//!   cohorts, overall}]}`; `values` counts offsets 0..=periods, null where the offset has not begun; brackets have a
//!   value each; `kind:"usage_interval"` gives `{as_of, actors, median_days, counts, share}`.
//! * lifecycle: `{as_of, buckets, incomplete, new, returning, resurrecting, dormant, pulse}`; `usage_interval` is a
//!   duration `{n,unit}`; the first event of `new_by: "person"` needs to pass neither `where` nor `segment`.
//! * stickiness: `{as_of, counts, share, incomplete}`; with `period`, whose bars are days, `{as_of,
//!   periods:[{period, counts, share, incomplete}], counts, share}`: a period has a bar for each of its days, also
//!   those outside the range; the headline is the mean of each bar, of shares over periods in which somebody came.
//! * sessions: `{as_of, buckets, incomplete}` with lists of `sessions, users, total_s, avg_s, median_s, per_user,
//!   events_per_session, bounced, bounce_rate` and the same over the range in `total`, or in each of
//!   `groups:[{breakdown, …}]` (`breakdown:{scope, property, at:"entry"|"exit"}`); with `histogram:{width_s, min_s}`
//!   also `histogram:[{bar, from_s, sessions, users}]`, bars without sessions left out; `start` and `end` are
//!   selectors.
//! * paths: `{as_of, edges:[{step, from, to, count, avg_s}], nodes:[[step, item, n]], dropoffs, truncated,
//!   segments}`; `truncated` like `dropoffs` for what the limit of steps cut off; both are empty with `end`.
//! * realtime: `{as_of, buckets, incomplete, totals, uniques, total:{totals, uniques}, events:[{event, totals,
//!   uniques}]}`; the 30 minute buckets that end with the one of `as_of`; a selector's keys may narrow it.
//!
//! A key of a query that is not computed here is an error, never ignored.

mod calendar;
mod cohort;
mod compare;
mod composition;
mod conditions;
mod engagement;
mod events;
mod folding;
mod funnel;
mod identity;
mod lifecycle;
mod ltv;
mod paths;
mod personas;
mod properties;
mod realtime;
mod retention;
mod segmentation;
mod sessions;
mod stickiness;
mod values;
mod vocabulary;

pub use calendar::{Bucket, Calendar};
pub use compare::difference;
pub use conditions::compare as operator;
pub use events::{Prepared, RefEvent, World};
pub use identity::{Replay, replay};
pub use vocabulary::Definitions;

use serde_json::Value;

/// The answer to one query over a world; an error names the key that is wrong or not computed.
pub fn try_run(world: &World, query: &Value) -> Result<Value, String> {
    let prepared = Prepared::new(world, query)?;
    match query["type"].as_str() {
        Some("segmentation") => segmentation::run(&prepared, query),
        Some("funnel") => funnel::run(&prepared, query),
        Some("retention") => retention::run(&prepared, query),
        Some("lifecycle") => lifecycle::run(&prepared, query),
        Some("stickiness") => stickiness::run(&prepared, query),
        Some("sessions") => sessions::run(&prepared, query),
        Some("paths") => paths::run(&prepared, query),
        Some("cohort") => cohort::run(&prepared, query),
        Some("composition") => composition::run(&prepared, query),
        Some("ltv") => ltv::run(&prepared, query),
        Some("engagement") => engagement::run(&prepared, query),
        Some("personas") => personas::run(&prepared, query),
        Some("realtime") => realtime::run(&prepared, query),
        other => Err(format!("type: {other:?} is not computed by the reference")),
    }
}

/// The answer to one query over a world.
///
/// # Panics
/// If the query is wrong or asks for what is not computed here: a mistake in the test.
pub fn run(world: &World, query: &Value) -> Value {
    match try_run(world, query) {
        Ok(answer) => answer,
        Err(error) => panic!("the reference cannot answer {query}: {error}"),
    }
}

fn check_keys(object: &Value, at: &str, known: &[&str]) -> Result<(), String> {
    let Some(map) = object.as_object() else {
        return Err(format!("{at}: expected an object, found {object}"));
    };
    // Options about values that every type has.
    const EVERYWHERE: [&str; 3] = ["empty_string", "user_props", "merge_props"];
    let everywhere = |k: &str| at == "query" && EVERYWHERE.contains(&k);
    match map.keys().find(|k| !known.contains(&k.as_str()) && !everywhere(k)) {
        Some(key) => Err(format!("{at}: `{key}` is not computed by the reference")),
        None => Ok(()),
    }
}
