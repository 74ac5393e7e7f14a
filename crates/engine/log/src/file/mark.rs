//! The durable mark: how far readers in other processes may read.
//!
//! The writer publishes it after each flush and before it acknowledges, into one of two slots in turn, without
//! flushing it: it is a hint about what is durable, always true when it is there, possibly old after a power cut.
//! Recovery never concludes from a mark that data is whole, nor cuts anything because of it. It may only conclude
//! that *more* was acknowledged than it can still read, which makes the difference a gap instead of a torn tail.
//!
//! ```text
//! slot (at byte 0 and at byte 4096) := "TALLYMRK" log:16 lane:u8 0:u8 partitions:u16 0:u32 sequence:u64
//!                                      file:u64 position:u64 (next offset u64)×partitions CRC32C:u32
//! ```

use super::disk::{Disk, DiskFile, OpenMode};
use super::format::{PAGE_BYTES, u16_at, u32_at, u64_at};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tallymark_model::{Lane, LogId};

const MAGIC: [u8; 8] = *b"TALLYMRK";
const HEAD_BYTES: usize = 56;

/// Everything before `position` of file `file` is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub file: u64,
    pub position: u64,
    /// Next offset of each partition.
    pub ends: Vec<u64>,
}

impl Mark {
    /// Place in the log; a later mark has a greater one.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.file, self.position)
    }

    fn encode(&self, log: LogId, lane: Lane, sequence: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD_BYTES + self.ends.len() * 8 + 4);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(log.0.as_bytes());
        out.extend_from_slice(&[lane as u8, 0]);
        out.extend_from_slice(&(self.ends.len() as u16).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        for number in [sequence, self.file, self.position].iter().chain(&self.ends) {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    fn decode(slot: &[u8], log: LogId, lane: Lane, partitions: u16) -> Option<(u64, Mark)> {
        let length = slot_bytes(partitions);
        let slot = slot.get(..length)?;
        let whole = slot[..8] == MAGIC && crc32c::crc32c(&slot[..length - 4]) == u32_at(slot, length - 4);
        let ours =
            slot[8..24] == log.0.as_bytes()[..] && slot[24] == lane as u8 && u16_at(slot, 26) == partitions;
        if !whole || !ours {
            return None;
        }
        let ends = (0..usize::from(partitions)).map(|i| u64_at(slot, HEAD_BYTES + i * 8)).collect();
        Some((u64_at(slot, 32), Mark { file: u64_at(slot, 40), position: u64_at(slot, 48), ends }))
    }
}

fn slot_bytes(partitions: u16) -> usize {
    HEAD_BYTES + usize::from(partitions) * 8 + 4
}

/// The file with the two slots.
pub(crate) struct MarkFile {
    file: Arc<dyn DiskFile>,
    log: LogId,
    lane: Lane,
    partitions: u16,
    sequence: u64,
}

impl MarkFile {
    /// Opens the mark to read it. An error says that it is not there.
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &Path,
        log: LogId,
        lane: Lane,
        partitions: u16,
    ) -> io::Result<MarkFile> {
        let file = disk.open(path, OpenMode::Read)?;
        Ok(MarkFile { file, log, lane, partitions, sequence: 0 })
    }

    /// Opens or makes the mark to publish it. The name is durable when the caller has synced the folder.
    pub(crate) fn create(
        disk: &dyn Disk,
        path: &Path,
        log: LogId,
        lane: Lane,
        partitions: u16,
    ) -> io::Result<MarkFile> {
        let file = match disk.open(path, OpenMode::Write) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => disk.open(path, OpenMode::Create)?,
            opened => opened?,
        };
        if file.len()? < 2 * PAGE_BYTES as u64 {
            file.write_at(&vec![0; 2 * PAGE_BYTES], 0)?;
            file.sync()?;
        }
        let mut mark = MarkFile { file, log, lane, partitions, sequence: 0 };
        mark.sequence = mark.newest().map_or(0, |(sequence, _)| sequence);
        Ok(mark)
    }

    /// The newest whole slot. `None`: there is none, or it is of another log.
    pub(crate) fn read(&self) -> Option<Mark> {
        self.newest().map(|(_, mark)| mark)
    }

    fn newest(&self) -> Option<(u64, Mark)> {
        let slot = |index: u64| {
            let mut bytes = vec![0; slot_bytes(self.partitions)];
            let got = self.file.read_at(&mut bytes, index * PAGE_BYTES as u64).ok()?;
            Mark::decode(&bytes[..got], self.log, self.lane, self.partitions)
        };
        [slot(0), slot(1)].into_iter().flatten().max_by_key(|(sequence, _)| *sequence)
    }

    /// Publishes a newer mark.
    pub(crate) fn publish(&mut self, mark: &Mark) -> io::Result<()> {
        self.sequence += 1;
        let at = (self.sequence % 2) * PAGE_BYTES as u64;
        self.file.write_at(&mark.encode(self.log, self.lane, self.sequence), at)
    }
}
