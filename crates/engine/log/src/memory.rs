//! The log in memory: for tests and for nothing else, because nothing survives the process.
//!
//! Guarantees: the same observable behaviour as the file backend, plus switches to make it fail and lose on demand.
//! Deliberately not here: limits on memory.

use crate::assemble::{Assembler, body_bytes};
use crate::route::Router;
use crate::{
    Admission, AppendError, Bounds, Item, LogReader, LogWriter, Pressure, ReadError, ReadLimit, Receipt,
    TrimError, Usage,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tallymark_ledger::{GapCause, Interval, TrimPermit};
use tallymark_model::{LogId, Position, Record, Shard};
use tokio::sync::Notify;

/// Log in memory; clones share it. Writer and reader in one.
#[derive(Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

struct Shared {
    id: LogId,
    partitions: u16,
    router: Router,
    state: Mutex<State>,
    grown: Notify,
}

#[derive(Default)]
struct State {
    shards: BTreeMap<Shard, Kept>,
    failure: Option<AppendError>,
}

#[derive(Default)]
struct Kept {
    start: u64,
    /// `None`: lost by [`MemoryLog::lose`].
    records: Vec<Option<Record>>,
}

impl Kept {
    fn end(&self) -> u64 {
        self.start + self.records.len() as u64
    }
}

impl MemoryLog {
    /// An empty log.
    pub fn new(partitions: u16) -> MemoryLog {
        MemoryLog {
            shared: Arc::new(Shared {
                id: LogId(uuid::Uuid::now_v7()),
                partitions: partitions.max(1),
                router: Router::default(),
                state: Mutex::default(),
                grown: Notify::new(),
            }),
        }
    }

    /// Makes every append fail with this error until called with `None`.
    pub fn fail_with(&self, failure: Option<AppendError>) {
        self.state().failure = failure;
    }

    /// Makes these offsets unreadable, as damage on a disk would.
    pub fn lose(&self, interval: Interval) {
        let mut state = self.state();
        let kept = state.shards.entry(interval.shard).or_default();
        for offset in interval.from.max(kept.start)..interval.to.min(kept.end()) {
            kept.records[(offset - kept.start) as usize] = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain data: a panic elsewhere leaves nothing half done that matters to a test.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, at: Position) -> Result<(), ReadError> {
        let partitions = self.shared.partitions;
        if at.partition < partitions { Ok(()) } else { Err(ReadError::NoPartition { at, partitions }) }
    }

    fn has_something_at(&self, at: &[Position]) -> bool {
        let state = self.state();
        at.iter().any(|p| state.shards.get(&p.shard()).is_some_and(|kept| kept.end() > p.offset))
    }
}

#[async_trait]
impl LogWriter for MemoryLog {
    async fn append(&self, batch: Vec<Record>) -> Result<Receipt, AppendError> {
        let shards = self.shared.router.route(&batch, self.shared.partitions);
        let mut state = self.state();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        let mut ranges: BTreeMap<Shard, (u64, u64)> = BTreeMap::new();
        let mut positions = Vec::with_capacity(batch.len());
        for (shard, record) in shards.into_iter().zip(batch) {
            let kept = state.shards.entry(shard).or_default();
            let offset = kept.end();
            kept.records.push(Some(record));
            ranges.entry(shard).or_insert((offset, offset)).1 = offset + 1;
            positions.push(Position { lane: shard.lane, partition: shard.partition, offset });
        }
        drop(state);
        self.shared.grown.notify_waiters();
        let ranges = ranges.into_iter().map(|(shard, (from, to))| (shard, from, to)).collect();
        Ok(Receipt { log: self.shared.id, ranges, positions })
    }

    fn pressure(&self) -> Pressure {
        let admission = match &self.state().failure {
            None | Some(AppendError::TooLarge { .. }) => Admission::Open,
            Some(AppendError::Full { .. }) => Admission::Full,
            Some(AppendError::Poisoned { .. }) => Admission::Closed,
            Some(AppendError::Unavailable { .. }) => Admission::Busy,
        };
        Pressure { admission, queued_bytes: 0, queued_bytes_max: u64::MAX, disk_free_bytes: None }
    }

    fn id(&self) -> LogId {
        self.shared.id
    }

    fn partitions(&self) -> u16 {
        self.shared.partitions
    }
}

#[async_trait]
impl LogReader for MemoryLog {
    fn id(&self) -> LogId {
        self.shared.id
    }

    fn partitions(&self) -> u16 {
        self.shared.partitions
    }

    async fn read(&self, at: Position, limit: ReadLimit) -> Result<Vec<Item>, ReadError> {
        self.check(at)?;
        let mut state = self.state();
        let kept = state.shards.entry(at.shard()).or_default();
        if at.offset > kept.end() {
            return Err(ReadError::Ahead { at, end: kept.end() });
        }
        let mut out = Assembler::new(at, limit);
        if at.offset < kept.start {
            out.gap(kept.start, GapCause::Trimmed, "trimmed by permit");
        }
        let from = (out.at.offset - kept.start) as usize;
        for record in &kept.records[from..] {
            if out.is_full() {
                break;
            }
            match record {
                Some(record) => out.record(record.clone()),
                None => out.gap(out.at.offset + 1, GapCause::Corrupt, "lost on request of a test"),
            }
        }
        Ok(out.finish())
    }

    async fn bounds(&self, shard: Shard) -> Result<Bounds, ReadError> {
        self.check(Position { lane: shard.lane, partition: shard.partition, offset: 0 })?;
        let mut state = self.state();
        let kept = state.shards.entry(shard).or_default();
        Ok(Bounds { start: kept.start, end: kept.end() })
    }

    async fn trim(&self, permit: TrimPermit) -> Result<(), TrimError> {
        let shard = permit.shard();
        let partitions = self.shared.partitions;
        if shard.partition >= partitions {
            return Err(TrimError::NoPartition { shard, partitions });
        }
        let mut state = self.state();
        let kept = state.shards.entry(shard).or_default();
        let upto = permit.upto().clamp(kept.start, kept.end());
        kept.records.drain(..(upto - kept.start) as usize);
        kept.start = upto;
        Ok(())
    }

    async fn wait(&self, at: &[Position], timeout: Duration) {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            let grown = self.shared.grown.notified();
            if self.has_something_at(at) || tokio::time::timeout_at(deadline, grown).await.is_err() {
                return;
            }
        }
    }

    async fn usage(&self) -> Result<Usage, ReadError> {
        let state = self.state();
        let records = state.shards.values().flat_map(|kept| &kept.records).flatten();
        Ok(Usage { log_bytes: records.map(body_bytes).sum::<usize>() as u64, disk_free_bytes: None })
    }
}
