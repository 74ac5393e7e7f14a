//! Reading what the checks compare: ranges of the log, rows of segments, exceptions of deltas.

use crate::check::{Excepted, LogFacts, Seen};
use crate::error::Result;
use crate::{AuditError, Deps, FindingKind};
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use std::collections::VecDeque;
use std::sync::Arc;
use tallymark_catalog::{Books, CommitRecord, LedgerRow};
use tallymark_ledger::{GapCause, Interval, SegmentMeta, Tally};
use tallymark_log::{Item, ReadError, ReadLimit};
use tallymark_model::{Outcome, Position, ProjectId, Record, SegmentId};
use tallymark_state::Delta;
use tallymark_store::{Column, ObjectStore, SegmentReader, StoreError};

/// How often the books are read again because a commit came in between.
const READ_TRIES: u32 = 20;

/// The books as of one commit; `None` if commits keep coming in between: the next look will do.
pub(crate) async fn books(deps: &Deps) -> Result<Option<Books>> {
    for _ in 0..READ_TRIES {
        let seq = deps.catalog.latest_seq().await?;
        let rows = deps.catalog.ledger(None, None, None).await?;
        let cursors = deps.catalog.cursors().await?;
        if deps.catalog.latest_seq().await? == seq {
            let sum = |sum: Tally, row: &LedgerRow| sum + row.tally;
            let instance = rows.iter().fold(Tally::default(), sum);
            return Ok(Some(Books {
                seq,
                cursors,
                rows,
                project: instance,
                instance,
                anomalies: Vec::new(),
            }));
        }
    }
    Ok(None)
}

/// What the log holds in an interval.
pub(crate) async fn log_range(deps: &Deps, interval: Interval) -> Result<LogFacts> {
    let mut facts = LogFacts { interval, records: Vec::new(), gaps: Vec::new() };
    let shard = interval.shard;
    let mut at = interval.from;
    while at < interval.to {
        let position = Position { lane: shard.lane, partition: shard.partition, offset: at };
        let items = match deps.log.read(position, ReadLimit::default()).await {
            Ok(items) => items,
            Err(ReadError::Ahead { end, .. }) => {
                let gap = Interval::new(shard, end.max(at), interval.to);
                facts.gaps.push((gap, GapCause::Missing, format!("the log ends at {end}")));
                break;
            }
            Err(error) => return Err(error.into()),
        };
        let before = at;
        for item in items {
            match item {
                Item::Records(records) => {
                    for (position, record) in records.iter().filter(|(p, _)| p.offset < interval.to) {
                        facts.records.push(seen(position.offset, record));
                    }
                    at = records.last().map_or(at, |(p, _)| p.offset + 1);
                }
                Item::Gap { from, to, cause, evidence } => {
                    let gap = Interval::new(shard, from.offset, to.min(interval.to));
                    if !gap.is_empty() {
                        facts.gaps.push((gap, cause, evidence));
                    }
                    at = to;
                }
            }
        }
        if at == before {
            let gap = Interval::new(shard, at, interval.to);
            facts.gaps.push((gap, GapCause::Missing, "the log ends here".to_owned()));
            break;
        }
    }
    Ok(facts)
}

fn seen(offset: u64, record: &Record) -> Seen {
    match record {
        Record::Event(e) => Seen { offset, received_at: e.received_at, token: Some(e.token) },
        Record::Control { control, .. } => Seen { offset, received_at: control.made_at(), token: None },
    }
}

/// A delta, or what is wrong with it.
pub(crate) async fn delta(
    deps: &Deps,
    commit: &CommitRecord,
) -> Result<Result<Option<Delta>, (FindingKind, String)>> {
    let Some(key) = &commit.delta else { return Ok(Ok(None)) };
    let bytes = match deps.store.get(key).await {
        Ok(bytes) => bytes,
        Err(error @ StoreError::NotFound { .. }) => {
            return Ok(Err((FindingKind::MissingObject, error.to_string())));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(match Delta::decode(&bytes) {
        Ok(delta) if delta.commit == commit.id => Ok(Some(delta)),
        Ok(_) => Err((FindingKind::DamagedObject, format!("{key} belongs to another commit"))),
        Err(error) => Err((FindingKind::DamagedObject, format!("{key}: {error}"))),
    })
}

/// Exceptions of a delta within an interval.
pub(crate) fn exceptions(delta: Option<&Delta>, interval: Interval) -> Vec<Excepted> {
    let inside = delta.into_iter().flat_map(|d| &d.exceptions).filter(|e| interval.contains(e.position));
    inside
        .map(|e| Excepted { offset: e.position.offset, kind: e.outcome.kind(), project: e.project })
        .collect()
}

/// Duplicates of a delta with their originals.
pub(crate) fn duplicates(delta: &Delta) -> impl Iterator<Item = (Position, Position, ProjectId)> + '_ {
    delta.exceptions.iter().filter_map(|e| match e.outcome {
        Outcome::Duplicate { witness } => Some((e.position, witness, e.project)),
        _ => None,
    })
}

/// Positions of all rows of an events segment, in file order. Blocks: call it aside.
pub(crate) fn positions(store: &ObjectStore, meta: &SegmentMeta) -> Result<Vec<Position>, StoreError> {
    let reader = SegmentReader::open(store, meta)?;
    let mut found = Vec::with_capacity(meta.rows as usize);
    for group in 0..reader.row_groups().len() {
        let batch = reader.read(group, &[Column::Position])?;
        if let Some(column) = batch.column(0).as_primitive_opt::<UInt64Type>() {
            found.extend(column.values().iter().filter_map(|packed| Position::unpack(*packed)));
        }
    }
    Ok(found)
}

/// Runs blocking work off the runtime's threads.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|panic| AuditError::Sink(panic.to_string()))
}

/// Positions of the rows of segments that were looked at lately, sorted.
#[derive(Debug, Default)]
pub(crate) struct RowCache {
    kept: VecDeque<(SegmentId, Arc<Vec<Position>>)>,
}

impl RowCache {
    /// Rows kept at most, over all segments.
    const ROWS_MAX: usize = 4_000_000;

    /// Of one segment; `None` if it cannot be read.
    pub async fn of(
        &mut self,
        store: &ObjectStore,
        segment: &SegmentMeta,
    ) -> Result<Option<Arc<Vec<Position>>>> {
        if let Some((_, known)) = self.kept.iter().find(|(id, _)| *id == segment.id) {
            return Ok(Some(Arc::clone(known)));
        }
        let (store, meta) = (store.clone(), segment.clone());
        let Ok(mut found) = aside(move || positions(&store, &meta)).await? else { return Ok(None) };
        found.sort_unstable();
        let found = Arc::new(found);
        self.kept.push_back((segment.id, Arc::clone(&found)));
        while self.kept.len() > 1
            && self.kept.iter().map(|(_, rows)| rows.len()).sum::<usize>() > Self::ROWS_MAX
        {
            self.kept.pop_front();
        }
        Ok(Some(found))
    }
}
