//! Do catalog, segments, deltas and log agree? The checks that need no row to be read.
//!
//! Guarantees: reads everything from where it is kept, never from a cache; a finding is a line for people.
//! Deliberately not here: deriving every outcome again from the rows (`tallymark verify` in the server).

use crate::RecoveryError;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{Feed, Garbage, Snapshots};
use tallymark_ledger::{Account, Book, Entry, Fingerprint, SegmentKind};
use tallymark_log::LogReader;
use tallymark_model::{CommitSeq, ProjectId};
use tallymark_store::{ObjectStore, SegmentReader};

/// Commits read at a time.
const PAGE: usize = 500;
/// Findings that are kept; all are counted.
const KEPT: usize = 100;

/// What the books, the files and the log say of each other.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BooksReport {
    /// The newest commit.
    pub seq: CommitSeq,
    /// Live segments whose footers were compared.
    pub segments: u64,
    /// Events in the books.
    pub events: u64,
    /// Deltas that are there.
    pub deltas: u64,
    /// How many things do not agree.
    pub problem_count: u64,
    /// The first of them.
    pub problems: Vec<String>,
}

impl BooksReport {
    /// True if everything agrees.
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    fn problem(&mut self, what: String) {
        self.problem_count += 1;
        if self.problems.len() < KEPT {
            self.problems.push(what);
        }
    }
}

/// Checks the books of a catalog against its files and, if given, its log.
pub async fn books(
    catalog: &SqliteCatalog,
    store: &ObjectStore,
    log: Option<&dyn LogReader>,
) -> Result<BooksReport, RecoveryError> {
    let mut report = BooksReport { seq: catalog.latest_seq().await?, ..BooksReport::default() };
    for line in catalog.integrity().await? {
        report.problem(format!("catalog file: {line}"));
    }
    ledger(catalog, &mut report).await?;
    segments(catalog, store, &mut report).await?;
    deltas(catalog, store, &mut report).await?;
    if let Some(log) = log {
        against_log(catalog, log, &mut report).await?;
    }
    Ok(report)
}

/// I2 and I3 of what is stored.
async fn ledger(catalog: &SqliteCatalog, report: &mut BooksReport) -> Result<(), RecoveryError> {
    let mut book = Book::new();
    for cursor in catalog.cursors().await? {
        book.open(cursor.shard, 0, cursor.position);
    }
    for row in catalog.ledger(None, None, None).await? {
        book.record(Entry { interval: row.interval, account: row.account });
    }
    report.events = book.total().total();
    book.verify().iter().for_each(|v| report.problem(v.to_string()));
    let parts = catalog.tally(None).await?;
    if parts != book.total() {
        report.problem(format!("I3: the projects' parts are {parts:?}, the whole is {:?}", book.total()));
    }
    Ok(())
}

/// Every live segment is there, says what the catalog says, and together they hold what the books count (I4).
async fn segments(
    catalog: &SqliteCatalog,
    store: &ObjectStore,
    report: &mut BooksReport,
) -> Result<(), RecoveryError> {
    let live = catalog.live().await?;
    let mut held: BTreeMap<ProjectId, (u64, Fingerprint)> = BTreeMap::new();
    for meta in &live {
        report.segments += 1;
        let owned = (store.clone(), meta.clone());
        let opened = crate::archive::blocking(move || {
            Ok(SegmentReader::open_key(&owned.0, &owned.1.key).map(|reader| reader.meta() == &owned.1))
        });
        match opened.await? {
            Ok(true) => {}
            Ok(false) => {
                report.problem(format!("I4: the footer of {} does not agree with the catalog", meta.key))
            }
            Err(error) => report.problem(format!("I4: {error}")),
        }
        if meta.kind == SegmentKind::Events {
            let sum = held.entry(meta.project).or_default();
            *sum = (sum.0 + meta.rows, sum.1 + meta.fingerprint);
        }
    }
    let ids: Vec<_> = live.iter().map(|m| m.id).collect();
    if !catalog.masked(&ids).await?.is_empty() {
        // Rows that are masked stay in files until compaction: which, only the rows themselves say.
        return Ok(());
    }
    let mut booked: BTreeMap<ProjectId, (u64, Fingerprint)> = BTreeMap::new();
    let projects: HashSet<ProjectId> = held.keys().copied().chain(known_projects(catalog).await?).collect();
    for project in projects {
        for row in catalog.ledger(Some(project), None, None).await? {
            if matches!(row.account, Account::Accounted { .. }) {
                let sum = booked.entry(project).or_default();
                *sum = (sum.0 + row.tally.visible, sum.1 + row.visible);
            }
        }
        let (held, booked) = (held.get(&project).copied(), booked.get(&project).copied());
        if held.unwrap_or_default() != booked.unwrap_or_default() {
            report.problem(format!(
                "I4: project {project}: the segments hold {:?}, the books say {:?}",
                held.unwrap_or_default(),
                booked.unwrap_or_default()
            ));
        }
    }
    Ok(())
}

async fn known_projects(catalog: &SqliteCatalog) -> Result<Vec<ProjectId>, RecoveryError> {
    use tallymark_catalog::Settings;
    Ok(catalog.projects().await?.into_iter().map(|p| p.id).collect())
}

/// State can be folded (I8): every delta that a commit names is there.
async fn deltas(
    catalog: &SqliteCatalog,
    store: &ObjectStore,
    report: &mut BooksReport,
) -> Result<(), RecoveryError> {
    let mut after = CommitSeq(0);
    loop {
        let page = catalog.feed(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
        for (seq, key) in page.iter().filter_map(|r| Some((r.seq, r.delta.as_ref()?))) {
            match store.size(key) {
                Ok(_) => report.deltas += 1,
                Err(error) => report.problem(format!("I8: delta of commit {}: {error}", seq.0)),
            }
        }
    }
}

/// The catalog is of this log, and not ahead of it.
async fn against_log(
    catalog: &SqliteCatalog,
    log: &dyn LogReader,
    report: &mut BooksReport,
) -> Result<(), RecoveryError> {
    match catalog.log_id().await? {
        Some(bound) if bound != log.id() => {
            report.problem(format!("the catalog belongs to log {bound}, this is log {}", log.id()));
            return Ok(());
        }
        _ => {}
    }
    for cursor in catalog.cursors().await? {
        let bounds = log.bounds(cursor.shard).await?;
        if cursor.position > bounds.end {
            report.problem(format!(
                "I1: {}: the books reach {}, the log ends at {}",
                cursor.shard, cursor.position, bounds.end
            ));
        }
        if bounds.start > cursor.position {
            report.problem(format!(
                "I9: {}: the log begins at {}, but the books reach {} only",
                cursor.shard, bounds.start, cursor.position
            ));
        }
    }
    Ok(())
}
