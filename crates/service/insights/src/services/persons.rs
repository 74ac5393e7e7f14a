//! Persons as the API shows them.

use super::people::{People, key_of, last_owner};
use crate::envelope::iso;
use crate::plan::now;
use crate::{Error, EventsRequest, PersonsRequest};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use tallymark_model::{Millis, ProjectId, SubjectId, SubjectKind};
use tallymark_query::{
    Activity, Context, MergeKind, PropertyTimeline, Snapshot, Source, UNSEEN, count_events,
    properties_of_many,
};

const LIMIT_DEFAULT: usize = 100;
/// Properties of a person that a search looks at besides the ids.
const SEARCHED: [&str; 3] = ["email", "$email", "name"];

/// `{persons, next}`, the last seen first.
pub(crate) fn search(
    source: &dyn Source,
    project: ProjectId,
    request: &PersonsRequest,
    context: &Context,
) -> Result<Value, Error> {
    let snapshot = source.pin(project)?;
    let limit = if request.limit == 0 { LIMIT_DEFAULT } else { request.limit.min(EventsRequest::LIMIT_MAX) };
    let after = request.cursor.as_deref().map(parse_cursor).transpose()?;
    let by_person = activities(source, &snapshot, context)?;
    let found = request.search.as_deref().filter(|s| !s.is_empty());
    let found = found.map(|text| matching(&snapshot, text, context)).transpose()?;
    // (last seen, ordinal), newest first; persons who were only mentioned come last.
    let mut ranked: Vec<(Reverse<Millis>, u32)> = (1..snapshot.identity.bound())
        .filter(|p| by_person.alive[*p as usize] && found.as_ref().is_none_or(|f| f.contains(p)))
        .map(|p| (Reverse(by_person.activity[p as usize].last), p))
        .filter(|place| after.is_none_or(|after| *place > after))
        .collect();
    let more = ranked.len() > limit;
    if more {
        ranked.select_nth_unstable(limit);
        ranked.truncate(limit);
    }
    ranked.sort_unstable();
    let next = ranked.last().filter(|_| more).map(|(Reverse(last), p)| format!("{last}.{p}"));
    let people: Vec<u32> = ranked.iter().map(|(_, p)| *p).collect();
    let activity: Vec<Activity> = people.iter().map(|p| by_person.activity[*p as usize]).collect();
    let persons = describe(&snapshot, &people, activity, context)?;
    Ok(json!({"persons": persons, "next": next}))
}

/// One person, with what happened to it.
pub(crate) fn page(
    source: &dyn Source,
    people: &People,
    project: ProjectId,
    person: &str,
    context: &Context,
) -> Result<Value, Error> {
    let snapshot = source.pin(project)?;
    let text = person;
    let person = people.find(source, &snapshot, text)?;
    if is_forgotten(&snapshot, person, context)? {
        return Err(Error::NoPerson(text.to_owned()));
    }
    let activity = source.activity(project, &snapshot.identity.members(person));
    let mut described = describe(&snapshot, &[person], vec![activity], context)?.pop().unwrap_or_default();
    described.insert("merges".to_owned(), Value::Array(merges(&snapshot, person)));
    Ok(Value::Object(described))
}

/// True if all of a person's ids are erased and nothing has come from them since.
pub(crate) fn is_forgotten(snapshot: &Snapshot, person: u32, context: &Context) -> Result<bool, Error> {
    let erased = |s: &SubjectId| is_erased(snapshot, s.0);
    let members = snapshot.identity.members(person);
    if members.is_empty() || !members.iter().all(erased) {
        return Ok(false);
    }
    Ok(!count_events(snapshot, &[person], context)?.contains_key(&person))
}

fn is_erased(snapshot: &Snapshot, subject: u32) -> bool {
    snapshot.hidden.erased_subjects().binary_search(&subject).is_ok()
}

struct ByPerson {
    activity: Vec<Activity>,
    /// Has any id.
    alive: Vec<bool>,
}

/// Activity summed by person; of a device that changed hands it is its last owner's (see [`describe`]).
fn activities(source: &dyn Source, snapshot: &Snapshot, context: &Context) -> Result<ByPerson, Error> {
    let all = source.activities(snapshot.project.id);
    let bound = snapshot.identity.bound() as usize;
    let _held = context.budget.reserve((bound * 26 + all.len() * 24) as u64)?;
    let mut by = ByPerson { activity: vec![Activity::NONE; bound], alive: vec![false; bound] };
    for subject in 1..=snapshot.names.len() {
        let person = last_owner(&snapshot.identity, subject) as usize;
        if person != 0 && person < bound {
            by.alive[person] = true;
            let theirs = all.get(subject as usize - 1).copied().unwrap_or(Activity::NONE);
            by.activity[person] = by.activity[person].merge(theirs);
        }
    }
    // Sums still hold what erased persons did, so those are counted; who has nothing left is not there.
    let erased = snapshot.hidden.erased_subjects().iter();
    let mut touched: Vec<u32> = erased.map(|s| last_owner(&snapshot.identity, *s)).collect();
    touched.sort_unstable();
    touched.dedup();
    if !touched.is_empty() {
        let counted = count_events(snapshot, &touched, context)?;
        for person in touched.into_iter().filter(|p| *p != 0 && (*p as usize) < bound) {
            let members = snapshot.identity.members(person);
            let found = counted.get(&person);
            let activity = found.map(|&(events, first, last)| Activity { events, first, last });
            by.activity[person as usize] = activity.unwrap_or(Activity::NONE);
            by.alive[person as usize] = found.is_some() || members.iter().any(|s| !is_erased(snapshot, s.0));
        }
    }
    Ok(by)
}

/// Persons with an id or a searched property that contains the text, ignoring case.
fn matching(snapshot: &Snapshot, text: &str, context: &Context) -> Result<BTreeSet<u32>, Error> {
    let wanted = text.to_lowercase();
    let has = |raw: &str| raw.to_lowercase().contains(&wanted);
    let mut found = BTreeSet::new();
    for (subject, _, raw) in snapshot.names.iter() {
        if has(raw) && !is_erased(snapshot, subject.0) {
            found.insert(last_owner(&snapshot.identity, subject.0));
        }
    }
    if let Ok(key) = uuid::Uuid::try_parse(text) {
        found.extend((1..snapshot.identity.bound()).filter(|p| key_of(snapshot, *p) == Some(key)));
    }
    let everybody: Vec<u32> = (0..snapshot.identity.bound()).collect();
    for name in SEARCHED {
        let values = PropertyTimeline::load(snapshot, name, Millis::MAX, context)?.latest(&everybody);
        values.each(
            |v| v.with_text(has).unwrap_or(false),
            |row, hit| {
                if hit {
                    found.insert(row as u32);
                }
            },
        );
    }
    Ok(found)
}

fn describe(
    snapshot: &Snapshot,
    people: &[u32],
    activity: Vec<Activity>,
    context: &Context,
) -> Result<Vec<Map<String, Value>>, Error> {
    let properties = properties_of_many(snapshot, people, now(), context)?;
    // Sums over ids are wrong where a device had several owners; for those persons events are counted.
    // The same where some of what is in the sums is erased.
    let inexact = |s: &SubjectId| snapshot.identity.is_varying(*s) || is_erased(snapshot, s.0);
    let shares = |p: &u32| snapshot.identity.members(*p).iter().any(inexact);
    let sharing: Vec<u32> = people.iter().copied().filter(shares).collect();
    let counted =
        if sharing.is_empty() { Default::default() } else { count_events(snapshot, &sharing, context)? };
    let mut described = Vec::with_capacity(people.len());
    for ((person, activity), properties) in people.iter().zip(activity).zip(properties) {
        let activity = match counted.get(person) {
            Some(&(events, first, last)) => Activity { events, first, last },
            None if sharing.contains(person) => Activity::NONE,
            None => activity,
        };
        described.push(one(snapshot, *person, activity, properties));
    }
    Ok(described)
}

fn one(
    snapshot: &Snapshot,
    person: u32,
    activity: Activity,
    properties: tallymark_model::Properties,
) -> Map<String, Value> {
    let (mut users, mut devices) = (Vec::new(), Vec::new());
    let members = snapshot.identity.members(person);
    // Whoever comes back after everything was erased is known by the old ids again.
    let back = members.iter().all(|s| is_erased(snapshot, s.0));
    for subject in members.into_iter().filter(|s| back || !is_erased(snapshot, s.0)) {
        match snapshot.names.get(subject) {
            Some((SubjectKind::User, raw)) => users.push(raw),
            Some((SubjectKind::Device, raw)) => devices.push(raw),
            None => {}
        }
    }
    users.sort_unstable();
    devices.sort_unstable();
    // A person without events was seen when the log first named it.
    let first_seq = Some(snapshot.identity.first_seq(person)).filter(|s| *s != UNSEEN).map(|s| s.received_at);
    let seen = activity.events > 0;
    let first = if seen { Some(activity.first) } else { first_seq };
    let last = if seen { Some(activity.last) } else { first_seq };
    let described = json!({
        "person": key_of(snapshot, person).map(|k| k.to_string()),
        "user_ids": users,
        "device_ids": devices,
        "properties": properties,
        "first_seen": first.map(iso),
        "last_seen": last.map(iso),
        "events": activity.events,
    });
    match described {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn merges(snapshot: &Snapshot, person: u32) -> Vec<Value> {
    let mut merges = snapshot.identity.merges(person);
    merges.retain(|merge| !is_erased(snapshot, merge.subject.0));
    let name = |subject| snapshot.names.get(subject).map_or("", |(_, raw)| raw);
    let one = |merge: &tallymark_query::Merge| {
        let raw = name(merge.subject);
        let (kind, detail) = match merge.kind {
            MergeKind::Adopt => ("adopt", format!("{raw} was attached to the person of its device")),
            MergeKind::Identify => {
                ("identify", format!("the anonymous person of {raw} became part of this one"))
            }
            MergeKind::Alias => ("alias", format!("{raw} became one more id")),
            MergeKind::Merge => ("merge", format!("{raw} was merged by request")),
        };
        json!({"at": iso(merge.seq.received_at), "kind": kind, "detail": detail})
    };
    merges.iter().map(one).collect()
}

fn parse_cursor(text: &str) -> Result<(Reverse<Millis>, u32), Error> {
    let parsed =
        text.split_once('.').and_then(|(last, p)| Some((Reverse(last.parse().ok()?), p.parse().ok()?)));
    parsed.ok_or_else(|| {
        Error::malformed("cursor", format!("{text:?} is no cursor"), "use `next` of the page before")
    })
}
