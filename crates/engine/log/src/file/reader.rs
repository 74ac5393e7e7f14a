//! The reading half of the file log, for any process on the machine.
//!
//! Guarantees: reads only what the writer has flushed; memory is bounded whatever the size of the log; trimming
//! removes whole files, oldest first, each removal durable before the next, and all of them after the note that they
//! were permitted to go.
//! Deliberately not here: cursors.

use super::disk::{Disk, disk_is_gone};
use super::files::{Files, Trouble, read_error};
use super::format::FileIdentity;
use super::lane_reader::{LaneReader, read_mark};
use super::layout::{Identity, LaneFolder, Layout};
use super::open::stated_identity;
use super::trimmed::TrimNote;
use crate::{
    Bounds, Item, LogContract, LogReader, LogTerms, OpenError, ReadError, ReadLimit, SealedFile, TrimError,
    Usage,
};
use async_trait::async_trait;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tallymark_ledger::TrimPermit;
use tallymark_model::{Lane, LogId, Position, Shard};

/// How often `wait` looks at the mark.
const POLL: Duration = Duration::from_millis(4);

/// A reader of a log on disk; clones share caches.
#[derive(Clone)]
pub struct FileLogReader {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub layout: Layout,
    pub identity: Identity,
    spares_max: usize,
    pub floor_bytes: u64,
    lanes: Vec<Mutex<LaneState>>,
    pub rate: Mutex<super::contract::Rate>,
}

pub(super) struct LaneState {
    lane: Lane,
    pub reader: LaneReader,
    /// Offsets that may go, per partition.
    permitted: Vec<u64>,
    /// Bytes written since the reader was opened, and the place up to which they are counted.
    pub written: super::contract::Written,
}

pub(crate) fn open(
    disk: Arc<dyn Disk>,
    dir: &Path,
    spares_max: usize,
    floor_bytes: u64,
) -> Result<FileLogReader, OpenError> {
    let layout = Layout { root: dir.to_owned() };
    let Some(identity) = stated_identity(disk.as_ref(), &layout)? else {
        return Err(OpenError::Missing { dir: dir.to_owned() });
    };
    let mut lanes = Vec::new();
    for lane in Lane::ALL {
        let reader = LaneReader::open(Arc::clone(&disk), layout.lane(lane), file_identity(identity, lane))?;
        let permitted = vec![0; usize::from(identity.partitions)];
        let written = super::contract::Written::from(&reader.durable);
        lanes.push(Mutex::new(LaneState { lane, reader, permitted, written }));
    }
    let rate = Mutex::default();
    let shared = Shared { disk, layout, identity, spares_max, floor_bytes, lanes, rate };
    Ok(FileLogReader { shared: Arc::new(shared) })
}

pub(crate) fn file_identity(identity: Identity, lane: Lane) -> FileIdentity {
    FileIdentity { log: identity.log, lane, partitions: identity.partitions, number: 0 }
}

impl FileLogReader {
    fn check(&self, at: Position) -> Result<(), ReadError> {
        let partitions = self.shared.identity.partitions;
        if at.partition < partitions { Ok(()) } else { Err(ReadError::NoPartition { at, partitions }) }
    }

    /// Runs blocking work on a lane off the async threads.
    pub(super) async fn on_lane<T: Send + 'static, E: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&Shared, &mut LaneState) -> Result<T, E> + Send + 'static,
        gone: impl FnOnce(ReadError) -> E,
    ) -> Result<T, E> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::task::spawn_blocking(move || {
            // A panic while reading leaves caches that are checked on use.
            let mut state = shared.lanes[lane as usize].lock().unwrap_or_else(PoisonError::into_inner);
            work(&shared, &mut state)
        });
        match task.await {
            Ok(result) => result,
            Err(e) => Err(gone(read_error(&self.shared.layout.root, std::io::Error::other(e)))),
        }
    }

    fn has_something_at(&self, at: &[Position]) -> bool {
        Lane::ALL.into_iter().filter(|lane| at.iter().any(|p| p.lane == *lane)).any(|lane| {
            let folder = self.shared.layout.lane(lane);
            let mark =
                read_mark(self.shared.disk.as_ref(), &folder, file_identity(self.shared.identity, lane));
            let grown = |p: &Position| {
                mark.as_ref()
                    .is_some_and(|m| m.ends.get(usize::from(p.partition)).is_some_and(|end| *end > p.offset))
            };
            at.iter().filter(|p| p.lane == lane).any(grown)
        })
    }
}

#[async_trait]
impl LogReader for FileLogReader {
    fn id(&self) -> LogId {
        self.shared.identity.log
    }

    fn partitions(&self) -> u16 {
        self.shared.identity.partitions
    }

    async fn read(&self, at: Position, limit: ReadLimit) -> Result<Vec<Item>, ReadError> {
        self.check(at)?;
        self.on_lane(at.lane, move |_, lane| lane.reader.read(at, limit), |e| e).await
    }

    async fn bounds(&self, shard: Shard) -> Result<Bounds, ReadError> {
        self.check(Position { lane: shard.lane, partition: shard.partition, offset: 0 })?;
        self.on_lane(shard.lane, move |_, lane| lane.reader.bounds(shard.partition), |e| e).await
    }

    async fn trim(&self, permit: TrimPermit) -> Result<(), TrimError> {
        let shard = permit.shard();
        let partitions = self.shared.identity.partitions;
        if shard.partition >= partitions {
            return Err(TrimError::NoPartition { shard, partitions });
        }
        let work = move |shared: &Shared, lane: &mut LaneState| {
            let permitted = &mut lane.permitted[usize::from(shard.partition)];
            *permitted = permit.upto().max(*permitted);
            trim(shared, lane)
        };
        self.on_lane(shard.lane, work, TrimError::Read).await
    }

    async fn wait(&self, at: &[Position], timeout: Duration) {
        let deadline = tokio::time::Instant::now() + timeout;
        while !self.has_something_at(at) {
            let now = tokio::time::Instant::now();
            if now >= deadline {
                return;
            }
            tokio::time::sleep(POLL.min(deadline - now)).await;
        }
    }

    async fn usage(&self) -> Result<Usage, ReadError> {
        let mut log_bytes = 0;
        for lane in Lane::ALL {
            log_bytes += self.on_lane(lane, |_, lane| bytes_of(&mut lane.reader.files), |e| e).await?;
        }
        let root = &self.shared.layout.root;
        let disk_free_bytes = self.shared.disk.free_bytes(root).map_err(|e| read_error(root, e))?;
        Ok(Usage { log_bytes, disk_free_bytes })
    }

    async fn sealed(&self) -> Result<Vec<SealedFile>, ReadError> {
        Ok(self.files().await?.lanes.into_iter().flat_map(|lane| lane.sealed).collect())
    }

    async fn contract(&self, terms: &LogTerms, cursors: &[Position]) -> Result<LogContract, ReadError> {
        super::contract::measure(self, terms, cursors).await
    }
}

fn bytes_of(files: &mut Files) -> Result<u64, ReadError> {
    files.refresh()?;
    let mut bytes = 0;
    for number in files.numbers() {
        bytes += match files.length(number) {
            Ok(length) => length,
            Err(Trouble::Vanished) => 0,
            Err(Trouble::Error(e)) => return Err(e),
        };
    }
    Ok(bytes)
}

/// Gives up the files whose every record may go, oldest first. Never the one being written.
fn trim(shared: &Shared, lane: &mut LaneState) -> Result<(), TrimError> {
    lane.reader.refresh()?;
    lane.reader.files.refresh()?;
    note(shared, lane)?;
    // What an earlier trim noted and did not finish goes too: its permits held for ever.
    let Some(upto) = lane.reader.files.trim_note().map(|note| note.file) else { return Ok(()) };
    while let Some(number) = lane.reader.files.first() {
        if number >= upto || number >= lane.reader.durable.file {
            return Ok(());
        }
        give_up(shared.disk.as_ref(), &lane.reader.files.folder, number, shared.spares_max)?;
        lane.reader.files.refresh()?;
    }
    Ok(())
}

/// Makes durable which files may go, before the first of them does (R6).
fn note(shared: &Shared, lane: &mut LaneState) -> Result<(), TrimError> {
    let covered = |n: &u64| *n < lane.reader.durable.file && may_go(lane, *n);
    let Some(last) = lane.reader.files.numbers().into_iter().take_while(covered).last() else {
        return Ok(());
    };
    let files = &lane.reader.files;
    let Some((file, behind)) = files.after(last).and_then(|n| Some((n, files.get(n)?))) else {
        return Ok(());
    };
    let Some(starts) = behind.starts.clone() else { return Ok(()) };
    if files.trim_note().is_some_and(|known| known.file >= file) {
        return Ok(());
    }
    let identity = file_identity(shared.identity, lane.lane);
    TrimNote { file, starts }
        .write(shared.disk.as_ref(), &files.folder, &identity)
        .map_err(|source| TrimError::Disk { path: files.folder.trimmed(), source })?;
    Ok(lane.reader.files.refresh()?)
}

fn may_go(lane: &LaneState, number: u64) -> bool {
    let files = &lane.reader.files;
    let starts_of = |number| files.get(number).and_then(|f| f.starts.as_ref());
    let Some(behind) = files.after(number).and_then(starts_of) else { return false };
    let own = starts_of(number);
    let covered = |(p, next): (usize, &u64)| *next <= lane.permitted[p].max(own.map_or(0, |own| own[p]));
    behind.iter().enumerate().all(covered)
}

/// Takes the file's name away. Durable before anything else goes, so that a crash leaves no hole in the middle (R6).
fn give_up(disk: &dyn Disk, folder: &LaneFolder, number: u64, spares_max: usize) -> Result<(), TrimError> {
    let path = folder.file(number);
    let step = || {
        if folder.with_ending(disk, ".spare")?.len() < spares_max {
            disk.rename(&path, &folder.spare())?;
        } else {
            disk.remove(&path)?;
        }
        disk.sync_dir(&folder.dir)
    };
    match step() {
        // Another reader was faster.
        Err(e) if disk_is_gone(&e) => Ok(()),
        other => other.map_err(|source| TrimError::Disk { path, source }),
    }
}
