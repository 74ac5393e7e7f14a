//! The ledger page and dead letters.
//!
//! Guarantees: the identity is computed from sums of one commit sequence and the log's own ends, so `balanced` is
//! a statement about the files, not about this code's arithmetic.
//! Deliberately not here: the rules (`ledger`).

use super::{Page, limit};
use crate::access::Access;
use crate::extract::Params;
use crate::schemas::{
    DeadLetterBody, DeadLettersBody, GapBody, IdentityBody, IntervalBody, LaneBody, LedgerBody, ReasonBody,
    TallyBody,
};
use crate::{ApiError, ApiState, BacklogReading, ShardBounds, time};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use std::collections::BTreeMap;
use tallymark_catalog::{Books, Cursor, LedgerRow};
use tallymark_ledger::{Account, GapCause, Tally};
use tallymark_model::{Millis, ProjectId, Shard};

const INTERVALS_MAX: usize = 2_000;

/// Which span of receive time.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LedgerParams {
    /// From this instant or local date on.
    from: Option<String>,
    /// Before this instant, or through this local date.
    to: Option<String>,
}

/// What was acknowledged and what became of it.
#[utoipa::path(get, path = "/api/v1/projects/{project}/ledger", tag = "books", params(LedgerParams), responses(
    (status = 200, body = LedgerBody)))]
pub(crate) async fn ledger(
    State(state): State<ApiState>,
    access: Access,
    Params(params): Params<LedgerParams>,
) -> Result<Json<LedgerBody>, ApiError> {
    let project = access.project()?;
    let from = time::from("from", params.from.as_deref(), &project.timezone)?;
    let to = time::to("to", params.to.as_deref(), &project.timezone)?;
    let log = state.parts.catalog.log_id().await?;
    let books = state.parts.catalog.books(project.id, from, to).await?;
    let cursors: Vec<(Shard, u64)> = books.cursors.iter().map(|c| (c.shard, c.position)).collect();
    let backlog = state.parts.backlog.read(&cursors).await?;
    let as_of = time::now();
    let lanes = lanes(&books.cursors, &backlog.bounds, as_of);
    let instance = instance_identity(&books, &backlog);
    let asked_for_span = from.is_some() || to.is_some();
    let left_out = if asked_for_span { 0 } else { books.rows.len().saturating_sub(INTERVALS_MAX) };
    // Rows come by shard; leaving out means leaving out the oldest.
    let mut rows: Vec<&LedgerRow> = books.rows.iter().collect();
    rows.sort_by_key(|r| (r.received_to, r.interval));
    Ok(Json(LedgerBody {
        log: log.map(|l| l.to_string()),
        commit: books.seq.0,
        as_of: time::iso(as_of),
        complete_through: lanes.iter().map(|l| l.1).min().unwrap_or(Some(as_of)).map(time::iso),
        identity: project_identity(project.id, &books, &backlog, instance.balanced),
        lanes: lanes.into_iter().map(|l| l.0).collect(),
        intervals: rows.into_iter().skip(left_out).map(interval_body).collect(),
        intervals_left_out: left_out as u64,
        gaps: books.anomalies.iter().filter_map(gap_body).collect(),
        instance: access.principal.sees_instance().then_some(instance),
    }))
}

/// Records that could not be stored, newest first, with the bytes that were sent.
#[utoipa::path(get, path = "/api/v1/projects/{project}/dead-letters", tag = "books", params(Page), responses(
    (status = 200, body = DeadLettersBody)))]
pub(crate) async fn dead_letters(
    State(state): State<ApiState>,
    access: Access,
    Params(page): Params<Page>,
) -> Result<Json<DeadLettersBody>, ApiError> {
    let (id, limit) = (access.project()?.id, limit(page.limit)?);
    let found = state.parts.outcomes.dead_letters(id, limit, page.cursor.as_deref()).await?;
    let dead = found
        .dead
        .into_iter()
        .map(|letter| DeadLetterBody {
            lane: letter.position.lane.to_string(),
            partition: letter.position.partition,
            offset: letter.position.offset,
            received_at: time::iso(letter.received_at),
            reason: ReasonBody { code: letter.reason.code, message: letter.reason.message },
            body: String::from_utf8_lossy(&letter.body).into_owned(),
        })
        .collect();
    Ok(Json(DeadLettersBody { dead, next: found.next }))
}

/// Each shard with the instant through which it is complete (`None`: nothing of it is processed yet).
fn lanes(cursors: &[Cursor], bounds: &[ShardBounds], as_of: Millis) -> Vec<(LaneBody, Option<Millis>)> {
    let known: BTreeMap<Shard, &Cursor> = cursors.iter().map(|c| (c.shard, c)).collect();
    bounds
        .iter()
        .map(|b| {
            let cursor = known.get(&b.shard);
            let position = cursor.map_or(0, |c| c.position);
            let pending = b.end.saturating_sub(position);
            let through = if pending == 0 { Some(as_of) } else { cursor.map(|c| c.received_to) };
            let body = LaneBody {
                lane: b.shard.lane.to_string(),
                partition: b.shard.partition,
                start: b.start,
                end: b.end,
                cursor: position,
                pending,
                watermark: through.map(time::iso),
            };
            (body, through)
        })
        .collect()
}

/// Over all projects: the log's ends say how much was acknowledged, the books say what became of it.
fn instance_identity(books: &Books, backlog: &BacklogReading) -> IdentityBody {
    let known: BTreeMap<Shard, u64> = books.cursors.iter().map(|c| (c.shard, c.position)).collect();
    let ends: u64 = backlog.bounds.iter().map(|b| b.end).sum();
    let beyond: u64 =
        backlog.bounds.iter().map(|b| b.end.saturating_sub(known.get(&b.shard).copied().unwrap_or(0))).sum();
    let length = |wanted: fn(&Account) -> bool| -> u64 {
        books.anomalies.iter().filter(|r| wanted(&r.account)).map(|r| r.interval.len()).sum()
    };
    let skipped = length(|a| matches!(a, Account::Skipped { .. }));
    let never_written = length(|a| matches!(a, Account::Lost { cause: GapCause::Hole, .. }));
    let t = books.instance;
    let acknowledged = ends.saturating_sub(t.control + t.hole + never_written);
    let pending = beyond + skipped;
    let balanced = acknowledged == t.visible + t.duplicate + t.filtered + t.dead + pending;
    IdentityBody { acknowledged, ..identity(t, pending, balanced, true) }
}

fn project_identity(
    project: ProjectId,
    books: &Books,
    backlog: &BacklogReading,
    balanced: bool,
) -> IdentityBody {
    let pending = backlog.by_project.get(&project).copied().unwrap_or(0);
    identity(books.project, pending, balanced, backlog.exact)
}

fn identity(t: Tally, pending: u64, balanced: bool, pending_exact: bool) -> IdentityBody {
    IdentityBody {
        acknowledged: t.visible + t.duplicate + t.filtered + t.dead + pending,
        visible: t.visible,
        duplicate: t.duplicate,
        filtered: t.filtered,
        dead: t.dead,
        pending,
        balanced,
        pending_exact,
    }
}

fn interval_body(row: &LedgerRow) -> IntervalBody {
    let (status, reason) = match &row.account {
        Account::Accounted { .. } => ("accounted", None),
        Account::Skipped { by, reason } => ("skipped", Some(format!("{by}: {reason}"))),
        Account::Lost { cause, evidence } => ("lost", Some(format!("{}: {evidence}", cause_name(*cause)))),
    };
    let t = row.tally;
    IntervalBody {
        lane: row.interval.shard.lane.to_string(),
        partition: row.interval.shard.partition,
        from: row.interval.from,
        to: row.interval.to,
        received_from: time::iso(row.received_from),
        received_to: time::iso(row.received_to),
        status: status.to_owned(),
        tally: TallyBody {
            visible: t.visible,
            duplicate: t.duplicate,
            filtered: t.filtered,
            dead: t.dead,
            control: t.control,
            hole: t.hole,
        },
        fingerprint: row.visible.to_string(),
        reason,
    }
}

fn gap_body(row: &LedgerRow) -> Option<GapBody> {
    let Account::Lost { cause, evidence } = &row.account else { return None };
    Some(GapBody {
        lane: row.interval.shard.lane.to_string(),
        partition: row.interval.shard.partition,
        from: row.interval.from,
        to: row.interval.to,
        cause: cause_name(*cause).to_owned(),
        evidence: evidence.clone(),
    })
}

fn cause_name(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Trimmed => "trimmed",
        GapCause::Corrupt => "corrupt",
        GapCause::Missing => "missing",
        GapCause::Hole => "hole",
    }
}
