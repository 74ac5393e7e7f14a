//! Bytes of the records of one append, all in one lane: what a batch carries as its payload.
//!
//! ```text
//! payload  := version:u8  contexts:varint { length:varint json }  records:varint { record }
//! record   := partition:varint  length:varint  body
//! body     := 1 token:16 wire:u8 context:varint received_at:zigzag-varint key_length:varint key bytes   event
//!           | 2 json                                                                                    control
//! ```
//! Request contexts are written once per batch however many events share them. Every part carries its length, so
//! a reader of one partition steps over the records of the others without decoding them.
//! Guarantees: decoding arbitrary bytes never panics and never allocates more than the input justifies; an event's
//! body is a slice of the input, not a copy.
//! Deliberately not here: checksums and positions (the batch header has them).

use bytes::Bytes;
use std::sync::Arc;
use tallymark_model::{Control, Envelope, Lane, ProjectToken, Record, RequestContext, Shard, WireFormat};

/// Version of the encoding, the payload's first byte.
pub const VERSION: u8 = 1;

const EVENT: u8 = 1;
const CONTROL: u8 = 2;

/// Why a payload could not be decoded: where, and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {problem}")]
pub struct DecodeError {
    /// Byte within the payload.
    pub at: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

/// Appends the encoding of `records` to `out`; each goes with its partition. Lanes are not written: the log's
/// folder says the lane.
pub fn encode<'a>(out: &mut Vec<u8>, records: impl ExactSizeIterator<Item = (u16, &'a Record)> + Clone) {
    out.push(VERSION);
    let contexts = Contexts::of(records.clone().map(|(_, r)| r));
    contexts.write(out);
    put_varint(out, records.len() as u64);
    let mut body = Vec::new();
    for (partition, record) in records {
        put_varint(out, u64::from(partition));
        match record {
            Record::Event(e) => {
                body.clear();
                body.push(EVENT);
                body.extend_from_slice(&e.token.0);
                body.push(e.wire as u8);
                put_varint(&mut body, contexts.index_of(&e.context) as u64);
                put_varint(&mut body, zigzag(e.received_at));
                put_varint(&mut body, e.key.len() as u64);
                body.extend_from_slice(e.key.as_bytes());
                put_varint(out, (body.len() + e.body.len()) as u64);
                out.extend_from_slice(&body);
                out.extend_from_slice(&e.body);
            }
            Record::Control { control: c, .. } => {
                // A struct of strings and numbers always serialises.
                let json = serde_json::to_vec(c).unwrap_or_default();
                put_varint(out, json.len() as u64 + 1);
                out.push(CONTROL);
                out.extend_from_slice(&json);
            }
        }
    }
}

/// Distinct contexts of a batch. Events of one request share one allocation, so identity is looked at first.
struct Contexts<'a> {
    distinct: Vec<&'a Arc<RequestContext>>,
}

impl<'a> Contexts<'a> {
    fn of(records: impl Iterator<Item = &'a Record>) -> Contexts<'a> {
        let mut distinct: Vec<&Arc<RequestContext>> = Vec::new();
        for record in records {
            if let Record::Event(e) = record {
                // Only neighbours are compared: a batch is one request, or a few merged ones.
                let known =
                    distinct.iter().rev().take(8).any(|c| Arc::ptr_eq(c, &e.context) || **c == e.context);
                if !known {
                    distinct.push(&e.context);
                }
            }
        }
        Contexts { distinct }
    }

    fn index_of(&self, context: &Arc<RequestContext>) -> usize {
        // Every context of the batch was collected; from the end, because neighbours share.
        self.distinct.iter().rposition(|c| Arc::ptr_eq(c, context) || **c == *context).unwrap_or(0)
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.distinct.len() as u64);
        for context in &self.distinct {
            // A struct of strings and numbers always serialises.
            let json = serde_json::to_vec(context.as_ref()).unwrap_or_default();
            put_varint(out, json.len() as u64);
            out.extend_from_slice(&json);
        }
    }
}

/// The records of a payload, decoded on demand.
pub struct Decoder {
    payload: Bytes,
    at: usize,
    left: u64,
    lane: Lane,
    contexts: Vec<LazyContext>,
}

enum LazyContext {
    Bytes(Bytes),
    Decoded(Arc<RequestContext>),
}

impl Decoder {
    /// Reads the payload's head.
    pub fn new(payload: Bytes, lane: Lane) -> Result<Decoder, DecodeError> {
        let mut d = Decoder { payload, at: 0, left: 0, lane, contexts: Vec::new() };
        if d.byte("version missing")? != VERSION {
            return Err(d.wrong("unknown version of the record encoding"));
        }
        for _ in 0..d.varint("number of contexts")? {
            let length = d.varint("length of a context")?;
            let bytes = d.take(length, "context longer than the payload")?;
            d.contexts.push(LazyContext::Bytes(bytes));
        }
        d.left = d.varint("number of records")?;
        Ok(d)
    }

    /// Records not yet passed.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next record if `wanted` says yes to its partition; passes the others without decoding them.
    /// `None` at the end.
    pub fn next_if(
        &mut self,
        wanted: impl Fn(u16) -> bool,
    ) -> Result<Option<(u16, Option<Record>)>, DecodeError> {
        if self.left == 0 {
            return if self.at == self.payload.len() {
                Ok(None)
            } else {
                Err(self.wrong("bytes after the last record"))
            };
        }
        self.left -= 1;
        let partition =
            u16::try_from(self.varint("partition")?).map_err(|_| self.wrong("partition out of range"))?;
        let length = self.varint("length of a record")?;
        let start = self.at;
        let end = self.take(length, "record longer than the payload").map(|_| self.at)?;
        if !wanted(partition) {
            return Ok(Some((partition, None)));
        }
        self.at = start;
        let record = self.record(partition, end)?;
        self.at = end;
        Ok(Some((partition, Some(record))))
    }

    fn record(&mut self, partition: u16, end: usize) -> Result<Record, DecodeError> {
        match self.byte("kind of record missing")? {
            EVENT => self.event(end).map(Record::Event),
            CONTROL => {
                let json = self.payload.get(self.at..end).unwrap_or_default();
                let shard = Shard { lane: self.lane, partition };
                serde_json::from_slice::<Control>(json)
                    .map(|control| Record::Control { shard, control })
                    .map_err(|_| self.wrong("control record is not understood"))
            }
            _ => Err(self.wrong("unknown kind of record")),
        }
    }

    fn event(&mut self, end: usize) -> Result<Envelope, DecodeError> {
        let mut token = [0; 16];
        let bytes = self.take(16, "token")?;
        token.copy_from_slice(&bytes);
        let wire = WireFormat::from_u8(self.byte("wire format")?)
            .ok_or_else(|| self.wrong("unknown wire format"))?;
        let context = self.varint("context")?;
        let context = self.context(context)?;
        let received_at = unzigzag(self.varint("receive time")?);
        let key_length = self.varint("length of the key")?;
        let key = self.take(key_length, "key longer than the record")?;
        let key = std::str::from_utf8(&key).map_err(|_| self.wrong("key is not UTF-8"))?.to_owned();
        if self.at > end {
            return Err(self.wrong("record is shorter than its parts"));
        }
        let body = self.payload.slice(self.at..end);
        Ok(Envelope { token: ProjectToken(token), wire, lane: self.lane, key, received_at, context, body })
    }

    fn context(&mut self, index: u64) -> Result<Arc<RequestContext>, DecodeError> {
        let at = self.at;
        let slot = usize::try_from(index).ok().and_then(|i| self.contexts.get_mut(i));
        let wrong = |problem| DecodeError { at, problem };
        match slot {
            None => Err(wrong("record refers to a context that is not there")),
            Some(LazyContext::Decoded(context)) => Ok(Arc::clone(context)),
            Some(slot) => {
                let LazyContext::Bytes(json) = &*slot else { return Err(wrong("context")) };
                let context = serde_json::from_slice(json).map_err(|_| wrong("context is not understood"))?;
                let context = Arc::new(context);
                *slot = LazyContext::Decoded(Arc::clone(&context));
                Ok(context)
            }
        }
    }

    fn wrong(&self, problem: &'static str) -> DecodeError {
        DecodeError { at: self.at, problem }
    }

    fn byte(&mut self, problem: &'static str) -> Result<u8, DecodeError> {
        let byte = *self.payload.get(self.at).ok_or_else(|| self.wrong(problem))?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, length: u64, problem: &'static str) -> Result<Bytes, DecodeError> {
        let end = usize::try_from(length).ok().and_then(|l| self.at.checked_add(l));
        match end {
            Some(end) if end <= self.payload.len() => {
                let bytes = self.payload.slice(self.at..end);
                self.at = end;
                Ok(bytes)
            }
            _ => Err(self.wrong(problem)),
        }
    }

    fn varint(&mut self, problem: &'static str) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(problem)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.wrong(problem))
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
