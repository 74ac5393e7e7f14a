//! `kill -9` under load, for real: a child process appends and says what was acknowledged, dies at a random moment,
//! and everything it said is in the log once (X1). A second process reads while the first writes.
//!
//! A test without the usual harness, because it starts itself as the child.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use rand::{Rng, SeedableRng};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use support::{body, event, read_all, shards};
use tallymark_log::file::{FileLog, FileLogConfig, inspect};
use tallymark_log::{Item, LogReader, LogWriter, ReadLimit};
use tallymark_model::{Lane, Position, Record};

const CHILD: &str = "TALLYMARK_LOG_KILL_TEST_DIR";
const ROUNDS: u64 = 10;

fn config() -> FileLogConfig {
    FileLogConfig { partitions: 4, idle_proof: Duration::from_millis(20), ..support::small() }
}

fn main() {
    if std::env::args().any(|arg| arg == "--list") {
        // Test runners ask for names first.
        println!("nothing_acknowledged_is_lost_by_kill_nine: test");
        return;
    }
    match std::env::var(CHILD) {
        Ok(dir) => child(Path::new(&dir)),
        Err(_) => parent(),
    }
}

/// Appends until killed. Prints one line per acknowledged record.
fn child(dir: &Path) {
    let log = std::sync::Arc::new(FileLog::open_writer(dir, config()).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("open");
    runtime.block_on(async {
        let tasks: Vec<_> = (0..8)
            .map(|task| {
                let log = std::sync::Arc::clone(&log);
                tokio::spawn(async move {
                    for i in 0.. {
                        let lane = if i % 4 == 0 { Lane::Bulk } else { Lane::Live };
                        let name = |n| format!("{}-{task}-{i}-{n}", std::process::id());
                        let records: Vec<Record> =
                            (0..1 + i % 5).map(|n| event(lane, &format!("user-{n}"), name(n))).collect();
                        let bodies: Vec<String> = records.iter().map(body).collect();
                        let receipt = log.append(records).await.unwrap();
                        let mut lines = String::new();
                        for (position, body) in receipt.positions.iter().zip(bodies) {
                            lines.push_str(&format!("{} {body}\n", position.pack()));
                        }
                        // One write per acknowledgement: the pipe keeps it whole when we die.
                        std::io::stdout().lock().write_all(lines.as_bytes()).unwrap();
                        std::io::stdout().flush().unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

fn parent() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("log");
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random);
    println!("running 1 test (seed {seed}; SEED={seed} repeats the moments)");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut acked: HashMap<Position, String> = HashMap::new();
    for round in 0..ROUNDS {
        let before = acked.len();
        let patience = Duration::from_millis(random.random_range(1..200));
        kill_under_load(&dir, patience, &mut acked, round);
        judge(&dir, &acked);
        assert!(acked.len() > before, "round {round}: nothing was acknowledged");
    }
    println!(
        "test kill -9 under load ... ok: {ROUNDS} kills, {} acknowledged, 0 lost, 0 doubled",
        acked.len()
    );
}

fn kill_under_load(dir: &Path, patience: Duration, acked: &mut HashMap<Position, String>, round: u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (opened, is_open) = mpsc::channel();
    let listener = std::thread::spawn(move || {
        let mut lines = Vec::new();
        for line in output.lines().map_while(Result::ok) {
            if lines.len() == 200 {
                let _ = opened.send(());
            }
            lines.push(line);
        }
        lines
    });
    is_open.recv().expect("the child must get to work");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (sighted, is_sighted) = mpsc::channel();
    let tail = std::thread::spawn({
        let (dir, stop) = (dir.to_owned(), std::sync::Arc::clone(&stop));
        move || read_beside(&dir, &stop, &sighted)
    });
    // On a busy machine the reader may begin late; without any record in a minute it is not late but blind.
    let _ = is_sighted.recv_timeout(Duration::from_secs(60));
    std::thread::sleep(patience);
    child.kill().unwrap();
    child.wait().unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let seen = tail.join().unwrap();
    let mut lines = listener.join().unwrap();
    assert_eq!(lines.remove(0), "open");
    for line in lines {
        // The last line may be cut short by the kill.
        let Some((packed, body)) = line.split_once(' ') else { continue };
        if body.matches('-').count() != 3 {
            continue;
        }
        let position = Position::unpack(packed.parse().unwrap()).unwrap();
        assert_eq!(
            acked.insert(position, body.to_owned()),
            None,
            "round {round}: {position} was given out twice"
        );
    }
    assert!(!seen.is_empty(), "the other process must see records while they are written");
    check_seen(dir, seen);
}

/// Another process's reader beside the writer: follows one shard.
fn read_beside(
    dir: &Path,
    stop: &std::sync::atomic::AtomicBool,
    sighted: &mpsc::Sender<()>,
) -> Vec<(Position, Record)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let reader = FileLog::open_reader(dir, &config()).unwrap();
        let mut at = Position { lane: Lane::Live, partition: shards(4)[1].partition, offset: 0 };
        let mut seen = Vec::new();
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            reader.wait(&[at], Duration::from_millis(10)).await;
            for item in reader.read(at, ReadLimit::default()).await.unwrap() {
                match item {
                    Item::Records(run) => {
                        at.offset += run.len() as u64;
                        seen.extend(run);
                        let _ = sighted.send(());
                    }
                    gap => panic!("{gap:?}"),
                }
            }
        }
        seen
    })
}

/// What a reader has seen stays, whatever happened to the writer.
fn check_seen(dir: &Path, seen: Vec<(Position, Record)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let writer = FileLog::open_writer(dir, config()).unwrap();
    let reader = FileLog::open_reader(dir, &config()).unwrap();
    runtime.block_on(async {
        let found = read_all(&reader, seen[0].0.shard(), 0, ReadLimit::default()).await;
        for (position, record) in seen {
            assert_eq!(
                found.records[position.offset as usize].1, record,
                "{position} changed after it was read"
            );
        }
    });
    drop(writer);
}

/// Every acknowledged record is there once; nothing is damaged; no body stands twice.
fn judge(dir: &Path, acked: &HashMap<Position, String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reader = FileLog::open_reader(dir, &config()).unwrap();
    let mut places: HashMap<String, Position> = HashMap::new();
    for shard in shards(4) {
        let found = runtime.block_on(read_all(&reader, shard, 0, ReadLimit::default()));
        assert_eq!(found.gaps, [], "{shard}: {:?}", found.evidence);
        for (offset, record) in found.records {
            let position = Position { lane: shard.lane, partition: shard.partition, offset };
            let twice = places.insert(body(&record), position);
            assert_eq!(twice, None, "{} stands twice", body(&record));
        }
    }
    for (position, body) in acked {
        assert_eq!(places.get(body), Some(position), "{body}");
    }
    let report = inspect(dir).unwrap();
    assert!(report.is_whole(), "{report:?}");
}
