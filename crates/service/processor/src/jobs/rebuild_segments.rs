//! Segment files that are gone or damaged, written again from the log: the same rows in a new file.
//!
//! Guarantees: a file is replaced only by one that holds exactly its rows, by count and fingerprint (I13), but for rows
//! that do not count any more; what cannot be derived is left as it is and said.
//! Deliberately not here: damage of the log or archive, which makes a file underivable.

use super::history::History;
use super::spec::SegmentsSpec;
use super::{Left, Stepped};
use crate::committer::{Committer, aside, now_ms};
use crate::error::ProcessorError;
use crate::failpoint::{Place, Verb, pass};
use crate::redrive::lasting;
use crate::steps::decide::{ProjectRows, Rules};
use crate::steps::decode::{Content, Decoded, decode_again};
use crate::steps::rederive::reshape;
use crate::steps::rules::{Mode, rules_now};
use crate::{deltas, telemetry};
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use rustc_hash::FxHashSet;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Instant;
use tallymark_catalog::{Commit, CommitAnswer, Job, LeftOut, Origin, SegmentKind, SegmentMeta};
use tallymark_ledger::{Fingerprint, Interval, IntervalSet};
use tallymark_model::{CommitId, Lane, LogId, Position, ProjectId, SegmentId, Seq, Shard};
use tallymark_state::State;
use tallymark_store::{
    Column, Encoded, ObjectStore, SegmentReader, SegmentSpec, StoreError, encode_events, encode_properties,
    verify_segment,
};

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
    total: u64,
    checked: u64,
    rebuilt: Vec<Value>,
    failed: Vec<Value>,
    began: Instant,
}

struct Damaged {
    meta: SegmentMeta,
    problem: String,
    done: bool,
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
        if self.dry_run || self.damaged.iter().all(|d| d.done) {
            return Ok(match self.failed.len() {
                0 => Stepped::Done,
                n => Stepped::Failed(format!("{n} segments could not be derived again; the report says why")),
            });
        }
        let scope: IntervalSet =
            self.damaged.iter().flat_map(|d| &d.meta.sources).map(|s| s.interval).collect();
        let mut history = self.history.take().unwrap_or_else(|| History::new(scope));
        let followed = history.follow(committer).await?;
        let ready = followed == Some(true);
        if ready {
            self.look(committer).await?;
            if let Some(nth) = self.damaged.iter().position(|d| !d.done) {
                let meta = self.damaged[nth].meta.clone();
                match self.rebuild(committer, &mut history, &meta).await? {
                    Outcome::Rebuilt(by, rows) => self.rebuilt.push(json!({
                        "segment": meta.id, "replaced_by": by, "rows": rows,
                    })),
                    Outcome::Failed(error) => {
                        tracing::error!(segment = %meta.id, error, "a segment cannot be derived again");
                        self.failed.push(json!({"segment": meta.id, "error": error}));
                    }
                    Outcome::Gone => {}
                    Outcome::Stopped => return Ok(Stepped::Stopped),
                }
                self.damaged[nth].done = true;
            }
        }
        self.history = Some(history);
        Ok(if followed.is_none() { Stepped::Stopped } else { Stepped::Chunk(u64::from(ready)) })
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
            self.damaged.push(Damaged { meta: meta.clone(), problem, done: false });
        }
        self.checked += checked;
        Ok(Stepped::Chunk(checked))
    }

    async fn rebuild(
        &self,
        committer: &mut Committer,
        history: &mut History,
        meta: &SegmentMeta,
    ) -> Result<Outcome, ProcessorError> {
        let Some((_, masked)) = self.live.iter().find(|(m, _)| m.id == meta.id) else {
            return Ok(Outcome::Gone);
        };
        let masked = masked.clone();
        let elsewhere = match self.elsewhere(committer, meta).await? {
            Ok(elsewhere) => elsewhere,
            Err(why) => return Ok(Outcome::Failed(why)),
        };
        let mut all = Vec::new();
        let mut visible = FxHashSet::default();
        for source in &meta.sources {
            let exceptions = history.exceptions(committer, source.interval).await?;
            let records = deltas::read_all(&committer.deps, source.interval).await?;
            let mended = &committer.state()?.controls().mended;
            let mended = lasting(&committer.deps, &records, mended, history.mended()).await?;
            let decode = committer.deps.decode;
            let records = aside("decode", move || decode_again(records, &mended, decode)).await?;
            let counts = |d: &&Decoded| {
                matches!(d.content, Content::Event { event: Ok(_), .. })
                    && !exceptions.contains_key(&d.position)
                    && !elsewhere.contains(&d.position)
            };
            visible.extend(records.iter().filter(counts).map(|d| d.position));
            all.extend(records);
        }
        let Some(rules) = committer.rules(&all, &[]).await? else { return Ok(Outcome::Stopped) };
        let log = committer.deps.log.id();
        let masked_sum = left_out(log, meta, &masked, &all, &rules);
        visible.retain(|p| !masked.iter().any(|m| m.contains(*p)));
        let rows = self.rows(committer, history, meta, all, visible, rules).await?;
        let id = CommitId(uuid::Uuid::now_v7());
        let spec = SegmentSpec {
            level: meta.level,
            sources: meta.sources.iter().map(|s| s.interval).collect(),
            day: meta.day,
            identity: if meta.level == 2 { committer.state()?.applied() } else { Default::default() },
            parent: committer.state()?.tip().map(|(_, id)| id),
            ..SegmentSpec::new(meta.project, log, id, committer.epoch)
        };
        let encoded = match aside("encode", {
            let kind = meta.kind;
            move || encode(kind, rows, &spec)
        })
        .await?
        {
            Ok(encoded) => encoded,
            Err(error) => return Ok(Outcome::Failed(error.to_string())),
        };
        let (rows, sum) =
            encoded.as_ref().map_or((0, Fingerprint::default()), |e| (e.meta.rows, e.meta.fingerprint));
        let (gone, gone_sum) = masked_sum;
        let strict = meta.kind == SegmentKind::Events;
        if (strict && (rows + gone != meta.rows || sum + gone_sum != meta.fingerprint))
            || (!strict && masked.is_empty() && (rows != meta.rows || sum != meta.fingerprint))
        {
            return Ok(Outcome::Failed(format!(
                "the log gives {rows} rows with fingerprint {sum} and {gone} masked ones; the file had {} with {}",
                meta.rows, meta.fingerprint
            )));
        }
        let mut left_out = Vec::new();
        if !masked.is_empty() {
            left_out.push(LeftOut { segment: meta.id, rows: gone, fingerprint: gone_sum });
        }
        let as_of = history.seq();
        let commit = Commit {
            remove: vec![meta.id],
            left_out,
            as_of,
            origin: Origin::Repair { job: self.job },
            ..Commit::new(id, committer.epoch, now_ms())
        };
        self.replace(committer, commit, encoded).await
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

    /// Positions of rows that other files hold: those of the same intervals that are whole.
    async fn elsewhere(
        &self,
        committer: &Committer,
        meta: &SegmentMeta,
    ) -> Result<Result<FxHashSet<Position>, String>, ProcessorError> {
        let overlaps = |other: &SegmentMeta| {
            other.sources.iter().any(|a| meta.sources.iter().any(|b| a.interval.overlaps(&b.interval)))
        };
        let others: Vec<(SegmentMeta, Vec<Interval>)> = self
            .live
            .iter()
            .filter(|(m, _)| {
                m.id != meta.id && m.project == meta.project && m.kind == meta.kind && overlaps(m)
            })
            .filter(|(m, _)| !self.damaged.iter().any(|d| d.meta.id == m.id && !d.done))
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
        encoded: Option<Encoded>,
    ) -> Result<Outcome, ProcessorError> {
        let failpoint = committer.deps.failpoint.clone();
        let at = |place: Place| pass(failpoint.as_ref(), place.of(Some(Verb::Repair)));
        at(Place::BeforeSegment)?;
        let (mut by, mut rows) = (None, 0);
        if let Some(Encoded { meta, bytes }) = encoded {
            if committer.put(&meta.key, bytes).await?.is_none() {
                return Ok(Outcome::Stopped);
            }
            (by, rows) = (Some(meta.id), meta.rows);
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
        let open = self.todo.len() + self.damaged.iter().filter(|d| !d.done && !self.dry_run).count();
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
    Rebuilt(Option<SegmentId>, u64),
    Failed(String),
    /// It is not live any more.
    Gone,
    Stopped,
}

/// Masked rows of a file: how many, and the sum over their positions.
fn left_out(
    log: LogId,
    meta: &SegmentMeta,
    masked: &[Interval],
    records: &[Decoded],
    rules: &Rules,
) -> (u64, Fingerprint) {
    let owner = |d: &Decoded| match &d.content {
        Content::Event { token, project, .. } => project.or_else(|| rules.projects.get(token).copied()),
        Content::Control(_) => None,
    };
    let hidden =
        |d: &&Decoded| owner(d) == Some(meta.project) && masked.iter().any(|m| m.contains(d.position));
    records
        .iter()
        .filter(hidden)
        .fold((0, Fingerprint::default()), |(n, sum), d| (n + 1, sum + Fingerprint::of(log, d.position)))
}

/// As the compactor orders files of this kind and level.
fn order(rows: &mut ProjectRows, meta: &SegmentMeta, state: &State) {
    rows.events.sort_by_key(|r| Seq::new(r.received_at, r.position));
    rows.properties.sort_by_key(|r| (Seq::new(r.received_at, r.position), r.index));
    if meta.level < 2 {
        return;
    }
    rows.properties.sort_by(|a, b| {
        (&a.name, a.subject, a.time, a.position, a.index)
            .cmp(&(&b.name, b.subject, b.time, b.position, b.index))
    });
    let Some(mut graph) = state.project(meta.project).map(|p| p.graph.clone()) else { return };
    let view = graph.view();
    rows.events.sort_by_cached_key(|r| {
        let person = view.person_of(r.subject, Seq::new(r.received_at, r.position));
        (r.event.clone(), person, r.time, r.position)
    });
}

/// The file, unless it would be empty.
fn encode(kind: SegmentKind, rows: ProjectRows, spec: &SegmentSpec) -> Result<Option<Encoded>, StoreError> {
    match kind {
        SegmentKind::Events if rows.events.is_empty() => Ok(None),
        SegmentKind::Properties if rows.properties.is_empty() => Ok(None),
        SegmentKind::Events => encode_events(&rows.events, spec).map(Some),
        SegmentKind::Properties => encode_properties(&rows.properties, spec).map(Some),
    }
}

/// Positions of the rows that count in these files.
fn positions(
    store: &ObjectStore,
    segments: &[(SegmentMeta, Vec<Interval>)],
) -> Result<FxHashSet<Position>, StoreError> {
    let mut found = FxHashSet::default();
    for (meta, masked) in segments {
        let reader = SegmentReader::open(store, meta)?;
        for group in 0..reader.row_groups().len() {
            let batch = reader.read(group, &[Column::Position])?;
            let Some(column) = batch.column(0).as_primitive_opt::<UInt64Type>() else { continue };
            let all = column.values().iter().filter_map(|p| Position::unpack(*p));
            found.extend(all.filter(|p| !masked.iter().any(|m| m.contains(*p))));
        }
    }
    Ok(found)
}
