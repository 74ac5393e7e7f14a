//! What a query means once its switches are written out: vendor presets (chapter 15), under which a migrated chart
//! matches its old numbers as far as they are documented, and `empty_string`, which every condition then says itself.
//!
//! Guarantees: what a query says itself always wins; a preset only fills in what is left out. What is not documented
//! for a vendor keeps our default. Deliberately not here: the options themselves.

use crate::Error;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vendor {
    Amplitude,
    PostHog,
    Mixpanel,
}

/// The query with its switches written out.
pub(super) fn applied(query: &Value) -> Result<Cow<'_, Value>, Error> {
    let mut whole = preset(query)?;
    if whole["empty_string"] == "value"
        && let Value::Object(map) = whole.to_mut()
    {
        map.values_mut().for_each(keep_empty);
    }
    Ok(whole)
}

/// Conditions, wherever they stand, take empty text as a value.
fn keep_empty(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(keep_empty),
        Value::Object(map) => {
            if map.contains_key("property") && map.contains_key("op") {
                map.entry("empty_string").or_insert_with(|| json!("value"));
            }
            map.values_mut().for_each(keep_empty);
        }
        _ => {}
    }
}

fn preset(query: &Value) -> Result<Cow<'_, Value>, Error> {
    let vendor = match query.get("preset") {
        None | Some(Value::Null) => return Ok(Cow::Borrowed(query)),
        Some(Value::String(name)) => match name.as_str() {
            "amplitude" => Vendor::Amplitude,
            "posthog" => Vendor::PostHog,
            "mixpanel" => Vendor::Mixpanel,
            other => return Err(unknown(&format!("{other:?} is not known"))),
        },
        Some(other) => return Err(unknown(&format!("{other} is no name"))),
    };
    let mut whole = query.clone();
    let kind = query["type"].as_str().unwrap_or_default().to_owned();
    if let Value::Object(map) = &mut whole {
        map.shift_remove("preset");
        top(map, &kind, vendor);
        for key in ["series", "steps"] {
            let list = map.get_mut(key).and_then(Value::as_array_mut);
            list.into_iter().flatten().filter_map(Value::as_object_mut).for_each(|s| series(s, vendor));
        }
        map.values_mut().for_each(|v| inside(v, vendor));
    }
    Ok(Cow::Owned(whole))
}

fn unknown(problem: &str) -> Error {
    Error::malformed("preset", problem, "use one of: amplitude, posthog, mixpanel")
}

/// Options of the query itself.
fn top(query: &mut Map<String, Value>, kind: &str, vendor: Vendor) {
    use Vendor::*;
    let mut fill = |key: &str, value: Value| {
        query.entry(key).or_insert(value);
    };
    let of = |amplitude: Value, posthog: Value, mixpanel: Value| match vendor {
        Amplitude => amplitude,
        PostHog => posthog,
        Mixpanel => mixpanel,
    };
    let days = |n: u32| json!({"n": n, "unit": "day"});
    if vendor == Amplitude {
        fill("user_props", json!("ingest_order"));
    }
    if vendor == PostHog {
        fill("merge_props", json!("target_wins"));
        fill("week_start", json!("sunday"));
        if matches!(kind, "segmentation") {
            fill("div_zero", json!(0));
        }
    }
    match kind {
        "funnel" => {
            fill("window", of(days(1), days(14), days(7)));
            fill("tie_tolerance_ms", of(json!(1000), json!(0), json!(2000)));
            fill("attempt", of(json!("best"), json!("tightest"), json!("first_entry")));
            fill("confine_to_range", json!(vendor == PostHog));
            fill("exclusion_effect", of(json!("break"), json!("remove"), json!("break")));
            if vendor != Mixpanel {
                fill("any_order_entry", of(json!("first_listed"), json!("any"), Value::Null));
            }
            fill("segment_scope", of(json!("first"), json!("all"), json!("attribution")));
        }
        "retention" => {
            fill("mode", of(json!("rolling"), json!("calendar"), json!("rolling")));
            if vendor == Amplitude && query.get("interval").is_none_or(|i| i == "day") {
                query.entry("rolling_round").or_insert(json!("hour"));
            }
            query.entry("kind").or_insert(of(json!("on_or_after"), json!("on"), json!("on_or_after")));
            query.entry("day0").or_insert(of(json!("returned"), json!("size"), json!("returned")));
        }
        "lifecycle" if vendor != Mixpanel => {
            fill("new_by", of(json!("event"), json!("person"), Value::Null));
        }
        "paths" => fill("measure", of(json!("uniques"), json!("totals"), json!("uniques"))),
        "sessions" if vendor == Mixpanel => fill("reset_at_midnight", json!(true)),
        _ => {}
    }
    if query.get("breakdown").is_some_and(|b| !b.is_null() && b != &json!([])) {
        if matches!(kind, "segmentation" | "funnel" | "retention" | "composition") {
            query.entry("limit").or_insert(of(json!(100), json!(25), json!(200)));
        }
        if kind == "funnel" && vendor != Amplitude {
            first_touch(query);
        }
    }
}

/// Funnels are broken down by the first value along the way, unless they say where.
fn first_touch(query: &mut Map<String, Value>) {
    let one = |by: &mut Value| {
        if let Value::Object(by) = by {
            by.entry("at").or_insert(json!("first_touch"));
        }
    };
    match query.get_mut("breakdown") {
        Some(Value::Array(list)) => list.iter_mut().for_each(one),
        Some(single) => one(single),
        None => {}
    }
}

/// Options of a series.
fn series(series: &mut Map<String, Value>, vendor: Vendor) {
    if vendor != Vendor::PostHog {
        return;
    }
    if series.contains_key("rolling_average") {
        series.entry("lookback").or_insert(json!("range_only"));
    }
    let uniques = series.get("measure").is_none_or(|m| m == "uniques");
    if uniques && series.get("cumulative") == Some(&json!(true)) {
        series.entry("cumulative_uniques").or_insert(json!("sum"));
    }
}

/// Conditions and cohort clauses, wherever they stand.
fn inside(value: &mut Value, vendor: Vendor) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|v| inside(v, vendor)),
        Value::Object(map) => {
            // Both show what a person is now, not what it was at the event.
            if vendor != Vendor::Amplitude && map.get("scope") == Some(&json!("user")) {
                map.insert("scope".to_owned(), json!("person"));
            }
            if map.contains_key("performed") && vendor != Vendor::Amplitude {
                if let Some(Value::Object(last)) = map.get_mut("last") {
                    last.entry("rolling").or_insert(json!(true));
                }
                if vendor == Vendor::PostHog {
                    map.entry("require_performed").or_insert(json!(true));
                }
            }
            map.values_mut().for_each(|v| inside(v, vendor));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_fills_in_what_is_left_out_and_nothing_else() {
        let query = json!({"type": "funnel", "preset": "posthog", "attempt": "best", "breakdown": [{"property": "a"}],
            "steps": [{"event": "x", "where": [{"scope": "user", "property": "plan", "op": "is", "value": "pro"}]}]});
        let whole = applied(&query).unwrap();
        assert_eq!(whole["window"], json!({"n": 14, "unit": "day"}));
        assert_eq!((&whole["attempt"], &whole["confine_to_range"]), (&json!("best"), &json!(true)));
        assert_eq!((&whole["limit"], &whole["breakdown"][0]["at"]), (&json!(25), &json!("first_touch")));
        assert_eq!(whole["steps"][0]["where"][0]["scope"], "person");
        assert!(whole.get("preset").is_none());
    }

    #[test]
    fn vendors_differ_as_chapter_15_says() {
        let of = |kind: &str, vendor: &str| {
            applied(&json!({"type": kind, "preset": vendor})).unwrap().into_owned()
        };
        assert_eq!(of("retention", "amplitude")["rolling_round"], "hour");
        assert_eq!(of("retention", "posthog")["kind"], "on");
        assert_eq!(of("segmentation", "amplitude")["user_props"], "ingest_order");
        assert_eq!(of("segmentation", "posthog")["merge_props"], "target_wins");
        assert_eq!(of("funnel", "mixpanel")["segment_scope"], "attribution");
        assert_eq!(of("retention", "mixpanel")["mode"], "rolling");
        assert_eq!(of("lifecycle", "posthog")["new_by"], "person");
        assert_eq!(of("paths", "posthog")["measure"], "totals");
        assert_eq!(of("sessions", "mixpanel")["reset_at_midnight"], true);
        assert_eq!(of("funnel", "mixpanel").get("any_order_entry"), None);
        let cohort = json!({"type": "cohort", "preset": "posthog",
            "cohort": {"all": [{"performed": {"event": "x"}, "last": {"n": 7, "unit": "day"}, "count": ["lte", 1]}]}});
        let clause = &applied(&cohort).unwrap()["cohort"]["all"][0];
        assert_eq!((&clause["last"]["rolling"], &clause["require_performed"]), (&json!(true), &json!(true)));
        assert!(applied(&json!({"preset": "heap"})).is_err() && applied(&json!({"preset": 1})).is_err());
        assert!(matches!(applied(&json!({"type": "funnel"})).unwrap(), Cow::Borrowed(_)));
    }
}
