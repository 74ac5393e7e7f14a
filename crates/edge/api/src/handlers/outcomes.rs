//! What became of one record, and what filtered it since when.
//!
//! Guarantees: a record of another project answers like one that does not exist; the rule is named in the version
//! that decided the record, not in today's.
//! Deliberately not here: reading deltas and log (ports).

use super::letters::position;
use crate::access::Access;
use crate::extract::Params;
use crate::schemas::{ErrorBody, FilteredByBody, OutcomeBody, OutcomesBody, ReasonBody};
use crate::{ApiError, ApiState, RecordHead, Verdict, codes, time};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tallymark_catalog::Origin;
use tallymark_ledger::{Account, GapCause};
use tallymark_model::{ERASED_RULE, Outcome, Position, ProjectId};

const FOUND_MAX: usize = 20;

/// Which record.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OutcomeParams {
    /// `lane/partition@offset`, such as `live/0@123`.
    position: Option<String>,
    /// Or the insert id it was sent with; searched among the newest records of the log.
    insert_id: Option<String>,
}

/// What became of a record: its outcome, the rule that filtered it and since when, the witness it duplicates.
#[utoipa::path(get, path = "/api/v1/projects/{project}/outcomes", tag = "books", params(OutcomeParams), responses(
    (status = 200, body = OutcomesBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    access: Access,
    Params(params): Params<OutcomeParams>,
) -> Result<Json<OutcomesBody>, ApiError> {
    let project = access.project()?.id;
    let operator = access.principal.sees_instance();
    let heads = match (&params.position, &params.insert_id) {
        (Some(text), None) => {
            let position = position("position", text)?;
            let head = state.parts.records.head(position).await?;
            vec![(position, head)]
        }
        (None, Some(id)) => {
            let found = state.parts.records.find(project, id, FOUND_MAX).await?;
            found.into_iter().map(|head| (head.position, Some(head))).collect()
        }
        _ => return Err(ApiError::parameter("position", "give either a position or an insert_id")),
    };
    let mut outcomes = Vec::new();
    for (position, head) in heads {
        outcomes.extend(one(&state, project, operator, position, head).await?);
    }
    if outcomes.is_empty() {
        let asked = params.position.or(params.insert_id).unwrap_or_default();
        return Err(ApiError::new(
            &codes::NO_RECORD,
            format!("there is no record {asked:?} in this project"),
        ));
    }
    Ok(Json(OutcomesBody { outcomes }))
}

/// `None` if there is no such record, or it is not for the caller.
async fn one(
    state: &ApiState,
    project: ProjectId,
    operator: bool,
    position: Position,
    head: Option<RecordHead>,
) -> Result<Option<OutcomeBody>, ApiError> {
    let verdict = state.parts.outcomes.of(position).await?;
    let is_control = head.as_ref().is_some_and(|h| h.control.is_some());
    let owner = verdict.as_ref().and_then(|v| v.project).or(head.as_ref().and_then(|h| h.project));
    // Without an owner (control records, rows whose record is gone) only operators may look.
    let may_look = owner == Some(project) || (owner.is_none() && operator);
    if !may_look || (head.is_none() && verdict.is_none()) {
        return Ok(None);
    }
    let mut body = OutcomeBody {
        position: position.to_string(),
        outcome: "pending".to_owned(),
        received_at: None,
        event: None,
        insert_id: None,
        witness: None,
        reason: None,
        rule: None,
        commit: None,
        decided_at: None,
        origin: None,
        decisions: 0,
    };
    if let Some(head) = head {
        body.received_at = (head.received_at != 0).then(|| time::iso(head.received_at));
        (body.event, body.insert_id) = (head.event, head.insert_id);
    }
    match verdict {
        Some(verdict) => decided(state, project, position, verdict, is_control, &mut body).await?,
        None => undecided(state, position, &mut body).await?,
    }
    Ok(Some(body))
}

async fn decided(
    state: &ApiState,
    project: ProjectId,
    position: Position,
    verdict: Verdict,
    is_control: bool,
    body: &mut OutcomeBody,
) -> Result<(), ApiError> {
    body.commit = Some(verdict.commit.0);
    body.decided_at = Some(time::iso(verdict.decided_at));
    body.origin = Some(origin_name(&verdict.origin).to_owned());
    body.decisions = verdict.decisions;
    body.received_at = body.received_at.take().or(verdict.received_at.map(time::iso));
    let name = match &verdict.outcome {
        Outcome::Visible if is_control => "control",
        Outcome::Visible => "visible",
        Outcome::Control => "control",
        Outcome::Hole => "hole",
        Outcome::Duplicate { witness } => {
            body.witness = Some(witness.to_string());
            "duplicate"
        }
        Outcome::Dead { reason } => {
            body.reason = Some(ReasonBody { code: reason.code.clone(), message: reason.message.clone() });
            "dead"
        }
        Outcome::Filtered { rule } => {
            body.rule = Some(filtered_by(state, project, position, *rule, &verdict).await?);
            "filtered"
        }
    };
    body.outcome = name.to_owned();
    Ok(())
}

/// Nothing decided it: it is pending, or the books say why not.
async fn undecided(state: &ApiState, position: Position, body: &mut OutcomeBody) -> Result<(), ApiError> {
    let at = body.received_at.as_deref().and_then(tallymark_query::parse_instant);
    let rows = state.parts.catalog.ledger(None, at, at.map(|at| at + 1)).await?;
    let Some(row) = rows.iter().find(|r| r.interval.contains(position)) else { return Ok(()) };
    let (name, code, message) = match &row.account {
        Account::Accounted { .. } => return Ok(()),
        Account::Skipped { by, reason } => ("skipped", "skipped", format!("{by}: {reason}")),
        Account::Lost { cause, evidence } => ("lost", cause_name(*cause), evidence.clone()),
    };
    body.outcome = name.to_owned();
    body.reason = Some(ReasonBody { code: code.to_owned(), message });
    Ok(())
}

async fn filtered_by(
    state: &ApiState,
    project: ProjectId,
    position: Position,
    rule: u32,
    verdict: &Verdict,
) -> Result<FilteredByBody, ApiError> {
    if rule == ERASED_RULE {
        return Ok(FilteredByBody {
            id: rule,
            version: None,
            name: "the person was erased".to_owned(),
            by: None,
            reason: None,
            made_at: None,
            since: None,
            enabled: None,
        });
    }
    let in_force = state.parts.in_force.rules(project).await?;
    let documents = state.parts.catalog.rule_versions(rule).await?;
    // A reprocess decides with the rules of its own time; everything else with those in force at the record.
    let reprocessed = matches!(verdict.origin, Origin::Reprocess { .. });
    let since = in_force
        .iter()
        .filter(|f| f.rule == rule)
        .filter_map(|f| {
            let since = f.since.iter().find(|p| p.shard() == position.shard())?;
            let made_at = documents.iter().find(|d| d.rule.version == f.version).map(|d| d.rule.made_at);
            let decides = if reprocessed {
                made_at.is_none_or(|at| at <= verdict.decided_at)
            } else {
                since.offset <= position.offset
            };
            decides.then_some((f.version, *since))
        })
        .max_by_key(|(version, _)| *version);
    let version = since.map(|(version, _)| version);
    let document = match version {
        Some(version) => documents.iter().find(|d| d.rule.version == version),
        None => documents.last(),
    };
    Ok(FilteredByBody {
        id: rule,
        version,
        name: document.map_or_else(|| format!("rule {rule}"), |d| d.rule.name.clone()),
        by: document.map(|d| d.rule.by.clone()),
        reason: document.map(|d| d.rule.reason.clone()),
        made_at: document.map(|d| time::iso(d.rule.made_at)),
        since: since.map(|(_, position)| position.to_string()),
        enabled: document.map(|d| d.rule.enabled),
    })
}

pub(crate) fn origin_name(origin: &Origin) -> &'static str {
    match origin {
        Origin::Live => "live",
        Origin::Skip { .. } => "skip",
        Origin::Replay { .. } => "replay",
        Origin::Reprocess { .. } => "reprocess",
        Origin::Compaction => "compaction",
        Origin::Repair { .. } => "repair",
    }
}

/// The job behind a commit.
pub(crate) fn job_of(origin: &Origin) -> Option<i64> {
    match origin {
        Origin::Skip { job } | Origin::Replay { job } | Origin::Reprocess { job } => Some(*job),
        Origin::Repair { job } => (*job != 0).then_some(*job),
        Origin::Live | Origin::Compaction => None,
    }
}

pub(crate) fn cause_name(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Trimmed => "trimmed",
        GapCause::Corrupt => "corrupt",
        GapCause::Missing => "missing",
        GapCause::Hole => "hole",
    }
}
