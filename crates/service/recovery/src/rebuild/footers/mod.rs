//! The books from segments, deltas and the log alone, when no copy of a commit is left. The last resort: it reads
//! every row and takes about 24 bytes of memory per event.
//!
//! ```text
//! segments ─▶ which of them count (`chosen`) ─▶ visible rows ─┐
//! deltas   ─▶ which fold into state (`folded`) ─▶ exceptions ─┼▶ what became of each offset ─▶ accounts (`accounts`)
//! log      ─▶ control records among the offsets without a trace ┘
//! ```
//! Guarantees: every offset below the new cursors has one account; an event of which no file has a trace is booked as
//! skipped, so that it is pending and a replay brings it back; every guess is said.
//! Deliberately not here: anything if there are copies of commits.

mod accounts;
mod chosen;
mod folded;

use super::RebuildReport;
use crate::RecoveryError;
use crate::archive::{Archive, ArchivedLog};
use std::sync::Arc;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{CommitRecord, Origin};
use tallymark_log::LogReader;
use tallymark_log::file::FileLogReader;
use tallymark_model::{CommitId, CommitSeq, LogId, Millis};
use tallymark_store::ObjectStore;

pub(super) async fn derive(
    catalog: &SqliteCatalog,
    store: &ObjectStore,
    log: Option<&FileLogReader>,
    report: &mut RebuildReport,
) -> Result<(), RecoveryError> {
    let deltas = folded::read(store, report).await?;
    let chosen = chosen::read(store, &deltas, report).await?;
    if deltas.is_empty() && chosen.is_empty() {
        // A new instance, or nothing but the log: everything is processed from there.
        return Ok(());
    }
    report.from_footers = true;
    report.unknown.push(
        "the commits: there is no copy of any. The books are derived from segments, deltas and the log; their \
         history (who skipped, replayed, reprocessed) is gone"
            .to_owned(),
    );
    let log_id = log.map(LogReader::id).or_else(|| chosen.log());
    let mut records = commits(&deltas, &chosen);
    let mut table = accounts::Table::new(log_id.unwrap_or(LogId(uuid::Uuid::nil())));
    chosen.visible(store, &mut table).await?;
    deltas.iter().for_each(|d| table.exceptions(&d.delta));
    let reader = match log {
        Some(log) => {
            Some(ArchivedLog::new(Arc::new(log.clone()), Archive::open(store.clone(), log.id()).await?))
        }
        None => None,
    };
    let advances = table.advances(reader.as_ref().map(|r| r as &dyn LogReader), report).await?;
    let last = records.last().map_or(0, |r| r.created_at);
    records.push(CommitRecord {
        advances,
        origin: Origin::Repair { job: 0 },
        ..record(CommitId(uuid::Uuid::now_v7()), last)
    });
    for (record, seq) in records.iter_mut().zip(1..) {
        record.seq = CommitSeq(seq);
    }
    for batch in records.chunks(500) {
        catalog.replay(batch).await?;
    }
    report.commits = records.len() as u64;
    if let Some(id) = log_id
        && log.is_none()
    {
        catalog.bind_log(id).await?;
    }
    Ok(())
}

/// One commit for each that left a file: its delta and its segments, in the order in which they were made.
fn commits(deltas: &[folded::Folded], chosen: &chosen::Chosen) -> Vec<CommitRecord> {
    let mut records: std::collections::BTreeMap<CommitId, CommitRecord> = std::collections::BTreeMap::new();
    for folded in deltas {
        let id = folded.delta.commit;
        records.entry(id).or_insert_with(|| record(id, made_at(id))).delta = Some(folded.key.clone());
    }
    for group in chosen.groups() {
        let known =
            records.entry(group.commit).or_insert_with(|| record(group.commit, made_at(group.commit)));
        known.added = group.segments.clone();
        known.masks = group.masks.clone();
    }
    records.into_values().collect()
}

fn record(id: CommitId, created_at: Millis) -> CommitRecord {
    CommitRecord {
        seq: CommitSeq(0),
        id,
        delta: None,
        advances: Vec::new(),
        created_at,
        added: Vec::new(),
        removed: Vec::new(),
        origin: Origin::Live,
        restated: Vec::new(),
        masks: Vec::new(),
    }
}

/// Ids of commits begin with the time at which they were made.
fn made_at(id: CommitId) -> Millis {
    let (seconds, nanos) = id.0.get_timestamp().map_or((0, 0), |t| t.to_unix());
    Millis::try_from(seconds).unwrap_or(0).saturating_mul(1_000) + Millis::from(nanos / 1_000_000)
}
