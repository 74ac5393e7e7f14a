//! The load generator's own record of what it sent and what it was told: kept outside the system under test.
//!
//! Guarantees: an event is in the record before its first byte is sent; "acknowledged" is what a client sees.
//! Deliberately not here: what became of the events (`judge`).

use crate::error::{DrillError, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One event as sent.
#[derive(Debug, Clone, Serialize)]
pub struct Sent {
    /// Its insert id, unique in the run.
    pub id: String,
    /// Its name.
    pub event: String,
    /// Whose it is.
    pub user: String,
    /// First sent, Unix milliseconds.
    pub sent_at: i64,
    /// Acknowledged, Unix milliseconds.
    pub acked_at: Option<i64>,
    /// The receipt of the request that was acknowledged.
    pub receipt: Option<Arc<str>>,
}

/// One request.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Attempt {
    /// Unix milliseconds.
    pub at: i64,
    /// Until the answer, microseconds.
    pub took_us: u32,
    /// HTTP status; 0 = no answer.
    pub status: u16,
    /// Events in it.
    pub events: u32,
}

#[derive(Debug, Default)]
struct Inner {
    sent: Vec<Sent>,
    attempts: Vec<Attempt>,
}

/// The record; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Record {
    inner: Arc<Mutex<Inner>>,
}

impl Record {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A poisoned lock still holds whole entries: each change is one push or assignment.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes events that are about to be sent; returns where they are in the record.
    pub fn sending(&self, events: &[Sent]) -> std::ops::Range<usize> {
        let mut inner = self.lock();
        let from = inner.sent.len();
        inner.sent.extend_from_slice(events);
        from..inner.sent.len()
    }

    /// Notes the answer to a request; a whole success acknowledges its events.
    pub fn answered(
        &self,
        range: std::ops::Range<usize>,
        attempt: Attempt,
        acknowledged: bool,
        receipt: Option<&str>,
    ) {
        let receipt: Option<Arc<str>> = receipt.map(Arc::from);
        let mut inner = self.lock();
        inner.attempts.push(attempt);
        if acknowledged {
            // The clock itself: begin plus duration, both cut to milliseconds, would be up to two too early, and
            // earlier than the server received it.
            let at = now_ms();
            for sent in &mut inner.sent[range] {
                sent.acked_at = Some(at);
                sent.receipt = receipt.clone();
            }
        }
    }

    /// Everything sent so far.
    pub fn sent(&self) -> Vec<Sent> {
        self.lock().sent.clone()
    }

    /// Ids of everything acknowledged.
    pub fn acknowledged(&self) -> Vec<Sent> {
        self.lock().sent.iter().filter(|s| s.acked_at.is_some()).cloned().collect()
    }

    /// How many events are acknowledged.
    pub fn acknowledged_count(&self) -> usize {
        self.lock().sent.iter().filter(|s| s.acked_at.is_some()).count()
    }

    /// Acknowledged events per name.
    pub fn acknowledged_by_event(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for sent in self.acknowledged() {
            *counts.entry(sent.event).or_default() += 1;
        }
        counts
    }

    /// Requests begun in `[from, to)`, Unix milliseconds.
    pub fn attempts(&self, from: i64, to: i64) -> Vec<Attempt> {
        self.lock().attempts.iter().filter(|a| (from..to).contains(&a.at)).copied().collect()
    }

    /// Writes the record beside the instance, one line per event.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut text = String::new();
        for sent in &self.lock().sent {
            text.push_str(&serde_json::to_string(sent)?);
            text.push('\n');
        }
        std::fs::write(path, text).map_err(DrillError::io(path.display().to_string()))
    }
}

/// How a set of requests was answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Acceptance {
    /// Requests.
    pub requests: usize,
    /// Answered 200.
    pub accepted: usize,
    /// 99th percentile of the time to an accepted answer.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Acceptance {
    /// Of these requests.
    pub fn of(attempts: &[Attempt]) -> Acceptance {
        let mut times: Vec<u32> = attempts.iter().filter(|a| a.status == 200).map(|a| a.took_us).collect();
        times.sort_unstable();
        let at = |q: f64| {
            let nth = ((times.len() as f64 - 1.0).max(0.0) * q).ceil() as usize;
            times.get(nth).map_or(0.0, |us| f64::from(*us) / 1000.0)
        };
        Acceptance { requests: attempts.len(), accepted: times.len(), p99_ms: at(0.99), max_ms: at(1.0) }
    }
}

/// Unix milliseconds by this machine's clock.
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(id: &str) -> Sent {
        Sent { id: id.into(), event: "e".into(), user: "u".into(), sent_at: 0, acked_at: None, receipt: None }
    }

    #[test]
    fn only_a_whole_success_acknowledges() {
        let record = Record::default();
        let (a, b) = (record.sending(&[sent("1"), sent("2")]), record.sending(&[sent("3")]));
        let attempt = |status| Attempt { at: 10, took_us: 2000, status, events: 2 };
        record.answered(b, attempt(503), false, None);
        assert_eq!(record.acknowledged_count(), 0);
        record.answered(a, attempt(200), true, Some("r"));
        let acked: Vec<String> = record.acknowledged().into_iter().map(|s| s.id).collect();
        assert_eq!(acked, ["1", "2"]);
        let acceptance = Acceptance::of(&record.attempts(0, 100));
        assert_eq!((acceptance.requests, acceptance.accepted), (2, 1));
    }
}
