//! Trimming: whole files, oldest first, and never mistaken for damage (I9, R6).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use support::fault_disk::Plan;
use support::rig::{Acked, LIVE_DIR, PARTITIONS, append, batch, files, filled, found, lost, open};
use support::shards;
use tallymark_log::LogReader;
use tallymark_model::Lane;

#[tokio::test]
async fn files_trimmed_by_another_process_are_trimmed_not_corrupt() {
    let (disk, acked, _) = filled(400, 5).await;
    let log = open(&disk).unwrap();
    let (reader, trimmer) = (support::rig::reader(&disk), support::rig::reader(&disk));
    let of_shard =
        |p: u16| acked.keys().filter(move |k| k.lane == Lane::Live && k.partition == p).count() as u64;
    // The reader has looked at everything before.
    for shard in shards(PARTITIONS) {
        support::read_all(&reader, shard, 0, tallymark_log::ReadLimit { records: 3, bytes: 1 << 20 }).await;
    }
    let before = trimmer.usage().await.unwrap().log_bytes;
    for p in 0..PARTITIONS {
        let shard = tallymark_model::Shard { lane: Lane::Live, partition: p };
        trimmer.trim(support::permit_for(shard, of_shard(p))).await.unwrap();
    }
    assert!(trimmer.usage().await.unwrap().log_bytes < before / 2, "space is given back");
    // The emptied files are written over.
    let mut more = Acked::new();
    for i in 0..200 {
        append(&log, &mut more, batch(&format!("more {i}"), 5)).await.unwrap();
    }
    for shard in shards(PARTITIONS).into_iter().filter(|s| s.lane == Lane::Live) {
        let seen = support::read_all(&reader, shard, 0, tallymark_log::ReadLimit::default()).await;
        assert_eq!(seen.gaps.len(), 1, "{:?}", seen.gaps);
        assert_eq!(seen.gaps[0].2, tallymark_ledger::GapCause::Trimmed);
        assert!(seen.gaps[0].1 <= of_shard(shard.partition));
    }
    let found = found(&disk).await;
    assert_eq!(lost(&more, &found), []);
}

#[tokio::test]
async fn a_file_emptied_while_it_is_read_is_trimmed_not_corrupt() {
    use tallymark_log::file::disk::Disk;
    let (disk, ..) = filled(400, 5).await;
    let reader = support::rig::reader(&disk);
    // Another process trims the oldest file, and the writer has begun to use it again.
    let (oldest, spare) = (files(&disk)[0].clone(), Path::new(LIVE_DIR).join("x.spare"));
    disk.rename(&oldest, &spare).unwrap();
    disk.damage(&spare, |bytes| bytes[8192..].fill(7));
    let shard = tallymark_model::Shard { lane: Lane::Live, partition: 0 };
    let seen = support::read_all(&reader, shard, 0, tallymark_log::ReadLimit::default()).await;
    assert_eq!(seen.gaps.len(), 1);
    assert_eq!(seen.gaps[0].2, tallymark_ledger::GapCause::Trimmed, "{:?}", seen.evidence);
}

#[tokio::test]
async fn each_trimmed_file_is_gone_for_good_before_the_next_goes() {
    let (disk, acked, _) = filled(400, 5).await;
    let trimmer = support::rig::reader(&disk);
    let before = files(&disk).len();
    let of_shard =
        |p: u16| acked.keys().filter(move |k| k.lane == Lane::Live && k.partition == p).count() as u64;
    let shard = |partition| tallymark_model::Shard { lane: Lane::Live, partition };
    trimmer.trim(support::permit_for(shard(0), of_shard(0))).await.unwrap();
    assert_eq!(files(&disk).len(), before, "every partition of a file has to be covered");
    disk.plan(Plan { fail_sync: Some(1), ..Plan::default() });
    let failed = trimmer.trim(support::permit_for(shard(1), of_shard(1))).await;
    assert!(failed.is_err());
    assert_eq!(files(&disk).len(), before - 1);
    trimmer.trim(support::permit_for(shard(1), of_shard(1))).await.unwrap();
    assert!(files(&disk).len() <= 2);
}
