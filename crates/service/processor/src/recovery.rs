//! Starting where the catalog says: state from a checkpoint and the deltas since.
//!
//! Guarantees: state never gets ahead of the catalog (I8): a checkpoint that is not of this catalog is dropped, and
//! only deltas of commits in its feed are applied.
//! Deliberately not here: what a delta means (`state`).

use crate::config::ProcessorConfig;
use crate::deltas;
use crate::error::ProcessorError;
use crate::run::Deps;
use crate::telemetry;
use std::time::Duration;
use tallymark_catalog::{CatalogError, CommitRecord, Feed};
use tallymark_model::CommitSeq;
use tallymark_state::{Delta, State, StateConfig};
use tallymark_store::ObjectStore;

/// Commits fetched at a time.
const PAGE: usize = 256;

/// Waits that double.
pub(crate) struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub(crate) fn new(config: &ProcessorConfig) -> Backoff {
        Backoff { next: config.retry_first, max: config.retry_max }
    }

    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(self.max);
    }
}

/// State as of the newest commit. A delta that is missing or damaged is derived again.
pub(crate) async fn open_state(config: &ProcessorConfig, deps: &Deps) -> Result<State, ProcessorError> {
    let catalog = deps.catalog.as_ref();
    let settings = StateConfig { dedup_days: config.dedup_days };
    let dir = config.state_dir.clone();
    let opened = tokio::task::spawn_blocking(move || State::open(&dir, settings));
    let mut state = opened
        .await
        .map_err(|e| ProcessorError::Panicked { step: "open state", message: e.to_string() })??;
    if !is_of(&state, catalog, config).await? {
        tracing::error!(
            applied = state.applied().0,
            "the checkpoint is not of this catalog; state is folded anew"
        );
        state = State::empty(settings);
    }
    let from = state.applied();
    catch_up_patiently(&mut state, config, deps).await?;
    tracing::info!(checkpoint = from.0, applied = state.applied().0, "state is up to date");
    Ok(state)
}

/// True if the last commit in state is the catalog's at that number.
async fn is_of(state: &State, catalog: &dyn Feed, config: &ProcessorConfig) -> Result<bool, ProcessorError> {
    let Some((seq, commit)) = state.tip() else { return Ok(true) };
    let mut backoff = Backoff::new(config);
    loop {
        match catalog.feed(CommitSeq(seq.0 - 1), 1).await {
            Ok(records) => return Ok(records.first().is_some_and(|r| r.seq == seq && r.id == commit)),
            Err(error) => tolerate(error)?,
        }
        backoff.pause().await;
    }
}

async fn catch_up_patiently(
    state: &mut State,
    config: &ProcessorConfig,
    deps: &Deps,
) -> Result<(), ProcessorError> {
    let mut backoff = Backoff::new(config);
    loop {
        match follow(state, deps, None).await {
            Ok(()) => return Ok(()),
            Err(ProcessorError::Catalog(error)) => tolerate(error)?,
            Err(ProcessorError::Store(error)) if error.retryable() => telemetry::retried("store"),
            Err(error) => return Err(error),
        }
        backoff.pause().await;
    }
}

fn tolerate(error: CatalogError) -> Result<(), ProcessorError> {
    if !error.retryable() {
        return Err(error.into());
    }
    tracing::warn!(%error, "the catalog cannot be read; trying again");
    telemetry::retried("catalog");
    Ok(())
}

/// Applies every commit of the feed that state does not have; deltas that are gone are derived again. `own` saves
/// fetching a delta that is at hand.
pub(crate) async fn follow(
    state: &mut State,
    deps: &Deps,
    own: Option<&Delta>,
) -> Result<(), ProcessorError> {
    loop {
        let records = deps.catalog.feed(state.applied(), PAGE).await?;
        let done = records.len() < PAGE;
        for record in records {
            follow_one(state, deps, &record, own).await?;
        }
        if done {
            return Ok(());
        }
    }
}

/// Applies one commit; true if its delta had to be derived again.
pub(crate) async fn follow_one(
    state: &mut State,
    deps: &Deps,
    record: &CommitRecord,
    own: Option<&Delta>,
) -> Result<bool, ProcessorError> {
    match (&record.delta, own.filter(|d| d.commit == record.id)) {
        (None, _) => state.pass(record.seq, record.id)?,
        (Some(_), Some(own)) => state.apply(record.seq, own)?,
        (Some(key), None) => {
            let fetched = deltas::fetch(deps, record, key, state).await?;
            state.apply(record.seq, &fetched.delta)?;
            return Ok(fetched.rederived);
        }
    };
    Ok(false)
}

/// Applies every commit of the feed that state does not have. `own` saves fetching a delta that is at hand. A delta
/// that is gone is an error: only the processor derives it again.
pub async fn catch_up(
    state: &mut State,
    catalog: &dyn Feed,
    store: &ObjectStore,
    own: Option<&Delta>,
) -> Result<(), ProcessorError> {
    loop {
        let records = catalog.feed(state.applied(), PAGE).await?;
        let done = records.len() < PAGE;
        for record in records {
            apply(state, &record, store, own).await?;
        }
        if done {
            return Ok(());
        }
    }
}

async fn apply(
    state: &mut State,
    record: &CommitRecord,
    store: &ObjectStore,
    own: Option<&Delta>,
) -> Result<(), ProcessorError> {
    match (&record.delta, own.filter(|d| d.commit == record.id)) {
        (None, _) => state.pass(record.seq, record.id)?,
        (Some(_), Some(own)) => state.apply(record.seq, own)?,
        (Some(key), None) => state.apply(record.seq, &Delta::decode(&store.get(key).await?)?)?,
    };
    Ok(())
}
