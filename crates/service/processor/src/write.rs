//! Rows to segment files in memory, all projects at once, on all cores.
//!
//! Guarantees: if a file cannot be encoded, the rows to blame are named, so that they can become dead letters and
//! the rest goes on.
//! Deliberately not here: storing the files.

use crate::steps::decide::ProjectRows;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tallymark_model::{Position, ProjectId, SegmentId};
use tallymark_store::{
    Encoded, EventRow, PropertyRow, Result as StoreResult, SegmentSpec, encode_events, encode_properties,
};

/// Positions whose rows no file can hold.
#[derive(Debug)]
pub(crate) struct Unstorable(pub Vec<Position>);

enum Part {
    Events(ProjectId, Vec<EventRow>),
    Properties(ProjectId, Vec<PropertyRow>),
}

/// One events file per project, and one for its property operations if there are any.
pub(crate) fn encode_all(
    rows: BTreeMap<ProjectId, ProjectRows>,
    spec: &SegmentSpec,
) -> Result<Vec<Encoded>, Unstorable> {
    let parts: Vec<Part> = rows
        .into_iter()
        .flat_map(|(project, rows)| {
            [Part::Events(project, rows.events), Part::Properties(project, rows.properties)]
        })
        .filter(|part| !matches!(part, Part::Events(_, r) if r.is_empty()))
        .filter(|part| !matches!(part, Part::Properties(_, r) if r.is_empty()))
        .collect();
    let encoded: Vec<Result<Encoded, Unstorable>> =
        parts.into_par_iter().map(|part| encode(part, spec)).collect();
    let mut files = Vec::with_capacity(encoded.len());
    let mut bad = Vec::new();
    for result in encoded {
        match result {
            Ok(file) => files.push(file),
            Err(Unstorable(positions)) => bad.extend(positions),
        }
    }
    if bad.is_empty() { Ok(files) } else { Err(Unstorable(bad)) }
}

fn encode(part: Part, spec: &SegmentSpec) -> Result<Encoded, Unstorable> {
    let spec_of = |project| SegmentSpec { id: SegmentId(uuid::Uuid::now_v7()), project, ..spec.clone() };
    match part {
        Part::Events(project, rows) => {
            whole_or_culprits(&rows, &spec_of(project), encode_events, |r| r.position)
        }
        Part::Properties(project, rows) => {
            whole_or_culprits(&rows, &spec_of(project), encode_properties, |r| r.position)
        }
    }
}

fn whole_or_culprits<R>(
    rows: &[R],
    spec: &SegmentSpec,
    encode: impl Fn(&[R], &SegmentSpec) -> StoreResult<Encoded>,
    position: impl Fn(&R) -> Position,
) -> Result<Encoded, Unstorable> {
    // Encoding only reads the rows, so nothing half-changed can be seen after a panic.
    let attempt = |rows: &[R]| catch_unwind(AssertUnwindSafe(|| encode(rows, spec)));
    let detail = match attempt(rows) {
        Ok(Ok(file)) => return Ok(file),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => crate::steps::decode::panic_text(panic.as_ref()),
    };
    let mut culprits: Vec<Position> = rows
        .iter()
        .filter(|row| !matches!(attempt(std::slice::from_ref(row)), Ok(Ok(_))))
        .map(&position)
        .collect();
    if culprits.is_empty() {
        // Each row alone is fine, only all together are not: give up on the whole rather than loop for ever.
        culprits = rows.iter().map(&position).collect();
    }
    tracing::error!(
        detail,
        rows = rows.len(),
        culprits = culprits.len(),
        "rows cannot be encoded; they become dead letters"
    );
    Err(Unstorable(culprits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_model::{CommitId, Epoch, Lane, LogId, SubjectId};
    use tallymark_store::StoreError;

    fn row(offset: u64, event: &str) -> EventRow {
        EventRow {
            position: Position { lane: Lane::Live, partition: 0, offset },
            received_at: 1,
            time: 1,
            event: event.to_owned(),
            subject: SubjectId(1),
            user_id: None,
            device_id: None,
            insert_id: None,
            session_id: None,
            properties: Default::default(),
            groups: Vec::new(),
            annotations: Vec::new(),
        }
    }

    fn picky(rows: &[EventRow], spec: &SegmentSpec) -> StoreResult<Encoded> {
        assert!(rows.iter().all(|r| r.event != "panics"), "cannot hold this");
        match rows.iter().any(|r| r.event == "fails") || rows.len() == 4 {
            true => Err(StoreError::Encode { key: spec.key(), detail: "no".into() }),
            false => encode_events(rows, spec),
        }
    }

    fn culprits(events: &[&str]) -> Option<Vec<u64>> {
        let rows: Vec<EventRow> = (0..).zip(events).map(|(i, e)| row(i, e)).collect();
        let id = uuid::Uuid::from_u128(1);
        let spec = SegmentSpec::new(ProjectId(1), LogId(id), CommitId(id), Epoch(1));
        let result = whole_or_culprits(&rows, &spec, picky, |r| r.position);
        result.err().map(|Unstorable(positions)| positions.iter().map(|p| p.offset).collect())
    }

    #[test]
    fn the_rows_to_blame_are_named() {
        assert_eq!(culprits(&["a", "b", "c"]), None);
        assert_eq!(culprits(&["a", "fails", "b", "panics", "c"]), Some(vec![1, 3]));
        assert_eq!(culprits(&["a", "b", "c", "d"]), Some(vec![0, 1, 2, 3]), "only together too much");
    }
}
