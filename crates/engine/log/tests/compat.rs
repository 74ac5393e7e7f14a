//! Files written by the first version of the format. Every later version must read them: never change the fixture.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::fault_disk::FaultDisk;
use support::rig::{Acked, append, batch};
use support::{body, read_all, shards, small};
use tallymark_log::file::disk::{Disk, OpenMode};
use tallymark_log::file::{FileLog, inspect_on};
use tallymark_log::{LogReader, LogWriter, ReadLimit};
use tallymark_model::Record;

const DIR: &str = "/log";
const FILES: [&str; 3] = ["log.id", "live/0000000000000001.log", "bulk/0000000000000001.log"];

fn fixture(name: &str) -> PathBuf {
    let file = format!("{}.zst", name.replace('/', "-"));
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1").join(file)
}

fn first_version() -> FaultDisk {
    let disk = FaultDisk::new();
    for dir in [DIR, "/log/live", "/log/bulk"] {
        disk.create_dir(Path::new(dir)).unwrap();
    }
    for name in FILES {
        let bytes = zstd::decode_all(std::fs::File::open(fixture(name)).unwrap()).unwrap();
        let file = disk.open(&Path::new(DIR).join(name), OpenMode::Create).unwrap();
        file.write_at(&bytes, 0).unwrap();
    }
    disk.settle();
    disk
}

#[tokio::test]
async fn the_first_version_is_read_and_continued() {
    let disk = first_version();
    let report = inspect_on(&disk, Path::new(DIR)).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.log.to_string(), "018bcfe5-6800-7000-8000-000000000001");

    let log = FileLog::open_writer_on(Arc::new(disk.clone()), Path::new(DIR), small()).unwrap();
    let reader = FileLog::open_reader_on(Arc::new(disk.clone()), Path::new(DIR), &small()).unwrap();
    let mut bodies = Vec::new();
    for shard in shards(reader.partitions()) {
        let found = read_all(&reader, shard, 0, ReadLimit::default()).await;
        assert_eq!(found.gaps, []);
        for (offset, record) in &found.records {
            bodies.push(format!("{shard}@{offset} {}", body(record)));
        }
    }
    let text = std::fs::read_to_string(fixture("content").with_file_name("content.txt")).unwrap();
    assert_eq!(bodies, text.lines().collect::<Vec<_>>());

    let mut acked = Acked::new();
    append(&log, &mut acked, batch("continued", 8)).await.unwrap();
    assert_eq!(log.partitions(), 2);
    for position in acked.keys() {
        let before =
            bodies.iter().filter(|b| b.starts_with(&format!("{}@", position.shard()))).count() as u64;
        assert!(position.offset >= before, "offsets go on");
    }
}

#[test]
fn the_fixture_holds_every_kind() {
    let disk = first_version();
    let reader = FileLog::open_reader_on(Arc::new(disk), Path::new(DIR), &small()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut events, mut controls, mut large) = (0, 0, 0);
    for shard in shards(2) {
        for (_, record) in runtime.block_on(read_all(&reader, shard, 0, ReadLimit::default())).records {
            match record {
                Record::Event(e) => {
                    events += 1;
                    large += usize::from(e.body.len() > 1_000);
                }
                Record::Control { .. } => controls += 1,
            }
        }
    }
    assert!(
        events >= 20 && controls == 1 && large >= 1,
        "{events} events, {controls} controls, {large} packed"
    );
}
