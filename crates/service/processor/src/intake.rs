//! Reads both lanes of every partition, live first, and decodes.
//!
//! Guarantees: every offset is handed over exactly once per generation, in order per shard, as records or as a gap;
//! the bulk lane gets its floor in every round, the live lane is looked at in every round; what is read and not
//! committed stays below the budget; a shard that is blocked by a gap, or fenced, waits alone.
//! Deliberately not here: where reading starts (the committer says so, from the catalog's cursors).

use crate::config::{OnGap, ProcessorConfig};
use crate::error::ProcessorError;
use crate::group::Batch;
use crate::recovery::Backoff;
use crate::steps::books::Run;
use crate::steps::decode::{DecodeFn, decode_all};
use crate::telemetry;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tallymark_ledger::{GapCause, Interval};
use tallymark_log::{Item, LogReader, ReadError, ReadLimit};
use tallymark_model::{Lane, Millis, Position, Record, Shard};
use tokio::sync::{Semaphore, mpsc, watch};

/// How long a cursor may be beyond the end of the log before that counts as an error: after a crash the log's
/// writer has to recover first.
const AHEAD_PATIENCE: Duration = Duration::from_secs(30);
/// Bytes per permit of the budget.
const PERMIT_BYTES: usize = 1024;

/// Where to read from, and since which reset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resume {
    pub generation: u64,
    /// Next offset and last receive time per shard; shards that are missing start at 0.
    pub cursors: BTreeMap<Shard, (u64, Millis)>,
    /// Offsets that are not to be read, nor any after them, because a job will move the cursor over them.
    pub fences: BTreeMap<Shard, u64>,
}

pub(crate) struct Intake {
    pub log: Arc<dyn LogReader>,
    pub config: Arc<ProcessorConfig>,
    pub decode: DecodeFn,
    pub resume: watch::Receiver<Resume>,
    pub out: mpsc::Sender<Result<Batch, ProcessorError>>,
    pub budget: Arc<Semaphore>,
    next: BTreeMap<Shard, (u64, Millis)>,
    fences: BTreeMap<Shard, u64>,
    /// Shards that stand before a gap that an operator has to decide about, and when to look again.
    blocked: BTreeMap<Shard, Instant>,
    generation: u64,
    turn: usize,
}

/// Records and runs of one round.
#[derive(Default)]
struct Round {
    runs: Vec<Run>,
    records: Vec<(Position, Record)>,
    bytes: usize,
}

/// The budget for [`Intake::budget`].
pub(crate) fn budget(config: &ProcessorConfig) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits(config.inflight_bytes_max) as usize))
}

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes / PERMIT_BYTES + 1).unwrap_or(u32::MAX)
}

impl Intake {
    pub(crate) fn new(
        log: Arc<dyn LogReader>,
        config: Arc<ProcessorConfig>,
        decode: DecodeFn,
        resume: watch::Receiver<Resume>,
        out: mpsc::Sender<Result<Batch, ProcessorError>>,
    ) -> Intake {
        let budget = budget(&config);
        Intake {
            log,
            config,
            decode,
            resume,
            out,
            budget,
            next: BTreeMap::new(),
            fences: BTreeMap::new(),
            blocked: BTreeMap::new(),
            generation: 0,
            turn: 0,
        }
    }

    /// Reads until nobody listens any more, or something is wrong that waiting does not mend.
    pub(crate) async fn run(mut self) {
        self.start_over();
        loop {
            if self.resume.has_changed().unwrap_or(false) {
                self.start_over();
            }
            let error = match self.step().await {
                Ok(true) => continue,
                Ok(false) => return,
                Err(error) => error,
            };
            // Whatever was handed over before still counts; a reset may make reading possible again.
            if self.out.send(Err(error)).await.is_err() || self.resume.changed().await.is_err() {
                return;
            }
            self.resume.mark_changed();
        }
    }

    fn start_over(&mut self) {
        let resume = self.resume.borrow_and_update().clone();
        self.generation = resume.generation;
        self.fences = resume.fences;
        self.blocked.clear();
        telemetry::blocked(0);
        self.next = Lane::ALL
            .into_iter()
            .flat_map(|lane| (0..self.log.partitions()).map(move |partition| Shard { lane, partition }))
            .map(|shard| (shard, resume.cursors.get(&shard).copied().unwrap_or_default()))
            .collect();
    }

    /// True if nothing of this shard is to be read now.
    fn is_closed(&self, shard: Shard, offset: u64) -> bool {
        self.fences.get(&shard).is_some_and(|fence| *fence <= offset)
            || self.blocked.get(&shard).is_some_and(|again| Instant::now() < *again)
    }

    /// One round: read, decode, hand over. False: nobody listens any more.
    async fn step(&mut self) -> Result<bool, ProcessorError> {
        let round = self.read_round().await?;
        if round.runs.is_empty() {
            return Ok(self.wait().await);
        }
        let Round { runs, records, bytes } = round;
        let wanted = permits(bytes).min(permits(self.config.inflight_bytes_max));
        let permit = tokio::select! {
            permit = Arc::clone(&self.budget).acquire_many_owned(wanted) => permit.ok(),
            // The round is read again after the reset.
            changed = self.resume.changed() => {
                self.resume.mark_changed();
                return Ok(changed.is_ok());
            }
        };
        telemetry::in_flight(
            (permits(self.config.inflight_bytes_max) as usize - self.budget.available_permits())
                * PERMIT_BYTES,
        );
        let decode = self.decode;
        let decoded = tokio::task::spawn_blocking(move || decode_all(records, decode));
        let records =
            decoded.await.map_err(|e| ProcessorError::Panicked { step: "decode", message: e.to_string() })?;
        let batch = Batch { generation: self.generation, runs, records, bytes, permit };
        Ok(self.out.send(Ok(batch)).await.is_ok())
    }

    async fn wait(&mut self) -> bool {
        let at: Vec<Position> = self
            .next
            .iter()
            .filter(|(shard, (offset, _))| !self.is_closed(**shard, *offset))
            .map(|(shard, (offset, _))| position(*shard, *offset))
            .collect();
        let readable = async {
            if at.is_empty() {
                tokio::time::sleep(self.config.idle).await;
            } else {
                self.log.wait(&at, self.config.idle).await;
            }
        };
        tokio::select! {
            () = readable => !self.out.is_closed(),
            changed = self.resume.changed() => {
                self.resume.mark_changed();
                changed.is_ok()
            }
            () = self.out.closed() => false,
        }
    }

    async fn read_round(&mut self) -> Result<Round, ProcessorError> {
        let mut round = Round::default();
        let shards = |next: &BTreeMap<Shard, _>, lane| {
            next.keys().copied().filter(|s: &Shard| s.lane == lane).collect::<Vec<_>>()
        };
        for shard in shards(&self.next, Lane::Live) {
            self.read_shard(shard, self.config.read_records, &mut round).await?;
        }
        // Bulk has all the room if live is idle, and its floor if it is not.
        let bulk = shards(&self.next, Lane::Bulk);
        let mut room = if round.runs.is_empty() {
            self.config.read_records * bulk.len().max(1)
        } else {
            self.config.bulk_floor_records
        };
        self.turn += 1;
        for i in 0..bulk.len() {
            let shard = bulk[(self.turn + i) % bulk.len()];
            let before = round.records.len();
            if room > 0 {
                self.read_shard(shard, room.min(self.config.read_records), &mut round).await?;
            }
            room = room.saturating_sub(round.records.len() - before);
        }
        Ok(round)
    }

    async fn read_shard(
        &mut self,
        shard: Shard,
        records: usize,
        round: &mut Round,
    ) -> Result<(), ProcessorError> {
        let (offset, _) = self.next.get(&shard).copied().unwrap_or_default();
        if self.is_closed(shard, offset) {
            return Ok(());
        }
        let fence = self.fences.get(&shard).copied().unwrap_or(u64::MAX);
        let records = records.min(usize::try_from(fence - offset).unwrap_or(usize::MAX));
        let limit = ReadLimit { records, bytes: self.config.read_bytes };
        for item in self.read_patiently(position(shard, offset), limit).await? {
            match item {
                Item::Records(records) => self.take_records(shard, records, round),
                Item::Gap { from, to, cause, evidence } => {
                    if from.offset >= fence {
                        return Ok(());
                    }
                    if self.config.on_gap(cause) == OnGap::Stop {
                        self.block(shard, ProcessorError::Gap { from, to, cause, evidence });
                        return Ok(());
                    }
                    self.take_gap(shard, (from.offset, to.min(fence)), cause, evidence, round);
                }
            }
        }
        Ok(())
    }

    /// The shard waits for an operator, who restores the range, skips it or declares it lost. Other shards go on.
    fn block(&mut self, shard: Shard, why: ProcessorError) {
        let again = Instant::now() + self.config.blocked_retry;
        if self.blocked.insert(shard, again).is_none() {
            tracing::error!(%shard, "{why}; this shard waits, the others go on");
        }
        telemetry::blocked(self.blocked.len());
    }

    fn take_records(&mut self, shard: Shard, records: Vec<(Position, Record)>, round: &mut Round) {
        let Some(next) = self.next.get_mut(&shard) else { return };
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        debug_assert_eq!(first.0.offset, next.0);
        let received = || {
            records
                .iter()
                .filter_map(|(_, r)| if let Record::Event(e) = r { Some(e.received_at) } else { None })
        };
        let from = received().min().unwrap_or(next.1);
        next.1 = received().max().unwrap_or(next.1).max(next.1);
        let interval = Interval { shard, from: first.0.offset, to: last.0.offset + 1 };
        next.0 = interval.to;
        if self.blocked.remove(&shard).is_some() {
            tracing::info!(%shard, "the shard can be read again");
            telemetry::blocked(self.blocked.len());
        }
        round.bytes += records
            .iter()
            .map(|(_, r)| if let Record::Event(e) = r { e.body.len() } else { 0 })
            .sum::<usize>();
        round.runs.push(Run { interval, received_from: from, received_to: next.1, holes: 0, lost: None });
        round.records.extend(records);
    }

    fn take_gap(
        &mut self,
        shard: Shard,
        (from, to): (u64, u64),
        cause: GapCause,
        evidence: String,
        round: &mut Round,
    ) {
        let Some(next) = self.next.get_mut(&shard) else { return };
        let interval = Interval { shard, from, to };
        next.0 = to;
        let (holes, lost) = match cause {
            GapCause::Hole => (interval.len(), None),
            GapCause::Corrupt | GapCause::Missing | GapCause::Trimmed => {
                tracing::error!(%shard, from, to, ?cause, evidence, "records of the log are gone; booked as lost");
                telemetry::gap(shard, interval.len(), cause);
                (0, Some((cause, evidence)))
            }
        };
        round.runs.push(Run { interval, received_from: next.1, received_to: next.1, holes, lost });
    }

    async fn read_patiently(&self, at: Position, limit: ReadLimit) -> Result<Vec<Item>, ProcessorError> {
        let started = Instant::now();
        let mut backoff = Backoff::new(&self.config);
        loop {
            let error = match self.log.read(at, limit).await {
                Ok(items) => return Ok(items),
                Err(error) => error,
            };
            let patience = match error {
                ReadError::Ahead { .. } => AHEAD_PATIENCE,
                ReadError::Disk { .. } => Duration::MAX,
                ReadError::NoPartition { .. } | ReadError::Version { .. } => Duration::ZERO,
            };
            if started.elapsed() >= patience || self.out.is_closed() {
                return Err(error.into());
            }
            tracing::warn!(%at, %error, "the log cannot be read; trying again");
            telemetry::retried("log");
            backoff.pause().await;
        }
    }
}

fn position(shard: Shard, offset: u64) -> Position {
    Position { lane: shard.lane, partition: shard.partition, offset }
}
