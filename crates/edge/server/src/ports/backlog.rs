//! What is acknowledged but not yet processed: the log beyond the cursors.

use super::log_handle::{LogHandle, port};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::Arc;
use tallymark_api::{Backlog, BacklogReading, PortError, ShardBounds};
use tallymark_catalog::Settings;
use tallymark_ledger::Interval;
use tallymark_log::{Item, LogReader, ReadError, ReadLimit};
use tallymark_model::{Lane, Position, ProjectId, ProjectToken, Record, Shard};

/// Most records that are read to split the backlog by project; beyond it the split is a lower bound.
const EXACT_MAX: u64 = 200_000;

/// Reads the backlog from the log itself.
pub struct LogBacklog {
    log: Arc<LogHandle>,
    settings: Arc<dyn Settings>,
}

impl LogBacklog {
    /// A backlog over a log that may not exist yet.
    pub fn new(log: Arc<LogHandle>, settings: Arc<dyn Settings>) -> LogBacklog {
        LogBacklog { log, settings }
    }
}

#[async_trait]
impl Backlog for LogBacklog {
    async fn bounds(&self) -> Result<Vec<ShardBounds>, PortError> {
        bounds(self.log.get().await?).await.map_err(|e| port("reading the log", e))
    }

    async fn read(
        &self,
        cursors: &[(Shard, u64)],
        skipped: &[Interval],
    ) -> Result<BacklogReading, PortError> {
        let cursors: HashMap<Shard, u64> = cursors.iter().copied().collect();
        let (bounds, by_token, exact) =
            count(self.log.get().await?, &cursors, skipped).await.map_err(|e| port("reading the log", e))?;
        let mut by_project: HashMap<ProjectId, u64> = HashMap::new();
        for (token, events) in by_token {
            let owner = self.settings.resolve(token).await.map_err(|e| port("resolving a key", e))?;
            *by_project.entry(owner.map_or(ProjectId::UNKNOWN, |(project, _)| project)).or_default() +=
                events;
        }
        Ok(BacklogReading { bounds, by_project, exact })
    }
}

type Counted = (Vec<ShardBounds>, HashMap<ProjectToken, u64>, bool);

async fn count(
    log: &dyn LogReader,
    cursors: &HashMap<Shard, u64>,
    skipped: &[Interval],
) -> Result<Counted, ReadError> {
    let (all, mut by_token, mut read) = (bounds(log).await?, HashMap::new(), 0);
    let mut exact = true;
    let mut waiting: Vec<Interval> = skipped.to_vec();
    for ShardBounds { shard, end, .. } in &all {
        waiting.push(Interval::new(*shard, cursors.get(shard).copied().unwrap_or(0), *end));
    }
    for Interval { shard, from, to } in waiting {
        let start = all.iter().find(|b| b.shard == shard).map_or(from, |b| b.start);
        let mut at = from.max(start);
        exact &= at == from;
        while at < to {
            if read >= EXACT_MAX {
                exact = false;
                break;
            }
            let position = Position { lane: shard.lane, partition: shard.partition, offset: at };
            let items = log.read(position, ReadLimit::default()).await?;
            let Some(next) = tally(&items, to, &mut by_token) else { break };
            read += next - at;
            at = next;
        }
    }
    Ok((all, by_token, exact))
}

async fn bounds(log: &dyn LogReader) -> Result<Vec<ShardBounds>, ReadError> {
    let mut all = Vec::new();
    for lane in Lane::ALL {
        for partition in 0..log.partitions() {
            let shard = Shard { lane, partition };
            let bounds = log.bounds(shard).await?;
            all.push(ShardBounds { shard, start: bounds.start, end: bounds.end });
        }
    }
    Ok(all)
}

/// Counts a run below `end`; answers where the next one begins.
fn tally(items: &[Item], end: u64, by_token: &mut HashMap<ProjectToken, u64>) -> Option<u64> {
    let mut next = None;
    for item in items {
        match item {
            Item::Records(records) => {
                for (position, record) in records.iter().filter(|(p, _)| p.offset < end) {
                    if let Record::Event(envelope) = record {
                        *by_token.entry(envelope.token).or_default() += 1;
                    }
                    next = Some(position.offset + 1);
                }
            }
            Item::Gap { to, .. } => next = Some(*to),
        }
    }
    next
}
