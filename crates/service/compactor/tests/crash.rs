//! The process dies at every failpoint; afterwards there is exactly one truth, and the garbage goes.
//!
//! Without a test harness, because the test runs itself as the process that dies.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use support::{Dice, World, eager, rest};
use tallymark_catalog::{Rules, Snapshots};
use tallymark_compactor::Compactor;
use tallymark_store::verify_segment;

const CHILD: &str = "TALLYMARK_CRASH_TEST_DIR";

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(dir) = std::env::var_os(CHILD) {
        runtime.block_on(child(Path::new(&dir)));
        return;
    }
    for place in ["compact_before_write", "compact_after_write", "compact_after_commit"] {
        runtime.block_on(survives(place));
        println!("test crash at {place} ... ok");
    }
    let places =
        ["compact_before_write", "compact_after_write", "compact_after_commit", "erase_before_complete"];
    for place in places {
        runtime.block_on(erases(place));
        println!("test crash at {place} while erasing ... ok");
    }
}

/// The same while masks are written in and a person is erased: files and books never disagree.
async fn erases(place: &str) {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path()).await;
    let mut dice = Dice(3 + place.len() as u64);
    for _ in 0..4 {
        world.ingest_some(&mut dice, 120, 3).await;
    }
    rest(&mut Compactor::open(eager(), world.deps()).unwrap()).await;
    world.mask(30, 50).await;
    let wish = world.forget("device 7", 0).await;
    let mut wanted = world.visible().await;
    wanted.0.retain(|r| r.subject.0 != 7);
    wanted.1.retain(|r| r.subject.0 != 7);
    let without = |mut found: (Vec<_>, Vec<_>)| {
        found.0.retain(|r: &tallymark_store::EventRow| r.subject.0 != 7);
        found.1.retain(|r: &tallymark_store::PropertyRow| r.subject.0 != 7);
        found
    };

    // It dies again and again, later each time: every step of the work is a step at which it died once.
    let mut died = 0;
    for _ in 0..40 {
        let child = Command::new(std::env::current_exe().unwrap())
            .env(CHILD, dir.path())
            .env("TALLYMARK_FAILPOINT", place)
            .output()
            .unwrap();
        assert_balanced(&world, place).await;
        assert_eq!(without(world.visible().await), wanted, "{place}");
        if child.status.success() {
            break;
        }
        died += 1;
        if place != "compact_after_commit" {
            break;
        }
    }
    assert!(died > 0, "{place}: the child was to die");

    for _ in 0..2 {
        let mut compactor = Compactor::open(eager(), world.deps()).unwrap();
        rest(&mut compactor).await;
        compactor.collect().await.unwrap();
        compactor.close().await.unwrap();
    }
    assert_eq!(
        world.visible().await,
        wanted,
        "{place}: masked and erased rows are gone, all others are there"
    );
    assert_balanced(&world, place).await;
    let wishes = world.catalog.erasures(None).await.unwrap();
    assert!(wishes.iter().any(|w| w.erasure.id == wish && w.completed_at.is_some()), "{place}");
    let live: BTreeSet<String> = world.live().await.into_iter().map(|s| s.key).collect();
    assert_eq!(world.files().await.into_iter().collect::<BTreeSet<_>>(), live, "{place}: no garbage");
}

async fn assert_balanced(world: &World, place: &str) {
    let booked = world.catalog.tally(None).await.unwrap().visible;
    assert_eq!(booked, world.visible().await.0.len() as u64, "{place}: books and files agree");
}

async fn child(dir: &Path) {
    let world = World::open(dir).await;
    let mut compactor = Compactor::open(eager(), world.deps()).unwrap();
    rest(&mut compactor).await;
}

async fn survives(place: &str) {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path()).await;
    let mut dice = Dice(place.len() as u64);
    for _ in 0..6 {
        world.ingest_some(&mut dice, 120, 3).await;
    }
    let rows = world.visible().await;
    let before = world.live().await;

    let died = Command::new(std::env::current_exe().unwrap())
        .env(CHILD, dir.path())
        .env("TALLYMARK_FAILPOINT", place)
        .output()
        .unwrap();
    assert!(!died.status.success(), "{place}: the child was to die");

    let after = world.live().await;
    assert_eq!(after == before, place != "compact_after_commit", "{place}");
    assert_eq!(world.visible().await, rows, "{place}: same rows whichever side of the commit");
    let files: BTreeSet<String> = world.files().await.into_iter().collect();
    let live: BTreeSet<String> = after.iter().map(|s| s.key.clone()).collect();
    assert!(live.is_subset(&files), "{place}: every live file is there");
    assert_eq!(files.len() > live.len(), place != "compact_before_write", "{place}: garbage was left");

    // The next compactor takes over, finishes the work and clears up.
    let mut compactor = Compactor::open(eager(), world.deps()).unwrap();
    rest(&mut compactor).await;
    compactor.collect().await.unwrap();
    assert_eq!(world.visible().await, rows, "{place}: after the next compactor");
    let live = world.live().await;
    live.iter().for_each(|s| assert!(verify_segment(&world.store, s).is_ok(), "{place}"));
    let live: BTreeSet<String> = live.into_iter().map(|s| s.key).collect();
    assert_eq!(
        world.files().await.into_iter().collect::<BTreeSet<_>>(),
        live,
        "{place}: nothing else is left"
    );
}
