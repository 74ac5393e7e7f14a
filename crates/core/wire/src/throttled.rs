//! The answer to a client that sends too much: 429 in each vendor's shape.
//!
//! * Amplitude's SDKs read `throttled_events` and the maps of devices and users: events of an id over its daily
//!   quota are dropped, other listed ones wait 30 s, those not listed are sent again at once.
//! * PostHog's and Segment's SDKs read `Retry-After` alone, so such a request is refused only as a whole.
//! * The native answer names the ids and the wait in JSON as well.
//!
//! Deliberately not here: who sends too much (the collector decides).

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Most ids named in a native answer.
const NAMED_MAX: usize = 100;

/// What was too much, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Throttled {
    /// Seconds until it is worth trying again.
    pub retry_after_s: u32,
    /// Events per second that the rule allows for long.
    pub threshold: u64,
    /// Devices over their rate, with the events per second they sent.
    pub devices: BTreeMap<String, u64>,
    /// Users over their rate, with the events per second they sent.
    pub users: BTreeMap<String, u64>,
    /// Devices over their daily quota, with their events within 24 hours.
    pub quota_devices: BTreeMap<String, u64>,
    /// Users over their daily quota, with their events within 24 hours.
    pub quota_users: BTreeMap<String, u64>,
    /// The key as a whole is over its rate or its quota.
    pub key: bool,
    /// Indexes of the refused events.
    pub events: Vec<usize>,
}

impl Throttled {
    /// In one sentence.
    pub(crate) fn sentence(&self) -> String {
        let who = match (self.key, self.ids().next()) {
            (true, _) => "this project's key sends more events than it may".to_owned(),
            (false, Some((kind, id))) if self.ids().count() == 1 => {
                format!("the {kind} '{id}' sends more events than it may")
            }
            _ => "some devices and users send more events than they may".to_owned(),
        };
        format!("{who}; send again in {} s", self.retry_after_s)
    }

    /// Every id that is named, with what it is.
    fn ids(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let devices = self.devices.keys().chain(self.quota_devices.keys()).map(|id| ("device", id));
        devices.chain(self.users.keys().chain(self.quota_users.keys()).map(|id| ("user", id)))
    }

    /// Members of the native error beside code and message.
    pub(crate) fn native(&self, error: &mut Map<String, Value>) {
        let of = |wanted: &str| -> Vec<&String> {
            self.ids().filter(|(kind, _)| *kind == wanted).map(|(_, id)| id).take(NAMED_MAX).collect()
        };
        error.insert("retry_after".into(), json!(self.retry_after_s));
        error.insert(
            "throttled".into(),
            json!({"devices": of("device"), "users": of("user"), "key": self.key, "events": self.events.len()}),
        );
    }

    /// Members of Amplitude's body beside `code` and `error`.
    pub(crate) fn amplitude(&self, body: &mut Map<String, Value>) {
        body.insert("eps_threshold".into(), json!(self.threshold));
        body.insert("throttled_devices".into(), json!(self.devices));
        body.insert("throttled_users".into(), json!(self.users));
        body.insert("exceeded_daily_quota_devices".into(), json!(self.quota_devices));
        body.insert("exceeded_daily_quota_users".into(), json!(self.quota_users));
        body.insert("throttled_events".into(), json!(self.events));
    }

    /// PostHog's whole body, with what other SDKs on these paths look for.
    pub(crate) fn posthog(&self) -> Value {
        let sentence = self.sentence();
        json!({
            "type": "validation_error", "code": "rate_limit_exceeded", "detail": sentence, "attr": null,
            "error": sentence, "message": sentence, "tallymark_code": "TM0114",
        })
    }
}
