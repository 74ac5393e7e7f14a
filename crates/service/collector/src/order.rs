//! Gives alias and merge calls receive times of their own.
//!
//! The order of the log is (receive time, lane, partition, offset). Events of one request share a receive time and
//! may go to different partitions, so among them the partition would decide; for nearly all that is harmless. An
//! alias is the exception: "old id, then alias" and "alias, then old id" end differently. So such a call gets a
//! receive time after everything before it and before everything after it, and the order in which the client
//! sent holds.
//! Deliberately not here: what an alias does (`identity`).

use crate::clock::Clock;
use tallymark_model::Envelope;

/// Most calls of one request that are set apart: bounds how far the receive time can run ahead of the clock.
const SET_APART_MAX: usize = 256;

/// Sets alias and merge calls apart from their neighbours.
pub(crate) fn set_apart(envelopes: &mut [Envelope], clock: &Clock) {
    let mut at = None;
    let mut left = SET_APART_MAX;
    for envelope in envelopes {
        let links = left > 0 && may_link(envelope);
        if links {
            at = Some(clock.strictly_later());
            left -= 1;
        }
        if let Some(at) = at {
            envelope.received_at = at;
        }
        if links {
            at = Some(clock.strictly_later());
        }
    }
}

/// True if the call may join two ids. A false alarm costs two milliseconds of order.
fn may_link(envelope: &Envelope) -> bool {
    let named = |text: &str| ["alias", "$merge", "previousId"].iter().any(|word| text.contains(word));
    matches!(envelope.context.call.as_deref(), Some("alias" | "usermap"))
        || std::str::from_utf8(&envelope.body).is_ok_and(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tallymark_model::{Lane, ProjectToken, RequestContext, WireFormat};

    fn envelope(body: &'static str) -> Envelope {
        Envelope {
            token: ProjectToken([0; 16]),
            wire: WireFormat::NativeV1,
            lane: Lane::Live,
            key: String::new(),
            received_at: 5,
            context: Arc::new(RequestContext::default()),
            body: bytes::Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn an_alias_is_later_than_what_came_before_and_earlier_than_what_follows() {
        let clock = Clock::default();
        let alias = r#"{"event":"$alias"}"#;
        let mut batch = [envelope("{}"), envelope(alias), envelope("{}"), envelope("{}"), envelope(alias)];
        set_apart(&mut batch, &clock);
        let times: Vec<i64> = batch.iter().map(|e| e.received_at).collect();
        assert!(
            times[0] < times[1] && times[1] < times[2] && times[2] == times[3] && times[3] < times[4],
            "{times:?}"
        );
        assert!(clock.now() > times[4], "the next request comes after the alias");
    }

    #[test]
    fn a_request_without_links_keeps_its_time() {
        let mut batch = [envelope("{}"), envelope(r#"{"event":"play"}"#)];
        set_apart(&mut batch, &Clock::default());
        assert!(batch.iter().all(|e| e.received_at == 5));
    }

    #[test]
    fn the_clock_does_not_run_away() {
        let clock = Clock::default();
        let before = clock.now();
        let mut batch = vec![envelope(r#"{"event":"$merge"}"#); 10_000];
        set_apart(&mut batch, &clock);
        assert!(clock.now() - before < 5_000);
    }
}
