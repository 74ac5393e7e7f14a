//! The files of the log as whoever copies them sees them: which are finished, how far the last one is durable.
//!
//! Guarantees: a sealed file never changes again; the bytes of a tail below its durable end never change either.
//! Deliberately not here: copying.

use super::block::Entry;
use super::files::{RETRIES, Trouble};
use super::format::FIRST_BATCH;
use super::lane_reader::LaneReader;
use super::reader::FileLogReader;
use crate::record::Decoder;
use crate::{ReadError, SealedFile};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tallymark_model::{Lane, LogId, Millis, Record};

/// Everything that a copy of a log consists of.
#[derive(Debug, Clone)]
pub struct LogFiles {
    /// Which log.
    pub log: LogId,
    /// Partitions per lane.
    pub partitions: u16,
    /// The file that says which log it is.
    pub identity: PathBuf,
    /// One per lane.
    pub lanes: Vec<LaneFiles>,
}

/// The files of a lane.
#[derive(Debug, Clone)]
pub struct LaneFiles {
    /// Which.
    pub lane: Lane,
    /// Finished files, oldest first.
    pub sealed: Vec<SealedFile>,
    /// The file being written; `None` if there is none yet.
    pub tail: Option<TailFile>,
    /// The note of what was given up by permit; `None` if nothing was.
    pub trimmed: Option<PathBuf>,
}

/// The file that is being written.
#[derive(Debug, Clone)]
pub struct TailFile {
    /// Files of a lane are ordered by it.
    pub number: u64,
    /// Its name within the lane.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Everything before this byte is durable and will not change.
    pub bytes: u64,
    /// Offsets `[from, to)` of each partition in those bytes.
    pub ranges: Vec<(u64, u64)>,
}

/// Receive time of the first event of each file, as far as it was asked for.
pub(crate) type FirstTimes = BTreeMap<u64, Millis>;

impl FileLogReader {
    /// Lists the files a copy of the log consists of, as of now.
    pub async fn files(&self) -> Result<LogFiles, ReadError> {
        let mut lanes = Vec::new();
        for lane in Lane::ALL {
            lanes.push(self.on_lane(lane, move |_, state| files_of(lane, &mut state.reader), |e| e).await?);
        }
        let identity = self.shared.identity;
        let path = self.shared.layout.identity();
        Ok(LogFiles { log: identity.log, partitions: identity.partitions, identity: path, lanes })
    }
}

fn files_of(lane: Lane, reader: &mut LaneReader) -> Result<LaneFiles, ReadError> {
    for _ in 0..RETRIES {
        reader.refresh()?;
        reader.files.refresh()?;
        match list(lane, reader) {
            Ok(files) => return Ok(files),
            Err(Trouble::Vanished) => {}
            Err(Trouble::Error(e)) => return Err(e),
        }
    }
    let source = std::io::Error::other("files come and go faster than they can be listed; try again");
    Err(ReadError::Disk { path: reader.files.folder.dir.clone(), source })
}

fn list(lane: Lane, reader: &mut LaneReader) -> Result<LaneFiles, Trouble> {
    let numbers = reader.files.numbers();
    let durable = reader.durable.clone();
    let mut sealed = Vec::new();
    for number in numbers.iter().copied().filter(|n| *n < durable.file) {
        let (starts, ends) = (starts_of(reader, number)?, ends_of(reader, number)?);
        let path = reader.files.folder.file(number);
        let first = first_received(reader, number)?;
        let behind = match reader.files.after(number) {
            Some(next) if first.is_some() => first_received_from(reader, next)?,
            _ => None,
        };
        sealed.push(SealedFile {
            lane,
            number,
            name: name_of(&path),
            bytes: reader.files.end_of_sealed(number)?,
            ranges: starts.into_iter().zip(ends).collect(),
            received: first.zip(behind),
            path,
        });
    }
    let tail = if numbers.binary_search(&durable.file).is_ok() {
        let path = reader.files.folder.file(durable.file);
        let starts = starts_of(reader, durable.file)?;
        let ranges = starts.into_iter().zip(durable.ends.iter().copied()).collect();
        Some(TailFile {
            number: durable.file,
            name: name_of(&path),
            path,
            bytes: durable.position.max(FIRST_BATCH),
            ranges,
        })
    } else {
        None
    };
    let trimmed = reader.files.trim_note().map(|_| reader.files.folder.trimmed());
    reader.times = std::mem::take(&mut reader.times).split_off(&numbers.first().copied().unwrap_or(0));
    Ok(LaneFiles { lane, sealed, tail, trimmed })
}

fn name_of(path: &std::path::Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Where a file begins; without a whole word on it, where the file before ends.
fn starts_of(reader: &LaneReader, number: u64) -> Result<Vec<u64>, Trouble> {
    let known = reader.files.get(number).ok_or(Trouble::Vanished)?;
    Ok(known.starts.clone().unwrap_or_else(|| vec![0; reader.durable.ends.len()]))
}

/// Where a sealed file ends: the file behind it says, unless that one is missing.
fn ends_of(reader: &mut LaneReader, number: u64) -> Result<Vec<u64>, Trouble> {
    if let Some(starts) = reader.files.get(number + 1).and_then(|next| next.starts.clone()) {
        return Ok(starts);
    }
    let mut ends = starts_of(reader, number)?;
    let limit = reader.files.end_of_sealed(number)?;
    let mut at = FIRST_BATCH;
    while at < limit {
        let block = reader.files.block(number, at, limit)?;
        if let Some(header) = block.entries.iter().filter_map(Entry::header).last() {
            ends = header.ends();
        }
        at = block.end;
    }
    Ok(ends)
}

/// Receive time of the first event in this file or one behind it.
fn first_received_from(reader: &mut LaneReader, number: u64) -> Result<Option<Millis>, Trouble> {
    let mut next = Some(number);
    while let Some(number) = next {
        if let Some(at) = first_received(reader, number)? {
            return Ok(Some(at));
        }
        next = reader.files.after(number);
    }
    Ok(None)
}

fn first_received(reader: &mut LaneReader, number: u64) -> Result<Option<Millis>, Trouble> {
    if let Some(known) = reader.times.get(&number) {
        return Ok(Some(*known));
    }
    let limit = match number.cmp(&reader.durable.file) {
        std::cmp::Ordering::Less => reader.files.end_of_sealed(number)?,
        std::cmp::Ordering::Equal => reader.durable.position,
        std::cmp::Ordering::Greater => return Ok(None),
    };
    let mut at = FIRST_BATCH;
    while at < limit {
        let block = reader.files.block(number, at, limit)?;
        if let Some(first) = block.entries.iter().find_map(|e| received(e).next()) {
            reader.times.insert(number, first);
            return Ok(Some(first));
        }
        at = block.end;
    }
    Ok(None)
}

/// Receive times of the events of an unpacked batch; what cannot be read has none.
pub(crate) fn received(entry: &Entry) -> impl Iterator<Item = Millis> {
    let payload = match entry {
        Entry::Batch { payload, .. } => Some(payload.clone()),
        Entry::Damage(_) => None,
    };
    // The lane matters to positions only.
    let mut decoder = payload.and_then(|payload| Decoder::new(payload, Lane::Live).ok());
    std::iter::from_fn(move || {
        loop {
            match decoder.as_mut()?.next_if(|_| true) {
                Ok(Some((_, Some(Record::Event(event))))) => return Some(event.received_at),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    })
}
