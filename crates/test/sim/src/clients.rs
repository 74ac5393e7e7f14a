//! What clients send, and what they remember of it. Every event carries a number of its own in its body, so that it can
//! be recognised in the log whatever became of the request.

use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;
use std::sync::Arc;
use tallymark_catalog::token_of;
use tallymark_model::{Envelope, Lane, Millis, Record, RequestContext, WireFormat};

/// Projects that exist; events are sent to one more.
pub const PROJECTS: u32 = 2;

/// Key of the n-th project, from 1.
pub fn key(project: u32) -> String {
    format!("write-key-of-project-{project}-0123456789abcdef")
}

/// One event as its client made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Recognises it in the log.
    pub number: u64,
    /// Whose: 1 and 2 exist, 3 does not.
    pub project: u32,
    /// Where it was sent.
    pub lane: Lane,
    /// Its device.
    pub device: String,
    /// `None`: the client sends none.
    pub insert: Option<String>,
    /// Its name; `None`: bytes that no decoder understands.
    pub name: Option<String>,
}

/// Clients with few devices, few names and insert ids that repeat.
#[derive(Debug, Default)]
pub struct Clients {
    next: u64,
}

impl Clients {
    /// A request of one lane.
    pub fn request(&mut self, rng: &mut StdRng) -> Vec<Sent> {
        let lane = if rng.random_bool(0.3) { Lane::Bulk } else { Lane::Live };
        let size = rng.random_range(1..=12);
        (0..size).map(|_| self.event(rng, lane)).collect()
    }

    fn event(&mut self, rng: &mut StdRng, lane: Lane) -> Sent {
        self.next += 1;
        let project = [1, 1, 1, 2, 2, PROJECTS + 1][rng.random_range(0..6)];
        // Ids repeat soon after and, rarely, long after; in the other lane as well.
        let back = if rng.random_bool(0.9) { rng.random_range(0..4) } else { rng.random_range(0..200) };
        let insert = self.next.saturating_sub(back);
        Sent {
            number: self.next,
            project,
            lane,
            device: format!("device-{}", insert % 5),
            insert: (!rng.random_bool(0.1)).then(|| format!("insert-{insert}")),
            name: (!rng.random_bool(0.07)).then(|| format!("Event {}", rng.random_range(0..4))),
        }
    }
}

impl Sent {
    /// As the collector writes it.
    pub fn record(&self, received_at: Millis) -> Record {
        let body = match &self.name {
            None => format!("{{\"number\": {}, oops", self.number),
            Some(name) => {
                let mut event = serde_json::json!({
                    "event": name, "device_id": self.device, "properties": {"number": self.number},
                });
                if let Some(insert) = &self.insert {
                    event["insert_id"] = insert.clone().into();
                }
                event.to_string()
            }
        };
        Record::Event(Envelope {
            token: token_of(&key(self.project)),
            wire: WireFormat::NativeV1,
            lane: self.lane,
            key: self.device.clone(),
            received_at,
            context: Arc::new(RequestContext::default()),
            body: Bytes::from(body),
        })
    }

    /// The number in a body.
    pub fn number_in(body: &[u8]) -> u64 {
        let text = String::from_utf8_lossy(body);
        let from = text.find("\"number\":").expect("every event has a number") + "\"number\":".len();
        let digits: String = text[from..].trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    }
}
