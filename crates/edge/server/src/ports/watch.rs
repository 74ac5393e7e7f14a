//! What the watch knows, from its own database.
//!
//! Guarantees: opened when it is first needed, and independent of catalog and log; the public documents are those
//! that the monitor crate makes, with the settings that the operator gave.
//! Deliberately not here: watching.

use super::files::Files;
use super::log_handle::port;
use crate::Layout;
use crate::secrets::Secrets;
use async_trait::async_trait;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tallymark_api::{
    AffectedBody, AlertBody, CareBody, DeliveryBody, EstimateBody, FileSourceBody, FindingBody, Maintenance,
    MaintenanceBody, PortError, SourceBody, SourcesReading, StatusDocument, Watch,
};
use tallymark_catalog::Instance;
use tallymark_model::{Millis, ProjectId};
use tallymark_monitor::checks::SourceState;
use tallymark_monitor::config::{AlertConfig, PublicConfig};
use tallymark_monitor::status::{self, StatusPage};
use tallymark_monitor::store::{
    CareKind, CareResult, Delivery, DeliveryState, EtaRun, MaintenanceState, SourceRow,
};
use tallymark_monitor::{Component, Finding, Incident, MonitorError, WatchConfig, WatchStore};
use tallymark_recovery::{Floors, Retention};
use tokio::sync::OnceCell;

/// Hours of conflicts that are told one by one.
const CONFLICT_HOURS: u32 = 200;
/// Minutes of a source that are told one by one.
const MINUTES_SHOWN: usize = 60;
const WHAT: &str = "the watch";
/// Windows that ended longer ago are not listed.
const MAINTENANCE_KEPT: Millis = 90 * 86_400_000;

/// Reads and writes `watch.db`.
pub struct WatchNotes {
    path: PathBuf,
    store: OnceCell<WatchStore>,
    settings: Arc<dyn Instance>,
    secrets: Secrets,
    files: Files,
    /// The last good public settings: the page must not depend on the catalog.
    public: Mutex<PublicConfig>,
}

impl WatchNotes {
    /// Over the file of this folder, which may not exist yet.
    pub fn new(layout: &Layout, settings: Arc<dyn Instance>) -> WatchNotes {
        let secrets = Secrets::of(layout);
        // A file that cannot be read is the watch role's to complain about.
        let public = Mutex::new(secrets.watch_toml().0.public);
        WatchNotes {
            path: layout.watch(),
            store: OnceCell::new(),
            settings,
            secrets,
            files: Files::new(layout),
            public,
        }
    }

    async fn store(&self) -> Result<&WatchStore, PortError> {
        self.store
            .get_or_try_init(|| async { WatchStore::open(&self.path).await })
            .await
            .map_err(|e| port(WHAT, e))
    }

    async fn public(&self) -> PublicConfig {
        if let Ok(Some(value)) = self.settings.setting("status_page").await
            && let Ok(config) = serde_json::from_value::<PublicConfig>(value)
        {
            *self.public.lock().unwrap_or_else(PoisonError::into_inner) = config;
        }
        self.public.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Watch for WatchNotes {
    async fn document(&self, document: StatusDocument) -> Result<String, PortError> {
        let config = self.public().await;
        let page = StatusPage::load(self.store().await?, &config, now()).await.map_err(|e| port(WHAT, e))?;
        let json = |value: Value| Ok(value.to_string());
        match document {
            StatusDocument::Summary => json(status::summary(&page)),
            StatusDocument::Status => json(status::status(&page)),
            StatusDocument::Components => json(status::components(&page)),
            StatusDocument::Incidents => json(status::incidents(&page)),
            StatusDocument::UnresolvedIncidents => json(status::unresolved(&page)),
            StatusDocument::Maintenances => json(status::maintenances(&page)),
            StatusDocument::UpcomingMaintenances => json(status::maintenances_upcoming(&page)),
            StatusDocument::ActiveMaintenances => json(status::maintenances_active(&page)),
            StatusDocument::Rss => Ok(status::rss(&page)),
            StatusDocument::Atom => Ok(status::atom(&page)),
            StatusDocument::Page => serde_json::to_string(&page).map_err(|e| port(WHAT, e)),
        }
    }

    fn check(&self, setting: &str, value: &Value) -> Result<(), String> {
        let mut config = WatchConfig::default();
        match setting {
            "alerts" => {
                let (alerts, locked) = self.secrets.opened(value.clone());
                let alerts = serde_json::from_value::<AlertConfig>(alerts).map_err(|e| e.to_string())?;
                // Secrets that do not open (a check says so) are typed again one by one: until then only the shape
                // can be looked at.
                if locked.is_empty() {
                    config.alerts = alerts;
                }
            }
            "status_page" => {
                config.public =
                    serde_json::from_value::<PublicConfig>(value.clone()).map_err(|e| e.to_string())?;
            }
            "retention" => {
                let retention =
                    serde_json::from_value::<Retention>(value.clone()).map_err(|e| e.to_string())?;
                return retention.check(&Floors::default()).map_err(|e| e.to_string());
            }
            "backup" => return check_plan(value),
            _ => return Ok(()),
        }
        config.check().map_err(|e| e.to_string())
    }

    fn stored(&self, setting: &str, value: Value) -> Result<Value, String> {
        if setting == "alerts" { self.secrets.sealed(value) } else { Ok(value) }
    }

    async fn findings(&self) -> Result<Vec<FindingBody>, PortError> {
        let found = self.store().await?.findings().await.map_err(|e| port(WHAT, e))?;
        Ok(found.into_iter().map(|(finding, _)| finding_body(&finding)).collect())
    }

    async fn sources(&self, project: ProjectId) -> Result<SourcesReading, PortError> {
        let store = self.store().await?;
        let mut rows = store.sources(Some(project)).await.map_err(|e| port(WHAT, e))?;
        let choices = store.source_choices().await.map_err(|e| port(WHAT, e))?;
        let looked = store.snapshot().await.map_err(|e| port(WHAT, e))?;
        rows.sort_by_key(|row| std::cmp::Reverse(row.heard.last()));
        let watched = |id: &String| choices.get(id).is_none_or(|c| c.watched);
        Ok(SourcesReading {
            sources: rows.iter().map(|row| source_body(row, watched(&row.source.id), now())).collect(),
            watched_at: looked.map(|snapshot| iso(snapshot.at)),
        })
    }

    async fn files(&self, project: &[String]) -> Result<Vec<FileSourceBody>, PortError> {
        self.files.of(project)
    }

    async fn watch_source(
        &self,
        project: ProjectId,
        id: &str,
        watched: bool,
        by: &str,
    ) -> Result<bool, PortError> {
        self.store().await?.watch_source(project, id, watched, by).await.map_err(|e| port(WHAT, e))
    }

    async fn end_source(&self, project: ProjectId, id: &str, by: &str) -> Result<bool, PortError> {
        self.store().await?.end_source(project, id, by, now()).await.map_err(|e| port(WHAT, e))
    }

    async fn alerts(&self, limit: usize) -> Result<Vec<AlertBody>, PortError> {
        let store = self.store().await?;
        let incidents = store.incidents(limit as u32).await.map_err(|e| port(WHAT, e))?;
        let mut alerts = Vec::with_capacity(incidents.len());
        for incident in incidents {
            let deliveries = store.deliveries(&incident.id).await.map_err(|e| port(WHAT, e))?;
            alerts.push(alert_body(incident, deliveries));
        }
        Ok(alerts)
    }

    async fn conflicts(&self, project: ProjectId) -> Result<(u64, Vec<(Millis, u64)>), PortError> {
        let store = self.store().await?;
        let all = store.conflicts_in_all(Some(project)).await.map_err(|e| port(WHAT, e))?;
        Ok((all, store.conflicts(project, CONFLICT_HOURS).await.map_err(|e| port(WHAT, e))?))
    }

    async fn report(&self, id: &str) -> Result<Option<(AlertBody, String)>, PortError> {
        let store = self.store().await?;
        let Some(incident) = store.incident(id).await.map_err(|e| port(WHAT, e))? else { return Ok(None) };
        let deliveries = store.deliveries(id).await.map_err(|e| port(WHAT, e))?;
        let text = status::report(store, id, now()).await.map_err(|e| port(WHAT, e))?;
        Ok(text.map(|text| (alert_body(incident, deliveries), text)))
    }

    async fn acknowledge(&self, id: &str, by: &str) -> Result<bool, PortError> {
        let store = self.store().await?;
        match store.incident(id).await.map_err(|e| port(WHAT, e))? {
            Some(incident) if incident.is_open() => {}
            _ => return Ok(false),
        }
        match store.acknowledge(id, by, "", now()).await {
            Ok(()) => Ok(true),
            Err(MonitorError::NotFound { .. }) => Ok(false),
            Err(error) => Err(port(WHAT, error)),
        }
    }

    async fn estimates(&self, limit: usize) -> Result<Vec<EstimateBody>, PortError> {
        let store = self.store().await?;
        let runs = store.eta_runs(limit.min(200) as u32).await.map_err(|e| port(WHAT, e))?;
        let mut all: Vec<(Millis, EstimateBody)> = runs.iter().flat_map(estimates_of).collect();
        all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        all.truncate(limit);
        Ok(all.into_iter().map(|(_, body)| body).collect())
    }

    async fn care(&self, limit: usize) -> Result<Vec<CareBody>, PortError> {
        let store = self.store().await?;
        let mut all = Vec::new();
        for kind in [CareKind::Backup, CareKind::Rehearsal] {
            all.extend(store.care(kind, limit as u32).await.map_err(|e| port(WHAT, e))?);
        }
        all.sort_by_key(|r| std::cmp::Reverse(r.at));
        all.truncate(limit);
        Ok(all.into_iter().map(care_body).collect())
    }

    async fn maintenances(&self) -> Result<Vec<MaintenanceBody>, PortError> {
        let since = now() - MAINTENANCE_KEPT;
        let mut windows = self.store().await?.maintenance(since).await.map_err(|e| port(WHAT, e))?;
        windows.sort_by_key(|w| std::cmp::Reverse(w.starts_at));
        Ok(windows.into_iter().map(maintenance_body).collect())
    }

    async fn put_maintenance(
        &self,
        id: Option<&str>,
        window: &Maintenance,
        by: &str,
    ) -> Result<Option<MaintenanceBody>, PortError> {
        let store = self.store().await?;
        let known = store.maintenance(Millis::MIN).await.map_err(|e| port(WHAT, e))?;
        let before = id.and_then(|id| known.iter().find(|w| w.id == id));
        if id.is_some() && before.is_none() {
            return Ok(None);
        }
        let mut components: Vec<Component> =
            window.components.iter().filter_map(|slug| Component::from_slug(slug)).collect();
        if window.components.is_empty() {
            components = Component::all();
        }
        let mut announced = tallymark_monitor::store::Maintenance {
            id: id.unwrap_or_default().to_owned(),
            title: window.name.clone(),
            text: window.message.clone(),
            components,
            starts_at: window.starts_at,
            ends_at: window.ends_at,
            by: by.to_owned(),
            created_at: before.map_or_else(now, |b| b.created_at),
        };
        announced.id = store.put_maintenance(&announced).await.map_err(|e| port(WHAT, e))?;
        Ok(Some(maintenance_body(announced)))
    }

    async fn drop_maintenance(&self, id: &str) -> Result<bool, PortError> {
        self.store().await?.delete_maintenance(id).await.map_err(|e| port(WHAT, e))
    }
}

/// `{"to", "every_hours", "rehearse_every_hours"}`, as the watch reads it.
fn check_plan(value: &Value) -> Result<(), String> {
    for (name, value) in value.as_object().into_iter().flatten() {
        let fits = match name.as_str() {
            "to" => value.is_null() || value.as_str().is_some_and(|to| !to.trim().is_empty()),
            "every_hours" | "rehearse_every_hours" => value.as_f64().is_some_and(|hours| hours > 0.0),
            _ => return Err(format!("unknown field `{name}`")),
        };
        if !fits {
            return Err(format!("`{name}`: {value} cannot be used"));
        }
    }
    Ok(())
}

fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

fn iso(at: Millis) -> String {
    status::rfc3339(at)
}

/// Enumerations are shown under the names they have in JSON.
fn name(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn finding_body(finding: &Finding) -> FindingBody {
    let affected = finding.affected.iter().map(|a| AffectedBody {
        lane: a.interval.map(|i| i.shard.lane.to_string()),
        partition: a.interval.map(|i| i.shard.partition),
        from: a.interval.map(|i| i.from),
        to: a.interval.map(|i| i.to),
        received_from: a.received.map(|r| iso(r.0)),
        received_to: a.received.map(|r| iso(r.1)),
        count: a.count,
    });
    FindingBody {
        id: finding.id(),
        monitor: finding.monitor.slug().to_owned(),
        severity: name(finding.severity),
        impact: name(finding.impact),
        title: finding.title.clone(),
        detail: finding.detail.clone(),
        component: finding.component.slug(),
        projects: finding.projects.iter().map(ToString::to_string).collect(),
        affected: affected.collect(),
        since: iso(finding.since),
        runbook: format!("runbooks/{}.md", finding.runbook()),
    }
}

/// As the watch judged it in its last round, unless somebody has just decided otherwise.
fn source_body(row: &SourceRow, watched: bool, now: Millis) -> SourceBody {
    let v = row.heard.volume(now);
    let state = match row.state {
        SourceState::NotWatched if watched => SourceState::AsUsual,
        SourceState::KeyEnded => SourceState::KeyEnded,
        _ if !watched => SourceState::NotWatched,
        state => state,
    };
    SourceBody {
        id: row.source.id.clone(),
        key: row.source.key.clone(),
        protocol: row.source.protocol.clone(),
        library: row.source.library.clone(),
        library_version: row.source.version.clone(),
        lane: row.source.lane.name().to_owned(),
        state: state.name().to_owned(),
        watched,
        first_event: iso(v.first),
        last_event: iso(v.last),
        rate: rate(row, now),
        usual_rate: v.usual_per_minute,
        other_days: v.other_days.map(|days| vec![days.low, days.high]),
        minutes: row.heard.minutes(now, MINUTES_SHOWN),
    }
}

/// Events per minute in the last whole minutes; of a source that has just begun, since it did.
fn rate(row: &SourceRow, now: Millis) -> f64 {
    let v = row.heard.volume(now);
    let age = now - v.first;
    if age > v.recent_ms {
        return v.recent as f64 / minutes(v.recent_ms);
    }
    let all: u64 = row.heard.minutes(now, MINUTES_SHOWN).iter().sum();
    all as f64 / minutes(age).max(1.0)
}

fn minutes(ms: Millis) -> f64 {
    ms as f64 / 60_000.0
}

fn alert_body(incident: Incident, deliveries: Vec<Delivery>) -> AlertBody {
    let delivery = |d: Delivery| DeliveryBody {
        state: match d.state() {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Sent => "delivered",
            DeliveryState::Failed => "failed",
        }
        .to_owned(),
        channel: d.channel,
        reason: d.reason,
        at: iso(d.sent_at.unwrap_or(d.created_at)),
        error: d.error,
    };
    AlertBody {
        title: incident.title.clone(),
        severity: name(incident.severity),
        impact: name(incident.impact),
        status: name(incident.state),
        opened_at: iso(incident.opened_at),
        resolved_at: incident.resolved_at.map(iso),
        acknowledged_at: incident.acknowledged.as_ref().map(|a| iso(a.at)),
        acknowledged_by: incident.acknowledged.as_ref().map(|a| a.by.clone()),
        findings: incident.findings.iter().map(|f| finding_body(&f.finding)).collect(),
        deliveries: deliveries.into_iter().map(delivery).collect(),
        id: incident.id,
    }
}

fn estimates_of(run: &EtaRun) -> impl Iterator<Item = (Millis, EstimateBody)> {
    run.points.iter().map(|point| {
        let body = EstimateBody {
            lane: Some(run.lane.to_string()),
            partition: Some(point.worst.partition),
            at: iso(point.at),
            backlog: point.backlog,
            drain_rate: Some(point.drain_per_s),
            eta: point.ends_at.map(|e| iso(e.1)),
            earliest: point.ends_at.map(|e| iso(e.0)),
            latest: point.ends_at.map(|e| iso(e.2)),
            actual: run.drained_at.map(iso),
            error: point.error,
        };
        (point.at, body)
    })
}

fn care_body(result: CareResult) -> CareBody {
    CareBody {
        kind: name(result.kind),
        at: iso(result.at),
        ok: result.ok,
        error: result.report["error"].as_str().map(str::to_owned),
        report: result.report,
    }
}

fn maintenance_body(window: tallymark_monitor::store::Maintenance) -> MaintenanceBody {
    let status = match window.state(now()) {
        MaintenanceState::Scheduled => "scheduled",
        MaintenanceState::InProgress => "in_progress",
        MaintenanceState::Completed => "completed",
    };
    MaintenanceBody {
        id: window.id,
        name: window.title,
        message: window.text,
        components: window.components.iter().map(|c| c.slug()).collect(),
        starts_at: iso(window.starts_at),
        ends_at: iso(window.ends_at),
        status: status.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
    use tallymark_monitor::store::Maintenance as Window;

    async fn notes(dir: &std::path::Path) -> WatchNotes {
        let catalog = SqliteCatalog::open(&dir.join("catalog.db"), OpenMode::Create).await.unwrap();
        WatchNotes::new(&Layout::new(dir), Arc::new(catalog))
    }

    #[test]
    fn a_young_source_has_a_rate_at_once_and_an_old_one_that_of_whole_minutes() {
        let at = 600 * 60_000;
        let mut row = SourceRow {
            source: tallymark_monitor::facts::Source {
                id: "a".into(),
                project: ProjectId(1),
                lane: tallymark_model::Lane::Live,
                key: "k".into(),
                protocol: "PostHog".into(),
                library: None,
                version: None,
            },
            token: tallymark_model::ProjectToken([1; 16]),
            heard: tallymark_monitor::sources::Heard::new(at),
            state: SourceState::Learning,
            silent_after: None,
            key_ended: false,
        };
        row.heard.hear(at, 30);
        assert_eq!(rate(&row, at + 5_000), 30.0);
        assert_eq!(rate(&row, at + 120_000), 15.0);
        (1..20).for_each(|n| row.heard.hear(at + n * 60_000, 7));
        assert_eq!(rate(&row, at + 20 * 60_000), 7.0);
        let body = source_body(&row, false, at + 20 * 60_000);
        assert_eq!((body.state.as_str(), body.minutes.iter().sum::<u64>()), ("not_watched", 30 + 19 * 7));
    }

    #[tokio::test]
    async fn settings_that_nobody_could_use_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let notes = notes(dir.path()).await;
        for (setting, good) in [
            ("retention", json!({"days": 14.0})),
            ("backup", json!({"to": "file:/b", "every_hours": 1})),
            ("alerts", json!({"escalate_after_minutes": 5.0})),
            ("status_page", json!({"name": "Shop"})),
        ] {
            assert_eq!(notes.check(setting, &good), Ok(()), "{setting}");
        }
        for (setting, bad) in [
            ("retention", json!({"days": 0.0007})),
            ("retention", json!({"dayz": 30.0})),
            ("backup", json!({"to": ""})),
            ("backup", json!({"where": "/b"})),
            ("alerts", json!({"escalate_after_minutes": 0.0})),
            ("status_page", json!({"hidden_components": ["moon"]})),
        ] {
            assert!(notes.check(setting, &bad).is_err(), "{setting} {bad}");
        }
    }

    #[tokio::test]
    async fn every_public_document_is_there_before_the_watch_ever_ran() {
        use StatusDocument::*;
        let dir = tempfile::tempdir().unwrap();
        let notes = notes(dir.path()).await;
        notes.settings.set_setting("status_page", &json!({"name": "Shop"})).await.unwrap();
        let json = [
            Summary,
            Status,
            Components,
            Incidents,
            UnresolvedIncidents,
            Maintenances,
            UpcomingMaintenances,
            ActiveMaintenances,
            Page,
        ];
        for document in json {
            let text = notes.document(document).await.unwrap();
            let parsed: Value = serde_json::from_str(&text).unwrap();
            assert!(parsed.is_object() && text.contains("Shop"), "{document:?}: {text}");
        }
        assert!(notes.document(Rss).await.unwrap().contains("<rss"));
        assert!(notes.document(Atom).await.unwrap().contains("<feed"));
    }

    #[tokio::test]
    async fn windows_are_announced_changed_and_called_off() {
        let dir = tempfile::tempdir().unwrap();
        let notes = notes(dir.path()).await;
        let window = Maintenance {
            name: "disks".into(),
            message: String::new(),
            components: vec!["collection".into()],
            starts_at: now() + 60_000,
            ends_at: now() + 120_000,
        };
        let made = notes.put_maintenance(None, &window, "me").await.unwrap().unwrap();
        assert_eq!(
            (made.status.as_str(), made.components.as_slice()),
            ("scheduled", &["collection".to_owned()][..])
        );
        let longer = Maintenance { ends_at: now() + 900_000, ..window.clone() };
        let changed = notes.put_maintenance(Some(&made.id), &longer, "me").await.unwrap().unwrap();
        assert_eq!(changed.id, made.id);
        assert_eq!(notes.maintenances().await.unwrap().len(), 1);
        assert!(notes.put_maintenance(Some("nothing"), &window, "me").await.unwrap().is_none());
        assert!(notes.drop_maintenance(&made.id).await.unwrap());
        assert!(!notes.drop_maintenance(&made.id).await.unwrap());
        let kept: Vec<Window> = notes.store().await.unwrap().maintenance(0).await.unwrap();
        assert!(kept.is_empty());
    }
}
