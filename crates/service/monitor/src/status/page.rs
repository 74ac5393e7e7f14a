//! The page itself, in its public form.
//!
//! Guarantees: built from the store alone; names of projects and counts only where the configuration shows them.
//! Deliberately not here: forms (`statuspage`, `feeds`).

use super::component::shown;
use super::estimates::{EtaRunView, EtaView};
use super::loss::{LossAnswer, judge};
use super::{ComponentState, DAYS_SHOWN, Indicator, Uptime, day, duration_text, uptime};
use crate::config::{DAY, PublicConfig};
use crate::incident::{Incident, IncidentState};
use crate::store::{Maintenance, WatchSnapshot, WatchStore};
use crate::{Component, Impact, MonitorError};
use serde::{Deserialize, Serialize};
use tallymark_model::{Millis, ProjectId};

/// If the watch has been silent for so long, the page says so.
pub const STALE_AFTER: Millis = 60_000;
const INCIDENTS_SHOWN: u32 = 50;
const RUNS_SHOWN: u32 = 10;
const MAINTENANCE_SHOWN: Millis = 30 * DAY;

/// A component on the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentView {
    /// Its slug.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The component it is a part of, by slug.
    pub group: Option<String>,
    /// How it is.
    pub state: ComponentState,
    /// Since when.
    pub since: Millis,
    /// Its last days.
    pub uptime: Uptime,
}

/// Something said about an incident, on the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateView {
    /// Unique on the page.
    pub id: String,
    /// When.
    pub at: Millis,
    /// The state from then on.
    pub state: IncidentState,
    /// What.
    pub text: String,
}

/// An incident on the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentView {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// How far it has come.
    pub state: IncidentState,
    /// What users notice.
    pub impact: Impact,
    /// When it was opened.
    pub opened_at: Millis,
    /// Since when nothing is wrong any more.
    pub quiet_since: Option<Millis>,
    /// When it was resolved.
    pub resolved_at: Option<Millis>,
    /// Components concerned, by slug.
    pub components: Vec<String>,
    /// Receive times concerned, first and last, if they are known.
    pub received: Option<(Millis, Millis)>,
    /// Projects concerned; only where these are shown.
    pub projects: Vec<ProjectId>,
    /// Events concerned; only where counts are shown.
    pub events: Option<u64>,
    /// What was said, newest first.
    pub updates: Vec<UpdateView>,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusPage {
    /// Its name.
    pub name: String,
    /// Where it is; empty = relative.
    pub url: String,
    /// Time zone for texts.
    pub time_zone: String,
    /// When it was built.
    pub at: Millis,
    /// When the watch last looked; `None` = never.
    pub watched_at: Option<Millis>,
    /// True if the watch is silent: states are those of `watched_at`.
    pub stale: bool,
    /// How the whole is.
    pub indicator: Indicator,
    /// What the page says on top.
    pub description: String,
    /// Components, in order.
    pub components: Vec<ComponentView>,
    /// Incidents, newest first.
    pub incidents: Vec<IncidentView>,
    /// Windows, the latest start first.
    pub maintenance: Vec<Maintenance>,
    /// When backlogs end, per lane.
    pub eta: Vec<EtaView>,
    /// Earlier backlogs: what was estimated, and how wrong it was.
    pub eta_history: Vec<EtaRunView>,
    /// What the ledger allows to say about losses.
    pub loss: LossAnswer,
    /// The same as a sentence.
    pub loss_sentence: String,
}

impl StatusPage {
    /// Builds the page.
    pub async fn load(
        store: &WatchStore,
        config: &PublicConfig,
        now: Millis,
    ) -> Result<StatusPage, MonitorError> {
        let snapshot = store.snapshot().await?;
        let days = store.days(&day(now - DAYS_SHOWN * DAY)).await?;
        let maintenance = store.maintenance(now - MAINTENANCE_SHOWN).await?;
        let incidents = store.incidents(INCIDENTS_SHOWN).await?;
        let eta_history = store.eta_runs(RUNS_SHOWN).await?;
        let components = shown(config).into_iter().map(|component| {
            let (state, since) = state_of(component, snapshot.as_ref(), &maintenance, now);
            ComponentView {
                id: component.slug(),
                name: config.name_of(component),
                group: (component.root() != component).then(|| component.root().slug()),
                state,
                since,
                uptime: days.get(&component).map(|d| uptime(d, now)).unwrap_or_default(),
            }
        });
        let components: Vec<ComponentView> = components.collect();
        let watched_at = snapshot.as_ref().map(|s| s.at);
        let stale = watched_at.is_none_or(|at| now - at > STALE_AFTER);
        let indicator = Indicator::of(components.iter().map(|c| c.state));
        let loss = if stale {
            LossAnswer::Unknown { why: "the watch is silent".to_owned(), oldest_unaccounted: None }
        } else {
            let found = snapshot.as_ref().map_or(&[][..], |s| &s.findings);
            judge(snapshot.as_ref().and_then(|s| s.loss.as_ref()), found, now)
        };
        let loss_sentence = loss.sentence(config.show_counts);
        let eta = snapshot.map(|s| s.eta).unwrap_or_default();
        Ok(StatusPage {
            name: config.name.clone(),
            url: config.url.trim_end_matches('/').to_owned(),
            time_zone: config.time_zone.clone(),
            at: now,
            watched_at,
            stale,
            indicator: if stale { indicator.max(Indicator::Minor) } else { indicator },
            description: describe(indicator, watched_at, stale, now),
            components,
            incidents: incidents.iter().filter(|i| i.is_public()).map(|i| view(i, config)).collect(),
            maintenance,
            eta: eta.iter().map(|e| EtaView::of(e, config)).collect(),
            eta_history: eta_history.iter().map(EtaRunView::of).collect(),
            loss: if config.show_counts { loss } else { loss.without_counts() },
            loss_sentence,
        })
    }
}

fn state_of(
    component: Component,
    snapshot: Option<&WatchSnapshot>,
    maintenance: &[Maintenance],
    now: Millis,
) -> (ComponentState, Millis) {
    if let Some(window) = maintenance.iter().find(|m| m.covers(component, now)) {
        return (ComponentState::UnderMaintenance, window.starts_at);
    }
    let known = snapshot.and_then(|s| s.components.iter().find(|c| c.component == component));
    known.map_or((ComponentState::Operational, now), |c| (c.state, c.since))
}

fn describe(indicator: Indicator, watched_at: Option<Millis>, stale: bool, now: Millis) -> String {
    match (stale, watched_at) {
        (false, _) => indicator.description().to_owned(),
        (true, None) => "Status Unknown: nothing has been watched yet".to_owned(),
        (true, Some(at)) => {
            format!("Status Unknown: the watch has been silent for {}", duration_text(now - at))
        }
    }
}

fn view(incident: &Incident, config: &PublicConfig) -> IncidentView {
    let affected = incident.affected();
    let received = affected.iter().filter_map(|a| a.received);
    let received = received.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let counts: Vec<u64> = affected.iter().filter_map(|a| a.count).collect();
    let shown: Vec<String> = shown(config).into_iter().map(Component::slug).collect();
    let components = incident.components().into_iter().map(Component::slug);
    let public = incident.updates.iter().filter_map(|u| Some((u, u.public.clone()?)));
    let mut updates: Vec<UpdateView> = public
        .map(|(u, text)| UpdateView {
            id: format!("{}-{}", incident.id, u.seq),
            at: u.at,
            state: u.state,
            text,
        })
        .collect();
    updates.reverse();
    IncidentView {
        id: incident.id.clone(),
        title: incident.title.clone(),
        state: incident.state,
        impact: incident.impact,
        opened_at: incident.opened_at,
        quiet_since: incident.quiet_since,
        resolved_at: incident.resolved_at,
        components: components.filter(|c| shown.contains(c)).collect(),
        received,
        projects: if config.show_projects { incident.projects() } else { Vec::new() },
        events: (config.show_counts && !counts.is_empty()).then(|| counts.iter().sum()),
        updates,
    }
}
