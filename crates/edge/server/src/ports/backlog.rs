//! What is acknowledged but not yet processed: the log beyond the cursors.

use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::Arc;
use tallymark_api::{Backlog, BacklogReading, PortError, ShardBounds};
use tallymark_catalog::Settings;
use tallymark_log::{Item, LogReader, ReadError, ReadLimit};
use tallymark_model::{Lane, Position, ProjectId, ProjectToken, Record, Shard};
use tokio::sync::OnceCell;

/// Most records that are read to split the backlog by project; beyond it the split is a lower bound.
const EXACT_MAX: u64 = 200_000;

/// Opens the log's reader; fails as long as the collector has not made the log.
pub type OpenLog = dyn Fn() -> Result<Arc<dyn LogReader>, PortError> + Send + Sync;

/// Reads the backlog from the log itself.
pub struct LogBacklog {
    open: Box<OpenLog>,
    log: OnceCell<Arc<dyn LogReader>>,
    settings: Arc<dyn Settings>,
}

impl LogBacklog {
    /// A backlog over a log that may not exist yet.
    pub fn new(open: Box<OpenLog>, settings: Arc<dyn Settings>) -> LogBacklog {
        LogBacklog { open, log: OnceCell::new(), settings }
    }
}

#[async_trait]
impl Backlog for LogBacklog {
    async fn bounds(&self) -> Result<Vec<ShardBounds>, PortError> {
        let log = self.log.get_or_try_init(|| async { (self.open)() }).await?;
        bounds(log.as_ref()).await.map_err(|e| port("reading the log", e))
    }

    async fn read(&self, cursors: &[(Shard, u64)]) -> Result<BacklogReading, PortError> {
        let log = self.log.get_or_try_init(|| async { (self.open)() }).await?;
        let cursors: HashMap<Shard, u64> = cursors.iter().copied().collect();
        let (bounds, by_token, exact) =
            count(log.as_ref(), &cursors).await.map_err(|e| port("reading the log", e))?;
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

async fn count(log: &dyn LogReader, cursors: &HashMap<Shard, u64>) -> Result<Counted, ReadError> {
    let (all, mut by_token, mut read) = (bounds(log).await?, HashMap::new(), 0);
    let mut exact = true;
    for ShardBounds { shard, start, end } in &all {
        let mut at = cursors.get(shard).copied().unwrap_or(0).max(*start);
        while at < *end {
            if read >= EXACT_MAX {
                exact = false;
                break;
            }
            let position = Position { lane: shard.lane, partition: shard.partition, offset: at };
            let items = log.read(position, ReadLimit::default()).await?;
            let Some(next) = tally(&items, *end, &mut by_token) else { break };
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

fn port(what: &'static str, error: impl std::fmt::Display) -> PortError {
    PortError { what, detail: error.to_string() }
}
