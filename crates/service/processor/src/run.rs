//! The processor's life: lease, state, intake and committer; and a clean end.
//!
//! Guarantees: a stop that was asked for leaves nothing half done and gives the lease back.
//! Deliberately not here: opening backends (the server does), restarting (the supervisor does).

use crate::committer::{Committer, Done};
use crate::config::ProcessorConfig;
use crate::error::ProcessorError;
use crate::failpoint::{Failpoint, NoFailpoint};
use crate::group::{Gathered, Incoming, gather};
use crate::intake::Intake;
use crate::jobs::Runner;
use crate::recovery::{Backoff, open_state};
use crate::steps::decode::DecodeFn;
use crate::{lease, telemetry};
use std::sync::Arc;
use tallymark_catalog::{Commits, Jobs, Leases, Settings, Snapshots};
use tallymark_log::LogReader;
use tallymark_model::Epoch;
use tallymark_store::ObjectStore;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Batches waiting between intake and committer; the budget of bytes is what really bounds them.
const QUEUE: usize = 64;

/// The parts of the catalog that the processor needs.
pub trait Catalog: Commits + Leases + Snapshots + Settings + Jobs {}
impl<T: Commits + Leases + Snapshots + Settings + Jobs> Catalog for T {}

/// What the processor works with.
#[derive(Clone)]
pub struct Deps {
    /// The log, reading half.
    pub log: Arc<dyn LogReader>,
    /// Where jobs and rebuilds find what the log has let go; the same positions under the same log id.
    pub archive: Option<Arc<dyn LogReader>>,
    /// The catalog, already bound to that log.
    pub catalog: Arc<dyn Catalog>,
    /// Where segments and deltas go.
    pub store: ObjectStore,
    /// How envelopes are read.
    pub decode: DecodeFn,
    /// Where tests crash it.
    pub failpoint: Arc<dyn Failpoint>,
}

impl Deps {
    /// The real thing, never crashing on purpose.
    pub fn new(log: Arc<dyn LogReader>, catalog: Arc<dyn Catalog>, store: ObjectStore) -> Deps {
        let decode = &tallymark_wire::decode;
        Deps { log, archive: None, catalog, store, decode, failpoint: Arc::new(NoFailpoint) }
    }
}

/// Processes until asked to stop (`Ok`), or until something is wrong that waiting does not mend. After an error
/// everything committed is safe and everything else will be processed by the next run.
pub async fn run(config: ProcessorConfig, deps: Deps, stop: CancellationToken) -> Result<(), ProcessorError> {
    let (config, deps) = (Arc::new(config), Arc::new(deps));
    let Some(lease) = lease::take(deps.catalog.as_ref(), &config, &stop).await? else { return Ok(()) };
    tracing::info!(epoch = lease.epoch.0, "processor has the lease");
    let (keeper, lost) = lease::keep(Arc::clone(&deps.catalog), lease.clone(), &config);
    let worked = tokio::select! {
        worked = work(&config, &deps, lease.epoch, &stop) => worked,
        epoch = fenced(lost) => Err(ProcessorError::Fenced { epoch }),
    };
    keeper.abort();
    if worked.is_ok() {
        // If this fails the lease runs out by itself.
        let _ = deps.catalog.release(&lease).await;
    }
    worked
}

async fn fenced(mut lost: watch::Receiver<bool>) -> Epoch {
    if lost.wait_for(|lost| *lost).await.is_err() {
        // The keeper is gone without having lost the lease: the end of this run is near anyway.
        std::future::pending::<()>().await;
    }
    Epoch(0)
}

async fn work(
    config: &Arc<ProcessorConfig>,
    deps: &Arc<Deps>,
    epoch: Epoch,
    stop: &CancellationToken,
) -> Result<(), ProcessorError> {
    check_log(config, deps, stop).await?;
    let state = tokio::select! {
        state = open_state(config, deps) => state?,
        () = stop.cancelled() => return Ok(()),
    };
    let mut committer = Committer::new(Arc::clone(deps), Arc::clone(config), epoch, stop.clone(), state);
    if committer.reset().await? == Done::Stopped {
        return Ok(());
    }
    let (out, incoming) = mpsc::channel(QUEUE);
    let intake = Intake::new(
        Arc::clone(&deps.log),
        Arc::clone(config),
        deps.decode,
        committer.resume.subscribe(),
        out,
    );
    let reading = tokio::spawn(intake.run());
    let worked = commit_groups(&mut committer, incoming, config, stop).await;
    reading.abort();
    worked?;
    committer.checkpoint().await
}

async fn commit_groups(
    committer: &mut Committer,
    mut incoming: Incoming,
    config: &ProcessorConfig,
    stop: &CancellationToken,
) -> Result<(), ProcessorError> {
    let mut jobs = Runner::new(config);
    // Ranges to skip are fenced before the first record is processed.
    if jobs.step(committer).await? == Done::Stopped {
        return Ok(());
    }
    loop {
        let gathering = gather(&mut incoming, committer.generation, config);
        let gathered = match with_jobs(gathering, committer, &mut jobs, stop).await? {
            Turn::Group(gathered) => gathered,
            Turn::Reset => continue,
            // What was gathered is read again by the next run.
            Turn::Stopped => return Ok(()),
        };
        let (group, end) = match gathered {
            Gathered::Group(group) => (group, None),
            Gathered::Last(group, error) => (group, Some(error)),
        };
        let mut done = Done::Committed;
        if !group.is_empty() {
            let records = group.records.len() as u64;
            done = committer.commit(group).await?;
            jobs.live_committed(records).await;
        }
        match (done, end) {
            (Done::Stopped, _) => return Ok(()),
            // After a reset the intake starts again; if its trouble is real it will say so again.
            (Done::Reset, Some(Some(_))) | (_, None) => {}
            (_, Some(Some(error))) => return Err(error),
            (_, Some(None)) => {
                return Err(ProcessorError::Panicked {
                    step: "intake",
                    message: "it ended without a word".to_owned(),
                });
            }
        }
        // Live groups that follow each other without a pause must not starve jobs for ever.
        if jobs.is_owed() && jobs.step(committer).await? == Done::Stopped {
            return Ok(());
        }
    }
}

/// What comes next.
enum Turn {
    /// A live group is gathered.
    Group(Gathered),
    /// A job moved a cursor: reading starts again there, and what was gathered is dropped.
    Reset,
    /// Asked to stop.
    Stopped,
}

/// Waits for the next live group; meanwhile jobs get their chunks.
async fn with_jobs(
    gathering: impl Future<Output = Gathered>,
    committer: &mut Committer,
    jobs: &mut Runner,
    stop: &CancellationToken,
) -> Result<Turn, ProcessorError> {
    let mut gathering = std::pin::pin!(gathering);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(Turn::Stopped),
            gathered = &mut gathering => return Ok(Turn::Group(gathered)),
            () = jobs.due() => {}
        }
        match jobs.step(committer).await? {
            Done::Committed => {}
            Done::Reset => return Ok(Turn::Reset),
            Done::Stopped => return Ok(Turn::Stopped),
        }
    }
}

/// Offsets of another log never compare: refuse to run.
async fn check_log(
    config: &ProcessorConfig,
    deps: &Deps,
    stop: &CancellationToken,
) -> Result<(), ProcessorError> {
    let found = deps.log.id();
    let mut backoff = Backoff::new(config);
    loop {
        match deps.catalog.log_id().await {
            Ok(bound) if bound == Some(found) => return Ok(()),
            Ok(bound) => return Err(ProcessorError::WrongLog { bound, found }),
            Err(error) if error.retryable() => telemetry::retried("log id"),
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = backoff.pause() => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}
