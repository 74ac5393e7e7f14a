//! Records that are in the books already, read again: from the log, and where the log has let go, from the archive.
//!
//! Guarantees: every offset of what was read is a record, a hole, or gone with cause and evidence; nothing in between.
//! Deliberately not here: what becomes of them, waiting for records that are not written yet.

use crate::error::ProcessorError;
use crate::run::Deps;
use std::time::Duration;
use tallymark_ledger::{GapCause, Interval};
use tallymark_log::{Item, LogReader, ReadError, ReadLimit};
use tallymark_model::{Millis, Position, Record, Shard};

/// How often a disk error is tried again before the reader gives up.
const TRIES: u32 = 6;

/// What an interval was found to hold.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    /// Records, in order of offset.
    pub records: Vec<(Position, Record)>,
    /// Offsets that never carried a record.
    pub holes: Vec<Interval>,
    /// Offsets that neither log nor archive can give.
    pub gone: Vec<(Interval, GapCause, String)>,
    /// First offset that was not looked at.
    pub to: u64,
    /// Bytes of the bodies.
    pub bytes: usize,
}

impl Stock {
    /// Offsets without a record within an interval.
    pub(crate) fn holes_in(&self, interval: Interval) -> u64 {
        let both = |h: &Interval| h.to.min(interval.to).saturating_sub(h.from.max(interval.from));
        self.holes.iter().filter(|h| h.shard == interval.shard).map(both).sum()
    }
}

/// Reads an interval from its start on, as far as the limit allows; at least one offset of a non-empty one.
pub(crate) async fn read(deps: &Deps, interval: Interval, limit: ReadLimit) -> Result<Stock, ProcessorError> {
    let mut stock = Stock { to: interval.from, ..Stock::default() };
    while stock.to < interval.to && stock.records.len() < limit.records && stock.bytes < limit.bytes {
        let left = ReadLimit {
            records: (limit.records - stock.records.len()).min((interval.to - stock.to) as usize),
            bytes: limit.bytes - stock.bytes,
        };
        let items = patiently(deps.log.as_ref(), at(interval.shard, stock.to), left).await?;
        if items.is_empty() {
            // The log ends here, although the books say that there was more.
            let gone = Interval { from: stock.to, ..interval };
            gap(deps, &mut stock, gone, GapCause::Missing, "the log ends before".to_owned(), left).await?;
        }
        for item in items {
            match item {
                Item::Records(records) => stock.take(interval, records),
                Item::Gap { from, to, cause, evidence } => {
                    let gone = Interval { from: from.offset, to: to.min(interval.to), ..interval };
                    if !gap(deps, &mut stock, gone, cause, evidence, left).await? {
                        break;
                    }
                }
            }
        }
    }
    Ok(stock)
}

/// False: the archive gave only a part, the rest is to be asked for again.
async fn gap(
    deps: &Deps,
    stock: &mut Stock,
    gone: Interval,
    cause: GapCause,
    evidence: String,
    limit: ReadLimit,
) -> Result<bool, ProcessorError> {
    if gone.is_empty() {
        return Ok(true);
    }
    if cause == GapCause::Hole {
        stock.to = gone.to;
        stock.holes.push(gone);
        return Ok(true);
    }
    let Some(archive) = &deps.archive else {
        stock.to = gone.to;
        stock.gone.push((gone, cause, evidence));
        return Ok(true);
    };
    let limit = ReadLimit { records: limit.records.min(gone.len() as usize), ..limit };
    let items = match patiently(archive.as_ref(), at(gone.shard, gone.from), limit).await {
        Ok(items) => items,
        Err(ProcessorError::Log(ReadError::Ahead { .. })) => Vec::new(),
        Err(error) => return Err(error),
    };
    if items.is_empty() {
        stock.to = gone.to;
        stock.gone.push((gone, cause, format!("{evidence}; the archive does not have it")));
        return Ok(true);
    }
    for item in items {
        match item {
            Item::Records(records) => stock.take(gone, records),
            Item::Gap { from, to, cause: archived, evidence: other } => {
                let part = Interval { from: from.offset, to: to.min(gone.to), ..gone };
                if part.is_empty() {
                    break;
                }
                stock.to = part.to;
                match archived {
                    GapCause::Hole => stock.holes.push(part),
                    _ => stock.gone.push((part, cause, format!("{evidence}; archive: {other}"))),
                }
            }
        }
    }
    Ok(stock.to >= gone.to)
}

impl Stock {
    fn take(&mut self, within: Interval, records: Vec<(Position, Record)>) {
        for (position, record) in records {
            if position.offset >= within.to {
                break;
            }
            if let Record::Event(envelope) = &record {
                self.bytes += envelope.body.len();
            }
            self.to = position.offset + 1;
            self.records.push((position, record));
        }
    }
}

async fn patiently(log: &dyn LogReader, at: Position, limit: ReadLimit) -> Result<Vec<Item>, ProcessorError> {
    let mut wait = Duration::from_millis(50);
    for _ in 1..TRIES {
        match log.read(at, limit).await {
            Err(ReadError::Disk { .. }) => tokio::time::sleep(wait).await,
            done => return Ok(done?),
        }
        wait *= 2;
    }
    Ok(log.read(at, limit).await?)
}

/// When a record was made known to us, ms UTC; a control record counts as received when it was made.
pub(crate) fn received_at(record: &Record) -> Millis {
    match record {
        Record::Event(envelope) => envelope.received_at,
        Record::Control { control, .. } => control.made_at(),
    }
}

pub(crate) fn at(shard: Shard, offset: u64) -> Position {
    Position { lane: shard.lane, partition: shard.partition, offset }
}
