//! What the rebuild of segment files needs of single files: their order, their bytes, their positions.
//!
//! Guarantees: rows come in the order in which the compactor keeps files of that kind and level.
//! Deliberately not here: which rows (the rebuild).

use crate::projects::ProjectTable;
use crate::steps::decide::ProjectRows;
use crate::steps::decode::{Content, Decoded};
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use rustc_hash::FxHashSet;
use tallymark_catalog::{SegmentKind, SegmentMeta};
use tallymark_ledger::{Fingerprint, Interval};
use tallymark_model::{LogId, Position, ProjectId, Seq};
use tallymark_state::State;
use tallymark_store::{
    Column, Encoded, ObjectStore, SegmentReader, SegmentSpec, StoreError, encode_events, encode_properties,
};

/// Masked rows of a file: how many, and the sum over their positions.
pub(super) fn left_out(
    log: LogId,
    meta: &SegmentMeta,
    masked: &[Interval],
    records: &[Decoded],
    projects: &ProjectTable,
) -> (u64, Fingerprint) {
    let hidden = |d: &&Decoded| {
        owner(d, projects) == Some(meta.project) && masked.iter().any(|m| m.contains(d.position))
    };
    records
        .iter()
        .filter(hidden)
        .fold((0, Fingerprint::default()), |(n, sum), d| (n + 1, sum + Fingerprint::of(log, d.position)))
}

/// As the compactor orders files of this kind and level.
pub(super) fn order(rows: &mut ProjectRows, meta: &SegmentMeta, state: &State) {
    by_level(rows, meta.level);
    if meta.level < 2 {
        return;
    }
    let Some(mut graph) = state.project(meta.project).map(|p| p.graph.clone()) else { return };
    let view = graph.view();
    rows.events.sort_by_cached_key(|r| {
        let person = view.person_of(r.subject, Seq::new(r.received_at, r.position));
        (r.event.clone(), person, r.time, r.position)
    });
}

/// The order that needs no identity: of all files but those of a day.
pub(super) fn by_level(rows: &mut ProjectRows, level: u8) {
    rows.events.sort_by_key(|r| Seq::new(r.received_at, r.position));
    rows.properties.sort_by_key(|r| (Seq::new(r.received_at, r.position), r.index));
    // Operations on properties are sorted by name as soon as they are merged.
    if level > 0 {
        rows.properties.sort_by(|a, b| {
            (&a.name, a.subject, a.time, a.position, a.index)
                .cmp(&(&b.name, b.subject, b.time, b.position, b.index))
        });
    }
}

/// The file, unless it would be empty.
pub(super) fn encode(
    kind: SegmentKind,
    rows: ProjectRows,
    spec: &SegmentSpec,
) -> Result<Option<Encoded>, StoreError> {
    match kind {
        SegmentKind::Events if rows.events.is_empty() => Ok(None),
        SegmentKind::Properties if rows.properties.is_empty() => Ok(None),
        SegmentKind::Events => encode_events(&rows.events, spec).map(Some),
        SegmentKind::Properties => encode_properties(&rows.properties, spec).map(Some),
    }
}

/// Positions of the rows that count in these files.
pub(super) fn positions(
    store: &ObjectStore,
    segments: &[(SegmentMeta, Vec<Interval>)],
) -> Result<FxHashSet<Position>, StoreError> {
    let mut found = FxHashSet::default();
    for (meta, masked) in segments {
        let reader = SegmentReader::open(store, meta)?;
        for group in 0..reader.row_groups().len() {
            let batch = reader.read(group, &[Column::Position])?;
            let Some(column) = batch.column(0).as_primitive_opt::<UInt64Type>() else { continue };
            let all = column.values().iter().filter_map(|p| Position::unpack(*p));
            found.extend(all.filter(|p| !masked.iter().any(|m| m.contains(*p))));
        }
    }
    Ok(found)
}

/// Whose a record is.
pub(super) fn owner(record: &Decoded, projects: &ProjectTable) -> Option<ProjectId> {
    match &record.content {
        Content::Event { token, project, .. } => project.or_else(|| projects.get(token).copied()),
        Content::Control(_) => None,
    }
}
