//! `through` of paths: only what actors do between two matched events of a funnel (chapter 8). `{"funnel": {steps,
//! window, …}, "from_step": k, "to_step": k + 1, "state": "reached" | "dropped"}`: the actors are those that the
//! microscope of the funnel shows; both matched events belong to the path, and who dropped is followed until the
//! window closes. The funnel shares the range, segment, `count_by` and `as_of` of the paths.

use super::FunnelQuery;
use super::reader::Reader;
use crate::Error;
use serde_json::{Map, Value};

/// Which stretch of every actor's stream.
#[derive(Debug, Clone)]
pub(crate) struct ThroughSpec {
    pub funnel: FunnelQuery,
    /// Steps from 0.
    pub from: usize,
    pub to: usize,
    /// Those who reached the first and not the second.
    pub dropped: bool,
}

/// Keys that the funnel takes from the paths.
const SHARED: [&str; 12] = [
    "range",
    "segment",
    "segment_scope",
    "count_by",
    "as_of",
    "week_start",
    "edge",
    "empty_string",
    "user_props",
    "merge_props",
    "div_zero",
    "approx",
];

impl ThroughSpec {
    /// Reads the key, if it is there.
    pub fn read(query: &Reader<'_>) -> Result<Option<ThroughSpec>, Error> {
        let Some(value) = query.get("through") else { return Ok(None) };
        let from = Reader::new(value, "through")?;
        let hint = r#"{"funnel":{"steps":[{"event":"view"},{"event":"buy"}]},"from_step":1,"to_step":2}"#;
        let Some(Value::Object(own)) = from.get("funnel") else {
            return Err(from.missing("funnel", hint));
        };
        let mut whole = Map::from_iter([("type".to_owned(), Value::from("funnel"))]);
        for key in SHARED {
            if own.contains_key(key) && key != "segment_scope" {
                let problem = format!("has `{key}`, which is that of the paths");
                return Err(from.wrong("funnel", problem, "say it once, beside `through`"));
            }
            whole.extend(query.peek(key).map(|value| (key.to_owned(), value.clone())));
        }
        whole.extend(own.iter().map(|(key, value)| (key.clone(), value.clone())));
        let funnel = FunnelQuery::read(Reader::new(&Value::Object(whole), "")?)?;
        let steps = funnel.steps.len() as i64;
        let first = from.integer("from_step", 1, steps)?.unwrap_or(1) as usize - 1;
        let last = from.integer("to_step", 1, steps)?.unwrap_or(steps) as usize - 1;
        if first >= last {
            return Err(from.wrong("to_step", "must come after `from_step`", "numbers of two steps, from 1"));
        }
        let dropped = from.choice("state", &[("reached", false), ("dropped", true)])?.unwrap_or(false);
        let no = |what: &str, why: &str| Err(Error::combination("through.funnel", what, why));
        if funnel.totals {
            return no("`count: \"totals\"`", "has many attempts of an actor, and a path goes through one");
        }
        if !funnel.hold.is_empty() && !funnel.hold_actor {
            return no("`hold`", "needs `hold_unit: \"actor\"`: a path goes through one attempt of an actor");
        }
        if funnel.over_time.is_some() || !funnel.breakdown.is_empty() {
            return no(
                "`over_time` or `breakdown`",
                "puts an actor into several groups, and a path has none",
            );
        }
        from.finish()?;
        Ok(Some(ThroughSpec { funnel, from: first, to: last, dropped }))
    }
}
