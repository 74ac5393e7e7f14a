//! The product's own test events: one per lane and partition, sent as any client sends and asked for as any user asks.
//!
//! Guarantees: they live in a project of their own, [`tallymark_api::CANARY_PROJECT`], so no customer's numbers hold
//! them, and the books account for them as for everything else; what was sent last waits no longer than its turn.
//! Deliberately not here: judging (`monitor::checks::canary`).

use super::backends::Backends;
use super::now;
use crate::Layout;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tallymark_api::CANARY_PROJECT;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{NewProject, Settings, token_of};
use tallymark_log::{LogReader, partition_of_key};
use tallymark_model::{Lane, Millis, Shard};
use tallymark_monitor::facts::CanaryFacts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// What an event that names its own place is called.
const NAME: &str = "$canary";
const ASK_EVERY: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_MAX: u64 = 8 << 20;
/// Names of devices that are tried until every partition has one.
const NAMES_MAX: u32 = 100_000;

/// What became of the test events so far.
#[derive(Default)]
pub struct Canaries(Mutex<Flock>);

#[derive(Debug, Default, PartialEq)]
struct Flock {
    every: Option<Millis>,
    sent: BTreeMap<Shard, Millis>,
    seen: BTreeMap<Shard, Millis>,
    error: Option<String>,
}

impl Flock {
    /// The slowest shard speaks for all: a canary that is silent is missed.
    fn facts(&self) -> Option<CanaryFacts> {
        let every_ms = self.every?;
        let sent = self.sent.values().min().copied();
        let all_seen = self.sent.keys().all(|shard| self.seen.contains_key(shard));
        let seen = self.seen.values().min().copied().filter(|_| all_seen);
        Some(CanaryFacts { sent, seen, error: self.error.clone(), every_ms })
    }

    /// Takes in what a query returned.
    fn returned(&mut self, answer: &Value) {
        for event in answer["events"].as_array().into_iter().flatten() {
            let p = &event["properties"];
            let lane = p["lane"].as_str().and_then(Lane::from_name);
            let partition = p["partition"].as_u64().and_then(|n| u16::try_from(n).ok());
            if let (Some(lane), Some(partition), Some(sent)) = (lane, partition, p["sent"].as_i64()) {
                let seen = self.seen.entry(Shard { lane, partition }).or_insert(sent);
                *seen = sent.max(*seen);
            }
        }
    }
}

impl Canaries {
    /// What monitors look at; `None` while none are sent.
    pub fn facts(&self) -> Option<CanaryFacts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).facts()
    }

    fn note<T>(&self, change: impl FnOnce(&mut Flock) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How often to send.
#[async_trait]
pub trait Rhythm: Send + Sync {
    /// Milliseconds; `None`: not at all.
    async fn every(&self) -> Option<Millis>;
}

/// Sends and asks until told to stop.
pub async fn run(
    layout: Layout,
    backends: Arc<Backends>,
    canaries: Arc<Canaries>,
    rhythm: Arc<dyn Rhythm>,
    stop: CancellationToken,
) {
    let mut home = None;
    let mut sent = 0;
    while !stop.is_cancelled() {
        let interval = rhythm.every().await;
        canaries.note(|flock| match interval {
            Some(_) => flock.every = interval,
            None => *flock = Flock::default(),
        });
        if let Some(interval) = interval {
            let done = turn(&layout, &backends, &canaries, &mut home, now() - sent >= interval).await;
            if matches!(done, Ok(true)) {
                sent = now();
            }
            canaries.note(|flock| flock.error = done.err());
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Where test events go, and a device for each partition.
struct Home {
    write_key: String,
    devices: Vec<String>,
}

/// One look: sends if it is time, then asks. True if something was sent.
async fn turn(
    layout: &Layout,
    backends: &Backends,
    canaries: &Canaries,
    home: &mut Option<Home>,
    due: bool,
) -> Result<bool, String> {
    let local = std::fs::read_to_string(layout.local()).map_err(|e| format!("local.json: {e}"))?;
    let local: Value = serde_json::from_str(&local).map_err(|e| format!("local.json: {e}"))?;
    let address = local["url"].as_str().unwrap_or_default().trim_start_matches("http://").to_owned();
    let key = local["admin_key"].as_str().unwrap_or_default().to_owned();
    if home.is_none() {
        let partitions = backends.log()?.partitions();
        *home = Some(at_home(&backends.catalog().await?, partitions).await?);
    }
    let Some(Home { write_key, devices }) = home.as_ref() else { return Ok(false) };
    if due {
        for lane in Lane::ALL {
            let at = now();
            let events: Vec<Value> = devices.iter().zip(0u16..).map(|(d, p)| event(d, lane, p, at)).collect();
            let path = format!("/api/v1/events?lane={}", lane.name());
            let body = json!({ "events": events }).to_string();
            ask(&address, write_key, "POST", &path, &body).await?;
            canaries.note(|flock| {
                flock
                    .sent
                    .extend((0u16..).zip(devices).map(|(partition, _)| (Shard { lane, partition }, at)));
            });
        }
    }
    // Two turns of every shard: what a slow one sent before must not hide behind the others.
    let limit = (devices.len() * Lane::ALL.len() * 2).min(1_000);
    let path = format!("/api/v1/projects/{}/events?limit={limit}", CANARY_PROJECT.replace('$', "%24"));
    let answer = ask(&address, &key, "GET", &path, "").await?;
    let answer: Value = serde_json::from_str(&answer).map_err(|e| format!("the answer is no JSON: {e}"))?;
    canaries.note(|flock| flock.returned(&answer));
    Ok(due)
}

async fn at_home(catalog: &SqliteCatalog, partitions: u16) -> Result<Home, String> {
    let known = catalog.project(CANARY_PROJECT).await.map_err(|e| e.to_string())?;
    let write_key = match known {
        Some(project) => project.write_key,
        None => {
            let new = NewProject { name: CANARY_PROJECT.to_owned(), ..NewProject::default() };
            catalog.create_project(new).await.map_err(|e| e.to_string())?.write_key
        }
    };
    let devices = devices(&write_key, partitions);
    Ok(Home { write_key, devices })
}

/// A device per partition whose events go there.
fn devices(write_key: &str, partitions: u16) -> Vec<String> {
    let token = token_of(write_key);
    let mut found: BTreeMap<u16, String> = BTreeMap::new();
    for n in 0..NAMES_MAX {
        if found.len() == usize::from(partitions) {
            break;
        }
        let device = format!("canary-{n}");
        found.entry(partition_of_key(token, &device, partitions)).or_insert(device);
    }
    found.into_values().collect()
}

fn event(device: &str, lane: Lane, partition: u16, at: Millis) -> Value {
    json!({
        "event": NAME,
        "device_id": device,
        "insert_id": format!("{}-{partition}-{at}", lane.name()),
        "properties": {"lane": lane.name(), "partition": partition, "sent": at},
    })
}

/// A request as a client of this machine makes it. The answer ends with the connection.
async fn ask(address: &str, key: &str, method: &str, path: &str, body: &str) -> Result<String, String> {
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Accept: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let talk = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, talk).await;
    let answer = answer.map_err(|_| format!("{method} {path}: no answer"))?;
    let answer = answer.map_err(|e| format!("{method} {path}: {e}"))?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status.starts_with('2') { Ok(body.to_owned()) } else { Err(format!("{method} {path}: HTTP {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(lane: Lane, partition: u16) -> Shard {
        Shard { lane, partition }
    }

    #[test]
    fn every_partition_has_a_device() {
        let devices = devices("tmw_key", 8);
        let token = token_of("tmw_key");
        let places: Vec<u16> = devices.iter().map(|d| partition_of_key(token, d, 8)).collect();
        assert_eq!(places, (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn the_shard_that_is_silent_speaks_for_all() {
        let mut flock = Flock { every: Some(60_000), ..Flock::default() };
        flock.sent = [(shard(Lane::Live, 0), 100), (shard(Lane::Bulk, 0), 120)].into();
        let returned =
            |lane: &str, sent: i64| json!({"properties": {"lane": lane, "partition": 0, "sent": sent}});
        flock.returned(&json!({"events": [returned("live", 100)]}));
        assert_eq!(flock.facts().unwrap().seen, None, "bulk never came through");
        flock.returned(&json!({"events": [returned("live", 90), returned("bulk", 120), {"properties": {}}]}));
        let facts = flock.facts().unwrap();
        assert_eq!((facts.sent, facts.seen, facts.every_ms), (Some(100), Some(100), 60_000));
        assert_eq!(Flock::default().facts(), None, "none are sent");
    }
}
