//! Interrupted writes: torn at every byte, and power cuts that keep any part of what was not flushed (X1, X2, R1, R3).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::{Arc, Mutex};
use support::fault_disk::{FaultDisk, Plan};
use support::rig::{Acked, append, assert_whole, batch, found, lost, newest_file, open};
use tallymark_log::LogWriter;

/// A disk before and after one more append, and what was acknowledged before it.
async fn around_the_last_append(first: usize, last: usize) -> (FaultDisk, FaultDisk, Acked) {
    let disk = FaultDisk::new();
    let log = open(&disk).unwrap();
    let mut acked = Acked::new();
    for i in 0..first {
        append(&log, &mut acked, batch(&format!("early {i}"), 3)).await.unwrap();
    }
    let before = disk.fork();
    log.append(batch("last", last)).await.unwrap();
    let after = disk.fork();
    (before, after, acked)
}

#[tokio::test]
async fn a_batch_torn_at_any_byte_is_cut_and_nothing_else() {
    for first in [0, 3] {
        let (before, after, acked) = around_the_last_append(first, 4).await;
        let path = newest_file(&after);
        let (old, new) = (before.bytes(&path), after.bytes(&path));
        let from = old.iter().zip(&new).position(|(a, b)| a != b).unwrap();
        let to = old.iter().zip(&new).rposition(|(a, b)| a != b).unwrap() + 1;
        assert!(to - from > 150, "the batch is {} bytes", to - from);
        let mut kept = 0;
        for cut in from..=to {
            let torn = before.fork();
            torn.damage(&path, |bytes| bytes[from..cut].copy_from_slice(&new[from..cut]));
            let mut acked = acked.clone();
            let log = open(&torn).unwrap();
            let whole = found(&torn).await.values().map(|f| f.records.len()).sum::<usize>() > acked.len();
            assert_eq!(whole, cut == to, "cut after {} of {} bytes", cut - from, to - from);
            kept += usize::from(whole);
            assert_whole(&torn, &acked).await;
            // The log goes on, and the leftovers never come back.
            append(&log, &mut acked, batch("later", 2)).await.unwrap();
            drop(log);
            let log = open(&torn).unwrap();
            append(&log, &mut acked, batch("later still", 2)).await.unwrap();
            drop(log);
            assert_whole(&torn, &acked).await;
        }
        assert_eq!(kept, 1);
    }
}

#[tokio::test]
async fn a_write_that_fails_half_way_poisons_and_is_cut() {
    for kept in [0, 1, 50, 120, 200] {
        let disk = FaultDisk::new();
        let log = open(&disk).unwrap();
        let mut acked = Acked::new();
        append(&log, &mut acked, batch("first", 3)).await.unwrap();
        disk.plan(Plan { tear_write: Some((1, kept)), ..Plan::default() });
        let error = append(&log, &mut acked, batch("torn", 3)).await.unwrap_err();
        assert!(error.writer_is_lost(), "{error}");
        let error = append(&log, &mut acked, batch("after", 3)).await.unwrap_err();
        assert!(error.writer_is_lost() && error.retryable(), "{error}");
        drop(log);
        let log = open(&disk).unwrap();
        append(&log, &mut acked, batch("second life", 3)).await.unwrap();
        assert_whole(&disk, &acked).await;
    }
}

/// Writers that note what is acknowledged, for a power cut at any moment.
fn start_load(log: &Arc<tallymark_log::file::FileLogWriter>, acked: &Arc<Mutex<Acked>>, round: usize) {
    for task in 0..6 {
        let (log, acked) = (Arc::clone(log), Arc::clone(acked));
        tokio::spawn(async move {
            for i in 0.. {
                let size = 1 + (i * 7 + task) % 9;
                let records = batch(&format!("{round}-{task}-{i}-{}", "x".repeat(i * 37 % 600)), size);
                let bodies: Vec<String> = records.iter().map(support::body).collect();
                let Ok(receipt) = log.append(records).await else { return };
                acked.lock().unwrap().extend(receipt.positions.into_iter().zip(bodies));
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_power_goes() {
    let mut survived = 0;
    for seed in 0..40u64 {
        let mut disk = FaultDisk::new();
        let mut acked = Acked::new();
        for round in 0..3 {
            let log = Arc::new(open(&disk).unwrap());
            let noted = Arc::new(Mutex::new(acked.clone()));
            start_load(&log, &noted, round);
            let enough = acked.len() + 20 + (seed as usize * 13) % 150;
            while noted.lock().unwrap().len() < enough {
                tokio::task::yield_now().await;
            }
            // First what clients know, then the cut: everything known must be there after it.
            acked = noted.lock().unwrap().clone();
            let kept = [0.0, 0.3, 0.7, 1.0][(seed % 4) as usize];
            let after = disk.power_cut(seed * 31 + round as u64, kept);
            log.close();
            drop(log);
            disk = after;
            let settled = open(&disk).unwrap();
            assert_whole(&disk, &acked).await;
            drop(settled);
            survived += 1;
        }
    }
    assert_eq!(survived, 120);
}

#[tokio::test]
async fn a_power_cut_while_the_log_is_made_leaves_something_that_opens() {
    let reference = FaultDisk::new();
    drop(open(&reference).unwrap());
    let mut stops = 0;
    for n in 1..=reference.syncs() {
        for kept in [0.0, 0.5, 1.0] {
            let disk = FaultDisk::new();
            disk.plan(Plan { fail_sync: Some(n), ..Plan::default() });
            // Stops at the n-th flush; what was done before it is on the disk, or in part.
            stops += usize::from(open(&disk).is_err());
            let mut after = disk.power_cut(n, kept);
            let mut acked = Acked::new();
            for round in 0..2 {
                let log = open(&after).unwrap();
                append(&log, &mut acked, batch(&format!("round {round}"), 3)).await.unwrap();
                drop(log);
                after = after.power_cut(n + 1, kept);
            }
            drop(open(&after).unwrap());
            assert_whole(&after, &acked).await;
        }
    }
    assert!(stops >= 3 * 8, "the creation stops at a failed flush: {stops}");
}

#[tokio::test]
async fn every_name_that_matters_is_durable_at_once() {
    let disk = FaultDisk::new();
    let check = |when: &str| {
        let open_ended: Vec<_> = disk
            .unsynced()
            .into_iter()
            .filter(|p| p.extension().is_none_or(|e| e != "spare" && e != "tmp"))
            .filter(|p| !p.ends_with("lock") && !p.ends_with("reserve"))
            .collect();
        assert!(open_ended.is_empty(), "{when}: {open_ended:?}");
    };
    let log = open(&disk).unwrap();
    check("created");
    let mut acked = Acked::new();
    for i in 0..60 {
        append(&log, &mut acked, batch(&format!("{i} {}", "x".repeat(600)), 5)).await.unwrap();
        check("after an append");
    }
    drop(log);
    drop(open(&disk).unwrap());
    check("opened again");
}

#[tokio::test]
async fn a_power_cut_while_recovering_changes_nothing() {
    let (_, after, acked) = around_the_last_append(3, 4).await;
    // The last group is unproven: recovery writes it once more, and is cut at each of its flushes.
    for n in 1..=8 {
        let disk = after.fork();
        disk.settle();
        disk.plan(Plan { fail_sync: Some(n), ..Plan::default() });
        let opened = open(&disk);
        drop(opened);
        let cut = disk.power_cut(n, 0.5);
        let log = open(&cut).unwrap();
        append(&log, &mut acked.clone(), batch("on", 1)).await.unwrap();
        assert_whole(&cut, &acked).await;
    }
}

#[tokio::test]
async fn what_a_reader_saw_after_a_restart_survives_a_power_cut() {
    // Killed between write and flush: the group reads well from the page cache, but nobody flushed it.
    let disk = FaultDisk::new();
    let log = open(&disk).unwrap();
    let mut acked = Acked::new();
    append(&log, &mut acked, batch("first", 2)).await.unwrap();
    disk.plan(Plan { fail_content_sync: Some(1), ..Plan::default() });
    assert!(append(&log, &mut acked, batch("unflushed", 2)).await.is_err());
    drop(log);
    let log = open(&disk).unwrap();
    let seen = found(&disk).await;
    let total: usize = seen.values().map(|f| f.records.len()).sum();
    assert_eq!(total, 4, "what reads well is kept");
    let cut = disk.power_cut(1, 0.0);
    drop(log);
    let log = open(&cut).unwrap();
    assert_eq!(found(&cut).await, seen);
    assert_eq!(lost(&acked, &seen), []);
    drop(log);
}
