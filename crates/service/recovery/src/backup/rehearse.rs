//! Restores the newest backup into a scratch folder, to know that it can be done and how long it takes.
//!
//! Guarantees: what it reports was really done; the folder it worked in is removed afterwards, whatever came out, and
//! by the next rehearsal if the process died.
//! Deliberately not here: when, and who is told.

use super::manifest;
use super::restore::{At, RestoreReport, restore};
use crate::{Places, RecoveryError};
use async_trait::async_trait;
use serde::Serialize;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tallymark_model::Millis;
use tallymark_store::ObjectStore;

/// How a rehearsal went.
#[derive(Debug, Clone, Serialize)]
pub struct Rehearsal {
    /// True: the newest backup was restored and verified.
    pub ok: bool,
    /// Why not.
    pub problem: Option<String>,
    /// What was restored; an older backup than the newest makes the rehearsal fail but is told.
    pub restored: Option<RestoreReport>,
    /// Age of the backup that was restored, ms.
    pub backup_age_ms: Option<Millis>,
    /// How long it took.
    pub seconds: f64,
}

/// Looks at files of a restored instance that are none of recovery's.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// What is wrong with them, in a sentence each.
    async fn inspect(&self, restored: &Places) -> Vec<String>;
}

/// Rehearses in a new folder below `scratch`.
pub async fn rehearse(
    target: &ObjectStore,
    scratch: &Path,
    inspect: Option<&dyn Inspect>,
) -> Result<Rehearsal, RecoveryError> {
    let started = Instant::now();
    clear_leftovers(scratch);
    let root = scratch.join(format!("{PREFIX}{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()));
    let places = Places::below(&root);
    let mut restored = restore(target, At::Newest, &places).await;
    if let (Ok(report), Some(inspect)) = (&mut restored, inspect) {
        report.notes = inspect.inspect(&places).await;
    }
    let removed = match std::fs::remove_dir_all(&root) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(RecoveryError::disk(&root)(e)),
        _ => Ok(()),
    };
    let rehearsal = match restored {
        Ok(report) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis);
            let made = manifest::read(target, &report.name).await?.started_at;
            let passed = report.passed_by.first();
            let problem = passed.map(|p| format!("backup {} is damaged: {}", p.name, p.problem));
            let problem = problem.or_else(|| report.notes.first().cloned());
            Rehearsal {
                ok: problem.is_none(),
                problem,
                backup_age_ms: Some((now - made).max(0)),
                restored: Some(report),
                seconds: started.elapsed().as_secs_f64(),
            }
        }
        Err(error) if error.retryable() => return Err(error),
        Err(error) => Rehearsal {
            ok: false,
            problem: Some(error.to_string()),
            restored: None,
            backup_age_ms: None,
            seconds: started.elapsed().as_secs_f64(),
        },
    };
    removed?;
    Ok(rehearsal)
}

/// Names of the folders below the scratch folder; the process that works in one is in its name.
const PREFIX: &str = "rehearsal-";

/// Removes what rehearsals of processes that are gone have left.
fn clear_leftovers(scratch: &Path) {
    for entry in std::fs::read_dir(scratch).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // Space that is not given back shows as a full disk, which is alarmed; the rehearsal can do without.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
