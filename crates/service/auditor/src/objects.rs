//! Every live segment should be where the catalog says, with the size it says.

use crate::error::Result;
use crate::{Deps, Fault, FindingKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tallymark_ledger::{Interval, SegmentMeta};
use tallymark_model::{CommitSeq, ProjectId, SegmentId};
use tallymark_store::{ObjectStore, SEGMENTS, StoreError};

/// Live segments with what is masked in them.
pub(crate) type Live = BTreeMap<SegmentId, (SegmentMeta, Vec<Interval>)>;

/// The live segments of every project as of a commit (the newest if `None`).
pub(crate) async fn live(deps: &Deps, at: Option<CommitSeq>) -> Result<Live> {
    let catalog = &deps.catalog;
    // Deleted projects keep their files until it is too late to undo. Asked on both sides, because one may be deleted
    // or brought back in between.
    let mut projects: BTreeSet<ProjectId> = catalog.projects().await?.into_iter().map(|p| p.id).collect();
    projects.extend(catalog.deleted_projects().await?.into_iter().map(|(p, _)| p.id));
    projects.extend(catalog.projects().await?.into_iter().map(|p| p.id));
    let mut live = Live::new();
    for project in projects {
        let mut snapshot = catalog.snapshot(project, at).await?;
        for segment in snapshot.segments {
            let masked = snapshot.masked.remove(&segment.id).unwrap_or_default();
            live.insert(segment.id, (segment, masked));
        }
    }
    Ok(live)
}

/// Faults of the files that are not there or too short, by segment. What was merged away between the two looks is
/// looked for again before anything is said.
pub(crate) async fn missing(deps: &Deps) -> Result<(Live, BTreeMap<SegmentId, Fault>)> {
    let before = live(deps, None).await?;
    let listed: HashMap<String, u64> =
        deps.store.list(SEGMENTS).await?.into_iter().map(|o| (o.key, o.bytes)).collect();
    let wrong =
        |(segment, _): &&(SegmentMeta, Vec<Interval>)| listed.get(&segment.key) != Some(&segment.bytes);
    let suspects: Vec<SegmentMeta> =
        before.values().filter(wrong).map(|(segment, _)| segment.clone()).collect();
    if suspects.is_empty() {
        return Ok((before, BTreeMap::new()));
    }
    let now = live(deps, None).await?;
    let mut found = BTreeMap::new();
    for segment in suspects.into_iter().filter(|s| now.contains_key(&s.id)) {
        match deps.store.size(&segment.key) {
            Ok(bytes) if bytes == segment.bytes => {}
            Ok(bytes) => {
                let text = format!("{} has {bytes} bytes instead of {}", segment.key, segment.bytes);
                found.insert(segment.id, of_segment(FindingKind::DamagedObject, &segment, text));
            }
            Err(StoreError::NotFound { .. }) => {
                let text = format!("{} is missing", segment.key);
                found.insert(segment.id, of_segment(FindingKind::MissingObject, &segment, text));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((now, found))
}

/// What a failure to read a segment means.
pub(crate) fn fault_of(segment: &SegmentMeta, error: &StoreError) -> Fault {
    let kind = match error {
        StoreError::NotFound { .. } => FindingKind::MissingObject,
        _ => FindingKind::DamagedObject,
    };
    of_segment(kind, segment, error.to_string())
}

fn of_segment(kind: FindingKind, segment: &SegmentMeta, text: String) -> Fault {
    let mut fault = Fault::new(kind, text);
    fault.projects.insert(segment.project);
    // The first interval stands for all; how many there are, the number of rows says.
    if let Some(source) = segment.sources.first() {
        fault = fault.at(source.interval);
    }
    fault.of(segment.rows, (segment.received_min, segment.received_max))
}

/// True if a segment is still live: what is not may be gone.
pub(crate) async fn is_live(deps: &Deps, segment: &SegmentMeta) -> Result<bool> {
    let snapshot = deps.catalog.snapshot(segment.project, None).await?;
    Ok(snapshot.segments.iter().any(|s| s.id == segment.id))
}

/// True if an error may be the disk's or the machine's mood rather than the file's.
pub(crate) fn is_passing(store: &ObjectStore, segment: &SegmentMeta, error: &StoreError) -> bool {
    !matches!(error, StoreError::NotFound { .. } | StoreError::Corrupt { .. })
        && store.size(&segment.key).is_ok()
}
