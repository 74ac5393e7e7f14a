//! Long work that operators ask for, done between live groups by the same committer.
//!
//! ```text
//!  catalog.claim_job ─▶ Runner ── chunk by chunk, if live processing is not behind ──▶ Committer::land
//!                          └── after each chunk: progress out, wish (run, pause, cancel) in
//! ```
//! Guarantees: what of a job is done is read from the books and files, never from the job's row, so a crash anywhere
//! loses nothing and doubles nothing; live processing goes first.
//! Deliberately not here: what people see of jobs (`api`), backup and rehearsal.

mod counts;
pub(crate) mod history;
mod pace;
mod preview;
mod rebuild_segments;
mod rebuild_state;
mod replay;
mod reprocess;
mod skip;
pub(crate) mod spec;
mod test_skip;

use crate::committer::{Committer, Done, now_ms};
use crate::config::ProcessorConfig;
use crate::error::ProcessorError;
use crate::failpoint::{Step, Verb, pass};
use crate::telemetry;
use pace::{Drain, Pace, Speed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tallymark_catalog::{Job, JobKind, JobProgress, JobState, JobWish};
use tallymark_log::ReadLimit;
use tallymark_model::{Lane, Shard};
use tokio::time::Instant;

pub(crate) use reprocess::only_changes;
pub(crate) use test_skip::from_env as test_skip_from_env;

/// Kinds that wait for nothing and for which nothing waits.
const URGENT: [JobKind; 1] = [JobKind::Skip];
/// The other kinds that are done here.
const PATIENT: [JobKind; 5] = [
    JobKind::Replay,
    JobKind::Reprocess,
    JobKind::RebuildState,
    JobKind::RebuildIdentity,
    JobKind::RebuildSegments,
];
/// Jobs that are looked through at start.
const JOBS_MAX: usize = 10_000;
/// Progress is said at most so often.
const SAY: Duration = Duration::from_millis(500);

/// What a step of a job came to.
#[derive(Debug)]
pub(crate) enum Stepped {
    /// A chunk of so many units is done.
    Chunk(u64),
    /// The same, and live reading has to start again at the cursors, which was said.
    Moved(u64),
    /// Nothing can be done right now.
    Wait,
    /// Everything is done.
    Done,
    /// It cannot be done.
    Failed(String),
    /// The processor is asked to stop.
    Stopped,
}

/// How far a job is.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Units in all.
    pub total: u64,
    /// Units left, per shard where that makes sense.
    pub by_shard: BTreeMap<Shard, u64>,
    /// For people.
    pub note: String,
}

/// The work of one kind.
pub(crate) enum Task {
    Skip(Box<skip::Skip>),
    Replay(Box<replay::Replay>),
    Reprocess(Box<reprocess::Reprocess>),
    Preview(Box<preview::Preview>),
    State(Box<rebuild_state::Rebuild>),
    Segments(Box<rebuild_segments::Rebuild>),
}

impl Task {
    async fn open(committer: &mut Committer, job: &Job) -> Result<Result<Task, String>, ProcessorError> {
        Ok(match job.kind {
            JobKind::Skip => skip::Skip::open(committer, job).await?.map(|s| Task::Skip(Box::new(s))),
            JobKind::Replay => replay::Replay::open(committer, job).await?.map(|r| Task::Replay(Box::new(r))),
            JobKind::Reprocess => match spec::parse::<spec::ReprocessSpec>(&job.spec) {
                Err(why) => Err(why),
                Ok(spec) => match &spec.rule {
                    Some(rule) => preview::Preview::open(committer, job, &spec, rule)
                        .await?
                        .map(|p| Task::Preview(Box::new(p))),
                    None => reprocess::Reprocess::open(committer, job, &spec)
                        .await?
                        .map(|r| Task::Reprocess(Box::new(r))),
                },
            },
            JobKind::RebuildState | JobKind::RebuildIdentity => spec::parse(&job.spec)
                .map(|spec| rebuild_state::Rebuild::open(committer, job.dry_run, &spec))
                .map(|rebuild| Task::State(Box::new(rebuild))),
            JobKind::RebuildSegments => match spec::parse::<spec::SegmentsSpec>(&job.spec) {
                Err(why) => Err(why),
                Ok(spec) => rebuild_segments::Rebuild::open(committer, job, &spec)
                    .await?
                    .map(|rebuild| Task::Segments(Box::new(rebuild))),
            },
            other => Err(format!("the processor does not do jobs of the kind {}", other.name())),
        })
    }

    async fn step(&mut self, committer: &mut Committer, limit: ReadLimit) -> Result<Stepped, ProcessorError> {
        match self {
            Task::Skip(skip) => skip.step(committer).await,
            Task::Replay(replay) => replay.step(committer, limit).await,
            Task::Reprocess(reprocess) => reprocess.step(committer, limit).await,
            Task::Preview(preview) => preview.step(committer, limit).await,
            Task::State(rebuild) => rebuild.step(committer).await,
            Task::Segments(rebuild) => rebuild.step(committer).await,
        }
    }

    fn left(&self) -> Left {
        match self {
            Task::Skip(skip) => skip.left(),
            Task::Replay(replay) => replay.left(),
            Task::Reprocess(reprocess) => reprocess.left(),
            Task::Preview(preview) => preview.scope.left(),
            Task::State(rebuild) => rebuild.left(),
            Task::Segments(rebuild) => rebuild.left(),
        }
    }

    async fn report(&self, committer: &mut Committer) -> Result<Value, ProcessorError> {
        match self {
            Task::Skip(skip) => skip.report(committer).await,
            Task::Replay(replay) => Ok(replay.report()),
            Task::Reprocess(reprocess) => Ok(reprocess.report()),
            Task::Preview(preview) => Ok(preview.report()),
            Task::State(rebuild) => Ok(rebuild.report()),
            Task::Segments(rebuild) => Ok(rebuild.report()),
        }
    }

    fn verb(&self) -> Verb {
        match self {
            Task::Skip(_) => Verb::Skip,
            Task::Replay(_) => Verb::Replay,
            Task::Reprocess(_) | Task::Preview(_) => Verb::Reprocess,
            Task::State(_) => Verb::Rebuild,
            Task::Segments(_) => Verb::Repair,
        }
    }

    fn unit(&self) -> &'static str {
        match self {
            Task::State(_) => "commits",
            Task::Segments(_) => "segments",
            Task::Skip(_) | Task::Replay(_) | Task::Reprocess(_) | Task::Preview(_) => "records",
        }
    }
}

struct Running {
    job: Job,
    task: Task,
    drain: Drain,
    said: Option<Instant>,
    /// Not before.
    next: Instant,
}

/// Everything about jobs in one processor.
pub(crate) struct Runner {
    urgent: Option<Running>,
    patient: Option<Running>,
    pace: Pace,
    live_speed: Speed,
    ask: Instant,
    poll: Duration,
    /// Jobs of a processor that died were looked through.
    settled: bool,
    test_skip: Option<(Shard, u64)>,
}

impl Runner {
    pub(crate) fn new(config: &ProcessorConfig) -> Runner {
        if let Some((shard, records)) = config.test_skip {
            test_skip::warn(shard, records);
        }
        Runner {
            urgent: None,
            patient: None,
            pace: Pace::new(config),
            live_speed: Speed::new(config.test_pace),
            ask: Instant::now(),
            poll: config.job_poll,
            settled: false,
            test_skip: config.test_skip,
        }
    }

    /// Returns when [`Runner::step`] may have something to do.
    pub(crate) async fn due(&self) {
        let mut at = self.ask;
        if let Some(running) = &self.urgent {
            at = at.min(running.next);
        }
        if let Some(running) = &self.patient {
            at = at.min(running.next.max(self.pace.next()));
        }
        tokio::time::sleep_until(at).await;
    }

    /// Live records were committed.
    pub(crate) async fn live_committed(&mut self, records: u64) {
        self.pace.live_committed();
        if let Some(at) = self.live_speed.after(records) {
            tokio::time::sleep_until(at).await;
        }
    }

    /// True if a job has waited for its share of the time.
    pub(crate) fn is_owed(&self) -> bool {
        let now = Instant::now();
        let ready = |running: &Running| running.next <= now;
        self.ask <= now
            || self.urgent.as_ref().is_some_and(ready)
            || (self.pace.next() <= now && self.patient.as_ref().is_some_and(ready))
    }

    /// Does one thing, if there is any.
    pub(crate) async fn step(&mut self, committer: &mut Committer) -> Result<Done, ProcessorError> {
        let done = self.one(committer).await?;
        if done == Done::Committed && committer.is_stale() { committer.reset().await } else { Ok(done) }
    }

    async fn one(&mut self, committer: &mut Committer) -> Result<Done, ProcessorError> {
        if let Some((shard, records)) = self.test_skip {
            match test_skip::step(committer, shard, records).await? {
                test_skip::Lie::Told(done) => {
                    self.test_skip = None;
                    return Ok(done);
                }
                test_skip::Lie::Prepared(done) => return Ok(done),
                test_skip::Lie::NotYet => {}
            }
        }
        if self.ask <= Instant::now() {
            self.ask = Instant::now() + self.poll;
            self.claim(committer).await?;
        }
        let now = Instant::now();
        if let Some(running) = self.urgent.take_if(|r| r.next <= now) {
            let (running, done) = self.advance(running, committer).await?;
            self.urgent = running;
            return Ok(done);
        }
        if self.patient.is_none() || self.pace.next() > now {
            return Ok(Done::Committed);
        }
        self.look_at_live(committer).await;
        if let Some(running) = self.patient.take_if(|r| r.next <= now) {
            let (running, done) = if self.pace.is_behind() {
                self.stand_by(running, committer).await?
            } else {
                self.advance(running, committer).await?
            };
            self.patient = running;
            return Ok(done);
        }
        Ok(Done::Committed)
    }

    /// Asks the catalog for work. That it cannot be asked is no reason to stop: it is asked again.
    async fn claim(&mut self, committer: &mut Committer) -> Result<(), ProcessorError> {
        if !self.settled {
            self.settled = settle(committer).await?;
        }
        if self.urgent.is_none() {
            self.urgent = claim(committer, &URGENT).await?;
        }
        if self.patient.is_none() {
            self.patient = claim(committer, &PATIENT).await?;
        }
        Ok(())
    }

    async fn look_at_live(&mut self, committer: &Committer) {
        if !self.pace.wants_sample() {
            return;
        }
        let mut shards = Vec::new();
        for partition in 0..committer.deps.log.partitions() {
            let shard = Shard { lane: Lane::Live, partition };
            let Ok(bounds) = committer.deps.log.bounds(shard).await else { continue };
            let cursor = committer.cursors.get(&shard).map_or(0, |c| c.0);
            // What a job holds back is not late.
            let end = committer.fences.get(&shard).map_or(bounds.end, |fence| bounds.end.min(*fence));
            shards.push((shard, end, cursor));
        }
        let (age, backlog) = self.pace.sample(&shards);
        telemetry::live_lag(age.as_secs_f64(), backlog);
    }

    /// One chunk, then what follows from it.
    async fn advance(
        &mut self,
        mut running: Running,
        committer: &mut Committer,
    ) -> Result<(Option<Running>, Done), ProcessorError> {
        let started = Instant::now();
        let kind = running.job.kind.name();
        let stepped = match running.task.step(committer, self.pace.limit()).await {
            Ok(stepped) => stepped,
            Err(error) if may_pass(&error) => {
                tracing::warn!(job = running.job.id, %error, "a step of a job failed; trying again");
                telemetry::retried("job");
                Stepped::Wait
            }
            Err(error) => return Err(error),
        };
        let verb = running.task.verb();
        let done = match &stepped {
            Stepped::Stopped => return Ok((Some(running), Done::Stopped)),
            Stepped::Moved(_) => Done::Reset,
            _ => Done::Committed,
        };
        match stepped {
            Stepped::Chunk(units) | Stepped::Moved(units) => {
                telemetry::job_chunk(kind, units, started.elapsed().as_secs_f64());
                if verb != Verb::Skip {
                    self.pace.took(started.elapsed(), units);
                }
                pass(committer.deps.failpoint.as_ref(), Step::Progress(verb))?;
                let left = self.say(running, committer, "").await?;
                Ok((left, done))
            }
            Stepped::Wait => {
                running.next = Instant::now() + self.poll.min(Duration::from_millis(200));
                Ok((self.say(running, committer, "").await?, done))
            }
            Stepped::Done => {
                pass(committer.deps.failpoint.as_ref(), Step::End(verb))?;
                self.say_now(&mut running, committer, "").await?;
                end(running, committer, JobState::Done, None).await?;
                self.ask = Instant::now();
                Ok((None, done))
            }
            Stepped::Failed(why) => {
                end(running, committer, JobState::Failed, Some(why)).await?;
                self.ask = Instant::now();
                Ok((None, done))
            }
            Stepped::Stopped => Ok((None, Done::Stopped)),
        }
    }

    /// Live processing needs the time.
    async fn stand_by(
        &mut self,
        mut running: Running,
        committer: &mut Committer,
    ) -> Result<(Option<Running>, Done), ProcessorError> {
        running.next = Instant::now() + self.poll.min(Duration::from_millis(200));
        let note = "waiting: live processing is behind and goes first";
        Ok((self.say(running, committer, note).await?, Done::Committed))
    }

    /// Says how far the job is, if it is time to, and does what is wished.
    async fn say(
        &mut self,
        mut running: Running,
        committer: &mut Committer,
        note: &str,
    ) -> Result<Option<Running>, ProcessorError> {
        if running.said.is_some_and(|at| at.elapsed() < SAY.min(self.poll)) {
            return Ok(Some(running));
        }
        let state = match self.say_now(&mut running, committer, note).await? {
            JobWish::Run => return Ok(Some(running)),
            JobWish::Pause => JobState::Paused,
            JobWish::Cancel => JobState::Cancelled,
        };
        end(running, committer, state, None).await?;
        self.ask = Instant::now();
        Ok(None)
    }

    async fn say_now(
        &mut self,
        running: &mut Running,
        committer: &mut Committer,
        note: &str,
    ) -> Result<JobWish, ProcessorError> {
        let left = running.task.left();
        let open: u64 = left.by_shard.values().sum();
        running.drain.note(Instant::now(), open);
        running.said = Some(Instant::now());
        let eta = running.drain.remaining().and_then(|d| i64::try_from(d.as_millis()).ok());
        let progress = JobProgress {
            done: left.total.saturating_sub(open),
            total: left.total,
            unit: running.task.unit().to_owned(),
            eta: eta.map(|ms| now_ms() + ms),
            note: if note.is_empty() { left.note } else { note.to_owned() },
        };
        let (id, catalog) = (running.job.id, committer.deps.catalog.clone());
        let wish = committer.patiently("job", || catalog.report_job(id, &progress)).await?;
        // Asked to stop: the job stays as it is, for the next start.
        Ok(wish.unwrap_or(JobWish::Run))
    }
}

/// True if waiting may mend it. What a step did not commit is done again by the next.
fn may_pass(error: &ProcessorError) -> bool {
    match error {
        ProcessorError::Catalog(error) => error.retryable(),
        ProcessorError::Store(error) => error.retryable(),
        _ => false,
    }
}

/// Jobs that were to pause or end when their processor died do so now: nobody works on them. False: ask again.
async fn settle(committer: &mut Committer) -> Result<bool, ProcessorError> {
    let jobs = match committer.deps.catalog.jobs(JOBS_MAX).await {
        Ok(jobs) => jobs,
        Err(error) if error.retryable() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let ours = |job: &Job| URGENT.contains(&job.kind) || PATIENT.contains(&job.kind);
    for job in jobs.iter().filter(|job| job.state == JobState::Running && ours(job)) {
        let state = match job.wish {
            JobWish::Run => continue,
            JobWish::Pause => JobState::Paused,
            JobWish::Cancel => JobState::Cancelled,
        };
        finish(committer, job, state, job.report.clone(), None).await?;
    }
    Ok(true)
}

async fn claim(committer: &mut Committer, kinds: &[JobKind]) -> Result<Option<Running>, ProcessorError> {
    let job = match committer.deps.catalog.claim_job(kinds).await {
        Ok(None) => return Ok(None),
        Ok(Some(job)) => job,
        Err(error) if error.retryable() => {
            tracing::warn!(%error, "the catalog cannot be asked for jobs; asking again");
            telemetry::retried("claim job");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    tracing::info!(job = job.id, kind = job.kind.name(), by = job.by, reason = job.reason, "job taken up");
    match Task::open(committer, &job).await? {
        Ok(task) => {
            let next = Instant::now();
            Ok(Some(Running { job, task, drain: Drain::default(), said: None, next }))
        }
        Err(why) => {
            finish(committer, &job, JobState::Failed, json!({}), Some(why)).await?;
            Ok(None)
        }
    }
}

async fn end(
    mut running: Running,
    committer: &mut Committer,
    state: JobState,
    why: Option<String>,
) -> Result<(), ProcessorError> {
    let report = running.task.report(committer).await?;
    if let Task::Skip(skip) = &mut running.task {
        skip.close(committer);
    }
    finish(committer, &running.job, state, report, why).await
}

async fn finish(
    committer: &mut Committer,
    job: &Job,
    state: JobState,
    report: Value,
    why: Option<String>,
) -> Result<(), ProcessorError> {
    tracing::info!(job = job.id, kind = job.kind.name(), state = state.name(), error = why, "job left");
    let catalog = committer.deps.catalog.clone();
    let call = || catalog.end_job(job.id, state, report.clone(), why.as_deref());
    // Asked to stop before it could be said: the next start finds nothing left to do and says it.
    committer.patiently("end job", call).await.map(|_| ())
}
