//! Incidents over time: rounds every five seconds, with findings as a script says.

use super::*;
use crate::config::MINUTE;
use crate::incident::{Acknowledgement, Incident, IncidentState};
use crate::{Component, Finding, Impact, Monitor, Severity};
use proptest::prelude::*;
use tallymark_model::{Millis, ProjectId};

const ROUND: Millis = 5_000;

/// What the store would hold.
#[derive(Default)]
struct World {
    now: Millis,
    incidents: Vec<Incident>,
    made: u32,
}

impl World {
    fn round(&mut self, findings: &[Finding], settled: bool) {
        self.now += ROUND;
        let config = WatchConfig::default();
        let known: Vec<Incident> = self.incidents.clone();
        let made = &mut self.made;
        let id = || {
            *made += 1;
            format!("i{made}")
        };
        for change in reconcile(&known, findings, settled, &config, self.now, ROUND, id) {
            let mut incident = change.incident;
            for mut update in change.updates {
                update.seq = incident.updates.len() as u32;
                incident.updates.push(update);
            }
            match self.incidents.iter_mut().find(|i| i.id == incident.id) {
                Some(known) => *known = incident,
                None => self.incidents.push(incident),
            }
        }
    }
    fn rounds(&mut self, ms: Millis, findings: &[Finding]) {
        (0..ms / ROUND).for_each(|_| self.round(findings, true));
    }
    fn said(&self, state: IncidentState) -> usize {
        self.incidents.iter().flat_map(|i| &i.updates).filter(|u| u.state == state).count()
    }
    fn alerts(&self) -> usize {
        self.incidents.iter().flat_map(|i| &i.updates).filter(|u| u.alert).count()
    }
}

fn finding(monitor: Monitor, key: &str, severity: Severity) -> Finding {
    Finding {
        monitor,
        key: key.to_owned(),
        severity,
        impact: Impact::Minor,
        title: format!("{monitor} is wrong"),
        detail: format!("secret detail of {key}"),
        component: Component::Processing,
        projects: vec![ProjectId(1)],
        affected: vec![],
        since: 0,
    }
}

fn lag(severity: Severity) -> Finding {
    finding(Monitor::Lag, "live/0", severity)
}

#[test]
fn an_incident_runs_its_course() {
    let mut w = World::default();
    w.rounds(MINUTE, &[]);
    assert!(w.incidents.is_empty());
    w.rounds(MINUTE, &[lag(Severity::Warning)]);
    assert_eq!((w.incidents.len(), w.alerts()), (1, 1));
    assert_eq!(w.incidents[0].paged_at, None);
    w.rounds(MINUTE, &[lag(Severity::Critical)]);
    assert_eq!((w.incidents[0].severity, w.alerts()), (Severity::Critical, 2));
    assert_eq!(w.incidents[0].paged_at, Some(2 * MINUTE + ROUND));
    // Less severe again is no news.
    w.rounds(MINUTE, &[lag(Severity::Warning)]);
    w.rounds(MINUTE, &[lag(Severity::Critical)]);
    assert_eq!(w.alerts(), 2);
    // It was wrong for four minutes: twelve of quiet are needed.
    w.rounds(MINUTE, &[]);
    assert_eq!(w.incidents[0].state, IncidentState::Monitoring);
    w.rounds(10 * MINUTE, &[]);
    assert_eq!(w.said(IncidentState::Resolved), 0);
    w.rounds(2 * MINUTE, &[]);
    assert_eq!((w.incidents.len(), w.incidents[0].state), (1, IncidentState::Resolved));
    assert_eq!(w.said(IncidentState::Resolved), 1);
    let public: Vec<String> = w.incidents[0].updates.iter().filter_map(|u| u.public.clone()).collect();
    assert!(public.len() >= 3 && !public.iter().any(|p| p.contains("secret")), "{public:?}");
}

#[test]
fn a_short_fault_needs_two_minutes_of_quiet() {
    let mut w = World::default();
    w.rounds(10_000, &[lag(Severity::Warning)]);
    w.rounds(2 * MINUTE, &[]);
    assert_eq!(w.said(IncidentState::Resolved), 0);
    w.rounds(ROUND, &[]);
    assert_eq!(w.said(IncidentState::Resolved), 1);
}

/// "Back to normal" was announced, and an hour later it failed again.
#[test]
fn a_fault_that_comes_and_goes_is_never_called_resolved_in_between() {
    let mut w = World::default();
    for _ in 0..3 {
        w.rounds(5 * MINUTE, &[lag(Severity::Critical)]);
        w.rounds(10 * MINUTE, &[]);
        assert_eq!(w.said(IncidentState::Resolved), 0);
    }
    assert_eq!((w.incidents.len(), w.incidents[0].returns), (1, 2));
    w.rounds(30 * MINUTE, &[]);
    assert_eq!((w.incidents.len(), w.said(IncidentState::Resolved)), (1, 1));
}

#[test]
fn nothing_is_resolved_while_something_has_no_outcome() {
    let mut w = World::default();
    w.rounds(MINUTE, &[lag(Severity::Critical)]);
    (0..1_000).for_each(|_| w.round(&[], false));
    assert_eq!(w.incidents[0].state, IncidentState::Monitoring);
    w.round(&[], true);
    assert_eq!(w.incidents[0].state, IncidentState::Resolved);
    // A late backup has nothing to do with the ledger.
    let backup =
        Finding { component: Component::Backups, ..finding(Monitor::BackupAge, "b", Severity::Warning) };
    w.rounds(MINUTE, &[backup]);
    (0..100).for_each(|_| w.round(&[], false));
    assert!(!w.incidents[1].is_open());
}

#[test]
fn what_comes_back_soon_is_the_same_incident_and_wakes_again() {
    let mut w = World::default();
    w.rounds(MINUTE, &[lag(Severity::Critical)]);
    w.incidents[0].acknowledged = Some(Acknowledgement { by: "ada".into(), at: w.now, note: String::new() });
    w.rounds(MINUTE, &[lag(Severity::Critical)]);
    assert_eq!(w.incidents[0].state, IncidentState::Identified);
    w.rounds(10 * MINUTE, &[]);
    assert!(!w.incidents[0].is_open());
    w.rounds(50 * MINUTE, &[]);
    w.round(&[lag(Severity::Critical)], true);
    assert_eq!(w.incidents.len(), 1);
    assert_eq!((w.incidents[0].state, w.incidents[0].paged_at), (IncidentState::Investigating, Some(w.now)));
    assert_eq!(w.incidents[0].acknowledged, None);
    // Something else, or much later, is another one.
    w.rounds(60 * MINUTE, &[]);
    w.rounds(MINUTE, &[finding(Monitor::Lag, "live/9", Severity::Critical)]);
    assert_eq!(w.incidents.len(), 2);
    w.rounds(120 * MINUTE, &[]);
    w.rounds(MINUTE, &[lag(Severity::Critical)]);
    assert_eq!(w.incidents.len(), 3);
}

#[test]
fn a_hundred_late_projects_are_one_message_but_every_hole_is_told() {
    let mut w = World::default();
    let late: Vec<Finding> =
        (0..100).map(|i| finding(Monitor::Freshness, &i.to_string(), Severity::Warning)).collect();
    (1..=100).for_each(|n| w.round(&late[..n], true));
    assert_eq!((w.incidents.len(), w.alerts()), (1, 1));
    assert_eq!(w.incidents[0].findings.len(), 100);
    let holes: Vec<Finding> =
        (0..3).map(|i| finding(Monitor::AuditorFindings, &i.to_string(), Severity::Critical)).collect();
    (1..=3).for_each(|n| w.round(&holes[..n], true));
    assert_eq!((w.incidents.len(), w.alerts()), (2, 4));
}

#[test]
fn a_blink_is_not_worth_a_word() {
    let mut w = World::default();
    for _ in 0..20 {
        w.rounds(MINUTE, &[lag(Severity::Critical)]);
        w.rounds(20_000, &[]);
    }
    assert_eq!((w.incidents.len(), w.incidents[0].updates.len()), (1, 1));
}

#[test]
fn what_is_only_worth_knowing_opens_nothing() {
    let mut w = World::default();
    w.rounds(MINUTE, &[lag(Severity::Info)]);
    assert!(w.incidents.is_empty());
}

proptest! {
    /// Whatever comes and goes: one open incident at most, no end without quiet before it, nothing said twice in a row.
    #[test]
    fn incidents_are_orderly(script in proptest::collection::vec((1i64..400, any::<bool>(), any::<bool>()), 1..12)) {
        let mut w = World::default();
        let mut wrong_at = 0;
        for (rounds, wrong, settled) in script {
            for _ in 0..rounds {
                let findings = if wrong { vec![lag(Severity::Critical)] } else { vec![] };
                let before = w.said(IncidentState::Resolved);
                w.round(&findings, settled);
                if wrong {
                    wrong_at = w.now;
                }
                if w.said(IncidentState::Resolved) > before {
                    prop_assert!(settled && w.now - wrong_at >= 2 * MINUTE, "resolved {} ms after it was wrong", w.now - wrong_at);
                }
                prop_assert!(w.incidents.iter().filter(|i| i.is_open()).count() <= 1);
                prop_assert_eq!(w.incidents.iter().any(|i| i.active().next().is_some()), wrong);
            }
        }
        for incident in &w.incidents {
            prop_assert!(incident.updates.windows(2).all(|u| u[0].at <= u[1].at && u[0].state != u[1].state));
        }
    }
}
