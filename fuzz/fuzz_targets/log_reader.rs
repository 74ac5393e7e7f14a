//! Arbitrary damage to a log, and arbitrary bytes as records: no panic, no endless loop, nothing read that was not
//! written, and the log can be written again.
//!
//! First byte even: the rest is a payload. Odd: the rest is a list of edits of a sample log, 8 bytes each.
#![no_main]

#[path = "../../crates/engine/log/tests/support/fault_disk.rs"]
#[allow(dead_code)]
mod fault_disk;

use fault_disk::FaultDisk;
use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tallymark_log::file::{FileLog, FileLogConfig, inspect_on};
use tallymark_log::record::Decoder;
use tallymark_log::{Item, LogReader, LogWriter, ReadLimit};
use tallymark_model::{Envelope, Lane, Position, ProjectToken, Record, RequestContext, WireFormat};

const DIR: &str = "/log";
const PARTITIONS: u16 = 2;

struct Sample {
    disk: FaultDisk,
    written: HashMap<Position, Record>,
    runtime: tokio::runtime::Runtime,
}

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((first, rest)) if first % 2 == 0 => decode(rest),
        Some((_, edits)) => read_damaged(edits),
        None => {}
    }
});

fn decode(payload: &[u8]) {
    let Ok(mut decoder) = Decoder::new(bytes::Bytes::copy_from_slice(payload), Lane::Live) else { return };
    let mut records = 0;
    while let Ok(Some(_)) = decoder.next_if(|_| true) {
        records += 1;
        assert!(records <= payload.len(), "more records than bytes");
    }
}

fn read_damaged(edits: &[u8]) {
    let sample = sample();
    let disk = sample.disk.fork();
    for edit in edits.chunks_exact(8).take(16) {
        damage(&disk, edit);
    }
    sample.runtime.block_on(async {
        for (position, record) in read_all(&disk).await {
            assert_eq!(sample.written.get(&position), Some(&record), "{position} is not what was written");
        }
        let _ = inspect_on(&disk, Path::new(DIR));
        let Ok(log) = FileLog::open_writer_on(Arc::new(disk.clone()), Path::new(DIR), config()) else {
            return;
        };
        let receipt = log.append(vec![event(1, "later")]).await.expect("the disk is well again");
        let again = read_all(&disk).await;
        assert!(again.iter().any(|(position, _)| *position == receipt.positions[0]));
    });
}

/// `[which file, position u24, length u16, value, how]`
fn damage(disk: &FaultDisk, edit: &[u8]) {
    let mut paths = disk.paths(Path::new("/log/live"), ".log");
    paths.push("/log/live/mark".into());
    paths.push("/log/log.id".into());
    let path = &paths[usize::from(edit[0]) % paths.len()];
    let position = u32::from_le_bytes([edit[1], edit[2], edit[3], 0]) as usize;
    let length = usize::from(u16::from_le_bytes([edit[4], edit[5]]));
    let (value, how) = (edit[6], edit[7]);
    disk.damage(path, |bytes| {
        let at = position.min(bytes.len());
        let end = (at + length).min(bytes.len());
        match how % 5 {
            0 => bytes[at..end].fill(value),
            1 => bytes[at..end].iter_mut().take(8).for_each(|b| *b ^= value),
            2 => bytes.truncate(at),
            3 => {
                let to = (at + usize::from(value) * 8).min(bytes.len() - (end - at));
                bytes.copy_within(at..end, to);
            }
            _ => {
                let longer = bytes.len() + length;
                bytes.resize(longer, value);
            }
        }
    });
}

async fn read_all(disk: &FaultDisk) -> Vec<(Position, Record)> {
    let Ok(reader) = FileLog::open_reader_on(Arc::new(disk.clone()), Path::new(DIR), &config()) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for partition in 0..PARTITIONS {
        let mut at = Position { lane: Lane::Live, partition, offset: 0 };
        loop {
            let items =
                reader.read(at, ReadLimit { records: 7, bytes: 1 << 20 }).await.expect("damage is no error");
            if items.is_empty() {
                break;
            }
            for item in items {
                let next = match item {
                    Item::Records(run) => {
                        all.extend(run.iter().cloned());
                        at.offset + run.len() as u64
                    }
                    Item::Gap { from, to, .. } => {
                        assert_eq!(from, at);
                        to
                    }
                };
                assert!(next > at.offset, "reading makes progress");
                at.offset = next;
            }
        }
    }
    all
}

fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let disk = FaultDisk::new();
        let mut written = HashMap::new();
        for life in 0..3 {
            let log =
                FileLog::open_writer_on(Arc::new(disk.clone()), Path::new(DIR), config()).expect("a new log");
            for i in 0..30 {
                let records: Vec<Record> =
                    (0..1 + i % 5).map(|n| event(n, &format!("{life}/{i}/{n}"))).collect();
                let receipt = runtime.block_on(log.append(records.clone())).expect("append");
                written.extend(receipt.positions.into_iter().zip(records));
            }
        }
        Sample { disk, written, runtime }
    })
}

fn event(n: usize, body: &str) -> Record {
    Record::Event(Envelope {
        token: ProjectToken([1; 16]),
        wire: WireFormat::NativeV1,
        lane: Lane::Live,
        key: format!("key-{n}"),
        received_at: 1,
        context: Arc::new(RequestContext::default()),
        body: bytes::Bytes::copy_from_slice(body.as_bytes()),
    })
}

fn config() -> FileLogConfig {
    FileLogConfig {
        partitions: PARTITIONS,
        file_bytes: 64 << 10,
        first_file_bytes: 16 << 10,
        disk_floor_bytes: 0,
        reserve_bytes: 0,
        idle_proof: Duration::from_secs(3600),
        ..FileLogConfig::default()
    }
}
