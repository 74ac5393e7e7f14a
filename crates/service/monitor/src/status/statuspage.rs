//! The page in the shape of Statuspage's API, version 2, which many tools read.
//!
//! Guarantees: field names, states and formats of time are Statuspage's; what it has no field for is left out here
//! and stands in the product's own API.
//! Deliberately not here: routes (`/status/api/v2/{summary,status,components,incidents,…}.json`).

use super::{ComponentView, IncidentView, StatusPage, UpdateView, rfc3339};
use crate::Impact;
use crate::store::{Maintenance, MaintenanceState};
use serde_json::json;
use tallymark_model::Value;

const PAGE_ID: &str = "tallymark";

/// `status.json`.
pub fn status(page: &StatusPage) -> Value {
    json!({"page": head(page), "status": indicator(page)})
}

/// `components.json`.
pub fn components(page: &StatusPage) -> Value {
    json!({"page": head(page), "components": all_components(page)})
}

/// `incidents.json`.
pub fn incidents(page: &StatusPage) -> Value {
    json!({"page": head(page), "incidents": select_incidents(page, |_| true)})
}

/// `incidents/unresolved.json`.
pub fn unresolved(page: &StatusPage) -> Value {
    json!({"page": head(page), "incidents": select_incidents(page, |i| i.resolved_at.is_none())})
}

/// `scheduled-maintenances.json`.
pub fn maintenances(page: &StatusPage) -> Value {
    json!({"page": head(page), "scheduled_maintenances": select_windows(page, |_| true)})
}

/// `scheduled-maintenances/upcoming.json`.
pub fn maintenances_upcoming(page: &StatusPage) -> Value {
    let windows = select_windows(page, |state| state == MaintenanceState::Scheduled);
    json!({"page": head(page), "scheduled_maintenances": windows})
}

/// `scheduled-maintenances/active.json`.
pub fn maintenances_active(page: &StatusPage) -> Value {
    let windows = select_windows(page, |state| state == MaintenanceState::InProgress);
    json!({"page": head(page), "scheduled_maintenances": windows})
}

/// `summary.json`: everything that matters now.
pub fn summary(page: &StatusPage) -> Value {
    json!({
        "page": head(page),
        "status": indicator(page),
        "components": all_components(page),
        "incidents": select_incidents(page, |i| i.resolved_at.is_none()),
        "scheduled_maintenances": select_windows(page, |state| state != MaintenanceState::Completed),
    })
}

fn head(page: &StatusPage) -> Value {
    json!({
        "id": PAGE_ID,
        "name": page.name,
        "url": page.url,
        "time_zone": page.time_zone,
        "updated_at": rfc3339(page.watched_at.unwrap_or(page.at)),
    })
}

fn indicator(page: &StatusPage) -> Value {
    json!({"indicator": page.indicator, "description": page.description})
}

fn all_components(page: &StatusPage) -> Vec<Value> {
    page.components.iter().enumerate().map(|(i, c)| component(page, c, i + 1)).collect()
}

fn component(page: &StatusPage, component: &ComponentView, position: usize) -> Value {
    let parts: Vec<&String> =
        page.components.iter().filter(|c| c.group.as_ref() == Some(&component.id)).map(|c| &c.id).collect();
    let mut value = json!({
        "id": component.id,
        "name": component.name,
        "status": component.state,
        "created_at": rfc3339(component.since),
        "updated_at": rfc3339(component.since),
        "position": position,
        "description": null,
        "showcase": true,
        "start_date": component.uptime.days.iter().find(|d| d.1.is_some()).map(|d| &d.0),
        "group_id": component.group,
        "page_id": PAGE_ID,
        "group": !parts.is_empty(),
        "only_show_if_degraded": false,
    });
    if !parts.is_empty() {
        value["components"] = json!(parts);
    }
    value
}

fn components_by_slug(page: &StatusPage, slugs: &[String]) -> Vec<Value> {
    let found = page.components.iter().enumerate().filter(|(_, c)| slugs.contains(&c.id));
    found.map(|(i, c)| component(page, c, i + 1)).collect()
}

fn select_incidents(page: &StatusPage, keep: impl Fn(&IncidentView) -> bool) -> Vec<Value> {
    page.incidents.iter().filter(|i| keep(i)).map(|i| incident(page, i)).collect()
}

fn incident(page: &StatusPage, incident: &IncidentView) -> Value {
    let newest = incident.updates.first().map_or(incident.opened_at, |u| u.at);
    json!({
        "id": incident.id,
        "name": incident.title,
        "status": incident.state,
        "created_at": rfc3339(incident.opened_at),
        "updated_at": rfc3339(newest),
        "monitoring_at": incident.quiet_since.map(rfc3339),
        "resolved_at": incident.resolved_at.map(rfc3339),
        "impact": impact(incident.impact),
        "shortlink": link(page, &incident.id),
        "started_at": rfc3339(incident.opened_at),
        "page_id": PAGE_ID,
        "incident_updates": incident.updates.iter().map(|u| update(&incident.id, u)).collect::<Vec<_>>(),
        "components": components_by_slug(page, &incident.components),
    })
}

fn update(incident: &str, update: &UpdateView) -> Value {
    json!({
        "id": update.id,
        "status": update.state,
        "body": update.text,
        "incident_id": incident,
        "created_at": rfc3339(update.at),
        "updated_at": rfc3339(update.at),
        "display_at": rfc3339(update.at),
        "affected_components": null,
        "deliver_notifications": true,
    })
}

fn select_windows(page: &StatusPage, keep: impl Fn(MaintenanceState) -> bool) -> Vec<Value> {
    page.maintenance.iter().filter(|m| keep(m.state(page.at))).map(|m| window(page, m)).collect()
}

fn window(page: &StatusPage, window: &Maintenance) -> Value {
    let state = window.state(page.at);
    let changed = match state {
        MaintenanceState::Scheduled => window.created_at,
        MaintenanceState::InProgress => window.starts_at,
        MaintenanceState::Completed => window.ends_at,
    };
    let slugs: Vec<String> = window.components.iter().map(|c| c.slug()).collect();
    let body = if window.text.is_empty() { &window.title } else { &window.text };
    json!({
        "id": window.id,
        "name": window.title,
        "status": state,
        "created_at": rfc3339(window.created_at),
        "updated_at": rfc3339(changed),
        "monitoring_at": null,
        "resolved_at": (state == MaintenanceState::Completed).then(|| rfc3339(window.ends_at)),
        "impact": "maintenance",
        "shortlink": link(page, &window.id),
        "started_at": rfc3339(window.created_at),
        "page_id": PAGE_ID,
        "incident_updates": [{
            "id": format!("{}-0", window.id),
            "status": state,
            "body": body,
            "incident_id": window.id,
            "created_at": rfc3339(window.created_at),
            "updated_at": rfc3339(changed),
            "display_at": rfc3339(changed),
            "affected_components": null,
            "deliver_notifications": false,
        }],
        "components": components_by_slug(page, &slugs),
        "scheduled_for": rfc3339(window.starts_at),
        "scheduled_until": rfc3339(window.ends_at),
    })
}

fn impact(impact: Impact) -> &'static str {
    match impact {
        Impact::None => "none",
        Impact::Minor => "minor",
        Impact::Major => "major",
        Impact::Critical => "critical",
    }
}

fn link(page: &StatusPage, id: &str) -> String {
    format!("{}/status/incidents/{id}", page.url)
}
