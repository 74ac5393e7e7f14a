//! Who is affected: the equation of a range and its senders; who sent what by hour.
//!
//! Guarantees: the terms of a range add up to its offsets, or `balanced` says that they do not; senders come from
//! the log's own records, and what could not be read is counted.
//! Deliberately not here: judging whether something is lost (the auditor).

use super::books::gap_body;
use crate::access::Access;
use crate::extract::Params;
use crate::schemas::{
    AccountingBody, AccountingHourBody, ErrorBody, LossReportBody, RangeEquationBody, SenderBody, TallyBody,
};
use crate::{ApiError, ApiState, SenderRow, Senders, codes, time};
use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use tallymark_catalog::{KeyInfo, LedgerRow, token_of};
use tallymark_ledger::{Account, Interval, Tally};
use tallymark_model::{Lane, Millis, ProjectId, Shard};

const HOUR: Millis = 3_600_000;

/// Which range.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RangeParams {
    /// `live` or `bulk`.
    lane: String,
    /// Partition, default 0.
    #[serde(default)]
    partition: u16,
    /// First offset.
    from: u64,
    /// First offset after.
    to: u64,
}

/// Which span of receive time.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccountingParams {
    /// From this instant or local date on; default the last 24 hours.
    from: Option<String>,
    /// Before this instant, or through this local date.
    to: Option<String>,
}

/// Who is affected by a range of the log: its equation, its gaps, and who sent the records.
#[utoipa::path(get, path = "/api/v1/operations/loss-report", tag = "operations", params(RangeParams), responses(
    (status = 200, body = LossReportBody), (status = 400, body = ErrorBody)))]
pub(crate) async fn report(
    State(state): State<ApiState>,
    Params(params): Params<RangeParams>,
) -> Result<Json<LossReportBody>, ApiError> {
    let range = checked(&state, &params).await?;
    let rows = state.parts.catalog.ledger(None, None, None).await?;
    let touched: Vec<&LedgerRow> = rows.iter().filter(|r| r.interval.overlaps(&range)).collect();
    let senders = state.parts.records.senders(&[range]).await?;
    let equation = equation(&state, range, &touched, &senders).await?;
    let times = touched.iter().map(|r| (r.received_from, r.received_to));
    let span = times.reduce(|(f, t), (from, to)| (f.min(from), t.max(to)));
    Ok(Json(LossReportBody {
        lane: params.lane,
        partition: params.partition,
        from: range.from,
        to: range.to,
        equation,
        received_from: span.map(|s| time::iso(s.0)),
        received_to: span.map(|s| time::iso(s.1)),
        gaps: touched.iter().filter_map(|r| gap_body(r)).collect(),
        events_read: senders.events,
        offsets_unread: senders.unread,
        senders: sender_bodies(&state, senders.rows).await?,
    }))
}

/// Who sent what to the project: by lane and hour from the books, by key and minute from the log as far as it
/// still holds the records.
#[utoipa::path(get, path = "/api/v1/projects/{project}/accounting", tag = "books", params(AccountingParams),
    responses((status = 200, body = AccountingBody)))]
pub(crate) async fn accounting(
    State(state): State<ApiState>,
    access: Access,
    Params(params): Params<AccountingParams>,
) -> Result<Json<AccountingBody>, ApiError> {
    let project = access.project()?;
    let from = time::from("from", params.from.as_deref(), &project.timezone)?
        .unwrap_or_else(|| time::now() - 24 * HOUR);
    let to = time::to("to", params.to.as_deref(), &project.timezone)?;
    let rows = state.parts.catalog.ledger(Some(project.id), Some(from), to).await?;
    let mut hours: BTreeMap<(Millis, Lane), Tally> = BTreeMap::new();
    for row in rows.iter().filter(|r| r.tally != Tally::default()) {
        let hour = row.received_from.div_euclid(HOUR) * HOUR;
        *hours.entry((hour, row.interval.shard.lane)).or_default() += row.tally;
    }
    let own: Vec<Interval> =
        rows.iter().filter(|r| r.tally != Tally::default()).map(|r| r.interval).collect();
    let senders = state.parts.records.senders(&own).await?;
    let mine = senders.rows.into_iter().filter(|r| r.project == project.id).collect();
    Ok(Json(AccountingBody {
        hours: hours
            .into_iter()
            .map(|((hour, lane), tally)| AccountingHourBody {
                hour: time::iso(hour),
                lane: lane.to_string(),
                tally: TallyBody::from(tally),
            })
            .collect(),
        senders: sender_bodies(&state, mine).await?,
        events_read: senders.events,
        offsets_unread: senders.unread,
    }))
}

async fn checked(state: &ApiState, params: &RangeParams) -> Result<Interval, ApiError> {
    let lane = Lane::from_name(&params.lane)
        .ok_or_else(|| ApiError::parameter("lane", format!("{:?} is neither live nor bulk", params.lane)))?;
    let shard = Shard { lane, partition: params.partition };
    let bounds = state.parts.backlog.bounds().await?;
    let Some(end) = bounds.iter().find(|b| b.shard == shard).map(|b| b.end) else {
        return Err(ApiError::parameter("partition", format!("the log has no partition {shard}")));
    };
    if params.from >= params.to || params.to > end {
        return Err(ApiError::new(
            &codes::BAD_PARAMETER,
            format!("`from`, `to`: {} to {} is empty or beyond the end at {end}", params.from, params.to),
        ));
    }
    Ok(Interval::new(shard, params.from, params.to))
}

async fn equation(
    state: &ApiState,
    range: Interval,
    rows: &[&LedgerRow],
    senders: &Senders,
) -> Result<RangeEquationBody, ApiError> {
    let mut sum = RangeEquationBody { offsets: range.len(), ..RangeEquationBody::default() };
    let (mut whole, mut cut) = (Tally::default(), Vec::new());
    let mut covered = 0;
    for row in rows {
        let part =
            Interval::new(range.shard, row.interval.from.max(range.from), row.interval.to.min(range.to));
        covered += part.len();
        match &row.account {
            Account::Accounted { tally, .. } if range.encloses(&row.interval) => whole += *tally,
            Account::Accounted { .. } => cut.push(part),
            Account::Skipped { .. } => sum.skipped += part.len(),
            Account::Lost { .. } => sum.lost += part.len(),
        }
    }
    if !cut.is_empty() {
        let mut tally = state.parts.outcomes.count(&cut).await?;
        // Deltas list what became no row, and control records are not among them: the log knows those.
        let control = senders.control.saturating_sub(whole.control).min(tally.visible);
        tally.visible -= control;
        tally.control += control;
        whole += tally;
    }
    sum.visible = whole.visible;
    sum.duplicate = whole.duplicate;
    sum.filtered = whole.filtered;
    sum.dead = whole.dead;
    sum.control = whole.control;
    sum.hole = whole.hole;
    sum.pending = range.len().saturating_sub(covered);
    let total = whole.total() + sum.skipped + sum.lost + sum.pending;
    sum.balanced = total == sum.offsets;
    Ok(sum)
}

/// Rows with the names of their projects and, for write keys, of the key.
async fn sender_bodies(state: &ApiState, rows: Vec<SenderRow>) -> Result<Vec<SenderBody>, ApiError> {
    let names: HashMap<ProjectId, String> =
        state.parts.catalog.projects().await?.into_iter().map(|p| (p.id, p.name)).collect();
    let mut keys: HashMap<ProjectId, HashMap<String, KeyInfo>> = HashMap::new();
    for row in &rows {
        if row.project != ProjectId::UNKNOWN && !keys.contains_key(&row.project) {
            let known = state.parts.catalog.keys(Some(row.project)).await?;
            // Only write keys are kept in clear; secret keys remain a token here.
            let by_token = |k: KeyInfo| Some((token_of(k.clear.as_deref()?).to_string(), k));
            keys.insert(row.project, known.into_iter().filter_map(by_token).collect());
        }
    }
    let body = |row: SenderRow| {
        let key = keys.get(&row.project).and_then(|k| k.get(&row.token));
        let known = row.project != ProjectId::UNKNOWN;
        SenderBody {
            project: known.then(|| row.project.to_string()),
            project_name: names.get(&row.project).cloned(),
            key: key.map(|k| k.id.to_string()),
            key_name: key.map(|k| if k.name.is_empty() { k.prefix.clone() } else { k.name.clone() }),
            token: row.token,
            wire: row.wire,
            minute: time::iso(row.minute),
            events: row.events,
            requests: row.requests,
            receipts: row.ranges.iter().map(receipt).collect(),
        }
    };
    Ok(rows.into_iter().map(body).collect())
}

/// A receipt is a list of positions; this is one for a single range.
fn receipt(range: &Interval) -> String {
    let Interval { shard, from, to } = *range;
    URL_SAFE_NO_PAD.encode(json!([[shard.lane as u8, shard.partition, from, to]]).to_string())
}

impl From<Tally> for TallyBody {
    fn from(t: Tally) -> TallyBody {
        TallyBody {
            visible: t.visible,
            duplicate: t.duplicate,
            filtered: t.filtered,
            dead: t.dead,
            control: t.control,
            hole: t.hole,
        }
    }
}
