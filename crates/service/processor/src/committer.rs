//! One group after the other: decide, land. The only writer of everything the processor owns.
//!
//! Guarantees: state moves only by what the catalog has; whatever fails before that is retried or forgotten. A group
//! is committed whole.
//! Deliberately not here: the decisions (`steps`), the way to being visible (`land`), what jobs do (`jobs`).

use crate::config::ProcessorConfig;
use crate::error::ProcessorError;
use crate::failpoint::{Step, pass};
use crate::group::Group;
use crate::intake::Resume;
use crate::land::{Landed, Work};
use crate::projects::Projects;
use crate::recovery::{Backoff, follow};
use crate::redrive::Mending;
use crate::restate;
use crate::run::Deps;
use crate::sights::find_sights;
use crate::steps::decide::{Again, Decided, Rules, decide_with};
use crate::steps::decode::{Content, Decoded};
use crate::steps::sights::{SightAsk, Sights, sights_needed};
use crate::telemetry;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tallymark_catalog::{Advance, Commit, Origin};
use tallymark_ledger::{Interval, Restatement};
use tallymark_model::{CommitId, CommitSeq, Epoch, Millis, Position, Shard};
use tallymark_state::State;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// It is committed.
    Committed,
    /// It was dropped; reading starts again at the cursors.
    Reset,
    /// It was dropped because the processor is asked to stop.
    Stopped,
}

pub(crate) struct Committer {
    pub deps: Arc<Deps>,
    pub config: Arc<ProcessorConfig>,
    pub epoch: Epoch,
    pub stop: CancellationToken,
    pub resume: watch::Sender<Resume>,
    pub generation: u64,
    /// First offset without an account and last receive time, per shard.
    pub cursors: BTreeMap<Shard, (u64, Millis)>,
    /// Where live reading stops, because a job will move the cursor on, or a group is to end there.
    pub fences: BTreeMap<Shard, u64>,
    /// A fence of our own, and the one that was there before.
    split: Option<(Position, Option<u64>)>,
    pub(crate) state: Option<State>,
    pub(crate) projects: Projects,
    pub(crate) unstorable: FxHashSet<Position>,
    checkpointed: CommitSeq,
}

impl Committer {
    pub(crate) fn new(
        deps: Arc<Deps>,
        config: Arc<ProcessorConfig>,
        epoch: Epoch,
        stop: CancellationToken,
        state: State,
    ) -> Committer {
        let checkpointed = state.applied();
        Committer {
            deps,
            config,
            epoch,
            stop,
            resume: watch::channel(Resume::default()).0,
            generation: 0,
            cursors: BTreeMap::new(),
            fences: BTreeMap::new(),
            split: None,
            state: Some(state),
            projects: Projects::default(),
            unstorable: FxHashSet::default(),
            checkpointed,
        }
    }

    /// Tells the intake to read from the catalog's cursors.
    pub(crate) async fn reset(&mut self) -> Result<Done, ProcessorError> {
        let deps = Arc::clone(&self.deps);
        let Some(cursors) = self.patiently("cursors", || deps.catalog.cursors()).await? else {
            return Ok(Done::Stopped);
        };
        self.generation += 1;
        self.cursors = cursors.into_iter().map(|c| (c.shard, (c.position, c.received_to))).collect();
        // Also before the intake listens, and after it is gone (then its channel says why).
        self.resume.send_replace(Resume {
            generation: self.generation,
            cursors: self.cursors.clone(),
            fences: self.fences.clone(),
        });
        Ok(Done::Reset)
    }

    /// True if live reading does not know of the fences as they are.
    pub(crate) fn is_stale(&self) -> bool {
        self.resume.borrow().fences != self.fences
    }

    /// Notes how far a commit moved the cursors.
    pub(crate) fn moved(&mut self, advances: &[Advance]) {
        for advance in advances {
            let held = self.cursors.entry(advance.shard).or_default();
            *held = (advance.to, held.1.max(advance.received_to));
        }
    }

    /// Takes one group all the way.
    pub(crate) async fn commit(&mut self, group: Group) -> Result<Done, ProcessorError> {
        let started = Instant::now();
        let mut laps = telemetry::Laps::start();
        let id = CommitId(uuid::Uuid::now_v7());
        let Group { runs, records, .. } = group;
        let fresh: Vec<Interval> = runs.iter().map(|r| r.interval).collect();
        let again = match self.mending(&records, &fresh).await? {
            Mending::Again(again) => again,
            Mending::Split(at) => return self.stop_before(at).await,
            Mending::Stopped => return Ok(Done::Stopped),
        };
        let Some(rules) = self.rules(&records, &again).await? else { return Ok(Done::Stopped) };
        laps.lap("resolve");
        let Some(decided) = self.decide(id, records, again, rules).await? else { return Ok(Done::Stopped) };
        laps.lap("decide");
        let log = self.deps.log.id();
        let restate: Vec<Restatement> = decided
            .changes
            .iter()
            .filter_map(|c| restate::restatement(log, std::slice::from_ref(c)))
            .collect();
        let mut sources: Vec<Interval> =
            runs.iter().filter(|r| r.lost.is_none()).map(|r| r.interval).collect();
        sources.extend(restate.iter().map(|r| r.interval));
        let work = Work {
            id,
            origin: Origin::Live,
            verb: None,
            rows: decided.rows,
            sources,
            advances: decided.books.advances(&runs),
            restate,
            masks: restate::masks(&decided.changes),
            delta: decided.delta,
        };
        match self.land(work, &mut laps).await? {
            Landed::Committed(seq, commit) => {
                report(&commit, seq, started, &laps);
                self.checkpoint_if_due().await?;
                self.go_on().await
            }
            Landed::Unstorable(positions) => {
                self.unstorable.extend(positions);
                self.reset().await
            }
            Landed::Refused(answer) => {
                tracing::error!(?answer, "the commit was refused; starting again at the cursors");
                telemetry::retried("commit refused");
                self.reset().await
            }
            Landed::Stopped => Ok(Done::Stopped),
        }
    }

    /// A control record names a record of its own group: the group is read again, this time up to the control record.
    async fn stop_before(&mut self, at: Position) -> Result<Done, ProcessorError> {
        let before = self.fences.insert(at.shard(), at.offset);
        self.split = Some((at, before));
        self.reset().await
    }

    /// And then from the control record on.
    async fn go_on(&mut self) -> Result<Done, ProcessorError> {
        let Some((at, fence)) = self.split else { return Ok(Done::Committed) };
        if self.cursors.get(&at.shard()).is_none_or(|(cursor, _)| *cursor < at.offset) {
            return Ok(Done::Committed);
        }
        self.split = None;
        match fence {
            Some(fence) => self.fences.insert(at.shard(), fence),
            None => self.fences.remove(&at.shard()),
        };
        self.reset().await
    }

    /// Writes a checkpoint if there is anything new. Failing to is no error: there are older ones, and the deltas.
    pub(crate) async fn checkpoint(&mut self) -> Result<(), ProcessorError> {
        pass(self.deps.failpoint.as_ref(), Step::Checkpoint)?;
        let Some(state) = self.state.take() else { return Ok(()) };
        if state.applied() == self.checkpointed {
            self.state = Some(state);
            return Ok(());
        }
        let (started, dir) = (Instant::now(), self.config.state_dir.clone());
        let (state, written) = aside("checkpoint", move || {
            let written = state.checkpoint(&dir);
            (state, written)
        })
        .await?;
        self.state = Some(state);
        match written {
            Ok(seq) => {
                self.checkpointed = seq;
                telemetry::checkpointed(started.elapsed().as_secs_f64());
            }
            Err(error) => {
                tracing::warn!(%error, "no checkpoint could be written; the next start folds more deltas")
            }
        }
        Ok(())
    }

    /// Writes a checkpoint although there is one of this commit: state is another now.
    pub(crate) async fn checkpoint_anew(&mut self) -> Result<(), ProcessorError> {
        self.checkpointed = CommitSeq(0);
        self.checkpoint().await
    }

    pub(crate) async fn checkpoint_if_due(&mut self) -> Result<(), ProcessorError> {
        let applied = self.state.as_ref().map_or(CommitSeq(0), State::applied);
        if applied.0 >= self.checkpointed.0 + self.config.checkpoint_commits {
            self.checkpoint().await
        } else {
            Ok(())
        }
    }

    /// Who owns the records' tokens, as far as the settings know.
    pub(crate) async fn rules(
        &mut self,
        records: &[Decoded],
        again: &[Again],
    ) -> Result<Option<Rules>, ProcessorError> {
        let token =
            |d: &Decoded| if let Content::Event { token, .. } = &d.content { Some(*token) } else { None };
        let all = records.iter().chain(again.iter().map(|a| &a.record));
        let mut open: Vec<_> = all.filter_map(token).collect::<FxHashSet<_>>().into_iter().collect();
        let mut rules = Rules { unstorable: self.unstorable.clone(), ..Rules::default() };
        let deps = Arc::clone(&self.deps);
        let mut backoff = Backoff::new(&self.config);
        let started = Instant::now();
        loop {
            match self.projects.resolve(deps.catalog.as_ref(), &mut open, &mut rules.projects).await {
                Ok(()) => {
                    telemetry::stuck(0.0);
                    return Ok(Some(rules));
                }
                Err(error) => self.tolerate("projects", error, started)?,
            }
            if !self.pause(&mut backoff).await {
                return Ok(None);
            }
        }
    }

    /// Decides on top of state as it is; none = asked to stop.
    pub(crate) async fn decide(
        &mut self,
        id: CommitId,
        records: Vec<Decoded>,
        again: Vec<Again>,
        mut rules: Rules,
    ) -> Result<Option<Decided>, ProcessorError> {
        let Some(state) = self.state.take() else { return Err(no_state()) };
        let (state, records, again, rules_back, asks) = aside("sights", move || {
            let asks = sights_needed(&records, &again, &state, &rules);
            (state, records, again, rules, asks)
        })
        .await?;
        rules = rules_back;
        self.state = Some(state);
        if !asks.is_empty() {
            let Some(sights) = self.sights(asks).await? else { return Ok(None) };
            rules.sights = sights;
        }
        let Some(state) = self.state.take() else { return Err(no_state()) };
        let log = self.deps.log.id();
        let (state, decided) = aside("decide", move || {
            let decided = decide_with(log, id, records, again, &state, &rules);
            (state, decided)
        })
        .await?;
        self.state = Some(state);
        Ok(Some(decided))
    }

    /// What late records ask for, as of state's commit; none = asked to stop.
    async fn sights(&mut self, asks: Vec<SightAsk>) -> Result<Option<Sights>, ProcessorError> {
        let mut backoff = Backoff::new(&self.config);
        let started = Instant::now();
        loop {
            let state = self.state()?;
            let at = Some(state.applied());
            let (catalog, store) = (self.deps.catalog.as_ref(), &self.deps.store);
            match find_sights(catalog, store, state, asks.clone(), at, |_| true).await {
                Ok(sights) => return Ok(Some(sights)),
                Err(ProcessorError::Catalog(error)) => self.tolerate("sights", error, started)?,
                Err(ProcessorError::Store(error)) if error.retryable() => telemetry::retried("store"),
                Err(error) => return Err(error),
            }
            if !self.pause(&mut backoff).await {
                return Ok(None);
            }
        }
    }

    /// Moves state to the catalog's newest commit: ours, and compactions that came between.
    pub(crate) async fn apply(&mut self, own: Option<&tallymark_state::Delta>) -> Result<(), ProcessorError> {
        let Some(mut state) = self.state.take() else { return Err(no_state()) };
        let mut backoff = Backoff::new(&self.config);
        let started = Instant::now();
        loop {
            match follow(&mut state, &self.deps, own).await {
                Ok(()) => break,
                Err(ProcessorError::Catalog(error)) => self.tolerate("feed", error, started)?,
                Err(ProcessorError::Store(error)) if error.retryable() => telemetry::retried("store"),
                Err(error) => return Err(error),
            }
            // Not interruptible for long: the feed is the catalog that has just answered.
            backoff.pause().await;
            if self.stop.is_cancelled() {
                break;
            }
        }
        self.state = Some(state);
        Ok(())
    }
}

/// Runs a step that computes, off the threads that serve I/O.
pub(crate) async fn aside<T: Send + 'static>(
    step: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ProcessorError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| ProcessorError::Panicked { step, message: e.to_string() })
}

pub(crate) fn no_state() -> ProcessorError {
    ProcessorError::Panicked { step: "state", message: "an earlier step took state with it".to_owned() }
}

pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

fn report(commit: &Commit, seq: CommitSeq, started: Instant, laps: &telemetry::Laps) {
    use tallymark_ledger::{Account, Tally};
    let tally = commit.advances.iter().fold(Tally::default(), |sum, a| match &a.account {
        Account::Accounted { tally, .. } => sum + *tally,
        Account::Skipped { .. } | Account::Lost { .. } => sum,
    });
    let seconds = started.elapsed().as_secs_f64();
    telemetry::committed(&tally, commit.add.len(), seconds);
    tracing::debug!(
        seq = seq.0,
        visible = tally.visible,
        duplicate = tally.duplicate,
        dead = tally.dead,
        seconds,
        steps = ?laps.laps,
        "committed"
    );
}
