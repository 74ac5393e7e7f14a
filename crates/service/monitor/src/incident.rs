//! An incident: findings of one group from the first to the last, and what was said about it.
//!
//! Guarantees: it records when each thing was wrong; it is resolved only after quiet (`watch::reconcile`).
//! Deliberately not here: deciding when it opens and ends, and telling anyone.

use crate::{Affected, Component, Finding, Impact, Severity};
use serde::{Deserialize, Serialize};
use tallymark_model::{Millis, ProjectId};

/// How far an incident has come. The names are those of Statuspage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// It is going wrong; nobody has acknowledged it.
    Investigating,
    /// It is going wrong; somebody is at it.
    Identified,
    /// Nothing is wrong any more; waiting until that is certain.
    Monitoring,
    /// It is over.
    Resolved,
}

impl IncidentState {
    /// Name used in JSON and texts.
    pub fn name(self) -> &'static str {
        match self {
            IncidentState::Investigating => "investigating",
            IncidentState::Identified => "identified",
            IncidentState::Monitoring => "monitoring",
            IncidentState::Resolved => "resolved",
        }
    }
}

/// Somebody is at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When.
    pub at: Millis,
    /// What they say.
    #[serde(default)]
    pub note: String,
}

/// A finding within an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentFinding {
    /// As it was seen last.
    pub finding: Finding,
    /// When it was seen first.
    pub first_seen: Millis,
    /// When it was seen last.
    pub last_seen: Millis,
    /// True while it is there.
    pub active: bool,
}

/// Findings of one group, from the first to the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// The group of findings it is about ([`Finding::group`]).
    pub group: String,
    /// How far it has come.
    pub state: IncidentState,
    /// The worst it has been for operators.
    pub severity: Severity,
    /// The worst it has been for users. `None` = not on the public page.
    pub impact: Impact,
    /// Title of its worst finding.
    pub title: String,
    /// Everything found, also what is over.
    pub findings: Vec<IncidentFinding>,
    /// When it was opened.
    pub opened_at: Millis,
    /// When it first was severe enough to escalate.
    pub paged_at: Option<Millis>,
    /// Since when it is quiet, if it is.
    pub quiet_since: Option<Millis>,
    /// How long it was going wrong, in sum, ms.
    pub wrong_ms: Millis,
    /// How often it came back after having gone quiet.
    pub returns: u32,
    /// When it was resolved.
    pub resolved_at: Option<Millis>,
    /// Who is at it.
    pub acknowledged: Option<Acknowledgement>,
    /// What was said about it, oldest first.
    #[serde(skip)]
    pub updates: Vec<IncidentUpdate>,
}

impl Incident {
    /// True until it is resolved.
    pub fn is_open(&self) -> bool {
        self.resolved_at.is_none()
    }
    /// True if it belongs on the public page.
    pub fn is_public(&self) -> bool {
        self.impact > Impact::None
    }
    /// Components concerned, without repetition.
    pub fn components(&self) -> Vec<Component> {
        let mut all: Vec<Component> = self.findings.iter().map(|f| f.finding.component).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
    /// Projects concerned, without repetition.
    pub fn projects(&self) -> Vec<ProjectId> {
        let mut all: Vec<ProjectId> =
            self.findings.iter().flat_map(|f| f.finding.projects.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
    /// Ranges of the log concerned.
    pub fn affected(&self) -> Vec<Affected> {
        let mut all: Vec<Affected> = Vec::new();
        for affected in self.findings.iter().flat_map(|f| &f.finding.affected) {
            if !all.contains(affected) {
                all.push(affected.clone());
            }
        }
        all
    }
    /// Findings that are there now.
    pub fn active(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.active).map(|f| &f.finding)
    }
}

/// Something said about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentUpdate {
    /// 0, 1, 2, … within the incident.
    pub seq: u32,
    /// When.
    pub at: Millis,
    /// The state from then on.
    pub state: IncidentState,
    /// For operators.
    pub text: String,
    /// For the public; `None` = not public.
    pub public: Option<String>,
    /// Who said it; `watch` for the system itself.
    pub by: String,
    /// Whether receivers of alerts are told.
    pub alert: bool,
}
