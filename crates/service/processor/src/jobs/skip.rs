//! Skip: cursors move over ranges without processing them. Or the ranges are declared lost.
//!
//! Guarantees: only what has no account yet is skipped; a range ahead of its cursor is reached by processing
//! everything before it, and live reading never enters it (a fence). Control records within stay in force. What can
//! be read is never declared lost.
//! Deliberately not here: processing it later (`replay`).

use super::spec::{self, SkipSpec};
use super::{Left, Stepped};
use crate::committer::Committer;
use crate::error::ProcessorError;
use crate::failpoint::Verb;
use crate::land::{Landed, Work};
use crate::source;
use crate::steps::decode::decode_all;
use crate::steps::rederive::skipped;
use crate::telemetry::Laps;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use tallymark_catalog::{Advance, Job, Origin};
use tallymark_ledger::{Account, GapCause, Interval, IntervalSet};
use tallymark_log::ReadLimit;
use tallymark_model::{CommitId, Millis, Position, Record, Shard};

/// Offsets that one commit skips, at most: each is a row of the books, and its records are read once for their control
/// records and times.
const CHUNK: u64 = 500_000;
/// Records held at a time while a range is looked through.
const LOOK: ReadLimit = ReadLimit { records: 20_000, bytes: 16 << 20 };

pub(crate) struct Skip {
    job: i64,
    by: String,
    reason: String,
    lost: bool,
    dry_run: bool,
    asked: IntervalSet,
    todo: VecDeque<Interval>,
    total: u64,
    passed: u64,
    beyond: u64,
    /// Offsets of `todo` that this run has moved over.
    done: u64,
    /// Shards whose live reading this job holds back.
    fenced: Vec<Shard>,
    waiting: Option<Interval>,
}

/// What looking through a range found.
struct Looked {
    controls: Vec<(Position, Record)>,
    received: Option<(Millis, Millis)>,
    readable: u64,
    gone: Option<(GapCause, String)>,
}

impl Skip {
    pub(crate) async fn open(
        committer: &mut Committer,
        job: &Job,
    ) -> Result<Result<Skip, String>, ProcessorError> {
        let log = committer.deps.log.clone();
        let asked = spec::parse::<SkipSpec>(&job.spec)
            .and_then(|s| spec::ranges(&s.ranges, log.partitions()).map(|r| (r, s.lost)));
        let (asked, lost) = match asked {
            Ok(asked) => asked,
            Err(why) => return Ok(Err(why)),
        };
        if asked.is_empty() {
            return Ok(Err("no range to skip is given".to_owned()));
        }
        let mut skip = Skip {
            job: job.id,
            by: job.by.clone(),
            reason: job.reason.clone(),
            lost,
            dry_run: job.dry_run,
            todo: VecDeque::new(),
            total: asked.len(),
            asked,
            passed: 0,
            beyond: 0,
            done: 0,
            fenced: Vec::new(),
            waiting: None,
        };
        for range in skip.asked.iter().collect::<Vec<_>>() {
            let end = log.bounds(range.shard).await?.end.max(range.from);
            let cursor = committer.cursors.get(&range.shard).map_or(0, |c| c.0);
            skip.beyond += range.to.saturating_sub(end);
            let left = Interval { from: range.from.max(cursor), to: range.to.min(end), ..range };
            if !left.is_empty() {
                skip.todo.push_back(left);
            }
        }
        let left: u64 = skip.todo.iter().map(Interval::len).sum();
        skip.passed = skip.total - skip.beyond - left;
        Ok(Ok(skip))
    }

    pub(crate) async fn step(&mut self, committer: &mut Committer) -> Result<Stepped, ProcessorError> {
        if self.dry_run {
            return Ok(Stepped::Done);
        }
        // Whichever range is reached first; those ahead of their cursors are fenced meanwhile.
        self.waiting = None;
        let mut moved = false;
        for nth in 0..self.todo.len() {
            let range = self.todo[nth];
            let (cursor, received) = committer.cursors.get(&range.shard).copied().unwrap_or_default();
            if cursor >= range.to {
                self.todo.remove(nth);
                return Ok(Stepped::Chunk(0));
            }
            if cursor >= range.from {
                return self.skip(committer, nth, (cursor, received)).await;
            }
            self.waiting.get_or_insert(range);
            let first = !self.todo.iter().take(nth).any(|r| r.shard == range.shard);
            moved |= first && self.fence(committer, range.shard, Some(range.from));
        }
        if moved {
            committer.reset().await?;
            return Ok(Stepped::Moved(0));
        }
        Ok(if self.todo.is_empty() { Stepped::Done } else { Stepped::Wait })
    }

    async fn skip(
        &mut self,
        committer: &mut Committer,
        nth: usize,
        (from, received): (u64, Millis),
    ) -> Result<Stepped, ProcessorError> {
        let range = self.todo[nth];
        let chunk = Interval { from, to: range.to.min(from + CHUNK), ..range };
        let looked = look(committer, chunk).await;
        if self.lost && looked.readable > 0 {
            return Ok(Stepped::Failed(format!(
                "{} records of {chunk} can be read, so they are not lost; skip them instead",
                looked.readable
            )));
        }
        let (received_from, received_to) = looked.received.unwrap_or((received, received));
        let advance = Advance {
            shard: chunk.shard,
            from,
            to: chunk.to,
            account: self.account(looked.gone),
            received_from,
            received_to: received_to.max(received_from),
            projects: Vec::new(),
        };
        let id = CommitId(uuid::Uuid::now_v7());
        let work = Work {
            id,
            origin: Origin::Skip { job: self.job },
            verb: Some(Verb::Skip),
            rows: BTreeMap::new(),
            sources: Vec::new(),
            advances: vec![advance],
            restate: Vec::new(),
            masks: Vec::new(),
            // Rules and erasures are in force from their offsets on, whatever becomes of their neighbours.
            delta: skipped(id, &decode_all(looked.controls, committer.deps.decode)),
        };
        match committer.land(work, &mut Laps::start()).await? {
            Landed::Committed(..) => {
                tracing::warn!(range = %chunk, by = self.by, reason = self.reason, lost = self.lost, "records were passed by");
                self.done += chunk.len();
                if chunk.to == range.to {
                    self.todo.remove(nth);
                }
                let next = self.todo.iter().find(|r| r.shard == chunk.shard && r.from > chunk.to);
                let fence = if chunk.to == range.to { next.map(|r| r.from) } else { Some(chunk.to) };
                self.fence(committer, chunk.shard, fence);
                committer.reset().await?;
                Ok(Stepped::Moved(chunk.len()))
            }
            Landed::Refused(answer) => {
                tracing::warn!(?answer, range = %chunk, "the skip was refused; trying again from the cursors");
                committer.reset().await?;
                Ok(Stepped::Moved(0))
            }
            // It has no rows.
            Landed::Unstorable(_) => Ok(Stepped::Chunk(0)),
            Landed::Stopped => Ok(Stepped::Stopped),
        }
    }

    fn account(&self, gone: Option<(GapCause, String)>) -> Account {
        if !self.lost {
            return Account::Skipped { by: self.by.clone(), reason: self.reason.clone() };
        }
        let (cause, evidence) = gone.unwrap_or((GapCause::Missing, "the log gave no reason".to_owned()));
        let evidence = format!("declared lost by {}: {}; {evidence}", self.by, self.reason);
        Account::Lost { cause, evidence }
    }

    /// True if the fence was elsewhere.
    fn fence(&mut self, committer: &mut Committer, shard: Shard, at: Option<u64>) -> bool {
        match at {
            Some(at) => {
                if !self.fenced.contains(&shard) {
                    self.fenced.push(shard);
                }
                committer.fences.insert(shard, at) != Some(at)
            }
            None => committer.fences.remove(&shard).is_some(),
        }
    }

    /// Lets live reading go where it was held back.
    pub(crate) fn close(&mut self, committer: &mut Committer) {
        for shard in self.fenced.drain(..) {
            committer.fences.remove(&shard);
        }
    }

    pub(crate) fn left(&self) -> Left {
        let mut left = Left { total: self.total - self.passed - self.beyond, ..Left::default() };
        for range in &self.todo {
            *left.by_shard.entry(range.shard).or_default() += range.len();
        }
        if let Some(range) = self.waiting {
            left.note = format!("processing up to {range}, which will be skipped");
        }
        left
    }

    pub(crate) async fn report(&self, committer: &mut Committer) -> Result<Value, ProcessorError> {
        if self.dry_run {
            let would: u64 = self.todo.iter().map(Interval::len).sum();
            let ranges: Vec<Value> =
                self.todo.iter().map(|r| json!({"interval": r, "records": r.len()})).collect();
            return Ok(json!({
                "skipped": if self.lost { 0 } else { would }, "passed": self.passed, "beyond": self.beyond,
                "lost": if self.lost { would } else { 0 }, "ranges": ranges,
            }));
        }
        let catalog = committer.deps.catalog.clone();
        let rows =
            committer.patiently("books", || catalog.ledger(None, None, None)).await?.unwrap_or_default();
        let (mut skipped, mut lost) = (0, 0);
        let mut ranges = Vec::new();
        for row in rows {
            let counter = match &row.account {
                Account::Skipped { .. } => &mut skipped,
                Account::Lost { .. } => &mut lost,
                Account::Accounted { .. } => continue,
            };
            for part in self.asked.intersect(&IntervalSet::from_iter([row.interval])).iter() {
                *counter += part.len();
                ranges.push(json!({
                    "interval": part, "records": part.len(),
                    "received_from": row.received_from, "received_to": row.received_to,
                }));
            }
        }
        let passed = self.total.saturating_sub(self.beyond + skipped + lost);
        Ok(json!({
            "skipped": skipped, "passed": passed, "beyond": self.beyond, "lost": lost, "ranges": ranges,
        }))
    }
}

/// Reads a range for its control records and receive times. What cannot be read is what skipping is for.
async fn look(committer: &Committer, range: Interval) -> Looked {
    let mut looked = Looked { controls: Vec::new(), received: None, readable: 0, gone: None };
    let mut at = range;
    while !at.is_empty() {
        let stock = match source::read(&committer.deps, at, LOOK).await {
            Ok(stock) => stock,
            Err(error) => {
                tracing::warn!(range = %at, %error, "a range that is passed by cannot be read");
                looked.gone.get_or_insert((GapCause::Missing, error.to_string()));
                return looked;
            }
        };
        at.from = stock.to;
        looked.readable += stock.records.len() as u64;
        if looked.gone.is_none() {
            looked.gone = stock.gone.into_iter().next().map(|(_, cause, evidence)| (cause, evidence));
        }
        for (position, record) in stock.records {
            let received = source::received_at(&record);
            let (first, last) = looked.received.unwrap_or((received, received));
            looked.received = Some((first.min(received), last.max(received)));
            if matches!(record, Record::Control { .. }) {
                looked.controls.push((position, record));
            }
        }
    }
    looked
}
