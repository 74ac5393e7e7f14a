//! Takes a backup.
//!
//! Order: snapshot of the catalog, then the objects it names, then the log, then the lists, then the manifest. The log
//! is copied after the catalog, so it reaches at least to the catalog's cursors; what it has beyond is processed again
//! after a restore. A segment that compaction replaced and whose file was collected meanwhile makes the round start
//! over with a new snapshot; what was copied stays copied.
//! Guarantees: only what the previous backup does not have is read; a file that is listed was there.
//! Deliberately not here: reading backups.

use super::chunks::{CHUNK_BYTES, ChunkWriter};
use super::known::Known;
use super::manifest::{self, FileEntry, Manifest};
use super::prune::{KeepPolicy, prune};
use crate::RecoveryError;
use crate::archive::{ARCHIVE, blocking};
use crate::copies::{COMMITS, SETTINGS};
use crate::failpoint::{EnvFailpoint, Failpoint, Step, pass};
use bytes::Bytes;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{Feed, Garbage, Snapshots};
use tallymark_log::file::FileLogReader;
use tallymark_log::{Item, LogReader, ReadLimit};
use tallymark_model::{CommitId, CommitSeq, Millis, Position, Record, Shard};
use tallymark_store::{ObjectStore, StoreError};

/// A whole backup may take one part in so many of the time.
const WHOLE_SHARE: Millis = 60;
/// A whole backup is due after so long in any case.
const WHOLE_EVERY_MS: Millis = 3_600_000;
/// How often a round starts over because files went away.
const TRIES: u32 = 5;
/// Group of the log's files.
const LOG: &str = "log";
/// Commits read at a time.
const PAGE: usize = 1_000;

/// What to back up.
pub struct Source {
    /// The catalog.
    pub catalog: SqliteCatalog,
    /// The objects.
    pub store: ObjectStore,
    /// The log.
    pub log: FileLogReader,
    /// What the instance is called.
    pub environment: String,
    /// Other files, as path below the data folder and where they are; those that are not there are left out.
    pub extra: Vec<(String, PathBuf)>,
    /// Other files that should be in it and cannot be, with the reason: the report says so.
    pub left_out: Vec<String>,
    /// A folder for the snapshot of the catalog, on the instance's own disk.
    pub scratch: PathBuf,
}

/// How.
#[derive(Debug, Clone, Copy)]
pub struct BackupOptions {
    /// Only the log is copied anew, on top of the previous backup's catalog and objects: cheap enough for every
    /// minute. After a restore, what came since that backup is processed again from the log. Becomes a whole backup
    /// by itself if there is nothing to build on.
    pub log_only: bool,
    /// The raw archive too: without it a restored instance cannot reprocess what the log has given up.
    pub archive: bool,
    /// Which older backups stay.
    pub keep: KeepPolicy,
}

impl Default for BackupOptions {
    fn default() -> BackupOptions {
        BackupOptions { log_only: false, archive: true, keep: KeepPolicy::default() }
    }
}

/// What was done.
#[derive(Debug, Clone, Serialize)]
pub struct BackupReport {
    /// The backup.
    pub manifest: Manifest,
    /// False: only the log was copied anew.
    pub whole: bool,
    /// Pieces that were written.
    pub written_chunks: u64,
    /// Their bytes as stored.
    pub written_bytes: u64,
    /// Files that the previous backup had already.
    pub reused_files: u64,
    /// Rounds that had to start over.
    pub retries: u32,
    /// Older backups that were removed.
    pub pruned: Vec<String>,
    /// Files that should be in it and are not, with the reason.
    pub left_out: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// Whether a scheduled backup should be whole rather than of the log only: whole ones may take a sixtieth of the time,
/// and there is one an hour at least. On a small instance that is every time; on a large one the minutes in between copy
/// the end of the log.
pub async fn whole_is_due(target: &ObjectStore) -> Result<bool, RecoveryError> {
    let newest = manifest::list_backups(target).await?.into_iter().find_map(|b| b.manifest);
    Ok(newest.is_none_or(|m| due(now() - m.whole_at, m.whole_ms)))
}

fn due(since_ms: Millis, took_ms: Millis) -> bool {
    since_ms >= took_ms.saturating_mul(WHOLE_SHARE).min(WHOLE_EVERY_MS) || since_ms < 0
}

/// Backs up.
pub async fn backup(
    source: &Source,
    target: &ObjectStore,
    options: &BackupOptions,
) -> Result<BackupReport, RecoveryError> {
    backup_with(source, target, options, Arc::new(EnvFailpoint::from_env())).await
}

/// The same with failpoints, for tests.
pub async fn backup_with(
    source: &Source,
    target: &ObjectStore,
    options: &BackupOptions,
    failpoint: Arc<dyn Failpoint>,
) -> Result<BackupReport, RecoveryError> {
    let started = Instant::now();
    let started_at = now();
    manifest::claim(target, source.log.id(), &source.environment).await?;
    let chunks = ChunkWriter::open(target.clone()).await?;
    let known = Known::of_previous(source, target, &chunks).await?;
    let mut round = Round {
        source,
        target,
        options,
        failpoint: failpoint.as_ref(),
        chunks,
        known,
        groups: BTreeMap::new(),
        reused: 0,
    };
    let mut retries = 0;
    let mut whole;
    let mut manifest = loop {
        let base = if options.log_only { round.base().await? } else { None };
        whole = base.is_none();
        let ran = match base {
            Some(base) => round.run_log_only(base).await,
            None => round.run().await,
        };
        match ran {
            Err(RecoveryError::Restless { what, .. }) if retries < TRIES => {
                tracing::info!(what, "a file went away while it was backed up; starting over");
                retries += 1;
                round.groups.clear();
            }
            other => break other?,
        }
    };
    (manifest.started_at, manifest.finished_at) = (started_at, now());
    if whole {
        (manifest.whole_at, manifest.whole_ms) = (started_at, (manifest.finished_at - started_at).max(0));
    }
    let newest = target.list(manifest::MANIFESTS).await?.pop();
    // A clock that went back must not make this backup look older than the one before.
    let after = newest.and_then(|o| o.key.rsplit_once('/')?.1.split_once('-')?.0.parse::<Millis>().ok());
    manifest.name = manifest::name(started_at.max(after.map_or(0, |at| at + 1)), manifest.seq);
    round.chunks.finish().await?;
    manifest.lists.extend(manifest::write_lists(target, std::mem::take(&mut round.groups)).await?);
    pass(failpoint.as_ref(), Step::BackupStored)?;
    manifest::write(target, &manifest).await?;
    // What the target has, not what it was given.
    manifest::read(target, &manifest.name).await?;
    pass(failpoint.as_ref(), Step::BackupManifest)?;
    let pruned = prune(target, &options.keep, failpoint.as_ref()).await?;
    Ok(BackupReport {
        manifest,
        whole,
        written_chunks: round.chunks.written,
        written_bytes: round.chunks.written_bytes,
        reused_files: round.reused,
        retries,
        pruned,
        left_out: source.left_out.clone(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

struct Round<'a> {
    source: &'a Source,
    target: &'a ObjectStore,
    options: &'a BackupOptions,
    failpoint: &'a dyn Failpoint,
    chunks: ChunkWriter,
    known: Known,
    groups: BTreeMap<String, Vec<FileEntry>>,
    reused: u64,
}

/// What the snapshot of the catalog says.
struct Named {
    seq: CommitSeq,
    commit: Option<CommitId>,
    cursors: Vec<(Shard, u64)>,
    keys: BTreeSet<String>,
}

impl Round<'_> {
    /// The backup to put a newer log on top of: its log's files reach from before its cursors to now.
    async fn base(&self) -> Result<Option<Manifest>, RecoveryError> {
        let Some(previous) = &self.known.previous else { return Ok(None) };
        for (shard, cursor) in &previous.cursors {
            if self.source.log.bounds(*shard).await?.start > *cursor {
                // What was trimmed since is in later commits and in the archive, neither of which it has.
                return Ok(None);
            }
        }
        Ok(Some(previous.clone()))
    }

    async fn run_log_only(&mut self, base: Manifest) -> Result<Manifest, RecoveryError> {
        let (log_ends, newest_received) = self.log().await?;
        let lists: Vec<_> = base.lists.into_iter().filter(|l| !is_log_group(&l.group)).collect();
        let (mut files, mut bytes) = (0, 0);
        for list in &lists {
            for entry in manifest::read_list(self.target, list).await? {
                (files, bytes) = (files + 1, bytes + entry.bytes);
            }
        }
        for entry in self.groups.values().flatten() {
            (files, bytes) = (files + 1, bytes + entry.bytes);
        }
        Ok(Manifest { log_ends, newest_received, lists, files, bytes, ..base })
    }

    async fn run(&mut self) -> Result<Manifest, RecoveryError> {
        let named = self.catalog().await?;
        self.objects(&named).await?;
        let (log_ends, newest_received) = self.log().await?;
        for (path, place) in self.source.extra.clone() {
            if let Some(content) = read_if_there(&place).await? {
                self.add_bytes("extra", &path, content).await?;
            }
        }
        let files = self.groups.values().map(|g| g.len() as u64).sum();
        let bytes = self.groups.values().flatten().map(|e| e.bytes).sum();
        Ok(Manifest {
            name: String::new(),
            log: self.source.log.id(),
            environment: self.source.environment.clone(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            seq: named.seq,
            commit: named.commit,
            cursors: named.cursors,
            log_ends,
            newest_received,
            started_at: 0,
            finished_at: 0,
            whole_at: 0,
            whole_ms: 0,
            lists: Vec::new(),
            files,
            bytes,
        })
    }

    /// The catalog as of one commit, and what it names.
    async fn catalog(&mut self) -> Result<Named, RecoveryError> {
        let dir = &self.source.scratch;
        std::fs::create_dir_all(dir).map_err(RecoveryError::disk(dir))?;
        let path = dir.join("catalog-snapshot.db");
        remove_database(&path)?;
        self.source.catalog.snapshot_into(&path).await?;
        pass(self.failpoint, Step::BackupSnapshot)?;
        // Opened as a file of its own; closing it leaves one whole file without a journal.
        let snapshot = SqliteCatalog::open(&path, OpenMode::Existing).await?;
        let named = named(&snapshot).await;
        snapshot.close().await;
        let named = named?;
        let bytes = std::fs::metadata(&path).map_err(RecoveryError::disk(&path))?.len();
        self.add_file("catalog", "catalog.db", &path, bytes, &[]).await?;
        remove_database(&path)?;
        Ok(named)
    }

    async fn objects(&mut self, named: &Named) -> Result<(), RecoveryError> {
        let mut listed: HashMap<String, u64> = HashMap::new();
        let mut prefixes = vec!["segments", "deltas", COMMITS, SETTINGS];
        prefixes.extend(self.options.archive.then_some(ARCHIVE));
        for prefix in prefixes {
            let by_name = prefix == "segments" || prefix == "deltas";
            for object in self.source.store.list(prefix).await? {
                // Files that no commit of this snapshot names are not part of it.
                if !by_name || named.keys.contains(&object.key) {
                    listed.insert(object.key, object.bytes);
                }
            }
        }
        if let Some(missing) = named.keys.iter().find(|key| !listed.contains_key(*key)) {
            // It went while we looked, or it is lost; a new snapshot tells the two apart.
            return Err(RecoveryError::Restless { what: missing.clone(), tries: TRIES });
        }
        let mut keys: Vec<(String, u64)> = listed.into_iter().collect();
        keys.sort();
        for (key, bytes) in keys {
            self.object(&key, bytes).await?;
        }
        Ok(())
    }

    async fn object(&mut self, key: &str, bytes: u64) -> Result<(), RecoveryError> {
        let (path, group) = (format!("objects/{key}"), group_of(key));
        if let Some(entry) = self.known.get(&path, bytes) {
            self.reused += 1;
            self.groups.entry(group).or_default().push(entry.clone());
            return Ok(());
        }
        match self.source.store.get(key).await {
            Ok(content) => self.add_bytes(&group, &path, content).await,
            Err(StoreError::NotFound { .. }) => {
                Err(RecoveryError::Restless { what: key.to_owned(), tries: TRIES })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Every file of the log, the durable part of the one being written among them.
    async fn log(&mut self) -> Result<(Vec<(Shard, u64)>, Option<Millis>), RecoveryError> {
        let files = self.source.log.files().await?;
        let identity = read_if_there(&files.identity).await?;
        let identity = identity.ok_or_else(|| gone(&files.identity))?;
        self.add_bytes(LOG, "log/log.id", identity).await?;
        let mut ends = Vec::new();
        for lane in files.lanes {
            let group = format!("{LOG}-{}", lane.lane);
            let all: Vec<(String, PathBuf, u64)> = lane
                .sealed
                .into_iter()
                .map(|f| (f.name, f.path, f.bytes))
                .chain(lane.tail.iter().map(|t| (t.name.clone(), t.path.clone(), t.bytes)))
                .collect();
            for (name, place, bytes) in all {
                let path = format!("log/{}/{name}", lane.lane);
                let before = self.known.growing(&path).map_or(Vec::new(), whole_chunks);
                self.add_file(&group, &path, &place, bytes, &before).await?;
            }
            if let Some(note) = lane.trimmed {
                let content = read_if_there(&note).await?.ok_or_else(|| gone(&note))?;
                self.add_bytes(&group, &format!("log/{}/trimmed", lane.lane), content).await?;
            }
            if let Some(tail) = lane.tail {
                let shard = |partition| Shard { lane: lane.lane, partition };
                ends.extend((0..).zip(&tail.ranges).map(|(p, (_, to))| (shard(p), *to)));
            }
        }
        let newest = newest_received(&self.source.log, &ends).await?;
        Ok((ends, newest))
    }

    async fn add_bytes(&mut self, group: &str, path: &str, content: Bytes) -> Result<(), RecoveryError> {
        let bytes = content.len() as u64;
        let mut entry = FileEntry { path: path.to_owned(), bytes, chunks: Vec::new() };
        let mut at = 0;
        while at < content.len() {
            let to = (at + CHUNK_BYTES).min(content.len());
            entry.chunks.push(self.chunk(content.slice(at..to)).await?);
            at = to;
        }
        self.groups.entry(group.to_owned()).or_default().push(entry);
        Ok(())
    }

    /// The first `bytes` of a file, of which the first pieces may be known.
    async fn add_file(
        &mut self,
        group: &str,
        path: &str,
        place: &Path,
        bytes: u64,
        before: &[String],
    ) -> Result<(), RecoveryError> {
        let known = (bytes / CHUNK_BYTES as u64).min(before.len() as u64);
        let mut entry = FileEntry { path: path.to_owned(), bytes, chunks: before[..known as usize].to_vec() };
        self.reused += u64::from(known > 0);
        let mut at = known * CHUNK_BYTES as u64;
        while at < bytes {
            let length = (bytes - at).min(CHUNK_BYTES as u64) as usize;
            let content = read_part(place, at, length).await?;
            entry.chunks.push(self.chunk(content).await?);
            at += length as u64;
        }
        self.groups.entry(group.to_owned()).or_default().push(entry);
        Ok(())
    }

    async fn chunk(&mut self, content: Bytes) -> Result<String, RecoveryError> {
        let (sha, new) = self.chunks.put(content).await?;
        if new {
            pass(self.failpoint, Step::BackupChunk)?;
        }
        Ok(sha)
    }
}

/// Pieces of a file that are full, so that they stay when it grows.
fn whole_chunks(entry: &FileEntry) -> Vec<String> {
    let whole = (entry.bytes / CHUNK_BYTES as u64) as usize;
    entry.chunks.iter().take(whole).cloned().collect()
}

/// Groups of files that a log consists of.
fn is_log_group(group: &str) -> bool {
    group == LOG || group.strip_prefix(LOG).is_some_and(|rest| rest.starts_with('-'))
}

/// Files that change together are listed together, so that lists stay the same from backup to backup.
fn group_of(key: &str) -> String {
    let (prefix, rest) = key.split_once('/').unwrap_or((key, ""));
    let name = rest.rsplit_once('/').map_or(rest, |(_, name)| name);
    match prefix {
        // Ten thousand commits to a list; ids of deltas and segments begin with their time: some hours to a list.
        COMMITS => format!("{prefix}-{}", name.get(..16).unwrap_or("")),
        "deltas" | "segments" => format!("{prefix}-{}", name.get(..6).unwrap_or("")),
        _ => prefix.to_owned(),
    }
}

async fn named(snapshot: &SqliteCatalog) -> Result<Named, RecoveryError> {
    let mut keys: BTreeSet<String> = snapshot.live().await?.into_iter().map(|s| s.key).collect();
    let (mut seq, mut commit) = (CommitSeq(0), None);
    loop {
        let page = snapshot.feed(seq, PAGE).await?;
        let Some(last) = page.last() else { break };
        (seq, commit) = (last.seq, Some(last.id));
        keys.extend(page.into_iter().filter_map(|r| r.delta));
    }
    let cursors = snapshot.cursors().await?.into_iter().map(|c| (c.shard, c.position)).collect();
    Ok(Named { seq, commit, cursors, keys })
}

/// Newest receive time at the ends of the log.
async fn newest_received(
    log: &FileLogReader,
    ends: &[(Shard, u64)],
) -> Result<Option<Millis>, RecoveryError> {
    let mut newest = None;
    for (shard, end) in ends.iter().filter(|(_, end)| *end > 0) {
        let at = Position { lane: shard.lane, partition: shard.partition, offset: end - 1 };
        for item in log.read(at, ReadLimit { records: 1, bytes: 1 }).await? {
            if let Item::Records(records) = item {
                let times = records.iter().map(|(_, record)| match record {
                    Record::Event(event) => event.received_at,
                    Record::Control { control, .. } => control.made_at(),
                });
                newest = newest.max(times.max());
            }
        }
    }
    Ok(newest)
}

fn gone(path: &Path) -> RecoveryError {
    RecoveryError::Restless { what: path.display().to_string(), tries: TRIES }
}

async fn read_if_there(path: &Path) -> Result<Option<Bytes>, RecoveryError> {
    let path = path.to_owned();
    blocking(move || match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(Bytes::from(bytes))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(RecoveryError::disk(&path)(e)),
    })
    .await
}

pub(super) async fn read_part(path: &Path, at: u64, length: usize) -> Result<Bytes, RecoveryError> {
    use std::os::unix::fs::FileExt;
    let path = path.to_owned();
    blocking(move || {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut bytes = vec![0; length];
            std::fs::File::open(&path)?.read_exact_at(&mut bytes, at)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => Ok(Bytes::from(bytes)),
            // Trimmed meanwhile, by permit: it is accounted and, with archiving on, archived.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(gone(&path)),
            Err(e) => Err(RecoveryError::disk(&path)(e)),
        }
    })
    .await
}

fn remove_database(path: &Path) -> Result<(), RecoveryError> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match std::fs::remove_file(&name) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(RecoveryError::disk(Path::new(&name))(e));
            }
            _ => {}
        }
    }
    Ok(())
}

fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_backups_take_a_small_part_of_the_time_and_come_every_hour() {
        assert!(due(60_000, 500), "half a second every minute");
        assert!(!due(60_000, 5_000), "not five seconds every minute");
        assert!(due(300_000, 5_000), "but every five minutes");
        assert!(due(WHOLE_EVERY_MS, 600_000), "however long it takes, every hour");
        assert!(due(-1, 600_000), "a clock that went back delays nothing");
    }
}
