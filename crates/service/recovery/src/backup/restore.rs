//! Restores a backup into an empty folder.
//!
//! Order: a mark that says the folder is unfinished, then every file (compared piece by piece, flushed), then the
//! log is opened once as its writer would, so that its end is settled, then everything is verified, then the mark goes.
//! A server does not start on a folder with the mark.
//! Guarantees: an existing folder with anything in it is refused; nothing is taken from a backup that does not verify:
//! the next older one is taken and it is said why; when it returns, everything is on disk (R4).
//! Deliberately not here: the rows (run `tallymark verify` for that).

use super::chunks;
use super::manifest::{self, FileEntry, Manifest};
use crate::failpoint::{EnvFailpoint, Failpoint, Step, pass};
use crate::{BooksReport, Places, RecoveryError, archive::blocking, books};
use futures::StreamExt;
use serde::Serialize;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_log::file::{FileLog, FileLogConfig};
use tallymark_model::{CommitSeq, Millis};
use tallymark_store::ObjectStore;

/// Files that are written side by side; each has one piece of 4 MiB in memory.
const FILES_AT_ONCE: usize = 8;

/// Name of the mark in the folder.
pub const UNFINISHED: &str = "restore.unfinished";

/// Which backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// The newest good one.
    Newest,
    /// The newest good one that is not beyond this commit.
    Seq(CommitSeq),
    /// This one and no other.
    Name(String),
}

/// A backup that was passed by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What was restored.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// The backup.
    pub name: String,
    /// Its commit.
    pub seq: CommitSeq,
    /// Newer backups that are damaged.
    pub passed_by: Vec<Passed>,
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What the books were compared with.
    pub books: BooksReport,
    /// What is not as it was although the books are: files that nothing depends on.
    pub notes: Vec<String>,
    /// Now, less the newest receive time in the restored log, ms: what came later is not there (RPO).
    pub rpo_ms: Option<Millis>,
    /// Copying and flushing.
    pub copy_seconds: f64,
    /// Opening and verifying.
    pub verify_seconds: f64,
    /// All of it (RTO).
    pub seconds: f64,
}

/// Restores into a folder that is empty or not there.
pub async fn restore(target: &ObjectStore, at: At, into: &Places) -> Result<RestoreReport, RecoveryError> {
    restore_with(target, at, into, Arc::new(EnvFailpoint::from_env())).await
}

/// The same with failpoints, for tests.
pub async fn restore_with(
    target: &ObjectStore,
    at: At,
    into: &Places,
    failpoint: Arc<dyn Failpoint>,
) -> Result<RestoreReport, RecoveryError> {
    let started = Instant::now();
    refuse_unless_empty(&into.root)?;
    let mut passed_by: Vec<Passed> = Vec::new();
    for candidate in candidates(target, &at).await? {
        let manifest = match candidate {
            Ok(manifest) => manifest,
            Err(passed) => {
                passed_by.push(passed);
                continue;
            }
        };
        match attempt(target, &manifest, into, failpoint.as_ref()).await {
            Ok(mut report) => {
                (report.passed_by, report.seconds) = (passed_by, started.elapsed().as_secs_f64());
                return Ok(report);
            }
            Err(error @ (RecoveryError::Damaged { .. } | RecoveryError::Unsound(_))) => {
                tracing::warn!(backup = manifest.name, %error, "the backup is damaged; trying the one before");
                passed_by.push(Passed { name: manifest.name, problem: error.to_string() });
                clear(&into.root)?;
            }
            Err(error) => return Err(error),
        }
    }
    let problems = passed_by.into_iter().map(|p| format!("{}: {}", p.name, p.problem)).collect();
    Err(RecoveryError::NoBackup { place: "the backup target".to_owned(), problems })
}

/// Manifests that fit, newest first; what cannot be read is passed by.
async fn candidates(target: &ObjectStore, at: &At) -> Result<Vec<Result<Manifest, Passed>>, RecoveryError> {
    let mut found = Vec::new();
    for backup in manifest::list_backups(target).await? {
        // The name says the commit too, so that a damaged manifest is counted as passed by only if it would have fit.
        let seq = backup.name.rsplit_once('-').and_then(|(_, seq)| seq.parse::<u64>().ok());
        let fits = match at {
            At::Newest => true,
            At::Seq(wanted) => seq.is_some_and(|seq| seq <= wanted.0),
            At::Name(name) => *name == backup.name,
        };
        if fits {
            found.push(match (backup.manifest, backup.problem) {
                (Some(manifest), _) => Ok(manifest),
                (None, problem) => Err(Passed { name: backup.name, problem: problem.unwrap_or_default() }),
            });
        }
    }
    Ok(found)
}

async fn attempt(
    target: &ObjectStore,
    manifest: &Manifest,
    into: &Places,
    failpoint: &dyn Failpoint,
) -> Result<RestoreReport, RecoveryError> {
    let copying = Instant::now();
    mark(&into.root)?;
    pass(failpoint, Step::RestoreMarked)?;
    let (mut files, mut bytes) = (0, 0);
    let mut folders = std::collections::BTreeSet::from([into.root.clone()]);
    for list in &manifest.lists {
        let entries = manifest::read_list(target, list).await?;
        let mut writing = futures::stream::iter(entries)
            .map(|entry| async move {
                let path = place_of(into, &entry)?;
                write_file(target, &entry, &path).await?;
                Ok::<_, RecoveryError>((path, entry.bytes))
            })
            .buffer_unordered(FILES_AT_ONCE);
        while let Some(written) = writing.next().await {
            let (path, size) = written?;
            (files, bytes) = (files + 1, bytes + size);
            folders.extend(
                path.ancestors().skip(1).take_while(|p| p.starts_with(&into.root)).map(Path::to_owned),
            );
            pass(failpoint, Step::RestoreFile)?;
        }
    }
    if (files, bytes) != (manifest.files, manifest.bytes) {
        let problem = format!(
            "it lists {files} files of {bytes} bytes, {} of {} are announced",
            manifest.files, manifest.bytes
        );
        return Err(RecoveryError::damaged(format!("backup {}", manifest.name), problem));
    }
    // Deepest first: a folder's names before the folder's own name.
    for folder in folders.iter().rev() {
        File::open(folder).and_then(|d| d.sync_all()).map_err(RecoveryError::disk(folder))?;
    }
    pass(failpoint, Step::RestoreFiles)?;
    let copy_seconds = copying.elapsed().as_secs_f64();

    let verifying = Instant::now();
    let books = settle_and_verify(manifest, into, failpoint).await?;
    unmark(&into.root)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis);
    Ok(RestoreReport {
        name: manifest.name.clone(),
        seq: manifest.seq,
        passed_by: Vec::new(),
        files,
        bytes,
        books,
        notes: Vec::new(),
        rpo_ms: manifest.newest_received.map(|at| (now - at).max(0)),
        copy_seconds,
        verify_seconds: verifying.elapsed().as_secs_f64(),
        seconds: 0.0,
    })
}

async fn settle_and_verify(
    manifest: &Manifest,
    into: &Places,
    failpoint: &dyn Failpoint,
) -> Result<BooksReport, RecoveryError> {
    // As its next writer would: the end of a copied log has no successor that proves it. Then it is closed again.
    let folder = into.log.clone();
    blocking(move || {
        drop(FileLog::open_writer(&folder, FileLogConfig::default())?);
        Ok(())
    })
    .await?;
    pass(failpoint, Step::RestoreLog)?;
    let log = FileLog::open_reader(&into.log, &FileLogConfig::default())?;
    let store = tallymark_store::open(&into.objects_url())?;
    let catalog = SqliteCatalog::open(&into.catalog, OpenMode::Create).await?;
    let checked = check(manifest, &catalog, &store, &log).await;
    catalog.close().await;
    let report = checked?;
    pass(failpoint, Step::RestoreVerified)?;
    Ok(report)
}

async fn check(
    manifest: &Manifest,
    catalog: &SqliteCatalog,
    store: &ObjectStore,
    log: &tallymark_log::file::FileLogReader,
) -> Result<BooksReport, RecoveryError> {
    use tallymark_log::LogReader;
    let mut report = books(catalog, store, Some(log)).await?;
    if report.seq != manifest.seq {
        report
            .problems
            .push(format!("the catalog is of commit {}, the manifest of {}", report.seq.0, manifest.seq.0));
    }
    for (shard, end) in &manifest.log_ends {
        let found = log.bounds(*shard).await?.end;
        if found < *end {
            report.problems.push(format!("I1: {shard}: the log ends at {found}, it reached {end}"));
        }
    }
    if report.problems.is_empty() { Ok(report) } else { Err(RecoveryError::Unsound(report.problems)) }
}

fn refuse_unless_empty(root: &Path) -> Result<(), RecoveryError> {
    let entries = match fs::read_dir(root) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(RecoveryError::disk(root))?,
    };
    let names: Vec<String> =
        entries.filter_map(|e| e.ok()).map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    if names.iter().any(|n| n == UNFINISHED) {
        // Our own half-done work, which nobody has used: begin again.
        return clear(root);
    }
    match names.into_iter().next() {
        None => Ok(()),
        Some(found) => Err(RecoveryError::NotEmpty { dir: root.to_owned(), found }),
    }
}

/// Empties a folder that carries the mark, the mark last.
fn clear(root: &Path) -> Result<(), RecoveryError> {
    let fail = RecoveryError::disk(root);
    let work = || -> std::io::Result<()> {
        for entry in fs::read_dir(root)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|n| n == UNFINISHED) {
                continue;
            }
            if path.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        }
        File::open(root)?.sync_all()?;
        match fs::remove_file(root.join(UNFINISHED)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    };
    work().map_err(fail)
}

fn mark(root: &Path) -> Result<(), RecoveryError> {
    let path = root.join(UNFINISHED);
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(root)?;
        let mut file = File::create(&path)?;
        file.write_all(b"A restore into this folder was begun and not finished. Run it again.\n")?;
        file.sync_all()?;
        File::open(root)?.sync_all()?;
        if let Some(parent) = root.parent().filter(|p| !p.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(RecoveryError::disk(&path))
}

fn unmark(root: &Path) -> Result<(), RecoveryError> {
    let path = root.join(UNFINISHED);
    let remove = || -> std::io::Result<()> {
        // What opening and verifying wrote is flushed by those who wrote it; their names are here.
        File::open(root)?.sync_all()?;
        fs::remove_file(&path)?;
        File::open(root)?.sync_all()
    };
    remove().map_err(RecoveryError::disk(&path))
}

/// Where a file goes. A path that leads out of the folder is damage, whoever wrote it.
fn place_of(into: &Places, entry: &FileEntry) -> Result<PathBuf, RecoveryError> {
    let path = Path::new(&entry.path);
    let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
    if !plain || entry.path.is_empty() {
        return Err(RecoveryError::damaged(&entry.path, "it is not a path within a data folder"));
    }
    let below = |folder: &Path, prefix: &str| path.strip_prefix(prefix).map(|rest| folder.join(rest)).ok();
    let known = below(&into.objects, "objects").or_else(|| below(&into.log, "log"));
    Ok(match known {
        Some(place) => place,
        None if entry.path == "catalog.db" => into.catalog.clone(),
        None => into.root.join(path),
    })
}

async fn write_file(target: &ObjectStore, entry: &FileEntry, path: &Path) -> Result<(), RecoveryError> {
    let fail = || RecoveryError::disk(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail())?;
    }
    let mut file = File::create_new(path).map_err(fail())?;
    let mut bytes = 0;
    for sha in &entry.chunks {
        let content = chunks::get(target, sha).await?;
        bytes += content.len() as u64;
        let mut out = file;
        file = blocking({
            let path = path.to_owned();
            move || {
                out.write_all(&content).map_err(RecoveryError::disk(&path))?;
                Ok(out)
            }
        })
        .await?;
    }
    if bytes != entry.bytes {
        let problem = format!("its pieces are {bytes} bytes, it was {}", entry.bytes);
        return Err(RecoveryError::damaged(&entry.path, problem));
    }
    let path = path.to_owned();
    blocking(move || file.sync_all().map_err(RecoveryError::disk(&path))).await
}
