//! How the watch is set up: `watch.toml` in the data folder, every value with a default.
//!
//! Guarantees: an unknown name is an error, not ignored; secrets are never printed, and stored sealed.
//! Deliberately not here: reading the file.

mod channels;
mod public;
mod seal;
mod secret;
mod stored;
#[cfg(test)]
mod stored_tests;
mod thresholds;

pub use channels::{
    AlertConfig, Audience, ChannelConfig, EmailTarget, EmailTls, SlackTarget, Target, WebhookTarget,
};
pub use public::PublicConfig;
pub use seal::{KEY_FILE, KEY_VARIABLE, SealKey, is_sealed};
pub use secret::Secret;
pub use stored::{Locked, open_alerts, seal_alerts, seal_toml};
pub use thresholds::Thresholds;

use crate::MonitorError;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tallymark_model::Millis;

pub(crate) const MINUTE: Millis = 60_000;
pub(crate) const HOUR: Millis = 60 * MINUTE;
pub(crate) const DAY: Millis = 24 * HOUR;

/// Everything that can be set about the watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchConfig {
    /// Seconds between two rounds of checks.
    pub every_seconds: u64,
    /// When monitors speak.
    pub thresholds: Thresholds,
    /// When incidents end.
    pub incidents: IncidentConfig,
    /// Who is told, and how.
    pub alerts: AlertConfig,
    /// What the public sees.
    pub public: PublicConfig,
}

impl Default for WatchConfig {
    fn default() -> WatchConfig {
        WatchConfig {
            every_seconds: 5,
            thresholds: Thresholds::default(),
            incidents: IncidentConfig::default(),
            alerts: AlertConfig::default(),
            public: PublicConfig::default(),
        }
    }
}

impl WatchConfig {
    /// Reads and checks a configuration.
    pub fn from_toml(text: &str) -> Result<WatchConfig, MonitorError> {
        let config = WatchConfig::parsed(text)?;
        config.check()?;
        Ok(config)
    }

    fn parsed(text: &str) -> Result<WatchConfig, MonitorError> {
        // The message of the parser quotes the offending line, which may hold a secret: only its place is told.
        toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].lines().count().max(1));
            MonitorError::config(format!("line {line}"), e.message())
        })
    }

    /// Says what is wrong with it, if something is.
    pub fn check(&self) -> Result<(), MonitorError> {
        if !(1..=60).contains(&self.every_seconds) {
            return Err(MonitorError::config("every_seconds", "must be from 1 to 60"));
        }
        self.alerts.check()?;
        self.public.check()
    }

    /// Time between two rounds.
    pub fn every(&self) -> Duration {
        Duration::from_secs(self.every_seconds)
    }
}

/// When incidents end.
///
/// An incident is resolved only after everything was quiet for a while, and nothing acknowledged is without an
/// outcome. How long: `quiet_minutes`, or `quiet_factor` times as long as it was going wrong, whichever is more,
/// but at most `quiet_minutes_max`. A fault that comes and goes thus stays one incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IncidentConfig {
    /// At least so many minutes without a finding.
    pub quiet_minutes: f64,
    /// At least this many times the time it was going wrong.
    pub quiet_factor: f64,
    /// Never more than this.
    pub quiet_minutes_max: f64,
    /// The same thing going wrong again within so many minutes opens the same incident again.
    pub reopen_minutes: f64,
}

impl Default for IncidentConfig {
    fn default() -> IncidentConfig {
        IncidentConfig {
            quiet_minutes: 2.0,
            quiet_factor: 3.0,
            quiet_minutes_max: 30.0,
            reopen_minutes: 60.0,
        }
    }
}
