//! State folded anew beside the running one, compared with it, and used instead of it if it differs.
//!
//! Guarantees: the running state is untouched until the very end, and then replaced as a whole at one commit; deltas
//! that are gone are derived again and put back on the way. Identity is a part of state and comes with it.
//! Deliberately not here: deriving deltas (`deltas`).

use super::spec::{RebuildSpec, Switch};
use super::{Left, Stepped};
use crate::committer::{Committer, aside, no_state};
use crate::error::ProcessorError;
use crate::failpoint::{Place, Verb, pass};
use crate::recovery::follow_one;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tallymark_model::{Lane, ProjectId, Shard};
use tallymark_state::{Digest, ProjectFold, State, StateConfig};

/// Commits fetched at a time.
const PAGE: usize = 64;
/// A step ends after this long; live records wait meanwhile.
const STEP: Duration = Duration::from_millis(300);

pub(crate) struct Rebuild {
    switch: Switch,
    dry_run: bool,
    fresh: Option<State>,
    applied: u64,
    total: u64,
    rederived: Vec<Value>,
    found: Option<Found>,
    began: Instant,
}

struct Found {
    fresh: Digest,
    running: Digest,
    switched: bool,
    differences: Vec<String>,
}

impl Rebuild {
    pub(crate) fn open(committer: &Committer, dry_run: bool, spec: &RebuildSpec) -> Rebuild {
        let settings = StateConfig { dedup_days: committer.config.dedup_days };
        Rebuild {
            switch: spec.switch,
            dry_run,
            fresh: Some(State::empty(settings)),
            applied: 0,
            total: committer.state().map_or(0, |s| s.applied().0),
            rederived: Vec::new(),
            found: None,
            began: Instant::now(),
        }
    }

    pub(crate) async fn step(&mut self, committer: &mut Committer) -> Result<Stepped, ProcessorError> {
        if self.found.is_some() {
            return Ok(Stepped::Done);
        }
        let Some(mut fresh) = self.fresh.take() else {
            return Ok(Stepped::Failed("an earlier step took the fresh state with it".to_owned()));
        };
        let before = fresh.applied().0;
        let running = committer.state()?.applied();
        self.total = running.0;
        let started = Instant::now();
        while fresh.applied() < running && started.elapsed() < STEP {
            let (catalog, after) = (committer.deps.catalog.clone(), fresh.applied());
            let Some(records) = committer.patiently("feed", || catalog.feed(after, PAGE)).await? else {
                self.fresh = Some(fresh);
                return Ok(Stepped::Stopped);
            };
            for record in records.iter().filter(|r| r.seq <= running) {
                match follow_one(&mut fresh, &committer.deps, record, None).await {
                    Ok(false) => {}
                    Ok(true) => self.rederived.push(json!({"seq": record.seq, "key": record.delta})),
                    Err(ProcessorError::Underivable { seq, key, why }) => {
                        return Ok(Stepped::Failed(
                            ProcessorError::Underivable { seq, key, why }.to_string(),
                        ));
                    }
                    Err(error) => {
                        self.fresh = Some(fresh);
                        return Err(error);
                    }
                }
                pass(committer.deps.failpoint.as_ref(), Place::AfterDelta.of(Some(Verb::Rebuild)))?;
            }
        }
        self.applied = fresh.applied().0;
        if fresh.applied() == running {
            self.compare(committer, fresh).await?;
        } else {
            self.fresh = Some(fresh);
        }
        Ok(Stepped::Chunk(self.applied - before))
    }

    /// Both are as of the same commit, and nothing moves either of them meanwhile.
    async fn compare(&mut self, committer: &mut Committer, fresh: State) -> Result<(), ProcessorError> {
        let catalog = committer.deps.catalog.clone();
        let projects = committer.patiently("projects", || catalog.projects()).await?.unwrap_or_default();
        let ids: Vec<ProjectId> = projects.into_iter().map(|p| p.id).collect();
        let Some(running) = committer.state.take() else { return Err(no_state()) };
        let (running, fresh, mut found) = aside("compare state", move || {
            let found = Found {
                fresh: fresh.digest(),
                running: running.digest(),
                switched: false,
                differences: differences(&running, &fresh, &ids),
            };
            (running, fresh, found)
        })
        .await?;
        let differs = found.fresh != found.running;
        if differs {
            tracing::error!(running = %found.running, fresh = %found.fresh, differences = ?found.differences, "the running state is not the fold of the commits");
        }
        let switch = match self.switch {
            Switch::Auto => differs,
            Switch::Always => true,
            Switch::Never => false,
        };
        found.switched = switch && !self.dry_run;
        pass(committer.deps.failpoint.as_ref(), Place::BeforeApply.of(Some(Verb::Rebuild)))?;
        committer.state = Some(if found.switched { fresh } else { running });
        pass(committer.deps.failpoint.as_ref(), Place::AfterApply.of(Some(Verb::Rebuild)))?;
        if found.switched {
            tracing::warn!("state was replaced by the one that was folded anew");
            committer.checkpoint_anew().await?;
        }
        self.found = Some(found);
        Ok(())
    }

    pub(crate) fn left(&self) -> Left {
        let left = self.total.saturating_sub(self.applied);
        let anywhere = Shard { lane: Lane::Live, partition: 0 };
        Left { total: self.total, by_shard: [(anywhere, left)].into(), ..Left::default() }
    }

    pub(crate) fn report(&self) -> Value {
        let found = self.found.as_ref();
        json!({
            "commits": self.applied,
            "rederived": self.rederived,
            "digest": found.map(|f| f.fresh.to_string()),
            "running": found.map(|f| f.running.to_string()),
            "equal": found.map(|f| f.fresh == f.running),
            "switched": found.is_some_and(|f| f.switched),
            "differences": found.map_or(&[][..], |f| f.differences.as_slice()),
            "seconds": self.began.elapsed().as_secs_f64(),
        })
    }
}

/// What differs, as far as words can say it.
fn differences(running: &State, fresh: &State, projects: &[ProjectId]) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |what: String, a: u64, b: u64| {
        if a != b {
            found.push(format!("{what}: {a} running, {b} folded anew"));
        }
    };
    say("insert ids".to_owned(), running.dedup().len() as u64, fresh.dedup().len() as u64);
    for id in projects {
        let (a, b) = (running.project(*id), fresh.project(*id));
        let ids = |p: Option<&ProjectFold>| p.map_or(0, |p| u64::from(p.subjects.len()));
        say(format!("project {id}, ids"), ids(a), ids(b));
        let events =
            |p: Option<&ProjectFold>| p.map_or(0, |p| p.stats.events.values().map(|e| e.count).sum());
        say(format!("project {id}, events"), events(a), events(b));
    }
    if running.controls() != fresh.controls() {
        found.push("rules, erasures or counts of refusals differ".to_owned());
    }
    found
}
