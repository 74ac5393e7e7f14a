//! The drills, by name; and the rows of the matrix that one machine cannot re-enact, with the reason.
//!
//! Deliberately not here: what the drills have in common (`stage`).

mod amplitude_2016;
mod amplitude_2019;
mod amplitude_2021;
mod auditor_dead;
mod backlog;
mod backup_blocked;
mod catalog_deleted;
mod collect_alone;
mod day_replayed;
mod degradation;
mod disk_budget;
mod drop_filter;
mod elsewhere;
mod escalation;
mod estimate;
mod eta;
mod failpoints;
mod forecast;
mod freshness;
mod heap_2015;
mod hole;
mod hot_partition;
mod identify_accepted;
mod identity_rebuilt;
mod kill_anything;
mod kill_in_jobs;
mod lanes_apart;
mod log_file_deleted;
mod loss_report;
mod no_false_all_clear;
mod no_flapping;
mod open_modes;
mod posthog_persons;
mod properties_as_of;
mod refused_counted;
mod replay_beside_live;
mod replay_twice;
mod restore;
mod retention;
mod segments_rebuilt;
mod skip_alarm;
mod throttle;
mod verify_planted;
mod wrong_environment;

pub use elsewhere::{ELSEWHERE, Elsewhere, Where};

use crate::error::DrillError;
use crate::stage::Stage;
use futures::future::LocalBoxFuture;

/// A drill.
pub struct Drill {
    /// Its name.
    pub name: &'static str,
    /// Rows of the matrix.
    pub rows: &'static [&'static str],
    /// In one line.
    pub title: &'static str,
    /// What happened then, and what is done here; plain English.
    pub story: &'static str,
    /// Carries it out.
    pub(crate) run: for<'a> fn(&'a mut Stage) -> LocalBoxFuture<'a, Result<(), DrillError>>,
}

impl std::fmt::Debug for Drill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Drill({})", self.name)
    }
}

/// Every drill, in the order of a full run.
pub static DRILLS: &[Drill] = &[
    amplitude_2016::DRILL,
    amplitude_2019::DRILL,
    amplitude_2021::DRILL,
    heap_2015::DRILL,
    posthog_persons::DRILL,
    collect_alone::DRILL,
    identify_accepted::DRILL,
    kill_anything::DRILL,
    no_flapping::DRILL,
    failpoints::DRILL,
    freshness::DRILL,
    verify_planted::DRILL,
    skip_alarm::DRILL,
    replay_beside_live::DRILL,
    day_replayed::DRILL,
    replay_twice::DRILL,
    kill_in_jobs::DRILL,
    properties_as_of::DRILL,
    wrong_environment::DRILL,
    catalog_deleted::DRILL,
    identity_rebuilt::DRILL,
    segments_rebuilt::DRILL,
    restore::DRILL,
    throttle::DRILL,
    estimate::DRILL,
    auditor_dead::DRILL,
    retention::DRILL,
    log_file_deleted::DRILL,
    loss_report::DRILL,
    drop_filter::DRILL,
    hot_partition::DRILL,
    refused_counted::DRILL,
    disk_budget::DRILL,
    forecast::DRILL,
    escalation::DRILL,
    backup_blocked::DRILL,
    degradation::DRILL,
    open_modes::DRILL,
    lanes_apart::DRILL,
    no_false_all_clear::DRILL,
];

/// The drill of that name.
pub fn find(name: &str) -> Option<&'static Drill> {
    DRILLS.iter().find(|d| d.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_stories_are_told() {
        let names: BTreeSet<&str> = DRILLS.iter().map(|d| d.name).collect();
        assert_eq!(names.len(), DRILLS.len());
        for drill in DRILLS {
            assert!(drill.story.len() > 100, "{} has no story", drill.name);
            assert!(!drill.rows.is_empty(), "{} re-enacts no row", drill.name);
        }
    }

    #[test]
    fn every_row_of_the_incidents_is_drilled_or_listed_elsewhere_once() {
        let blocks = [("A19", 14), ("A16", 22), ("A21", 16), ("P25", 16), ("H15", 13)];
        let rows: Vec<String> =
            blocks.iter().flat_map(|(b, n)| (1..=*n).map(move |i| format!("{b}-{i}"))).collect();
        let drilled: BTreeSet<&str> = DRILLS.iter().flat_map(|d| d.rows.iter().copied()).collect();
        let elsewhere: BTreeSet<&str> = ELSEWHERE.iter().map(|e| e.row).collect();
        let missing: Vec<&String> = rows
            .iter()
            .filter(|r| !drilled.contains(r.as_str()) && !elsewhere.contains(r.as_str()))
            .collect();
        assert!(missing.is_empty(), "neither drilled nor listed: {missing:?}");
        let both: Vec<_> = drilled.intersection(&elsewhere).collect();
        assert!(both.is_empty(), "drilled and listed elsewhere: {both:?}");
        let known: BTreeSet<&str> = rows.iter().map(String::as_str).collect();
        let unknown: Vec<_> = elsewhere.difference(&known).collect();
        assert!(unknown.is_empty(), "no such rows: {unknown:?}");
    }
}
