//! What a query would read, for people who want to know why it takes its time and whether to trust it: every scan with
//! what was pruned and why, what is looked up besides, whether the answer is kept, how complete it is. As JSON, and as
//! `text` for reading.
//!
//! Guarantees: plans are those that `run` follows; nothing is computed but cohorts, which have to be known before
//! anything can be planned. Deliberately not here: planning (`Scan`), running.

use crate::envelope::{self, iso};
use crate::plan::Bound;
use crate::vocabulary;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use tallymark_model::Millis;
use tallymark_predicate::{Expr, PropertyRef, Scope};
use tallymark_query::{Names, Scan, Selector, Served};

/// Everything about a bound query.
pub(crate) fn explain(
    query: &Value,
    bound: &Bound<'_>,
    scans: &[&Scan],
    kept: Option<Served>,
) -> Result<Value, crate::Error> {
    let snapshot = bound.snapshot;
    let mut listed = Vec::new();
    for scan in scans {
        let plan = scan.plan(snapshot, bound.context)?;
        listed.push(json!({
            "from": bounded(scan.from),
            "to": bounded(scan.to),
            "selectors": scan.selectors.iter().map(selector).collect::<Vec<_>>(),
            "scan": plan,
        }));
    }
    let report = bound.context.reads.report();
    let (mut timelines, mut cohorts) = (BTreeSet::new(), BTreeSet::new());
    timelines.extend(report.timelines);
    cohorts.extend(report.cohorts);
    for scan in scans {
        looked_up(scan, &mut timelines, &mut cohorts);
    }
    let envelope = envelope::completeness(bound);
    let first = listed.first().cloned().unwrap_or_default();
    let why = bound.context.reads.fixed();
    let mut explained = json!({
        "type": query["type"],
        "snapshot": snapshot.seq.0,
        "identity_version": snapshot.seq.0,
        "persons": snapshot.identity.bound().saturating_sub(1),
        "range": {"from": iso(bound.range.0), "to": iso(bound.range.1)},
        "timezone": snapshot.project.timezone,
        "as_of": iso(bound.asked_as_of()),
        "selectors": first["selectors"],
        "scan": first["scan"],
        "scans": listed,
        "read_before": report.reads,
        "timelines": timelines,
        "cohorts": cohorts,
        "definitions": vocabulary::used(&snapshot.project.vocabulary, query),
        "cache": {
            "answer": kept.map_or("computed", Served::name),
            "not_kept_because": why,
        },
        "completeness": envelope,
        "threads": bound.threads,
    });
    explained["text"] = json!(text(&explained));
    Ok(explained)
}

/// What one selector means.
fn selector(selector: &Selector) -> Value {
    let events = match &selector.names {
        Names::Any => json!("*"),
        Names::Rows => json!("any row"),
        Names::Except(_) => json!("$active"),
        Names::Of(names) => json!(names),
    };
    let properties = selector.filter.as_ref().map(|f| f.properties()).unwrap_or_default();
    let properties: Vec<String> = properties.iter().map(|p| format!("{}.{}", p.scope, p.path)).collect();
    let mut described = json!({"events": events, "conditions_on": properties});
    if let Some(nth) = &selector.nth {
        described["nth"] = json!(nth.k);
    }
    described
}

/// An end of time that a scan sets; null where it sets none.
fn bounded(at: Millis) -> Option<String> {
    (at != Millis::MIN && at != Millis::MAX).then(|| iso(at))
}

/// Histories of properties and cohorts that a scan needs.
fn looked_up(scan: &Scan, timelines: &mut BTreeSet<String>, cohorts: &mut BTreeSet<String>) {
    let filters: Vec<&Expr> =
        scan.selectors.iter().filter_map(|s| s.filter.as_ref()).chain(&scan.filter).collect();
    let mut note = |property: &PropertyRef| match &property.scope {
        Scope::User | Scope::Person => {
            timelines.insert(property.path.clone());
        }
        Scope::Group(kind) | Scope::GroupLatest(kind) => {
            timelines.insert(format!("group:{kind}.{}", property.path));
        }
        _ => {}
    };
    filters.iter().flat_map(|f| f.properties()).for_each(|p| note(&p));
    scan.columns.iter().for_each(&mut note);
    filters.iter().for_each(|f| {
        f.cohorts(&mut |leaf| {
            cohorts.insert(leaf.key.clone());
        });
    });
}

/// The same to be read.
fn text(explained: &Value) -> String {
    let mut out = String::new();
    let say = |out: &mut String, line: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{line}");
    };
    let plain = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let (range, scans) = (&explained["range"], explained["scans"].as_array().cloned().unwrap_or_default());
    say(
        &mut out,
        format!(
            "{} from {} to {} ({}), as of {}",
            plain(&explained["type"]),
            plain(&range["from"]),
            plain(&range["to"]),
            plain(&explained["timezone"]),
            plain(&explained["as_of"])
        ),
    );
    let cache = &explained["cache"];
    say(
        &mut out,
        match (cache["answer"].as_str(), cache["not_kept_because"].as_str()) {
            (Some("cached"), _) => "answer      kept from this commit: nothing is read".to_owned(),
            (Some("patched"), _) => {
                "answer      kept from an earlier commit, nothing it was made of has changed: nothing is read"
                    .to_owned()
            }
            (_, Some(why)) => format!("answer      computed every time: it depends on {why}"),
            _ => "answer      computed, and kept for the next time".to_owned(),
        },
    );
    say(&mut out, format!("snapshot    commit {}, {} persons", explained["snapshot"], explained["persons"]));
    let completeness = &explained["completeness"];
    let gaps = completeness["gaps"].as_array().map_or(0, Vec::len);
    let whole = if completeness["complete"] == true { "complete" } else { "not complete yet" };
    say(
        &mut out,
        format!(
            "data        {whole}; everything received before {} is in it; {gaps} gaps in the range",
            completeness["complete_through"].as_str().unwrap_or("(not known)")
        ),
    );
    for (i, scan) in scans.iter().enumerate() {
        let what: Vec<String> =
            scan["selectors"].as_array().into_iter().flatten().map(selector_text).collect();
        say(&mut out, format!("scan {} of {} reads {}", i + 1, scans.len(), what.join("; ")));
        let n = |key: &str| scan["scan"][key].as_u64().unwrap_or(0);
        let from = scan["from"].as_str().unwrap_or("the beginning");
        say(&mut out, format!("  time        {from} to {}", scan["to"].as_str().unwrap_or("the end")));
        say(
            &mut out,
            format!(
                "  files       {} of {} read; {} lie outside of the time, {} were received too early, {} hold nothing meant",
                n("segments_read"),
                n("segments"),
                n("segments_out_of_time"),
                n("segments_received_before"),
                n("segments").saturating_sub(
                    n("segments_read") + n("segments_out_of_time") + n("segments_received_before")
                ),
            ),
        );
        say(
            &mut out,
            format!(
                "  row groups  {} of {} read; {} lie outside of the time, {} hold other events",
                n("row_groups_read"),
                n("row_groups"),
                n("row_groups_out_of_time"),
                n("row_groups_of_others"),
            ),
        );
        let columns: Vec<&str> =
            scan["scan"]["columns"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        say(
            &mut out,
            format!("  rows        {} in {} bytes of {}", n("rows"), n("bytes"), columns.join(", ")),
        );
    }
    for read in explained["read_before"].as_array().into_iter().flatten() {
        say(
            &mut out,
            format!(
                "read already {} rows of {} row groups in {} of {} {} files",
                read["rows"],
                read["row_groups"],
                read["segments_read"],
                read["segments"],
                plain(&read["kind"])
            ),
        );
    }
    for (key, title) in [("timelines", "histories  "), ("cohorts", "cohorts    ")] {
        let list: Vec<&str> =
            explained[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !list.is_empty() {
            say(&mut out, format!("{title} {}", list.join(", ")));
        }
    }
    out
}

fn selector_text(selector: &Value) -> String {
    let events = match &selector["events"] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    let on: Vec<&str> =
        selector["conditions_on"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let nth = selector["nth"].as_u64().map(|k| format!(" (number {k} of each actor)")).unwrap_or_default();
    match on.is_empty() {
        true => format!("{events}{nth}"),
        false => format!("{events} by {}{nth}", on.join(", ")),
    }
}
