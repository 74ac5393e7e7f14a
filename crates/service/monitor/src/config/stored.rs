//! Alert settings as they are stored: every secret in them is sealed.
//!
//! ```text
//! channels[].target.webhook.{url, secrets[]}, .slack.url, .email.password
//! ```
//! `env:NAME` and `file:PATH` are no secrets themselves and stay. A plain secret, as older versions stored it, is read.
//! Guarantees: settings whose secrets cannot be opened stay as they are; which ones those are is said, and nothing is
//! ever sent with them. A channel that cannot send is left out; the others go on.
//! Deliberately not here: where settings are kept (`server`).

use super::seal::{SealKey, is_sealed};
use super::{AlertConfig, Secret, WatchConfig};
use crate::MonitorError;
use tallymark_model::Value;

/// A channel that cannot send, for example because its secret cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Name of the channel.
    pub channel: String,
    /// Why.
    pub reason: String,
}

/// Seals what is plain. Answers whether there was anything.
pub fn seal_alerts(alerts: &mut Value, key: &SealKey) -> Result<bool, MonitorError> {
    let mut sealed = false;
    for secret in secrets(alerts) {
        let Value::String(text) = &secret.1 else { continue };
        if is_plain(text) {
            *secret.1 = Value::String(key.seal(text)?);
            sealed = true;
        }
    }
    Ok(sealed)
}

/// Opens what is sealed; what does not open stays sealed. `None`: the key cannot be read.
pub fn open_alerts(alerts: &mut Value, key: Option<&SealKey>) -> Vec<Locked> {
    let mut locked = Vec::new();
    for (channel, secret) in secrets(alerts) {
        let Value::String(text) = &*secret else { continue };
        if is_sealed(text) {
            match open_one(text, key) {
                Ok(plain) => *secret = Value::String(plain),
                Err(reason) => locked.push(Locked { channel, reason }),
            }
        }
    }
    locked.dedup_by(|a, b| a.channel == b.channel);
    locked
}

/// The text of a `watch.toml` with its plain secrets sealed, everything else as it was written; `None` if there is
/// nothing to seal. An error if a secret is written in a way that this cannot replace, for example over several lines.
pub fn seal_toml(text: &str, key: &SealKey) -> Result<Option<String>, MonitorError> {
    let before = parsed(text)?;
    let mut value = before.clone();
    let mut sealed = text.to_owned();
    for (_, secret) in secrets(&mut value["alerts"]) {
        let Value::String(plain) = &*secret else { continue };
        if is_plain(plain) {
            let closed = key.seal(plain)?;
            for quoted in [format!("\"{plain}\""), format!("'{plain}'")] {
                sealed = sealed.replace(&quoted, &format!("\"{closed}\""));
            }
        }
    }
    if sealed == text && !has_plain(&mut value) {
        return Ok(None);
    }
    let mut after = parsed(&sealed)?;
    let whole = !has_plain(&mut after) && {
        let locked = open_alerts(&mut after["alerts"], Some(key));
        let locked_before = open_alerts(&mut value["alerts"], Some(key));
        after == value && locked == locked_before
    };
    if whole {
        return Ok(Some(sealed));
    }
    Err(MonitorError::config(
        "alerts",
        "a secret is written in a way that cannot be replaced; use a plain \"…\"",
    ))
}

impl WatchConfig {
    /// Reads a configuration whose secrets may be sealed. Channels that cannot send are not in it; they are said.
    pub fn from_sealed_toml(
        text: &str,
        key: Option<&SealKey>,
    ) -> Result<(WatchConfig, Vec<Locked>), MonitorError> {
        // Errors are told with their line.
        let mut config: WatchConfig = WatchConfig::parsed(text)?;
        let mut locked = Vec::new();
        for channel in &mut config.alerts.channels {
            for secret in channel.target.secrets() {
                if let Err(reason) = secret.open(key) {
                    locked.push(Locked { channel: channel.name.clone(), reason });
                    break;
                }
            }
        }
        let locked = config.alerts.take_unusable(locked);
        config.check()?;
        Ok((config, locked))
    }
}

impl AlertConfig {
    /// Takes out the channels that cannot send: those that are `locked`, and those whose target is not valid, for
    /// example because the variable of a secret is not set. Answers all of them, each with its reason: one bad channel
    /// must not silence the others, nor stop the watch.
    pub fn take_unusable(&mut self, mut locked: Vec<Locked>) -> Vec<Locked> {
        self.channels.retain(|channel| {
            if locked.iter().any(|l| l.channel == channel.name) {
                return false;
            }
            let Err(reason) = channel.target.check() else { return true };
            locked.push(Locked { channel: channel.name.clone(), reason });
            false
        });
        locked
    }
}

impl Secret {
    fn open(&mut self, key: Option<&SealKey>) -> Result<(), String> {
        if is_sealed(self.stored()) {
            *self = Secret::new(open_one(self.stored(), key)?);
        }
        Ok(())
    }
}

fn open_one(text: &str, key: Option<&SealKey>) -> Result<String, String> {
    key.ok_or_else(|| "the key of secrets cannot be read; the watch's log says why".to_owned())?
        .open_sealed(text)
}

fn parsed(text: &str) -> Result<Value, MonitorError> {
    WatchConfig::parsed(text)?;
    toml::from_str(text).map_err(|e| MonitorError::config("watch.toml", e.message()))
}

fn has_plain(config: &mut Value) -> bool {
    secrets(&mut config["alerts"]).iter().any(|(_, secret)| secret.as_str().is_some_and(is_plain))
}

fn is_plain(text: &str) -> bool {
    !is_sealed(text) && !text.starts_with("env:") && !text.starts_with("file:")
}

/// Every place of a secret, with its channel's name.
fn secrets(alerts: &mut Value) -> Vec<(String, &mut Value)> {
    let mut found = Vec::new();
    let channels = alerts.get_mut("channels").and_then(Value::as_array_mut);
    for channel in channels.into_iter().flatten() {
        let name = channel.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(Value::Object(target)) = channel.get_mut("target") else { continue };
        for (kind, members) in target {
            let Value::Object(members) = members else { continue };
            for (member, value) in members {
                match (kind.as_str(), member.as_str(), value) {
                    ("webhook" | "slack", "url", value) | ("email", "password", value) => {
                        found.push((name.clone(), value));
                    }
                    ("webhook", "secrets", Value::Array(list)) => {
                        found.extend(list.iter_mut().map(|value| (name.clone(), value)));
                    }
                    _ => {}
                }
            }
        }
    }
    found
}
