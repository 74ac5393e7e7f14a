//! Seeds that once failed, and a share of fresh ones on every run.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{SystemTime, UNIX_EPOCH};

/// Each of these found something once.
/// * 153: the processor could not be stopped while the object store was away and a late record needed older rows.
/// * 1414: copies outside a reprocessed range are decided by the rules of the reprocess when they lose their original.
const REGRESSIONS: &[u64] = &[153, 1414];

/// Played every time, so that two runs can be compared.
const FIXED: u64 = 40;

/// Played on top, different every time; `TALLYMARK_SIM_SEEDS` sets how many.
const FRESH: u64 = 12;

async fn play(seed: u64) -> tallymark_sim::Story {
    eprintln!("seed {seed}; again: cargo run -p tallymark-sim -- --from {seed} --seeds 1");
    tallymark_sim::run(seed).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeds_that_once_failed() {
    for seed in REGRESSIONS {
        play(*seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fixed_and_fresh_seeds() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let fresh = std::env::var("TALLYMARK_SIM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(FRESH);
    let mut all = tallymark_sim::Story::default();
    for seed in (1..=FIXED).chain(now..now + fresh) {
        let story = play(seed).await;
        all.crashes += story.crashes;
        all.power_cuts += story.power_cuts;
        all.skipped += story.skipped;
        all.again += story.again;
        all.merges += story.merges;
        all.mended += story.mended;
        all.rules += story.rules;
    }
    // A simulation in which nothing happens proves nothing.
    for (what, times) in [
        ("crashes", all.crashes),
        ("power cuts", all.power_cuts),
        ("skipped records", all.skipped),
        ("records decided again", all.again),
        ("merges", all.merges),
        ("mended letters", all.mended),
        ("rules", all.rules),
    ] {
        assert!(times > 0, "no {what} in {} seeds", FIXED + fresh);
    }
}
