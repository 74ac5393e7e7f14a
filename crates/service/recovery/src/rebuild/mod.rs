//! A new catalog from what lies in the object store, when the old one is lost, emptied or damaged.
//!
//! ```text
//! settings/ ─▶ projects, keys, people, rules      commits/ ─▶ books, cursors, segments, masks
//! ```
//! The new file is built beside the old one, verified, and put in its place by one rename. What happened after the
//! last copied commit is processed again from the log: its segments are never named by a commit and go as garbage.
//! Guarantees: the old file is kept under another name; a crash at any step leaves the old or the new catalog in
//! place; refused while a process works on the folder. What could not be known is said.
//! Deliberately not here: repairing segments that are missing, state (it folds itself from the deltas).

mod fold;
mod footers;
mod locks;
mod switch;

pub(crate) use locks::Locks;

use crate::archive::Archive;
use crate::copies::newest_settings;
use crate::failpoint::{EnvFailpoint, Failpoint, Step, pass};
use crate::{BooksReport, Places, RecoveryError, books};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{Feed, Garbage, Snapshots};
use tallymark_log::file::{FileLog, FileLogConfig, FileLogReader};
use tallymark_log::{LogReader, OpenError};
use tallymark_model::{CommitSeq, Epoch, LogId};
use tallymark_store::ObjectStore;

/// What was done and found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RebuildReport {
    /// Commits that were applied again.
    pub commits: u64,
    /// The newest of them.
    pub seq: CommitSeq,
    /// Copy of the settings that was used.
    pub settings: Option<String>,
    /// True if there were no copies of commits, so that everything comes from segments, deltas and the log.
    pub from_footers: bool,
    /// What the new catalog does not know and what to do about it, a line each.
    pub unknown: Vec<String>,
    /// Segments and deltas that are missing or damaged: `tallymark rebuild` derives them again.
    pub repairs: Vec<String>,
    /// What the new books were compared with.
    pub books: BooksReport,
    /// Where the old catalog is now, if there was one.
    pub old: Option<PathBuf>,
    /// How long it took.
    pub seconds: f64,
}

/// Builds a new catalog and puts it in place.
pub async fn rebuild_catalog(places: &Places) -> Result<RebuildReport, RecoveryError> {
    rebuild_catalog_with(places, Arc::new(EnvFailpoint::from_env())).await
}

/// The same with failpoints, for tests.
pub async fn rebuild_catalog_with(
    places: &Places,
    failpoint: Arc<dyn Failpoint>,
) -> Result<RebuildReport, RecoveryError> {
    let started = Instant::now();
    let _locks = Locks::take(places)?;
    let store = tallymark_store::open(&places.objects_url())?;
    let log = log(places)?;
    let mut report = RebuildReport::default();
    let beside = switch::beside(places);
    switch::clear(&beside)?;

    let catalog = SqliteCatalog::create_offline(&beside).await?;
    fold::commits(&catalog, &store, &mut report).await?;
    if report.commits == 0 {
        footers::derive(&catalog, &store, log.as_ref(), &mut report).await?;
    }
    settings(&catalog, &store, log.as_ref(), &mut report).await?;
    fold::name_projects(&catalog, &mut report).await?;
    report.seq = catalog.latest_seq().await?;
    let highest = catalog.live().await?.iter().map(|s| s.epoch).max().unwrap_or(Epoch(0));
    // Behind every epoch that a file may carry, so that none of them can be mistaken for current work.
    catalog.raise_epoch(Epoch(highest.0 + 1)).await?;
    catalog.note("catalog.rebuilt", &format!("commit {}", report.seq.0)).await?;
    pass(failpoint.as_ref(), Step::RebuildBuilt)?;

    check(&catalog, &store, log.as_ref(), &mut report).await?;
    catalog.settle(&beside).await?;
    pass(failpoint.as_ref(), Step::RebuildVerified)?;
    report.old = switch::switch(places, &beside, failpoint.as_ref())?;
    pass(failpoint.as_ref(), Step::RebuildSwitched)?;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// The log, if there is one.
fn log(places: &Places) -> Result<Option<FileLogReader>, RecoveryError> {
    match FileLog::open_reader(&places.log, &FileLogConfig::default()) {
        Ok(log) => Ok(Some(log)),
        Err(OpenError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn settings(
    catalog: &SqliteCatalog,
    store: &ObjectStore,
    log: Option<&FileLogReader>,
    report: &mut RebuildReport,
) -> Result<(), RecoveryError> {
    let (copy, problems) = newest_settings(store).await?;
    report.unknown.extend(problems.into_iter().map(|p| format!("settings: {p}; an older copy is used")));
    match copy {
        Some((key, copy)) => {
            catalog.load_settings(&copy).await?;
            report.settings = Some(key);
        }
        None => report.unknown.push(
            "projects' names, keys, people, and the documents of rules and erasures: there is no copy of the \
             settings. Projects get names by number; create keys and users again. Rules and erasures that were \
             published stay in force, they are in the log"
                .to_owned(),
        ),
    }
    let bound = catalog.log_id().await?;
    match (bound, log.map(LogReader::id)) {
        (None, Some(id)) => catalog.bind_log(id).await?,
        (Some(bound), Some(id)) if bound != id => {
            return Err(RecoveryError::Foreign {
                place: "the object store".to_owned(),
                found: bound.to_string(),
                expected: id.to_string(),
            });
        }
        (None, None) => report
            .unknown
            .push("which log the books belong to: there is no log and no copy of the settings".to_owned()),
        _ => {}
    }
    Ok(())
}

/// Refuses books that do not add up; files that are missing can be derived again and are listed.
async fn check(
    catalog: &SqliteCatalog,
    store: &ObjectStore,
    log: Option<&FileLogReader>,
    report: &mut RebuildReport,
) -> Result<(), RecoveryError> {
    let mut found = books(catalog, store, log.map(|l| l as &dyn LogReader)).await?;
    let mut wrong = Vec::new();
    for problem in std::mem::take(&mut found.problems) {
        let is_file = problem.starts_with("I4: ") || problem.starts_with("I8: ");
        let from_log = problem.starts_with("I9: ");
        if is_file {
            report.repairs.push(problem);
        } else if from_log {
            // The archive may still have what the log gave up.
            report.unknown.push(archived(catalog, store, log, problem).await?);
        } else {
            wrong.push(problem);
        }
    }
    found.problem_count = wrong.len() as u64;
    report.books = found;
    if wrong.is_empty() { Ok(()) } else { Err(RecoveryError::Unsound(wrong)) }
}

async fn archived(
    catalog: &SqliteCatalog,
    store: &ObjectStore,
    log: Option<&FileLogReader>,
    problem: String,
) -> Result<String, RecoveryError> {
    let Some(log) = log else { return Ok(problem) };
    let id: LogId = log.id();
    let archive = Archive::open(store.clone(), id).await?;
    for cursor in catalog.cursors().await? {
        let start = log.bounds(cursor.shard).await?.start;
        if start > cursor.position && archive.begins(cursor.shard, start) > cursor.position {
            return Ok(format!("{problem}, and the archive does not have what lies between"));
        }
    }
    Ok(format!("{problem}; what lies between is read from the archive"))
}
