//! What the watch knows: findings, alerts, estimates, maintenance, and the public status documents.
//!
//! Guarantees: plain data; everything here can be answered while catalog and log are gone.
//! Deliberately not here: watching (`monitor`), storage.
#![allow(missing_docs, reason = "the fields are the wire format; meanings stand in the type's comment")]

use super::PortError;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The public documents of the status page, in the shape of Statuspage v2, and its feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusDocument {
    Summary,
    Status,
    Components,
    Incidents,
    UnresolvedIncidents,
    Maintenances,
    UpcomingMaintenances,
    ActiveMaintenances,
    Rss,
    Atom,
    /// Everything on the page, in one document of our own.
    Page,
}

/// Where in the log, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AffectedBody {
    pub lane: Option<String>,
    pub partition: Option<u16>,
    pub from: Option<u64>,
    pub to: Option<u64>,
    pub received_from: Option<String>,
    pub received_to: Option<String>,
    pub count: Option<u64>,
}

/// One thing that is not as it should be. `severity`: `info`, `warning`, `critical`; `impact` is what users notice:
/// `none`, `minor`, `major`, `critical`; `runbook` is a page of the documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FindingBody {
    pub id: String,
    pub monitor: String,
    pub severity: String,
    pub impact: String,
    pub title: String,
    pub detail: String,
    pub component: String,
    pub projects: Vec<String>,
    pub affected: Vec<AffectedBody>,
    pub since: String,
    pub runbook: String,
}

/// An incident as operators see it, with the alerts that went out for it. `status`: `investigating`, `identified`,
/// `monitoring`, `resolved`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertBody {
    pub id: String,
    pub title: String,
    pub severity: String,
    pub impact: String,
    pub status: String,
    pub opened_at: String,
    pub resolved_at: Option<String>,
    pub acknowledged_at: Option<String>,
    pub acknowledged_by: Option<String>,
    /// Monitors that speak of it.
    pub findings: Vec<FindingBody>,
    pub deliveries: Vec<DeliveryBody>,
}

/// One message to one receiver. `state`: `waiting`, `delivered`, `failed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryBody {
    pub channel: String,
    /// What it told: `opened`, `update:7`, `reminder:2`, `escalated:1`.
    pub reason: String,
    pub at: String,
    pub state: String,
    pub error: Option<String>,
}

/// When a backlog will be worked off: the middle estimate with its range. `actual` and `error` are told once it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EstimateBody {
    pub lane: Option<String>,
    pub partition: Option<u16>,
    pub at: String,
    pub backlog: u64,
    /// Events per second.
    pub drain_rate: Option<f64>,
    pub eta: Option<String>,
    pub earliest: Option<String>,
    pub latest: Option<String>,
    pub actual: Option<String>,
    /// (eta - actual) / (actual - at), once known.
    pub error: Option<f64>,
}

/// A backup or a rehearsal that was made or tried. `kind`: `backup`, `rehearsal`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CareBody {
    pub kind: String,
    pub at: String,
    pub ok: bool,
    pub error: Option<String>,
    #[schema(value_type = Object)]
    pub report: serde_json::Value,
}

/// What one library sends under one key in one protocol over one lane. `state`: `as_usual`, `learning` (not seen for long
/// enough to know what is usual), `quiet` (no events, which is usual or nobody can tell), `silent`, `less`, `more` (far
/// less or far more than usual), `import` (ends on purpose), `key_ended`, `not_watched`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceBody {
    pub id: String,
    /// Name of the key and its first characters.
    pub key: String,
    pub protocol: String,
    /// What the library calls itself, if it does.
    pub library: Option<String>,
    pub library_version: Option<String>,
    /// `live` or `bulk`.
    pub lane: String,
    pub state: String,
    /// False: nobody is told if it falls silent.
    pub watched: bool,
    pub first_event: String,
    pub last_event: String,
    /// Events per minute in the last five whole minutes.
    pub rate: f64,
    /// Events per minute in the hour before the last half hour, or before the last event.
    pub usual_rate: f64,
    /// What is usual at this time on other days, in events per minute: the lower and the higher figure.
    pub other_days: Option<Vec<f64>>,
    /// Events of each of the last 60 minutes, oldest first; the last one has not ended.
    pub minutes: Vec<u64>,
}

/// A bucket or folder whose files become events. `state`: `new`, `working`, `waiting` (the server takes no rows now),
/// `failing` (its last round ended early), `idle`. Objects are named a few of many.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FileSourceBody {
    pub name: String,
    pub from: String,
    /// What a row is, or `mapped`.
    pub format: String,
    pub state: String,
    /// Objects that are there and match, and how many of them are taken.
    pub objects: u64,
    pub done: u64,
    pub failed: Vec<FailedObjectBody>,
    /// Objects that changed after they were taken.
    pub changed: Vec<String>,
    /// Objects whose name says nothing about their kind.
    pub unknown: Vec<String>,
    /// Rows that were taken and refused, in all.
    pub rows: u64,
    pub rejected: u64,
    /// While a round is under way.
    pub rows_per_second: Option<f64>,
    /// Seconds until the round ends, as far as anybody knows.
    pub seconds_left: Option<f64>,
    pub last_object: Option<String>,
    pub last_object_at: Option<String>,
    /// When the last round began.
    pub looked_at: Option<String>,
    /// Why the last round ended early, or what the server says.
    pub reason: Option<String>,
}

/// An object that cannot be read to its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FailedObjectBody {
    pub object: String,
    pub reason: String,
}

/// The sources of a project.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourcesReading {
    pub sources: Vec<SourceBody>,
    /// When the watch looked last; `None` if it never did.
    pub watched_at: Option<String>,
}

/// A planned interruption. `status`: `scheduled`, `in_progress`, `completed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MaintenanceBody {
    pub id: String,
    pub name: String,
    pub message: String,
    pub components: Vec<String>,
    pub starts_at: String,
    pub ends_at: String,
    pub status: String,
}

/// A maintenance window to announce or change. Components are slugs.
#[derive(Debug, Clone, PartialEq)]
pub struct Maintenance {
    pub name: String,
    pub message: String,
    /// Components by slug; none means all.
    pub components: Vec<String>,
    pub starts_at: tallymark_model::Millis,
    pub ends_at: tallymark_model::Millis,
}

/// What the watch knows.
#[async_trait]
pub trait Watch: Send + Sync {
    /// A public document, as text.
    async fn document(&self, document: StatusDocument) -> Result<String, PortError>;
    /// Whether those who read this setting could use it; the error says why not.
    fn check(&self, setting: &str, value: &serde_json::Value) -> Result<(), String>;
    /// The setting as it is to be stored: with its secrets encrypted. The error says why that cannot be done.
    fn stored(&self, setting: &str, value: serde_json::Value) -> Result<serde_json::Value, String> {
        let _ = setting;
        Ok(value)
    }
    /// Duplicates of a project whose content is another than their original's: in all, and the newest hours of receipt.
    async fn conflicts(
        &self,
        project: tallymark_model::ProjectId,
    ) -> Result<(u64, Vec<(tallymark_model::Millis, u64)>), PortError>;
    /// What is wrong now.
    async fn findings(&self) -> Result<Vec<FindingBody>, PortError>;
    /// Who sends what into a project, the newest event first.
    async fn sources(&self, project: tallymark_model::ProjectId) -> Result<SourcesReading, PortError>;
    /// Buckets and folders whose files become events of a project, by its id or name.
    async fn files(&self, project: &[String]) -> Result<Vec<FileSourceBody>, PortError>;
    /// Whether anybody is told if a source falls silent. False: there is no such source in the project.
    async fn watch_source(
        &self,
        project: tallymark_model::ProjectId,
        id: &str,
        watched: bool,
        by: &str,
    ) -> Result<bool, PortError>;
    /// A source ended: it is forgotten. False: there is no such source in the project.
    async fn end_source(
        &self,
        project: tallymark_model::ProjectId,
        id: &str,
        by: &str,
    ) -> Result<bool, PortError>;
    /// The newest incidents, newest first.
    async fn alerts(&self, limit: usize) -> Result<Vec<AlertBody>, PortError>;
    /// What there is to report about an incident, as Markdown, with the incident. `None`: there is no such incident.
    async fn report(&self, id: &str) -> Result<Option<(AlertBody, String)>, PortError>;
    /// Somebody looks after an incident; nobody else is told. False: there is no such open incident.
    async fn acknowledge(&self, id: &str, by: &str) -> Result<bool, PortError>;
    /// The newest estimates, newest first, with what became of them.
    async fn estimates(&self, limit: usize) -> Result<Vec<EstimateBody>, PortError>;
    /// Backups and rehearsals that were made or tried, newest first.
    async fn care(&self, limit: usize) -> Result<Vec<CareBody>, PortError>;
    /// Maintenance windows, latest first.
    async fn maintenances(&self) -> Result<Vec<MaintenanceBody>, PortError>;
    /// Announces a window, or changes one. `None`: there is no such window.
    async fn put_maintenance(
        &self,
        id: Option<&str>,
        window: &Maintenance,
        by: &str,
    ) -> Result<Option<MaintenanceBody>, PortError>;
    /// Takes a window back. False: there is none.
    async fn drop_maintenance(&self, id: &str) -> Result<bool, PortError>;
}
