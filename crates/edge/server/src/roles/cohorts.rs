//! Keeps stored memberships of cohorts fresh, beside the questions that people ask.
//!
//! Guarantees: one thread of its own, one cohort at a time, with limits of its own; what was just computed rests
//! for [`REST_MS`] or twenty times as long as it took, whichever is longer, so that at most a twentieth of one
//! core goes into it; a cohort that cannot be computed says why and is tried again as rarely as the longest.
//! Deliberately not here: what a cohort means (`insights`).

use crate::limits;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tallymark_catalog::sqlite::WebCatalog;
use tallymark_catalog::{CatalogError, Cohorts, Feed, MembershipInfo, Settings, StoredCohort};
use tallymark_insights::{Engine, QueryContext};
use tallymark_model::{CommitSeq, Millis};
use tallymark_query::Source;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Between two looks at what is stale.
const LOOK: Duration = Duration::from_secs(5);
/// A membership rests at least so long.
const REST_MS: Millis = 30_000;
/// And so many times as long as it took.
const REST_TIMES: Millis = 20;
/// One cohort may take so long.
const TIME_MAX: Duration = Duration::from_secs(60);
/// One cohort may hold this share of what a question may hold.
const MEMORY_SHARE: u64 = 4;

/// Starts keeping them fresh until told to stop.
pub fn keep_fresh(catalog: Arc<WebCatalog>, source: Arc<dyn Source>, stop: CancellationToken) {
    let runtime = Handle::current();
    let engine = Engine::new(source, 1);
    let work = move || {
        while !stop.is_cancelled() {
            if let Err(error) = look(&catalog, &engine, &runtime, &stop) {
                tracing::warn!(%error, "cohorts could not be looked at; they stay as they are");
            }
            runtime.block_on(async {
                tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(LOOK) => {} }
            });
        }
    };
    if let Err(error) = std::thread::Builder::new().name("cohorts".to_owned()).spawn(work) {
        tracing::error!(%error, "no thread for cohorts; their stored members will grow old");
    }
}

/// Computes everything that is stale.
fn look(
    catalog: &WebCatalog,
    engine: &Engine,
    runtime: &Handle,
    stop: &CancellationToken,
) -> Result<(), CatalogError> {
    for project in runtime.block_on(catalog.projects())? {
        for cohort in runtime.block_on(catalog.cohorts(project.id))? {
            let latest = runtime.block_on(catalog.latest_seq())?;
            if stop.is_cancelled() {
                return Ok(());
            }
            if is_stale(&cohort, latest, now()) {
                let (info, bytes) = compute(engine, &cohort, latest);
                runtime.block_on(catalog.set_members(cohort.id, &info, &bytes))?;
            }
        }
    }
    Ok(())
}

fn is_stale(cohort: &StoredCohort, latest: CommitSeq, now: Millis) -> bool {
    let Some(known) = &cohort.membership else { return true };
    if known.version != cohort.version {
        return true;
    }
    // A window that moves with the clock changes members without any commit.
    let rest = REST_MS.max(known.took_ms.saturating_mul(REST_TIMES));
    let moved =
        known.seq != latest || known.problem.is_some() || now - known.computed_at >= rest.max(600_000);
    moved && now - known.computed_at >= rest
}

fn compute(engine: &Engine, cohort: &StoredCohort, latest: CommitSeq) -> (MembershipInfo, Vec<u8>) {
    let context = QueryContext::limited(limits::query_memory() / MEMORY_SHARE, TIME_MAX);
    let began = Instant::now();
    let found = engine.compute_cohort(cohort.cohort.project, &cohort.cohort.definition, &context);
    let took_ms = Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
    let info = |seq, size, problem| MembershipInfo {
        version: cohort.version,
        seq,
        computed_at: now(),
        took_ms,
        size,
        problem,
    };
    match found {
        Ok(found) => (info(CommitSeq(found.seq), found.size as u64, None), found.bytes),
        Err(error) => {
            let most = TIME_MAX.as_millis() as Millis;
            let slow = MembershipInfo { took_ms: most, ..info(latest, 0, Some(error.to_string())) };
            (slow, Vec::new())
        }
    }
}

fn now() -> Millis {
    // Before 1970 only a broken clock is.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_catalog::{CohortKind, NewCohort};
    use tallymark_model::ProjectId;

    fn cohort(membership: Option<MembershipInfo>) -> StoredCohort {
        let cohort = NewCohort {
            project: ProjectId(1),
            name: "c".into(),
            kind: CohortKind::Dynamic,
            definition: serde_json::json!({"performed": "buy"}),
            by: "a test".into(),
        };
        StoredCohort { id: 1, cohort, version: 2, made_at: 0, changed_at: 0, membership }
    }

    #[test]
    fn what_is_new_is_looked_at_and_what_was_dear_rests_longer() {
        let of = |version, seq, took_ms| {
            let seq = CommitSeq(seq);
            cohort(Some(MembershipInfo { version, seq, computed_at: 0, took_ms, size: 0, problem: None }))
        };
        let latest = CommitSeq(9);
        assert!(is_stale(&cohort(None), latest, 0));
        assert!(is_stale(&of(1, 9, 0), latest, 0), "the definition changed");
        assert!(!is_stale(&of(2, 8, 0), latest, REST_MS - 1));
        assert!(is_stale(&of(2, 8, 0), latest, REST_MS));
        assert!(!is_stale(&of(2, 9, 0), latest, REST_MS), "no commit since");
        assert!(is_stale(&of(2, 9, 0), latest, 600_000), "but windows move with the clock");
        assert!(!is_stale(&of(2, 8, 10_000), latest, 199_999));
        assert!(is_stale(&of(2, 8, 10_000), latest, 200_000));
    }
}
