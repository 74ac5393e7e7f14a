//! What protects the data: checkpoints, jobs, backups and rehearsals, copies.

use super::schedule::Plan;
use crate::Layout;
use std::path::Path;
use std::time::UNIX_EPOCH;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{Feed, Instance, JobState, Jobs, Settings};
use tallymark_model::Millis;
use tallymark_monitor::WatchStore;
use tallymark_monitor::facts::{
    AgeFacts, BackupFacts, CopyFacts, Facts, JobFacts, RehearsalFacts, ResourceFacts, ResourceKind,
};
use tallymark_monitor::store::CareKind;
use tallymark_recovery::Retention;

/// Jobs looked at, newest first.
const JOBS: usize = 100;
/// A failed job is worth mentioning for so long.
const FAILED_MS: Millis = 86_400_000;

/// Numbers that are never given back (commits, jobs, projects, raw ids), and how long the log keeps what is processed.
pub async fn sequences(facts: &mut Facts, catalog: &SqliteCatalog, layout: &Layout) {
    let page = std::fs::read_to_string(layout.run().join("metrics-process.prom")).unwrap_or_default();
    facts.resources.extend(numbers(&page));
    let newest = catalog.jobs(1).await.ok().and_then(|jobs| jobs.first().map(|j| j.id));
    let projects = catalog.projects().await.ok().and_then(|all| all.iter().map(|p| p.id.0).max());
    let more = [
        newest.map(|id| ResourceFacts::new(ResourceKind::Sequence, "jobs", id as f64, i64::MAX as f64)),
        projects.map(|id| ResourceFacts::new(ResourceKind::Sequence, "projects", id.into(), u32::MAX.into())),
    ];
    facts.resources.extend(more.into_iter().flatten());
    if let Ok(latest) = catalog.latest_seq().await {
        let used = latest.0 as f64;
        facts.resources.push(ResourceFacts::new(ResourceKind::Sequence, "commits", used, i64::MAX as f64));
    }
    let retention = match catalog.setting("retention").await {
        Ok(Some(value)) => serde_json::from_value(value).unwrap_or_default(),
        _ => Retention::default(),
    };
    for shard in &mut facts.shards {
        shard.retention_ms = Some((retention.days * 86_400_000.0) as Millis);
    }
}

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
    let page = std::fs::read_to_string(layout.run().join("metrics-process.prom")).unwrap_or_default();
    if let (Some(waiting), Some(lag)) =
        (gauge(&page, "tallymark_commit_copies_waiting"), gauge(&page, "tallymark_commit_copy_lag_seconds"))
    {
        let oldest_waiting = (waiting > 0.0).then(|| now - (lag * 1000.0) as Millis);
        facts.commit_copy = Some(CopyFacts { waiting: waiting as u64, oldest_waiting, last_error: None });
    }
    if let Some(failing) = gauge(&page, "tallymark_archive_failing") {
        let last_error = (failing > 0.0).then(|| "see the log of the process role".to_owned());
        facts.archive = Some(CopyFacts { waiting: 0, oldest_waiting: None, last_error });
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
    let Some(plan) = Plan::of(catalog).await else { return };
    let (backup_ms, rehearse_ms) = plan.every_ms();
    let error = async |kind| {
        let last = store.care(kind, 1).await.ok()?.into_iter().next()?;
        (!last.ok).then(|| last.report.get("error").map_or_else(String::new, |e| e.to_string()))
    };
    let good = async |kind| store.last_good_care(kind).await.ok().flatten();
    facts.backup = Some(BackupFacts {
        newest: good(CareKind::Backup).await,
        due_since: made,
        every_ms: backup_ms,
        last_error: error(CareKind::Backup).await,
    });
    let took = async || {
        let results = store.care(CareKind::Rehearsal, 20).await.ok()?;
        results.into_iter().find(|r| r.ok)?.report.get("seconds")?.as_f64()
    };
    facts.rehearsal = Some(RehearsalFacts {
        newest: good(CareKind::Rehearsal).await,
        due_since: made,
        every_ms: rehearse_ms,
        last_error: error(CareKind::Rehearsal).await,
        took_s: took().await,
    });
}

/// The last number of a raw id per project, as the processor tells it.
fn numbers(page: &str) -> Vec<ResourceFacts> {
    let of = |line: &str| {
        let (labels, value) = line.strip_prefix("tallymark_subject_numbers{")?.rsplit_once(' ')?;
        let project = labels.split("project=\"").nth(1)?.split('"').next()?;
        let (scope, used) = (format!("project {project}"), value.parse().ok()?);
        Some(ResourceFacts::new(ResourceKind::SubjectNumbers, scope, used, u32::MAX.into()))
    };
    page.lines().filter_map(of).collect()
}

/// A figure of a page of metrics.
fn gauge(page: &str, name: &str) -> Option<f64> {
    let line =
        page.lines().find(|l| l.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))?;
    line.rsplit(' ').next()?.parse().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_raw_ids_are_a_resource_per_project() {
        let page = "# TYPE tallymark_subject_numbers gauge\n\
            tallymark_subject_numbers{role=\"process\",project=\"7\"} 3221225472\n\
            tallymark_subject_numbers_else{project=\"8\"} 5\n";
        let found = numbers(page);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].scope.as_str(), found[0].kind), ("project 7", ResourceKind::SubjectNumbers));
        assert!((found[0].share() - 0.75).abs() < 1e-6, "three quarters: the monitor warns");
    }
}
