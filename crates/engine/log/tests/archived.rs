//! What copies of the log's files hold: the list of sealed files, and reading one from its bytes (deep reprocessing).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;
use support::fault_disk::{FaultDisk, Plan};
use support::rig::{Acked, PARTITIONS, append, batch, filled, open, reader};
use support::{read_all, shards};
use tallymark_log::file::{ArchivedFile, decode_archived};
use tallymark_log::{Item, LogReader, LogTerms, ReadLimit, SealedFile};
use tallymark_model::{Lane, Position, Shard};

fn bytes_of(disk: &FaultDisk, file: &SealedFile) -> Bytes {
    Bytes::from(disk.bytes(&file.path)).slice(..file.bytes as usize)
}

/// Records as (offset, body), and gaps.
type Contents = (Vec<(u64, String)>, Vec<(u64, u64)>);

/// Everything an archived file says of a partition.
fn contents(file: &ArchivedFile, partition: u16, limit: ReadLimit) -> Contents {
    let (from, to) = file.ranges()[usize::from(partition)];
    let (mut records, mut gaps, mut at) = (Vec::new(), Vec::new(), from);
    while at < to {
        let items = file.read(Position { lane: file.lane(), partition, offset: at }, limit).unwrap();
        assert!(!items.is_empty(), "nothing at {at} of {to}");
        for item in items {
            match item {
                Item::Records(run) => {
                    for (position, record) in run {
                        assert_eq!(position.offset, at);
                        records.push((at, support::body(&record)));
                        at += 1;
                    }
                }
                Item::Gap { from, to, .. } => {
                    assert_eq!(from.offset, at);
                    gaps.push((at, to));
                    at = to;
                }
            }
        }
    }
    assert_eq!(at, to);
    (records, gaps)
}

#[tokio::test]
async fn sealed_files_tile_the_log_and_read_back_from_their_bytes() {
    let (disk, ..) = filled(1500, 5).await;
    let log = reader(&disk);
    let sealed = log.sealed().await.unwrap();
    assert!(sealed.len() > 3 && sealed.iter().all(|f| f.lane == Lane::Live));
    let limit = ReadLimit { records: 17, bytes: 1 << 20 };
    for partition in 0..PARTITIONS {
        let shard = Shard { lane: Lane::Live, partition };
        let whole = read_all(&log, shard, 0, ReadLimit::default()).await;
        let mut next = 0;
        for file in &sealed {
            let (from, to) = file.ranges[usize::from(partition)];
            assert_eq!(from, next);
            next = to;
            let archived = decode_archived(bytes_of(&disk, file), Lane::Live).unwrap();
            assert_eq!((archived.number(), archived.log()), (file.number, log.id()));
            assert_eq!(archived.damaged(), 0);
            assert_eq!(archived.received(), Some((1_700_000_000_000, 1_700_000_000_000)));
            let (records, gaps) = contents(&archived, partition, limit);
            assert_eq!(gaps, []);
            let expected: Vec<(u64, String)> = whole.records[from as usize..to as usize]
                .iter()
                .map(|(o, r)| (*o, support::body(r)))
                .collect();
            assert_eq!(records, expected);
        }
        let tail = log.files().await.unwrap().lanes[0].tail.clone().unwrap();
        assert_eq!(tail.ranges[usize::from(partition)], (next, log.bounds(shard).await.unwrap().end));
    }
}

#[tokio::test]
async fn receive_times_are_known_for_files_with_a_successor() {
    let (disk, ..) = filled(800, 5).await;
    let sealed = reader(&disk).sealed().await.unwrap();
    assert!(sealed.iter().rev().skip(1).all(|f| f.received == Some((1_700_000_000_000, 1_700_000_000_000))));
}

#[tokio::test]
async fn what_stands_below_the_durable_end_of_the_tail_opens_as_a_log() {
    let disk = FaultDisk::new();
    let log = open(&disk).unwrap();
    let mut acked = Acked::new();
    for i in 0..60 {
        append(&log, &mut acked, batch(&format!("{i}"), 3)).await.unwrap();
    }
    // A copy taken while the writer runs.
    let files = reader(&disk).files().await.unwrap();
    let copy = FaultDisk::new();
    copy.put(&files.identity, &disk.bytes(&files.identity));
    for lane in &files.lanes {
        for file in &lane.sealed {
            copy.put(&file.path, &disk.bytes(&file.path)[..file.bytes as usize]);
        }
        if let Some(tail) = &lane.tail {
            copy.put(&tail.path, &disk.bytes(&tail.path)[..tail.bytes as usize]);
        }
    }
    append(&log, &mut Acked::new(), batch("later", 3)).await.unwrap();
    let restored = open(&copy).unwrap();
    support::rig::assert_whole(&copy, &acked).await;
    append(&restored, &mut acked, batch("after", 4)).await.unwrap();
    support::rig::assert_whole(&copy, &acked).await;
}

#[tokio::test]
async fn the_contract_measures_growth_and_says_what_was_lost() {
    let disk = FaultDisk::new();
    disk.plan(Plan { free_bytes: Some(1 << 30), total_bytes: Some(4 << 30), ..Plan::default() });
    let log = open(&disk).unwrap();
    let reader = reader(&disk);
    let terms = LogTerms { retention_ms: 7 * 86_400_000, archive: true };
    let cursors: Vec<Position> = shards(PARTITIONS)
        .into_iter()
        .map(|s| Position { lane: s.lane, partition: s.partition, offset: 2 })
        .collect();
    let first = reader.contract(&terms, &[]).await.unwrap();
    assert_eq!((first.written_bytes_per_s, first.disk_total_bytes), (None, Some(4 << 30)));
    assert!(!first.forgets_unprocessed);
    let mut acked = Acked::new();
    for i in 0..400 {
        append(&log, &mut acked, batch(&format!("{i}"), 5)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(250)).await;
    let second = reader.contract(&terms, &[]).await.unwrap();
    let rate = second.written_bytes_per_s.expect("two measurements make a rate");
    assert!(rate > 0.0);
    assert!((second.full_in_s.unwrap() * rate - (1u64 << 30) as f64).abs() < 1e6);

    let victim = reader.sealed().await.unwrap()[0].clone();
    use tallymark_log::file::disk::Disk;
    disk.remove(&victim.path).unwrap();
    let after = reader.contract(&terms, &cursors).await.unwrap();
    let gone: u64 = victim.ranges.iter().map(|(_, to)| to - 2).sum();
    assert_eq!(after.lost(), gone);
}

#[test]
fn bytes_that_are_no_log_file_are_refused() {
    for bytes in [vec![], vec![0; 100], vec![7; 20_000]] {
        assert!(decode_archived(Bytes::from(bytes), Lane::Live).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    /// A damaged copy never gives a wrong record, never loses offsets silently, never panics.
    #[test]
    fn damage_of_a_copy_is_a_gap(at in 0usize..40_000, flip in 1u8..=255, cut in 0usize..3) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (file, bytes) = runtime.block_on(async {
            let (disk, ..) = filled(600, 5).await;
            let file = reader(&disk).sealed().await.unwrap()[1].clone();
            let bytes = bytes_of(&disk, &file);
            (file, bytes)
        });
        let whole = decode_archived(bytes.clone(), Lane::Live).unwrap();
        let mut damaged = bytes.to_vec();
        let at = at % damaged.len();
        damaged[at] ^= flip;
        if cut == 0 {
            damaged.truncate(at);
        }
        let ends: Vec<u64> = file.ranges.iter().map(|(_, to)| *to).collect();
        match decode_archived(Bytes::from(damaged), Lane::Live) {
            // Both copies of the header are gone only if the file was cut within them.
            Err(_) => prop_assert!(cut == 0 && at < 8192),
            Ok(copy) => {
                let copy = copy.with_ends(&ends);
                for p in 0..PARTITIONS {
                    let (expected, _) = contents(&whole, p, ReadLimit::default());
                    let (seen, gaps) = contents(&copy, p, ReadLimit::default());
                    for record in &seen {
                        prop_assert!(expected.contains(record));
                    }
                    let lost: u64 = gaps.iter().map(|(from, to)| to - from).sum();
                    prop_assert_eq!(seen.len() as u64 + lost, expected.len() as u64);
                }
            }
        }
    }
}
