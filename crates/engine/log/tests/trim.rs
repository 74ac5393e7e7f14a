//! Trimming: whole files, oldest first, and never mistaken for damage (I9, R6).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use support::fault_disk::{FaultDisk, Plan};
use support::rig::{Acked, LIVE_DIR, PARTITIONS, append, batch, files, filled, found, lost, open};
use support::shards;
use tallymark_ledger::GapCause;
use tallymark_log::file::disk::Disk;
use tallymark_log::{LogReader, ReadLimit};
use tallymark_model::{Lane, Shard};

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

fn live(partition: u16) -> Shard {
    Shard { lane: Lane::Live, partition }
}

fn count(acked: &Acked, shard: Shard) -> u64 {
    acked.keys().filter(|k| k.shard() == shard).count() as u64
}

#[tokio::test]
async fn a_file_emptied_while_it_is_read_is_trimmed_not_corrupt() {
    let (disk, acked, _) = filled(400, 5).await;
    let reader = support::rig::reader(&disk);
    // The reader knows the oldest file and has it open when another process trims it, and the writer has begun to
    // use it again.
    let oldest = files(&disk)[0].clone();
    let trimmer = support::rig::reader(&disk);
    let second = trimmer.sealed().await.unwrap()[1].ranges.clone();
    for p in 0..PARTITIONS {
        trimmer.trim(support::permit_for(live(p), second[usize::from(p)].0)).await.unwrap();
    }
    assert!(!files(&disk).contains(&oldest));
    for spare in disk.paths(Path::new(LIVE_DIR), ".spare") {
        disk.damage(&spare, |bytes| bytes.iter_mut().skip(8192).for_each(|b| *b = 7));
    }
    let seen = support::read_all(&reader, live(0), 0, ReadLimit::default()).await;
    assert_eq!(seen.gaps, [(0, second[0].0, GapCause::Trimmed)], "{:?}", seen.evidence);
    assert_eq!(seen.end, count(&acked, live(0)));
}

#[tokio::test]
async fn a_file_that_goes_without_a_permit_is_missing_not_trimmed() {
    let (disk, acked, _) = filled(2500, 5).await;
    let sealed = support::rig::reader(&disk).sealed().await.unwrap();
    assert!(sealed.len() > 4);
    // The first goes by permit; then the next two, and one further on, behind our back.
    let trimmer = support::rig::reader(&disk);
    for p in 0..PARTITIONS {
        trimmer.trim(support::permit_for(live(p), sealed[1].ranges[usize::from(p)].0)).await.unwrap();
    }
    for victim in [1, 2, 4] {
        disk.remove(&sealed[victim].path).unwrap();
    }
    for reader in [trimmer, support::rig::reader(&disk)] {
        for p in 0..PARTITIONS {
            let at = |file: usize| sealed[file].ranges[usize::from(p)];
            let seen = support::read_all(&reader, live(p), 0, ReadLimit::default()).await;
            let expected = [
                (0, at(0).1, GapCause::Trimmed),
                (at(1).0, at(2).1, GapCause::Missing),
                (at(4).0, at(4).1, GapCause::Missing),
            ];
            assert_eq!(seen.gaps, expected, "{:?}", seen.evidence);
            assert!(seen.evidence[1].contains(&sealed[1].name), "{:?}", seen.evidence);
            assert_eq!(seen.end, count(&acked, live(p)), "reading goes on behind");
        }
        assert_eq!(reader.bounds(live(0)).await.unwrap().start, sealed[3].ranges[0].0);
    }
    let report = tallymark_log::file::inspect_on(&disk, Path::new(support::rig::DIR)).unwrap();
    let missing = [&sealed[1], &sealed[2], &sealed[4]].map(|f| f.number);
    assert_eq!(report.lanes[0].missing_files, missing, "what was permitted to go is not missing");
    assert!(!report.is_whole());
}

#[tokio::test]
async fn all_files_gone_is_missing_from_the_first_offset_on() {
    let (disk, acked, _) = filled(100, 5).await;
    for file in files(&disk) {
        disk.remove(&file).unwrap();
    }
    let seen = support::read_all(&support::rig::reader(&disk), live(1), 0, ReadLimit::default()).await;
    assert_eq!(seen.gaps, [(0, count(&acked, live(1)), GapCause::Missing)]);
}

#[tokio::test]
async fn a_lost_note_makes_a_trimmed_range_look_missing_never_the_other_way_round() {
    let (disk, acked, _) = filled(400, 5).await;
    let trimmer = support::rig::reader(&disk);
    for p in 0..PARTITIONS {
        trimmer.trim(support::permit_for(live(p), count(&acked, live(p)))).await.unwrap();
    }
    let note = Path::new(LIVE_DIR).join("trimmed");
    disk.damage(&note, |bytes| bytes[20] ^= 1);
    let seen = support::read_all(&support::rig::reader(&disk), live(0), 0, ReadLimit::default()).await;
    assert_eq!(seen.gaps.iter().map(|g| g.2).collect::<Vec<_>>(), [GapCause::Missing]);
}

#[tokio::test]
async fn each_trimmed_file_is_gone_for_good_before_the_next_goes() {
    let (disk, acked, _) = filled(400, 5).await;
    let trimmer = support::rig::reader(&disk);
    let before = files(&disk).len();
    trimmer.trim(support::permit_for(live(0), count(&acked, live(0)))).await.unwrap();
    assert_eq!(files(&disk).len(), before, "every partition of a file has to be covered");
    // The note takes two flushes; the third is that of the first file that goes.
    for (failing, gone) in [(1, 0), (2, 0), (3, 1)] {
        disk.plan(Plan { fail_sync: Some(failing), ..Plan::default() });
        let failed = trimmer.trim(support::permit_for(live(1), count(&acked, live(1)))).await;
        assert!(failed.is_err());
        assert_eq!(files(&disk).len(), before - gone, "flush {failing} failed");
        if failing == 2 {
            // The note got its name: a trimmer that does not know of the failure takes it for whole. Take it back,
            // as a power cut would.
            disk.remove(&Path::new(LIVE_DIR).join("trimmed")).unwrap();
        }
    }
    trimmer.trim(support::permit_for(live(1), count(&acked, live(1)))).await.unwrap();
    assert!(files(&disk).len() <= 2);
}

/// Whatever the moment at which the power goes while trimming, nothing at or after the permit vanishes, what went is
/// trimmed and not missing, and the next trim finishes the work.
#[tokio::test]
async fn a_power_cut_in_the_middle_of_trimming_takes_nothing_that_was_not_permitted() {
    for failing in 1..12 {
        let (disk, acked, _) = filled(400, 5).await;
        let ends: Vec<u64> = (0..PARTITIONS).map(|p| count(&acked, live(p))).collect();
        let upto: Vec<u64> = ends.iter().map(|end| end * 3 / 4).collect();
        let trimmer = support::rig::reader(&disk);
        trimmer.trim(support::permit_for(live(0), upto[0])).await.unwrap();
        disk.plan(Plan { fail_sync: Some(failing), ..Plan::default() });
        let trimmed = trimmer.trim(support::permit_for(live(1), upto[1])).await;
        disk.plan(Plan::default());
        // A process that is killed leaves the names as they are; a power cut takes back what was not flushed.
        for disk in [disk.fork(), disk.power_cut(failing, 0.5)] {
            judge_trim(&disk, &acked, &upto, failing).await;
        }
        if trimmed.is_ok() {
            assert!(failing > 3, "all flushes were passed");
            return;
        }
    }
    panic!("trimming never got through");
}

async fn judge_trim(disk: &FaultDisk, acked: &Acked, upto: &[u64], failing: u64) {
    for round in 0..2 {
        let found = found(disk).await;
        for p in 0..PARTITIONS {
            let seen = &found[&live(p)];
            let kept = acked.keys().filter(|k| k.shard() == live(p) && k.offset >= upto[usize::from(p)]);
            for position in kept {
                assert!(
                    seen.records.iter().any(|(offset, _)| *offset == position.offset),
                    "flush {failing}, round {round}: {position} is gone"
                );
            }
            assert!(seen.gaps.is_empty(), "{:?}", seen.evidence);
            let before =
                support::read_all(&support::rig::reader(disk), live(p), 0, ReadLimit::default()).await;
            assert!(
                before
                    .gaps
                    .iter()
                    .all(|(_, to, cause)| *cause == GapCause::Trimmed && *to <= upto[usize::from(p)]),
                "flush {failing}: {:?}",
                before.gaps
            );
        }
        // A process that starts again finishes what was noted, with the same permits.
        let again = support::rig::reader(disk);
        for p in 0..PARTITIONS {
            again.trim(support::permit_for(live(p), upto[usize::from(p)])).await.unwrap();
        }
    }
}
