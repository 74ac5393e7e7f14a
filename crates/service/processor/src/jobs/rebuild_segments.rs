//! Segment files that are gone or damaged, written again from the log: the same rows in a new file.
//!
//! Guarantees: a file is replaced only by one that holds exactly its rows, by count and fingerprint (I13), but for rows
//! that do not count any more; files whose rows cannot be told apart are replaced together (`together`); what cannot be
//! derived is left as it is and said.
//! Deliberately not here: damage of the log or archive, which makes a file underivable. Properties of rows that a
//! reprocess wrote are left out by the rules of now, for nothing records those it had.

mod alone;
mod files;
mod together;

use super::history::History;
use super::spec::SegmentsSpec;
use super::{Left, Stepped};
use crate::committer::{Committer, aside};
use crate::error::ProcessorError;
use crate::failpoint::{Place, Verb, pass};
use crate::redrive::lasting;
use crate::steps::decide::{ProjectRows, Rules};
use crate::steps::decode::{Content, Decoded, decode_again};
use crate::steps::rederive::reshape;
use crate::steps::rules::{Mode, rules_now};
use crate::{deltas, telemetry};
use files::{order, positions};
use rustc_hash::FxHashSet;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Instant;
use tallymark_catalog::{Commit, CommitAnswer, Job, SegmentKind, SegmentMeta};
use tallymark_ledger::{Interval, IntervalSet};
use tallymark_model::{Lane, Position, ProjectId, SegmentId, Shard};
use tallymark_store::{Encoded, verify_segment};

const DAY_MS: i64 = 86_400_000;
/// Files looked at before a step ends.
const LOOK: usize = 8;

pub(crate) struct Rebuild {
    job: i64,
    dry_run: bool,
    todo: VecDeque<SegmentId>,
    projects: Vec<ProjectId>,
    /// Live segments with their masks, as of the newest look.
    live: Vec<(SegmentMeta, Vec<Interval>)>,
    damaged: Vec<Damaged>,
    history: Option<History>,
    /// Something was written again since all files that are left were looked at.
    progress: bool,
    total: u64,
    checked: u64,
    rebuilt: Vec<Value>,
    failed: Vec<Value>,
    began: Instant,
}

struct Damaged {
    meta: SegmentMeta,
    problem: String,
    fate: Fate,
}

/// What became of a damaged file.
enum Fate {
    Open,
    /// It cannot be derived while others are missing that lie over the same records; why.
    Put(String),
    Failed,
    /// Its rows are there again, or it is not live any more.
    Over,
}

impl Damaged {
    fn is_left(&self) -> bool {
        matches!(self.fate, Fate::Open | Fate::Put(_))
    }
}

impl Rebuild {
    pub(crate) async fn open(
        committer: &mut Committer,
        job: &Job,
        spec: &SegmentsSpec,
    ) -> Result<Result<Rebuild, String>, ProcessorError> {
        let catalog = committer.deps.catalog.clone();
        let projects = committer.patiently("projects", || catalog.projects()).await?.unwrap_or_default();
        let mut rebuild = Rebuild {
            job: job.id,
            dry_run: job.dry_run,
            todo: VecDeque::new(),
            projects: projects.into_iter().map(|p| p.id).collect(),
            live: Vec::new(),
            damaged: Vec::new(),
            history: None,
            progress: false,
            total: 0,
            checked: 0,
            rebuilt: Vec::new(),
            failed: Vec::new(),
            began: Instant::now(),
        };
        rebuild.look(committer).await?;
        let known = |id: &SegmentId| rebuild.live.iter().any(|(meta, _)| meta.id == *id);
        if let Some(unknown) = spec.segments.iter().find(|id| !known(id)) {
            return Ok(Err(format!("there is no live segment {unknown}")));
        }
        let wanted = |id: &SegmentId| spec.segments.is_empty() || spec.segments.contains(id);
        rebuild.todo = rebuild.live.iter().map(|(meta, _)| meta.id).filter(wanted).collect();
        rebuild.total = rebuild.todo.len() as u64;
        Ok(Ok(rebuild))
    }

    /// Which segments are live now.
    async fn look(&mut self, committer: &mut Committer) -> Result<(), ProcessorError> {
        let catalog = committer.deps.catalog.clone();
        self.live.clear();
        for project in self.projects.clone() {
            let call = || catalog.snapshot(project, None);
            let Some(mut snapshot) = committer.patiently("snapshot", call).await? else { return Ok(()) };
            for meta in snapshot.segments {
                let masked = snapshot.masked.remove(&meta.id).unwrap_or_default();
                self.live.push((meta, masked));
            }
        }
        Ok(())
    }

    pub(crate) async fn step(&mut self, committer: &mut Committer) -> Result<Stepped, ProcessorError> {
        if !self.todo.is_empty() {
            return self.check(committer).await;
        }
        if self.dry_run || !self.damaged.iter().any(Damaged::is_left) {
            return Ok(match self.failed.len() {
                0 => Stepped::Done,
                n => Stepped::Failed(format!("{n} segments could not be derived again; the report says why")),
            });
        }
        let mut history = match self.history.take() {
            Some(history) => history,
            None => match self.scope(committer).await? {
                Some(scope) => History::new(scope),
                None => return Ok(Stepped::Stopped),
            },
        };
        let followed = history.follow(committer).await?;
        let ready = followed == Some(true);
        let going_on = !ready || self.next(committer, &mut history).await?;
        self.history = Some(history);
        Ok(if followed.is_none() || !going_on { Stepped::Stopped } else { Stepped::Chunk(u64::from(ready)) })
    }

    /// What the damaged files come from, with the rows of the books over it: rows of several files are proved by those.
    async fn scope(&self, committer: &mut Committer) -> Result<Option<IntervalSet>, ProcessorError> {
        let sources = self.damaged.iter().flat_map(|d| &d.meta.sources).map(|s| s.interval);
        let mut scope: IntervalSet = sources.collect();
        let catalog = committer.deps.catalog.clone();
        let Some(rows) = committer.patiently("books", || catalog.ledger(None, None, None)).await? else {
            return Ok(None);
        };
        for row in rows {
            if scope.iter().any(|i| i.overlaps(&row.interval)) {
                scope.insert(row.interval);
            }
        }
        Ok(Some(scope))
    }

    /// One damaged file, or those that are left together. False: asked to stop.
    async fn next(
        &mut self,
        committer: &mut Committer,
        history: &mut History,
    ) -> Result<bool, ProcessorError> {
        self.look(committer).await?;
        if let Some(nth) = self.damaged.iter().position(|d| matches!(d.fate, Fate::Open)) {
            let meta = self.damaged[nth].meta.clone();
            self.damaged[nth].fate = match self.alone(committer, history, &meta).await? {
                Outcome::Rebuilt(by, rows) => {
                    self.progress = true;
                    let by = by.first();
                    self.rebuilt.push(json!({"segment": meta.id, "replaced_by": by, "rows": rows}));
                    Fate::Over
                }
                Outcome::Failed(error) => Fate::Put(error),
                Outcome::Gone => Fate::Over,
                Outcome::Stopped => return Ok(false),
            };
            return Ok(true);
        }
        if std::mem::take(&mut self.progress) {
            // What was written again may tell whose the other rows are.
            self.damaged.iter_mut().filter(|d| d.is_left()).for_each(|d| d.fate = Fate::Open);
            return Ok(true);
        }
        let group = self.group();
        let metas: Vec<SegmentMeta> = group.iter().map(|nth| self.damaged[*nth].meta.clone()).collect();
        match self.together(committer, history, &metas).await? {
            Outcome::Rebuilt(by, rows) => {
                let with = metas.len();
                self.rebuilt.extend(metas.iter().map(
                    |meta| json!({"segment": meta.id, "replaced_by": by, "rows": rows, "together": with}),
                ));
                self.progress = true;
                group.iter().for_each(|nth| self.damaged[*nth].fate = Fate::Over);
            }
            // The compactor was faster; whatever is not live any more is over.
            Outcome::Gone => {
                self.look(committer).await?;
                let live: FxHashSet<SegmentId> = self.live.iter().map(|(meta, _)| meta.id).collect();
                for nth in group {
                    let damaged = &mut self.damaged[nth];
                    damaged.fate = if live.contains(&damaged.meta.id) { Fate::Open } else { Fate::Over };
                }
            }
            Outcome::Failed(together) => {
                for nth in group {
                    let Fate::Put(alone) = std::mem::replace(&mut self.damaged[nth].fate, Fate::Failed)
                    else {
                        continue;
                    };
                    let segment = self.damaged[nth].meta.id;
                    tracing::error!(%segment, alone, together, "a segment cannot be derived again");
                    self.failed.push(json!({"segment": segment, "error": alone, "together": together}));
                }
            }
            Outcome::Stopped => return Ok(false),
        }
        Ok(true)
    }

    /// The first file that is left, with all of its kind that lie over the same records, directly or not.
    fn group(&self) -> Vec<usize> {
        let left: Vec<usize> = (0..self.damaged.len()).filter(|nth| self.damaged[*nth].is_left()).collect();
        let mut group: Vec<usize> = left.first().copied().into_iter().collect();
        let mut done = 0;
        while let Some(nth) = group.get(done).copied() {
            done += 1;
            let near = |other: &usize| beside(&self.damaged[nth].meta, &self.damaged[*other].meta);
            let more: Vec<usize> = left.iter().copied().filter(|o| !group.contains(o) && near(o)).collect();
            group.extend(more);
        }
        group
    }

    /// Verifies the next few files.
    async fn check(&mut self, committer: &Committer) -> Result<Stepped, ProcessorError> {
        let mut checked = 0;
        for _ in 0..LOOK {
            let Some(id) = self.todo.pop_front() else { break };
            checked += 1;
            let Some((meta, _)) = self.live.iter().find(|(meta, _)| meta.id == id) else { continue };
            let (store, expected) = (committer.deps.store.clone(), meta.clone());
            let problem = match aside("verify", move || verify_segment(&store, &expected)).await? {
                Ok(_) => continue,
                Err(error) if error.retryable() => {
                    self.todo.push_front(id);
                    return Ok(Stepped::Wait);
                }
                Err(error) => error.to_string(),
            };
            tracing::error!(segment = %id, key = meta.key, problem, "a segment file is gone or damaged");
            self.damaged.push(Damaged { meta: meta.clone(), problem, fate: Fate::Open });
        }
        self.checked += checked;
        Ok(Stepped::Chunk(checked))
    }

    /// Records of an interval as they are read now, and those among them that are rows, of whatever project.
    async fn counting(
        &self,
        committer: &mut Committer,
        history: &mut History,
        interval: Interval,
    ) -> Result<(Vec<Decoded>, FxHashSet<Position>), ProcessorError> {
        let exceptions = history.exceptions(committer, interval).await?;
        let records = deltas::read_all(&committer.deps, interval).await?;
        let mended = &committer.state()?.controls().mended;
        let mended = lasting(&committer.deps, &records, mended, history.mended()).await?;
        let decode = committer.deps.decode;
        let records = aside("decode", move || decode_again(records, &mended, decode)).await?;
        let counts = |d: &&Decoded| {
            matches!(d.content, Content::Event { event: Ok(_), .. }) && !exceptions.contains_key(&d.position)
        };
        let counting = records.iter().filter(counts).map(|d| d.position).collect();
        Ok((records, counting))
    }

    /// The rows of the file, in its order.
    async fn rows(
        &self,
        committer: &mut Committer,
        history: &History,
        meta: &SegmentMeta,
        all: Vec<Decoded>,
        visible: FxHashSet<Position>,
        rules: Rules,
    ) -> Result<ProjectRows, ProcessorError> {
        let Some(state) = committer.state.take() else { return Err(crate::committer::no_state()) };
        // Rows that a reprocess made were stripped by the rules of its time, the others by those of their position.
        let (later, own): (FxHashSet<Position>, FxHashSet<Position>) =
            visible.into_iter().partition(|p| history.rewritten().contains(*p));
        let meta = meta.clone();
        let (state, rows) = aside("reshape", move || {
            let now = Rules { mode: Mode::With(rules_now(&state)), ..rules.clone() };
            let mut rows = ProjectRows::default();
            for (visible, rules) in [(own, rules), (later, now)] {
                if visible.is_empty() {
                    continue;
                }
                let part = reshape(all.clone(), &visible, &state, &rules).remove(&meta.project);
                let part = part.unwrap_or_default();
                rows.events.extend(part.events);
                rows.properties.extend(part.properties);
            }
            let inside = |time: i64| meta.day.is_none_or(|day| time.div_euclid(DAY_MS) == i64::from(day));
            if meta.kind == SegmentKind::Events {
                rows.events.retain(|r| inside(r.time));
            }
            order(&mut rows, &meta, &state);
            (state, rows)
        })
        .await?;
        committer.state = Some(state);
        Ok(rows)
    }

    /// Damaged files whose rows are not there again.
    fn missing(&self) -> impl Iterator<Item = &SegmentMeta> {
        self.damaged.iter().filter(|d| !matches!(d.fate, Fate::Over)).map(|d| &d.meta)
    }

    /// Positions of rows that other files hold: those over the same records that are whole.
    async fn elsewhere(
        &self,
        committer: &Committer,
        metas: &[SegmentMeta],
    ) -> Result<Result<FxHashSet<Position>, String>, ProcessorError> {
        let others: Vec<(SegmentMeta, Vec<Interval>)> = self
            .live
            .iter()
            .filter(|(other, _)| metas.iter().any(|meta| beside(meta, other)))
            .filter(|(other, _)| !metas.iter().any(|meta| meta.id == other.id))
            .filter(|(other, _)| !self.missing().any(|missing| missing.id == other.id))
            .cloned()
            .collect();
        let store = committer.deps.store.clone();
        let read = aside("positions", move || positions(&store, &others)).await?;
        Ok(read.map_err(|error| format!("a file beside it cannot be read: {error}")))
    }

    async fn replace(
        &self,
        committer: &mut Committer,
        mut commit: Commit,
        encoded: Vec<Encoded>,
    ) -> Result<Outcome, ProcessorError> {
        let failpoint = committer.deps.failpoint.clone();
        let at = |place: Place| pass(failpoint.as_ref(), place.of(Some(Verb::Repair)));
        at(Place::BeforeSegment)?;
        let (mut by, mut rows) = (Vec::new(), 0);
        for Encoded { meta, bytes } in encoded {
            if committer.put(&meta.key, bytes).await?.is_none() {
                return Ok(Outcome::Stopped);
            }
            by.push(meta.id);
            rows += meta.rows;
            commit.add.push(meta);
        }
        at(Place::AfterSegment)?;
        at(Place::AfterDelta)?;
        let answer = committer.send(&commit).await?;
        at(Place::AfterCommit)?;
        match answer {
            None => return Ok(Outcome::Stopped),
            Some(CommitAnswer::Applied(_) | CommitAnswer::Already(_)) => {}
            Some(CommitAnswer::Fenced { epoch }) => return Err(ProcessorError::Fenced { epoch }),
            // The compactor was faster: what it made holds the same rows, or it failed on the same damage.
            Some(CommitAnswer::Conflict { .. }) => return Ok(Outcome::Gone),
            Some(answer) => return Ok(Outcome::Failed(format!("the catalog refuses it: {answer:?}"))),
        }
        at(Place::BeforeApply)?;
        committer.apply(None).await?;
        at(Place::AfterApply)?;
        telemetry::segment_rebuilt();
        Ok(Outcome::Rebuilt(by, rows))
    }

    pub(crate) fn left(&self) -> Left {
        let open = self.todo.len() + self.damaged.iter().filter(|d| d.is_left() && !self.dry_run).count();
        let anywhere = Shard { lane: Lane::Live, partition: 0 };
        let total = self.total + self.damaged.len() as u64;
        Left { total, by_shard: [(anywhere, open as u64)].into(), ..Left::default() }
    }

    pub(crate) fn report(&self) -> Value {
        let damaged: Vec<Value> = self
            .damaged
            .iter()
            .map(|d| {
                json!({
                    "segment": d.meta.id, "project": d.meta.project, "level": d.meta.level, "kind": d.meta.kind,
                    "rows": d.meta.rows, "problem": d.problem,
                })
            })
            .collect();
        json!({
            "checked": self.checked, "damaged": damaged, "rebuilt": self.rebuilt, "failed": self.failed,
            "seconds": self.began.elapsed().as_secs_f64(),
        })
    }
}

enum Outcome {
    /// By these files, with so many rows in all.
    Rebuilt(Vec<SegmentId>, u64),
    Failed(String),
    /// It is not live any more.
    Gone,
    Stopped,
}

/// True if these are files of one kind and project, and not the same, that may hold rows of the same records.
fn beside(a: &SegmentMeta, b: &SegmentMeta) -> bool {
    let overlap = || a.sources.iter().any(|x| b.sources.iter().any(|y| x.interval.overlaps(&y.interval)));
    a.id != b.id && a.project == b.project && a.kind == b.kind && overlap()
}
