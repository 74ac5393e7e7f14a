//! The rows that files hold now at given positions.
//!
//! Guarantees: masked rows are left out; a segment that cannot hold one of them is not opened.
//! Deliberately not here: who asks (jobs that decide records again by rules of another time).

use crate::error::ProcessorError;
use crate::restate::runs;
use crate::run::Deps;
use crate::steps::decide::OldRow;
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use std::collections::{BTreeMap, BTreeSet};
use tallymark_catalog::{SegmentKind, SegmentMeta};
use tallymark_ledger::Interval;
use tallymark_model::{Position, ProjectId};
use tallymark_store::{Column, ObjectStore, SegmentReader, StoreError};

/// Rows by position, with their project.
pub(crate) type Rows = BTreeMap<Position, (ProjectId, OldRow)>;

/// Finds the visible rows at these positions, as of the newest commit.
pub(crate) async fn rows_at(deps: &Deps, wanted: BTreeSet<Position>) -> Result<Rows, ProcessorError> {
    let mut found = Rows::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let intervals = runs(wanted.iter().copied());
    for project in deps.catalog.projects().await? {
        let snapshot = deps.catalog.snapshot(project.id, None).await?;
        let may = |s: &&SegmentMeta| {
            s.sources.iter().any(|source| intervals.iter().any(|i| i.overlaps(&source.interval)))
        };
        let segments: Vec<(SegmentMeta, Vec<Interval>)> = snapshot
            .segments
            .iter()
            .filter(may)
            .map(|s| (s.clone(), snapshot.masked.get(&s.id).cloned().unwrap_or_default()))
            .collect();
        if segments.is_empty() {
            continue;
        }
        let (store, wanted) = (deps.store.clone(), wanted.clone());
        let read = tokio::task::spawn_blocking(move || read_all(&store, project.id, &segments, &wanted));
        let part =
            read.await.map_err(|e| ProcessorError::Panicked { step: "rows", message: e.to_string() })??;
        found.extend(part);
    }
    Ok(found)
}

fn read_all(
    store: &ObjectStore,
    project: ProjectId,
    segments: &[(SegmentMeta, Vec<Interval>)],
    wanted: &BTreeSet<Position>,
) -> Result<Rows, StoreError> {
    let mut found = Rows::new();
    let counts =
        |p: &Position, masked: &[Interval]| wanted.contains(p) && !masked.iter().any(|m| m.contains(*p));
    let of = |kind| segments.iter().filter(move |(meta, _)| meta.kind == kind);
    for (meta, masked) in of(SegmentKind::Events) {
        let reader = SegmentReader::open(store, meta)?;
        for group in 0..reader.row_groups().len() {
            let batch = reader.read(group, &[Column::Position])?;
            let Some(positions) = batch.column(0).as_primitive_opt::<UInt64Type>() else { continue };
            let rows: Vec<u32> = (0..)
                .zip(positions.values())
                .filter(|(_, p)| Position::unpack(**p).is_some_and(|p| counts(&p, masked)))
                .map(|(row, _)| row)
                .collect();
            if rows.is_empty() {
                continue;
            }
            for event in reader.event_rows(group, &rows)? {
                found.insert(event.position, (project, OldRow { event, properties: Vec::new() }));
            }
        }
    }
    for (meta, masked) in of(SegmentKind::Properties) {
        let reader = SegmentReader::open(store, meta)?;
        for row in reader.property_rows() {
            let row = row?;
            if counts(&row.position, masked)
                && let Some((_, held)) = found.get_mut(&row.position)
            {
                held.properties.push(row);
            }
        }
    }
    found.values_mut().for_each(|(_, row)| row.properties.sort_by_key(|p| p.index));
    Ok(found)
}
