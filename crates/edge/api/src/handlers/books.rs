//! The ledger page.
//!
//! Guarantees: the identity is computed from sums of one commit sequence and the log's own ends, so `balanced` is
//! a statement about the files, not about this code's arithmetic.
//! Deliberately not here: the rules (`ledger`).

use super::outcomes::{cause_name, job_of, origin_name};
use crate::access::Access;
use crate::extract::Params;
use crate::schemas::{
    ConflictHourBody, ConflictsBody, GapBody, HeldBackBody, HeldBackRowBody, IdentityBody, IntervalBody,
    LaneBody, LedgerBody, RestatementBody, SkippedBody, TallyBody,
};
use crate::{ApiError, ApiState, BacklogReading, HeldBack, ShardBounds, time};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use std::collections::BTreeMap;
use tallymark_catalog::{Books, Cursor, LedgerRow, RestatedRow};
use tallymark_ledger::{Account, GapCause, Interval, Part, Tally};
use tallymark_model::{Millis, ProjectId, Shard};

const INTERVALS_MAX: usize = 2_000;
const RESTATEMENTS_MAX: usize = 200;
const HOUR: Millis = 3_600_000;

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
    let skipped: Vec<Interval> = books
        .anomalies
        .iter()
        .filter(|r| matches!(r.account, Account::Skipped { .. }))
        .map(|r| r.interval)
        .collect();
    let backlog = state.parts.backlog.read(&cursors, &skipped).await?;
    let restated = state.parts.catalog.restatements(from, to, RESTATEMENTS_MAX).await?;
    // The books are shown although the fold cannot be read; what stands beside them is then said to be unknown.
    let held_back = state.parts.in_force.held_back(project.id).await.map_err(|error| {
        tracing::warn!(%error, "refused and throttled events are not known");
    });
    let conflicts = state.parts.watch.conflicts(project.id).await.map_err(|error| {
        tracing::warn!(%error, "conflicting duplicates are not known");
    });
    let as_of = time::now();
    let lanes = lanes(&books.cursors, &backlog.bounds, as_of);
    let instance = instance_identity(books.instance, &cursors, &books.anomalies, &backlog.bounds);
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
        skipped: books.anomalies.iter().filter_map(skipped_body).collect(),
        restatements: restated.iter().filter_map(|row| restatement_body(project.id, row)).collect(),
        held_back: held_back.map_or_else(|()| HeldBackBody::default(), |rows| held_back_body(rows, from, to)),
        conflicts: conflicts.ok().map(conflicts_body),
        instance: access.principal.sees_instance().then_some(instance),
    }))
}

fn conflicts_body((total, hours): (u64, Vec<(Millis, u64)>)) -> ConflictsBody {
    let body = |(hour, count)| ConflictHourBody { hour: time::iso(hour), count };
    ConflictsBody { total, hours: hours.into_iter().map(body).collect() }
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
            // A time of 0: nothing was received here yet, only rules were published.
            let received = cursor.map(|c| c.received_to).filter(|at| *at > 0);
            let through = if pending == 0 { Some(as_of) } else { received };
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
pub(crate) fn instance_identity(
    t: Tally,
    cursors: &[(Shard, u64)],
    anomalies: &[LedgerRow],
    bounds: &[ShardBounds],
) -> IdentityBody {
    let known: BTreeMap<Shard, u64> = cursors.iter().copied().collect();
    let ends: u64 = bounds.iter().map(|b| b.end).sum();
    let beyond: u64 =
        bounds.iter().map(|b| b.end.saturating_sub(known.get(&b.shard).copied().unwrap_or(0))).sum();
    let length = |wanted: fn(&Account) -> bool| -> u64 {
        anomalies.iter().filter(|r| wanted(&r.account)).map(|r| r.interval.len()).sum()
    };
    let skipped = length(|a| matches!(a, Account::Skipped { .. }));
    let never_written = length(|a| matches!(a, Account::Lost { cause: GapCause::Hole, .. }));
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
    IntervalBody {
        lane: row.interval.shard.lane.to_string(),
        partition: row.interval.shard.partition,
        from: row.interval.from,
        to: row.interval.to,
        received_from: time::iso(row.received_from),
        received_to: time::iso(row.received_to),
        status: status.to_owned(),
        tally: TallyBody::from(row.tally),
        fingerprint: row.visible.to_string(),
        reason,
    }
}

pub(crate) fn gap_body(row: &LedgerRow) -> Option<GapBody> {
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

pub(crate) fn skipped_body(row: &LedgerRow) -> Option<SkippedBody> {
    let Account::Skipped { by, reason } = &row.account else { return None };
    Some(SkippedBody {
        lane: row.interval.shard.lane.to_string(),
        partition: row.interval.shard.partition,
        from: row.interval.from,
        to: row.interval.to,
        received_from: time::iso(row.received_from),
        received_to: time::iso(row.received_to),
        by: by.clone(),
        reason: reason.clone(),
    })
}

/// The project's part of a replaced account; `None` if it has none.
fn restatement_body(project: ProjectId, row: &RestatedRow) -> Option<RestatementBody> {
    let r = &row.restatement;
    let part = |parts: &[Part]| parts.iter().find(|(p, ..)| *p == project).map(|(_, tally, _)| *tally);
    let (was, now) = (part(&r.was_parts), part(&r.now_parts));
    if was.is_none() && now.is_none() {
        return None;
    }
    let records = now.or(was).map_or(0, |t| t.total());
    let was_accounted = matches!(r.was, Account::Accounted { .. });
    Some(RestatementBody {
        commit: row.seq.0,
        at: time::iso(row.at),
        origin: origin_name(&row.origin).to_owned(),
        job: job_of(&row.origin),
        lane: r.interval.shard.lane.to_string(),
        partition: r.interval.shard.partition,
        from: r.interval.from,
        to: r.interval.to,
        records,
        was: was_accounted.then(|| was.unwrap_or_default().into()),
        now: now.unwrap_or_default().into(),
    })
}

fn held_back_body(rows: Vec<HeldBack>, from: Option<Millis>, to: Option<Millis>) -> HeldBackBody {
    let mut body = HeldBackBody { known: true, ..HeldBackBody::default() };
    for row in rows {
        if from.is_some_and(|from| row.hour + HOUR <= from) || to.is_some_and(|to| row.hour >= to) {
            continue;
        }
        let (kind, sum) =
            if row.throttled { ("throttled", &mut body.throttled) } else { ("refused", &mut body.refused) };
        *sum += row.count;
        body.rows.push(HeldBackRowBody {
            hour: time::iso(row.hour),
            kind: kind.to_owned(),
            reason: row.reason,
            count: row.count,
        });
    }
    body
}
