//! Opens a log as its only writer: lock, identity, recovery of both lanes, first files.
//!
//! Guarantees: nothing is acknowledged by the new writer before what the old one left has been settled and flushed;
//! every step can be interrupted and repeated.
//! Deliberately not here: judging the end of a lane (`recover`).

use super::block::LogFile;
use super::config::FileLogConfig;
use super::disk::{Disk, Lock, OpenMode, create_dir_durably};
use super::format::{FIRST_BATCH, FileIdentity, HeaderFault};
use super::lane::{LaneWriter, StartError, Surroundings, Tail, next_file_bytes, start_file};
use super::layout::{Identity, LaneFolder, Layout};
use super::mark::{Mark, MarkFile};
use super::queue::Queue;
use super::recover::{End, disk_error, find_end};
use super::space::Space;
use super::stock::Stock;
use super::writer::{FileLogWriter, LaneHandle};
use crate::{OpenError, ReadError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tallymark_model::{Lane, LogId};

pub(crate) fn writer(
    disk: Arc<dyn Disk>,
    dir: &Path,
    config: FileLogConfig,
) -> Result<FileLogWriter, OpenError> {
    config.check()?;
    let layout = Layout { root: dir.to_owned() };
    create_dir_durably(disk.as_ref(), dir).map_err(|e| disk_error(dir, e))?;
    let lock = take_lock(disk.as_ref(), &layout)?;
    for lane in Lane::ALL {
        let folder = layout.lane(lane).dir;
        create_dir_durably(disk.as_ref(), &folder).map_err(|e| disk_error(&folder, e))?;
    }
    let (identity, is_written) = match stated_identity(disk.as_ref(), &layout)? {
        Some(identity) => (identity, true),
        None => (identity_of_content(disk.as_ref(), &layout, &config)?, false),
    };
    let space = Space::start(
        Arc::clone(&disk),
        layout.reserve(),
        config.reserve_bytes,
        config.disk_floor_bytes,
        config.space_check,
    )
    .map_err(|e| disk_error(dir, e))?;
    let surroundings = Arc::new(Surroundings { disk: Arc::clone(&disk), config, space });
    let mut lanes = Vec::new();
    for lane in Lane::ALL {
        lanes.push(open_lane(&surroundings, layout.lane(lane), identity, lane)?);
    }
    if !is_written {
        // Last: a reader takes its presence as a sign that all the rest is there.
        identity.write(disk.as_ref(), &layout.identity()).map_err(|e| disk_error(&layout.identity(), e))?;
    }
    FileLogWriter::start(identity, surroundings, lanes, lock).map_err(|e| disk_error(dir, e))
}

fn take_lock(disk: &dyn Disk, layout: &Layout) -> Result<Lock, OpenError> {
    match disk.lock(&layout.lock()) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(OpenError::Locked { dir: layout.root.clone() }),
        Err(e) => Err(disk_error(&layout.lock(), e)),
    }
}

/// What `log.id` says; `None` if it is missing or damaged.
pub(crate) fn stated_identity(disk: &dyn Disk, layout: &Layout) -> Result<Option<Identity>, OpenError> {
    match Identity::read(disk, &layout.identity()) {
        Ok(identity) => Ok(identity),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(disk_error(&layout.identity(), e)),
    }
}

/// What the files say; a new identity if there are none.
fn identity_of_content(
    disk: &dyn Disk,
    layout: &Layout,
    config: &FileLogConfig,
) -> Result<Identity, OpenError> {
    let mut damaged = None;
    for lane in Lane::ALL {
        let folder = layout.lane(lane);
        for number in folder.numbers(disk).map_err(|e| disk_error(&folder.dir, e))? {
            let path = folder.file(number);
            let identity = FileIdentity { log: LogId(uuid::Uuid::nil()), lane, partitions: 1, number };
            let file =
                LogFile::open(disk, &path, identity, OpenMode::Read).map_err(|e| disk_error(&path, e))?;
            match file.header().map_err(|e| disk_error(&path, e))? {
                Ok(h) => return Ok(Identity { log: h.identity.log, partitions: h.identity.partitions }),
                Err(HeaderFault::Newer(found)) => {
                    let known = super::format::FORMAT_VERSION;
                    return Err(OpenError::Read(ReadError::Version { path, found, known }));
                }
                Err(HeaderFault::Damaged) => damaged = Some(path),
            }
        }
    }
    match damaged {
        None => Ok(Identity { log: LogId(uuid::Uuid::now_v7()), partitions: config.partitions }),
        Some(path) => Err(OpenError::Unusable {
            path,
            problem: "log.id is gone and no file has a whole header, so nothing says which log this is. \
                      Restore log.id from a backup of the folder"
                .to_owned(),
        }),
    }
}

fn open_lane(
    surroundings: &Arc<Surroundings>,
    folder: LaneFolder,
    log: Identity,
    lane: Lane,
) -> Result<(LaneHandle, LaneWriter), OpenError> {
    let disk = surroundings.disk.as_ref();
    let config = &surroundings.config;
    let fail = |e| disk_error(&folder.dir, e);
    let identity = FileIdentity { log: log.log, lane, partitions: log.partitions, number: 0 };
    let last_mark =
        MarkFile::open(disk, &folder.mark(), log.log, lane, log.partitions).ok().and_then(|m| m.read());
    let end = find_end(disk, &folder, identity, last_mark.as_ref())?;
    report(&folder, lane, &end);
    settle(disk, &folder, FileIdentity { number: end.number, ..identity }, &end)?;

    let stock =
        Stock::start(Arc::clone(&surroundings.disk), folder.clone(), config.space_check, config.spares_max);
    let stock = Arc::new(stock.map_err(fail)?);
    let tail = first_tail(surroundings, &folder, &stock, identity, end)?;
    let mut mark = MarkFile::create(disk, &folder.mark(), log.log, lane, log.partitions).map_err(fail)?;
    disk.sync_dir(&folder.dir).map_err(fail)?;
    mark.publish(&Mark { file: tail.identity.number, position: tail.position, ends: tail.ends.clone() })
        .map_err(|e| disk_error(&folder.mark(), e))?;

    let queue = Arc::new(Queue::new(config.queue_bytes_max));
    let handle = LaneHandle { lane, queue: Arc::clone(&queue), stock: Arc::clone(&stock) };
    let writer = LaneWriter {
        surroundings: Arc::clone(surroundings),
        folder,
        queue,
        stock,
        mark,
        tail,
        unproven: false,
        abandoned: false,
        buffer: Vec::new(),
    };
    Ok((handle, writer))
}

fn report(folder: &LaneFolder, lane: Lane, end: &End) {
    let path = folder.file(end.number);
    for damage in &end.damage {
        let (from, to, reason) = (damage.from, damage.to, &damage.reason);
        tracing::error!(%lane, ?path, from, to, reason, "log is damaged; the records are reported as a gap");
    }
    if end.torn_bytes > 0 {
        let (position, bytes) = (end.position, end.torn_bytes);
        tracing::warn!(%lane, ?path, position, bytes, "left an incomplete, never acknowledged group behind");
    }
}

/// Makes the last group durable: its flush may have failed or never been asked for, although it reads well.
fn settle(disk: &dyn Disk, folder: &LaneFolder, identity: FileIdentity, end: &End) -> Result<(), OpenError> {
    if end.proven >= end.position {
        return Ok(());
    }
    let path = folder.file(end.number);
    let rewrite = || {
        let file = LogFile::open(disk, &path, identity, OpenMode::Write)?;
        let bytes = file.bytes(end.proven, end.position)?;
        file.file.write_at(&bytes, end.proven)?;
        file.file.sync()
    };
    rewrite().map_err(|e| disk_error(&path, e))
}

/// The empty last file, or a new one behind it.
fn first_tail(
    surroundings: &Surroundings,
    folder: &LaneFolder,
    stock: &Stock,
    identity: FileIdentity,
    end: End,
) -> Result<Tail, OpenError> {
    let disk = surroundings.disk.as_ref();
    if end.reusable {
        let identity = FileIdentity { number: end.number, ..identity };
        let path = folder.file(end.number);
        let file = disk.open(&path, OpenMode::Write).map_err(|e| disk_error(&path, e))?;
        let bytes = file.len().map_err(|e| disk_error(&path, e))?;
        return Ok(Tail { identity, file, bytes, position: FIRST_BATCH, link: end.link, ends: end.ends });
    }
    let identity = FileIdentity { number: end.number + 1, ..identity };
    let bytes = next_file_bytes(&surroundings.config, end.position);
    start_file(disk, folder, stock, bytes, identity, (end.position, end.link, end.ends)).map_err(|e| {
        let source = match e {
            StartError::Full => io::Error::from(io::ErrorKind::StorageFull),
            StartError::Broken(cause) => io::Error::other(cause),
        };
        disk_error(&folder.file(identity.number), source)
    })
}
