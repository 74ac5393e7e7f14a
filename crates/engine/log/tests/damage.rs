//! Decay at rest: flipped bits in every byte, zeros, misplaced, duplicated and missing pieces (X5, X6, R7, R14).
//! Always the same demands: nothing wrong is read, what is lost is a gap with evidence of at most the damaged batch,
//! everything else is read, and no offset is given out again.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};
use support::fault_disk::{FaultDisk, Plan};
use support::rig::{
    Acked, Appends, DIR, LIVE_DIR, append, assert_whole, batch, config, files, filled, found, lost,
    newest_file, open,
};
use tallymark_log::OpenError;
use tallymark_log::file::{FileLog, inspect_on};

fn mark() -> PathBuf {
    Path::new(LIVE_DIR).join("mark")
}

/// Where the content of the newest file ends: behind it only what the file was filled with.
fn content_end(disk: &FaultDisk) -> usize {
    disk.bytes(&newest_file(disk)).iter().rposition(|b| *b != 0).unwrap() + 1
}

/// Damage may take at most one append; the log opens, goes on, and gives out no offset twice.
async fn judge(disk: &FaultDisk, acked: &Acked, appends: &Appends, what: &str) -> usize {
    let seen = found(disk).await;
    let gone = lost(acked, &seen);
    if !gone.is_empty() {
        let whole_append = appends.contains(&gone);
        assert!(whole_append, "{what}: lost {gone:?}, which is not one append");
        let told =
            seen.values().flat_map(|f| &f.evidence).all(|e| e.contains(".log") || e.contains("missing"));
        assert!(told, "{what}: {seen:?}");
    }
    let mut acked = acked.clone();
    let log = open(disk).unwrap();
    append(&log, &mut acked, batch("after the damage", 4)).await.unwrap();
    drop(log);
    let log = open(disk).unwrap();
    append(&log, &mut acked, batch("after the damage, again", 4)).await.unwrap();
    drop(log);
    let later = found(disk).await;
    assert_eq!(lost(&acked, &later), gone, "{what}: the writer changed what is lost");
    gone.len()
}

#[tokio::test]
async fn a_flipped_bit_anywhere_costs_at_most_one_append() {
    let (disk, acked, appends) = filled(4, 3).await;
    let path = newest_file(&disk);
    let end = content_end(&disk);
    let mut costly = 0;
    // Every byte of the batches, a sample of the header pages.
    let places = (0..8192).step_by(97).chain(8192..end + 16);
    for at in places {
        let damaged = disk.fork();
        damaged.damage(&path, |bytes| bytes[at] ^= 1 << (at % 8));
        let lost = judge(&damaged, &acked, &appends, &format!("bit flip at byte {at}")).await;
        assert!(at >= 8192 || lost == 0, "the header has a copy (byte {at})");
        costly += usize::from(lost > 0);
    }
    assert!(costly > 300, "most flips must be noticed: {costly}");
}

#[tokio::test]
async fn a_flipped_bit_in_a_closed_log_is_told_without_the_mark() {
    let (disk, acked, appends) = filled(3, 3).await;
    let path = newest_file(&disk);
    let bytes = disk.bytes(&path);
    for text in ["append 0/1", "append 1/0", "append 2/2"] {
        let at = bytes.windows(text.len()).position(|w| w == text.as_bytes()).unwrap();
        let damaged = disk.fork();
        damaged.damage(&path, |bytes| bytes[at] ^= 1);
        damaged.damage(&mark(), |bytes| bytes.fill(0));
        assert_eq!(judge(&damaged, &acked, &appends, text).await, 3);
    }
}

#[tokio::test]
async fn pieces_that_are_zero_misplaced_or_doubled_are_noticed() {
    let (disk, acked, appends) = filled(6, 3).await;
    let path = newest_file(&disk);
    let bytes = disk.bytes(&path);
    let heads: Vec<usize> =
        (8192..content_end(&disk)).filter(|at| bytes[*at..].starts_with(b"\xf5TMbat\x1a\n")).collect();
    assert_eq!(heads.len(), 7, "six appends and the proof at the end");
    for i in 0..6 {
        let (from, to) = (heads[i], heads[i + 1]);
        let zeros = disk.fork();
        zeros.damage(&path, |b| b[from..to].fill(0));
        assert_eq!(judge(&zeros, &acked, &appends, "zeros").await, 3);

        // The device wrote the batch before in this place (a lost and misdirected write).
        let before = heads[(i + 5) % 6];
        let misplaced = disk.fork();
        misplaced.damage(&path, |b| b.copy_within(before..before + (to - from), from));
        assert_eq!(judge(&misplaced, &acked, &appends, "misplaced").await, 3);
    }
    // The whole content once more behind itself, as a doubled write would leave it.
    let doubled = disk.fork();
    let length = heads[6] - heads[0];
    doubled
        .damage(&path, |b| b.copy_within(heads[0]..heads[0] + length, (heads[6] + 256).next_multiple_of(8)));
    assert_eq!(judge(&doubled, &acked, &appends, "doubled").await, 0);
    // Another file's content under this name.
    let foreign = disk.fork();
    let other = foreign.bytes(&PathBuf::from(DIR).join("bulk/0000000000000001.log"));
    foreign.damage(&path, |b| b[..8192].copy_from_slice(&other[..8192]));
    assert_eq!(judge(&foreign, &acked, &appends, "header of the other lane").await, 0);
}

#[tokio::test]
async fn damage_in_the_middle_of_many_files_is_one_gap() {
    let (disk, acked, appends) = filled(400, 5).await;
    let all = files(&disk);
    assert!(all.len() > 3, "{} files", all.len());
    for path in &all {
        let damaged = disk.fork();
        damaged.damage(path, |b| b[8192 + 4000] ^= 64);
        assert_eq!(judge(&damaged, &acked, &appends, &format!("{path:?}")).await, 5);
        let report = inspect_on(&damaged, Path::new(DIR)).unwrap();
        assert!(!report.is_whole());
        assert_eq!(report.lanes[0].files.iter().map(|f| f.damage.len()).sum::<usize>(), 1);
    }
    let report = inspect_on(&disk, Path::new(DIR)).unwrap();
    assert!(report.is_whole(), "{report:?}");
    let records: u64 = report.lanes.iter().flat_map(|l| &l.files).map(|f| f.records).sum();
    assert_eq!(records, 2000);
}

#[tokio::test]
async fn both_copies_of_a_header_may_be_gone() {
    let (disk, acked, appends) = filled(400, 5).await;
    for path in files(&disk) {
        let damaged = disk.fork();
        damaged.damage(&path, |b| b[..8192].fill(0xa5));
        assert_eq!(judge(&damaged, &acked, &appends, &format!("{path:?}")).await, 0);
    }
    // An empty newest file without a header: the file before and the mark know the offsets.
    let empty = disk.fork();
    drop(open(&empty).unwrap());
    let newest = newest_file(&empty);
    empty.damage(&newest, |b| b.fill(0));
    judge(&empty, &acked, &appends, "empty file without a header").await;
}

#[tokio::test]
async fn a_missing_file_is_a_gap_and_its_offsets_stay_taken() {
    let (disk, acked, _) = filled(400, 5).await;
    let all = files(&disk);
    for path in all.iter().skip(1) {
        let damaged = disk.fork();
        tallymark_log::file::disk::Disk::remove(&damaged, path).unwrap();
        let gone = lost(&acked, &found(&damaged).await);
        assert!(
            gone.len() >= 5 && gone.len() < acked.len(),
            "{} of {} lost with {path:?}",
            gone.len(),
            acked.len()
        );
        let mut acked = acked.clone();
        let log = open(&damaged).unwrap();
        append(&log, &mut acked, batch("later", 3)).await.unwrap();
        drop(log);
        assert_eq!(lost(&acked, &found(&damaged).await), gone);
    }
    // All of them.
    let bare = disk.fork();
    for path in &all {
        tallymark_log::file::disk::Disk::remove(&bare, path).unwrap();
    }
    let mut later = Acked::new();
    let log = open(&bare).unwrap();
    append(&log, &mut later, batch("later", 3)).await.unwrap();
    assert!(
        later.keys().all(|p| !acked.contains_key(p)),
        "offsets that were acknowledged are never given out again"
    );
}

#[tokio::test]
async fn a_file_cut_short_loses_only_what_it_held() {
    let (disk, acked, _) = filled(400, 5).await;
    let all = files(&disk);
    for (i, path) in all.iter().enumerate() {
        for length in [0, 100, 5000, 8192, 8300, 12_000] {
            let short = disk.fork();
            short.damage(path, |b| b.truncate(length));
            let gone = lost(&acked, &found(&short).await);
            let mut acked = acked.clone();
            let log = open(&short).unwrap();
            append(&log, &mut acked, batch("later", 3)).await.unwrap();
            drop(log);
            assert_eq!(lost(&acked, &found(&short).await), gone, "file {i} cut to {length}");
            assert!(!gone.is_empty());
        }
    }
}

#[tokio::test]
async fn sectors_that_cannot_be_read_cost_only_their_batches() {
    let (disk, acked, _) = filled(100, 5).await;
    let path = files(&disk)[1].clone();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let failing = disk.fork();
    failing.plan(Plan { unreadable: Some((name, 8192 + 4096, 8192 + 4608)), ..Plan::default() });
    let seen = found(&failing).await;
    let gone = lost(&acked, &seen);
    assert!((5..=100).contains(&gone.len()), "a page of 4096 bytes: {} records", gone.len());
    assert!(seen.values().flat_map(|f| &f.evidence).any(|e| e.contains("device")), "{seen:?}");
    // The sector was remapped and reads again.
    failing.plan(Plan::default());
    assert_whole(&failing, &acked).await;
}

#[tokio::test]
async fn the_mark_may_be_lost_or_old() {
    let disk = FaultDisk::new();
    let log = open(&disk).unwrap();
    let mut acked = Acked::new();
    append(&log, &mut acked, batch("one", 3)).await.unwrap();
    let old = disk.bytes(&mark());
    append(&log, &mut acked, batch("two", 3)).await.unwrap();
    append(&log, &mut acked, batch("three", 3)).await.unwrap();
    log.close();
    drop(log);
    for content in [old, vec![0; 8192], vec![0xff; 8192], Vec::new()] {
        let damaged = disk.fork();
        damaged.damage(&mark(), |b| *b = content.clone());
        // A reader alone finds what the content proves, and after the writer opened everybody sees all.
        assert_whole(&damaged, &acked).await;
        let mut acked = acked.clone();
        let log = open(&damaged).unwrap();
        append(&log, &mut acked, batch("four", 3)).await.unwrap();
        assert_whole(&damaged, &acked).await;
    }
}

#[tokio::test]
async fn the_identity_is_found_in_the_files_and_foreign_files_are_refused() {
    let (disk, acked, _) = filled(3, 3).await;
    let id = Path::new(DIR).join("log.id");
    for content in [Vec::new(), b"garbage".to_vec()] {
        let damaged = disk.fork();
        damaged.damage(&id, |b| *b = content.clone());
        drop(open(&damaged).unwrap());
        assert_eq!(damaged.bytes(&id), disk.bytes(&id));
        assert_whole(&damaged, &acked).await;
    }
    // And from the second copies of the headers, when the first are gone too.
    let damaged = disk.fork();
    damaged.damage(&id, |b| b.clear());
    for path in files(&disk).iter().chain([&PathBuf::from(DIR).join("bulk/0000000000000001.log")]) {
        damaged.damage(path, |b| b[..4096].fill(0));
    }
    drop(open(&damaged).unwrap());
    assert_eq!(damaged.bytes(&id), disk.bytes(&id));

    let (other, ..) = filled(1, 1).await;
    let mixed = disk.fork();
    let foreign = other.bytes(&newest_file(&other));
    mixed.damage(&newest_file(&mixed), |b| *b = foreign.clone());
    let refused = open(&mixed).err().unwrap();
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
    let newer = disk.fork();
    newer.damage(&newest_file(&newer), |b| {
        for page in [0, 4096] {
            b[page + 8] = 9;
            let crc = crc32c::crc32c(&b[page..page + 4092]);
            b[page + 4092..page + 4096].copy_from_slice(&crc.to_le_bytes());
        }
    });
    let refused = open(&newer).err().unwrap().to_string();
    assert!(refused.contains("version 9") && refused.contains("upgrade"), "{refused}");
}

#[tokio::test]
async fn a_batch_of_another_history_in_the_right_place_is_noticed() {
    // Two copies of one log went on differently; a piece of one was restored into the other.
    let (disk, mut acked, mut appends) = filled(1, 3).await;
    let other = disk.fork();
    for (disk, tag) in [(&other, "other"), (&disk, "right")] {
        let log = open(disk).unwrap();
        for i in 0..3 {
            let mut added = Acked::new();
            append(&log, &mut added, batch(&format!("{tag} {i}"), 3)).await.unwrap();
            if tag == "right" {
                appends.push(added.keys().copied().collect());
                acked.extend(added);
            }
        }
    }
    let path = newest_file(&disk);
    let (right, wrong) = (disk.bytes(&path), other.bytes(&path));
    let heads: Vec<usize> =
        (8192..content_end(&disk)).filter(|at| right[*at..].starts_with(b"\xf5TMbat\x1a\n")).collect();
    disk.damage(&path, |b| b[heads[1]..heads[2]].copy_from_slice(&wrong[heads[1]..heads[2]]));
    let seen = found(&disk).await;
    let told = lost(&acked, &seen);
    assert!(appends.contains(&told), "{told:?}");
    assert!(seen.values().flat_map(|f| &f.evidence).any(|e| e.contains("does not follow")), "{seen:?}");
}

#[tokio::test]
async fn damage_over_the_edge_of_the_last_group_bounds_the_loss() {
    let disk = FaultDisk::new();
    let settings =
        tallymark_log::file::FileLogConfig { group_wait: std::time::Duration::from_millis(200), ..config() };
    let log = FileLog::open_writer_on(std::sync::Arc::new(disk.clone()), Path::new(DIR), settings).unwrap();
    let mut acked = Acked::new();
    append(&log, &mut acked, batch("one", 2)).await.unwrap();
    append(&log, &mut acked, batch("two", 2)).await.unwrap();
    // The last group has two batches.
    let mut last = (Acked::new(), Acked::new());
    let (a, b) = tokio::join!(
        append(&log, &mut last.0, batch("three", 2)),
        append(&log, &mut last.1, batch("four", 2))
    );
    a.unwrap();
    b.unwrap();
    let crashed = disk.fork();
    let path = newest_file(&crashed);
    let bytes = crashed.bytes(&path);
    let heads: Vec<usize> =
        (8192..content_end(&crashed)).filter(|at| bytes[*at..].starts_with(b"\xf5TMbat\x1a\n")).collect();
    assert_eq!(heads.len(), 4);
    // From the second batch into the third; the mark is gone as well.
    crashed.damage(&path, |b| b[heads[1]..heads[3]].fill(0));
    crashed.damage(&mark(), |b| b.fill(0));
    let mut later = Acked::new();
    let log = open(&crashed).unwrap();
    append(&log, &mut later, batch("later", 2)).await.unwrap();
    assert!(later.keys().all(|p| !acked.contains_key(p)), "{later:?} takes offsets of {acked:?}");
    let seen = found(&crashed).await;
    assert_eq!(lost(&acked, &seen).len(), 2);
    assert_eq!(lost(&later, &seen), []);
}

#[test]
fn one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = FileLog::open_writer(dir.path(), config()).unwrap();
    let second = FileLog::open_writer(dir.path(), config()).err().unwrap();
    assert!(matches!(second, OpenError::Locked { .. }), "{second}");
    drop(first);
    drop(FileLog::open_writer(dir.path(), config()).unwrap());
    let nothing = FileLog::open_reader(&dir.path().join("elsewhere"), &config()).err().unwrap();
    assert!(matches!(nothing, OpenError::Missing { .. }), "{nothing}");
}
