//! How many events per second become durable, for batches of 1, 10 and 100.
//!
//! `cargo run --release -p tallymark-log --example append_rate -- [DIR] [PRODUCERS] [SECONDS] [plain]`
//!
//! DIR must be on the disk to be measured; a folder of its own is made there and removed again. Every event counted
//! was acknowledged, that is, flushed. No HTTP, no parsing: the log alone.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tallymark_log::file::{FileLog, FileLogConfig, FileLogWriter};
use tallymark_log::{AppendError, Item, LogReader, LogWriter, ReadLimit};
use tallymark_model::{Envelope, Lane, Position, ProjectToken, Record, RequestContext, WireFormat};

fn main() {
    let mut args = std::env::args().skip(1);
    let base = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let producers: usize = args.next().map_or(64, |n| n.parse().expect("PRODUCERS is a number"));
    let seconds: u64 = args.next().map_or(3, |n| n.parse().expect("SECONDS is a number"));
    let pack = args.next().is_none_or(|word| word != "plain");
    let dir = base.join(format!("append-rate-{}", std::process::id()));
    println!(
        "{producers} producers, {seconds} s each, {} bytes per event, pack {pack}, {}",
        body(0).len(),
        dir.display()
    );
    println!(
        "{:>6} {:>12} {:>9} {:>11} {:>9} {:>9}",
        "batch", "events/s", "MB/s", "bytes/event", "p50 ms", "p99 ms"
    );
    for batch in [1, 10, 100] {
        let result = measure(&dir, batch, producers, Duration::from_secs(seconds), pack);
        std::fs::remove_dir_all(&dir).unwrap();
        println!("{batch:>6} {result}");
    }
}

fn measure(dir: &Path, batch: usize, producers: usize, time: Duration, pack: bool) -> String {
    let config = FileLogConfig {
        pack_from_bytes: FileLogConfig::default().pack_from_bytes.filter(|_| pack),
        ..FileLogConfig::default()
    };
    let log = Arc::new(FileLog::open_writer(dir, config).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let events = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut latencies: Vec<Duration> = runtime.block_on(async {
        let tasks: Vec<_> = (0..producers)
            .map(|p| {
                tokio::spawn(produce(
                    p as u64,
                    batch,
                    Arc::clone(&log),
                    Arc::clone(&stop),
                    Arc::clone(&events),
                ))
            })
            .collect();
        tokio::time::sleep(time).await;
        stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    let elapsed = started.elapsed().as_secs_f64();
    log.close();
    let total = events.load(Ordering::Relaxed);
    let bytes = content_bytes(dir);
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    format!(
        "{:>12.0} {:>9.0} {:>11.0} {:>9.2} {:>9.2} {:>13.0}",
        total as f64 / elapsed,
        bytes as f64 / elapsed / 1e6,
        bytes as f64 / total as f64,
        at(0.5),
        at(0.99),
        runtime.block_on(read_rate(dir))
    )
}

/// Events per second that one reader decodes, partition by partition in turn, from the page cache.
async fn read_rate(dir: &Path) -> f64 {
    let reader = FileLog::open_reader(dir, &FileLogConfig::default()).unwrap();
    let mut at: Vec<Position> = (0..reader.partitions())
        .map(|partition| Position { lane: Lane::Live, partition, offset: 0 })
        .collect();
    let (started, mut total) = (Instant::now(), 0usize);
    loop {
        let before = total;
        for position in &mut at {
            for item in reader.read(*position, ReadLimit::default()).await.unwrap() {
                let Item::Records(run) = item else { panic!("{item:?}") };
                position.offset += run.len() as u64;
                total += run.len();
            }
        }
        if total == before {
            return total as f64 / started.elapsed().as_secs_f64();
        }
    }
}

async fn produce(
    producer: u64,
    batch: usize,
    log: Arc<FileLogWriter>,
    stop: Arc<AtomicBool>,
    events: Arc<AtomicU64>,
) -> Vec<Duration> {
    let context =
        Arc::new(RequestContext { ip: Some("203.0.113.7".to_owned()), ..RequestContext::default() });
    let bodies: Vec<bytes::Bytes> = (0..2_000).map(|i| body(producer * 2_000 + i).into()).collect();
    let mut latencies = Vec::new();
    let mut n = 0usize;
    while !stop.load(Ordering::Relaxed) {
        let records: Vec<Record> = (0..batch)
            .map(|i| {
                Record::Event(Envelope {
                    token: ProjectToken([9; 16]),
                    wire: WireFormat::NativeV1,
                    lane: Lane::Live,
                    key: format!("device-{producer}-{}", (n + i) % 1000),
                    received_at: 1_700_000_000_000 + n as i64,
                    context: Arc::clone(&context),
                    body: bodies[(n + i) % bodies.len()].clone(),
                })
            })
            .collect();
        n += batch;
        let asked = Instant::now();
        match log.append(records).await {
            Ok(_) => {
                latencies.push(asked.elapsed());
                events.fetch_add(batch as u64, Ordering::Relaxed);
            }
            Err(AppendError::Unavailable { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(other) => panic!("{other}"),
        }
    }
    latencies
}

/// An event as an SDK sends it, about 445 bytes.
fn body(i: u64) -> Vec<u8> {
    let id = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        concat!(
            r#"{{"event":"song_played","user_id":"user-{:x}","device_id":"{:016x}-{:016x}","insert_id":"{:016x}{:016x}","#,
            r#""time":1700000{:06},"session_id":17000{:05},"properties":{{"genre":"indie rock","duration_s":{},"#,
            r#""playlist":"monday morning {}","premium":{},"app_version":"4.{}.1","os":"Android 15","screen":"now playing","#,
            r#""volume":0.{},"referrer":"https://example.org/search?q={:x}","city":"Lisbon"}}}}"#
        ),
        id % 100_000, id, id.rotate_left(9), id.rotate_left(21), id.rotate_left(33), id % 1_000_000, id % 100_000,
        id % 400, id % 5_000, id.is_multiple_of(2), id % 30, id % 100, id.rotate_left(7)
    )
    .into_bytes()
}

fn content_bytes(dir: &Path) -> u64 {
    let report = tallymark_log::file::inspect(dir).unwrap();
    report.lanes.iter().flat_map(|lane| &lane.files).map(|f| f.content_bytes).sum()
}
