//! The result envelope (chapter 1.9).

use crate::plan::Bound;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tallymark_model::{Millis, canonical_text};

/// Puts the query's own answer into the envelope.
pub(crate) fn wrap(query: &Value, bound: &Bound<'_>, own: Map<String, Value>, restated: bool) -> Value {
    let mut answer = own;
    let through = bound.snapshot.complete_through;
    answer.insert("as_of".to_owned(), json!(iso(bound.as_of)));
    answer.insert("complete_through".to_owned(), json!(through.map(iso)));
    answer.insert("identity_version".to_owned(), json!(bound.snapshot.seq.0));
    answer.insert("definition_hash".to_owned(), json!(definition_hash(query)));
    answer.insert("restated".to_owned(), json!(restated));
    Value::Object(answer)
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
