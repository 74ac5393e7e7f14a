//! How fast a backlog drains, end to end: log on disk, decode, decide, Parquet, delta, SQLite commit, state.
//!
//! `cargo run --release -p tallymark-processor --example drain_rate -- [events] [folder]`
//! (`RUST_LOG=tallymark_processor=debug` shows the steps of each commit.)
//! Prints events per second from the first read to the last commit, with events of about 450 bytes as Amplitude's
//! SDKs send them. Deliberately not here: HTTP (see the ingest benchmark).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{NewProject, Settings, Snapshots, token_of};
use tallymark_log::file::{FileLog, FileLogConfig};
use tallymark_log::{LogReader, LogWriter};
use tallymark_model::{Envelope, Lane, ProjectToken, Record, RequestContext, WireFormat};
use tallymark_processor::{Deps, ProcessorConfig, run};
use tokio_util::sync::CancellationToken;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEY: &str = "drain-rate-write-key-0123456789abcdef";
const REQUEST: usize = 1_000;
const START_MS: i64 = 1_790_000_000_000;

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let mut args = std::env::args().skip(1);
    let events: usize = args.next().map_or(1_000_000, |n| n.parse().expect("number of events"));
    let folder = args.next();
    let scratch = tempfile::tempdir().unwrap();
    let dir = folder.as_deref().map_or(scratch.path(), std::path::Path::new);

    let catalog = SqliteCatalog::open(&dir.join("catalog.db"), OpenMode::Create).await.unwrap();
    let project = NewProject { name: "drain".into(), write_key: Some(KEY.into()), ..NewProject::default() };
    catalog.create_project(project).await.unwrap();
    let log_config = FileLogConfig::default();
    let bytes = fill(&dir.join("log"), log_config.clone(), events).await;
    let log = FileLog::open_reader(&dir.join("log"), &log_config).unwrap();
    catalog.bind_log(log.id()).await.unwrap();
    let store = tallymark_store::open(&format!("file:{}", dir.join("objects").display())).unwrap();

    println!("{events} events of {} bytes, {} threads", bytes / events, rayon::current_num_threads());
    let deps = Deps::new(Arc::new(log), Arc::new(catalog.clone()), store);
    let stop = CancellationToken::new();
    let started = Instant::now();
    let working = tokio::spawn(run(ProcessorConfig::new(dir.join("state")), deps, stop.clone()));
    let mut seen = 0;
    while seen < events as u64 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!working.is_finished(), "the processor stopped: {:?}", working.await);
        seen = catalog.cursors().await.unwrap().iter().map(|c| c.position).sum();
    }
    let seconds = started.elapsed().as_secs_f64();
    stop.cancel();
    working.await.unwrap().unwrap();
    let tally = catalog.tally(None).await.unwrap();
    println!("{:.0} events/s ({seconds:.2} s); {tally:?}", events as f64 / seconds);
    println!("{:.1} bytes per event in objects", size_of(&dir.join("objects")) as f64 / events as f64);
}

async fn fill(dir: &std::path::Path, config: FileLogConfig, events: usize) -> usize {
    let writer = FileLog::open_writer(dir, config).unwrap();
    let (token, context) = (token_of(KEY), Arc::new(RequestContext::default()));
    let mut bytes = 0;
    for from in (0..events).step_by(REQUEST) {
        let batch: Vec<Record> =
            (from..events.min(from + REQUEST)).map(|n| record(n, token, &context, &mut bytes)).collect();
        writer.append(batch).await.unwrap();
    }
    bytes
}

fn record(n: usize, token: ProjectToken, context: &Arc<RequestContext>, bytes: &mut usize) -> Record {
    // A walk through users that comes back: about 60 events per user, two devices each.
    let user = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let user = user % 16_000;
    let device = format!("d-{user}-{}", n % 2);
    let time = START_MS + n as i64;
    let body = format!(
        r#"{{"event_type":"{}","user_id":"user-{user}","device_id":"{device}","time":{time},"insert_id":"{:032x}","session_id":{},"platform":"Web","os_name":"{}","device_model":"Pixel 9","language":"en","country":"{}","city":"Springfield","event_properties":{{"page_url":"https://shop.example.com/p/{}","price":{}.95,"quantity":{},"plan":"{}","experiment":"{}","logged_in":{}}}}}"#,
        ["Page Viewed", "Product Viewed", "Added to Cart", "Checkout", "Search"][n % 5],
        (n as u128).wrapping_mul(0x2545_f491_4f6c_dd1d_9e37_79b9_7f4a_7c15),
        START_MS + (user * 1000) as i64,
        ["Windows", "macOS", "Android", "iOS"][n % 4],
        ["DE", "US", "FR", "BR", "IN"][n % 5],
        n % 5_000,
        n % 200,
        n % 7,
        ["free", "pro"][n % 2],
        ["a", "b", "control"][n % 3],
        n.is_multiple_of(2),
    );
    *bytes += body.len();
    Record::Event(Envelope {
        token,
        wire: WireFormat::AmplitudeV2,
        lane: Lane::Live,
        key: device,
        received_at: time,
        context: Arc::clone(context),
        body: Bytes::from(body),
    })
}

fn size_of(dir: &std::path::Path) -> u64 {
    std::fs::read_dir(dir)
        .unwrap()
        .flatten()
        .map(|e| if e.path().is_dir() { size_of(&e.path()) } else { e.metadata().unwrap().len() })
        .sum()
}
