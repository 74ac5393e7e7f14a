//! What must not grow with the log: the work of opening it (X20), and the disk it takes once it is trimmed (R26).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use support::fault_disk::FaultDisk;
use support::rig::{Acked, DIR, LIVE_DIR, PARTITIONS, append, assert_whole, batch, open, reader};
use support::{permit_for, read_all};
use tallymark_log::file::inspect_on;
use tallymark_log::{LogReader, ReadLimit};
use tallymark_model::{Lane, Position, Shard};

async fn fill(disk: &FaultDisk, acked: &mut Acked, files: usize) {
    let log = open(disk).unwrap();
    for i in 0.. {
        if disk.paths(Path::new(LIVE_DIR), ".log").len() >= files {
            break;
        }
        append(&log, acked, batch(&format!("{i} {}", "w".repeat(900)), 10)).await.unwrap();
    }
}

/// Bytes read by opening a writer, and by opening a reader and reading one record at the end.
async fn cost_of_opening(disk: &FaultDisk, acked: &Acked) -> (u64, u64) {
    let before = disk.read_bytes();
    let log = open(disk).unwrap();
    let writer = disk.read_bytes() - before;
    drop(log);
    let last = acked.keys().rfind(|p| p.lane == Lane::Live && p.partition == 0).unwrap();
    let before = disk.read_bytes();
    let items = reader(disk).read(*last, ReadLimit::default()).await.unwrap();
    assert_eq!(items.len(), 1);
    (writer, disk.read_bytes() - before)
}

#[tokio::test]
async fn opening_does_not_read_the_backlog() {
    let disk = FaultDisk::new();
    let mut acked = Acked::new();
    fill(&disk, &mut acked, 8).await;
    let small = cost_of_opening(&disk, &acked).await;
    fill(&disk, &mut acked, 80).await;
    let large = cost_of_opening(&disk, &acked).await;
    let content: usize = disk.paths(Path::new(LIVE_DIR), ".log").iter().map(|p| disk.bytes(p).len()).sum();
    // One page of header for each file more, and no content of sealed files.
    let headers = 2 * 4096 * 80;
    assert!(
        large.0 <= small.0 + headers + (128 << 10),
        "writer: {small:?} then {large:?} of {content} bytes"
    );
    assert!(
        large.1 <= small.1 + headers + (256 << 10),
        "reader: {small:?} then {large:?} of {content} bytes"
    );
    assert!(content as u64 > 4 * (headers + (256 << 10)), "the backlog must be worth noticing");
}

#[tokio::test]
async fn a_trimmed_log_uses_its_files_again() {
    let disk = FaultDisk::new();
    let mut acked = Acked::new();
    fill(&disk, &mut acked, 6).await;
    let log = open(&disk).unwrap();
    let trimmer = reader(&disk);
    let mut occupied = Vec::new();
    for round in 0..30 {
        for i in 0..12 {
            append(&log, &mut acked, batch(&format!("{round} {i} {}", "v".repeat(900)), 10)).await.unwrap();
        }
        for partition in 0..PARTITIONS {
            let shard = Shard { lane: Lane::Live, partition };
            let end = trimmer.bounds(shard).await.unwrap().end;
            trimmer.trim(permit_for(shard, end)).await.unwrap();
        }
        let files: usize =
            [".log", ".spare", ".tmp"].map(|e| disk.paths(Path::new(LIVE_DIR), e).len()).iter().sum();
        occupied.push(files);
    }
    let most = occupied[10..].iter().max().unwrap();
    assert!(*most <= 7, "disk use is flat: {occupied:?}");
    let shard = Shard { lane: Lane::Live, partition: 1 };
    let start = trimmer.bounds(shard).await.unwrap().start;
    let found = read_all(&trimmer, shard, start, ReadLimit::default()).await;
    assert_eq!(found.gaps, []);
    for (offset, record) in found.records {
        let at = Position { lane: Lane::Live, partition: 1, offset };
        assert_eq!(acked[&at], support::body(&record));
    }
}

#[tokio::test]
async fn an_idle_restart_leaves_no_file_behind() {
    let disk = FaultDisk::new();
    let mut acked = Acked::new();
    let log = open(&disk).unwrap();
    append(&log, &mut acked, batch("only", 3)).await.unwrap();
    drop(log);
    for _ in 0..20 {
        drop(open(&disk).unwrap());
    }
    assert_eq!(disk.paths(Path::new(LIVE_DIR), ".log").len(), 2, "the one with records and an empty one");
    assert_whole(&disk, &acked).await;
    assert!(inspect_on(&disk, Path::new(DIR)).unwrap().is_whole());
}
