//! The load generator: seeded clients that keep each batch until it is acknowledged, as SDKs do.
//!
//! Guarantees: every request is in the record; a batch without an answer is sent again with the same insert ids;
//! the generator ends within its patience.
//! Deliberately not here: judging.

mod script;
mod shape;

pub use script::{Batch, Profile, Script};
pub use shape::{Event, Shape};

use crate::error::{DrillError, Result};
use crate::instance::{Instance, WRITE_KEY};
use crate::record::{Attempt, Record, Sent, now_ms};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const RETRY: Duration = Duration::from_millis(100);
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// How long a batch is sent again before it is given up (it then stays unacknowledged in the record).
const PATIENCE: Duration = Duration::from_secs(60);

/// A load that runs.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts clients against an instance. `run` numbers the loads of a drill: ids never repeat.
    pub fn start(instance: &Instance, seed: u64, run: u32, profile: &Profile, record: &Record) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..profile.connections)
            .map(|connection| {
                let client = Client {
                    target: Target::of(instance),
                    script: Script::new(seed, run, connection, profile),
                    ago_ms: profile.ago_ms,
                    stretch: profile.stretch,
                    pause: Duration::from_secs_f64(
                        profile.batch as f64 * profile.connections as f64 / profile.rate.max(1.0),
                    ),
                    record: record.clone(),
                    stop: Arc::clone(&stop),
                };
                tokio::spawn(client.run())
            })
            .collect();
        Load { stop, clients }
    }

    /// Lets every client finish its batch, then ends.
    pub async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            let _ = client.await;
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for client in &self.clients {
            client.abort();
        }
    }
}

/// One connection.
struct Client {
    target: Target,
    script: Script,
    ago_ms: i64,
    stretch: f64,
    pause: Duration,
    record: Record,
    stop: Arc<AtomicBool>,
}

impl Client {
    async fn run(mut self) {
        let began = Instant::now();
        let mut sent = 0u32;
        while !self.stop.load(Ordering::Relaxed) {
            let passed = began.elapsed().as_secs_f64() * 1000.0 * (self.stretch - 1.0);
            let batch = self.script.batch(now_ms() - self.ago_ms + passed as i64);
            self.target.deliver(&batch, &self.record, PATIENCE).await;
            sent += 1;
            let due = self.pause * sent;
            // Late after an outage: go on at the pace, do not make up for what was missed.
            tokio::time::sleep(due.saturating_sub(began.elapsed()).min(self.pause)).await;
        }
    }
}

/// Where requests go.
#[derive(Debug, Clone)]
pub struct Target {
    url: String,
    http: reqwest::Client,
}

impl Target {
    /// An instance's public port.
    pub fn of(instance: &Instance) -> Target {
        // Building a plain client fails only without TLS roots, which plain HTTP does not need.
        let http = reqwest::Client::builder().timeout(REQUEST_LIMIT).build().unwrap_or_default();
        Target { url: instance.url(), http }
    }

    /// Sends a batch until it is acknowledged or patience ends; true = acknowledged.
    pub async fn deliver(&self, batch: &Batch, record: &Record, patience: Duration) -> bool {
        let range = record.sending(&batch.events.iter().map(noted).collect::<Vec<_>>());
        let body = batch.shape.body(&batch.events).to_string();
        let began = Instant::now();
        loop {
            let (attempt, receipt) = self.attempt(batch, body.clone()).await;
            let acknowledged = attempt.status == 200;
            record.answered(range.clone(), attempt, acknowledged, receipt.as_deref());
            if acknowledged || began.elapsed() > patience {
                return acknowledged;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn attempt(&self, batch: &Batch, body: String) -> (Attempt, Option<String>) {
        let (at, began) = (now_ms(), Instant::now());
        let mut request = self
            .http
            .post(format!("{}{}", self.url, batch.shape.path()))
            .header("content-type", "application/json")
            .body(body);
        request = match batch.shape {
            Shape::Native => request.bearer_auth(WRITE_KEY),
            Shape::Segment => request.basic_auth(WRITE_KEY, Some("")),
            Shape::Amplitude | Shape::Posthog => request,
        };
        let (mut status, mut receipt) = (0, None);
        if let Ok(response) = request.send().await {
            status = response.status().as_u16();
            match response.text().await {
                Ok(text) if batch.shape == Shape::Native && status == 200 => {
                    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
                    // Half a success would be a lie in the record: every event of ours is well-formed.
                    if answer["accepted"].as_u64() != Some(batch.events.len() as u64) {
                        status = 207;
                    }
                    receipt = answer["receipt"].as_str().map(str::to_owned);
                }
                Ok(_) => {}
                Err(_) => status = 0,
            }
        }
        let took_us = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
        (Attempt { at, took_us, status, events: batch.events.len() as u32 }, receipt)
    }
}

/// Sends batches one after the other, each until acknowledged; any that is not is an error.
pub async fn feed(instance: &Instance, batches: &[Batch], record: &Record) -> Result<()> {
    let target = Target::of(instance);
    for batch in batches {
        if !target.deliver(batch, record, PATIENCE).await {
            return Err(DrillError::TimedOut {
                what: format!("{} to acknowledge a batch", instance.name()),
                seconds: PATIENCE.as_secs_f64(),
            });
        }
    }
    Ok(())
}

fn noted(event: &Event) -> Sent {
    Sent {
        id: event.id.clone(),
        event: event.name.clone(),
        user: event.owner().to_owned(),
        sent_at: now_ms(),
        acked_at: None,
        receipt: None,
    }
}
