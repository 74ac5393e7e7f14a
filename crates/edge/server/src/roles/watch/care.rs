//! What protects the data: checkpoints, jobs, backups and rehearsals, copies.

use crate::Layout;
use std::path::Path;
use std::time::UNIX_EPOCH;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{Feed, Instance, JobState, Jobs};
use tallymark_model::Millis;
use tallymark_monitor::WatchStore;
use tallymark_monitor::facts::{AgeFacts, BackupFacts, CopyFacts, Facts, JobFacts, RehearsalFacts};
use tallymark_monitor::store::CareKind;

/// Jobs looked at, newest first.
const JOBS: usize = 100;
/// A failed job is worth mentioning for so long.
const FAILED_MS: Millis = 86_400_000;
const MINUTE: Millis = 60_000;

/// Adds what can be found out.
pub async fn observe(
    facts: &mut Facts,
    catalog: &SqliteCatalog,
    store: &WatchStore,
    layout: &Layout,
    now: Millis,
) {
    let made = modified(&layout.root().join("log"), true).unwrap_or(now);
    let latest = catalog.latest_seq().await.map_or(0, |s| s.0);
    let (checkpoint, covered) = newest(&layout.state(), "state");
    // A quiet instance has nothing to checkpoint.
    if latest > 0 {
        facts.checkpoint =
            Some(AgeFacts { newest: checkpoint, due_since: made, behind: latest.saturating_sub(covered) });
    }
    let (_, copied) = newest(&layout.objects().join("commits"), "json");
    if copied > 0 {
        let waiting = latest.saturating_sub(copied);
        let oldest = match catalog.feed(tallymark_model::CommitSeq(copied), 1).await {
            Ok(records) => records.first().map(|r| r.created_at),
            Err(_) => None,
        };
        facts.commit_copy = Some(CopyFacts { waiting, oldest_waiting: oldest, last_error: None });
    }
    if let Ok(jobs) = catalog.jobs(JOBS).await {
        let shown = jobs.into_iter().filter(|j| {
            !j.state.is_final()
                || (j.state == JobState::Failed && j.finished_at.is_some_and(|at| now - at < FAILED_MS))
        });
        facts.jobs = shown
            .map(|j| JobFacts {
                id: j.id.to_string(),
                kind: j.kind.name().to_owned(),
                state: j.state.name().to_owned(),
                created: j.created_at,
                progressed: j.updated_at,
                progress: (j.progress.total > 0).then(|| j.progress.done as f64 / j.progress.total as f64),
                error: j.error,
                project: j.project,
            })
            .collect();
    }
    backups(facts, catalog, store, made).await;
}

async fn backups(facts: &mut Facts, catalog: &SqliteCatalog, store: &WatchStore, made: Millis) {
    let Ok(Some(plan)) = catalog.setting("backup").await else { return };
    let minutes =
        |key: &str, default: i64| plan.get(key).and_then(|v| v.as_i64()).unwrap_or(default) * MINUTE;
    let error = async |kind| {
        let last = store.care(kind, 1).await.ok()?.into_iter().next()?;
        (!last.ok).then(|| last.report.get("error").map_or_else(String::new, |e| e.to_string()))
    };
    let good = async |kind| store.last_good_care(kind).await.ok().flatten();
    facts.backup = Some(BackupFacts {
        newest: good(CareKind::Backup).await,
        due_since: made,
        every_ms: minutes("every_minutes", 60),
        last_error: error(CareKind::Backup).await,
    });
    let took = async || {
        let results = store.care(CareKind::Rehearsal, 20).await.ok()?;
        results.into_iter().find(|r| r.ok)?.report.get("seconds")?.as_f64()
    };
    facts.rehearsal = Some(RehearsalFacts {
        newest: good(CareKind::Rehearsal).await,
        due_since: made,
        every_ms: minutes("rehearse_every_minutes", 24 * 60),
        last_error: error(CareKind::Rehearsal).await,
        took_s: took().await,
    });
}

/// When the newest file with this ending was written, and the number in its name.
fn newest(folder: &Path, ending: &str) -> (Option<Millis>, u64) {
    let Ok(entries) = std::fs::read_dir(folder) else { return (None, 0) };
    let files = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|x| x == ending));
    let numbered = files.filter_map(|p| Some((p.file_stem()?.to_str()?.parse::<u64>().ok()?, p)));
    match numbered.max_by_key(|(number, _)| *number) {
        Some((number, path)) => (modified(&path, false), number),
        None => (None, 0),
    }
}

fn modified(path: &Path, created: bool) -> Option<Millis> {
    let meta = std::fs::metadata(path).ok()?;
    let at = if created { meta.created().or_else(|_| meta.modified()) } else { meta.modified() }.ok()?;
    Millis::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}
