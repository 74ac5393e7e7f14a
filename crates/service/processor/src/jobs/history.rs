//! What became of records that are in the books: read from the deltas of the commits that decided them.
//!
//! Guarantees: the last commit that decided a position says what it is; commits that come while a job works are
//! followed, so an answer is as of the newest commit that was followed.
//! Deliberately not here: visible rows (what is no exception, no gap and no control record is visible).

use crate::committer::Committer;
use crate::error::ProcessorError;
use crate::run::Deps;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tallymark_catalog::{CommitRecord, Origin};
use tallymark_ledger::{Account, Interval, IntervalSet};
use tallymark_model::{CommitSeq, Millis, Outcome, Position, ProjectId};
use tallymark_state::{Delta, Exception};

/// Commits fetched at a time.
const PAGE: usize = 256;
/// Deltas kept in memory: chunks of a job meet the same ones again.
const KEPT: usize = 8;

/// A record that is a duplicate of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependent {
    pub position: Position,
    pub received_at: Millis,
    pub project: ProjectId,
    pub witness: Position,
}

/// Records of a scope that had become no row before a commit was made, and mended letters as of then.
pub(crate) async fn exceptions_before(
    deps: &Deps,
    scope: &IntervalSet,
    before: CommitSeq,
) -> Result<(BTreeMap<Position, Exception>, IntervalSet), ProcessorError> {
    let mut found: BTreeMap<Position, Exception> = BTreeMap::new();
    let mut mended = IntervalSet::new();
    let mut seq = CommitSeq(0);
    loop {
        let records = deps.catalog.feed(seq, PAGE).await?;
        let done = records.len() < PAGE;
        for record in records {
            seq = record.seq;
            if seq >= before {
                return Ok((found, mended));
            }
            let intervals = decided_by(&record);
            let Some(key) = record.delta.filter(|_| intervals.iter().any(|i| touches(scope, *i))) else {
                continue;
            };
            let delta = Delta::decode(&deps.store.get(&key).await?)?;
            if !matches!(record.origin, Origin::Reprocess { .. }) {
                delta.restated.iter().for_each(|i| mended.insert(*i));
            }
            found.retain(|p, _| !delta.restated.iter().any(|i| i.contains(*p)));
            let inside = delta.exceptions.into_iter().filter(|e| scope.contains(e.position));
            found.extend(inside.map(|e| (e.position, e)));
        }
        if done {
            return Ok((found, mended));
        }
    }
}

/// The intervals that a commit decided something in.
fn decided_by(record: &CommitRecord) -> Vec<Interval> {
    let decided = |a: &Account| matches!(a, Account::Accounted { .. });
    let advances = record.advances.iter().filter(|a| decided(&a.account)).map(|a| a.interval());
    advances.chain(record.restated.iter().map(|r| r.interval)).collect()
}

fn touches(scope: &IntervalSet, interval: Interval) -> bool {
    scope.iter().any(|i| i.overlaps(&interval))
}

/// Commits that decided something within a scope.
pub(crate) struct History {
    scope: IntervalSet,
    seq: CommitSeq,
    touching: Vec<Touch>,
    /// Duplicates, by witness within the scope.
    dependents: BTreeMap<Position, Vec<Dependent>>,
    rewritten: IntervalSet,
    mended: IntervalSet,
    erased: IntervalSet,
    hollow: IntervalSet,
    kept: VecDeque<(String, Arc<Delta>)>,
}

struct Touch {
    key: String,
    intervals: Vec<Interval>,
}

impl History {
    pub(crate) fn new(scope: IntervalSet) -> History {
        History {
            scope,
            seq: CommitSeq(0),
            touching: Vec::new(),
            dependents: BTreeMap::new(),
            rewritten: IntervalSet::new(),
            mended: IntervalSet::new(),
            erased: IntervalSet::new(),
            hollow: IntervalSet::new(),
            kept: VecDeque::new(),
        }
    }

    /// Reads one page of the feed. True: that was the newest commit; none: asked to stop.
    pub(crate) async fn follow(&mut self, committer: &mut Committer) -> Result<Option<bool>, ProcessorError> {
        let catalog = committer.deps.catalog.clone();
        let after = self.seq;
        let Some(records) = committer.patiently("feed", || catalog.feed(after, PAGE)).await? else {
            return Ok(None);
        };
        let done = records.len() < PAGE;
        for record in records {
            self.seq = record.seq;
            self.note(committer, record).await?;
        }
        Ok(Some(done))
    }

    /// True if this history tells of everything in an interval.
    pub(crate) fn covers(&self, interval: Interval) -> bool {
        self.scope.covers(interval)
    }

    /// The newest commit that was followed.
    pub(crate) fn seq(&self) -> CommitSeq {
        self.seq
    }

    /// Positions that an earlier job decided by rules that were not those of their own position.
    pub(crate) fn rewritten(&self) -> &IntervalSet {
        &self.rewritten
    }

    async fn note(&mut self, committer: &Committer, record: CommitRecord) -> Result<(), ProcessorError> {
        if matches!(record.origin, Origin::Compaction) {
            record.restated.iter().for_each(|r| self.erased.insert(r.interval));
        }
        let hollow = |a: &Account| matches!(a, Account::Accounted { tally, .. } if tally.hole > 0);
        let advanced = record.advances.iter().filter(|a| hollow(&a.account)).map(|a| a.interval());
        let restated = record.restated.iter().filter(|r| hollow(&r.now)).map(|r| r.interval);
        advanced.chain(restated).for_each(|i| self.hollow.insert(i));
        let Some(key) = record.delta.clone() else { return Ok(()) };
        let mut intervals = decided_by(&record);
        let accounts = record.advances.iter().map(|a| &a.account);
        let duplicates = accounts
            .chain(record.restated.iter().map(|r| &r.now))
            .any(|account| matches!(account, Account::Accounted { tally, .. } if tally.duplicate > 0));
        if duplicates || !record.restated.is_empty() {
            let delta = self.delta(committer, &key).await?;
            self.note_dependents(&delta);
            // Besides reprocesses, only mended letters restate single records.
            let to = match record.origin {
                Origin::Reprocess { .. } => &mut self.rewritten,
                _ => &mut self.mended,
            };
            delta.restated.iter().for_each(|i| to.insert(*i));
        }
        intervals.retain(|i| touches(&self.scope, *i));
        if !intervals.is_empty() {
            self.touching.push(Touch { key, intervals });
        }
        Ok(())
    }

    fn note_dependents(&mut self, delta: &Delta) {
        if !delta.restated.is_empty() {
            let again = |d: &Dependent| delta.restated.iter().any(|i| i.contains(d.position));
            self.dependents.values_mut().for_each(|known| known.retain(|d| !again(d)));
        }
        for e in &delta.exceptions {
            let Outcome::Duplicate { witness } = e.outcome else { continue };
            if self.scope.contains(witness) {
                let (position, received_at, project) = (e.position, e.received_at, e.project);
                let dependent = Dependent { position, received_at, project, witness };
                self.dependents.entry(witness).or_default().push(dependent);
            }
        }
    }

    /// Where rows of forgotten people were removed from files: no delta says which.
    pub(crate) fn erased(&self) -> &IntervalSet {
        &self.erased
    }

    /// Where the books once said that some offsets carry no record. If the log has one there after all, nobody has
    /// decided it.
    pub(crate) fn hollow(&self) -> &IntervalSet {
        &self.hollow
    }

    /// Dead letters whose mending is in the books.
    pub(crate) fn mended(&self) -> &IntervalSet {
        &self.mended
    }

    /// Records of an interval of the scope that became no row, as the newest followed commit has them.
    pub(crate) async fn exceptions(
        &mut self,
        committer: &Committer,
        interval: Interval,
    ) -> Result<BTreeMap<Position, Exception>, ProcessorError> {
        let keys: Vec<String> = self
            .touching
            .iter()
            .filter(|t| t.intervals.iter().any(|i| i.overlaps(&interval)))
            .map(|t| t.key.clone())
            .collect();
        let mut found: BTreeMap<Position, Exception> = BTreeMap::new();
        for key in keys {
            let delta = self.delta(committer, &key).await?;
            if !delta.restated.is_empty() {
                found.retain(|p, _| !delta.restated.iter().any(|i| i.contains(*p)));
            }
            let inside = delta.exceptions.iter().filter(|e| interval.contains(e.position));
            found.extend(inside.map(|e| (e.position, e.clone())));
        }
        Ok(found)
    }

    /// Duplicates of a witness within the scope.
    pub(crate) fn dependents(&self, witness: Position) -> &[Dependent] {
        self.dependents.get(&witness).map_or(&[], Vec::as_slice)
    }

    async fn delta(&mut self, committer: &Committer, key: &str) -> Result<Arc<Delta>, ProcessorError> {
        if let Some((_, delta)) = self.kept.iter().find(|(held, _)| held == key) {
            return Ok(Arc::clone(delta));
        }
        let delta = Arc::new(Delta::decode(&committer.deps.store.get(key).await?)?);
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((key.to_owned(), Arc::clone(&delta)));
        Ok(delta)
    }
}
