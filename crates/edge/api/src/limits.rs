//! What one project's queries may take, and other options that can be changed later.
//!
//! Guarantees: a project may be given less than the instance's limits, never more; what is not set is the instance's.
//! Deliberately not here: the limits of the instance (`state`), holding to them (`admission`, `query`).

use crate::{ApiError, codes};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tallymark_catalog::Project;
use tallymark_model::ProjectId;
use utoipa::ToSchema;

/// What one project's queries may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QueryLimits {
    /// Queries that compute at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    queries_max: Option<u32>,
    /// Longest time a query may compute, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    query_seconds_max: Option<u32>,
    /// Memory that one query may hold, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    query_memory_mb_max: Option<u32>,
    /// Rows that one pass of a query may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    query_rows_max: Option<u64>,
}

/// What is to change about a project; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeProjectBody {
    /// Longest pause within a session, in minutes: 0.1 to 1440. New answers use it for all history.
    session_timeout_min: Option<f64>,
    /// Replaces the project's limits; `{}` takes them off.
    limits: Option<QueryLimits>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub project: ProjectId,
    pub limits: QueryLimits,
}

impl From<ProjectId> for Asker {
    fn from(project: ProjectId) -> Asker {
        Asker { project, limits: QueryLimits::default() }
    }
}

impl From<&Project> for Asker {
    fn from(project: &Project) -> Asker {
        // What is kept was checked when it was set; what another version set and this one cannot read is no limit.
        let limits = serde_json::from_value(project.settings["limits"].clone()).unwrap_or_default();
        Asker { project: project.id, limits }
    }
}

impl QueryLimits {
    /// Queries that compute at one time.
    pub fn queries(self) -> Option<usize> {
        self.queries_max.map(|n| n as usize)
    }
    /// Longest time, of the instance's.
    pub fn time(self, whole: Duration) -> Duration {
        self.query_seconds_max.map_or(whole, |s| whole.min(Duration::from_secs(s.into())))
    }
    /// Memory of one query in bytes.
    pub fn memory(self) -> Option<u64> {
        self.query_memory_mb_max.map(|mb| u64::from(mb) << 20)
    }
    /// Rows of one pass.
    pub fn rows(self) -> Option<u64> {
        self.query_rows_max
    }

    fn check(self) -> Result<(), ApiError> {
        let zero = [
            ("queries_max", self.queries_max.map(u64::from)),
            ("query_seconds_max", self.query_seconds_max.map(u64::from)),
            ("query_memory_mb_max", self.query_memory_mb_max.map(u64::from)),
            ("query_rows_max", self.query_rows_max),
        ];
        match zero.into_iter().find(|(_, value)| *value == Some(0)) {
            Some((key, _)) => {
                let why = format!("`limits.{key}`: 0 would refuse every query; leave it out for no limit");
                Err(ApiError::new(&codes::BAD_SETTING, why))
            }
            None => Ok(()),
        }
    }
}

/// A pause within sessions, if it can be one.
pub(crate) fn session_timeout(minutes: f64) -> Result<Value, ApiError> {
    match (0.1..=1440.0).contains(&minutes) {
        true => Ok(json!(minutes)),
        false => {
            let why = format!("`session_timeout_min`: {minutes} is not between 0.1 and 1440 minutes");
            Err(ApiError::new(&codes::BAD_SETTING, why))
        }
    }
}

impl ChangeProjectBody {
    /// The project's settings after the change.
    pub fn applied(self, settings: &Value) -> Result<Value, ApiError> {
        let mut settings: Map<String, Value> = settings.as_object().cloned().unwrap_or_default();
        if let Some(minutes) = self.session_timeout_min {
            settings.insert("session_timeout_min".to_owned(), session_timeout(minutes)?);
        }
        if let Some(limits) = self.limits {
            limits.check()?;
            match limits == QueryLimits::default() {
                true => drop(settings.shift_remove("limits")),
                false => drop(settings.insert("limits".to_owned(), json!(limits))),
            }
        }
        Ok(Value::Object(settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(settings: Value, change: Value) -> Result<Value, ApiError> {
        serde_json::from_value::<ChangeProjectBody>(change).unwrap().applied(&settings)
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let before = json!({"identity": {"shared_device": "first_user"}, "inactive_events": ["push"]});
        let after =
            changed(before.clone(), json!({"session_timeout_min": 5, "limits": {"queries_max": 1}})).unwrap();
        assert_eq!(after["identity"], before["identity"]);
        assert_eq!(
            (&after["session_timeout_min"], &after["limits"]),
            (&json!(5.0), &json!({"queries_max": 1}))
        );
        let off = changed(after, json!({"limits": {}})).unwrap();
        assert_eq!((off.get("limits"), &off["session_timeout_min"]), (None, &json!(5.0)));
        assert!(changed(json!({}), json!({"session_timeout_min": 0})).is_err());
        assert!(changed(json!({}), json!({"limits": {"query_rows_max": 0}})).is_err());
        assert!(serde_json::from_value::<ChangeProjectBody>(json!({"identity": {}})).is_err());
    }

    #[test]
    fn a_project_has_less_and_never_more() {
        let whole = Duration::from_secs(60);
        let of = |n: u32| QueryLimits { query_seconds_max: Some(n), ..QueryLimits::default() };
        assert_eq!((of(5).time(whole), of(500).time(whole)), (Duration::from_secs(5), whole));
        assert_eq!(QueryLimits::default().time(whole), whole);
    }
}
