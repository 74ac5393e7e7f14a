//! Backups and rehearsals of a restore: by schedule, and as jobs that somebody asked for.
//!
//! Guarantees: one at a time; whatever comes out is recorded with its error, so that its age is watched.
//! Deliberately not here: making a backup (`recovery`), judging its age (`monitor`).

use super::backends::Backends;
use super::now;
use crate::extras::{Extras, RestoredExtras};
use crate::{Layout, ServerError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{Instance, Job, JobKind, JobState, Jobs};
use tallymark_log::file::{FileLog, FileLogConfig};
use tallymark_model::Millis;
use tallymark_monitor::WatchStore;
use tallymark_monitor::store::{CareKind, CareResult};
use tallymark_recovery::backup::{BackupOptions, Source, backup, open_target, rehearse, whole_is_due};
use tokio_util::sync::CancellationToken;

const LOOK_EVERY: Duration = Duration::from_secs(2);
const HOUR_MS: f64 = 3_600_000.0;
const KINDS: [JobKind; 2] = [JobKind::Backup, JobKind::Rehearse];

/// The instance's setting `backup`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// Folder or URL.
    pub to: Option<String>,
    /// How often; a backup copies what is new, so a minute is no burden.
    pub every_hours: f64,
    /// How often the newest backup is restored into a scratch folder.
    pub rehearse_every_hours: f64,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { to: None, every_hours: 1.0 / 60.0, rehearse_every_hours: 24.0 }
    }
}

impl Plan {
    /// What the instance is set to; `None`: no backups are wanted.
    pub async fn of(catalog: &SqliteCatalog) -> Option<Plan> {
        let plan = catalog.setting("backup").await.ok()??;
        match serde_json::from_value::<Plan>(plan) {
            Ok(plan) => plan.to.is_some().then_some(plan),
            Err(error) => {
                tracing::error!(%error, "the setting `backup` cannot be used; no backups are made");
                None
            }
        }
    }

    /// The two intervals, ms.
    pub fn every_ms(&self) -> (Millis, Millis) {
        let ms = |hours: f64| (hours * HOUR_MS).max(1_000.0) as Millis;
        (ms(self.every_hours), ms(self.rehearse_every_hours))
    }
}

/// Backs up and rehearses until told to stop.
pub async fn run(layout: Layout, backends: Arc<Backends>, store: WatchStore, stop: CancellationToken) {
    let keeper = Keeper { layout, store };
    while !stop.is_cancelled() {
        if let Ok(catalog) = backends.catalog().await {
            tokio::select! {
                () = keeper.round(&catalog) => {}
                // What is half done is garbage of the next one.
                () = stop.cancelled() => return,
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// What comes next, by how much each is overdue: a backup that is due again as soon as it ends must not keep
/// rehearsals waiting for ever.
fn next(backup: f64, rehearsal: f64) -> Option<CareKind> {
    match (backup >= 1.0, rehearsal >= 1.0) {
        (true, true) if rehearsal > backup => Some(CareKind::Rehearsal),
        (true, _) => Some(CareKind::Backup),
        (false, true) => Some(CareKind::Rehearsal),
        (false, false) => None,
    }
}

struct Keeper {
    layout: Layout,
    store: WatchStore,
}

impl Keeper {
    async fn round(&self, catalog: &SqliteCatalog) {
        match catalog.claim_job(&KINDS).await {
            Ok(Some(job)) => return self.work(catalog, &job).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "jobs could not be looked at"),
        }
        let Some(plan) = Plan::of(catalog).await else { return };
        let Some(to) = &plan.to else { return };
        let (backup_ms, rehearse_ms) = plan.every_ms();
        let backed_up = self.store.last_good_care(CareKind::Backup).await.is_ok_and(|at| at.is_some());
        let backup = self.overdue(CareKind::Backup, backup_ms).await;
        let rehearsal = if backed_up { self.overdue(CareKind::Rehearsal, rehearse_ms).await } else { 0.0 };
        match next(backup, rehearsal) {
            Some(CareKind::Rehearsal) => {
                let done = self.rehearse(to).await;
                self.record(CareKind::Rehearsal, done).await;
            }
            Some(_) => {
                let done = self.backup(catalog, to, true).await;
                self.record(CareKind::Backup, done).await;
            }
            None => {}
        }
    }

    /// Time since the last attempt in parts of the time between two; one that failed is tried again after a tenth.
    async fn overdue(&self, kind: CareKind, every: Millis) -> f64 {
        match self.store.care(kind, 1).await.map(|results| results.into_iter().next()) {
            Ok(Some(last)) => {
                let every = if last.ok { every } else { every / 10 };
                (now() - last.at) as f64 / every.max(1) as f64
            }
            Ok(None) => f64::INFINITY,
            Err(_) => 0.0,
        }
    }

    async fn work(&self, catalog: &SqliteCatalog, job: &Job) {
        let place = |key: &str| job.spec.get(key).and_then(Value::as_str).map(str::to_owned);
        let planned = Plan::of(catalog).await.and_then(|p| p.to);
        let (kind, place) = match job.kind {
            JobKind::Rehearse => (CareKind::Rehearsal, place("from").or(planned)),
            _ => (CareKind::Backup, place("to").or(planned)),
        };
        let done = match (&place, kind) {
            (None, _) => Err("say where to, or set up backups in the settings".to_owned()),
            (Some(place), CareKind::Rehearsal) => self.rehearse(place).await,
            (Some(place), _) => self.backup(catalog, place, false).await,
        };
        let (state, report, error) = match &done {
            Ok(report) => (JobState::Done, report.clone(), None),
            Err(error) => (JobState::Failed, Value::Null, Some(error.as_str())),
        };
        if let Err(error) = catalog.end_job(job.id, state, report, error).await {
            tracing::warn!(%error, job = job.id, "the end of a job could not be noted; it will be done again");
        }
        self.record(kind, done).await;
    }

    /// Somebody who asks for a backup gets a whole one; by schedule the log alone may do in between.
    async fn backup(&self, catalog: &SqliteCatalog, to: &str, scheduled: bool) -> Result<Value, String> {
        let extras = Extras::of(&self.layout, &self.scratch()).await;
        let source = self.source(catalog, &extras).await.map_err(|e| e.to_string())?;
        let target = open_target(to).await.map_err(|e| e.to_string())?;
        let log_only = scheduled && !whole_is_due(&target).await.map_err(|e| e.to_string())?;
        let options = BackupOptions { log_only, ..BackupOptions::default() };
        let report = backup(&source, &target, &options).await.map_err(|e| e.to_string())?;
        serde_json::to_value(report).map_err(|e| e.to_string())
    }

    async fn rehearse(&self, from: &str) -> Result<Value, String> {
        let target = open_target(from).await.map_err(|e| e.to_string())?;
        let done =
            rehearse(&target, &self.scratch(), Some(&RestoredExtras)).await.map_err(|e| e.to_string())?;
        match &done.problem {
            Some(problem) if !done.ok => Err(problem.clone()),
            _ => serde_json::to_value(done).map_err(|e| e.to_string()),
        }
    }

    async fn source(&self, catalog: &SqliteCatalog, extras: &Extras) -> Result<Source, ServerError> {
        let failed = |why: String| ServerError::Role { role: "watch", why };
        let log = FileLog::open_reader(&self.layout.log(), &FileLogConfig::default())
            .map_err(|e| failed(e.to_string()))?;
        let environment =
            tallymark_recovery::guard::Environment::of(catalog).await.map_err(|e| failed(e.to_string()))?;
        Ok(Source {
            catalog: catalog.clone(),
            store: crate::roles::open::store(&self.layout)?,
            log,
            environment: environment.name,
            extra: extras.files.clone(),
            left_out: extras.left_out.clone(),
            scratch: self.scratch(),
        })
    }

    fn scratch(&self) -> PathBuf {
        self.layout.root().join("scratch")
    }

    async fn record(&self, kind: CareKind, done: Result<Value, String>) {
        let (ok, report) = match done {
            Ok(report) => (true, report),
            Err(error) => {
                tracing::error!(error, ?kind, "failed");
                (false, json!({ "error": error }))
            }
        };
        if let Err(error) = self.store.record_care(&CareResult { kind, at: now(), ok, report }).await {
            tracing::warn!(%error, "the result could not be recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_that_are_always_due_do_not_starve_rehearsals() {
        let (mut backup, mut rehearsal) = (f64::INFINITY, 0.0);
        let mut done = Vec::new();
        for _ in 0..6 {
            let kind = next(backup, rehearsal).unwrap();
            done.push(kind == CareKind::Rehearsal);
            // A plan of seconds: each takes as long as the time between two.
            match kind {
                CareKind::Rehearsal => (backup, rehearsal) = (backup + 1.0, 1.0),
                _ => {
                    (backup, rehearsal) =
                        (1.0, if rehearsal == 0.0 { f64::INFINITY } else { rehearsal + 1.0 })
                }
            }
        }
        assert_eq!(done, [false, true, false, true, false, true]);
        assert_eq!(next(0.9, 0.9), None);
        assert_eq!(
            next(f64::INFINITY, f64::INFINITY),
            Some(CareKind::Backup),
            "the first needs something to restore"
        );
    }
}
