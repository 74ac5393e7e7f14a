//! What an event says without saying it: browser and system from the user agent, the place from the address, the
//! campaign and the referring site from the page, what was clicked from the list of elements.
//!
//! | filled in | from | unless the client sent |
//! |---|---|---|
//! | `$browser`, `$browser_version`, `$os`, `$os_version`, `$device_type` | user agent | that property |
//! | `$browser_type` = `bot` | user agent of a crawler or a headless browser | that property |
//! | `$geoip_country_code` and the others of [`geo`] | address | any `$geoip_…` |
//! | `utm_source`, `utm_medium`, `utm_campaign`, `utm_content`, `utm_term`, `utm_id` | campaign, else page URL | any of them |
//! | `$referring_domain` | referrer | that property |
//! | `$elements_chain`, `$el_text` of a click | the SDK's own list of elements | that property |
//!
//! Names are PostHog's for every protocol, so that one chart counts all sources. What is sent as null counts as not
//! sent.
//!
//! Guarantees: a pure function of the record and the database, so a replay with the same database gives the same
//! event; nothing that a client sent is changed; the address itself is never added.
//! Deliberately not here: where the database's bytes come from, and which records are events.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod agent;
mod elements;
mod geo;
mod page;

pub use geo::{GeoDatabase, GeoError};

use tallymark_model::{Envelope, Event, Properties, Value, WireFormat};

/// Fills in what events leave out.
#[derive(Debug, Default)]
pub struct Enricher {
    geo: Option<GeoDatabase>,
}

impl Enricher {
    /// With a database of places, if the operator supplies one.
    pub fn new(geo: Option<GeoDatabase>) -> Enricher {
        Enricher { geo }
    }

    /// Fills in what `event`, read from `envelope`, leaves out.
    pub fn fill(&self, envelope: &Envelope, event: &mut Event) {
        let own = text_of(
            &event.properties,
            &["$raw_user_agent", "$user_agent", "user_agent", "context.userAgent"],
        );
        let agent = own.or(envelope.context.user_agent.as_deref()).and_then(agent::of);
        let mut found: Vec<(&'static str, Value)> = Vec::new();
        if let Some(geo) = &self.geo
            && let Some(address) =
                address(envelope, &event.properties, agent.as_ref().is_some_and(|a| a.is_browser))
        {
            geo.describe(address, &event.properties, &mut found);
        }
        page::describe(&event.properties, &mut found);
        elements::describe(&event.properties, &mut found);
        if let Some(agent) = agent {
            agent.describe(&mut found);
        }
        for (name, value) in found {
            let slot = event.properties.entry(name).or_insert(Value::Null);
            if slot.is_null() {
                *slot = value;
            }
        }
    }
}

/// The address of whom the event is about. That of the request is it only where the request comes from that person's
/// own machine: a server's would put every customer into its data centre.
fn address<'a>(envelope: &'a Envelope, properties: &'a Properties, is_browser: bool) -> Option<&'a str> {
    if properties.get("$geoip_disable").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let sent = text_of(properties, &["$ip", "ip", "context.ip"]);
    let of_request = match envelope.wire {
        // These clients say `$remote` if they want it, which was replaced above.
        WireFormat::AmplitudeV2 | WireFormat::AmplitudeV1 | WireFormat::AmplitudeIdentify => false,
        // The servers' SDKs disable it, the mobile ones have a user agent of their own.
        WireFormat::PosthogV0 => true,
        _ => is_browser,
    };
    sent.or(envelope.context.ip.as_deref().filter(|_| of_request))
}

/// The first of these properties that is text with something in it.
fn text_of<'a>(properties: &'a Properties, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| properties.get(*name)?.as_str().filter(|text| !text.is_empty()))
}

fn is_sent(properties: &Properties, name: &str) -> bool {
    properties.get(name).is_some_and(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;
    use tallymark_model::{Lane, ProjectToken, RequestContext};

    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";

    fn envelope(wire: WireFormat, user_agent: &str, ip: &str) -> Envelope {
        Envelope {
            token: ProjectToken([1; 16]),
            wire,
            lane: Lane::Live,
            key: String::new(),
            received_at: 0,
            context: Arc::new(RequestContext {
                ip: Some(ip.to_owned()),
                user_agent: Some(user_agent.to_owned()),
                ..RequestContext::default()
            }),
            body: bytes::Bytes::new(),
        }
    }

    fn filled(enricher: &Enricher, envelope: &Envelope, properties: Value) -> Value {
        let Value::Object(members) = properties else { panic!("an object") };
        let mut event = Event { properties: members.into_iter().collect(), ..Event::default() };
        enricher.fill(envelope, &mut event);
        let again = event.clone();
        enricher.fill(envelope, &mut event);
        assert_eq!(event, again, "a second time changes nothing");
        Value::Object(event.properties.into_iter().collect())
    }

    #[test]
    fn fills_only_what_is_missing() {
        let request = envelope(WireFormat::NativeV1, CHROME, "192.0.2.1");
        let plain = Enricher::default();
        assert_eq!(
            filled(&plain, &request, json!({"$browser": "Mine", "$os": null})),
            json!({"$browser": "Mine", "$os": "Windows", "$browser_version": 141.0, "$os_version": "10", "$device_type": "Desktop"})
        );
        // A server reports for somebody whose user agent it knows.
        let server = envelope(WireFormat::SegmentV1, "analytics-python/2.4.0", "192.0.2.1");
        assert_eq!(filled(&plain, &server, json!({"a": 1})), json!({"a": 1}));
        let told = filled(&plain, &server, json!({"context.userAgent": CHROME}));
        assert_eq!((&told["$browser"], &told["$device_type"]), (&json!("Chrome"), &json!("Desktop")));
    }

    #[test]
    fn places_only_whoever_the_event_is_about() {
        let geo = GeoDatabase::read(geo::tests::database(192, "DE", "Berlin")).unwrap();
        let enricher = Enricher::new(Some(geo));
        let place = |wire, agent: &str, properties| {
            filled(&enricher, &envelope(wire, agent, "192.0.2.1"), properties)["$geoip_country_code"].clone()
        };
        let (de, nothing) = (json!("DE"), Value::Null);
        assert_eq!(place(WireFormat::PosthogV0, "posthog-ios/3.0", json!({})), de);
        assert_eq!(place(WireFormat::PosthogV0, CHROME, json!({"$geoip_disable": true})), nothing);
        assert_eq!(place(WireFormat::PosthogV0, CHROME, json!({"$ip": "10.0.0.1"})), nothing);
        assert_eq!(place(WireFormat::AmplitudeV2, CHROME, json!({})), nothing, "told not to look");
        assert_eq!(place(WireFormat::AmplitudeV2, CHROME, json!({"ip": "192.9.9.9"})), de);
        assert_eq!(place(WireFormat::SegmentV1, CHROME, json!({})), de);
        assert_eq!(place(WireFormat::SegmentV1, "analytics-node/3", json!({})), nothing, "the server's own");
        assert_eq!(place(WireFormat::SegmentV1, "analytics-node/3", json!({"context.ip": "192.1.1.1"})), de);
        assert_eq!(place(WireFormat::NativeV1, CHROME, json!({"$geoip_country_code": "FR"})), json!("FR"));
    }
}
