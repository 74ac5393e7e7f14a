//! The result envelope (chapter 1.9).

use crate::plan::Bound;
use crate::vocabulary;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tallymark_model::{Millis, canonical_text};
use tallymark_query::{Gap, Origin, Restated};

/// Puts the query's own answer into the envelope.
pub(crate) fn wrap(query: &Value, bound: &Bound<'_>, own: Map<String, Value>, restated: bool) -> Value {
    let mut answer = own;
    answer.insert("as_of".to_owned(), json!(iso(bound.asked_as_of())));
    answer.insert("identity_version".to_owned(), json!(bound.snapshot.seq.0));
    answer.insert("definition_hash".to_owned(), json!(definition_hash(query)));
    answer.insert("restated".to_owned(), json!(restated));
    let used = vocabulary::used(&bound.snapshot.project.vocabulary, query);
    if !used.is_empty() {
        answer.insert("definitions".to_owned(), Value::Object(used));
    }
    if query["approx"] == true {
        // An approximation was allowed, and this is none.
        answer.insert("approx".to_owned(), json!(false));
    }
    if let Value::Object(complete) = completeness(bound) {
        answer.extend(complete);
    }
    Value::Object(answer)
}

/// How complete an answer is: `complete_through`, `complete`, `gaps`, `restatements`.
pub(crate) fn completeness(bound: &Bound<'_>) -> Value {
    let through = bound.snapshot.complete_through;
    let mut answer = Map::new();
    answer.insert("complete_through".to_owned(), json!(through.map(iso)));
    let (from, to) = bound.range;
    let gaps: Vec<Value> = bound.snapshot.completeness.gaps_in(from, to).map(gap).collect();
    let seen = to.min(bound.asked_as_of().saturating_add(1));
    let whole = gaps.is_empty() && through.is_some_and(|through| through >= seen);
    answer.insert("complete".to_owned(), json!(whole));
    answer.insert("gaps".to_owned(), Value::Array(gaps));
    let restated = bound.snapshot.completeness.restated_in(from, to).map(restatement).collect();
    answer.insert("restatements".to_owned(), Value::Array(restated));
    Value::Object(answer)
}

fn gap(gap: &Gap) -> Value {
    json!({
        "lane": gap.interval.shard.lane,
        "partition": gap.interval.shard.partition,
        "from": gap.interval.from,
        "to": gap.interval.to,
        "count": gap.count,
        "received_from": iso(gap.received.0),
        "received_to": iso(gap.received.1),
        "state": gap.state.name(),
        "reason": gap.reason,
    })
}

fn restatement(restated: &Restated) -> Value {
    let kind = match restated.origin {
        Origin::Live => "redrive",
        Origin::Skip { .. } => "skip",
        Origin::Replay { .. } => "replay",
        Origin::Reprocess { .. } => "reprocess",
        Origin::Compaction => "erasure",
        Origin::Repair { .. } => "repair",
    };
    json!({
        "kind": kind,
        "seq": restated.seq.0,
        "at": iso(restated.at),
        "records": restated.records,
        "received_from": iso(restated.received.0),
        "received_to": iso(restated.received.1),
    })
}

/// SHA-256 of the query with its keys sorted.
fn definition_hash(query: &Value) -> String {
    let digest = Sha256::digest(canonical_text(query).as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// An instant as ISO-8601 with milliseconds, UTC.
pub(crate) fn iso(ms: Millis) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(t) => format!("{t:.3}"),
        Err(_) => ms.to_string(),
    }
}
