//! The writer of one lane: one thread that turns waiting appends into groups, each one write and one flush.
//!
//! Order of a group: write, flush, publish the mark, answer. So nobody is acknowledged before the flush (I1) and no
//! reader sees what is not flushed. Any error of a write or flush that is not "no room" poisons the lane: the state
//! of the file is unknown, so nothing is written behind it until the log is opened, and verified, again (R5).
//! After a failed write for lack of room the file is left as it is and the next group goes to a new one, whose
//! header says where the old one ends.
//! Deliberately not here: finding the end at start (`recover`), making files (`stock`).

use super::config::FileLogConfig;
use super::disk::{Disk, is_full, parent};
use super::format::{BatchHeader, Codec, FIRST_BATCH, FileHeader, FileIdentity};
use super::layout::LaneFolder;
use super::mark::{Mark, MarkFile};
use super::queue::{Pending, Queue, Work};
use super::stock::{NoBlank, Stock};
use crate::AppendError;
use std::io;
use std::sync::Arc;

/// What all lanes of a log share.
pub(crate) struct Surroundings {
    pub disk: Arc<dyn Disk>,
    pub config: FileLogConfig,
    pub space: super::space::Space,
}

/// Where the lane stands.
pub(crate) struct Tail {
    pub identity: FileIdentity,
    pub file: Arc<dyn super::disk::DiskFile>,
    /// Bytes of the file as prepared.
    pub bytes: u64,
    pub position: u64,
    pub link: u64,
    /// Next offset of each partition.
    pub ends: Vec<u64>,
}

/// The thread's state.
pub(crate) struct LaneWriter {
    pub surroundings: Arc<Surroundings>,
    pub folder: LaneFolder,
    pub queue: Arc<Queue>,
    pub stock: Arc<Stock>,
    pub mark: MarkFile,
    pub tail: Tail,
    /// The last group has no successor that proves it.
    pub unproven: bool,
    /// A write failed for lack of room: the rest of the file is not to be trusted.
    pub abandoned: bool,
    pub buffer: Vec<u8>,
}

impl Drop for LaneWriter {
    /// However the thread ends, nobody waits for ever.
    fn drop(&mut self) {
        self.queue.fail(AppendError::Poisoned { cause: "the log's writer thread ended".to_owned() });
    }
}

/// Why a group was not acknowledged.
enum Failure {
    /// The lane goes on when there is room.
    Room,
    /// The lane is done for.
    Broken(String),
}

impl LaneWriter {
    /// Works until the queue is closed and empty, or the disk fails.
    pub(crate) fn run(mut self) {
        let config = self.surroundings.config.clone();
        loop {
            let work = self.queue.next(config.group_bytes_max, config.group_wait, config.idle_proof);
            let result = match work {
                Work::Group(group) => self.group(group),
                Work::Idle => self.prove(),
                Work::Stop => {
                    let _ = self.prove();
                    return;
                }
            };
            if let Err(cause) = result {
                tracing::error!(lane = %self.tail.identity.lane, cause, "log writer stopped");
                return self.queue.fail(AppendError::Poisoned { cause });
            }
        }
    }

    fn group(&mut self, group: Vec<Pending>) -> Result<(), String> {
        let queued: u64 = group.iter().map(|p| p.payload.len() as u64).sum();
        let written = self.write_group(&group);
        self.queue.done(queued);
        match written {
            Ok(answers) => {
                self.unproven = true;
                for (pending, offsets) in group.into_iter().zip(answers) {
                    // Nobody may be waiting any more: the request was dropped.
                    let _ = pending.answer.send(Ok(offsets));
                }
                Ok(())
            }
            Err(failure) => {
                let error = match &failure {
                    Failure::Room => full(&self.surroundings.space),
                    Failure::Broken(cause) => AppendError::Poisoned { cause: cause.clone() },
                };
                if error.writer_is_lost() {
                    // Before anyone hears of it, so that whoever does finds the door closed.
                    self.queue.fail(error.clone());
                }
                group.into_iter().for_each(|pending| drop(pending.answer.send(Err(error.clone()))));
                match failure {
                    Failure::Room => Ok(()),
                    Failure::Broken(cause) => Err(cause),
                }
            }
        }
    }

    /// Writes an empty batch: proof, for whoever opens the log next, that all before it was flushed.
    fn prove(&mut self) -> Result<(), String> {
        if !self.unproven || self.abandoned {
            return Ok(());
        }
        // Without room the proof can wait.
        if self.tail.position + BatchHeader::batch_bytes(self.tail.identity.partitions, 0) > self.tail.bytes {
            return Ok(());
        }
        self.unproven = false;
        match self.write_group(&[]) {
            Ok(_) | Err(Failure::Room) => Ok(()),
            Err(Failure::Broken(cause)) => Err(cause),
        }
    }

    fn write_group(&mut self, group: &[Pending]) -> Result<Vec<Vec<u64>>, Failure> {
        let partitions = self.tail.identity.partitions;
        let bytes: u64 = group.iter().map(|p| BatchHeader::batch_bytes(partitions, p.payload.len())).sum();
        let is_fresh = self.tail.position == FIRST_BATCH;
        if self.abandoned || (self.tail.position + bytes > self.tail.bytes && !is_fresh) {
            self.roll()?;
        }
        let prepared = self.prepare(group);
        self.flush().map_err(|e| self.judge(e))?;
        let (position, link, ends, answers) = prepared;
        (self.tail.position, self.tail.link, self.tail.ends) = (position, link, ends);
        self.publish();
        if self.tail.position > self.tail.bytes / 2 {
            self.stock.order(self.next_file_bytes());
        }
        Ok(answers)
    }

    /// Puts the group into the buffer. Answers where the lane will stand after it.
    fn prepare(&mut self, group: &[Pending]) -> (u64, u64, Vec<u64>, Vec<Vec<u64>>) {
        let Tail { identity, position, link, ends, .. } = &self.tail;
        let (group_start, mut at, mut link, mut ends) = (*position, *position, *link, ends.clone());
        self.buffer.clear();
        let mut put = |payload: &[u8], payload_crc, codec, unpacked_bytes, counts: &[u32]| {
            let table: Vec<(u64, u32)> = ends.iter().copied().zip(counts.iter().copied()).collect();
            let starts = ends.clone();
            let mut header = BatchHeader {
                position: at,
                payload_bytes: payload.len() as u32,
                payload_crc,
                codec,
                unpacked_bytes,
                parent: link,
                group_start,
                table,
                crc: 0,
            };
            header.encode(identity, &mut self.buffer);
            self.buffer.extend_from_slice(payload);
            self.buffer.resize((header.end() - group_start) as usize, 0);
            (at, link, ends) = (header.end(), header.link(), header.ends());
            starts
        };
        let mut answers: Vec<Vec<u64>> = Vec::with_capacity(group.len());
        for p in group {
            answers.push(put(&p.payload, p.payload_crc, p.codec, p.unpacked_bytes, &p.counts));
        }
        if group.is_empty() {
            put(&[], crc32c::crc32c(&[]), Codec::Plain, 0, &vec![0; usize::from(identity.partitions)]);
        }
        (at, link, ends, answers)
    }

    fn flush(&self) -> Result<(), (io::Error, bool)> {
        self.tail.file.write_at(&self.buffer, self.tail.position).map_err(|e| (e, true))?;
        self.tail.file.sync().map_err(|e| (e, false))
    }

    fn judge(&mut self, (error, was_write): (io::Error, bool)) -> Failure {
        if was_write && is_full(&error) {
            self.abandoned = true;
            return Failure::Room;
        }
        let step = if was_write { "write" } else { "flush" };
        Failure::Broken(format!("{step} of {:?}: {error}", self.folder.file(self.tail.identity.number)))
    }

    /// Goes on in the next file.
    fn roll(&mut self) -> Result<(), Failure> {
        self.tail = start_file(
            self.surroundings.disk.as_ref(),
            &self.folder,
            &self.stock,
            self.next_file_bytes(),
            FileIdentity { number: self.tail.identity.number + 1, ..self.tail.identity },
            (self.tail.position, self.tail.link, self.tail.ends.clone()),
        )
        .map_err(|e| match e {
            StartError::Full => Failure::Room,
            StartError::Broken(cause) => Failure::Broken(cause),
        })?;
        self.abandoned = false;
        Ok(())
    }

    fn publish(&mut self) {
        let Tail { identity, position, ends, .. } = &self.tail;
        let mark = Mark { file: identity.number, position: *position, ends: ends.clone() };
        if let Err(error) = self.mark.publish(&mark) {
            // Readers fall behind until the next group; what is acknowledged stays acknowledged.
            tracing::warn!(lane = %identity.lane, %error, "durable mark could not be published");
        }
    }

    fn next_file_bytes(&self) -> u64 {
        let config = &self.surroundings.config;
        next_file_bytes(config, self.tail.position)
    }
}

/// Files grow with use: four times what the last one held.
pub(crate) fn next_file_bytes(config: &FileLogConfig, used: u64) -> u64 {
    let mut bytes = config.first_file_bytes;
    while bytes < config.file_bytes && bytes < used.saturating_mul(2) {
        bytes = bytes.saturating_mul(4);
    }
    bytes.min(config.file_bytes)
}

pub(crate) fn full(space: &super::space::Space) -> AppendError {
    AppendError::Full { free_bytes: space.free_bytes().unwrap_or(0), needed_bytes: space.floor_bytes() }
}

/// Why a file could not be started.
pub(crate) enum StartError {
    Full,
    Broken(String),
}

/// Takes a blank file, writes its header, flushes, names it, flushes the folder (R3).
pub(crate) fn start_file(
    disk: &dyn Disk,
    folder: &LaneFolder,
    stock: &Stock,
    bytes: u64,
    identity: FileIdentity,
    (previous_end, link, ends): (u64, u64, Vec<u64>),
) -> Result<Tail, StartError> {
    let blank = stock.take(bytes).map_err(|e| match e {
        NoBlank::Full => StartError::Full,
        NoBlank::Broken(cause) => StartError::Broken(cause),
    })?;
    let header = FileHeader { identity, previous_end, previous_link: link, starts: ends.clone() };
    let page = header.encode();
    let path = folder.file(identity.number);
    let named = (|| {
        blank.file.write_at(&[page.as_slice(), page.as_slice()].concat(), 0)?;
        blank.file.sync()?;
        disk.rename(&blank.path, &path)?;
        disk.sync_dir(&parent(&path))
    })();
    match named {
        Ok(()) => {
            Ok(Tail { identity, file: blank.file, bytes: blank.bytes, position: FIRST_BATCH, link, ends })
        }
        // The blank keeps its spare name and is found again.
        Err(e) if is_full(&e) => Err(StartError::Full),
        Err(e) => Err(StartError::Broken(format!("start of {path:?}: {e}"))),
    }
}
