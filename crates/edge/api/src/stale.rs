//! The last answers to queries, for when the catalog does not answer.
//!
//! Guarantees: an answer from here says that it is stale and since when, and is never called complete; memory is
//! bounded.
//! Deliberately not here: answers that could still be computed.

use crate::time;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tallymark_model::{Millis, ProjectId, canonical_text};

const ANSWERS_MAX: usize = 500;
const BYTES_MAX: usize = 64 << 20;
/// Larger answers are exports rather than charts.
const ANSWER_BYTES_MAX: usize = 2 << 20;

/// Answers by project and query.
#[derive(Debug, Default)]
pub(crate) struct LastAnswers(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<(ProjectId, String), (Millis, String)>,
    bytes: usize,
}

impl LastAnswers {
    /// Keeps an answer.
    pub fn keep(&self, project: ProjectId, query: &Value, answer: &Value) {
        let text = answer.to_string();
        if text.len() > ANSWER_BYTES_MAX {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += text.len();
        if let Some((_, old)) = kept.answers.insert((project, canonical_text(query)), (time::now(), text)) {
            kept.bytes -= old.len();
        }
        while kept.answers.len() > ANSWERS_MAX || kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.answers.iter().min_by_key(|(_, (at, _))| *at).map(|(k, _)| k.clone())
            else {
                return;
            };
            if let Some((_, text)) = kept.answers.remove(&oldest) {
                kept.bytes -= text.len();
            }
        }
    }

    /// The last answer, marked stale.
    pub fn get(&self, project: ProjectId, query: &Value) -> Option<Value> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, text) = kept.answers.get(&(project, canonical_text(query)))?;
        serde_json::from_str(text).ok().map(|answer| marked(answer, *at))
    }
}

/// The same, as one of `since`.
pub(crate) fn marked(mut answer: Value, since: Millis) -> Value {
    if answer.is_object() {
        answer["stale"] = json!({"since": time::iso(since), "reason": "the catalog does not answer"});
        answer["complete"] = json!(false);
    }
    answer
}
