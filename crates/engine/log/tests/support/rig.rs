//! A log on a [`FaultDisk`] with a record of what was acknowledged, and the judge who compares.

use super::fault_disk::FaultDisk;
use super::{Found, body, event, read_all, shards, small};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tallymark_log::file::{FileLog, FileLogConfig, FileLogReader, FileLogWriter};
use tallymark_log::{AppendError, LogReader, LogWriter, OpenError, ReadLimit};
use tallymark_model::{Lane, Position, Record, Shard};

pub const DIR: &str = "/data/log";
pub const LIVE_DIR: &str = "/data/log/live";
pub const PARTITIONS: u16 = 2;

/// What was acknowledged, by position.
pub type Acked = BTreeMap<Position, String>;

pub fn config() -> FileLogConfig {
    FileLogConfig { partitions: PARTITIONS, ..small() }
}

pub fn open(disk: &FaultDisk) -> Result<FileLogWriter, OpenError> {
    FileLog::open_writer_on(Arc::new(disk.clone()), Path::new(DIR), config())
}

pub fn reader(disk: &FaultDisk) -> FileLogReader {
    FileLog::open_reader_on(Arc::new(disk.clone()), Path::new(DIR), &config()).unwrap()
}

/// Appends and notes the acknowledgement.
pub async fn append(log: &FileLogWriter, acked: &mut Acked, batch: Vec<Record>) -> Result<(), AppendError> {
    let bodies: Vec<String> = batch.iter().map(body).collect();
    let receipt = log.append(batch).await?;
    for (position, body) in receipt.positions.into_iter().zip(bodies) {
        assert_eq!(acked.insert(position, body), None, "{position} was given out twice");
    }
    Ok(())
}

/// A batch of `n` live events that spread over the partitions.
pub fn batch(tag: &str, n: usize) -> Vec<Record> {
    (0..n).map(|i| event(Lane::Live, &format!("key-{i}"), format!("{tag}/{i}"))).collect()
}

/// The newest content file of the live lane.
pub fn newest_file(disk: &FaultDisk) -> PathBuf {
    disk.paths(Path::new(LIVE_DIR), ".log").pop().unwrap()
}

/// Every shard as a fresh reader sees it.
pub async fn found(disk: &FaultDisk) -> BTreeMap<Shard, Found> {
    let reader = reader(disk);
    let mut all = BTreeMap::new();
    for shard in shards(PARTITIONS) {
        let start = reader.bounds(shard).await.unwrap().start;
        all.insert(shard, read_all(&reader, shard, start, ReadLimit::default()).await);
    }
    all
}

/// Acknowledged records that are in a gap now. Anything else that is not exactly as acknowledged is a failure.
pub fn lost(acked: &Acked, found: &BTreeMap<Shard, Found>) -> Vec<Position> {
    let mut lost = Vec::new();
    for (position, expected) in acked {
        let shard = &found[&position.shard()];
        match shard.records.iter().find(|(offset, _)| *offset == position.offset) {
            Some((_, record)) => assert_eq!(&body(record), expected, "{position}"),
            None => {
                let gap = shard.gaps.iter().find(|(from, to, _)| (*from..*to).contains(&position.offset));
                assert!(gap.is_some(), "{position} is silently gone; {:?}, end {}", shard.gaps, shard.end);
                lost.push(*position);
            }
        }
    }
    lost
}

/// All is there, and nothing claims that something is missing.
pub async fn assert_whole(disk: &FaultDisk, acked: &Acked) {
    let found = found(disk).await;
    assert_eq!(lost(acked, &found), []);
    for (shard, found) in &found {
        assert_eq!(found.gaps, [], "{shard}: {:?}", found.evidence);
    }
}

/// Records of each append, in order.
pub type Appends = Vec<Vec<Position>>;

/// A closed log with so many appends of so many records.
pub async fn filled(appends: usize, records: usize) -> (FaultDisk, Acked, Appends) {
    let disk = FaultDisk::new();
    let log = open(&disk).unwrap();
    let mut acked = Acked::new();
    let mut by_append = Vec::new();
    for i in 0..appends {
        let before: BTreeSet<Position> = acked.keys().copied().collect();
        append(&log, &mut acked, batch(&format!("append {i}"), records)).await.unwrap();
        by_append.push(acked.keys().filter(|p| !before.contains(p)).copied().collect());
    }
    log.close();
    drop(log);
    (disk, acked, by_append)
}

/// The content files of the live lane, oldest first.
pub fn files(disk: &FaultDisk) -> Vec<PathBuf> {
    disk.paths(Path::new(LIVE_DIR), ".log")
}
