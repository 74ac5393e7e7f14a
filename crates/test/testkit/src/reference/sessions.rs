//! Chapter 7 from the text: `type: "sessions"`, and sessions for whoever else needs them.
//!
//! Where the text leaves a choice: an inactive event and one with the session id `-1` is in no session; events
//! without an id form sessions among themselves; with `start` an event that no start event opened a session for is
//! in none, and with `start` or `end` the SDK's ids do not matter.

use super::check_keys;
use super::events::{Prepared, Seen};
use super::lifecycle::push;
use super::values::{at_path, mean, percentile, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tallymark_model::Millis;

const KEYS: &[&str] = &[
    "type",
    "range",
    "interval",
    "timeout_min",
    "reset_at_midnight",
    "session_by",
    "start",
    "end",
    "contains",
    "histogram",
    "breakdown",
    "limit",
    "other",
    "segment",
    "count_by",
    "as_of",
];
const DAY: Millis = 86_400_000;

/// Events of one actor that belong together, in stream order.
#[derive(Debug, Clone)]
pub struct Session<'p, 'w> {
    pub actor: &'p str,
    pub events: Vec<&'p Seen<'w>>,
    /// Closed by an end event.
    closed: bool,
}

impl Session<'_, '_> {
    fn first(&self) -> Millis {
        self.events[0].event.time
    }
    fn last(&self) -> Millis {
        self.events[self.events.len() - 1].event.time
    }
    fn length_s(&self) -> f64 {
        (self.last() - self.first()) as f64 / 1000.0
    }
}

/// The sessions of these events, which are in stream order; ordered by their first events.
pub fn form<'p, 'w>(
    prepared: &Prepared,
    query: &Value,
    events: impl IntoIterator<Item = &'p Seen<'w>>,
) -> Result<Vec<Session<'p, 'w>>, String> {
    let timeout = (query["timeout_min"].as_f64().unwrap_or(prepared.world.session_timeout_min) * 60_000.0)
        .round() as Millis;
    let by_events = !query["start"].is_null() || !query["end"].is_null();
    let mut sessions: Vec<Session> = Vec::new();
    let mut by_id: BTreeMap<(&str, String, Millis), usize> = BTreeMap::new();
    let mut current: BTreeMap<&str, usize> = BTreeMap::new();
    for seen in events {
        let Some(actor) = seen.actor.as_deref() else { continue };
        if !prepared.selects(seen, &json!({"event": "$active"}))? {
            continue;
        }
        let day = match query["reset_at_midnight"] == true {
            true => prepared.calendar.bucket(seen.event.time, "day")?.start,
            false => 0,
        };
        let id = match query["session_by"].as_str() {
            Some(by) => {
                let path = by.strip_prefix("event.").ok_or(format!("session_by: {by} is unknown"))?;
                let value = at_path(&seen.event.properties, path);
                if prepared.is_none(value) { None } else { value.map(text) }
            }
            None if by_events => None,
            None if seen.event.session_id.as_deref() == Some("-1") => continue,
            None => seen.event.session_id.clone(),
        };
        let new = Session { actor, events: Vec::new(), closed: false };
        let at = if let Some(id) = id {
            *by_id.entry((actor, id, day)).or_insert_with(|| {
                sessions.push(new);
                sessions.len() - 1
            })
        } else {
            let stays = current.get(actor).copied().filter(|at| {
                let session: &Session = &sessions[*at];
                let time = seen.event.time;
                !session.closed
                    && time - session.last() <= timeout
                    && time - session.first() <= DAY
                    && (query["reset_at_midnight"] != true
                        || prepared.calendar.bucket(session.first(), "day").is_ok_and(|b| b.start == day))
            });
            let starts = !query["start"].is_null() && prepared.selects(seen, &query["start"])?;
            let at = match stays {
                Some(at) if !starts => at,
                _ if starts || query["start"].is_null() => {
                    sessions.push(new);
                    sessions.len() - 1
                }
                _ => continue,
            };
            current.insert(actor, at);
            if !query["end"].is_null() && prepared.selects(seen, &query["end"])? {
                sessions[at].closed = true;
            }
            at
        };
        sessions[at].events.push(seen);
    }
    Ok(sessions)
}

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", KEYS)?;
    let interval = query["interval"].as_str().unwrap_or("day");
    let buckets = prepared.calendar.buckets(prepared.range, interval)?;
    let mut filtered = Vec::new();
    for seen in &prepared.events {
        if prepared.passes(seen, &query["segment"])? {
            filtered.push(seen);
        }
    }
    let mut sessions = Vec::new();
    for session in form(prepared, query, filtered)? {
        let mut contains = query["contains"].is_null();
        for seen in &session.events {
            contains = contains || prepared.selects(seen, &query["contains"])?;
        }
        if contains && prepared.in_range(session.events[0]) {
            sessions.push(session);
        }
    }
    let mut answer = if query["breakdown"].is_null() {
        measures(&sessions.iter().collect::<Vec<_>>(), &buckets, query)
    } else {
        json!({"groups": groups(prepared, query, &sessions, &buckets)?})
    };
    answer["as_of"] = json!(prepared.as_of);
    answer["buckets"] = json!(buckets.iter().map(|b| b.label.clone()).collect::<Vec<_>>());
    answer["incomplete"] = json!(buckets.iter().map(|b| b.end > prepared.as_of).collect::<Vec<_>>());
    Ok(answer)
}

fn measures(sessions: &[&Session], buckets: &[super::Bucket], query: &Value) -> Value {
    let total = measure(sessions);
    let mut answer = json!({});
    for key in total.as_object().into_iter().flatten().map(|(key, _)| key) {
        answer[key] = json!([]);
    }
    for bucket in buckets {
        let part: Vec<&Session> = sessions
            .iter()
            .filter(|s| bucket.start <= s.first() && s.first() < bucket.end)
            .copied()
            .collect();
        for (key, value) in measure(&part).as_object().into_iter().flatten() {
            push(&mut answer[key], value.clone());
        }
    }
    answer["total"] = total;
    if let Some(width) = query["histogram"]["width_s"].as_f64() {
        let min = query["histogram"]["min_s"].as_f64().unwrap_or(0.0);
        let mut bars: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        for session in sessions.iter().filter(|s| s.length_s() >= min) {
            bars.entry(((session.length_s() - min) / width).floor() as i64).or_default().push(session.actor);
        }
        let bar = |(i, actors): (i64, Vec<&str>)| {
            let users: BTreeSet<&str> = actors.iter().copied().collect();
            json!({"bar": i, "from_s": min + i as f64 * width, "sessions": actors.len(), "users": users.len()})
        };
        answer["histogram"] = bars.into_iter().map(bar).collect();
    }
    answer
}

fn measure(sessions: &[&Session]) -> Value {
    let lengths: Vec<f64> = sessions.iter().map(|s| s.length_s()).collect();
    let users: BTreeSet<&str> = sessions.iter().map(|s| s.actor).collect();
    let events: Vec<f64> = sessions.iter().map(|s| s.events.len() as f64).collect();
    let bounced = sessions.iter().filter(|s| s.events.len() == 1).count();
    let per = |a: usize, b: usize| (b > 0).then(|| a as f64 / b as f64);
    json!({
        "sessions": sessions.len(),
        "users": users.len(),
        "total_s": lengths.iter().sum::<f64>() + 0.0,
        "avg_s": mean(&lengths),
        "median_s": percentile(&lengths, 50.0),
        "per_user": per(sessions.len(), users.len()),
        "events_per_session": mean(&events),
        "bounced": bounced,
        "bounce_rate": per(bounced, sessions.len()),
    })
}

/// By the value on the first or the last event; by number of sessions, then labels.
fn groups(
    prepared: &Prepared,
    query: &Value,
    sessions: &[Session],
    buckets: &[super::Bucket],
) -> Result<Vec<Value>, String> {
    let by = &query["breakdown"];
    let mut by_label: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, session) in sessions.iter().enumerate() {
        let event = match by["at"].as_str().unwrap_or("entry") {
            "entry" => session.events[0],
            "exit" => session.events[session.events.len() - 1],
            other => return Err(format!("breakdown.at: {other} is unknown")),
        };
        for label in prepared.labels(event, by)? {
            by_label.entry(label).or_default().push(i);
        }
    }
    let mut ranked: Vec<(String, Vec<usize>)> = by_label.into_iter().collect();
    ranked.sort_by_key(|(_, list)| std::cmp::Reverse(list.len()));
    let limit = query["limit"].as_u64().unwrap_or(100) as usize;
    let rest: BTreeSet<usize> = ranked.iter().skip(limit).flat_map(|(_, list)| list).copied().collect();
    ranked.truncate(limit);
    if !rest.is_empty() && query["other"] != false {
        ranked.push(("$other".into(), rest.into_iter().collect()));
    }
    let row = |(label, list): (String, Vec<usize>)| {
        let part: Vec<&Session> = list.iter().map(|i| &sessions[*i]).collect();
        let mut row = measures(&part, buckets, query);
        row["breakdown"] = json!(label);
        row
    };
    Ok(ranked.into_iter().map(row).collect())
}
