//! Reads a stretch of a file and says what is valid in it and what is not.
//!
//! Guarantees: every byte of `[from, end)` of a [`Block`] belongs to exactly one entry; a valid batch was verified
//! including its payload; damage never hides a valid batch behind it, and reading damage always makes progress.
//! Deliberately not here: whether damage is a torn tail or a loss (that depends on what was durable).

use super::disk::{Disk, DiskFile, OpenMode, is_device_error};
use super::format::{ALIGN, BatchHeader, Codec, FileHeader, FileIdentity, HeaderFault, PAGE_BYTES};
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One open file of a lane.
pub(crate) struct LogFile {
    pub identity: FileIdentity,
    pub path: PathBuf,
    pub file: Arc<dyn DiskFile>,
}

/// A verified stretch of a file.
pub(crate) struct Block {
    pub entries: Vec<Entry>,
    /// Where the next block starts.
    pub end: u64,
}

/// What stands in a stretch.
#[derive(Clone)]
pub(crate) enum Entry {
    Batch { header: BatchHeader, payload: Bytes },
    Damage(Damage),
}

impl Entry {
    /// The head of the batch, if that is whole.
    pub(crate) fn header(&self) -> Option<&BatchHeader> {
        match self {
            Entry::Batch { header, .. } => Some(header),
            Entry::Damage(damage) => damage.header.as_ref(),
        }
    }

    /// Unpacks the payload in memory. What does not unpack stays packed, for the reader to report.
    pub(crate) fn unpack(&mut self) {
        if let Entry::Batch { header, payload } = self
            && header.codec == Codec::Zstd
            && let Ok(unpacked) = zstd::bulk::decompress(payload, header.unpacked_bytes as usize)
        {
            (*payload, header.codec) = (Bytes::from(unpacked), Codec::Plain);
        }
    }

    /// Bytes it takes in memory, roughly.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Entry::Batch { header, payload } => 128 + header.table.len() * 16 + payload.len(),
            Entry::Damage(_) => 256,
        }
    }

    /// Where the next entry starts.
    pub(crate) fn end(&self) -> u64 {
        match self {
            Entry::Batch { header, .. } => header.end(),
            Entry::Damage(damage) => damage.to,
        }
    }
}

/// Bytes that are not what was written.
#[derive(Debug, Clone)]
pub(crate) struct Damage {
    pub from: u64,
    pub to: u64,
    /// The head of the batch, if that is whole.
    pub header: Option<BatchHeader>,
    pub reason: String,
}

/// Bytes as far as the device delivers them; what it does not is zero.
struct Raw {
    bytes: Vec<u8>,
    unreadable: Option<String>,
}

impl LogFile {
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &Path,
        identity: FileIdentity,
        mode: OpenMode,
    ) -> io::Result<LogFile> {
        Ok(LogFile { identity, path: path.to_owned(), file: disk.open(path, mode)? })
    }

    /// The file's header from whichever copy is whole.
    pub(crate) fn header(&self) -> io::Result<Result<FileHeader, HeaderFault>> {
        let mut fault = HeaderFault::Damaged;
        for copy in 0..2u64 {
            let raw = self.read(copy * PAGE_BYTES as u64, PAGE_BYTES)?;
            match FileHeader::decode(&raw.bytes) {
                Ok(header) => return Ok(Ok(header)),
                Err(newer @ HeaderFault::Newer(_)) => fault = newer,
                Err(HeaderFault::Damaged) => {}
            }
        }
        Ok(Err(fault))
    }

    /// Bytes as they are, for writing them again.
    pub(crate) fn bytes(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        self.read(from, (to - from) as usize).map(|raw| raw.bytes)
    }

    /// Verifies from `from`, where a batch starts, to at most `limit`, reading about `want` bytes.
    pub(crate) fn block(&self, from: u64, limit: u64, want: usize) -> io::Result<Block> {
        let mut take = want.max(PAGE_BYTES);
        loop {
            let asked = (limit - from).min(take as u64) as usize;
            let raw = self.read(from, asked)?;
            let file_ends = raw.bytes.len() < asked;
            let stretch = Stretch {
                identity: &self.identity,
                from,
                limit,
                last: file_ends || from + asked as u64 >= limit,
                unreadable: raw.unreadable,
                bytes: Bytes::from(raw.bytes),
            };
            let block = stretch.entries();
            if !block.entries.is_empty() || from >= limit {
                return Ok(block);
            }
            // One batch, or one stretch of damage, is larger than the window.
            take = take.saturating_mul(4);
        }
    }

    fn read(&self, at: u64, length: usize) -> io::Result<Raw> {
        let mut bytes = vec![0; length];
        match self.file.read_at(&mut bytes, at) {
            Ok(got) => {
                bytes.truncate(got);
                Ok(Raw { bytes, unreadable: None })
            }
            Err(e) if is_device_error(&e) => self.read_around(at, length, e),
            Err(e) => Err(e),
        }
    }

    /// Saves what can be read around sectors that cannot.
    fn read_around(&self, at: u64, length: usize, error: io::Error) -> io::Result<Raw> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        for (i, page) in bytes.chunks_mut(PAGE_BYTES).enumerate() {
            let start = i * PAGE_BYTES;
            let wanted = page.len();
            let got = match self.file.read_at(page, at + start as u64) {
                Ok(got) => got,
                Err(e) if is_device_error(&e) => {
                    page.fill(0);
                    wanted
                }
                Err(e) => return Err(e),
            };
            filled = start + got;
            if got < wanted {
                break;
            }
        }
        bytes.truncate(filled);
        Ok(Raw { bytes, unreadable: Some(error.to_string()) })
    }
}

/// Bytes of a file with what is needed to judge them.
struct Stretch<'a> {
    identity: &'a FileIdentity,
    from: u64,
    limit: u64,
    /// No more bytes can be had before `limit`.
    last: bool,
    unreadable: Option<String>,
    bytes: Bytes,
}

impl Stretch<'_> {
    fn entries(&self) -> Block {
        let mut entries = Vec::new();
        let mut at = self.from;
        while at < self.limit {
            let Some(entry) = self.entry(at) else { break };
            at = match &entry {
                Entry::Batch { header, .. } => header.end(),
                Entry::Damage(damage) => damage.to,
            };
            entries.push(entry);
        }
        Block { entries, end: at }
    }

    /// What stands at `at`. `None`: the window has to reach further.
    fn entry(&self, at: u64) -> Option<Entry> {
        let rest = &self.bytes[((at - self.from) as usize).min(self.bytes.len())..];
        let header_bytes = BatchHeader::bytes(self.identity.partitions);
        if rest.len() < header_bytes && !self.last {
            return None;
        }
        let Some(header) = BatchHeader::decode(rest, at, self.identity) else {
            return self.damage_until_next(at, rest);
        };
        if header.end() > self.limit {
            return self.damage_until_next(at, rest);
        }
        // The padding of the last batch may be cut off by the end of the file.
        let payload_at = header_bytes;
        let payload_end = payload_at + header.payload_bytes as usize;
        if payload_end > rest.len() {
            let reason = "the file ends within the batch";
            return self.last.then(|| self.damage(at, header.end().min(self.limit), Some(header), reason));
        }
        if crc32c::crc32c(&rest[payload_at..payload_end]) != header.payload_crc {
            return Some(self.damage(at, header.end(), Some(header), "payload does not match its checksum"));
        }
        let start = (at - self.from) as usize;
        let payload = self.bytes.slice(start + payload_at..start + payload_end);
        Some(Entry::Batch { header, payload })
    }

    /// Damage of unknown extent: up to the next valid header.
    fn damage_until_next(&self, at: u64, rest: &[u8]) -> Option<Entry> {
        let reason = "no valid batch header";
        let skip = (ALIGN as usize).min(rest.len());
        match BatchHeader::find(&rest[skip..], at + skip as u64, self.identity) {
            Some(next) => Some(self.damage(at, next.position, None, reason)),
            None if self.last => Some(self.damage(at, self.limit, None, reason)),
            None => None,
        }
    }

    fn damage(&self, from: u64, to: u64, header: Option<BatchHeader>, reason: &str) -> Entry {
        let reason = match &self.unreadable {
            Some(error) => format!("{reason} (device: {error})"),
            None => reason.to_owned(),
        };
        Entry::Damage(Damage { from, to, header, reason })
    }
}

/// The chain of links: each batch must name the one before it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Chain(Option<u64>);

impl Chain {
    /// A chain that goes on from this link.
    pub(crate) fn from(link: u64) -> Chain {
        Chain(Some(link))
    }

    /// Takes the next entry. `Some`: the entry as damage, because it does not belong behind the last one.
    pub(crate) fn next(&mut self, entry: &Entry) -> Option<Damage> {
        match entry {
            Entry::Batch { header, .. } => {
                let fits = self.0.is_none_or(|link| link == header.parent);
                // What does not belong here says nothing about what follows it.
                self.0 = fits.then(|| header.link());
                let reason = "the batch does not follow the one before it".to_owned();
                let (from, to) = (header.position, header.end());
                (!fits).then(|| Damage { from, to, header: Some(header.clone()), reason })
            }
            Entry::Damage(damage) => {
                self.0 = damage.header.as_ref().map(BatchHeader::link);
                Some(damage.clone())
            }
        }
    }
}
