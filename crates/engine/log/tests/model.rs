//! Random histories of appends, restarts, crashes, power cuts and trims, compared with a list of what was
//! acknowledged; and random damage, compared with what stood there before.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use proptest::prelude::*;
use std::path::{Path, PathBuf};
use support::fault_disk::{FaultDisk, Plan};
use support::rig::{Acked, DIR, LIVE_DIR, PARTITIONS, append, batch, found, lost, open, reader};
use support::{body, event, permit_for};
use tallymark_log::LogReader;
use tallymark_log::file::inspect_on;
use tallymark_model::{Lane, Shard};

#[derive(Debug, Clone)]
enum Step {
    Append {
        records: usize,
        bytes: usize,
        bulk: bool,
    },
    /// Close and open.
    Restart,
    /// The process dies: nothing is closed; with or without a torn write before.
    Crash {
        torn: Option<usize>,
    },
    PowerCut {
        seed: u64,
        kept: f64,
    },
    FlushFails,
    Trim {
        share: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0usize..12, 0usize..3_000, any::<bool>())
            .prop_map(|(records, bytes, bulk)| Step::Append { records, bytes, bulk }),
        1 => Just(Step::Restart),
        2 => proptest::option::of(0usize..4_000).prop_map(|torn| Step::Crash { torn }),
        2 => (any::<u64>(), 0.0..1.0f64).prop_map(|(seed, kept)| Step::PowerCut { seed, kept }),
        1 => Just(Step::FlushFails),
        1 => (0u64..100).prop_map(|share| Step::Trim { share }),
    ]
}

/// Everything acknowledged is there once, or was trimmed by permit; nothing claims damage.
async fn compare(disk: &FaultDisk, acked: &Acked, permitted: &[u64]) {
    let seen = found(disk).await;
    for (shard, found) in &seen {
        assert_eq!(found.gaps, [], "{shard}: {:?}", found.evidence);
    }
    for (position, expected) in acked {
        let start = reader(disk).bounds(position.shard()).await.unwrap().start;
        if position.offset < start {
            assert!(
                position.lane == Lane::Live && position.offset < permitted[usize::from(position.partition)]
            );
            continue;
        }
        let (_, record) = &seen[&position.shard()].records[(position.offset - start) as usize];
        assert_eq!(&body(record), expected, "{position}");
    }
}

async fn run(steps: Vec<Step>) {
    let mut disk = FaultDisk::new();
    let mut log = Some(open(&disk).unwrap());
    let mut acked = Acked::new();
    let mut permitted = vec![0u64; usize::from(PARTITIONS)];
    for (i, step) in steps.into_iter().enumerate() {
        match step {
            Step::Append { records, bytes, bulk } => {
                let lane = |n| if bulk && n % 2 == 0 { Lane::Bulk } else { Lane::Live };
                let text = |n| format!("{i}/{n} {}", "z".repeat(bytes));
                let records = (0..records).map(|n| event(lane(n), &format!("k{n}"), text(n))).collect();
                append(log.as_ref().unwrap(), &mut acked, records).await.unwrap();
            }
            Step::Restart => {
                drop(log.take());
                log = Some(open(&disk).unwrap());
            }
            Step::Crash { torn } => {
                if let Some(bytes) = torn {
                    disk.plan(Plan { tear_write: Some((1, bytes)), ..Plan::default() });
                    let records = batch(&format!("torn {i}"), 4);
                    append(log.as_ref().unwrap(), &mut acked, records).await.unwrap_err();
                    disk.plan(Plan::default());
                }
                // What the old process would still do happens elsewhere.
                disk = disk.fork();
                log = Some(open(&disk).unwrap());
            }
            Step::PowerCut { seed, kept } => {
                disk = disk.power_cut(seed, kept);
                log = Some(open(&disk).unwrap());
            }
            Step::FlushFails => {
                disk.plan(Plan { fail_content_sync: Some(1), ..Plan::default() });
                let error =
                    append(log.as_ref().unwrap(), &mut acked, batch(&format!("unflushed {i}"), 3)).await;
                assert!(error.unwrap_err().writer_is_lost());
                disk.plan(Plan::default());
                drop(log.take());
                log = Some(open(&disk).unwrap());
            }
            Step::Trim { share } => {
                let trimmer = reader(&disk);
                for partition in 0..PARTITIONS {
                    let shard = Shard { lane: Lane::Live, partition };
                    let upto = trimmer.bounds(shard).await.unwrap().end * share / 100;
                    let known = &mut permitted[usize::from(partition)];
                    *known = upto.max(*known);
                    trimmer.trim(permit_for(shard, upto)).await.unwrap();
                }
            }
        }
        if i % 4 == 0 {
            compare(&disk, &acked, &permitted).await;
        }
    }
    compare(&disk, &acked, &permitted).await;
    drop(log);
    let report = inspect_on(&disk, Path::new(DIR)).unwrap();
    assert!(report.is_whole(), "{report:?}");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A closed log of several files, made once.
fn sample() -> (FaultDisk, Acked) {
    runtime().block_on(async {
        let disk = FaultDisk::new();
        let mut acked = Acked::new();
        for life in 0..3 {
            let log = open(&disk).unwrap();
            for i in 0..40 {
                append(&log, &mut acked, batch(&format!("{life}-{i}"), 1 + i % 7)).await.unwrap();
            }
            log.close();
        }
        (disk, acked)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_what_was_acknowledged(steps in proptest::collection::vec(step(), 1..40)) {
        runtime().block_on(run(steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Any bytes anywhere, many times over: no panic, no endless loop, nothing read that was not written.
    #[test]
    fn any_damage_is_survived(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), 0u32..70_000, 1usize..600, any::<u8>(), any::<bool>()), 1..8)
    ) {
        thread_local!(static SAMPLE: (FaultDisk, Acked) = sample());
        SAMPLE.with(|(disk, acked)| {
            let damaged = disk.fork();
            for (which, at, length, value, is_cut) in &changes {
                let mut paths = damaged.paths(Path::new(LIVE_DIR), ".log");
                paths.push(Path::new(LIVE_DIR).join("mark"));
                damaged.damage(which.get::<PathBuf>(&paths), |bytes| {
                    let at = (*at as usize).min(bytes.len());
                    let end = (at + length).min(bytes.len());
                    if *is_cut && value % 16 == 0 { bytes.truncate(at) } else { bytes[at..end].fill(*value) }
                });
            }
            runtime().block_on(async {
                let before = found(&damaged).await;
                for (shard, found) in &before {
                    for (offset, record) in &found.records {
                        let at = tallymark_model::Position { lane: shard.lane, partition: shard.partition, offset: *offset };
                        assert_eq!(acked.get(&at), Some(&body(record)), "{at}");
                    }
                }
                inspect_on(&damaged, Path::new(DIR)).unwrap();
                // Opening fails only if nothing is left that knows the offsets, which needs every file broken.
                let Ok(log) = open(&damaged) else { return };
                let mut later = Acked::new();
                append(&log, &mut later, batch("later", 5)).await.unwrap();
                assert_eq!(lost(&later, &found(&damaged).await), []);
            });
        });
    }
}
