//! The copies of commits, applied again in order.
//!
//! Guarantees: stops at the first copy that is missing, damaged or does not fit, and says so; what lies behind is
//! processed again from the log, never guessed.
//! Deliberately not here: the case without any copies (`footers`).

use super::RebuildReport;
use crate::RecoveryError;
use crate::copies::{COMMITS, read_commit};
use std::collections::{BTreeMap, BTreeSet};
use tallymark_catalog::sqlite::{SettingsCopy, SqliteCatalog, TableCopy};
use tallymark_catalog::{CatalogError, CommitRecord, Garbage, Settings};
use tallymark_model::{CommitSeq, ProjectId};
use tallymark_store::ObjectStore;

/// Commits applied in one transaction.
const BATCH: usize = 500;

pub(super) async fn commits(
    catalog: &SqliteCatalog,
    store: &ObjectStore,
    report: &mut RebuildReport,
) -> Result<(), RecoveryError> {
    let mut next = CommitSeq(1);
    loop {
        let (batch, stopped) = batch(store, next).await?;
        let applied = apply(catalog, &batch, report).await?;
        report.commits += applied;
        next = CommitSeq(next.0 + applied);
        if let Some(problem) = stopped {
            report.unknown.push(problem);
            return Ok(());
        }
        if applied < batch.len() as u64 || batch.len() < BATCH {
            break;
        }
    }
    beyond(store, next, report).await
}

/// The next copies; and why there are no more, if that is not the end.
async fn batch(
    store: &ObjectStore,
    from: CommitSeq,
) -> Result<(Vec<CommitRecord>, Option<String>), RecoveryError> {
    let mut records = Vec::new();
    while records.len() < BATCH {
        match read_commit(store, CommitSeq(from.0 + records.len() as u64)).await {
            Ok(Some(record)) => records.push(record),
            Ok(None) => break,
            Err(error @ RecoveryError::Damaged { .. }) => {
                let problem = format!("{error}; it and all later commits are processed again from the log");
                return Ok((records, Some(problem)));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((records, None))
}

/// Applies a batch; on one that does not fit, what comes before it.
async fn apply(
    catalog: &SqliteCatalog,
    records: &[CommitRecord],
    report: &mut RebuildReport,
) -> Result<u64, RecoveryError> {
    match catalog.replay(records).await {
        Ok(()) => return Ok(records.len() as u64),
        Err(CatalogError::Malformed(_) | CatalogError::Corrupt { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    for (applied, record) in (0..).zip(records) {
        match catalog.replay(std::slice::from_ref(record)).await {
            Ok(()) => {}
            Err(error @ (CatalogError::Malformed(_) | CatalogError::Corrupt { .. })) => {
                report
                    .unknown
                    .push(format!("{error}; it and all later commits are processed again from the log"));
                return Ok(applied);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(records.len() as u64)
}

/// Says whether there are copies behind a hole.
async fn beyond(
    store: &ObjectStore,
    next: CommitSeq,
    report: &mut RebuildReport,
) -> Result<(), RecoveryError> {
    let newest = store.list(COMMITS).await?.pop();
    let newest = newest.and_then(|o| {
        o.key.strip_prefix(COMMITS)?.strip_prefix('/')?.strip_suffix(".json")?.parse::<u64>().ok()
    });
    if let Some(newest) = newest.filter(|newest| *newest >= next.0 && report.commits > 0) {
        report.unknown.push(format!(
            "commits {} to {newest}: the copy of {} is missing or does not fit; they are processed again from the log",
            next.0, next.0
        ));
    }
    Ok(())
}

/// Projects that have segments and no settings get a name, so that their charts can be reached.
pub(super) async fn name_projects(
    catalog: &SqliteCatalog,
    report: &mut RebuildReport,
) -> Result<(), RecoveryError> {
    let known: BTreeSet<ProjectId> = catalog.projects().await?.into_iter().map(|p| p.id).collect();
    let used: BTreeSet<ProjectId> = catalog.live().await?.into_iter().map(|s| s.project).collect();
    let nameless: Vec<ProjectId> =
        used.difference(&known).copied().filter(|p| *p != ProjectId::UNKNOWN).collect();
    if nameless.is_empty() {
        return Ok(());
    }
    let mut copy = catalog.copy_settings().await?;
    let table = copy.tables.remove("projects").unwrap_or_default();
    let mut rows: BTreeMap<String, TableCopy> = BTreeMap::new();
    rows.insert("projects".to_owned(), with_names(table, &nameless));
    catalog.load_settings(&SettingsCopy { tables: rows }).await?;
    for project in nameless {
        report.unknown.push(format!("the name of project {project}: it is called recovered-{project} now"));
    }
    Ok(())
}

fn with_names(mut table: TableCopy, nameless: &[ProjectId]) -> TableCopy {
    for project in nameless {
        let row = table.columns.iter().map(|column| match column.as_str() {
            "id" => project.0.into(),
            "name" => format!("recovered-{project}").into(),
            "timezone" => "UTC".into(),
            "week_start" => "monday".into(),
            "settings" => "{}".into(),
            "created_at" => 0.into(),
            _ => serde_json::Value::Null,
        });
        table.rows.push(row.collect());
    }
    table
}
