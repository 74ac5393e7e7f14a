//! Shapes of operations: jobs, settings, what the watch knows.
//!
//! Guarantees: a secret never appears in an answer; it shows as `{"set": true}`.
//! Deliberately not here: doing the work.
#![allow(missing_docs, reason = "the fields are the wire format; meanings stand in the type's comment")]

use super::books::{IdentityBody, SkippedBody};
use super::rules::DeletedProjectBody;
use crate::ports::{AlertBody, CareBody, EstimateBody, FindingBody, MaintenanceBody};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A job to start. `kind` and `spec`:
/// `skip` `{"ranges":[{lane, partition, from, to}]}`; `replay` the same, no ranges = everything skipped;
/// `reprocess` `{"ranges":[…]}` or `{"received_from","received_to"}`, for all projects or one;
/// `rebuild_state`, `rebuild_identity`, `rebuild_segments` `{}`; `backup` `{"to": url}`; `rehearse` `{"from": url}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewJobBody {
    pub kind: String,
    /// Only this project's events, by id or name.
    pub project: Option<String>,
    #[serde(default)]
    #[schema(value_type = Object)]
    pub spec: Value,
    /// Only report what would happen.
    #[serde(default)]
    pub dry_run: bool,
    #[serde(default)]
    pub reason: String,
    /// The environment's name. `skip` and `reprocess` need it where the environment is protected.
    pub confirm: Option<String>,
}

/// What a job would touch, told at once and without doing anything.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct JobScopeBody {
    pub environment: String,
    pub protected: bool,
    /// True if `confirm` will be asked for.
    pub destructive: bool,
    pub projects: Vec<String>,
    /// Records in the ranges; for `reprocess` by receive time an upper bound.
    pub events: u64,
    pub ranges: Vec<super::books::RangeBody>,
    /// Why it would be refused, if it would.
    pub problem: Option<String>,
}

/// How far a job is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct JobProgressBody {
    pub done: u64,
    pub total: u64,
    pub unit: String,
    pub eta: Option<String>,
    pub note: String,
}

/// A job. `state`: `queued`, `running`, `paused`, `done`, `failed`, `cancelled`; `wish`: `run`, `pause`, `cancel`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct JobBody {
    pub id: String,
    pub kind: String,
    pub project: Option<String>,
    #[schema(value_type = Object)]
    pub spec: Value,
    pub dry_run: bool,
    pub by: String,
    pub reason: String,
    pub state: String,
    pub wish: String,
    pub progress: JobProgressBody,
    #[schema(value_type = Object)]
    pub report: Value,
    pub error: Option<String>,
    pub created_at: String,
    pub started_at: Option<String>,
    pub updated_at: String,
    pub finished_at: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct JobsBody {
    pub jobs: Vec<JobBody>,
}

/// The answer to a preview: the job, and its report once it is done.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PreviewedBody {
    pub job: JobBody,
    /// True if `job.report` is complete; else ask for the job later.
    pub ready: bool,
}

/// The instance at a glance. `identity` is null if the books cannot be read; `problems` counts findings by severity.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OperationsSummaryBody {
    pub environment: String,
    pub protected: bool,
    pub version: String,
    pub commit: Option<u64>,
    pub projects: Vec<String>,
    pub components: Vec<crate::Component>,
    pub identity: Option<IdentityBody>,
    /// Oldest receive time without an outcome; null if there is none or it is unknown.
    pub oldest_unaccounted: Option<String>,
    pub skipped: Vec<SkippedBody>,
    pub problems: ProblemsBody,
    pub unacknowledged: u64,
    pub jobs: Vec<JobBody>,
    pub deleted_projects: Vec<DeletedProjectBody>,
    /// Parts that did not answer, for people.
    pub unknown: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProblemsBody {
    pub critical: u64,
    pub warning: u64,
    pub info: u64,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct FindingsBody {
    pub findings: Vec<FindingBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AlertsBody {
    pub alerts: Vec<AlertBody>,
}

/// An incident with the draft of a report about it, in Markdown.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct IncidentReportBody {
    pub incident: AlertBody,
    pub markdown: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct EstimatesBody {
    pub estimates: Vec<EstimateBody>,
}

/// Backups and rehearsals with their schedule. `results`: all that were made or tried, by schedule or by job, newest
/// first; `backups` and `rehearsals`: those that somebody asked for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BackupsBody {
    #[schema(value_type = Object)]
    pub schedule: Value,
    pub newest_backup: Option<String>,
    pub newest_rehearsal: Option<String>,
    pub results: Vec<CareBody>,
    pub backups: Vec<JobBody>,
    pub rehearsals: Vec<JobBody>,
}

/// Who sends what into a project. `watched_at`: when the watch looked last; null if it never did.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SourcesBody {
    pub sources: Vec<crate::SourceBody>,
    pub watched_at: Option<String>,
}

/// Sources of files, in the order of the server's file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct FilesBody {
    pub files: Vec<crate::FileSourceBody>,
}

/// Whether anybody wants to be told about a source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WatchSourceBody {
    pub watched: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct MaintenancesBody {
    pub maintenances: Vec<MaintenanceBody>,
}

/// A window to announce. `components` by slug; none means all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMaintenanceBody {
    pub name: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub components: Vec<String>,
    pub starts_at: String,
    pub ends_at: String,
}

/// The instance's settings. Secrets are write-only: they show as `{"set": true}`, and sending that back leaves them
/// as they are.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SettingsBody {
    pub environment: String,
    pub protected: bool,
    /// How long the log is kept, and other limits that could forget events.
    #[schema(value_type = Object)]
    pub retention: Value,
    /// Where to and how often: `{"to", "every_hours", "rehearse_every_hours", "keep"}`.
    #[schema(value_type = Object)]
    pub backup: Value,
    /// Who is told: `{"channels":[…], "escalate_after_minutes", …}`.
    #[schema(value_type = Object)]
    pub alerts: Value,
    /// What the public status page shows.
    #[schema(value_type = Object)]
    pub status_page: Value,
}

/// Settings to change; those that are left out stay. Changing `environment` or `protected` of a protected
/// environment needs `confirm`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeSettingsBody {
    pub environment: Option<String>,
    pub protected: Option<bool>,
    #[schema(value_type = Option<Object>)]
    pub retention: Option<Value>,
    #[schema(value_type = Option<Object>)]
    pub backup: Option<Value>,
    #[schema(value_type = Option<Object>)]
    pub alerts: Option<Value>,
    #[schema(value_type = Option<Object>)]
    pub status_page: Option<Value>,
    pub confirm: Option<String>,
}

/// The public status page in the shape of Statuspage v2.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusPageBody {
    pub id: String,
    pub name: String,
    pub url: String,
    pub time_zone: String,
    pub updated_at: String,
}

/// `indicator`: `none`, `minor`, `major`, `critical`, `maintenance`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusIndicatorBody {
    pub indicator: String,
    pub description: String,
}

/// `status`: `operational`, `degraded_performance`, `partial_outage`, `major_outage`, `under_maintenance`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusComponentBody {
    pub id: String,
    pub name: String,
    pub status: String,
    pub description: Option<String>,
    pub group: Option<bool>,
    pub group_id: Option<String>,
    pub position: Option<u32>,
    pub updated_at: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusUpdateBody {
    pub id: String,
    pub status: String,
    pub body: String,
    pub created_at: String,
    pub display_at: Option<String>,
    pub updated_at: Option<String>,
}

/// An incident or a maintenance window. `status`: `investigating`, `identified`, `monitoring`, `resolved`,
/// `postmortem`; `scheduled`, `in_progress`, `verifying`, `completed`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusIncidentBody {
    pub id: String,
    pub name: String,
    pub status: String,
    pub impact: String,
    pub created_at: String,
    pub started_at: Option<String>,
    pub updated_at: Option<String>,
    pub monitoring_at: Option<String>,
    pub resolved_at: Option<String>,
    pub scheduled_for: Option<String>,
    pub scheduled_until: Option<String>,
    pub shortlink: Option<String>,
    pub incident_updates: Vec<StatusUpdateBody>,
    pub components: Vec<StatusComponentBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusSummaryBody {
    pub page: StatusPageBody,
    pub status: StatusIndicatorBody,
    pub components: Vec<StatusComponentBody>,
    pub incidents: Vec<StatusIncidentBody>,
    pub scheduled_maintenances: Vec<StatusIncidentBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusOnlyBody {
    pub page: StatusPageBody,
    pub status: StatusIndicatorBody,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusComponentsBody {
    pub page: StatusPageBody,
    pub components: Vec<StatusComponentBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusIncidentsBody {
    pub page: StatusPageBody,
    pub incidents: Vec<StatusIncidentBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusMaintenancesBody {
    pub page: StatusPageBody,
    pub scheduled_maintenances: Vec<StatusIncidentBody>,
}
