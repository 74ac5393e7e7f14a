//! Settings of the instance.
//!
//! Guarantees: a secret never leaves again (S23): it shows as `{"set": true}`, and sending that back keeps it;
//! taking the protection off a protected environment needs its name.
//! Deliberately not here: what the settings do.

use crate::access::Access;
use crate::environment::{self, Environment};
use crate::extract::Body;
use crate::schemas::{ChangeSettingsBody, ErrorBody, SettingsBody};
use crate::{ApiError, ApiState, codes};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

/// Members whose value is a secret, wherever they stand.
const SECRETS: [&str; 9] = [
    "secret",
    "secrets",
    "password",
    "token",
    "key",
    "access_key",
    "secret_key",
    "secret_access_key",
    "passphrase",
];
/// Members that are a secret in an alert channel: a webhook's address lets anybody post there.
const HOOK: &str = "url";

/// The instance's settings, without secrets.
#[utoipa::path(get, path = "/api/v1/operations/settings", tag = "operations", responses(
    (status = 200, body = SettingsBody)))]
pub(crate) async fn get(State(state): State<ApiState>) -> Result<Json<SettingsBody>, ApiError> {
    Ok(Json(read(&state).await?))
}

/// Changes settings.
#[utoipa::path(put, path = "/api/v1/operations/settings", tag = "operations", request_body = ChangeSettingsBody,
    responses((status = 200, body = SettingsBody), (status = 400, body = ErrorBody), (status = 428, body = ErrorBody)))]
pub(crate) async fn change(
    State(state): State<ApiState>,
    access: Access,
    Body(asked): Body<ChangeSettingsBody>,
) -> Result<Json<SettingsBody>, ApiError> {
    let current = Environment::read(&state).await?;
    let touches_protection = asked.environment.as_ref().is_some_and(|e| *e != current.name)
        || asked.protected.is_some_and(|p| p != current.protected);
    if touches_protection || asked.confirm.is_some() {
        current.confirm(asked.confirm.as_deref())?;
    }
    let mut changes: Vec<(&str, Value)> = Vec::new();
    if let Some(name) = asked.environment {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !plain || name.is_empty() || name.len() > 60 {
            return Err(bad("`environment`: 1 to 60 letters, digits, `-`, `_`, `.`"));
        }
        changes.push((environment::NAME, name.into()));
    }
    if let Some(protected) = asked.protected {
        changes.push((environment::PROTECTION, protected.into()));
    }
    for (key, value) in [
        ("retention", asked.retention),
        ("backup", asked.backup),
        ("alerts", asked.alerts),
        ("status_page", asked.status_page),
    ] {
        let Some(value) = value else { continue };
        if !value.is_object() {
            return Err(bad(format!("`{key}`: expected an object")));
        }
        let before = state.parts.catalog.setting(key).await?.unwrap_or(Value::Null);
        let value = kept_secrets(value, &before);
        let refused = |why: String| bad(format!("`{key}`: {why}"));
        state.parts.watch.check(key, &value).map_err(refused)?;
        let value = state.parts.watch.stored(key, value).map_err(refused)?;
        changes.push((key, value));
    }
    for (key, value) in changes {
        if state.parts.catalog.setting(key).await?.as_ref() == Some(&value) {
            continue;
        }
        state.parts.catalog.set_setting(key, &value).await?;
        let shown = redacted(value).to_string();
        let shown: String = shown.chars().take(300).collect();
        state.audit(&access, "setting.change", &format!("{key} {shown}")).await?;
    }
    Ok(Json(read(&state).await?))
}

/// The rules of throttling that the collector obeys.
#[utoipa::path(get, path = "/api/v1/operations/throttle", tag = "operations", responses((status = 200, body = Object)))]
pub(crate) async fn throttle(State(state): State<ApiState>) -> Result<Json<Value>, ApiError> {
    Ok(Json(state.parts.control.throttle_rules().await?))
}

/// Replaces the rules of throttling; they are in force when this is answered.
#[utoipa::path(put, path = "/api/v1/operations/throttle", tag = "operations", request_body = Object, responses(
    (status = 200, body = Object), (status = 400, body = ErrorBody)))]
pub(crate) async fn set_throttle(
    State(state): State<ApiState>,
    access: Access,
    Body(rules): Body<Value>,
) -> Result<Json<Value>, ApiError> {
    if let Err(why) = state.parts.control.set_throttle_rules(&rules).await? {
        return Err(bad(why));
    }
    state.audit(&access, "throttle.change", &rules.to_string().chars().take(300).collect::<String>()).await?;
    Ok(Json(state.parts.control.throttle_rules().await?))
}

async fn read(state: &ApiState) -> Result<SettingsBody, ApiError> {
    let Environment { name, protected } = Environment::read(state).await?;
    let mut body = SettingsBody {
        environment: name,
        protected,
        retention: json!({}),
        backup: json!({}),
        alerts: json!({}),
        status_page: json!({}),
    };
    for (key, value) in state.parts.catalog.settings().await? {
        let slot = match key.as_str() {
            "retention" => &mut body.retention,
            "backup" => &mut body.backup,
            "alerts" => &mut body.alerts,
            "status_page" => &mut body.status_page,
            _ => continue,
        };
        *slot = redacted(value);
    }
    Ok(body)
}

fn bad(why: impl Into<String>) -> ApiError {
    ApiError::new(&codes::BAD_SETTING, why)
}

fn set() -> Value {
    json!({"set": true})
}

fn is_secret(name: &str, value: &Value) -> bool {
    SECRETS.contains(&name) || (name == HOOK && value.is_string())
}

/// A setting as it may be shown.
pub(crate) fn redacted(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let secret = is_secret(&name, &value) && !value.is_null();
                let shown = if secret { set() } else { redacted(value) };
                (name, shown)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(redacted).collect(),
        Value::String(text) => without_password(text).into(),
        other => other,
    }
}

/// An address such as `s3://key:secret@bucket` without what stands before the `@`.
fn without_password(text: String) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    match rest.split('/').next().unwrap_or_default().rsplit_once('@') {
        Some((login, _)) => format!("{scheme}://…{}", &rest[login.len()..]),
        None => text,
    }
}

/// A new value in which `{"set": true}` stands for the secret that was there before. Items of lists belong together
/// by their `name`, else by their place.
fn kept_secrets(new: Value, before: &Value) -> Value {
    if new == set() {
        return before.clone();
    }
    match new {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let kept = kept_secrets(value, &before[&name]);
                (name, kept)
            })
            .collect(),
        Value::Array(items) => items
            .into_iter()
            .enumerate()
            .map(|(i, item)| {
                let same_name = |old: &&Value| item["name"].is_string() && old["name"] == item["name"];
                let old =
                    before.as_array().and_then(|list| list.iter().find(same_name).or_else(|| list.get(i)));
                let old = old.cloned().unwrap_or(Value::Null);
                kept_secrets(item, &old)
            })
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alerts() -> Value {
        json!({"channels": [
            {"name": "pager", "target": {"webhook": {"url": "https://hooks.example/abc", "secrets": ["s1", "s2"]}}},
            {"name": "mail", "target": {"email": {"host": "mx", "password": "hunter22", "to": ["a@b"]}}},
        ], "escalate_after_minutes": 10})
    }

    #[test]
    fn secrets_do_not_leave() {
        let shown = redacted(alerts()).to_string();
        for secret in ["hooks.example", "s1", "s2", "hunter22"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("pager") && shown.contains("mx") && shown.contains("a@b"));
        assert_eq!(redacted(json!({"to": "s3://id:pw@bucket/x"})), json!({"to": "s3://…@bucket/x"}));
        assert_eq!(redacted(json!({"to": "file:/backups"})), json!({"to": "file:/backups"}));
    }

    #[test]
    fn what_is_sent_back_as_it_was_shown_changes_nothing() {
        assert_eq!(kept_secrets(redacted(alerts()), &alerts()), alerts());
        let mut turned = redacted(alerts());
        turned["channels"].as_array_mut().unwrap().reverse();
        let kept = kept_secrets(turned, &alerts());
        assert_eq!(kept["channels"][0]["target"]["email"]["password"], "hunter22");
        assert_eq!(kept_secrets(json!({"password": {"set": true}}), &Value::Null)["password"], Value::Null);
    }
}
