//! What is acknowledged but not yet processed: the log beyond the cursors.

use std::collections::HashMap;
use tallymark_log::{Item, LogReader, ReadError, ReadLimit};
use tallymark_model::{Position, ProjectToken, Record, Shard};

/// Most records that are read to split the backlog by project; beyond it the split is an estimate.
const EXACT_MAX: u64 = 200_000;

/// The backlog, by whose it is.
#[derive(Debug, Clone, Default)]
pub struct Backlog {
    /// Records waiting, of everybody.
    pub total: u64,
    /// Event records per token, as far as they were read.
    pub by_token: HashMap<ProjectToken, u64>,
    /// False if the backlog was too long to read.
    pub exact: bool,
}

impl Backlog {
    /// Reads the log from the cursors on.
    pub async fn read(log: &dyn LogReader, cursors: &HashMap<Shard, u64>) -> Result<Backlog, ReadError> {
        let mut backlog = Backlog { exact: true, ..Backlog::default() };
        let mut read = 0;
        for shard in tallymark_model::Lane::ALL
            .into_iter()
            .flat_map(|lane| (0..log.partitions()).map(move |partition| Shard { lane, partition }))
        {
            let bounds = log.bounds(shard).await?;
            let from = cursors.get(&shard).copied().unwrap_or(0).max(bounds.start);
            backlog.total += bounds.end.saturating_sub(from);
            let mut at = from;
            while at < bounds.end {
                if read >= EXACT_MAX {
                    backlog.exact = false;
                    break;
                }
                let position = Position { lane: shard.lane, partition: shard.partition, offset: at };
                let items = log.read(position, ReadLimit::default()).await?;
                let Some(next) = backlog.count(&items) else { break };
                read += next - at;
                at = next;
            }
        }
        Ok(backlog)
    }

    /// Counts a run; answers where the next one begins.
    fn count(&mut self, items: &[Item]) -> Option<u64> {
        let mut next = None;
        for item in items {
            match item {
                Item::Records(records) => {
                    for (position, record) in records {
                        if let Record::Event(envelope) = record {
                            *self.by_token.entry(envelope.token).or_default() += 1;
                        }
                        next = Some(position.offset + 1);
                    }
                }
                Item::Gap { to, .. } => next = Some(*to),
            }
        }
        next
    }
}
