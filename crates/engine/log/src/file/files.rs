//! The files of a lane as a reader knows them: which there are, where each begins and ends.
//!
//! Guarantees: memory grows with the number of files, not with their content; a file that another process trims
//! away shows up as [`Trouble::Vanished`], never as damage.
//! Deliberately not here: batches and records.

use super::block::{Block, Entry, LogFile};
use super::disk::{Disk, OpenMode};
use super::format::{FIRST_BATCH, FileIdentity, HeaderFault};
use super::layout::LaneFolder;
use super::trimmed::TrimNote;
use crate::ReadError;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Verified bytes kept for the readers of the other partitions.
const CACHE_BYTES: usize = 32 << 20;
const CACHE_BLOCKS: usize = 256;
/// Open files kept.
const HANDLES: usize = 8;

/// What stops a read.
pub(crate) enum Trouble {
    /// The file is gone or being used again: look at the folder anew.
    Vanished,
    Error(ReadError),
}

/// The start of a file.
#[derive(Debug, Clone)]
pub(crate) struct FileStart {
    /// Next offset of each partition; `None` if nothing whole says so.
    pub starts: Option<Vec<u64>>,
    /// The header's word on the file before: where it ends, and its last link.
    pub previous: Option<(u64, u64)>,
}

/// Known files, open handles and verified blocks.
pub(crate) struct Files {
    disk: Arc<dyn Disk>,
    pub folder: LaneFolder,
    /// Number is 0.
    identity: FileIdentity,
    known: BTreeMap<u64, FileStart>,
    /// What was given up by permit.
    trimmed: Option<TrimNote>,
    handles: VecDeque<(u64, Arc<LogFile>)>,
    blocks: VecDeque<((u64, u64), Arc<Block>, usize)>,
    block_bytes: usize,
}

impl Files {
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: LaneFolder, identity: FileIdentity) -> Files {
        Files {
            disk,
            folder,
            identity,
            known: BTreeMap::new(),
            trimmed: None,
            handles: VecDeque::new(),
            blocks: VecDeque::new(),
            block_bytes: 0,
        }
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    /// Looks at the folder anew.
    pub(crate) fn refresh(&mut self) -> Result<(), ReadError> {
        // A file may go between listing and opening it; the next listing knows.
        for _ in 0..RETRIES {
            let numbers = self.folder.numbers(self.disk()).map_err(|e| read_error(&self.folder.dir, e))?;
            // Behind the listing: the note is durable before a file goes, so it knows of every file that was not
            // listed. One that cannot be read does not undo what an earlier one said.
            self.trimmed = TrimNote::read(self.disk(), &self.folder, &self.identity).or(self.trimmed.take());
            self.known.retain(|number, _| numbers.binary_search(number).is_ok());
            self.handles.retain(|(number, _)| numbers.binary_search(number).is_ok());
            let new: Vec<u64> = numbers.into_iter().filter(|n| !self.known.contains_key(n)).collect();
            match new.into_iter().try_for_each(|number| self.learn(number)) {
                Err(Trouble::Vanished) => continue,
                Err(Trouble::Error(e)) => return Err(e),
                Ok(()) => return Ok(()),
            }
        }
        Ok(())
    }

    fn learn(&mut self, number: u64) -> Result<(), Trouble> {
        let file = self.open(number)?;
        let header = match file.header().map_err(|e| Trouble::Error(read_error(&file.path, e)))? {
            Ok(header) if header.identity == file.identity => Some(header),
            Ok(_) | Err(HeaderFault::Damaged) => None,
            Err(HeaderFault::Newer(found)) => {
                let known = super::format::FORMAT_VERSION;
                return Err(Trouble::Error(ReadError::Version { path: file.path.clone(), found, known }));
            }
        };
        let start = match header {
            Some(h) => {
                FileStart { starts: Some(h.starts), previous: Some((h.previous_end, h.previous_link)) }
            }
            None => FileStart { starts: self.starts_of_content(number)?, previous: None },
        };
        self.known.insert(number, start);
        Ok(())
    }

    fn starts_of_content(&mut self, number: u64) -> Result<Option<Vec<u64>>, Trouble> {
        let length = self.length(number)?;
        let mut at = FIRST_BATCH;
        while at < length {
            let block = self.block(number, at, length)?;
            if let Some(header) = block.entries.iter().find_map(Entry::header) {
                return Ok(Some(header.starts()));
            }
            at = block.end;
        }
        Ok(None)
    }

    pub(crate) fn get(&self, number: u64) -> Option<&FileStart> {
        self.known.get(&number)
    }

    pub(crate) fn first(&self) -> Option<u64> {
        self.known.keys().next().copied()
    }

    pub(crate) fn last(&self) -> Option<u64> {
        self.known.keys().next_back().copied()
    }

    pub(crate) fn after(&self, number: u64) -> Option<u64> {
        self.known.range(number + 1..).next().map(|(n, _)| *n)
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.known.keys().copied().collect()
    }

    /// What was given up by permit.
    pub(crate) fn trim_note(&self) -> Option<&TrimNote> {
        self.trimmed.as_ref()
    }

    /// Offsets below may have been trimmed by permit.
    pub(crate) fn permitted_to(&self, partition: u16) -> u64 {
        self.trimmed.as_ref().map_or(0, |note| note.starts[usize::from(partition)])
    }

    /// First offset kept; `None` if the first file does not say where it begins.
    pub(crate) fn kept_from(&self, partition: u16) -> Option<u64> {
        let starts = self.known.values().next()?.starts.as_ref()?;
        Some(starts[usize::from(partition)])
    }

    /// The file in which this offset stands, or behind which it is missing.
    pub(crate) fn holding(&self, partition: u16, offset: u64) -> Option<u64> {
        let p = usize::from(partition);
        let begins = |f: &FileStart| f.starts.as_ref().is_some_and(|starts| starts[p] <= offset);
        self.known.iter().rev().find(|(_, f)| begins(f)).map(|(n, _)| *n).or(self.first())
    }

    /// Where the content of a file ends that is not the last: the next header says, else the length.
    pub(crate) fn end_of_sealed(&mut self, number: u64) -> Result<u64, Trouble> {
        match self.known.get(&(number + 1)).and_then(|next| next.previous) {
            Some((end, _)) => Ok(end.max(FIRST_BATCH)),
            None => self.length(number),
        }
    }

    pub(crate) fn length(&mut self, number: u64) -> Result<u64, Trouble> {
        let file = self.open(number)?;
        file.file.len().map_err(|e| Trouble::Error(read_error(&file.path, e)))
    }

    pub(crate) fn open(&mut self, number: u64) -> Result<Arc<LogFile>, Trouble> {
        if let Some((_, file)) = self.handles.iter().find(|(n, _)| *n == number) {
            return Ok(Arc::clone(file));
        }
        let path = self.folder.file(number);
        let identity = FileIdentity { number, ..self.identity };
        let file = match LogFile::open(self.disk(), &path, identity, OpenMode::Read) {
            Ok(file) => Arc::new(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Trouble::Vanished),
            Err(e) => return Err(Trouble::Error(read_error(&path, e))),
        };
        self.handles.push_back((number, Arc::clone(&file)));
        if self.handles.len() > HANDLES {
            self.handles.pop_front();
        }
        Ok(file)
    }

    /// The verified block at `from`, which reaches to `limit` at most.
    pub(crate) fn block(&mut self, number: u64, from: u64, limit: u64) -> Result<Arc<Block>, Trouble> {
        // A block from before may reach further than what is known to be durable by the caller.
        let cached = self.blocks.iter().find(|(at, block, _)| *at == (number, from) && block.end <= limit);
        if let Some((_, block, _)) = cached {
            return Ok(Arc::clone(block));
        }
        let file = self.open(number)?;
        let block = file.block(from, limit, super::BLOCK_BYTES);
        let mut block = block.map_err(|e| Trouble::Error(read_error(&file.path, e)))?;
        // Once for the readers of all partitions.
        block.entries.iter_mut().for_each(Entry::unpack);
        let block = Arc::new(block);
        if block.entries.iter().any(|e| matches!(e, Entry::Damage(_))) {
            // An emptied file is overwritten only after it lost its name.
            let numbers = self
                .folder
                .numbers(self.disk())
                .map_err(|e| Trouble::Error(read_error(&self.folder.dir, e)))?;
            return if numbers.binary_search(&number).is_ok() { Ok(block) } else { Err(Trouble::Vanished) };
        }
        self.keep((number, from), &block);
        Ok(block)
    }

    fn keep(&mut self, at: (u64, u64), block: &Arc<Block>) {
        let bytes = block.entries.iter().map(Entry::memory).sum();
        self.block_bytes += bytes;
        self.blocks.push_back((at, Arc::clone(block), bytes));
        while self.blocks.len() > CACHE_BLOCKS || (self.block_bytes > CACHE_BYTES && self.blocks.len() > 1) {
            if let Some((_, _, bytes)) = self.blocks.pop_front() {
                self.block_bytes -= bytes;
            }
        }
    }
}

pub(crate) const RETRIES: usize = 4;

pub(crate) fn read_error(path: &Path, source: io::Error) -> ReadError {
    ReadError::Disk { path: path.to_owned(), source }
}
