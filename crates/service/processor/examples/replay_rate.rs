//! How fast a replay drains while live events keep coming, and how fresh those stay.
//!
//! `cargo run -p tallymark-processor --example replay_rate -- [skipped events] [live events per second]`
//! Prints the drain rate as a multiple of the live rate, and the time from append to commit of live events. Both share
//! this machine with the load generator. Deliberately not here: HTTP, queries.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{JobKind, JobState, Jobs, NewJob, NewProject, Settings, Snapshots, token_of};
use tallymark_ledger::Interval;
use tallymark_log::file::{FileLog, FileLogConfig};
use tallymark_log::{LogReader, LogWriter};
use tallymark_model::{Envelope, Lane, Record, RequestContext, Shard, WireFormat};
use tallymark_processor::{Deps, ProcessorConfig, run};
use tokio_util::sync::CancellationToken;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEY: &str = "replay-rate-write-key-0123456789abcdef";
const START_MS: i64 = 1_790_000_000_000;
/// Live events come in so many requests per second.
const REQUESTS_PER_SECOND: usize = 20;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let skipped: usize = args.next().map_or(400_000, |n| n.parse().expect("number of events"));
    let live: usize = args.next().map_or(2_000, |n| n.parse().expect("events per second"));
    let dir = tempfile::tempdir().unwrap();
    let catalog = SqliteCatalog::open(&dir.path().join("catalog.db"), OpenMode::Create).await.unwrap();
    let project = NewProject { name: "replay".into(), write_key: Some(KEY.into()), ..NewProject::default() };
    catalog.create_project(project).await.unwrap();
    let config = FileLogConfig::default();
    let writer = FileLog::open_writer(&dir.path().join("log"), config.clone()).unwrap();
    // As much again comes after what is skipped, from the same devices and users, and is processed as it comes.
    for from in (0..2 * skipped).step_by(1_000) {
        writer.append((from..from + 1_000).map(record).collect()).await.unwrap();
    }
    let log: Arc<dyn LogReader> = Arc::new(FileLog::open_reader(&dir.path().join("log"), &config).unwrap());
    catalog.bind_log(log.id()).await.unwrap();
    let store = tallymark_store::open(&format!("file:{}", dir.path().join("objects").display())).unwrap();
    let stop = CancellationToken::new();
    let ranges: Vec<Interval> =
        ends(log.as_ref()).await.into_iter().map(|(s, e)| Interval::new(s, 0, e / 2)).collect();
    let skipped: u64 = ranges.iter().map(Interval::len).sum();
    let skip = ask(&catalog, JobKind::Skip, json!({"ranges": ranges})).await;
    let deps = Deps::new(log.clone(), Arc::new(catalog.clone()), store);
    let working = tokio::spawn(run(ProcessorConfig::new(dir.path().join("state")), deps, stop.clone()));
    wait_for(&catalog, skip).await;
    while catalog.tally(None).await.unwrap().total() < skipped - 10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // Live load, and a probe that notes when what was appended is committed.
    let loading = tokio::spawn(load(writer, live, stop.clone()));
    let probing = tokio::spawn(probe(log, catalog.clone(), stop.clone()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let started = Instant::now();
    let replay = ask(&catalog, JobKind::Replay, json!({})).await;
    wait_for(&catalog, replay).await;
    let seconds = started.elapsed().as_secs_f64();
    stop.cancel();
    working.await.unwrap().unwrap();
    let sent = loading.await.unwrap();
    let mut lags = probing.await.unwrap();
    lags.sort_unstable();
    let at = |share: f64| lags[((lags.len() - 1) as f64 * share) as usize].as_millis();
    let rate = skipped as f64 / seconds;
    println!(
        "{skipped} skipped events replayed in {seconds:.1} s: {rate:.0}/s, {:.1} x the live rate",
        rate / live as f64
    );
    println!(
        "{sent} live events at {live}/s; append to commit p50 {} ms, p99 {} ms, max {} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    println!("{:?}", catalog.tally(None).await.unwrap());
}

async fn ask(catalog: &SqliteCatalog, kind: JobKind, spec: serde_json::Value) -> i64 {
    let (by, reason) = ("bench".to_owned(), "measuring".to_owned());
    catalog.create_job(NewJob { kind, project: None, spec, dry_run: false, by, reason }).await.unwrap().id
}

async fn wait_for(catalog: &SqliteCatalog, id: i64) {
    loop {
        let job = catalog.job(id).await.unwrap().unwrap();
        assert_ne!(job.state, JobState::Failed, "{job:?}");
        if job.state == JobState::Done {
            return println!("{} {}", job.kind.name(), job.report);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn ends(log: &dyn LogReader) -> Vec<(Shard, u64)> {
    let mut ends = Vec::new();
    for partition in 0..log.partitions() {
        let shard = Shard { lane: Lane::Live, partition };
        ends.push((shard, log.bounds(shard).await.unwrap().end));
    }
    ends.retain(|(_, end)| *end > 0);
    ends
}

async fn load(writer: impl LogWriter, per_second: usize, stop: CancellationToken) -> usize {
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / REQUESTS_PER_SECOND as u64));
    let mut sent = 0;
    while !stop.is_cancelled() {
        tick.tick().await;
        let n = per_second / REQUESTS_PER_SECOND;
        writer.append((0..n).map(|i| record(1_000_000_000 + sent + i)).collect()).await.unwrap();
        sent += n;
    }
    sent
}

/// For each look: how long until the cursors reached what the log held then.
async fn probe(log: Arc<dyn LogReader>, catalog: SqliteCatalog, stop: CancellationToken) -> Vec<Duration> {
    let mut waiting: Vec<(Instant, Vec<(Shard, u64)>)> = Vec::new();
    let mut lags = Vec::new();
    while !stop.is_cancelled() {
        waiting.push((Instant::now(), ends(log.as_ref()).await));
        tokio::time::sleep(Duration::from_millis(50)).await;
        let cursors = catalog.cursors().await.unwrap();
        let reached =
            |(shard, end): &(Shard, u64)| cursors.iter().any(|c| c.shard == *shard && c.position >= *end);
        waiting.retain(|(at, ends)| {
            let done = ends.iter().all(reached);
            if done {
                lags.push(at.elapsed());
            }
            !done
        });
    }
    lags
}

fn record(n: usize) -> Record {
    // A walk through users that comes back: about 60 events per user, two devices each.
    let user = ((n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 16_000;
    let device = format!("d-{user}-{}", n % 2);
    let time = START_MS + n as i64;
    let body = format!(
        r#"{{"event_type":"{}","user_id":"user-{user}","device_id":"{device}","time":{time},"insert_id":"{:032x}","session_id":{},"platform":"Web","os_name":"{}","language":"en","event_properties":{{"page_url":"https://shop.example.com/p/{}","price":{}.95,"quantity":{},"plan":"{}"}}}}"#,
        ["Page Viewed", "Product Viewed", "Added to Cart", "Checkout", "Search"][n % 5],
        (n as u128).wrapping_mul(0x2545_f491_4f6c_dd1d_9e37_79b9_7f4a_7c15),
        START_MS + (user * 1000) as i64,
        ["Windows", "macOS", "Android", "iOS"][n % 4],
        n % 5_000,
        n % 200,
        n % 7,
        ["free", "pro"][n % 2],
    );
    Record::Event(Envelope {
        token: token_of(KEY),
        wire: WireFormat::AmplitudeV2,
        lane: Lane::Live,
        key: device,
        received_at: time,
        context: Arc::new(RequestContext::default()),
        body: Bytes::from(body),
    })
}
