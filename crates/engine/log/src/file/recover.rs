//! Finds the end of a lane when its writer opens it: what counts, what was torn, what was lost.
//!
//! The rule. Let *proven* be the furthest place that is known to have been durable: the start of the group of any
//! valid batch (it was written after a flush of all before it), or the mark. Then
//! - before *proven* everything invalid is damage. It stays where it is and becomes a gap.
//! - behind it stands at most one group, whose flush nobody can vouch for. It counts up to its first invalid
//!   byte; the rest was never acknowledged and is left behind. What counts is written and flushed once more, because
//!   after a failed flush the page cache may show bytes that the device never got (R5).
//!
//! Guarantees: acknowledged offsets are never given out again, even if their records can no longer be read; nothing
//! is deleted or overwritten with other bytes. The next writer continues in a new file whose header records where
//! this one ends, so leftovers behind the end can never come back to life.
//! Deliberately not here: making that new file.

use super::block::{Chain, Damage, Entry, LogFile};
use super::disk::{Disk, OpenMode};
use super::format::{FIRST_BATCH, FileHeader, FileIdentity, HeaderFault};
use super::layout::LaneFolder;
use super::mark::Mark;
use crate::{OpenError, ReadError};
use std::io;
use std::path::Path;

/// What the next writer of a lane has to know.
#[derive(Debug, Clone)]
pub(crate) struct End {
    /// The last file with content; 0 if the lane is empty.
    pub number: u64,
    /// Where its content ends.
    pub position: u64,
    /// Link of the last batch.
    pub link: u64,
    /// Next offset of each partition.
    pub ends: Vec<u64>,
    /// True if the last file has a whole header and nothing behind it: it can be used as it is.
    pub reusable: bool,
    /// Everything before this was durable for certain.
    pub proven: u64,
    /// Invalid stretches among what was durable: losses.
    pub damage: Vec<Damage>,
    /// Bytes of a torn, never acknowledged group that were left behind.
    pub torn_bytes: u64,
}

/// Finds the end of the lane without changing anything.
pub(crate) fn find_end(
    disk: &dyn Disk,
    folder: &LaneFolder,
    identity: FileIdentity,
    mark: Option<&Mark>,
) -> Result<End, OpenError> {
    let numbers = folder.numbers(disk).map_err(|e| disk_error(&folder.dir, e))?;
    let mut end = match numbers.last() {
        None => End {
            number: 0,
            position: 0,
            link: 0,
            ends: vec![0; usize::from(identity.partitions)],
            reusable: false,
            proven: 0,
            damage: Vec::new(),
            torn_bytes: 0,
        },
        Some(last) => {
            let before: Vec<u64> = numbers.iter().copied().filter(|n| n < last).collect();
            end_of_file(disk, folder, FileIdentity { number: *last, ..identity }, mark, &before)?
        }
    };
    if let Some(mark) = mark.filter(|mark| mark.place() >= (end.number, end.position)) {
        lost_behind(&mut end, mark);
    }
    Ok(end)
}

/// More was acknowledged than can be read.
fn lost_behind(end: &mut End, mark: &Mark) {
    if end.ends.iter().zip(&mark.ends).all(|(have, marked)| have >= marked) {
        return;
    }
    let reason = "acknowledged records are missing at the end".to_owned();
    end.damage.push(Damage { from: end.position, to: mark.position, header: None, reason });
    raise(&mut end.ends, &mark.ends);
    end.reusable = false;
    if mark.file > end.number {
        // Whole files are gone; the next one must not take the name of one that readers know.
        end.number = mark.file;
        end.position = mark.position;
    } else {
        end.position = mark.position.max(end.position);
    }
    end.proven = end.position;
    end.link = 0;
}

fn end_of_file(
    disk: &dyn Disk,
    folder: &LaneFolder,
    identity: FileIdentity,
    mark: Option<&Mark>,
    before: &[u64],
) -> Result<End, OpenError> {
    let path = folder.file(identity.number);
    let fail = |e| disk_error(&path, e);
    let file = LogFile::open(disk, &path, identity, OpenMode::Read).map_err(fail)?;
    let length = file.file.len().map_err(fail)?;
    let header = usable_header(&file)?;
    let entries = all_entries(&file, length).map_err(fail)?;

    let marked = match mark {
        Some(mark) if mark.file == identity.number => mark.position,
        Some(mark) if mark.file > identity.number => length,
        _ => 0,
    };
    let groups = entries.iter().filter_map(Entry::header).map(|h| h.group_start);
    let proven = groups.max().unwrap_or(0).max(marked.min(length)).max(FIRST_BATCH);
    let first = entries.iter().find_map(Entry::header);
    let starts = match (&header, first) {
        (Some(header), _) => header.starts.clone(),
        (None, Some(first)) => first.starts(),
        (None, None) => starts_from_elsewhere(disk, folder, &path, identity, mark, before)?,
    };
    let chain = header.as_ref().map_or(Chain::default(), |h| Chain::from(h.previous_link));
    let link = header.as_ref().map_or(0, |h| h.previous_link);
    let mut walk =
        Walk { chain, proven, position: FIRST_BATCH, link, ends: starts, damage: Vec::new(), crossed: false };
    let walked = entries.iter().take_while(|entry| walk.step(entry)).count();
    if walk.crossed {
        // Durable records and a torn group are damaged in one piece: what is known behind it bounds the loss.
        if let Some(header) = entries[walked..].iter().find_map(Entry::header) {
            raise(&mut walk.ends, &header.starts());
        }
    }
    let torn = entries[walked..].iter().filter(|e| e.header().is_some()).map(Entry::end).max();
    Ok(End {
        number: identity.number,
        position: walk.position,
        link: walk.link,
        ends: walk.ends,
        reusable: header.is_some() && first.is_none(),
        proven,
        damage: walk.damage,
        torn_bytes: torn.map_or(0, |end| end - walk.position),
    })
}

struct Walk {
    chain: Chain,
    proven: u64,
    position: u64,
    link: u64,
    ends: Vec<u64>,
    damage: Vec<Damage>,
    /// The last damage begins in what was durable and has no known end.
    crossed: bool,
}

impl Walk {
    /// Takes the entry into what counts. False: the content ends before it.
    fn step(&mut self, entry: &Entry) -> bool {
        let damage = self.chain.next(entry);
        if damage.is_some() && self.position >= self.proven {
            return false;
        }
        let header = entry.header();
        if let Some(header) = header {
            raise(&mut self.ends, &header.ends());
            self.link = header.link();
        }
        let to = entry.end();
        // Damage of unknown extent at the end reaches into what was never written.
        self.crossed = header.is_none() && to > self.proven;
        self.position = if self.crossed { self.proven } else { to };
        if let Some(mut damage) = damage {
            damage.to = damage.to.min(self.position);
            self.damage.push(damage);
        }
        !self.crossed
    }
}

fn raise(ends: &mut [u64], known: &[u64]) {
    for (end, known) in ends.iter_mut().zip(known) {
        *end = (*end).max(*known);
    }
}

fn all_entries(file: &LogFile, length: u64) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut at = FIRST_BATCH;
    while at < length {
        let block = file.block(at, length, super::BLOCK_BYTES)?;
        at = block.end;
        // Only the heads are needed; a full file of payloads would be 64 MiB.
        entries.extend(block.entries.into_iter().map(|entry| match entry {
            Entry::Batch { header, .. } => Entry::Batch { header, payload: bytes::Bytes::new() },
            damage => damage,
        }));
    }
    Ok(entries)
}

/// The header, `None` if both copies are damaged. A file of another log is refused.
pub(crate) fn usable_header(file: &LogFile) -> Result<Option<FileHeader>, OpenError> {
    let path = || file.path.clone();
    match file.header().map_err(|e| disk_error(&file.path, e))? {
        Ok(header) if header.identity.log != file.identity.log => Err(OpenError::Foreign {
            path: path(),
            found: header.identity.log.to_string(),
            expected: file.identity.log.to_string(),
        }),
        // Misplaced, or of another shape: as good as damaged.
        Ok(header) if header.identity != file.identity => Ok(None),
        Ok(header) => Ok(Some(header)),
        Err(HeaderFault::Damaged) => Ok(None),
        Err(HeaderFault::Newer(found)) => {
            let known = super::format::FORMAT_VERSION;
            Err(OpenError::Read(ReadError::Version { path: path(), found, known }))
        }
    }
}

/// Next offsets at the start of a file that has neither header nor batches.
fn starts_from_elsewhere(
    disk: &dyn Disk,
    folder: &LaneFolder,
    path: &Path,
    identity: FileIdentity,
    mark: Option<&Mark>,
    before: &[u64],
) -> Result<Vec<u64>, OpenError> {
    if let Some((last, before)) = before.split_last() {
        let identity = FileIdentity { number: *last, ..identity };
        return end_of_file(disk, folder, identity, mark, before).map(|end| end.ends);
    }
    match mark {
        Some(mark) => Ok(mark.ends.clone()),
        None => Err(OpenError::Unusable {
            path: path.to_owned(),
            problem: "the only file of the lane has lost both copies of its header and holds no batch, and the mark is gone; \
                      which offsets come next is unknown. Restore the log folder from a backup, or move it away to begin a new log"
                .to_owned(),
        }),
    }
}

pub(crate) fn disk_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Disk { path: path.to_owned(), source }
}
