//! Reprocess: records that are in the books are decided again, by the rules of now.
//!
//! Guarantees: only what changes is restated and rewritten, in one commit per chunk with the duplicates that lose
//! their witness (design rule 4); deciding again by the same rules changes nothing, so a job that was interrupted is
//! simply done again.
//! Deliberately not here: deciding (`steps`), trying an unsaved rule (`preview`).

use super::history::{Dependent, History};
use super::spec::{self, ReprocessSpec};
use super::{Left, Stepped};
use crate::committer::{Committer, aside};
use crate::error::ProcessorError;
use crate::failpoint::Verb;
use crate::land::{Landed, Work};
use crate::redrive::lasting;
use crate::restate;
use crate::rows::{self, Rows};
use crate::source;
use crate::steps::decide::{Again, Change, Decided, Old};
use crate::steps::decode::{Content, Decoded, decode_again};
use crate::steps::rules::{Mode, rules_now};
use crate::telemetry::{self, Laps};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;
use tallymark_catalog::{Job, Origin};
use tallymark_ledger::{Account, Interval, IntervalSet};
use tallymark_log::ReadLimit;
use tallymark_model::{CommitId, ERASED_RULE, Millis, Outcome, OutcomeKind, Position, ProjectId, Rule};
use tallymark_state::Exception;

/// Refusals in a row until the job gives up.
const REFUSALS_MAX: u32 = 5;
/// Rounds of adding duplicates that lost their witness; each adds all that the round before orphaned.
const ROUNDS_MAX: usize = 16;

/// What is to be looked at.
pub(crate) struct Scope {
    /// Parts of accounted rows of the books, in order; none spans two rows.
    pub todo: VecDeque<Interval>,
    pub received: (Option<Millis>, Option<Millis>),
    pub project: Option<ProjectId>,
    pub total: u64,
}

impl Scope {
    /// What a spec asks for, as the books are now. None: asked to stop.
    pub(crate) async fn of(
        committer: &mut Committer,
        spec: &ReprocessSpec,
        project: Option<ProjectId>,
    ) -> Result<Result<Scope, String>, ProcessorError> {
        let asked = match spec::ranges(&spec.ranges, committer.deps.log.partitions()) {
            Ok(asked) => Some(asked).filter(|a| !a.is_empty()),
            Err(why) => return Ok(Err(why)),
        };
        let received = (spec.received_from, spec.received_to);
        if let (Some(from), Some(to)) = received
            && from >= to
        {
            return Ok(Err(format!("the window from {from} to {to} is empty")));
        }
        let catalog = committer.deps.catalog.clone();
        let call = || catalog.ledger(None, received.0, received.1);
        let rows = committer.patiently("books", call).await?.unwrap_or_default();
        let mut todo = VecDeque::new();
        for row in rows.iter().filter(|r| matches!(r.account, Account::Accounted { .. })) {
            let whole = IntervalSet::from_iter([row.interval]);
            let wanted = asked.as_ref().map_or_else(|| whole.clone(), |asked| whole.intersect(asked));
            todo.extend(wanted.iter());
        }
        let total = todo.iter().map(Interval::len).sum();
        Ok(Ok(Scope { todo, received, project, total }))
    }

    pub(crate) fn holds(&self, received_at: Millis) -> bool {
        self.received.0.is_none_or(|from| from <= received_at)
            && self.received.1.is_none_or(|to| received_at < to)
    }

    pub(crate) fn left(&self) -> Left {
        let mut left = Left { total: self.total, ..Left::default() };
        for range in &self.todo {
            *left.by_shard.entry(range.shard).or_default() += range.len();
        }
        left
    }

    /// The first `to` offsets of the next interval are done.
    pub(crate) fn done(&mut self, to: u64) {
        if let Some(next) = self.todo.front_mut() {
            next.from = to.min(next.to);
            if next.is_empty() {
                self.todo.pop_front();
            }
        }
    }
}

pub(crate) struct Reprocess {
    job: i64,
    dry_run: bool,
    scope: Scope,
    rules: Arc<Vec<Rule>>,
    history: History,
    examined: u64,
    changed: u64,
    changes: BTreeMap<(ProjectId, OutcomeKind, ProjectId, OutcomeKind), u64>,
    orphans: u64,
    unreadable: u64,
    refusals: u32,
    began: Instant,
}

impl Reprocess {
    pub(crate) async fn open(
        committer: &mut Committer,
        job: &Job,
        spec: &ReprocessSpec,
    ) -> Result<Result<Reprocess, String>, ProcessorError> {
        let scope = match Scope::of(committer, spec, job.project).await? {
            Ok(scope) => scope,
            Err(why) => return Ok(Err(why)),
        };
        Ok(Ok(Reprocess {
            job: job.id,
            dry_run: job.dry_run,
            history: History::new(scope.todo.iter().copied().collect()),
            scope,
            rules: rules_now(committer.state()?),
            examined: 0,
            changed: 0,
            changes: BTreeMap::new(),
            orphans: 0,
            unreadable: 0,
            refusals: 0,
            began: Instant::now(),
        }))
    }

    pub(crate) async fn step(
        &mut self,
        committer: &mut Committer,
        limit: ReadLimit,
    ) -> Result<Stepped, ProcessorError> {
        match self.history.follow(committer).await? {
            None => return Ok(Stepped::Stopped),
            Some(false) => return Ok(Stepped::Chunk(0)),
            Some(true) => {}
        }
        let Some(next) = self.scope.todo.front().copied() else { return Ok(Stepped::Done) };
        let stock = source::read(&committer.deps, next, limit).await?;
        let chunk = Interval { to: stock.to, ..next };
        let unreadable: u64 = stock.gone.iter().map(|(i, ..)| i.len()).sum();
        let mended = &committer.state()?.controls().mended;
        let mended = lasting(&committer.deps, &stock.records, mended, self.history.mended()).await?;
        let decode = committer.deps.decode;
        let records = aside("decode", move || decode_again(stock.records, &mended, decode)).await?;
        let Some(mut rules) = committer.rules(&records, &[]).await? else { return Ok(Stepped::Stopped) };
        rules.mode = Mode::With(Arc::clone(&self.rules));
        let exceptions = self.history.exceptions(committer, chunk).await?;
        let again = self.again(committer, records, &exceptions, &rules.projects).await?;
        let examined = again.len() as u64;
        let id = CommitId(uuid::Uuid::now_v7());
        let Some((decided, orphans)) = self.settle(committer, id, again, rules).await? else {
            return Ok(Stepped::Stopped);
        };
        let Some(restate) = restate::by_row(committer, &decided.changes).await? else {
            return Ok(Stepped::Stopped);
        };
        if !self.dry_run && !restate.is_empty() {
            let work = Work {
                id,
                origin: Origin::Reprocess { job: self.job },
                verb: Some(Verb::Reprocess),
                rows: decided.rows,
                sources: restate.iter().map(|r| r.interval).collect(),
                advances: Vec::new(),
                restate,
                masks: restate::masks(&decided.changes),
                delta: decided.delta,
            };
            match committer.land(work, &mut Laps::start()).await? {
                Landed::Committed(..) => committer.checkpoint_if_due().await?,
                Landed::Unstorable(positions) => {
                    committer.unstorable.extend(positions);
                    return Ok(Stepped::Chunk(0));
                }
                Landed::Refused(answer) if self.refusals < REFUSALS_MAX => {
                    tracing::warn!(?answer, "a chunk of the reprocess was refused; asking the books again");
                    telemetry::retried("reprocess refused");
                    self.refusals += 1;
                    return Ok(Stepped::Chunk(0));
                }
                Landed::Refused(answer) => {
                    return Ok(Stepped::Failed(format!("the catalog refuses it: {answer:?}")));
                }
                Landed::Stopped => return Ok(Stepped::Stopped),
            }
        }
        self.refusals = 0;
        self.examined += examined;
        self.unreadable += unreadable;
        self.orphans += orphans;
        self.count(&decided.changes);
        self.scope.done(chunk.to);
        Ok(Stepped::Chunk(chunk.len()))
    }

    /// The records of a chunk that are asked for, with what the books say of them.
    async fn again(
        &mut self,
        committer: &Committer,
        records: Vec<Decoded>,
        exceptions: &BTreeMap<Position, Exception>,
        projects: &crate::ProjectTable,
    ) -> Result<Vec<Again>, ProcessorError> {
        let asked =
            |d: &Decoded| matches!(d.content, Content::Event { .. }) && self.scope.holds(d.received_at);
        let records: Vec<Decoded> = records.into_iter().filter(asked).collect();
        // Rows made by rules of another time, rows whose key was revoked since, and rows that may have been removed
        // from their file are looked at themselves.
        let looked_up = |d: &Decoded| {
            !exceptions.contains_key(&d.position)
                && (owner(d, projects).is_none()
                    || self.history.rewritten().contains(d.position)
                    || self.history.erased().contains(d.position)
                    || self.history.hollow().contains(d.position))
        };
        let wanted: BTreeSet<Position> =
            records.iter().filter(|d| looked_up(d)).map(|d| d.position).collect();
        let mut rows: Rows = rows::rows_at(&committer.deps, wanted).await?;
        let mut again = Vec::with_capacity(records.len());
        for mut record in records {
            let now = owner(&record, projects);
            let (project, outcome, row) = match exceptions.get(&record.position) {
                Some(e) => (e.project, e.outcome.clone(), None),
                None => match (rows.remove(&record.position), now) {
                    (Some((project, row)), _) => (project, Outcome::Visible, Some(Box::new(row))),
                    (None, Some(project)) if self.history.erased().contains(record.position) => {
                        (project, Outcome::Filtered { rule: ERASED_RULE }, None)
                    }
                    (None, _) if self.history.hollow().contains(record.position) => {
                        (ProjectId::UNKNOWN, Outcome::Hole, None)
                    }
                    (None, Some(project)) => (project, Outcome::Visible, None),
                    (None, None) => continue,
                },
            };
            if self.scope.project.is_some_and(|only| project != only && now != Some(only)) {
                continue;
            }
            // A key that was revoked since does not make an event nobody's.
            if let Content::Event { project: given, .. } = &mut record.content
                && now.is_none()
                && project != ProjectId::UNKNOWN
            {
                *given = Some(project);
            }
            again.push(Again { record, old: Old { project, outcome, row } });
        }
        Ok(again)
    }

    /// Decides, with every duplicate that loses its witness by it; their number. None: asked to stop.
    async fn settle(
        &mut self,
        committer: &mut Committer,
        id: CommitId,
        mut again: Vec<Again>,
        rules: crate::steps::decide::Rules,
    ) -> Result<Option<(Decided, u64)>, ProcessorError> {
        let mut held: BTreeSet<Position> = again.iter().map(|a| a.record.position).collect();
        let mut orphans = 0;
        for _ in 0..ROUNDS_MAX {
            let decided = committer.decide(id, Vec::new(), again.clone(), rules.clone()).await?;
            let Some(mut decided) = decided else { return Ok(None) };
            only_changes(&mut decided, &held);
            let missing: Vec<Dependent> = decided
                .orphaned
                .iter()
                .flat_map(|o| self.history.dependents(o.witness))
                .filter(|d| !held.contains(&d.position))
                .cloned()
                .collect();
            if missing.is_empty() {
                return Ok(Some((decided, orphans)));
            }
            for dependent in missing {
                held.insert(dependent.position);
                if let Some(one) = orphan(committer, dependent, self.history.mended()).await? {
                    orphans += 1;
                    again.push(one);
                } else {
                    self.unreadable += 1;
                }
            }
        }
        Err(ProcessorError::Panicked {
            step: "reprocess",
            message: "duplicates keep losing their witnesses".to_owned(),
        })
    }

    fn count(&mut self, changes: &[Change]) {
        self.changed += changes.len() as u64;
        for c in changes {
            let key = (c.was.0, c.was.1.kind(), c.now.0, c.now.1.kind());
            *self.changes.entry(key).or_default() += 1;
        }
    }

    pub(crate) fn left(&self) -> Left {
        self.scope.left()
    }

    pub(crate) fn report(&self) -> Value {
        let seconds = self.began.elapsed().as_secs_f64();
        let changes: Vec<Value> = self
            .changes
            .iter()
            .map(|((from, was, to, now), records)| {
                json!({"project": to, "from_project": from, "was": was, "now": now, "records": records})
            })
            .collect();
        json!({
            "examined": self.examined,
            "changed": self.changed,
            "changes": changes,
            "orphans": self.orphans,
            "unreadable": self.unreadable,
            "as_of": self.history.seq(),
            "seconds": seconds,
            "rate": if seconds > 0.0 { self.examined as f64 / seconds } else { 0.0 },
        })
    }
}

/// Rows that stay have their index entries already: a delta need not repeat them. `again`: what was decided again.
pub(crate) fn only_changes(decided: &mut Decided, again: &BTreeSet<Position>) {
    let changed: BTreeSet<Position> = decided.changes.iter().map(|c| c.position).collect();
    let stays = |p: Position| again.contains(&p) && !changed.contains(&p);
    decided.delta.dedup.retain(|e| !Position::unpack(e.position).is_some_and(stays));
}

/// Whose a record is, as the settings have it now.
fn owner(record: &Decoded, projects: &crate::ProjectTable) -> Option<ProjectId> {
    let Content::Event { token, project, .. } = &record.content else { return None };
    project.or_else(|| projects.get(token).copied())
}

/// A duplicate that lost its witness. None: it cannot be read any more, and stays what it is.
pub(crate) async fn orphan(
    committer: &Committer,
    dependent: Dependent,
    restated: &IntervalSet,
) -> Result<Option<Again>, ProcessorError> {
    let Dependent { position, project, witness, .. } = dependent;
    held(committer, position, project, Outcome::Duplicate { witness }, restated).await
}

/// A record with this outcome in the books, read and decoded again.
pub(crate) async fn held(
    committer: &Committer,
    position: Position,
    project: ProjectId,
    outcome: Outcome,
    restated: &IntervalSet,
) -> Result<Option<Again>, ProcessorError> {
    let one = Interval::new(position.shard(), position.offset, position.offset + 1);
    let stock = source::read(&committer.deps, one, ReadLimit { records: 1, bytes: usize::MAX }).await?;
    let mended = &committer.state()?.controls().mended;
    let mended = lasting(&committer.deps, &stock.records, mended, restated).await?;
    let mut records = decode_again(stock.records, &mended, committer.deps.decode);
    let Some(mut record) = records.pop() else {
        tracing::error!(%position, ?outcome, "a record that is to be decided again cannot be read any more");
        return Ok(None);
    };
    if let Content::Event { project: given, .. } = &mut record.content {
        given.get_or_insert(project);
    }
    Ok(Some(Again { record, old: Old { project, outcome, row: None } }))
}
