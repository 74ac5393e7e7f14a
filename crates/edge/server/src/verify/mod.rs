//! `tallymark verify`: the accounting identity, derived again from the files.
//!
//! Guarantees: reads the log, the segments and the deltas, and never the processor's own counts except to compare
//! them; restated ranges, masked and erased rows count as the newest commit has them; works beside a running server (it pins one commit) and beside a stopped one; changes nothing.
//! Deliberately not here: repair.

mod evidence;
mod report;
mod shards;

pub use report::{Report, VerifyError};

use crate::Layout;
use evidence::Evidence;
use std::path::Path;
use std::time::Instant;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{CommitRecord, Cursor, Feed, LedgerRow, Snapshots};
use tallymark_log::LogReader;
use tallymark_log::file::{FileLog, FileLogConfig};
use tallymark_model::CommitSeq;

/// Commits read from the feed at a time.
const PAGE: usize = 500;
/// How often the books are read again because a commit came in between.
const READ_TRIES: u32 = 100;

/// Verifies everything below a data folder.
pub async fn run(data: &Path) -> Result<Report, VerifyError> {
    let started = Instant::now();
    let layout = Layout::new(data);
    if !layout.catalog().exists() {
        return Err(VerifyError::NothingThere(data.display().to_string()));
    }
    let catalog = SqliteCatalog::open(&layout.catalog(), OpenMode::Existing).await?;
    let store = tallymark_store::open(&layout.objects_url())?;
    let log = FileLog::open_reader(&layout.log(), &FileLogConfig::default())?;
    let mut report = Report::default();
    if let Some(bound) = catalog.log_id().await?
        && bound != log.id()
    {
        report.violation(format!("the catalog belongs to log {bound}, the folder holds log {}", log.id()));
        return Ok(report);
    }
    let books = books(&catalog).await?;
    let commits = commits(&catalog, books.seq).await?;
    report.commits = commits.len() as u64;
    let evidence = Evidence::collect(&catalog, &store, &commits, books.seq, log.id(), &mut report).await?;
    shards::check(&log, &books.rows, &books.cursors, &evidence, &mut report).await?;
    evidence.check_witnesses(&mut report);
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// The books as of one commit.
struct Books {
    seq: CommitSeq,
    rows: Vec<LedgerRow>,
    cursors: Vec<Cursor>,
}

async fn books(catalog: &SqliteCatalog) -> Result<Books, VerifyError> {
    for _ in 0..READ_TRIES {
        let seq = catalog.latest_seq().await?;
        let (rows, cursors) = (catalog.ledger(None, None, None).await?, catalog.cursors().await?);
        if catalog.latest_seq().await? == seq {
            return Ok(Books { seq, rows, cursors });
        }
    }
    Err(VerifyError::Restless)
}

async fn commits(catalog: &SqliteCatalog, upto: CommitSeq) -> Result<Vec<CommitRecord>, VerifyError> {
    let mut all: Vec<CommitRecord> = Vec::new();
    loop {
        let after = all.last().map_or(CommitSeq::default(), |c| c.seq);
        let mut page = catalog.feed(after, PAGE).await?;
        page.retain(|c| c.seq <= upto);
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
