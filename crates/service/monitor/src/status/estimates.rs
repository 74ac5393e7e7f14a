//! Estimates as the public sees them: times, and how wrong earlier ones were.
//!
//! Guarantees: counts and rates only where counts are shown.
//! Deliberately not here: estimating (`eta`).

use crate::config::PublicConfig;
use crate::eta::{EtaAnswer, EtaNow, EtaScore};
use crate::store::EtaRun;
use serde::{Deserialize, Serialize};
use tallymark_model::{Lane, Millis};

/// When the backlog of a lane ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EtaView {
    /// Which lane.
    pub lane: Lane,
    /// When it was estimated.
    pub at: Millis,
    /// Since when there is a backlog.
    pub started_at: Millis,
    /// Earliest, probable and latest end; `None` = no end is in sight, or not known yet.
    pub ends_at: Option<(Millis, Millis, Millis)>,
    /// True if the backlog does not shrink.
    pub not_shrinking: bool,
    /// Events that wait; only where counts are shown.
    pub backlog: Option<u64>,
}

impl EtaView {
    /// Out of an estimate.
    pub fn of(now: &EtaNow, config: &PublicConfig) -> EtaView {
        EtaView {
            lane: now.lane,
            at: now.at,
            started_at: now.started_at,
            ends_at: now.ends_at(),
            not_shrinking: now.worst.answer == EtaAnswer::NotShrinking,
            backlog: config.show_counts.then_some(now.backlog),
        }
    }
}

/// One estimate of an earlier backlog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EtaPointView {
    /// When it was shown.
    pub at: Millis,
    /// What was shown.
    pub ends_at: Option<(Millis, Millis, Millis)>,
    /// How wrong it was, as a part of the time that really remained.
    pub error: Option<f64>,
    /// Whether the true end was inside the range.
    pub inside: Option<bool>,
}

/// One backlog with its estimates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EtaRunView {
    /// Which lane.
    pub lane: Lane,
    /// When it began.
    pub started_at: Millis,
    /// When it was worked off.
    pub drained_at: Option<Millis>,
    /// How good the estimates were.
    pub score: Option<EtaScore>,
    /// What was shown, oldest first.
    pub points: Vec<EtaPointView>,
}

impl EtaRunView {
    /// Out of a run.
    pub fn of(run: &EtaRun) -> EtaRunView {
        let points = run.points.iter();
        EtaRunView {
            lane: run.lane,
            started_at: run.started_at,
            drained_at: run.drained_at,
            score: run.score,
            points: points
                .map(|p| EtaPointView { at: p.at, ends_at: p.ends_at, error: p.error, inside: p.inside })
                .collect(),
        }
    }
}
