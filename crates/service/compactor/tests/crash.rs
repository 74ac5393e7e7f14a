//! The process dies at every failpoint; afterwards there is exactly one truth, and the garbage goes.
//!
//! Without a test harness, because the test runs itself as the process that dies.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use support::{Dice, World, eager, rest};
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
