//! States of components, and what follows for the whole.
//!
//! Guarantees: names are those of Statuspage.
//! Deliberately not here: findings.

use crate::config::PublicConfig;
use crate::store::Maintenance;
use crate::{Component, Finding, Impact};
use serde::{Deserialize, Serialize};
use tallymark_model::Millis;

/// How a component is. Ordered by how bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentState {
    /// It works.
    Operational,
    /// It may not work, as announced.
    UnderMaintenance,
    /// It works, late or slowly.
    DegradedPerformance,
    /// A part of it does not work.
    PartialOutage,
    /// It does not work.
    MajorOutage,
}

impl ComponentState {
    /// Every state, the best first.
    pub const ALL: [ComponentState; 5] = [
        ComponentState::Operational,
        ComponentState::UnderMaintenance,
        ComponentState::DegradedPerformance,
        ComponentState::PartialOutage,
        ComponentState::MajorOutage,
    ];
    /// Name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            ComponentState::Operational => "operational",
            ComponentState::UnderMaintenance => "under_maintenance",
            ComponentState::DegradedPerformance => "degraded_performance",
            ComponentState::PartialOutage => "partial_outage",
            ComponentState::MajorOutage => "major_outage",
        }
    }
    /// The state with this name.
    pub fn from_name(name: &str) -> Option<ComponentState> {
        ComponentState::ALL.into_iter().find(|s| s.name() == name)
    }

    /// What findings and maintenance windows make of a component.
    pub fn of(
        component: Component,
        findings: &[Finding],
        maintenance: &[Maintenance],
        now: Millis,
    ) -> ComponentState {
        let concerned =
            findings.iter().filter(|f| f.component == component || f.component.root() == component);
        let impact = concerned.map(|f| f.impact).max().unwrap_or(Impact::None);
        let state = match impact {
            Impact::None => ComponentState::Operational,
            Impact::Minor => ComponentState::DegradedPerformance,
            Impact::Major => ComponentState::PartialOutage,
            Impact::Critical => ComponentState::MajorOutage,
        };
        if maintenance.iter().any(|m| m.covers(component, now)) {
            ComponentState::UnderMaintenance
        } else {
            state
        }
    }
}

/// How the whole is, in Statuspage's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Indicator {
    /// Everything works.
    None,
    /// Something is being maintained.
    Maintenance,
    /// Something works late or slowly.
    Minor,
    /// A part does not work.
    Major,
    /// Something essential does not work.
    Critical,
}

impl Indicator {
    /// Out of the states of the components.
    pub fn of(states: impl IntoIterator<Item = ComponentState>) -> Indicator {
        match states.into_iter().max().unwrap_or(ComponentState::Operational) {
            ComponentState::Operational => Indicator::None,
            ComponentState::UnderMaintenance => Indicator::Maintenance,
            ComponentState::DegradedPerformance => Indicator::Minor,
            ComponentState::PartialOutage => Indicator::Major,
            ComponentState::MajorOutage => Indicator::Critical,
        }
    }
    /// What the page says on top.
    pub fn description(self) -> &'static str {
        match self {
            Indicator::None => "All Systems Operational",
            Indicator::Maintenance => "Service Under Maintenance",
            Indicator::Minor => "Partially Degraded Service",
            Indicator::Major => "Partial System Outage",
            Indicator::Critical => "Major Service Outage",
        }
    }
}

/// Components that the page shows, in order.
pub(super) fn shown(config: &PublicConfig) -> Vec<Component> {
    Component::all().into_iter().filter(|c| !config.hidden_components.contains(&c.slug())).collect()
}
