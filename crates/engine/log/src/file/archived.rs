//! One file of the log from a copy of its bytes: for reading an archive by position.
//!
//! Guarantees: the same verification as in the folder of the log, so damage of the copy is a gap with evidence; any
//! bytes may be given, nothing panics. Packed batches stay packed in memory until they are read.
//! Deliberately not here: where copies are kept.

use super::block::{Chain, Entry, LogFile};
use super::disk::DiskFile;
use super::format::{FIRST_BATCH, FileHeader, FileIdentity, HeaderFault, PAGE_BYTES};
use super::lane_reader::Pass;
use super::sealed::received;
use crate::{Item, ReadError, ReadLimit};
use bytes::Bytes;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tallymark_ledger::GapCause;
use tallymark_model::{Lane, LogId, Millis, Position};

/// Why bytes are not a file of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Neither copy of the header is whole.
    #[error("both copies of the file's header are damaged, so nothing says which file it is")]
    Header,
    /// Written by a newer version.
    #[error("format version {0} is newer than this program understands; upgrade it")]
    Newer(u16),
    /// A file of another lane.
    #[error("the file belongs to lane {found}, not to {wanted}")]
    Lane {
        /// What it says.
        found: Lane,
        /// What was asked.
        wanted: Lane,
    },
}

/// One file of the log.
pub struct ArchivedFile {
    identity: FileIdentity,
    previous_link: u64,
    starts: Vec<u64>,
    ends: Vec<u64>,
    entries: Vec<Entry>,
}

/// Takes the bytes of one file, from its first to the end of its content.
pub fn decode_archived(bytes: Bytes, lane: Lane) -> Result<ArchivedFile, ArchiveError> {
    let header = header(&bytes)?;
    if header.identity.lane != lane {
        return Err(ArchiveError::Lane { found: header.identity.lane, wanted: lane });
    }
    let limit = bytes.len() as u64;
    let path = PathBuf::from(format!("archived file {:016x} of lane {lane}", header.identity.number));
    let file = LogFile { identity: header.identity, path, file: Arc::new(InMemory(bytes)) };
    let mut entries = Vec::new();
    let mut at = FIRST_BATCH;
    while at < limit {
        // Reading memory does not fail.
        let Ok(block) = file.block(at, limit, super::BLOCK_BYTES) else { break };
        at = block.end.max(at + 1);
        entries.extend(block.entries);
    }
    let last = entries.iter().filter_map(Entry::header).last();
    let ends = last.map_or_else(|| header.starts.clone(), |h| h.ends());
    Ok(ArchivedFile {
        identity: header.identity,
        previous_link: header.previous_link,
        starts: header.starts,
        ends,
        entries,
    })
}

fn header(bytes: &Bytes) -> Result<FileHeader, ArchiveError> {
    let mut fault = ArchiveError::Header;
    for copy in 0..2 {
        let page = bytes.get(copy * PAGE_BYTES..(copy + 1) * PAGE_BYTES).unwrap_or_default();
        match FileHeader::decode(page) {
            Ok(header) => return Ok(header),
            Err(HeaderFault::Newer(version)) => fault = ArchiveError::Newer(version),
            Err(HeaderFault::Damaged) => {}
        }
    }
    Err(fault)
}

impl ArchivedFile {
    /// Which log.
    pub fn log(&self) -> LogId {
        self.identity.log
    }

    /// Which lane.
    pub fn lane(&self) -> Lane {
        self.identity.lane
    }

    /// Which file of the lane.
    pub fn number(&self) -> u64 {
        self.identity.number
    }

    /// Offsets `[from, to)` of each partition.
    pub fn ranges(&self) -> Vec<(u64, u64)> {
        self.starts.iter().copied().zip(self.ends.iter().copied()).collect()
    }

    /// States where the file ends: only the file behind it, or an index, knows of records missing at the end.
    pub fn with_ends(mut self, ends: &[u64]) -> ArchivedFile {
        if ends.len() == self.ends.len() {
            self.ends.iter_mut().zip(ends).for_each(|(end, stated)| *end = (*end).max(*stated));
        }
        self
    }

    /// Smallest and largest receive time of its events, ms UTC. Reads everything.
    pub fn received(&self) -> Option<(Millis, Millis)> {
        let mut range = None;
        for entry in &self.entries {
            let entry = unpacked(entry);
            for at in received(&entry) {
                let (from, to) = range.unwrap_or((at, at));
                range = Some((at.min(from), at.max(to)));
            }
        }
        range
    }

    /// Stretches that are not what was written.
    pub fn damaged(&self) -> usize {
        let mut chain = Chain::from(self.previous_link);
        self.entries.iter().filter(|entry| chain.next(entry).is_some()).count()
    }

    /// What follows from `at` on within this file: records and gaps, as [`crate::LogReader::read`] answers. Empty if
    /// the file holds nothing from there on.
    pub fn read(&self, at: Position, limit: ReadLimit) -> Result<Vec<Item>, ReadError> {
        let Some((start, end)) = self.ranges().get(usize::from(at.partition)).copied() else {
            let partitions = self.identity.partitions;
            return Err(ReadError::NoPartition { at, partitions });
        };
        if at.lane != self.identity.lane || at.offset < start || at.offset >= end {
            return Ok(Vec::new());
        }
        let path = PathBuf::from(format!("archived {:016x}.log", self.identity.number));
        let mut pass = Pass::new(at, limit, Chain::from(self.previous_link));
        for entry in &self.entries {
            let settled = pass.out.at.offset;
            let p = usize::from(at.partition);
            let wanted = entry.header().is_some_and(|h| h.table[p].0 + u64::from(h.table[p].1) > settled);
            let taken = if wanted { pass.entry(&unpacked(entry), &path) } else { pass.entry(entry, &path) };
            let whole = taken.map_err(|trouble| match trouble {
                super::files::Trouble::Error(e) => e,
                super::files::Trouble::Vanished => {
                    super::files::read_error(&path, io::Error::other("it cannot vanish from memory"))
                }
            })?;
            if !whole || pass.out.is_full() {
                return Ok(pass.out.finish());
            }
        }
        pass.missing_until(end, GapCause::Corrupt, "records are missing at the end of the archived file");
        Ok(pass.out.finish())
    }
}

fn unpacked(entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    entry.unpack();
    entry
}

/// A file that is nothing but these bytes.
struct InMemory(Bytes);

impl DiskFile for InMemory {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let got = rest.len().min(buf.len());
        buf[..got].copy_from_slice(&rest[..got]);
        Ok(got)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn reserve(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}
