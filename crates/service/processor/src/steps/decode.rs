//! Envelopes to events, on all cores.
//!
//! Guarantees: one record's fault, even a panic of the decoder, is that record's dead letter.
//! Deliberately not here: what the protocols mean (`wire`).

use bytes::Bytes;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tallymark_model::{
    Control, DeadReason, Envelope, Event, Millis, Position, ProjectId, ProjectToken, Record, Redrive, Seq,
    WireFormat,
};

/// Turns an envelope into an event: `tallymark_wire::decode`, and what a server adds to it. It lives as long as the
/// process, so every job and every thread can hold it.
pub type DecodeFn = &'static (dyn Fn(&Envelope) -> Result<Event, DeadReason> + Send + Sync);

/// One record after decoding.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Where it stands in the log.
    pub position: Position,
    /// When it was received, ms UTC.
    pub received_at: Millis,
    /// What it is.
    pub content: Content,
}

/// What a record is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A client event.
    Event {
        /// Whose.
        token: ProjectToken,
        /// Whose instead, if an operator said so when mending the bytes.
        project: Option<ProjectId>,
        /// How to read `body`.
        wire: WireFormat,
        /// The client's bytes, for a dead letter.
        body: Bytes,
        /// What they mean, or why they mean nothing.
        event: Result<Box<Event>, DeadReason>,
    },
    /// A rule or a note.
    Control(Box<Control>),
}

impl Decoded {
    /// Its place in the order of the log.
    pub fn seq(&self) -> Seq {
        Seq::new(self.received_at, self.position)
    }

    /// Bytes of its body.
    pub fn size(&self) -> usize {
        match &self.content {
            Content::Event { body, .. } => body.len(),
            Content::Control(_) => 0,
        }
    }
}

/// Decodes records, in parallel, keeping their order.
pub fn decode_all(records: Vec<(Position, Record)>, decode: DecodeFn) -> Vec<Decoded> {
    records.into_par_iter().with_min_len(64).map(|(position, record)| one(position, record, decode)).collect()
}

/// Bytes that operators gave to dead letters, by position, with the position of the record that says so.
pub type Mended = BTreeMap<Position, (Position, Redrive)>;

/// The same for records that are decided again: dead letters that were mended count with their new bytes.
pub fn decode_again(records: Vec<(Position, Record)>, mended: &Mended, decode: DecodeFn) -> Vec<Decoded> {
    let mend = |(position, record): (Position, Record)| match mended.get(&position) {
        Some((_, redrive)) => decode_mended(position, record, redrive, decode),
        None => one(position, record, decode),
    };
    records.into_par_iter().with_min_len(64).map(mend).collect()
}

/// A record as it counts once its dead letter was mended. Everything but the bytes and the project stays.
pub fn decode_mended(position: Position, record: Record, redrive: &Redrive, decode: DecodeFn) -> Decoded {
    let Record::Event(envelope) = record else { return one(position, record, decode) };
    let body = Bytes::copy_from_slice(redrive.body.as_bytes());
    let mut decoded = one(position, Record::Event(Envelope { wire: redrive.wire, body, ..envelope }), decode);
    if let Content::Event { project, .. } = &mut decoded.content {
        *project = redrive.project;
    }
    decoded
}

fn one(position: Position, record: Record, decode: DecodeFn) -> Decoded {
    let envelope = match record {
        Record::Event(envelope) => envelope,
        Record::Control { control, .. } => {
            let received_at = control.made_at();
            return Decoded { position, received_at, content: Content::Control(Box::new(control)) };
        }
    };
    // The closure only reads the envelope, so nothing half-changed can be seen after a panic.
    let event = catch_unwind(AssertUnwindSafe(|| decode(&envelope)))
        .unwrap_or_else(|panic| Err(DeadReason::new("decoder_panicked", panic_text(panic.as_ref()))));
    let Envelope { token, wire, received_at, body, .. } = envelope;
    Decoded {
        position,
        received_at,
        content: Content::Event { token, project: None, wire, body, event: event.map(Box::new) },
    }
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    let shown: String = text.unwrap_or_else(|| "no message".to_owned()).chars().take(500).collect();
    format!("the decoder failed on this event, which is a bug: {shown}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tallymark_model::{Lane, RequestContext};

    fn picky(envelope: &Envelope) -> Result<Event, DeadReason> {
        match &envelope.body[..] {
            b"panic" => panic!("cannot read {}", envelope.key),
            b"bad" => Err(DeadReason::new("invalid_json", "at byte 0")),
            body => Ok(Event { name: String::from_utf8_lossy(body).into_owned(), ..Event::default() }),
        }
    }

    #[test]
    fn a_fault_stays_with_its_record() {
        let bodies = ["one", "panic", "two", "bad", "three"];
        let records = bodies.iter().enumerate().map(|(i, body)| {
            let envelope = Envelope {
                token: ProjectToken([1; 16]),
                wire: WireFormat::NativeV1,
                lane: Lane::Live,
                key: "k".into(),
                received_at: 5,
                context: Arc::new(RequestContext::default()),
                body: Bytes::from_static(body.as_bytes()),
            };
            (Position { lane: Lane::Live, partition: 0, offset: i as u64 }, Record::Event(envelope))
        });
        let decoded = decode_all(records.collect(), &picky);
        let shown: Vec<String> = decoded
            .iter()
            .map(|d| match &d.content {
                Content::Event { event: Ok(e), .. } => e.name.clone(),
                Content::Event { event: Err(r), body, .. } => format!("{}:{}", r.code, body.len()),
                Content::Control(_) => "control".into(),
            })
            .collect();
        assert_eq!(shown, ["one", "decoder_panicked:5", "two", "invalid_json:3", "three"]);
        let Content::Event { event: Err(reason), .. } = &decoded[1].content else { panic!() };
        assert!(reason.message.contains("cannot read k"), "{}", reason.message);
    }
}
