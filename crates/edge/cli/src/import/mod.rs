//! `tallymark import FILE --map …`: a file's rows as events, through the front door.
//!
//! Guarantees: a row always gets the same insert id, so importing a file twice adds nothing; an interrupted
//! import goes on where the last acknowledged batch ended; a bad row is reported with its line and reason and
//! never holds up the good ones.

pub mod mapping;
mod progress;

use crate::client::{Client, ClientError};
use indicatif::ProgressBar;
use mapping::{ArgumentError, from_arguments};
use progress::Progress;
use serde_json::Value;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tallymark_mapping::Mapping;
use tallymark_vacuum::rows::{ReadOptions, Rows, by_name};

/// Rows of one request.
const BATCH: usize = 2_000;
/// How many refused rows are shown at the end; all are in the rejects file.
const SHOWN: usize = 10;

/// What to import and how.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    /// `.csv`, `.ndjson` or `.jsonl`, optionally with `.gz`, `.zst` or `.br`; `.parquet`; or a `.zip` of such.
    pub file: PathBuf,
    /// A mapping file (TOML or JSON), or `field=expression`; repeatable. Without a mapping, NDJSON rows are
    /// taken as events of the native API.
    #[arg(long = "map")]
    pub map: Vec<String>,
    /// Project, by id or name.
    #[arg(long)]
    pub project: String,
    /// Show the first events and what would be refused, send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Send every row even if this file was imported before (the server counts them as duplicates).
    #[arg(long)]
    pub again: bool,
    /// Folder for progress and rejected rows.
    #[arg(long, default_value = ".tallymark-import")]
    pub state: PathBuf,
}

/// What an import did.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct ImportReport {
    /// Rows read.
    pub rows: u64,
    /// Rows acknowledged durable by the server in this run.
    pub sent: u64,
    /// Rows skipped because an earlier run had sent them.
    pub skipped: u64,
    /// Rows that could not be sent.
    pub rejected: u64,
    /// The first rejected rows: line and reason.
    pub rejects: Vec<(u64, String)>,
    /// With `--dry-run`: the first mapped events.
    pub sample: Vec<Value>,
}

/// What can go wrong with the whole import (a bad row never does).
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The mapping is not usable.
    #[error(transparent)]
    Mapping(#[from] ArgumentError),
    /// The file, the progress file or the rejects file.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: String,
        /// The reason.
        why: std::io::Error,
    },
    /// CSV needs a mapping.
    #[error(
        "{0} needs a mapping: add --map mapping.toml, or --map event=… --map time=… (see docs/import.md)"
    )]
    NoMapping(String),
    /// The server did not take the rows.
    #[error("stopped after {done} rows; run the same command again to go on there: {why}")]
    Send {
        /// Rows acknowledged so far.
        done: u64,
        /// The reason.
        why: ClientError,
    },
}

/// Runs the import. `client` must carry the project's write key; it may be `None` for a dry run.
pub async fn run(
    args: &ImportArgs,
    client: Option<&Client>,
    bar: ProgressBar,
) -> Result<ImportReport, ImportError> {
    let shown = args.file.display().to_string();
    let on_file = |why| ImportError::File { path: shown.clone(), why };
    let mapping = match (args.map.is_empty(), shown.contains(".csv")) {
        (false, _) => Some(Mapping::compile(&from_arguments(&args.map)?).map_err(ArgumentError::from)?),
        (true, true) => return Err(ImportError::NoMapping(shown)),
        (true, false) => None,
    };
    let size = std::fs::metadata(&args.file).map_err(on_file)?.len();
    bar.set_length(size);
    let mut progress =
        Progress::open(&args.state, &args.file, size, &args.map, &args.project).map_err(on_file)?;
    let resume_at = if args.again { 0 } else { progress.done() };
    let mut report = ImportReport::default();
    let read = Arc::new(AtomicU64::new(0));
    let rows = open(&args.file, &read).map_err(on_file)?;
    let mut ids = Ids::default();
    let mut batch: Vec<(u64, Value)> = Vec::with_capacity(BATCH);
    for numbered in rows {
        let numbered = numbered.map_err(on_file)?;
        let insert_id = ids.next(numbered.digest);
        report.rows += 1;
        if report.rows <= resume_at {
            report.skipped += 1;
            continue;
        }
        let mapped = numbered.row.map_err(|bad| bad.why).and_then(|row| match &mapping {
            Some(mapping) => mapping.apply(&row, &insert_id),
            None => Ok(native(row.fields, &insert_id)),
        });
        match mapped {
            Ok(event) if args.dry_run => {
                if report.sample.len() < SHOWN {
                    report.sample.push(event);
                }
            }
            Ok(event) => batch.push((numbered.line, event)),
            Err(why) => {
                reject(&mut report, &mut progress, args.dry_run, numbered.line, why).map_err(on_file)?
            }
        }
        if batch.len() == BATCH {
            send(client, &mut batch, &mut report, &mut progress).await?;
            bar.set_position(read.load(Ordering::Relaxed));
            bar.set_message(format!("{} rows, {} rejected", report.rows, report.rejected));
        }
    }
    if !batch.is_empty() {
        send(client, &mut batch, &mut report, &mut progress).await?;
    }
    if !args.dry_run {
        progress.finish(report.rows).map_err(on_file)?;
    }
    bar.finish_with_message(format!("{} rows, {} rejected", report.rows, report.rejected));
    Ok(report)
}

async fn send(
    client: Option<&Client>,
    batch: &mut Vec<(u64, Value)>,
    report: &mut ImportReport,
    progress: &mut Progress,
) -> Result<(), ImportError> {
    let Some(client) = client else {
        batch.clear();
        return Ok(());
    };
    let events: Vec<&Value> = batch.iter().map(|(_, e)| e).collect();
    let done = progress.done();
    let answer =
        client.send_events(&events, Some("bulk")).await.map_err(|why| ImportError::Send { done, why })?;
    let refused = answer["rejected"].as_array().cloned().unwrap_or_default();
    for r in &refused {
        let index = r["index"].as_u64().unwrap_or_default() as usize;
        let line = batch.get(index).map_or(0, |(line, _)| *line);
        let why = format!(
            "{} {}",
            r["code"].as_str().unwrap_or_default(),
            r["message"].as_str().unwrap_or_default()
        );
        reject(report, progress, false, line, why)
            .map_err(|why| ImportError::File { path: "the rejects file".into(), why })?;
    }
    report.sent += (batch.len() - refused.len().min(batch.len())) as u64;
    batch.clear();
    progress.advance(report.rows).map_err(|why| ImportError::File { path: "the progress file".into(), why })
}

fn reject(
    report: &mut ImportReport,
    progress: &mut Progress,
    dry_run: bool,
    line: u64,
    why: String,
) -> std::io::Result<()> {
    report.rejected += 1;
    if !dry_run {
        progress.reject(line, &why)?;
    }
    if report.rejects.len() < SHOWN {
        report.rejects.push((line, why));
    }
    Ok(())
}

fn native(mut fields: serde_json::Map<String, Value>, insert_id: &str) -> Value {
    if !fields.contains_key("insert_id") {
        fields.insert("insert_id".into(), insert_id.into());
    }
    fields.into()
}

/// Rows of a file, by its name; counts what is read of it.
fn open(path: &Path, read: &Arc<AtomicU64>) -> io::Result<Rows> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (kind, packing) = by_name(&name).ok_or_else(|| {
        io::Error::other(
            "unknown kind of file; use .csv, .ndjson, .jsonl or .parquet, optionally with .gz, .zst or .br",
        )
    })?;
    let (file, options) = (File::open(path)?, ReadOptions { after: 0, digests: true });
    if Rows::needs_file(kind, packing) {
        return Rows::of_file(file, kind, packing, options);
    }
    Rows::of_stream(Box::new(Counted { file, read: read.clone() }), kind, packing, options)
}

/// Dedup ids of rows: a hash of the row and how often it occurred before. Equal rows are real events, not retries.
#[derive(Default)]
struct Ids(HashMap<[u8; 16], u32>);

impl Ids {
    fn next(&mut self, digest: [u8; 16]) -> String {
        let occurrence = self.0.entry(digest).or_insert(0);
        *occurrence += 1;
        let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        format!("{hex}-{occurrence}")
    }
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_get_different_ids_and_the_same_ones_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        std::fs::write(&path, "a,b\n1,2\n1,2\n3,4\n").unwrap();
        let ids = || {
            let mut ids = Ids::default();
            let rows = open(&path, &Arc::default()).unwrap();
            rows.map(|r| ids.next(r.unwrap().digest)).collect::<Vec<_>>()
        };
        let first = ids();
        assert_eq!(first, ids());
        assert_eq!(first.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    }
}
