//! Rules: what is dropped, blocked, not stored; every version, and since when each decides.
//!
//! Guarantees: what could never be decided is refused here; a rule is tried over stored records before it is
//! switched on; versions are only ever added.
//! Deliberately not here: publishing to the log (`server`), deciding (`processor`).

use super::jobs;
use crate::access::Access;
use crate::extract::{Body, Segments};
use crate::schemas::{ErrorBody, InForceBody, NewRuleBody, PreviewBody, PreviewedBody, RuleBody, RulesBody};
use crate::{ApiError, ApiState, RuleInForce, codes, time};
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tallymark_catalog::{JobKind, NewJob, RuleDocument};
use tallymark_model::{ERASED_RULE, Millis, ProjectId, Rule, RuleAction};
use tallymark_predicate::{Condition, Scope};
use tokio::time::Instant;

const NAME_CHARS_MAX: usize = 100;
const REASON_CHARS_MAX: usize = 500;
/// Names or ids in one rule: the whole rule is a record of the log.
const ENTRIES_MAX: usize = 5_000;
const ENTRY_CHARS_MAX: usize = 1_000;
const DAY: Millis = 86_400_000;
const PREVIEW_WAIT: u64 = 10_000;
const PREVIEW_WAIT_MAX: u64 = 30_000;

#[derive(Debug, Deserialize)]
pub(crate) struct RulePath {
    rule: u32,
}

/// The newest version of each rule of the project.
#[utoipa::path(get, path = "/api/v1/projects/{project}/rules", tag = "rules", responses(
    (status = 200, body = RulesBody)))]
pub(crate) async fn list(State(state): State<ApiState>, access: Access) -> Result<Json<RulesBody>, ApiError> {
    let project = access.project()?.id;
    let documents = state.parts.catalog.rules(project).await?;
    answer(&state, project, documents).await
}

/// Adds a rule. It decides from the position on at which the log carries it; no stored event changes.
#[utoipa::path(post, path = "/api/v1/projects/{project}/rules", tag = "rules", request_body = NewRuleBody, responses(
    (status = 201, body = RuleBody), (status = 400, body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<ApiState>,
    access: Access,
    Body(new): Body<NewRuleBody>,
) -> Result<(StatusCode, Json<RuleBody>), ApiError> {
    Ok((StatusCode::CREATED, Json(put(&state, &access, 0, new).await?)))
}

/// Adds a version of a rule; `enabled: false` switches it off.
#[utoipa::path(put, path = "/api/v1/projects/{project}/rules/{rule}", tag = "rules", request_body = NewRuleBody,
    responses((status = 200, body = RuleBody), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn update(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<RulePath>,
    Body(new): Body<NewRuleBody>,
) -> Result<Json<RuleBody>, ApiError> {
    known(&state, access.project()?.id, path.rule).await?;
    Ok(Json(put(&state, &access, path.rule, new).await?))
}

/// Every version of a rule, oldest first, with the positions from which on it decided.
#[utoipa::path(get, path = "/api/v1/projects/{project}/rules/{rule}/versions", tag = "rules", responses(
    (status = 200, body = RulesBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn versions(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<RulePath>,
) -> Result<Json<RulesBody>, ApiError> {
    let project = access.project()?.id;
    let documents = known(&state, project, path.rule).await?;
    answer(&state, project, documents).await
}

/// Tries a rule over the records that are still in the log or its archive, without switching it on. Answers with
/// the report if it is ready soon, else with the job to ask for.
#[utoipa::path(post, path = "/api/v1/projects/{project}/rules/preview", tag = "rules", request_body = PreviewBody,
    responses((status = 200, body = PreviewedBody), (status = 202, body = PreviewedBody),
        (status = 400, body = ErrorBody)))]
pub(crate) async fn preview(
    State(state): State<ApiState>,
    access: Access,
    Body(asked): Body<PreviewBody>,
) -> Result<(StatusCode, Json<PreviewedBody>), ApiError> {
    let project = access.project()?;
    check_action(&asked.action)?;
    let version = match asked.id {
        Some(id) => known(&state, project.id, id).await?.last().map_or(1, |d| d.rule.version + 1),
        None => 1,
    };
    let now = time::now();
    let from = time::from("from", asked.from.as_deref(), &project.timezone)?.unwrap_or(now - DAY);
    let to = time::to("to", asked.to.as_deref(), &project.timezone)?.unwrap_or(now);
    let rule = Rule {
        // A rule that is only tried has the last number that a rule can have.
        id: asked.id.unwrap_or(ERASED_RULE - 1),
        project: project.id,
        version,
        name: "preview".to_owned(),
        enabled: true,
        by: access.principal.actor(),
        reason: String::new(),
        made_at: now,
        action: asked.action,
    };
    let job = NewJob {
        kind: JobKind::Reprocess,
        project: Some(project.id),
        spec: json!({"rule": rule, "received_from": from, "received_to": to}),
        dry_run: true,
        by: access.principal.actor(),
        reason: "preview of a rule".to_owned(),
    };
    let mut job = state.parts.catalog.create_job(job).await?;
    let wait = Duration::from_millis(asked.wait_ms.unwrap_or(PREVIEW_WAIT).min(PREVIEW_WAIT_MAX));
    let until = Instant::now() + wait;
    while !job.state.is_final() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if let Some(now) = state.parts.catalog.job(job.id).await? {
            job = now;
        }
    }
    let ready = job.state.is_final();
    let status = if ready { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(PreviewedBody { job: jobs::body_of(job), ready })))
}

async fn put(state: &ApiState, access: &Access, id: u32, new: NewRuleBody) -> Result<RuleBody, ApiError> {
    let project = access.project()?.id;
    check(&new)?;
    let rule = Rule {
        id,
        project,
        version: 0,
        name: new.name.trim().to_owned(),
        enabled: new.enabled,
        by: access.principal.actor(),
        reason: new.reason,
        made_at: time::now(),
        action: new.action,
    };
    // The catalog writes the line of the audit trail in the same transaction.
    let document = state.parts.catalog.put_rule(rule).await?;
    Ok(body_of(document, &[], usize::MAX))
}

async fn known(state: &ApiState, project: ProjectId, id: u32) -> Result<Vec<RuleDocument>, ApiError> {
    let versions = state.parts.catalog.rule_versions(id).await?;
    if versions.iter().any(|d| d.rule.project == project) {
        return Ok(versions);
    }
    Err(ApiError::new(&codes::NO_RULE, format!("there is no rule {id} in this project")))
}

async fn answer(
    state: &ApiState,
    project: ProjectId,
    documents: Vec<RuleDocument>,
) -> Result<Json<RulesBody>, ApiError> {
    let in_force = state.parts.in_force.rules(project).await?;
    let shards = state.parts.backlog.bounds().await?.len();
    let rules = documents.into_iter().map(|d| body_of(d, &in_force, shards)).collect();
    Ok(Json(RulesBody { rules }))
}

fn body_of(document: RuleDocument, in_force: &[RuleInForce], shards: usize) -> RuleBody {
    let RuleDocument { rule, published_at } = document;
    let found = in_force.iter().find(|f| f.rule == rule.id && f.version == rule.version);
    let since = found.map(|f| f.since.as_slice()).unwrap_or_default();
    let state = match published_at {
        _ if since.len() >= shards => "in_force",
        None => "unpublished",
        Some(_) => "published",
    };
    RuleBody {
        id: rule.id,
        version: rule.version,
        name: rule.name,
        enabled: rule.enabled,
        by: rule.by,
        reason: rule.reason,
        made_at: time::iso(rule.made_at),
        action: rule.action,
        published_at: published_at.map(time::iso),
        state: state.to_owned(),
        in_force: since
            .iter()
            .map(|p| InForceBody {
                lane: p.lane.to_string(),
                partition: p.partition,
                offset: p.offset,
                position: p.to_string(),
            })
            .collect(),
        problem: found.and_then(|f| f.broken.clone()),
    }
}

fn bad(why: impl Into<String>) -> ApiError {
    ApiError::new(&codes::BAD_RULE, why)
}

fn check(new: &NewRuleBody) -> Result<(), ApiError> {
    let chars = new.name.trim().chars().count();
    if chars == 0 || chars > NAME_CHARS_MAX {
        return Err(bad(format!("`name`: a rule's name has 1 to {NAME_CHARS_MAX} characters")));
    }
    if new.reason.chars().count() > REASON_CHARS_MAX {
        return Err(bad(format!("`reason`: it has more than {REASON_CHARS_MAX} characters")));
    }
    check_action(&new.action)
}

fn check_action(action: &RuleAction) -> Result<(), ApiError> {
    let texts = |place: &str, list: &[String]| {
        if list.len() > ENTRIES_MAX {
            return Err(bad(format!("`action.{place}`: more than {ENTRIES_MAX} entries")));
        }
        match list.iter().position(|t| t.is_empty() || t.chars().count() > ENTRY_CHARS_MAX) {
            Some(i) => Err(bad(format!("`action.{place}[{i}]`: 1 to {ENTRY_CHARS_MAX} characters"))),
            None => Ok(()),
        }
    };
    match action {
        RuleAction::Drop { events, conditions } => {
            texts("events", events)?;
            if events.is_empty() && conditions.is_empty() {
                return Err(bad("`action`: without names and conditions it would drop everything"));
            }
            conditions.iter().enumerate().try_for_each(|(i, c)| check_condition(c, i))
        }
        RuleAction::Block { devices, users } => {
            texts("devices", devices)?;
            texts("users", users)?;
            if devices.is_empty() && users.is_empty() {
                return Err(bad("`action`: name at least one device or user"));
            }
            Ok(())
        }
        RuleAction::Properties { deny, allow } => {
            texts("deny", deny)?;
            texts("allow", allow.as_deref().unwrap_or_default())
        }
        RuleAction::Settings { .. } => Ok(()),
    }
}

/// A record is decided by itself: a condition can look at the event only.
fn check_condition(condition: &serde_json::Value, i: usize) -> Result<(), ApiError> {
    let place = format!("action.conditions[{i}]");
    let parsed = Condition::parse(condition, &place).map_err(|e| bad(e.to_string()))?;
    let compiled = parsed.compile().map_err(|e| bad(e.to_string()))?;
    match compiled.properties().iter().find(|p| p.scope != Scope::Event) {
        Some(other) => Err(bad(format!("`{place}`: `{}` is not a property of the event", other.scope))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drop_if(conditions: serde_json::Value) -> RuleAction {
        serde_json::from_value(json!({"type": "drop", "events": ["Play"], "conditions": conditions})).unwrap()
    }

    #[test]
    fn conditions_look_at_the_event_only() {
        let good = json!([{"property": "price", "op": "gt", "value": 5}]);
        check_action(&drop_if(good)).unwrap();
        for wrong in [
            json!([{"scope": "user", "property": "plan", "op": "is", "value": "free"}]),
            json!([{"property": "price", "op": "resembles", "value": 5}]),
            json!([{"cohort": 7}]),
            json!([7]),
        ] {
            assert!(check_action(&drop_if(wrong.clone())).is_err_and(|e| e.is(&codes::BAD_RULE)), "{wrong}");
        }
    }

    #[test]
    fn a_rule_that_would_take_everything_or_nothing_is_refused() {
        for action in
            [json!({"type": "drop"}), json!({"type": "block"}), json!({"type": "drop", "events": [""]})]
        {
            let parsed: RuleAction = serde_json::from_value(action.clone()).unwrap();
            assert!(check_action(&parsed).is_err(), "{action}");
        }
        check_action(&RuleAction::Properties { deny: vec!["email".into()], allow: None }).unwrap();
    }
}
