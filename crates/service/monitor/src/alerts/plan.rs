//! Who is to be told what about an incident by now.
//!
//! Guarantees: pure; everything due by now is answered each time, and the store drops what was decided before, so
//! neither a restart nor a missed round loses or repeats a notice.
//! Deliberately not here: sending.

use super::{Notice, NoticeKind};
use crate::config::{AlertConfig, Audience, ChannelConfig};
use crate::incident::{Incident, IncidentState, IncidentUpdate};
use crate::store::Maintenance;
use crate::{Finding, Monitor, Severity};
use std::collections::BTreeMap;
use tallymark_model::Millis;

/// One thing to tell to one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The channel.
    pub channel: String,
    /// What about the incident; once per channel and incident.
    pub reason: String,
    /// What is told.
    pub notice: Notice,
}

/// What was decided before: (channel, reason) and when.
pub type Told = BTreeMap<(String, String), Millis>;

/// What is due.
pub fn plan(
    incident: &Incident,
    told: &Told,
    config: &AlertConfig,
    maintenance: &[Maintenance],
    now: Millis,
) -> Vec<Planned> {
    let muted = is_muted(incident, maintenance, now);
    let level = level(incident, config, now);
    let mut planned = Vec::new();
    for channel in config.channels.iter().filter(|c| c.severity <= incident.severity) {
        let knows = told.iter().filter(|((c, _), _)| *c == channel.name).map(|(_, at)| *at).min();
        // Maintenance keeps an incident from being announced, not what follows an announcement.
        let due = match channel.audience {
            _ if muted && knows.is_none() => Vec::new(),
            Audience::Subscribers => for_subscribers(incident, channel),
            Audience::Operators => for_operators(incident, channel, config, level, knows, now),
        };
        for (reason, kind, text) in due {
            if !told.contains_key(&(channel.name.clone(), reason.clone())) {
                let notice = Notice::of(incident, kind, channel.audience, &text, &config.link_base, now);
                planned.push(Planned { channel: channel.name.clone(), reason, notice });
            }
        }
    }
    planned
}

type Due = Vec<(String, NoticeKind, String)>;

/// How far it has escalated: 0 = only the first level knows.
fn level(incident: &Incident, config: &AlertConfig, now: Millis) -> u8 {
    let Some(paged_at) = incident.paged_at else { return 0 };
    // Nobody further is woken for what is over, or is quiet, or is being looked at.
    if incident.acknowledged.is_some() || incident.state >= IncidentState::Monitoring {
        return 0;
    }
    let passed = (now - paged_at) / config.escalate_after().max(1);
    passed.clamp(0, Millis::from(u8::MAX)) as u8
}

fn for_operators(
    incident: &Incident,
    channel: &ChannelConfig,
    config: &AlertConfig,
    level: u8,
    knows: Option<Millis>,
    now: Millis,
) -> Due {
    let Some(told_at) = knows else {
        return first_notice(incident, channel, config, level).into_iter().collect();
    };
    // Whoever was told later was told what had been said until then.
    let since = |u: &&IncidentUpdate| if channel.level == 0 { u.at >= told_at } else { u.at > told_at };
    let said = incident.updates.iter().filter(|u| u.alert && u.seq > 0);
    let mut due: Due = said.filter(since).map(update).collect();
    let waits = incident.acknowledged.is_none() && incident.state < IncidentState::Monitoring;
    if let Some(every) = config.reminder_every().filter(|_| waits) {
        let number = (now - incident.opened_at) / every;
        if number > 0 {
            let text =
                format!("Nobody has acknowledged this for {} minutes.", (now - incident.opened_at) / 60_000);
            due.push((format!("reminder:{number}"), NoticeKind::Reminder, text));
        }
    }
    due
}

/// What a channel of operators hears first. What was said before is part of it, and not repeated one by one.
fn first_notice(
    incident: &Incident,
    channel: &ChannelConfig,
    config: &AlertConfig,
    level: u8,
) -> Option<(String, NoticeKind, String)> {
    if !incident.is_open() {
        return None;
    }
    let said = incident.updates.iter().rfind(|u| u.alert)?;
    if channel.level == 0 {
        return Some(("opened".to_owned(), NoticeKind::Opened, said.text.clone()));
    }
    (channel.level <= level).then(|| {
        let minutes = config.escalate_after_minutes * f64::from(channel.level);
        let text = format!("Nobody has acknowledged this for {minutes} minutes. {}", said.text);
        (format!("escalated:{}", channel.level), NoticeKind::Escalated, text)
    })
}

fn for_subscribers(incident: &Incident, channel: &ChannelConfig) -> Due {
    debug_assert_eq!(channel.audience, Audience::Subscribers);
    if !incident.is_public() {
        return Vec::new();
    }
    let public = incident.updates.iter().filter_map(|u| Some((u, u.public.clone()?)));
    public
        .enumerate()
        .map(|(i, (u, text))| {
            let kind = if i == 0 { NoticeKind::Opened } else { kind_of(u) };
            (format!("update:{}", u.seq), kind, text)
        })
        .collect()
}

fn update(update: &IncidentUpdate) -> (String, NoticeKind, String) {
    (format!("update:{}", update.seq), kind_of(update), update.text.clone())
}

fn kind_of(update: &IncidentUpdate) -> NoticeKind {
    match update.state {
        IncidentState::Resolved => NoticeKind::Resolved,
        IncidentState::Identified if update.by != crate::watch::AUTHOR => NoticeKind::Acknowledged,
        _ => NoticeKind::Updated,
    }
}

/// True if everything wrong with it is what a maintenance window announced. Losses are never part of one.
fn is_muted(incident: &Incident, maintenance: &[Maintenance], now: Millis) -> bool {
    let announced = |finding: &Finding| {
        finding.monitor != Monitor::AuditorFindings
            && maintenance.iter().any(|window| window.covers(finding.component, now))
    };
    incident.is_open() && incident.active().next().is_some() && incident.active().all(announced)
}

/// True if an incident of this severity wakes further people when nobody answers.
pub(crate) fn escalates(severity: Severity, config: &AlertConfig) -> bool {
    severity >= config.escalate_from
}
