//! What is committed together: batches of the intake, gathered for up to a second.
//!
//! Guarantees: a group holds whole batches in order of arrival, so its runs continue each shard without a gap; it
//! gives back its share of the memory budget only when it is dropped.
//! Deliberately not here: reading (`intake`), deciding (`steps`).

use crate::config::ProcessorConfig;
use crate::error::ProcessorError;
use crate::steps::books::Run;
use crate::steps::decode::Decoded;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout_at};

/// What one round of reading brought.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Of which start of reading; older ones than the last reset are dropped.
    pub generation: u64,
    /// Which offsets, in order per shard.
    pub runs: Vec<Run>,
    /// Their records.
    pub records: Vec<Decoded>,
    /// Bytes of the bodies.
    pub bytes: usize,
    /// Share of the memory budget.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// What the intake sends: batches, and at the end perhaps why it stopped.
pub(crate) type Incoming = Receiver<Result<Batch, ProcessorError>>;

/// Batches that will be one commit.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub runs: Vec<Run>,
    pub records: Vec<Decoded>,
    pub bytes: usize,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Group {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn add(&mut self, batch: Batch) {
        for run in batch.runs {
            self.add_run(run);
        }
        self.records.extend(batch.records);
        self.bytes += batch.bytes;
        self.permits.extend(batch.permit);
    }

    fn add_run(&mut self, run: Run) {
        // Runs of records that touch become one; what is lost stays an entry of its own.
        let touches = |held: &&mut Run| {
            held.interval.shard == run.interval.shard && held.interval.to == run.interval.from
        };
        match self.runs.iter_mut().rev().find(touches) {
            Some(held) if held.lost.is_none() && run.lost.is_none() => {
                held.interval.to = run.interval.to;
                held.received_from = held.received_from.min(run.received_from);
                held.received_to = held.received_to.max(run.received_to);
                held.holes += run.holes;
            }
            _ => self.runs.push(run),
        }
    }

    fn is_full(&self, config: &ProcessorConfig) -> bool {
        self.records.len() >= config.group_records_max || self.bytes >= config.group_bytes_max
    }
}

/// How gathering ended.
#[derive(Debug)]
pub(crate) enum Gathered {
    /// A group to commit.
    Group(Group),
    /// A group to commit, and then the intake is over, with this error.
    Last(Group, Option<ProcessorError>),
}

/// Waits for a first batch of this generation, then takes what comes until the group is full or due.
pub(crate) async fn gather(incoming: &mut Incoming, generation: u64, config: &ProcessorConfig) -> Gathered {
    let mut group = Group::default();
    let mut due: Option<Instant> = None;
    loop {
        let wait = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        let batch = match timeout_at(wait, incoming.recv()).await {
            Err(_) if group.is_empty() => continue,
            Err(_) => return Gathered::Group(group),
            Ok(None) => return Gathered::Last(group, None),
            Ok(Some(Err(error))) => return Gathered::Last(group, Some(error)),
            Ok(Some(Ok(batch))) => batch,
        };
        if batch.generation != generation {
            continue;
        }
        due.get_or_insert_with(|| Instant::now() + config.commit_interval);
        group.add(batch);
        if group.is_full(config) {
            return Gathered::Group(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_ledger::{GapCause, Interval};
    use tallymark_model::{Lane, Shard};

    fn run(partition: u16, from: u64, to: u64, lost: bool) -> Run {
        let shard = Shard { lane: Lane::Live, partition };
        let lost = lost.then(|| (GapCause::Corrupt, String::new()));
        Run {
            interval: Interval { shard, from, to },
            received_from: from as i64,
            received_to: to as i64,
            holes: 0,
            lost,
        }
    }

    fn batch(generation: u64, runs: Vec<Run>) -> Result<Batch, ProcessorError> {
        Ok(Batch { generation, runs, records: Vec::new(), bytes: 10, permit: None })
    }

    #[tokio::test]
    async fn touching_runs_join_and_old_generations_are_dropped() {
        let (send, mut incoming) = tokio::sync::mpsc::channel(10);
        send.send(batch(1, vec![run(0, 0, 5, false)])).await.unwrap();
        send.send(batch(2, vec![run(0, 7, 9, false), run(1, 0, 1, false)])).await.unwrap();
        send.send(batch(2, vec![run(0, 9, 12, false), run(1, 1, 3, true), run(1, 3, 4, false)]))
            .await
            .unwrap();
        drop(send);
        let config = ProcessorConfig::new("unused");
        let Gathered::Last(group, None) = gather(&mut incoming, 2, &config).await else { panic!() };
        let shown: Vec<_> =
            group.runs.iter().map(|r| (r.interval.shard.partition, r.interval.from, r.interval.to)).collect();
        assert_eq!(shown, [(0, 7, 12), (1, 0, 1), (1, 1, 3), (1, 3, 4)]);
        assert_eq!((group.runs[0].received_from, group.runs[0].received_to, group.bytes), (7, 12, 20));
    }
}
