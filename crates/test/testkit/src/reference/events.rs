//! The world a query is asked about, and what every analysis needs of it first.

use super::calendar::Calendar;
use super::conditions;
use super::folding::folded;
use super::identity::{Replay, replay};
use super::properties::{Properties, fold};
use super::values::{self, at_path};
use super::vocabulary::Definitions;
use serde_json::Value;
use std::cell::Cell;
use std::collections::HashMap;
use tallymark_model::{Event, IdentityAction, Millis, PropertyOp, Seq};

/// One event as the log has it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RefEvent {
    /// When it happened.
    pub time: Millis,
    /// Where it stands in the log; no two events share one.
    pub seq: Seq,
    /// Its name.
    pub event: String,
    /// Usable user id.
    pub user_id: Option<String>,
    /// Usable device id.
    pub device_id: Option<String>,
    /// Session id as the SDK sent it.
    pub session_id: Option<String>,
    /// Dedup id.
    pub insert_id: Option<String>,
    /// Event properties.
    pub properties: serde_json::Map<String, Value>,
    /// Changes of the person's properties.
    pub ops: Vec<PropertyOp>,
    /// Groups: (type, name).
    pub groups: Vec<(String, String)>,
    /// Changes of groups' properties: (type, name, change).
    pub group_ops: Vec<(String, String, PropertyOp)>,
    /// What it does to identity beyond carrying ids.
    pub action: IdentityAction,
}

impl RefEvent {
    /// The same event in the engine's vocabulary (without its place in the log).
    pub fn to_event(&self) -> Event {
        Event {
            name: self.event.clone(),
            time: self.time,
            client_time: Some(self.time),
            user_id: self.user_id.clone(),
            device_id: self.device_id.clone(),
            insert_id: self.insert_id.clone(),
            session_id: self.session_id.clone(),
            properties: self.properties.clone(),
            person_ops: self.ops.clone(),
            groups: self.groups.clone(),
            group_ops: self.group_ops.clone(),
            action: self.action.clone(),
            annotations: Vec::new(),
        }
    }
}

/// A project: its settings and everything its log holds, in any order.
#[derive(Debug, Clone)]
pub struct World {
    /// The events.
    pub events: Vec<RefEvent>,
    /// IANA name.
    pub timezone: String,
    /// Weeks start on Sunday instead of Monday.
    pub sunday_weeks: bool,
    /// `as_of` of queries that name none.
    pub now: Millis,
    /// The first identified user of a device keeps its anonymous events.
    pub first_user_owns_device: bool,
    /// Event names that `$active` leaves out.
    pub inactive: Vec<String>,
    /// What it calls things.
    pub definitions: Definitions,
    /// Longest pause within a session, unless a query says otherwise.
    pub session_timeout_min: f64,
    /// Cohorts that the project keeps: id and definition.
    pub cohorts: std::collections::BTreeMap<String, Value>,
}

impl Default for World {
    fn default() -> Self {
        World {
            events: Vec::new(),
            timezone: "UTC".into(),
            sunday_weeks: false,
            now: 4_102_444_800_000,
            first_user_owns_device: false,
            inactive: Vec::new(),
            definitions: Definitions::default(),
            session_timeout_min: 30.0,
            cohorts: Default::default(),
        }
    }
}

/// An event as analyses see it: who it belongs to, and that person's properties as of it.
#[derive(Debug, Clone)]
pub struct Seen<'w> {
    /// The event.
    pub event: &'w RefEvent,
    /// Person, as a number that means nothing outside this answer; none = unattributed.
    pub person: Option<usize>,
    /// The person's properties just after the event's own changes.
    pub user: Properties,
    /// The same by time, whatever the query's options say.
    user_by_time: Properties,
    /// Properties of its groups just after the event's own changes, by type.
    pub groups: HashMap<String, Properties>,
    /// The actor by `count_by`.
    pub actor: Option<String>,
}

/// The events that exist for a query, in stream order, and its common keys.
#[derive(Debug)]
pub struct Prepared<'w> {
    /// The settings.
    pub world: &'w World,
    /// Ordered by (time, seq).
    pub events: Vec<Seen<'w>>,
    /// Who is who in the end.
    pub people: Replay,
    /// Properties per person as of `as_of`.
    pub latest: HashMap<usize, Properties>,
    /// Properties per group (type, name) as of `as_of`.
    pub latest_groups: HashMap<(String, String), Properties>,
    /// The instant the query is asked for.
    pub as_of: Millis,
    /// Buckets of the project's time zone.
    pub calendar: Calendar,
    /// Range of the query: half-open.
    pub range: (Millis, Millis),
    /// `empty_string: "value"`: "keeps `""` apart" from none.
    /// A stored cohort is not part of the query: inside of it, the option does not hold.
    pub empty_is_value: Cell<bool>,
    /// A cohort says who people are, whatever `user_props` and `merge_props` say of the rows of the question.
    pub in_cohort: Cell<bool>,
    /// Per person what it is now, by time.
    latest_by_time: HashMap<usize, Properties>,
}

const WEEK_MS: Millis = 7 * 86_400_000;

impl<'w> Prepared<'w> {
    /// Deduplicates, resolves persons, folds properties, names actors.
    pub fn new(world: &'w World, query: &Value) -> Result<Prepared<'w>, String> {
        let as_of = match &query["as_of"] {
            Value::Null => world.now,
            value => values::instant_ms(value).ok_or(format!("as_of: not an instant: {value}"))? as Millis,
        };
        let calendar = Calendar::new(&world.timezone, world.sunday_weeks)?;
        let range = match &query["range"] {
            // Some types have none.
            Value::Null => (Millis::MIN, as_of + 1),
            range => calendar.range(range, as_of)?,
        };
        let range = match query["interval"].as_str().unwrap_or("day") {
            _ if query["edge"] != "expand" || range.1 <= range.0 => range,
            "none" => range,
            unit => (calendar.bucket(range.0, unit)?.start, calendar.bucket(range.1 - 1, unit)?.end),
        };

        let mut log: Vec<&RefEvent> = world.events.iter().collect();
        log.sort_by_key(|e| e.seq);
        let log = without_duplicates(&log);
        let people = replay(&log, world.first_user_owns_device);
        let persons = people.persons.clone();

        let other_folding = query["user_props"] == "ingest_order" || query["merge_props"] == "target_wins";
        let folded = other_folding.then(|| folded(&log, &people, query, as_of));
        let at_ingest: HashMap<Seq, Option<usize>> =
            log.iter().map(|e| e.seq).zip(people.at_ingest.iter().copied()).collect();
        let mut stream: Vec<(&RefEvent, Option<usize>)> = log.into_iter().zip(persons).collect();
        stream.retain(|(event, _)| event.time <= as_of);
        stream.sort_by_key(|(event, _)| (event.time, event.seq));

        let mut latest: HashMap<usize, Properties> = HashMap::new();
        let mut latest_groups: HashMap<(String, String), Properties> = HashMap::new();
        let mut events = Vec::new();
        for (event, person) in stream {
            let mut user = Properties::new();
            if let Some(person) = person {
                let current = latest.entry(person).or_default();
                event.ops.iter().for_each(|op| fold(current, op));
                user = current.clone();
            }
            for (kind, name, op) in &event.group_ops {
                fold(latest_groups.entry((kind.clone(), name.clone())).or_default(), op);
            }
            let mut groups = HashMap::new();
            for key in &event.groups {
                // Of several groups of one type the first counts.
                let now = || latest_groups.get(key).cloned().unwrap_or_default();
                groups.entry(key.0.clone()).or_insert_with(now);
            }
            let user_by_time = user.clone();
            if let Some(folded) = &folded {
                user = folded.at_event.get(&event.seq).cloned().unwrap_or_default();
            }
            events.push(Seen { event, person, user, user_by_time, groups, actor: None });
        }
        let latest_by_time = latest.clone();
        if let Some(folded) = folded {
            latest = folded.latest;
        }
        let empty_is_value = query["empty_string"] == "value";
        let count_by = query["count_by"].as_str().unwrap_or("person");
        for seen in &mut events {
            seen.actor = match count_by {
                "person_at_ingest" => at_ingest[&seen.event.seq].map(|p| p.to_string()),
                _ => actor(seen, count_by, empty_is_value)?,
            };
        }
        let empty_is_value = Cell::new(empty_is_value);
        Ok(Prepared {
            world,
            events,
            people,
            latest,
            latest_groups,
            as_of,
            calendar,
            range,
            empty_is_value,
            in_cohort: Cell::new(false),
            latest_by_time,
        })
    }

    /// Whether a value is none.
    pub fn is_none(&self, value: Option<&Value>) -> bool {
        values::is_none(value) && !(self.empty_is_value.get() && value.is_some_and(|v| v == ""))
    }

    /// Whether an event lies in the range of the query.
    pub fn in_range(&self, seen: &Seen) -> bool {
        self.range.0 <= seen.event.time && seen.event.time < self.range.1
    }

    /// The value of a property in a scope, none as null.
    pub fn value(&self, seen: &Seen, scope: &str, path: &str) -> Result<Option<Value>, String> {
        let found = match scope {
            "event" => at_path(&seen.event.properties, path),
            "user" if self.in_cohort.get() => at_path(&seen.user_by_time, path),
            "user" => at_path(&seen.user, path),
            "person" => {
                let latest = if self.in_cohort.get() { &self.latest_by_time } else { &self.latest };
                seen.person.and_then(|p| latest.get(&p)).and_then(|m| at_path(m, path))
            }
            other if other.starts_with("group:") => {
                seen.groups.get(&other["group:".len()..]).and_then(|m| at_path(m, path))
            }
            other if other.starts_with("group_latest:") => {
                let kind = &other["group_latest:".len()..];
                let key = seen.event.groups.iter().find(|(k, _)| k == kind);
                key.and_then(|k| self.latest_groups.get(k)).and_then(|m| at_path(m, path))
            }
            "custom" => return Ok(self.world.definitions.custom(path, &seen.event.properties)),
            other => {
                let Some(table) = other.strip_prefix("lookup:") else {
                    return Err(format!("scope: {other} is not computed by the reference"));
                };
                let on = self.world.definitions.lookup_on(table).ok_or("no such lookup table")?;
                let scope = on["scope"].as_str().unwrap_or("event");
                let key = self.value(seen, scope, on["property"].as_str().unwrap_or_default())?;
                return Ok(self.world.definitions.lookup(table, key.as_ref(), path));
            }
        };
        Ok(found.cloned())
    }

    /// Whether an event passes a list of conditions (or one, or none at all).
    pub fn passes(&self, seen: &Seen, conditions: &Value) -> Result<bool, String> {
        if conditions.is_null() { Ok(true) } else { conditions::holds(self, seen, conditions) }
    }

    /// Whether an event matches a selector: its name, then `where`. `nth` is the caller's.
    pub fn selects(&self, seen: &Seen, selector: &Value) -> Result<bool, String> {
        Ok(self.names(seen, &selector["event"])? && self.passes(seen, &selector["where"])?)
    }

    fn names(&self, seen: &Seen, wanted: &Value) -> Result<bool, String> {
        if is_operation(&seen.event.event) {
            return Ok(false);
        }
        let name = self.world.definitions.shown(&seen.event.event);
        if let Value::Array(list) = wanted {
            for one in list {
                if self.names(seen, one)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let alternatives = wanted.as_str().and_then(|w| self.world.definitions.alternatives(w));
        for alternative in alternatives.into_iter().flatten() {
            if self.selects(seen, alternative)? {
                return Ok(true);
            }
        }
        match wanted {
            _ if alternatives.is_some() => Ok(false),
            Value::String(w) if w == "*" => Ok(true),
            Value::String(w) if w == "$active" => Ok(!self.world.inactive.iter().any(|i| i == name)),
            Value::String(w) => Ok(w == name),
            other => Err(format!("event: expected a name, found {other}")),
        }
    }

    /// Labels of an event in a breakdown by `{scope, property, bins?, items?}`: one, or one per list element;
    /// equal elements once, unless `items` says otherwise.
    pub fn labels(&self, seen: &Seen, by: &Value) -> Result<Vec<String>, String> {
        let property = by["property"].as_str().ok_or("breakdown: `property` is missing")?;
        let value = self.value(seen, by["scope"].as_str().unwrap_or("event"), property)?;
        let elements = match &value {
            Some(Value::Array(items)) if !items.is_empty() => items.clone(),
            Some(value) => vec![value.clone()],
            None => vec![Value::Null],
        };
        let mut labels = Vec::new();
        for element in &elements {
            let label = match by["bins"].as_array() {
                Some(bins) => bin_label(element, bins),
                None if self.is_none(Some(element)) => "(none)".to_owned(),
                None => values::text(element),
            };
            if by["items"] == "all" || !labels.contains(&label) {
                labels.push(label);
            }
        }
        Ok(labels)
    }
}

fn bin_label(value: &Value, bins: &[Value]) -> String {
    let Some(number) = values::number(value) else { return "(none)".into() };
    let bounds: Vec<f64> = bins.iter().filter_map(values::number).collect();
    let at = |i: usize| values::text(&bins[i]);
    match bounds.iter().position(|b| number < *b) {
        Some(0) => format!("< {}", at(0)),
        Some(i) => format!("[{}, {})", at(i - 1), at(i)),
        None => format!(">= {}", at(bounds.len() - 1)),
    }
}

fn is_operation(name: &str) -> bool {
    ["$identify", "$alias", "$merge", "$reset", "$set"].iter().any(|p| name.starts_with(p))
        || ["$create_alias", "$groupidentify", "$unset"].iter().any(|p| name.starts_with(p))
}

/// "same device_id or, without one, same user_id, and same insert_id … count once: the one with the smallest
/// seq", within seven days of receive time.
fn without_duplicates<'w>(log: &[&'w RefEvent]) -> Vec<&'w RefEvent> {
    let mut first: HashMap<(Option<&str>, Option<&str>, &str), Millis> = HashMap::new();
    let mut kept = Vec::new();
    for event in log {
        if let Some(insert_id) = &event.insert_id {
            let device = event.device_id.as_deref();
            let user = if device.is_none() { event.user_id.as_deref() } else { None };
            let key = (device, user, insert_id.as_str());
            if first.get(&key).is_some_and(|at| event.seq.received_at - at <= WEEK_MS) {
                continue;
            }
            first.insert(key, event.seq.received_at);
        }
        kept.push(*event);
    }
    kept
}

fn actor(seen: &Seen, count_by: &str, empty_is_value: bool) -> Result<Option<String>, String> {
    if let Some(kind) = count_by.strip_prefix("group:") {
        return Ok(seen.event.groups.iter().find(|(k, _)| k == kind).map(|(_, name)| name.clone()));
    }
    let text = |map: &Properties, path: &str| {
        let value = at_path(map, path);
        let kept = empty_is_value && value.is_some_and(|v| v == "");
        if values::is_none(value) && !kept { None } else { value.map(values::text) }
    };
    if let Some(path) = count_by.strip_prefix("event.") {
        return Ok(text(&seen.event.properties, path));
    }
    if let Some(path) = count_by.strip_prefix("user.") {
        return Ok(text(&seen.user, path));
    }
    match count_by {
        "person" => Ok(seen.person.map(|p| p.to_string())),
        "device" => Ok(seen.event.device_id.clone()),
        other => Err(format!("count_by: {other} is not computed by the reference")),
    }
}
