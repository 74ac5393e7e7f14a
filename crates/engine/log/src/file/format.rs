//! Bytes on disk. All numbers are little-endian.
//!
//! ```text
//! file   := header page | the same page again | batch batch batch …           (batches start at byte 8192)
//!
//! header page, 4096 bytes                      batch, padded with zeros to a multiple of 8
//!   0  "TALLYLOG"                                0  magic                       8
//!   8  format version          u16               8  length of the payload       u32
//!  10  lane                    u8               12  CRC32C of the payload       u32
//!  12  partitions              u16              16  codec (0 plain, 1 zstd)     u8
//!  16  log id                  16 bytes         18  partitions                  u16
//!  32  file number             u64              20  length when unpacked        u32
//!  40  end of the file before  u64              24  link of the batch before    u64
//!  48  link of its last batch  u64              32  start of its group          u64
//!  64  next offset             u64 × partitions 40  (offset u64, count u32)     × partitions
//! 4092 CRC32C of the page      u32               …  CRC32C                      u32
//!                                                …  payload
//! ```
//!
//! The CRC of a batch header also covers log id, lane, file number and position, which are not stored: a batch
//! that lies elsewhere than where it was written, or is left from an earlier use of a recycled file, is not valid.
//! Every batch names the next offset of *every* partition, so behind damage the first valid batch says exactly
//! which offsets the damage took. The link (header CRC and payload CRC) chains each batch to the one before.
//! "Start of its group": all bytes of the file before it were durable before this batch was written, so a valid
//! batch proves what stands before its group was acknowledged and tells damage from a torn tail.
//!
//! Guarantees: decoding arbitrary bytes never panics. Deliberately not here: reading files, what damage means.

use tallymark_model::{Lane, LogId, Position};

pub(crate) const PAGE_BYTES: usize = 4096;
/// Where batches start.
pub(crate) const FIRST_BATCH: u64 = 2 * PAGE_BYTES as u64;
pub(crate) const FORMAT_VERSION: u16 = 1;
/// Batches start at multiples of this.
pub(crate) const ALIGN: u64 = 8;

/// Largest payload, packed or not; the writer's settings stay below.
pub(crate) const PAYLOAD_BYTES_MAX: u32 = 1 << 30;

const FILE_MAGIC: [u8; 8] = *b"TALLYLOG";
const BATCH_MAGIC: [u8; 8] = *b"\xf5TMbat\x1a\n";
const TABLE_AT: usize = 40;
const STARTS_AT: usize = 64;

/// Which file of which log: part of every checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    pub log: LogId,
    pub lane: Lane,
    pub partitions: u16,
    pub number: u64,
}

impl FileIdentity {
    fn seed(&self, position: u64) -> u32 {
        let mut bytes = [0u8; 33];
        bytes[..16].copy_from_slice(self.log.0.as_bytes());
        bytes[16] = self.lane as u8;
        bytes[17..25].copy_from_slice(&self.number.to_le_bytes());
        bytes[25..].copy_from_slice(&position.to_le_bytes());
        crc32c::crc32c(&bytes)
    }
}

/// What a file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub identity: FileIdentity,
    /// Where the content of the file before ends; 0 if there is none.
    pub previous_end: u64,
    /// Link of the last batch before this file; 0 if there is none.
    pub previous_link: u64,
    /// Next offset of each partition at the start of this file.
    pub starts: Vec<u64>,
}

/// Why a header page cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Damaged,
    Newer(u16),
}

impl FileHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut page = vec![0u8; PAGE_BYTES];
        page[..8].copy_from_slice(&FILE_MAGIC);
        page[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        page[10] = self.identity.lane as u8;
        page[12..14].copy_from_slice(&self.identity.partitions.to_le_bytes());
        page[16..32].copy_from_slice(self.identity.log.0.as_bytes());
        page[32..40].copy_from_slice(&self.identity.number.to_le_bytes());
        page[40..48].copy_from_slice(&self.previous_end.to_le_bytes());
        page[48..56].copy_from_slice(&self.previous_link.to_le_bytes());
        for (i, start) in self.starts.iter().enumerate() {
            page[STARTS_AT + i * 8..][..8].copy_from_slice(&start.to_le_bytes());
        }
        let crc = crc32c::crc32c(&page[..PAGE_BYTES - 4]);
        page[PAGE_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        page
    }

    pub(crate) fn decode(page: &[u8]) -> Result<FileHeader, HeaderFault> {
        if page.len() != PAGE_BYTES || crc32c::crc32c(&page[..PAGE_BYTES - 4]) != u32_at(page, PAGE_BYTES - 4)
        {
            return Err(HeaderFault::Damaged);
        }
        if page[..8] != FILE_MAGIC {
            return Err(HeaderFault::Damaged);
        }
        let version = u16_at(page, 8);
        if version > FORMAT_VERSION {
            return Err(HeaderFault::Newer(version));
        }
        let lane = Lane::from_index(page[10]).ok_or(HeaderFault::Damaged)?;
        let partitions = u16_at(page, 12);
        if partitions == 0 || partitions > crate::PARTITIONS_MAX {
            return Err(HeaderFault::Damaged);
        }
        let log = LogId(uuid::Uuid::from_slice(&page[16..32]).map_err(|_| HeaderFault::Damaged)?);
        let starts: Vec<u64> =
            (0..usize::from(partitions)).map(|i| u64_at(page, STARTS_AT + i * 8)).collect();
        if starts.iter().any(|s| *s > Position::OFFSET_MAX) {
            return Err(HeaderFault::Damaged);
        }
        Ok(FileHeader {
            identity: FileIdentity { log, lane, partitions, number: u64_at(page, 32) },
            previous_end: u64_at(page, 40),
            previous_link: u64_at(page, 48),
            starts,
        })
    }
}

/// How a payload is packed. The numbers are persisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Codec {
    Plain = 0,
    Zstd = 1,
}

/// Head of a batch, with where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub position: u64,
    pub payload_bytes: u32,
    pub payload_crc: u32,
    pub codec: Codec,
    pub unpacked_bytes: u32,
    /// Link of the batch before.
    pub parent: u64,
    /// Bytes before this position were durable when this batch was written.
    pub group_start: u64,
    /// Next offset and number of records, per partition.
    pub table: Vec<(u64, u32)>,
    /// Checksum of the header; set by `encode` and `decode`.
    pub crc: u32,
}

impl BatchHeader {
    pub(crate) fn bytes(partitions: u16) -> usize {
        TABLE_AT + usize::from(partitions) * 12 + 4
    }

    /// Bytes of a batch with this payload, padding included.
    pub(crate) fn batch_bytes(partitions: u16, payload_bytes: usize) -> u64 {
        ((BatchHeader::bytes(partitions) + payload_bytes) as u64).next_multiple_of(ALIGN)
    }

    /// Where the next batch starts.
    pub(crate) fn end(&self) -> u64 {
        self.position + BatchHeader::batch_bytes(self.table.len() as u16, self.payload_bytes as usize)
    }

    pub(crate) fn link(&self) -> u64 {
        u64::from(self.crc) << 32 | u64::from(self.payload_crc)
    }

    /// First offset of each partition.
    pub(crate) fn starts(&self) -> Vec<u64> {
        self.table.iter().map(|(start, _)| *start).collect()
    }

    /// Next offset of each partition behind this batch.
    pub(crate) fn ends(&self) -> Vec<u64> {
        self.table.iter().map(|(start, count)| start + u64::from(*count)).collect()
    }

    /// Appends the header to `out` and sets `self.crc`.
    pub(crate) fn encode(&mut self, identity: &FileIdentity, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&BATCH_MAGIC);
        out.extend_from_slice(&self.payload_bytes.to_le_bytes());
        out.extend_from_slice(&self.payload_crc.to_le_bytes());
        out.extend_from_slice(&[self.codec as u8, 0]);
        out.extend_from_slice(&(self.table.len() as u16).to_le_bytes());
        out.extend_from_slice(&self.unpacked_bytes.to_le_bytes());
        out.extend_from_slice(&self.parent.to_le_bytes());
        out.extend_from_slice(&self.group_start.to_le_bytes());
        for (offset, count) in &self.table {
            out.extend_from_slice(&offset.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
        }
        self.crc = crc32c::crc32c_append(identity.seed(self.position), &out[start..]);
        out.extend_from_slice(&self.crc.to_le_bytes());
    }

    /// The header at `bytes[0..]`, which stand at `position` of the file; `None` if it is not valid there.
    pub(crate) fn decode(bytes: &[u8], position: u64, identity: &FileIdentity) -> Option<BatchHeader> {
        let length = BatchHeader::bytes(identity.partitions);
        let head = bytes.get(..length)?;
        if head[..8] != BATCH_MAGIC || u16_at(head, 18) != identity.partitions {
            return None;
        }
        let crc = crc32c::crc32c_append(identity.seed(position), &head[..length - 4]);
        if crc != u32_at(head, length - 4) {
            return None;
        }
        let codec = match head[16] {
            0 => Codec::Plain,
            1 => Codec::Zstd,
            _ => return None,
        };
        if u32_at(head, 8) > PAYLOAD_BYTES_MAX || u32_at(head, 20) > PAYLOAD_BYTES_MAX {
            return None;
        }
        let table: Vec<(u64, u32)> = (0..usize::from(identity.partitions))
            .map(|i| (u64_at(head, TABLE_AT + i * 12), u32_at(head, TABLE_AT + i * 12 + 8)))
            .collect();
        if table.iter().any(|(offset, count)| offset.saturating_add(u64::from(*count)) > Position::OFFSET_MAX)
        {
            return None;
        }
        Some(BatchHeader {
            position,
            payload_bytes: u32_at(head, 8),
            payload_crc: u32_at(head, 12),
            codec,
            unpacked_bytes: u32_at(head, 20),
            parent: u64_at(head, 24),
            group_start: u64_at(head, 32),
            table,
            crc,
        })
    }

    /// Position of the first valid header in `bytes`, which stand at `position` of the file.
    pub(crate) fn find(bytes: &[u8], position: u64, identity: &FileIdentity) -> Option<BatchHeader> {
        let first = (position.next_multiple_of(ALIGN) - position) as usize;
        let candidates = (first..bytes.len().saturating_sub(7)).step_by(ALIGN as usize);
        candidates
            .filter(|at| bytes[*at..*at + 8] == BATCH_MAGIC)
            .find_map(|at| BatchHeader::decode(&bytes[at..], position + at as u64, identity))
    }
}

// The callers pass ranges within slices whose length they have checked.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
