//! Persons whose erasure is final, projects whose deletion is final, and the segments that still hold their rows.
//!
//! Guarantees: nothing is erased before its time to undo has passed, and no person before every shard has passed
//! the record that says so; a wish counts as done only when no live segment holds a row of it.
//! Deliberately not here: hiding rows meanwhile (`query`), the merge that leaves them out (`merge`).

use crate::follow::Follower;
use crate::{Catalog, ErasedRows, Result};
use model::{Millis, ProjectId, Shard};
use std::collections::BTreeMap;
use tallymark_catalog::ErasureDocument;
use tallymark_ledger::SegmentMeta;
use tallymark_model as model;
use tallymark_store::{Column, ObjectStore, SegmentReader, StoreError};

/// What is to go from one project.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub project: ProjectId,
    pub rows: ErasedRows,
    /// The wishes that are done when no such row is left.
    pub wishes: Vec<u32>,
}

/// What is due now.
pub(crate) async fn due(catalog: &dyn Catalog, follower: &Follower, now: Millis) -> Result<Vec<Due>> {
    let mut found: BTreeMap<ProjectId, Due> = BTreeMap::new();
    for (project, undo_until) in catalog.deleted_projects().await? {
        if undo_until <= now {
            found.insert(project.id, Due { project: project.id, rows: ErasedRows::All, wishes: Vec::new() });
        }
    }
    let wishes = catalog.erasures(None).await?;
    let open: Vec<&ErasureDocument> = wishes.iter().filter(|w| is_final(w, now)).collect();
    if open.is_empty() {
        return Ok(found.into_values().collect());
    }
    let shards: Vec<Shard> =
        catalog.cursors().await?.into_iter().filter(|c| c.position > 0).map(|c| c.shard).collect();
    for wish in open {
        let project = wish.erasure.project;
        let Some(from) = follower.erasure(project, wish.erasure.id) else { continue };
        if !shards.iter().all(|shard| from.contains_key(shard)) {
            continue;
        }
        let rows = || ErasedRows::Of(follower.snapshot(project).erased, now);
        let due = found.entry(project).or_insert_with(|| Due { project, rows: rows(), wishes: Vec::new() });
        due.wishes.push(wish.erasure.id);
    }
    Ok(found.into_values().collect())
}

fn is_final(wish: &ErasureDocument, now: Millis) -> bool {
    let published = wish.published_at.is_some();
    published && wish.completed_at.is_none() && !wish.erasure.undone && wish.erasure.undo_until <= now
}

/// True if a segment holds such a row. One that was merged away meanwhile holds nothing.
pub(crate) fn holds(store: &ObjectStore, segment: &SegmentMeta, rows: &ErasedRows) -> Result<bool> {
    if matches!(rows, ErasedRows::All) {
        return Ok(true);
    }
    let reader = match SegmentReader::open(store, segment) {
        Err(StoreError::NotFound { .. }) => return Ok(false),
        opened => opened?,
    };
    for (group, info) in reader.row_groups().iter().enumerate() {
        if !rows.may_touch(info.subject_min, info.subject_max) {
            continue;
        }
        let batch = reader.read(group, &[Column::Subject, Column::ReceivedAt, Column::Position])?;
        if crate::merge::subjects_of(&batch)?.any(|(subject, seq)| rows.contains(subject, seq)) {
            return Ok(true);
        }
    }
    Ok(false)
}
