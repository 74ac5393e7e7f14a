//! The writing half of the file log: encodes and routes on the caller's thread, waits for the lane's flush.
//!
//! Guarantees: refuses before queueing what the disk has no room for; an append that touches both lanes is
//! acknowledged when both have flushed.
//! Deliberately not here: the disk.

use super::format::Codec;
use super::lane::{LaneWriter, Surroundings, full};
use super::layout::Identity;
use super::queue::{Pending, Queue};
use super::stock::Stock;
use crate::route::Router;
use crate::{Admission, AppendError, LogWriter, Pressure, Receipt, record};
use async_trait::async_trait;
use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tallymark_model::{Lane, LogId, Position, Record, Shard};
use tokio::sync::oneshot;

/// The only writer of a log on disk. Dropping it writes what is queued and waits for that.
pub struct FileLogWriter {
    identity: Identity,
    router: Router,
    lanes: Vec<LaneHandle>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    surroundings: Arc<Surroundings>,
    // Declared last: released when everything else is done.
    _lock: super::disk::Lock,
}

/// The door to one lane's thread.
pub(crate) struct LaneHandle {
    pub lane: Lane,
    pub queue: Arc<Queue>,
    pub stock: Arc<Stock>,
}

type Answer = oneshot::Receiver<Result<Vec<u64>, AppendError>>;

impl FileLogWriter {
    pub(crate) fn start(
        identity: Identity,
        surroundings: Arc<Surroundings>,
        lanes: Vec<(LaneHandle, LaneWriter)>,
        lock: super::disk::Lock,
    ) -> io::Result<FileLogWriter> {
        let mut handles = Vec::new();
        let mut threads = Vec::new();
        for (handle, writer) in lanes {
            let name = format!("log-{}", handle.lane);
            handles.push(handle);
            threads.push(std::thread::Builder::new().name(name).spawn(move || writer.run())?);
        }
        let threads = Mutex::new(threads);
        Ok(FileLogWriter {
            identity,
            router: Router::default(),
            lanes: handles,
            threads,
            surroundings,
            _lock: lock,
        })
    }

    /// Takes nothing more, writes what is queued, and returns when that is durable.
    pub fn close(&self) {
        let reason = AppendError::Unavailable { cause: "the log is closing".to_owned() };
        self.lanes.iter().for_each(|lane| lane.queue.close(reason.clone()));
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A panic in it has answered everyone who waited.
            let _ = thread.join();
        }
    }

    fn refuse_if_full(&self, lane: &LaneHandle) -> Result<(), AppendError> {
        if self.surroundings.space.is_full() || lane.stock.is_starved() {
            return Err(full(&self.surroundings.space));
        }
        Ok(())
    }

    /// Encodes the records of one lane and queues them.
    fn enqueue(&self, lane: &LaneHandle, records: &[(u16, &Record)]) -> Result<Answer, AppendError> {
        self.refuse_if_full(lane)?;
        let config = &self.surroundings.config;
        let mut payload =
            Vec::with_capacity(records.iter().map(|(_, r)| 64 + crate::assemble::body_bytes(r)).sum());
        record::encode(&mut payload, records.iter().copied());
        if payload.len() as u64 > config.append_bytes_max {
            let bytes = payload.len() as u64;
            return Err(AppendError::TooLarge { bytes, max_bytes: config.append_bytes_max });
        }
        let unpacked_bytes = payload.len() as u32;
        let (payload, codec) = pack(payload, config.pack_from_bytes);
        let mut counts = vec![0u32; usize::from(self.identity.partitions)];
        records.iter().for_each(|(partition, _)| counts[usize::from(*partition)] += 1);
        let (answer, receiver) = oneshot::channel();
        let payload_crc = crc32c::crc32c(&payload);
        lane.queue.push(Pending { payload, payload_crc, codec, unpacked_bytes, counts, answer })?;
        Ok(receiver)
    }
}

fn pack(payload: Vec<u8>, from_bytes: Option<usize>) -> (Vec<u8>, Codec) {
    thread_local! {
        // Making one costs more than packing a small batch.
        static PACKER: RefCell<Option<zstd::bulk::Compressor<'static>>> = RefCell::new(zstd::bulk::Compressor::new(1).ok());
    }
    if from_bytes.is_none_or(|from| payload.len() < from) {
        return (payload, Codec::Plain);
    }
    let packed = PACKER.with_borrow_mut(|packer| packer.as_mut().and_then(|p| p.compress(&payload).ok()));
    match packed {
        Some(packed) if packed.len() < payload.len() => (packed, Codec::Zstd),
        _ => (payload, Codec::Plain),
    }
}

#[async_trait]
impl LogWriter for FileLogWriter {
    async fn append(&self, batch: Vec<Record>) -> Result<Receipt, AppendError> {
        let shards = self.router.route(&batch, self.identity.partitions);
        let mut waiting = Vec::new();
        for lane in &self.lanes {
            let of_lane: Vec<(u16, &Record)> = shards
                .iter()
                .zip(&batch)
                .filter(|(shard, _)| shard.lane == lane.lane)
                .map(|(shard, record)| (shard.partition, record))
                .collect();
            if !of_lane.is_empty() {
                waiting.push((lane.lane, self.enqueue(lane, &of_lane)?));
            }
        }
        let mut next: [Vec<u64>; Lane::ALL.len()] = Default::default();
        for (lane, answer) in waiting {
            let gone = |_| AppendError::Poisoned { cause: "the log's writer thread ended".to_owned() };
            next[lane as usize] = answer.await.map_err(gone)??;
        }
        Ok(receipt(self.identity.log, &shards, next))
    }

    fn pressure(&self) -> Pressure {
        let space = &self.surroundings.space;
        let config = &self.surroundings.config;
        let queued_bytes = self.lanes.iter().map(|lane| lane.queue.bytes()).max().unwrap_or(0);
        let admission = if self.lanes.iter().any(|lane| lane.queue.closed().is_some()) {
            Admission::Closed
        } else if space.is_full() || self.lanes.iter().any(|lane| lane.stock.is_starved()) {
            Admission::Full
        } else if queued_bytes >= config.queue_bytes_max {
            Admission::Busy
        } else {
            Admission::Open
        };
        let queued_bytes_max = config.queue_bytes_max;
        Pressure { admission, queued_bytes, queued_bytes_max, disk_free_bytes: space.free_bytes() }
    }

    fn id(&self) -> LogId {
        self.identity.log
    }

    fn partitions(&self) -> u16 {
        self.identity.partitions
    }
}

/// Positions from the first offset of each partition, in the order of the request.
fn receipt(log: LogId, shards: &[Shard], mut next: [Vec<u64>; Lane::ALL.len()]) -> Receipt {
    let mut ranges: Vec<(Shard, u64, u64)> = Vec::new();
    let mut positions = Vec::with_capacity(shards.len());
    for shard in shards {
        let slot = &mut next[shard.lane as usize][usize::from(shard.partition)];
        let offset = *slot;
        *slot += 1;
        positions.push(Position { lane: shard.lane, partition: shard.partition, offset });
        match ranges.iter_mut().find(|(known, ..)| known == shard) {
            Some((_, _, to)) => *to = offset + 1,
            None => ranges.push((*shard, offset, offset + 1)),
        }
    }
    ranges.sort_unstable();
    Receipt { log, ranges, positions }
}

impl Drop for FileLogWriter {
    fn drop(&mut self) {
        self.close();
    }
}
