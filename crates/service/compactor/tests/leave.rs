//! Rows that are to go, go: masked ones without a trace, those of erased persons out of files and books together.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use model::{Millis, SubjectId};
use std::collections::BTreeSet;
use support::{Dice, LOG, PROJECT, World, eager, rest};
use tallymark_catalog::{Garbage, Rules, Settings, Snapshots, Tombstones};
use tallymark_compactor::Compactor;
use tallymark_ledger::{Fingerprint, SegmentKind};
use tallymark_model as model;
use tallymark_store::{SegmentReader, verify_segment};

/// What lies in the live files, whatever is masked.
async fn in_files(world: &World) -> (BTreeSet<u64>, usize) {
    let (mut events, mut operations) = (BTreeSet::new(), 0);
    for segment in world.live().await {
        verify_segment(&world.store, &segment).unwrap();
        let reader = SegmentReader::open(&world.store, &segment).unwrap();
        match segment.kind {
            SegmentKind::Events => {
                events.extend(reader.events().map(|r| r.unwrap().position.offset));
            }
            SegmentKind::Properties => operations += reader.property_rows().count(),
        }
    }
    (events, operations)
}

/// I4 over everything: the books' visible records are the rows of the files.
async fn assert_balanced(world: &World) {
    let rows = world.catalog.ledger(Some(PROJECT), None, None).await.unwrap();
    let booked =
        rows.iter().fold((0, Fingerprint::default()), |(n, f), r| (n + r.tally.visible, f + r.visible));
    let visible = world.visible().await.0;
    let sum = visible.iter().fold(Fingerprint::default(), |f, r| f + Fingerprint::of(LOG, r.position));
    assert_eq!(booked, (visible.len() as u64, sum));
}

async fn compacted(world: &World) {
    // Twice: the first look only notes that masks have come to rest.
    for _ in 0..2 {
        let mut compactor = Compactor::open(eager(), world.deps()).unwrap();
        rest(&mut compactor).await;
        compactor.collect().await.unwrap();
        compactor.close().await.unwrap();
    }
}

#[tokio::test]
async fn masked_rows_are_written_out_of_the_files() {
    for seed in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let world = World::open(dir.path()).await;
        let mut dice = Dice(seed + 70);
        for round in 0..6 {
            world.ingest_some(&mut dice, 150, 3).await;
            if round % 2 == 1 {
                // Some of the masked rows already lie in merged files.
                compacted(&world).await;
            }
            let from = dice.below(world.cursor().await - 10);
            world.mask(from, from + 1 + dice.below(9)).await;
        }
        let wanted = world.visible().await;
        assert!(in_files(&world).await.0.len() > wanted.0.len(), "seed {seed}: some are masked only");
        compacted(&world).await;

        assert_eq!(world.visible().await, wanted, "seed {seed}");
        let (events, operations) = in_files(&world).await;
        let positions: BTreeSet<u64> = wanted.0.iter().map(|r| r.position.offset).collect();
        assert_eq!(events, positions, "seed {seed}: nothing masked is left in any file");
        assert_eq!(operations, wanted.1.len(), "seed {seed}");
        assert_balanced(&world).await;
        let ids: Vec<_> = world.live().await.iter().map(|s| s.id).collect();
        assert!(world.catalog.masked(&ids).await.unwrap().is_empty());
        assert_eq!(world.catalog.drop_spent_masks().await.unwrap(), 0, "seed {seed}: none is kept");
    }
}

#[tokio::test]
async fn an_erased_person_leaves_files_and_books_once_it_is_too_late_to_undo() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path()).await;
    let mut dice = Dice(5);
    for _ in 0..5 {
        world.ingest_some(&mut dice, 150, 3).await;
    }
    compacted(&world).await;
    let before = world.visible().await;
    let of = |subject: u32| before.0.iter().filter(|r| r.subject == SubjectId(subject)).count() as u64;
    let (gone, undone, young) = (of(7), of(8), of(9));
    assert!(gone > 2 && undone > 2 && young > 2, "{gone} {undone} {young}");

    let done = world.forget("device 7", 0).await;
    let back = world.forget("device 8", 0).await;
    world.unforget(back).await;
    let later = world.forget("device 9", Millis::MAX).await;
    // The person comes back: that is new.
    let (after, _) = world.ingest_some(&mut dice, 150, 3).await;
    compacted(&world).await;

    let now = world.visible().await;
    let new = after.iter().filter(|r| r.subject == SubjectId(7)).count() as u64;
    let left = |subject: u32| now.0.iter().filter(|r| r.subject == SubjectId(subject)).count() as u64;
    assert_eq!(left(7), new, "only what came afterwards is left");
    assert_eq!(left(8), undone + after.iter().filter(|r| r.subject == SubjectId(8)).count() as u64);
    assert!(left(9) >= young);
    assert!(
        now.1.iter().all(|o| o.subject != SubjectId(7) || after.iter().any(|r| r.position == o.position))
    );
    assert_balanced(&world).await;
    let tally = world.catalog.tally(Some(PROJECT)).await.unwrap();
    assert_eq!(tally.filtered, gone, "what is erased is filtered in the books");
    let history = world.catalog.restatements(None, None, 100).await.unwrap();
    assert_eq!(history.iter().map(|r| r.restatement.records()).sum::<u64>(), gone);

    let wishes = world.catalog.erasures(Some(PROJECT)).await.unwrap();
    let completed = |id| wishes.iter().find(|w| w.erasure.id == id).unwrap().completed_at.is_some();
    assert!(completed(done) && !completed(back) && !completed(later));
    // Nothing of it is left in any object.
    for segment in world.live().await {
        let reader = SegmentReader::open(&world.store, &segment).unwrap();
        if segment.kind == SegmentKind::Events {
            let of_person = |r: &tallymark_store::EventRow| r.device_id.as_deref() == Some("device 7");
            let rows = reader.events().map(Result::unwrap).filter(of_person).count() as u64;
            assert!(rows <= new);
        }
    }
}

#[tokio::test]
async fn a_deleted_project_loses_its_files_when_the_time_to_undo_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path()).await;
    let named = tallymark_catalog::NewProject { name: "one".to_owned(), ..Default::default() };
    assert_eq!(world.catalog.create_project(named).await.unwrap().project.id, PROJECT);
    let mut dice = Dice(8);
    for _ in 0..3 {
        world.ingest_some(&mut dice, 100, 2).await;
    }
    let rows = world.visible().await.0.len() as u64;
    world.catalog.delete_project(PROJECT, Millis::MAX).await.unwrap();
    compacted(&world).await;
    assert_eq!(world.visible().await.0.len() as u64, rows, "it can still be taken back");
    world.catalog.undelete_project(PROJECT).await.unwrap();
    world.catalog.delete_project(PROJECT, 1).await.unwrap();
    compacted(&world).await;
    assert_eq!(world.live().await, []);
    assert_eq!(world.files().await, Vec::<String>::new());
    let tally = world.catalog.tally(Some(PROJECT)).await.unwrap();
    assert_eq!((tally.visible, tally.filtered), (0, rows));
}
