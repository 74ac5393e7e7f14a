//! What a job is asked to do: read from a request, checked against log and books, written as the workers read it.
//!
//! Guarantees: a stored specification names existing shards and sensible ranges; instants are milliseconds in it.
//! Deliberately not here: who may ask (`jobs`).

use super::jobs::{bad, range_body};
use crate::schemas::RangeBody;
use crate::{ApiError, ApiState, ShardBounds, time};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use tallymark_catalog::{JobKind, Project};
use tallymark_ledger::{Interval, IntervalSet};
use tallymark_model::{Lane, Millis, Shard};

const RANGES_MAX: usize = 1_000;

/// What a job would touch.
pub(crate) struct Scope {
    /// The specification, as workers read it.
    pub spec: Value,
    /// Records concerned.
    pub events: u64,
    /// Where they are, if that is known beforehand.
    pub ranges: Vec<Interval>,
    /// Why it cannot work.
    pub problem: Option<String>,
}

/// Every member that any kind knows; each kind says which it takes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    ranges: Option<Vec<RangeBody>>,
    received_from: Option<Value>,
    received_to: Option<Value>,
    lost: Option<bool>,
    segments: Option<Vec<String>>,
    switch: Option<String>,
    to: Option<String>,
    from: Option<String>,
}

/// Checks a specification and says what it would touch.
pub(crate) async fn scope(
    state: &ApiState,
    kind: JobKind,
    project: Option<&Project>,
    spec: &Value,
) -> Result<Scope, ApiError> {
    let asked = parse(kind, spec)?;
    let ranges = match asked.ranges.as_deref() {
        Some(ranges) => Some(intervals(ranges, &state.parts.backlog.bounds().await?)?),
        None => None,
    };
    match kind {
        JobKind::Skip => skip(state, ranges.unwrap_or_default(), asked.lost.unwrap_or(false)).await,
        JobKind::Replay => replay(state, ranges).await,
        JobKind::Reprocess => reprocess(state, project, ranges, &asked).await,
        JobKind::RebuildState | JobKind::RebuildIdentity => {
            Ok(plain(asked.switch.map_or_else(|| json!({}), |switch| json!({ "switch": switch }))))
        }
        JobKind::RebuildSegments => {
            Ok(plain(asked.segments.map_or_else(|| json!({}), |ids| json!({ "segments": ids }))))
        }
        JobKind::Backup => Ok(plain(asked.to.map_or_else(|| json!({}), |to| json!({ "to": to })))),
        JobKind::Rehearse => Ok(plain(asked.from.map_or_else(|| json!({}), |from| json!({ "from": from })))),
    }
}

fn plain(spec: Value) -> Scope {
    Scope { spec, events: 0, ranges: Vec::new(), problem: None }
}

fn parse(kind: JobKind, spec: &Value) -> Result<Asked, ApiError> {
    let takes: &[&str] = match kind {
        JobKind::Skip => &["ranges", "lost"],
        JobKind::Replay => &["ranges"],
        JobKind::Reprocess => &["ranges", "received_from", "received_to"],
        JobKind::RebuildState | JobKind::RebuildIdentity => &["switch"],
        JobKind::RebuildSegments => &["segments"],
        JobKind::Backup => &["to"],
        JobKind::Rehearse => &["from"],
    };
    let empty = Map::new();
    let members = match spec {
        Value::Null => &empty,
        Value::Object(members) => members,
        other => return Err(bad(format!("`spec`: expected an object, got {other}"))),
    };
    if let Some(unknown) = members.keys().find(|k| !takes.contains(&k.as_str())) {
        return Err(bad(format!("`spec.{unknown}`: {} takes {}", kind.name(), takes.join(", "))));
    }
    let asked: Asked =
        serde_json::from_value(Value::Object(members.clone())).map_err(|e| bad(format!("`spec`: {e}")))?;
    if kind == JobKind::Skip && asked.ranges.as_ref().is_none_or(Vec::is_empty) {
        return Err(bad("`spec.ranges`: skip needs at least one range"));
    }
    if asked.ranges.is_some() && (asked.received_from.is_some() || asked.received_to.is_some()) {
        return Err(bad("`spec`: either ranges or a span of receive time"));
    }
    if let Some(switch) = asked.switch.as_deref().filter(|s| !["auto", "always", "never"].contains(s)) {
        return Err(bad(format!("`spec.switch`: {switch:?} is none of auto, always, never")));
    }
    Ok(asked)
}

fn intervals(ranges: &[RangeBody], bounds: &[ShardBounds]) -> Result<Vec<Interval>, ApiError> {
    if ranges.len() > RANGES_MAX {
        return Err(bad(format!("`spec.ranges`: more than {RANGES_MAX}")));
    }
    let known: HashMap<Shard, &ShardBounds> = bounds.iter().map(|b| (b.shard, b)).collect();
    let mut all = IntervalSet::new();
    for (i, range) in ranges.iter().enumerate() {
        let place = format!("`spec.ranges[{i}]`");
        let lane = Lane::from_name(&range.lane).ok_or_else(|| {
            bad(format!("{place}: there is no lane {:?}; there are live and bulk", range.lane))
        })?;
        let shard = Shard { lane, partition: range.partition };
        let Some(bounds) = known.get(&shard) else {
            return Err(bad(format!("{place}: the log has no partition {shard}")));
        };
        if range.from >= range.to {
            return Err(bad(format!("{place}: {} to {} is empty", range.from, range.to)));
        }
        if range.to > bounds.end {
            return Err(bad(format!("{place}: {shard} ends at {}", bounds.end)));
        }
        all.insert(Interval::new(shard, range.from, range.to));
    }
    Ok(all.iter().collect())
}

async fn skip(state: &ApiState, ranges: Vec<Interval>, lost: bool) -> Result<Scope, ApiError> {
    let cursors = state.parts.catalog.cursors().await?;
    let cursor = |s: Shard| cursors.iter().find(|c| c.shard == s).map_or(0, |c| c.position);
    let ahead: u64 = ranges.iter().map(|r| r.to.saturating_sub(r.from.max(cursor(r.shard)))).sum();
    let problem = (ahead == 0)
        .then(|| "everything in these ranges is processed already: there is nothing to skip".to_owned());
    let mut spec = json!({ "ranges": ranges });
    if lost {
        spec["lost"] = true.into();
    }
    Ok(Scope { spec, events: ahead, ranges, problem })
}

async fn replay(state: &ApiState, asked: Option<Vec<Interval>>) -> Result<Scope, ApiError> {
    let skipped: Vec<Interval> =
        state.parts.catalog.skipped().await?.into_iter().map(|r| r.interval).collect();
    let ranges: Vec<Interval> = match &asked {
        None => skipped,
        Some(asked) => asked.iter().flat_map(|a| skipped.iter().filter_map(|s| overlap(a, s))).collect(),
    };
    let events: u64 = ranges.iter().map(Interval::len).sum();
    let problem = (events == 0).then(|| "nothing is skipped there: there is nothing to replay".to_owned());
    let spec = asked.map_or_else(|| json!({}), |asked| json!({ "ranges": asked }));
    Ok(Scope { spec, events, ranges, problem })
}

async fn reprocess(
    state: &ApiState,
    project: Option<&Project>,
    ranges: Option<Vec<Interval>>,
    asked: &Asked,
) -> Result<Scope, ApiError> {
    let from = asked.received_from.as_ref().map(|v| instant("received_from", v, false)).transpose()?;
    let to = asked.received_to.as_ref().map(|v| instant("received_to", v, true)).transpose()?;
    let rows = state.parts.catalog.ledger(project.map(|p| p.id), from, to).await?;
    let events = match &ranges {
        // Rows span hours, ranges are exact: as long as nobody asked for one project, lengths say it best.
        Some(ranges) => ranges.iter().map(Interval::len).sum(),
        None => {
            rows.iter().map(|r| r.tally.visible + r.tally.duplicate + r.tally.filtered + r.tally.dead).sum()
        }
    };
    let mut spec = Map::new();
    if let Some(ranges) = &ranges {
        spec.insert("ranges".to_owned(), json!(ranges));
    }
    for (name, at) in [("received_from", from), ("received_to", to)] {
        if let Some(at) = at {
            spec.insert(name.to_owned(), at.into());
        }
    }
    // Deciding everything of an empty instance again is done at once; a place without records is a mistake.
    let somewhere = ranges.is_some() || from.is_some() || to.is_some();
    let problem = (events == 0 && somewhere).then(|| "nothing was processed there yet".to_owned());
    Ok(Scope { spec: spec.into(), events, ranges: ranges.unwrap_or_default(), problem })
}

fn instant(name: &str, value: &Value, end: bool) -> Result<Millis, ApiError> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let read = if end { time::to(name, Some(&text), "UTC") } else { time::from(name, Some(&text), "UTC") };
    read?.ok_or_else(|| bad(format!("`spec.{name}`: not an instant")))
}

fn overlap(a: &Interval, b: &Interval) -> Option<Interval> {
    a.overlaps(b).then(|| Interval::new(a.shard, a.from.max(b.from), a.to.min(b.to)))
}

/// A stored specification as requests give it: flat ranges, instants with `Z`.
pub(crate) fn shown(spec: Value) -> Value {
    let Value::Object(mut members) = spec else { return json!({}) };
    if let Some(ranges) = members.get_mut("ranges")
        && let Ok(intervals) = serde_json::from_value::<Vec<Interval>>(ranges.clone())
    {
        *ranges = json!(intervals.iter().map(range_body).collect::<Vec<_>>());
    }
    for name in ["received_from", "received_to"] {
        if let Some(at) = members.get(name).and_then(Value::as_i64) {
            members.insert(name.to_owned(), time::iso(at).into());
        }
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: Shard = Shard { lane: Lane::Live, partition: 0 };

    fn range(lane: &str, from: u64, to: u64) -> RangeBody {
        RangeBody { lane: lane.to_owned(), partition: 0, from, to }
    }

    #[test]
    fn ranges_are_checked_against_the_log_and_joined() {
        let bounds = [ShardBounds { shard: LIVE, start: 0, end: 100 }];
        let joined = intervals(&[range("live", 5, 9), range("live", 9, 12)], &bounds).unwrap();
        assert_eq!(joined, [Interval::new(LIVE, 5, 12)]);
        for wrong in [range("fast", 0, 1), range("bulk", 0, 1), range("live", 5, 5), range("live", 9, 101)] {
            assert!(intervals(std::slice::from_ref(&wrong), &bounds).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn each_kind_takes_its_own_members() {
        let ok = |kind, spec: Value| parse(kind, &spec).is_ok();
        let ranges = json!([{"lane": "live", "partition": 0, "from": 0, "to": 5}]);
        assert!(ok(JobKind::Skip, json!({ "ranges": ranges })) && ok(JobKind::Replay, Value::Null));
        assert!(!ok(JobKind::Skip, json!({})) && !ok(JobKind::Skip, json!({"ranges": []})));
        assert!(!ok(JobKind::Replay, json!({"received_from": 5})) && !ok(JobKind::Replay, json!([])));
        assert!(!ok(JobKind::Reprocess, json!({"ranges": ranges, "received_to": 5})));
        assert!(ok(JobKind::Backup, json!({"to": "file:/x"})) && !ok(JobKind::Backup, json!({"from": "x"})));
        assert!(!ok(JobKind::RebuildState, json!({"switch": "maybe"})));
    }

    #[test]
    fn stored_specifications_are_shown_flat() {
        let stored = json!({"ranges": [Interval::new(LIVE, 1, 2)], "received_from": 0});
        assert_eq!(
            shown(stored),
            json!({"ranges": [{"lane": "live", "partition": 0, "from": 1, "to": 2}],
                   "received_from": "1970-01-01T00:00:00.000Z"})
        );
        assert_eq!(shown(Value::Null), json!({}));
    }
}
