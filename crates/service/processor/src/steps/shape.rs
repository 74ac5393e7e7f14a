//! Visible events to rows of segments, and the statistics of their names; on all cores.
//!
//! Guarantees: rows come out in the order of the events; statistics do not depend on the number of cores (chunks
//! have a fixed size and are merged in order).
//! Deliberately not here: columns and files (`store`).

use super::decide::{OldRow, ProjectRows};
use rayon::prelude::*;
use tallymark_model::{Event, Millis, Position, PropertyOp, SubjectId, Value};
use tallymark_state::{ProjectStats, StatsBuilder};
use tallymark_store::{EventRow, PropertyRow, group_op, group_rows};

/// Events per task.
const CHUNK: usize = 4096;

/// An event that was decided to be visible.
#[derive(Debug, Clone)]
pub struct Visible {
    /// Where it stands in the log.
    pub position: Position,
    /// When it was received, ms UTC.
    pub received_at: Millis,
    /// The user, else the device, else nobody.
    pub subject: SubjectId,
    /// What happened.
    pub event: Box<Event>,
}

/// Rows and statistics of one project's events.
pub fn shape(mut visible: Vec<Visible>) -> (ProjectRows, ProjectStats) {
    let chunks: Vec<(ProjectRows, ProjectStats)> = visible.par_chunks_mut(CHUNK).map(shape_chunk).collect();
    let mut rows = ProjectRows::default();
    rows.events.reserve(visible.len());
    let mut stats = ProjectStats::default();
    for (part, counted) in chunks {
        rows.events.extend(part.events);
        rows.properties.extend(part.properties);
        stats.merge(&counted);
    }
    (rows, stats)
}

/// The event that a row was made from, as far as the row has it: enough to take back what it counted for.
pub(super) fn event_of(row: &OldRow) -> Event {
    let OldRow { event, properties } = row;
    let op = |p: &PropertyRow| PropertyOp {
        kind: p.op,
        name: p.name.clone(),
        // Written by ourselves; what does not parse any more was null.
        value: serde_json::from_str(&p.value_json).unwrap_or(Value::Null),
    };
    Event {
        name: event.event.clone(),
        time: event.time,
        user_id: event.user_id.clone(),
        device_id: event.device_id.clone(),
        insert_id: event.insert_id.clone(),
        session_id: event.session_id.clone(),
        properties: event.properties.clone(),
        person_ops: properties.iter().filter(|p| !p.subject.is_none()).map(op).collect(),
        group_ops: properties.iter().filter_map(group_op).collect(),
        groups: event.groups.clone(),
        annotations: event.annotations.clone(),
        ..Event::default()
    }
}

/// True if this event would come out as this row.
pub(super) fn is_row_of(row: &OldRow, event: &Event) -> bool {
    let OldRow { event: held, properties } = row;
    let visible = Visible {
        position: held.position,
        received_at: held.received_at,
        subject: held.subject,
        event: Box::new(event.clone()),
    };
    let (rows, _) = shape_chunk(&mut [visible]);
    rows.events.first() == Some(held) && rows.properties == *properties
}

fn shape_chunk(chunk: &mut [Visible]) -> (ProjectRows, ProjectStats) {
    let mut rows = ProjectRows { events: Vec::with_capacity(chunk.len()), properties: Vec::new() };
    let mut stats = StatsBuilder::default();
    for visible in chunk {
        stats.add(&visible.event);
        let event = std::mem::take(&mut *visible.event);
        // Properties of nobody have no one to belong to, so no query could read them; only the log holds them.
        if !visible.subject.is_none() {
            rows.properties.extend((0..).zip(&event.person_ops).map(|(index, op)| PropertyRow {
                subject: visible.subject,
                name: op.name.clone(),
                op: op.kind,
                value_json: op.value.to_string(),
                time: event.time,
                position: visible.position,
                received_at: visible.received_at,
                index,
            }));
        }
        rows.properties.extend(group_rows(&event, visible.position, visible.received_at));
        rows.events.push(EventRow {
            position: visible.position,
            received_at: visible.received_at,
            time: event.time,
            event: event.name,
            subject: visible.subject,
            user_id: event.user_id,
            device_id: event.device_id,
            insert_id: event.insert_id,
            session_id: event.session_id,
            properties: event.properties,
            groups: event.groups,
            annotations: event.annotations,
        });
    }
    (rows, stats.finish())
}
