//! Who is told of what, and how.
//!
//! Guarantees: a channel that could never work is refused when the configuration is read.
//! Deliberately not here: sending (`alerts`).

use super::{MINUTE, Secret};
use crate::outbound::AllowList;
use crate::{MonitorError, Severity};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tallymark_model::Millis;

/// Who is told, and when somebody else is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertConfig {
    /// Where to. The order of levels is the order of escalation.
    pub channels: Vec<ChannelConfig>,
    /// If nobody acknowledges for so long, the channels of the next level are told.
    pub escalate_after_minutes: f64,
    /// Only incidents at least this severe escalate.
    pub escalate_from: Severity,
    /// How often an unacknowledged incident is repeated. 0 = never.
    pub reminder_minutes: f64,
    /// How long a receiver may take to answer.
    pub timeout_seconds: f64,
    /// How long an alert is tried again before it is given up.
    pub give_up_hours: f64,
    /// Networks (CIDR) that alerts may be sent to although they are private or loopback.
    pub allow_networks: Vec<String>,
    /// Start of links in alerts, as `https://analytics.example.org`. Empty = no links.
    pub link_base: String,
}

impl Default for AlertConfig {
    fn default() -> AlertConfig {
        AlertConfig {
            channels: Vec::new(),
            escalate_after_minutes: 10.0,
            escalate_from: Severity::Critical,
            reminder_minutes: 30.0,
            timeout_seconds: 10.0,
            give_up_hours: 24.0,
            allow_networks: Vec::new(),
            link_base: String::new(),
        }
    }
}

impl AlertConfig {
    /// Says what is wrong with it, if something is.
    pub fn check(&self) -> Result<(), MonitorError> {
        AllowList::parse(&self.allow_networks)?;
        if self.escalate_after_minutes <= 0.0 || self.timeout_seconds <= 0.0 || self.give_up_hours <= 0.0 {
            return Err(MonitorError::config("alerts", "times must be greater than 0"));
        }
        for (i, channel) in self.channels.iter().enumerate() {
            let field = |name: &str| format!("alerts.channels[{i}].{name}");
            if channel.name.is_empty() || self.channels[..i].iter().any(|c| c.name == channel.name) {
                return Err(MonitorError::config(field("name"), "must be there, and no two the same"));
            }
            channel.target.check().map_err(|reason| MonitorError::config(field("target"), reason))?;
        }
        Ok(())
    }

    /// Time until the next level is told.
    pub fn escalate_after(&self) -> Millis {
        (self.escalate_after_minutes * MINUTE as f64) as Millis
    }
    /// Time between reminders, if there are any.
    pub fn reminder_every(&self) -> Option<Millis> {
        (self.reminder_minutes > 0.0).then_some((self.reminder_minutes * MINUTE as f64) as Millis)
    }
    /// How long a receiver may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout_seconds)
    }
}

/// Which texts a channel gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Who runs the instance: everything, with details.
    #[default]
    Operators,
    /// Who follows the status page: what is public there.
    Subscribers,
}

/// One receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    /// Its name, for texts and records.
    pub name: String,
    /// 0 is told at once, 1 after the first escalation, and so on.
    #[serde(default)]
    pub level: u8,
    /// Which texts.
    #[serde(default)]
    pub audience: Audience,
    /// Only incidents at least this severe.
    #[serde(default = "warning")]
    pub severity: Severity,
    /// Where to.
    pub target: Target,
}

fn warning() -> Severity {
    Severity::Warning
}

/// Where alerts go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// JSON by HTTP POST, signed.
    Webhook(WebhookTarget),
    /// `{"text", "blocks"}` by HTTP POST.
    Slack(SlackTarget),
    /// SMTP.
    Email(EmailTarget),
}

/// A signed webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookTarget {
    /// Where to.
    pub url: Secret,
    /// One key, or two while keys are being exchanged: `whsec_…` (base64) or any text of 16 characters or more.
    pub secrets: Vec<Secret>,
}

/// A webhook that understands Slack's messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackTarget {
    /// Where to; it holds a secret itself.
    pub url: Secret,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailTls {
    /// STARTTLS, required.
    #[default]
    Starttls,
    /// From the first byte (port 465).
    Implicit,
    /// Not at all: for a relay on this machine.
    None,
}

/// A mail server and whom to write to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailTarget {
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Encryption.
    #[serde(default)]
    pub tls: EmailTls,
    /// Name to log in with.
    #[serde(default)]
    pub username: Option<String>,
    /// Password to log in with.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Sender.
    pub from: String,
    /// Receivers.
    pub to: Vec<String>,
}

impl Target {
    /// Everything in it that must not be shown.
    pub(super) fn secrets(&mut self) -> Vec<&mut Secret> {
        match self {
            Target::Webhook(hook) => hook.secrets.iter_mut().chain([&mut hook.url]).collect(),
            Target::Slack(hook) => vec![&mut hook.url],
            Target::Email(mail) => mail.password.iter_mut().collect(),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Target::Webhook(hook) => {
                if !(1..=2).contains(&hook.secrets.len()) {
                    return Err("a webhook has one secret, or two during an exchange".to_owned());
                }
                for secret in &hook.secrets {
                    crate::alerts::SigningKey::new(secret).map_err(|e| e.to_string())?;
                }
                crate::outbound::Url::parse(&hook.url.reveal().map_err(|e| e.to_string())?).map(|_| ())
            }
            Target::Slack(hook) => {
                crate::outbound::Url::parse(&hook.url.reveal().map_err(|e| e.to_string())?).map(|_| ())
            }
            Target::Email(mail) => {
                let addresses = mail.to.iter().chain([&mail.from]);
                if mail.to.is_empty() {
                    return Err("no receiver".to_owned());
                }
                for address in addresses {
                    address
                        .parse::<lettre::message::Mailbox>()
                        .map_err(|e| format!("`{address}` is not a mail address: {e}"))?;
                }
                if mail.tls == EmailTls::None && mail.password.is_some() {
                    return Err("a password is not sent without encryption".to_owned());
                }
                Ok(())
            }
        }
    }
}
