//! Talking to catalog and object store until they answer.
//!
//! Guarantees: trouble that may pass is waited for, with memory bounded by what is already in hand; a commit whose
//! answer was lost is asked for by its id before it is sent again; being asked to stop ends every wait.
//! Deliberately not here: what is sent.

use crate::committer::Committer;
use crate::error::ProcessorError;
use crate::recovery::Backoff;
use crate::telemetry;
use std::future::Future;
use std::time::Instant;
use tallymark_catalog::{CatalogError, Commit, CommitAnswer};
use tallymark_store::StoreError;

impl Committer {
    /// Stores an object, for as long as it takes; none = asked to stop.
    pub(crate) async fn put(&mut self, key: &str, bytes: bytes::Bytes) -> Result<Option<()>, ProcessorError> {
        let mut backoff = Backoff::new(&self.config);
        let started = Instant::now();
        loop {
            let error: StoreError = match self.deps.store.put(key, bytes.clone()).await {
                Ok(()) => return Ok(Some(())),
                Err(error) => error,
            };
            if matches!(error, StoreError::Key { .. } | StoreError::Encode { .. } | StoreError::Url { .. }) {
                return Err(error.into());
            }
            tracing::warn!(key, %error, "an object could not be stored; trying again");
            telemetry::retried("store");
            telemetry::stuck(started.elapsed().as_secs_f64());
            if !self.pause(&mut backoff).await {
                return Ok(None);
            }
        }
    }

    /// Sends a commit until its fate is known. After a failure it may or may not have happened: ask first, then
    /// send the very same again.
    pub(crate) async fn send(&mut self, commit: &Commit) -> Result<Option<CommitAnswer>, ProcessorError> {
        let mut backoff = Backoff::new(&self.config);
        let started = Instant::now();
        loop {
            match self.deps.catalog.commit(commit).await {
                Ok(answer) => {
                    telemetry::stuck(0.0);
                    return Ok(Some(answer));
                }
                Err(error) => self.tolerate("commit", error, started)?,
            }
            loop {
                if !self.pause(&mut backoff).await {
                    return Ok(None);
                }
                match self.deps.catalog.status(commit.id).await {
                    Ok(Some(seq)) => return Ok(Some(CommitAnswer::Already(seq))),
                    Ok(None) => break,
                    Err(error) => self.tolerate("status", error, started)?,
                }
            }
        }
    }

    pub(crate) async fn patiently<T, F: Future<Output = Result<T, CatalogError>>>(
        &mut self,
        what: &'static str,
        call: impl Fn() -> F,
    ) -> Result<Option<T>, ProcessorError> {
        let mut backoff = Backoff::new(&self.config);
        let started = Instant::now();
        loop {
            match call().await {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => self.tolerate(what, error, started)?,
            }
            if !self.pause(&mut backoff).await {
                return Ok(None);
            }
        }
    }

    pub(crate) fn tolerate(
        &self,
        what: &'static str,
        error: CatalogError,
        since: Instant,
    ) -> Result<(), ProcessorError> {
        if !error.retryable() {
            return Err(error.into());
        }
        tracing::warn!(what, %error, "the catalog failed; trying again");
        telemetry::retried(what);
        telemetry::stuck(since.elapsed().as_secs_f64());
        Ok(())
    }

    /// False: asked to stop.
    pub(crate) async fn pause(&self, backoff: &mut Backoff) -> bool {
        tokio::select! {
            () = backoff.pause() => true,
            () = self.stop.cancelled() => false,
        }
    }
}
