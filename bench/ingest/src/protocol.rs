//! The same events in every protocol: what an SDK of the vendor sends for about 450 bytes of native JSON.

use crate::server::WRITE_KEY;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// One way in.
#[derive(Clone, Copy)]
pub struct Protocol {
    /// What it is called in the table.
    pub name: &'static str,
    /// Where its requests go.
    pub path: &'static str,
    before: &'static str,
    event: fn(&Event) -> String,
    after: &'static str,
}

/// Our own protocol, which the others are compared with.
pub const NATIVE: Protocol = Protocol {
    name: "native",
    path: "/api/v1/events",
    before: r#"{"events":["#,
    event: |e| {
        let Event { user, insert_id, session, properties, .. } = e;
        format!(
            r#"{{"event":"view_item","user_id":"user-{user}","device_id":"device-{user}","insert_id":"{insert_id}","session_id":"{session}","properties":{{{properties}}}}}"#
        )
    },
    after: "]}",
};

/// The vendors' protocols. `KEY` stands for the key, `USER` for the one whose batch it is.
pub const VENDORS: [Protocol; 10] = [
    Protocol {
        name: "Amplitude HTTP V2",
        path: "/2/httpapi",
        before: r#"{"api_key":"KEY","events":["#,
        event: amplitude,
        after: "]}",
    },
    Protocol {
        name: "Amplitude Batch",
        path: "/batch",
        before: r#"{"api_key":"KEY","events":["#,
        event: amplitude,
        after: "]}",
    },
    Protocol {
        name: "PostHog v0",
        path: "/batch/",
        before: r#"{"api_key":"KEY","batch":["#,
        event: posthog,
        after: "]}",
    },
    Protocol {
        name: "PostHog v1",
        path: "/i/v1/analytics/events",
        before: r#"{"batch":["#,
        event: posthog,
        after: "]}",
    },
    Protocol {
        name: "Segment, RudderStack",
        path: "/v1/batch",
        before: r#"{"writeKey":"KEY","batch":["#,
        event: segment,
        after: "]}",
    },
    Protocol { name: "Mixpanel track", path: "/track?verbose=1", before: "[", event: mixpanel, after: "]" },
    Protocol { name: "Mixpanel import", path: "/import?strict=1", before: "[", event: mixpanel, after: "]" },
    Protocol {
        name: "Heap",
        path: "/api/track",
        before: r#"{"app_id":"KEY","events":["#,
        event: heap,
        after: "]}",
    },
    Protocol {
        name: "mParticle",
        path: "/v2/events?key=KEY",
        before: r#"{"user_identities":{"customerid":"user-USER"},"events":["#,
        event: mparticle,
        after: "]}",
    },
    Protocol {
        name: "Braze users/track",
        path: "/users/track",
        before: r#"{"events":["#,
        event: braze,
        after: "]}",
    },
];

/// What differs from event to event.
struct Event {
    user: String,
    insert_id: String,
    session: u64,
    time_ms: u128,
    properties: String,
}

static SERIAL: AtomicU64 = AtomicU64::new(0);

impl Protocol {
    /// Path and query of a request.
    pub fn target(&self) -> String {
        self.path.replace("KEY", WRITE_KEY)
    }

    /// A request of `batch` new events.
    pub fn body(&self, batch: usize) -> String {
        let time_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let user = SERIAL.load(Ordering::Relaxed).wrapping_mul(0x9e37_79b9) % 50_000;
        let mut body = self.before.replace("KEY", WRITE_KEY).replace("USER", &format!("{user:06}"));
        for i in 0..batch {
            if i > 0 {
                body.push(',');
            }
            body.push_str(&(self.event)(&Event::next(time_ms)));
        }
        body + self.after
    }
}

impl Event {
    fn next(time_ms: u128) -> Event {
        let n = SERIAL.fetch_add(1, Ordering::Relaxed);
        let user = n.wrapping_mul(0x9e37_79b9) % 50_000;
        let properties = format!(
            r#""platform":"ios","country":"DE","city":"city_{:04}","app_version":"5.{}.0","referrer":"https://ref{:03}.example.net/","page_url":"https://shop.example.com/c/{}/item-{}","variant":"control","duration_ms":{},"amount":{}.5,"is_member":true"#,
            user % 2000,
            n % 10,
            n % 500,
            n % 97,
            n % 100_003,
            n % 4000,
            n % 90
        );
        let insert_id = format!("3f0c9b1a-0000-7000-8000-{n:012x}");
        Event { user: format!("{user:06}"), insert_id, session: n / 8, time_ms, properties }
    }
}

fn amplitude(e: &Event) -> String {
    let Event { user, insert_id, session, time_ms, properties } = e;
    format!(
        r#"{{"event_type":"view_item","user_id":"user-{user}","device_id":"device-{user}","insert_id":"{insert_id}","time":{time_ms},"session_id":{session},"event_properties":{{{properties}}}}}"#
    )
}

fn posthog(e: &Event) -> String {
    let Event { user, insert_id, session, time_ms, properties } = e;
    format!(
        r#"{{"event":"view_item","uuid":"{insert_id}","distinct_id":"user-{user}","timestamp":"{time_ms}","properties":{{"$device_id":"device-{user}","$session_id":"{session}",{properties}}}}}"#
    )
}

fn segment(e: &Event) -> String {
    let Event { user, insert_id, time_ms, properties, .. } = e;
    format!(
        r#"{{"type":"track","event":"view_item","messageId":"{insert_id}","userId":"user-{user}","anonymousId":"device-{user}","timestamp":"{time_ms}","properties":{{{properties}}}}}"#
    )
}

fn mixpanel(e: &Event) -> String {
    let Event { user, insert_id, time_ms, properties, .. } = e;
    format!(
        r#"{{"event":"view_item","properties":{{"token":"{WRITE_KEY}","distinct_id":"user-{user}","$device_id":"device-{user}","$insert_id":"{insert_id}","time":{time_ms},{properties}}}}}"#
    )
}

fn heap(e: &Event) -> String {
    let Event { user, insert_id, session, time_ms, properties } = e;
    format!(
        r#"{{"identity":"user-{user}","event":"view_item","idempotency_key":"{insert_id}","session_id":"{session}","timestamp":{time_ms},"properties":{{{properties}}}}}"#
    )
}

fn mparticle(e: &Event) -> String {
    let Event { insert_id, session, time_ms, properties, .. } = e;
    format!(
        r#"{{"event_type":"custom_event","data":{{"event_name":"view_item","source_message_id":"{insert_id}","session_uuid":"{session}","timestamp_unixtime_ms":{time_ms},"custom_attributes":{{{properties}}}}}}}"#
    )
}

fn braze(e: &Event) -> String {
    let Event { user, time_ms, properties, .. } = e;
    format!(
        r#"{{"external_id":"user-{user}","name":"view_item","time":"{time_ms}","properties":{{{properties}}}}}"#
    )
}
