//! What is told about an incident, before it is put into the form of a channel.
//!
//! Guarantees: a notice for subscribers holds only what the public page holds.
//! Deliberately not here: forms (`webhook`, `slack`, `email`).

use crate::config::Audience;
use crate::incident::{Incident, IncidentState};
use crate::status::time_text;
use crate::{Affected, Finding, Impact, Severity};
use serde::{Deserialize, Serialize};
use tallymark_model::{Millis, ProjectId};

/// Why something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NoticeKind {
    /// It has begun.
    #[serde(rename = "incident.opened")]
    Opened,
    /// Something about it changed.
    #[serde(rename = "incident.updated")]
    Updated,
    /// Nobody acknowledged it yet.
    #[serde(rename = "incident.reminder")]
    Reminder,
    /// Nobody acknowledged it; now you are told too.
    #[serde(rename = "incident.escalated")]
    Escalated,
    /// Somebody is at it.
    #[serde(rename = "incident.acknowledged")]
    Acknowledged,
    /// It is over.
    #[serde(rename = "incident.resolved")]
    Resolved,
    /// A test of the channel.
    #[serde(rename = "test")]
    Test,
}

impl NoticeKind {
    /// Word before the title.
    pub fn word(self) -> &'static str {
        match self {
            NoticeKind::Opened => "New",
            NoticeKind::Updated => "Update",
            NoticeKind::Reminder => "Reminder",
            NoticeKind::Escalated => "Escalated",
            NoticeKind::Acknowledged => "Acknowledged",
            NoticeKind::Resolved => "Resolved",
            NoticeKind::Test => "Test",
        }
    }
}

/// A finding, as told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingNotice {
    /// The monitor.
    pub monitor: String,
    /// How urgent.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What exactly.
    pub detail: String,
    /// Page that says what to do.
    pub runbook: String,
    /// Since when.
    pub since: Millis,
    /// Where in the log.
    pub affected: Vec<Affected>,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Why.
    pub kind: NoticeKind,
    /// To whom.
    pub audience: Audience,
    /// When it was decided.
    pub at: Millis,
    /// About which incident.
    pub incident: String,
    /// How far it has come.
    pub state: IncidentState,
    /// How urgent.
    pub severity: Severity,
    /// What users notice.
    pub impact: Impact,
    /// One line.
    pub title: String,
    /// What is new.
    pub text: String,
    /// When it began.
    pub opened_at: Millis,
    /// Parts of the product, by slug.
    pub components: Vec<String>,
    /// Projects; empty for subscribers.
    pub projects: Vec<ProjectId>,
    /// What is wrong now; empty for subscribers.
    pub findings: Vec<FindingNotice>,
    /// Where to look; empty if no address is set.
    pub link: String,
    /// Where to acknowledge; empty for subscribers.
    pub acknowledge: String,
}

impl Notice {
    /// Out of an incident. `link_base` as in the configuration.
    pub fn of(
        incident: &Incident,
        kind: NoticeKind,
        audience: Audience,
        text: &str,
        link_base: &str,
        at: Millis,
    ) -> Notice {
        let base = link_base.trim_end_matches('/');
        let link = |path: String| if base.is_empty() { String::new() } else { format!("{base}{path}") };
        let operators = audience == Audience::Operators;
        let findings = incident.active().filter(|_| operators).map(|f| finding(f, base));
        Notice {
            kind,
            audience,
            at,
            incident: incident.id.clone(),
            state: incident.state,
            severity: incident.severity,
            impact: incident.impact,
            title: incident.title.clone(),
            text: text.to_owned(),
            opened_at: incident.opened_at,
            components: incident.components().into_iter().map(|c| c.slug()).collect(),
            projects: if operators { incident.projects() } else { Vec::new() },
            findings: findings.collect(),
            link: link(format!("/status/incidents/{}", incident.id)),
            acknowledge: if operators {
                link(format!("/operate/incidents/{}", incident.id))
            } else {
                String::new()
            },
        }
    }

    /// To try out a channel.
    pub fn test(audience: Audience, at: Millis) -> Notice {
        Notice {
            kind: NoticeKind::Test,
            audience,
            at,
            incident: "test".to_owned(),
            state: IncidentState::Resolved,
            severity: Severity::Info,
            impact: Impact::None,
            title: "Test of this channel".to_owned(),
            text: "If you can read this, alerts arrive here.".to_owned(),
            opened_at: at,
            components: Vec::new(),
            projects: Vec::new(),
            findings: Vec::new(),
            link: String::new(),
            acknowledge: String::new(),
        }
    }

    /// One line: subject of a mail, header of a message.
    pub fn headline(&self) -> String {
        match self.audience {
            Audience::Operators => {
                format!("[{}] {}: {}", self.severity.name(), self.kind.word(), self.title)
            }
            Audience::Subscribers => format!("{}: {}", self.kind.word(), self.title),
        }
    }

    /// The whole as plain text.
    pub fn plain(&self) -> String {
        let mut lines = vec![self.text.clone(), String::new()];
        lines.push(format!("State: {}, since {}.", self.state.name(), time_text(self.opened_at)));
        for finding in &self.findings {
            lines.push(String::new());
            lines.push(format!(
                "{} ({}, since {})",
                finding.title,
                finding.severity.name(),
                time_text(finding.since)
            ));
            lines.push(finding.detail.clone());
            lines.push(format!("What to do: {}", finding.runbook));
        }
        for (what, link) in [("Details", &self.link), ("Acknowledge", &self.acknowledge)] {
            if !link.is_empty() {
                lines.push(String::new());
                lines.push(format!("{what}: {link}"));
            }
        }
        lines.join("\n")
    }
}

fn finding(finding: &Finding, base: &str) -> FindingNotice {
    let page = format!("docs/runbooks/{}.md", finding.runbook());
    FindingNotice {
        monitor: finding.monitor.slug().to_owned(),
        severity: finding.severity,
        title: finding.title.clone(),
        detail: finding.detail.clone(),
        runbook: if base.is_empty() { page } else { format!("{base}/{page}") },
        since: finding.since,
        affected: finding.affected.clone(),
    }
}
