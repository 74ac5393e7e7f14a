//! Events as the API lists them: by the names that the project shows them by; `sent_as` if they were sent with
//! another one.

use super::people::{People, key_of};
use super::persons::is_forgotten;
use crate::envelope::iso;
use crate::{Error, EventsRequest, TimelineRequest};
use serde_json::{Map, Value, json};
use tallymark_model::{CommitSeq, Millis, ProjectId};
use tallymark_query::{Context, FoundRow, Place, RowQuery, Snapshot, Source, fresh, newest};

const LIMIT_DEFAULT: usize = 100;

/// `{events, next}`, newest first.
pub(crate) fn list(
    source: &dyn Source,
    people: &People,
    project: ProjectId,
    request: &EventsRequest,
    context: &Context,
) -> Result<Value, Error> {
    let snapshot = source.pin(project)?;
    let person = request.person.as_deref().map(|p| people.find(source, &snapshot, p)).transpose()?;
    if let (Some(person), Some(text)) = (person, &request.person)
        && is_forgotten(&snapshot, person, context)?
    {
        return Err(Error::NoPerson(text.clone()));
    }
    // Asked for by the names that events are shown by.
    let vocabulary = &snapshot.project.vocabulary;
    let names = (!request.events.is_empty()).then(|| vocabulary.sent_names(&request.events));
    let query = RowQuery {
        names,
        person,
        from: request.from.unwrap_or(Millis::MIN),
        to: request.to.unwrap_or(Millis::MAX),
        before: request.cursor.as_deref().map(parse_cursor).transpose()?,
        limit: limit(request.limit) + 1,
    };
    page(&snapshot, query, context)
}

/// `{events, next}` of one person.
pub(crate) fn timeline(
    source: &dyn Source,
    people: &People,
    project: ProjectId,
    person: &str,
    request: &TimelineRequest,
    context: &Context,
) -> Result<Value, Error> {
    let request = EventsRequest {
        limit: request.limit,
        cursor: request.cursor.clone(),
        person: Some(person.to_owned()),
        ..EventsRequest::default()
    };
    list(source, people, project, &request, context)
}

/// Events of commits after `after`, in log order, and the commit to go on from.
pub(crate) fn tail(
    source: &dyn Source,
    project: ProjectId,
    after: Option<u64>,
    limit: usize,
    context: &Context,
) -> Result<(Vec<Value>, u64), Error> {
    const COMMITS: usize = 100;
    let Some(after) = after else { return Ok((Vec::new(), source.latest()?.0)) };
    let (segments, last) = source.added(project, CommitSeq(after), COMMITS)?;
    if segments.is_empty() {
        return Ok((Vec::new(), last.0));
    }
    let snapshot = source.pin(project)?;
    let mut rows = fresh(&snapshot, &segments, limit, context)?;
    let old = rows.len().saturating_sub(limit);
    rows.drain(..old);
    Ok((rows.iter().map(|row| event(&snapshot, row)).collect(), last.0))
}

fn page(snapshot: &Snapshot, query: RowQuery, context: &Context) -> Result<Value, Error> {
    let mut rows = newest(snapshot, &query, context)?;
    let more = rows.len() == query.limit;
    rows.truncate(query.limit - 1);
    let next = rows.last().filter(|_| more).map(|row| cursor(row.place));
    let events: Vec<Value> = rows.iter().map(|row| event(snapshot, row)).collect();
    Ok(json!({"events": events, "next": next}))
}

fn limit(asked: usize) -> usize {
    if asked == 0 { LIMIT_DEFAULT } else { asked.min(EventsRequest::LIMIT_MAX) }
}

/// One event.
fn event(snapshot: &Snapshot, found: &FoundRow) -> Value {
    let row = &found.row;
    let mut properties = row.properties.clone();
    properties.sort_keys();
    let mut groups: Map<String, Value> = Map::new();
    for (kind, name) in &row.groups {
        // One name as text; several of a type as a list.
        match groups.get_mut(kind) {
            None => drop(groups.insert(kind.clone(), json!(name))),
            Some(Value::Array(list)) => list.push(json!(name)),
            Some(single) => *single = json!([single.take(), name]),
        }
    }
    let shown = snapshot.project.vocabulary.shown(&row.event);
    let mut event = json!({
        "event": shown,
        "time": iso(row.time),
        "seq": row.position.to_string(),
        "person": key_of(snapshot, found.person).map(|k| k.to_string()),
        "user_id": row.user_id,
        "device_id": row.device_id,
        "session_id": row.session_id,
        "insert_id": row.insert_id,
        "properties": properties,
        "groups": groups,
        "received_at": iso(row.received_at),
        "annotations": row.annotations,
    });
    if shown != row.event {
        event["sent_as"] = json!(row.event);
    }
    event
}

/// A place as the cursor of a page.
fn cursor(place: Place) -> String {
    format!("{}.{}.{}", place.0, place.1, place.2)
}

fn parse_cursor(text: &str) -> Result<Place, Error> {
    let mut parts = text.split('.');
    let place = (|| {
        let place = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next().is_none().then_some(place)
    })();
    place.ok_or_else(|| {
        Error::malformed("cursor", format!("{text:?} is no cursor"), "use `next` of the page before")
    })
}
