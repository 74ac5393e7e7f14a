//! Reads one lane: from a position to bytes, from verified bytes to records and gaps.
//!
//! What tells the size of a gap: every batch, every file header and the mark name the next offset of every
//! partition. Wherever such a number is greater than the offset expected, the offsets between are gone.
//! Guarantees: never reads behind the durable mark; damage yields a gap with evidence and reading goes on behind it.
//! Deliberately not here: async, other lanes.

use super::block::{Chain, Damage, Entry};
use super::disk::Disk;
use super::files::{Files, RETRIES, Trouble};
use super::format::{BatchHeader, Codec, FIRST_BATCH, FileIdentity};
use super::layout::LaneFolder;
use super::mark::{Mark, MarkFile};
use super::sealed::FirstTimes;
use crate::assemble::Assembler;
use crate::record::{self, Decoder};
use crate::{Bounds, Item, ReadError, ReadLimit};
use bytes::Bytes;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tallymark_ledger::GapCause;
use tallymark_model::Position;

/// Distance of remembered block starts.
const INDEX_STEP: u64 = 256 << 10;

/// Reader of one lane.
pub(crate) struct LaneReader {
    pub(crate) files: Files,
    /// Number is 0.
    identity: FileIdentity,
    /// Everything before is durable.
    pub(crate) durable: Mark,
    /// Next offset of each partition at block starts seen so far.
    index: BTreeMap<(u64, u64), Vec<u64>>,
    /// Where the last read of each partition stopped.
    stops: HashMap<u16, (u64, Place)>,
    /// Receive times that listing the files has looked up.
    pub(crate) times: FirstTimes,
}

/// A place within the blocks.
#[derive(Debug, Clone, Copy)]
struct Place {
    file: u64,
    /// Start of a block.
    block: u64,
    /// Entries of the block already passed.
    passed: usize,
}

impl LaneReader {
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: LaneFolder,
        identity: FileIdentity,
    ) -> Result<LaneReader, ReadError> {
        let none = Mark { file: 0, position: 0, ends: vec![0; usize::from(identity.partitions)] };
        let files = Files::new(disk, folder, identity);
        let mut reader = LaneReader {
            files,
            identity,
            durable: none,
            index: BTreeMap::new(),
            stops: HashMap::new(),
            times: FirstTimes::new(),
        };
        for _ in 0..RETRIES {
            reader.files.refresh()?;
            match reader.proven_end() {
                Ok(proven) => {
                    reader.durable = proven.unwrap_or(reader.durable);
                    break;
                }
                Err(Trouble::Vanished) => continue,
                Err(Trouble::Error(e)) => return Err(e),
            }
        }
        reader.refresh()?;
        Ok(reader)
    }

    /// Learns how far the log is durable by now.
    pub(crate) fn refresh(&mut self) -> Result<(), ReadError> {
        if let Some(mark) = read_mark(self.files.disk(), &self.files.folder, self.identity)
            && mark.place() > self.durable.place()
        {
            self.durable = mark;
        }
        if self.files.last().is_none_or(|last| last < self.durable.file) {
            self.files.refresh()?;
        }
        Ok(())
    }

    pub(crate) fn bounds(&mut self, partition: u16) -> Result<Bounds, ReadError> {
        self.refresh()?;
        self.files.refresh()?;
        let end = self.durable.ends[usize::from(partition)];
        // Without a whole start nobody knows what was trimmed: better a gap reported twice than one not at all.
        Ok(Bounds { start: self.files.kept_from(partition).unwrap_or(0).min(end), end })
    }

    pub(crate) fn read(&mut self, at: Position, limit: ReadLimit) -> Result<Vec<Item>, ReadError> {
        self.refresh()?;
        let end = self.durable.ends[usize::from(at.partition)];
        if at.offset > end {
            return Err(ReadError::Ahead { at, end });
        }
        for _ in 0..RETRIES {
            match self.try_read(at, limit) {
                Ok(items) => return Ok(items),
                Err(Trouble::Vanished) => self.files.refresh()?,
                Err(Trouble::Error(e)) => return Err(e),
            }
        }
        // The folder changes faster than it can be read; the next call tries again.
        Ok(Vec::new())
    }

    fn try_read(&mut self, at: Position, limit: ReadLimit) -> Result<Vec<Item>, Trouble> {
        let mut out = Pass::new(at, limit, Chain::default());
        let end = self.durable.ends[usize::from(at.partition)];
        self.before_the_first(&mut out, end);
        let Some(mut place) = self.locate(out.out.at) else {
            out.missing_until(end, GapCause::Missing, "the files are missing");
            return Ok(out.out.finish());
        };
        // Where to go on next time: the first entry not yet settled.
        let mut stop = place;
        while out.out.at.offset < end && !out.out.is_full() {
            let (content_end, is_last) = self.content_end(place.file)?;
            if place.block >= content_end {
                match self.files.after(place.file).filter(|_| !is_last) {
                    Some(next) => place = self.enter(&mut out, place.file, next),
                    None => {
                        // The last file is gone, or it is there and ends too early.
                        let cause = if is_last { GapCause::Corrupt } else { GapCause::Missing };
                        if !is_last {
                            out.forget_unused_space();
                        }
                        out.missing_until(end, cause, "acknowledged records are missing at the end");
                        break;
                    }
                }
            } else {
                let block = self.files.block(place.file, place.block, content_end)?;
                let path = self.files.folder.file(place.file);
                self.remember(place, block.entries.first());
                while let Some(entry) = block.entries.get(place.passed) {
                    if out.out.is_full() {
                        break;
                    }
                    if out.entry(entry, &path)? {
                        place.passed += 1;
                    } else {
                        break;
                    }
                    if out.evidence.is_empty() {
                        stop = place;
                    }
                }
                if place.passed < block.entries.len() {
                    break;
                }
                place = Place { file: place.file, block: block.end, passed: 0 };
            }
            if out.evidence.is_empty() {
                stop = place;
            }
        }
        self.stops.insert(at.partition, (out.out.at.offset, stop));
        Ok(out.out.finish())
    }

    /// What lies before the first file: given up by permit, or gone otherwise.
    fn before_the_first(&self, out: &mut Pass, end: u64) {
        let partition = out.out.at.partition;
        let (Some(first), Some(kept_from)) = (self.files.first(), self.files.kept_from(partition)) else {
            return;
        };
        let kept_from = kept_from.min(end);
        out.out.gap(
            self.files.permitted_to(partition).min(kept_from),
            GapCause::Trimmed,
            "trimmed by permit",
        );
        if kept_from > out.out.at.offset {
            let known = self.files.trim_note().map_or(FIRST_NUMBER, |note| note.file);
            out.evidence.push((GapCause::Missing, missing_files(&self.files, known, first)));
            out.missing_until(kept_from, GapCause::Missing, "");
            out.evidence.clear();
        }
    }

    /// Goes to the next file, over those that hold nothing of the partition.
    fn enter(&self, out: &mut Pass, from: u64, next: u64) -> Place {
        let holding = self.files.holding(out.out.at.partition, out.out.at.offset).unwrap_or(next);
        if holding > next && holding <= self.durable.file {
            out.evidence.clear();
            out.chain = Chain::default();
            return Place { file: holding, block: FIRST_BATCH, passed: 0 };
        }
        if next != from + 1 {
            out.forget_unused_space();
            out.evidence.push((GapCause::Missing, missing_files(&self.files, from + 1, next)));
        }
        let start = self.files.get(next);
        out.chain = start.and_then(|s| s.previous).map_or(Chain::default(), |(_, link)| Chain::from(link));
        if let Some(starts) = start.and_then(|s| s.starts.as_ref()) {
            out.missing_until(
                starts[usize::from(out.out.at.partition)],
                GapCause::Corrupt,
                "records are missing at the end of a file",
            );
            out.evidence.clear();
        }
        Place { file: next, block: FIRST_BATCH, passed: 0 }
    }

    /// Where the readable content of a file ends, and whether reading ends there too.
    fn content_end(&mut self, number: u64) -> Result<(u64, bool), Trouble> {
        if number == self.durable.file {
            return Ok((self.durable.position, true));
        }
        if number > self.durable.file {
            return Ok((0, true));
        }
        self.files.end_of_sealed(number).map(|end| (end, false))
    }

    /// The last known block start at or before a position.
    fn locate(&self, at: Position) -> Option<Place> {
        if let Some((offset, place)) = self.stops.get(&at.partition)
            && *offset == at.offset
            && self.files.get(place.file).is_some()
        {
            return Some(*place);
        }
        let p = usize::from(at.partition);
        let file = self.files.holding(at.partition, at.offset)?;
        let starts = self.index.range((file, 0)..(file + 1, 0)).rev();
        let block = starts
            .into_iter()
            .find(|(_, starts)| starts[p] <= at.offset)
            .map_or(FIRST_BATCH, |((_, b), _)| *b);
        Some(Place { file, block, passed: 0 })
    }

    fn remember(&mut self, place: Place, first: Option<&Entry>) {
        let Some(header) = first.and_then(Entry::header) else { return };
        let at = (place.file, place.block);
        let before = self.index.range(..=at).next_back();
        if before.is_none_or(|((file, block), _)| *file != place.file || place.block - block >= INDEX_STEP) {
            self.index.insert(at, header.starts());
        }
        // Files that were trimmed leave entries behind.
        while let (Some((at, _)), Some(first)) = (self.index.first_key_value(), self.files.first()) {
            if at.0 >= first {
                break;
            }
            self.index.pop_first();
        }
    }

    /// The end that the content itself proves, for when the mark is lost or old: the start of the newest group.
    fn proven_end(&mut self) -> Result<Option<Mark>, Trouble> {
        let Some(last) = self.files.last() else { return Ok(None) };
        let length = self.files.length(last)?;
        let starts = self.files.get(last).and_then(|f| f.starts.clone());
        let mut proven = starts.map(|ends| Mark { file: last, position: FIRST_BATCH, ends });
        let mut at = FIRST_BATCH;
        while at < length {
            let block = self.files.block(last, at, length)?;
            for header in block.entries.iter().filter_map(Entry::header) {
                if header.group_start == header.position {
                    proven = Some(Mark { file: last, position: header.position, ends: header.starts() });
                }
            }
            at = block.end;
        }
        Ok(proven)
    }
}

/// Number of the first file of a lane.
pub(crate) const FIRST_NUMBER: u64 = 1;

/// Says that the files from `from` to before `next` are not there.
fn missing_files(files: &Files, from: u64, next: u64) -> String {
    let name = |number: u64| files.folder.file(number).display().to_string();
    match next.saturating_sub(1) {
        last if last <= from => format!("{} is missing, and no permit gave it up", name(from)),
        last => format!("{} to {} are missing, and no permit gave them up", name(from), name(last)),
    }
}

/// The mark as it stands. `None`: there is none that is whole.
pub(crate) fn read_mark(disk: &dyn Disk, folder: &LaneFolder, identity: FileIdentity) -> Option<Mark> {
    MarkFile::open(disk, &folder.mark(), identity.log, identity.lane, identity.partitions).ok()?.read()
}

/// One walk over entries for one partition.
pub(crate) struct Pass {
    pub out: Assembler,
    /// Damage passed since the last thing that named offsets.
    evidence: Vec<(GapCause, String)>,
    chain: Chain,
}

impl Pass {
    pub(crate) fn new(at: Position, limit: ReadLimit, chain: Chain) -> Pass {
        Pass { out: Assembler::new(at, limit), evidence: Vec::new(), chain }
    }

    /// Offsets up to `to` did not turn up: because of the damage and the absent files passed, otherwise for this
    /// cause.
    pub(crate) fn missing_until(&mut self, to: u64, otherwise: GapCause, why: &str) {
        if to <= self.out.at.offset {
            return;
        }
        if self.evidence.is_empty() {
            return self.out.gap(to, otherwise, why);
        }
        let absent = self.evidence.iter().all(|(cause, _)| *cause == GapCause::Missing);
        let cause = if absent { GapCause::Missing } else { GapCause::Corrupt };
        let texts: Vec<&str> = self.evidence.iter().map(|(_, text)| text.as_str()).collect();
        self.out.gap(to, cause, &texts.join("; "));
    }

    /// Without the header of the next file, the unwritten rest of a file looks like damage at its end.
    fn forget_unused_space(&mut self) {
        if self.evidence.last().is_some_and(|(cause, _)| *cause == GapCause::Corrupt) {
            self.evidence.pop();
        }
    }

    /// Takes one entry. False: the limit was reached within it.
    pub(crate) fn entry(&mut self, entry: &Entry, path: &std::path::Path) -> Result<bool, Trouble> {
        match (self.chain.next(entry), entry) {
            (Some(damage), _) => {
                self.damage(&damage, path);
                Ok(true)
            }
            (None, Entry::Batch { header, payload }) => self.batch(header, payload, path),
            // The chain answers damage with damage.
            (None, Entry::Damage(_)) => Ok(true),
        }
    }

    fn damage(&mut self, damage: &Damage, path: &std::path::Path) {
        let text = format!("{} bytes {}..{}: {}", path.display(), damage.from, damage.to, damage.reason);
        match &damage.header {
            None => self.evidence.push((GapCause::Corrupt, text)),
            Some(header) => {
                let (start, end) = self.range(header);
                self.missing_until(start, GapCause::Corrupt, "records are missing between two batches");
                self.evidence.clear();
                if end > self.out.at.offset {
                    self.out.gap(end, GapCause::Corrupt, &text);
                }
            }
        }
    }

    fn range(&self, header: &BatchHeader) -> (u64, u64) {
        let (start, count) = header.table[usize::from(self.out.at.partition)];
        (start, start + u64::from(count))
    }

    fn batch(
        &mut self,
        header: &BatchHeader,
        payload: &Bytes,
        path: &std::path::Path,
    ) -> Result<bool, Trouble> {
        let (start, end) = self.range(header);
        self.missing_until(start, GapCause::Corrupt, "records are missing between two batches");
        self.evidence.clear();
        if end <= self.out.at.offset {
            return Ok(true);
        }
        if self.out.is_full() {
            return Ok(false);
        }
        let outcome = match (header.codec, payload.first()) {
            (Codec::Zstd, _) => Err("it does not unpack".to_owned()),
            (Codec::Plain, Some(version)) if *version > record::VERSION => {
                let (found, known) = (u16::from(*version), u16::from(record::VERSION));
                return Err(Trouble::Error(ReadError::Version { path: path.to_owned(), found, known }));
            }
            (Codec::Plain, _) => self.records(payload.clone(), start, end).map_err(|e| e.to_string()),
        };
        if let Err(problem) = outcome {
            let (from, to) = (header.position, header.end());
            let text =
                format!("{} bytes {from}..{to}: checksum fits, content does not: {problem}", path.display());
            self.out.gap(end, GapCause::Corrupt, &text);
        }
        Ok(self.out.at.offset >= end)
    }

    fn records(&mut self, payload: Bytes, start: u64, end: u64) -> Result<(), record::DecodeError> {
        let at = self.out.at;
        let mut decoder = Decoder::new(payload, at.lane)?;
        let next = Cell::new(start);
        let wanted = |partition: u16| {
            let mine = partition == at.partition;
            let offset = next.replace(next.get() + u64::from(mine));
            mine && offset >= at.offset
        };
        while self.out.at.offset < end && !self.out.is_full() {
            match decoder.next_if(wanted)? {
                Some((_, Some(record))) => self.out.record(record),
                Some((_, None)) => {}
                None => {
                    return Err(record::DecodeError { at: 0, problem: "fewer records than the header says" });
                }
            }
        }
        Ok(())
    }
}
