//! Failing flushes and full disks (X3, X4, R5).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::fault_disk::{FaultDisk, Plan};
use support::rig::{Acked, DIR, append, assert_whole, batch, config, found, lost, newest_file, open};
use tallymark_log::file::{FileLog, FileLogConfig};
use tallymark_log::{Admission, AppendError, LogWriter};

#[tokio::test]
async fn a_failed_flush_is_never_acknowledged_and_never_trusted_again() {
    let mut poisoned = 0;
    for n in 1..=120u64 {
        let disk = FaultDisk::new();
        let log = open(&disk).unwrap();
        let mut acked = Acked::new();
        // Flushes of content, and of anything: files being prepared, folders.
        let nth = Some(n.div_ceil(2));
        disk.plan(match n % 2 {
            0 => Plan { fail_content_sync: nth, ..Plan::default() },
            _ => Plan { fail_sync: nth, ..Plan::default() },
        });
        for i in 0..60 {
            let Err(error) =
                append(&log, &mut acked, batch(&format!("{n}-{i} {}", "y".repeat(200)), 3)).await
            else {
                continue;
            };
            assert!(error.writer_is_lost(), "{error}");
            assert_eq!(log.pressure().admission, Admission::Closed);
            let again = append(&log, &mut acked, batch("again", 1)).await.unwrap_err();
            assert!(again.writer_is_lost(), "a later flush that works proves nothing: {again}");
            poisoned += 1;
            // It reads well from the page cache, but a reader takes only what was flushed.
            assert_eq!(found(&disk).await.values().map(|f| f.records.len()).sum::<usize>(), acked.len());
            break;
        }
        drop(log);
        // The worst a device can do: nothing of the failed flush arrived.
        let after = disk.power_cut(n, 0.0);
        drop(open(&after).unwrap());
        assert_whole(&after, &acked).await;
        // The process alone was restarted; then the power goes.
        let log = open(&disk).unwrap();
        let seen = found(&disk).await;
        append(&log, &mut acked, batch("second life", 3)).await.unwrap();
        let after = disk.power_cut(n, 0.0);
        drop(log);
        drop(open(&after).unwrap());
        assert_whole(&after, &acked).await;
        let later = found(&after).await;
        for (shard, before) in seen {
            assert!(later[&shard].records.starts_with(&before.records), "{shard}: what was read stays");
        }
    }
    assert!(poisoned >= 100, "{poisoned} of 120");
}

async fn until_accepted(log: &dyn LogWriter, tag: &str) -> Vec<tallymark_model::Position> {
    loop {
        match log.append(batch(tag, 2)).await {
            Ok(receipt) => return receipt.positions,
            Err(AppendError::Full { .. }) => tokio::time::sleep(Duration::from_millis(2)).await,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_disk_without_room_refuses_reads_on_and_resumes_by_itself() {
    let disk = FaultDisk::new();
    let settings = FileLogConfig { disk_floor_bytes: 1, ..config() };
    let log = FileLog::open_writer_on(Arc::new(disk.clone()), Path::new(DIR), settings).unwrap();
    let mut acked = Acked::new();
    for round in 0..3 {
        let mut i = 0;
        // Until the file is full, what was prepared still takes records; then there is no next file.
        disk.plan(Plan { no_room: round != 1, free_bytes: (round == 1).then_some(0), ..Plan::default() });
        let error = loop {
            i += 1;
            match append(&log, &mut acked, batch(&format!("{round}-{i}"), 3)).await {
                Ok(()) => assert!(i < 1000, "must get full"),
                Err(error) => break error,
            }
            tokio::time::sleep(Duration::from_millis(u64::from(round == 1))).await;
        };
        assert!(matches!(error, AppendError::Full { .. }), "{error}");
        assert_whole(&disk, &acked).await;
        disk.plan(Plan::default());
        let tag = format!("resumed {round}");
        for (i, position) in until_accepted(&log, &tag).await.into_iter().enumerate() {
            assert_eq!(acked.insert(position, format!("{tag}/{i}")), None);
        }
        assert_whole(&disk, &acked).await;
    }
    drop(log);
    drop(open(&disk).unwrap());
    assert_whole(&disk, &acked).await;
}

#[tokio::test]
async fn appends_stop_at_the_floor_and_the_reserve_is_given_up() {
    let disk = FaultDisk::new();
    disk.plan(Plan { free_bytes: Some(10_000_000), ..Plan::default() });
    let settings = FileLogConfig { disk_floor_bytes: 1_000_000, reserve_bytes: 500_000, ..config() };
    let log = FileLog::open_writer_on(Arc::new(disk.clone()), Path::new(DIR), settings).unwrap();
    let reserve = || disk.paths(Path::new(DIR), "reserve").len();
    assert_eq!(reserve(), 1);
    until_accepted(&log, "room").await;

    disk.plan(Plan { free_bytes: Some(999_999), ..Plan::default() });
    let refused = loop {
        match log.append(batch("full", 1)).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(e) => break e,
        }
    };
    assert_eq!(refused, AppendError::Full { free_bytes: 999_999, needed_bytes: 1_000_000 });
    assert_eq!(log.pressure().admission, Admission::Full);
    assert_eq!(reserve(), 0, "given up for those who make room");

    // Room for the floor, not for the reserve: not yet.
    disk.plan(Plan { free_bytes: Some(1_200_000), ..Plan::default() });
    while log.pressure().disk_free_bytes != Some(1_200_000) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(matches!(log.append(batch("still", 1)).await, Err(AppendError::Full { .. })));
    disk.plan(Plan { free_bytes: Some(2_000_000), ..Plan::default() });
    until_accepted(&log, "room again").await;
    assert_eq!(reserve(), 1);
}

#[tokio::test]
async fn a_small_volume_is_not_asked_for_more_than_a_share() {
    let disk = FaultDisk::new();
    disk.plan(Plan { free_bytes: Some(9_000_000), total_bytes: Some(20_000_000), ..Plan::default() });
    let settings = FileLogConfig { disk_floor_bytes: 256 << 20, reserve_bytes: 64 << 20, ..config() };
    let log = FileLog::open_writer_on(Arc::new(disk.clone()), Path::new(DIR), settings).unwrap();
    until_accepted(&log, "fits").await;
    disk.plan(Plan { free_bytes: Some(999_999), total_bytes: Some(20_000_000), ..Plan::default() });
    while log.pressure().admission != Admission::Full {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let refused = log.append(batch("full", 1)).await.unwrap_err();
    assert_eq!(refused, AppendError::Full { free_bytes: 999_999, needed_bytes: 1_000_000 });
}

#[tokio::test]
async fn too_large_and_too_many_are_refused_without_harm() {
    let disk = FaultDisk::new();
    let settings = FileLogConfig { append_bytes_max: 10_000, queue_bytes_max: 10_000, ..config() };
    let log = FileLog::open_writer_on(Arc::new(disk.clone()), Path::new(DIR), settings).unwrap();
    let mut acked = Acked::new();
    let error =
        append(&log, &mut acked, vec![support::event(tallymark_model::Lane::Live, "k", vec![b'x'; 20_000])])
            .await;
    assert!(matches!(error, Err(AppendError::TooLarge { max_bytes: 10_000, .. })), "{error:?}");
    assert!(!error.unwrap_err().retryable());
    // The disk hangs (X7): what fits the queue waits, the rest is refused as busy and can come again.
    disk.plan(Plan { hold_content_sync: true, ..Plan::default() });
    let log = Arc::new(log);
    let one = |i: u8| vec![support::event(tallymark_model::Lane::Bulk, "k", vec![b'a' + i % 26; 3_000])];
    let waiting: Vec<_> = (0..40)
        .map(|i| {
            let (log, batch) = (Arc::clone(&log), one(i));
            tokio::spawn(async move { log.append(batch).await })
        })
        .collect();
    while waiting.iter().filter(|task| task.is_finished()).count() < 37 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(log.pressure().queued_bytes >= 9_000);
    disk.plan(Plan::default());
    let mut accepted = 0;
    for task in waiting {
        match task.await.unwrap() {
            Ok(_) => accepted += 1,
            Err(e) => assert!(matches!(&e, AppendError::Unavailable { .. }) && e.retryable(), "{e}"),
        }
    }
    assert_eq!(accepted, 3);
    append(&log, &mut acked, batch("after", 3)).await.unwrap();
    log.close();
    let closed = append(&log, &mut acked, batch("closed", 1)).await.unwrap_err();
    assert!(matches!(closed, AppendError::Unavailable { .. }), "{closed}");
    assert_eq!(lost(&acked, &found(&disk).await), []);
}

#[tokio::test]
async fn after_a_write_without_room_the_file_is_left_alone() {
    let disk = FaultDisk::new();
    let log = open(&disk).unwrap();
    let mut acked = Acked::new();
    append(&log, &mut acked, batch("first", 3)).await.unwrap();
    let before = newest_file(&disk);
    disk.plan(Plan { no_room: true, ..Plan::default() });
    let error = append(&log, &mut acked, batch("no room", 3)).await.unwrap_err();
    assert!(matches!(error, AppendError::Full { .. }), "{error}");
    disk.plan(Plan::default());
    for (i, position) in until_accepted(&log, "room").await.into_iter().enumerate() {
        acked.insert(position, format!("room/{i}"));
    }
    assert_ne!(newest_file(&disk), before, "nothing may be written over what a failed write left");
    drop(log);
    drop(open(&disk).unwrap());
    assert_whole(&disk, &acked).await;
}

#[tokio::test]
async fn a_new_reader_does_not_show_an_unflushed_group_of_a_large_file() {
    let disk = FaultDisk::new();
    let settings =
        FileLogConfig { first_file_bytes: 8 << 20, file_bytes: 8 << 20, pack_from_bytes: None, ..config() };
    let log = FileLog::open_writer_on(Arc::new(disk.clone()), Path::new(DIR), settings).unwrap();
    let mut acked = Acked::new();
    append(&log, &mut acked, batch("flushed", 3)).await.unwrap();
    disk.plan(Plan { fail_content_sync: Some(1), ..Plan::default() });
    let large = batch(&"unflushed ".repeat(3_000), 3);
    assert!(append(&log, &mut acked, large).await.unwrap_err().writer_is_lost());
    assert_whole(&disk, &acked).await;
    assert_eq!(found(&disk).await.values().map(|f| f.records.len()).sum::<usize>(), acked.len());
}
