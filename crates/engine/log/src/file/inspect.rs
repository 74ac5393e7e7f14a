//! Offline check of a log's folder: reads everything, changes nothing, needs no lock (R8).
//!
//! Guarantees: every byte of every file is looked at; what is whole, damaged, torn or left over is told apart by the
//! same rules as recovery and reading use.
//! Deliberately not here: printing (the command line does that).

use super::block::{Chain, LogFile};
use super::disk::{Disk, OpenMode, RealDisk};
use super::format::{BatchHeader, FIRST_BATCH, FileIdentity};
use super::lane_reader::{FIRST_NUMBER, read_mark};
use super::layout::{LaneFolder, Layout};
use super::open::stated_identity;
use super::reader::file_identity;
use super::recover::{disk_error, find_end, usable_header};
use super::trimmed::TrimNote;
use crate::OpenError;
use serde::Serialize;
use std::path::Path;
use tallymark_model::{Lane, LogId};

/// What a log's folder holds.
#[derive(Debug, Clone, Serialize)]
pub struct LogReport {
    /// Which log.
    pub log: LogId,
    /// Partitions per lane.
    pub partitions: u16,
    /// One per lane.
    pub lanes: Vec<LaneReport>,
}

/// What a lane holds.
#[derive(Debug, Clone, Serialize)]
pub struct LaneReport {
    /// Which lane.
    pub lane: Lane,
    /// First offset kept, per partition.
    pub starts: Vec<u64>,
    /// Next offset, per partition.
    pub ends: Vec<u64>,
    /// The files, oldest first.
    pub files: Vec<FileReport>,
    /// Bytes of a torn, never acknowledged group at the end.
    pub torn_bytes: u64,
    /// Numbers of files that are missing, those that were given up by permit left out.
    pub missing_files: Vec<u64>,
    /// Acknowledged offsets behind the last readable record, per partition, as far as the mark knows.
    pub lost_at_end: Vec<u64>,
}

/// What a file holds.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// Its number.
    pub number: u64,
    /// Its length.
    pub bytes: u64,
    /// Bytes of content, header excluded.
    pub content_bytes: u64,
    /// Whole batches.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// False if both copies of the header are damaged; the batches say the same.
    pub header_is_whole: bool,
    /// Stretches that are not what was written.
    pub damage: Vec<DamageReport>,
}

/// A stretch that is not what was written.
#[derive(Debug, Clone, Serialize)]
pub struct DamageReport {
    /// First byte.
    pub from: u64,
    /// First byte after.
    pub to: u64,
    /// What shows it.
    pub reason: String,
    /// Records it took, if the batch's head is whole; otherwise the next batch tells.
    pub records: Option<u64>,
}

impl LogReport {
    /// True if nothing that was acknowledged is damaged or missing.
    pub fn is_whole(&self) -> bool {
        self.lanes.iter().all(|lane| {
            let whole = |f: &FileReport| f.header_is_whole && f.damage.is_empty();
            lane.missing_files.is_empty()
                && lane.lost_at_end.iter().all(|n| *n == 0)
                && lane.files.iter().all(whole)
        })
    }
}

/// Reads a whole log and reports. While a writer runs, the newest group may be reported as torn.
pub fn inspect(dir: &Path) -> Result<LogReport, OpenError> {
    inspect_on(&RealDisk, dir)
}

/// The same on another disk, for fault tests.
pub fn inspect_on(disk: &dyn Disk, dir: &Path) -> Result<LogReport, OpenError> {
    let layout = Layout { root: dir.to_owned() };
    let Some(identity) = stated_identity(disk, &layout)? else {
        return Err(OpenError::Missing { dir: dir.to_owned() });
    };
    let lanes = Lane::ALL.map(|lane| inspect_lane(disk, &layout.lane(lane), file_identity(identity, lane)));
    let lanes = lanes.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(LogReport { log: identity.log, partitions: identity.partitions, lanes })
}

fn inspect_lane(
    disk: &dyn Disk,
    folder: &LaneFolder,
    identity: FileIdentity,
) -> Result<LaneReport, OpenError> {
    let numbers = folder.numbers(disk).map_err(|e| disk_error(&folder.dir, e))?;
    let end = find_end(disk, folder, identity, None)?;
    let mark = read_mark(disk, folder, identity);
    let mut files = Vec::new();
    let mut starts = None;
    for (i, number) in numbers.iter().enumerate() {
        let content_end = match numbers.get(i + 1) {
            Some(next) => end_by_header(disk, folder, FileIdentity { number: *next, ..identity }, *number)?,
            None => Some(end.position),
        };
        let (report, first) =
            inspect_file(disk, folder, FileIdentity { number: *number, ..identity }, content_end)?;
        starts = starts.or(first);
        files.push(report);
    }
    // Files before the first are missing too, unless a permit gave them up.
    let given_up = TrimNote::read(disk, folder, &identity).map_or(FIRST_NUMBER, |note| note.file);
    let first = numbers.first().copied().unwrap_or(FIRST_NUMBER);
    let span = given_up.min(first)..=numbers.last().copied().unwrap_or(0);
    let lost = |(have, marked): (&u64, &u64)| marked.saturating_sub(*have);
    Ok(LaneReport {
        lane: identity.lane,
        starts: starts.unwrap_or_else(|| end.ends.clone()),
        missing_files: span.filter(|n| numbers.binary_search(n).is_err()).collect(),
        lost_at_end: mark.map_or(Vec::new(), |m| end.ends.iter().zip(&m.ends).map(lost).collect()),
        ends: end.ends,
        files,
        torn_bytes: end.torn_bytes,
    })
}

/// Where file `number` ends according to the header of the file behind it.
fn end_by_header(
    disk: &dyn Disk,
    folder: &LaneFolder,
    next: FileIdentity,
    number: u64,
) -> Result<Option<u64>, OpenError> {
    let path = folder.file(next.number);
    let file = LogFile::open(disk, &path, next, OpenMode::Read).map_err(|e| disk_error(&path, e))?;
    Ok(usable_header(&file)?.filter(|_| next.number == number + 1).map(|h| h.previous_end))
}

fn inspect_file(
    disk: &dyn Disk,
    folder: &LaneFolder,
    identity: FileIdentity,
    content_end: Option<u64>,
) -> Result<(FileReport, Option<Vec<u64>>), OpenError> {
    let path = folder.file(identity.number);
    let fail = |e| disk_error(&path, e);
    let file = LogFile::open(disk, &path, identity, OpenMode::Read).map_err(fail)?;
    let bytes = file.file.len().map_err(fail)?;
    let header = usable_header(&file)?;
    let limit = content_end.unwrap_or(bytes).max(FIRST_BATCH);
    let mut report = FileReport {
        number: identity.number,
        bytes,
        content_bytes: limit - FIRST_BATCH,
        batches: 0,
        records: 0,
        header_is_whole: header.is_some(),
        damage: Vec::new(),
    };
    let mut chain = header.as_ref().map_or(Chain::default(), |h| Chain::from(h.previous_link));
    let mut starts = header.map(|h| h.starts);
    let mut at = FIRST_BATCH;
    while at < limit {
        let block = file.block(at, limit, super::BLOCK_BYTES).map_err(fail)?;
        at = block.end;
        for entry in &block.entries {
            starts = starts.or_else(|| entry.header().map(BatchHeader::starts));
            let records = entry.header().map(|h| h.table.iter().map(|(_, n)| u64::from(*n)).sum());
            match chain.next(entry) {
                Some(d) => {
                    report.damage.push(DamageReport { from: d.from, to: d.to, reason: d.reason, records });
                }
                None => {
                    report.batches += 1;
                    report.records += records.unwrap_or(0);
                }
            }
        }
    }
    // Without a header behind it, the unwritten rest of a file cannot be told from damage at its end.
    if content_end.is_none() && report.damage.last().is_some_and(|d| d.to == limit && d.records.is_none()) {
        report.damage.pop();
    }
    Ok((report, starts))
}
