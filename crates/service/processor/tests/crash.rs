//! The processor is stopped dead between any two of its writes, and its catalog fails in every way; afterwards every
//! event sent counts exactly once (R9, R12, R13, A19-2, X16).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use proptest::prelude::*;
use rig::audit::audit_all;
use rig::flaky::{Flaky, Trouble};
use rig::{Body, CrashAt, Rig, Sent, shared};
use std::time::Duration;
use tallymark_catalog::{Feed, Snapshots};
use tallymark_model::Lane;
use tallymark_processor::{ProcessorConfig, ProcessorError, Step};
use tallymark_state::{State, StateConfig};

/// A stream with duplicates in and across lanes, bad events and unknown projects.
fn stream(n: usize) -> Vec<Sent> {
    (0..n)
        .map(|i| match i % 11 {
            4 => Sent::raw(&format!("d{}", i % 3), b"{\"oops\""),
            7 => Sent { project: 9, ..Sent::new("Stray", "d", &i.to_string()) },
            8 => Sent { lane: Lane::Bulk, ..Sent::new("Play", &format!("d{}", i % 3), &(i / 2).to_string()) },
            _ => Sent::new("Play", &format!("d{}", i % 3), &(i / 2).to_string()),
        })
        .collect()
}

#[tokio::test]
async fn a_crash_between_any_two_writes_neither_loses_nor_doubles() {
    for step in Step::ALL {
        for nth in 1..=3 {
            let mut rig = Rig::new().await;
            for request in stream(44).chunks(5) {
                rig.send(request).await;
            }
            let mut deps = rig.deps();
            deps.failpoint = CrashAt::new(step, nth);
            let config = ProcessorConfig { checkpoint_commits: 1, ..rig.config() };
            let crashed = rig.drain_with(config, deps).await;
            assert!(
                matches!(crashed, Err(ProcessorError::Failpoint(at)) if at == step),
                "{step:?} {nth}: {crashed:?}"
            );
            rig.later(500);
            rig.send(&stream(20)).await;
            rig.drain().await;
            audit_all(&rig).await;
        }
    }
}

#[tokio::test]
async fn crash_after_crash_makes_progress() {
    let mut rig = Rig::new().await;
    rig.send(&stream(60)).await;
    for round in 0..40 {
        if rig.is_drained().await {
            break;
        }
        let mut deps = rig.deps();
        deps.failpoint = CrashAt::new(Step::ALL[round % Step::ALL.len()], 1);
        let _ = rig.drain_with(rig.config(), deps).await;
    }
    rig.drain().await;
    audit_all(&rig).await;
}

#[tokio::test]
async fn stopping_and_starting_adds_nothing() {
    let mut rig = Rig::new().await;
    rig.send(&stream(30)).await;
    rig.drain().await;
    let before = audit_all(&rig).await;
    let commits = rig.catalog.latest_seq().await.unwrap();
    for _ in 0..10 {
        rig.drain().await;
    }
    let after = audit_all(&rig).await;
    assert_eq!(before.rows.len(), after.rows.len());
    assert_eq!(rig.catalog.latest_seq().await.unwrap(), commits);
    let state = State::open(&rig.config().state_dir, StateConfig::default()).unwrap();
    assert_eq!(state.applied(), commits, "a clean stop leaves a checkpoint of everything");
}

#[tokio::test]
async fn a_catalog_that_fails_before_and_after_every_effect() {
    for every in [2, 3, 5] {
        let mut rig = Rig::new().await;
        for request in stream(44).chunks(7) {
            rig.send(request).await;
        }
        let flaky = Flaky::new(rig.catalog.clone(), Trouble::Often(every));
        let mut deps = rig.deps();
        deps.catalog = shared(flaky.clone());
        rig.drain_with(rig.config(), deps).await.unwrap();
        assert!(flaky.calls() > 20, "{} calls", flaky.calls());
        audit_all(&rig).await;
    }
}

#[tokio::test]
async fn a_refused_commit_is_forgotten_and_read_again() {
    let mut rig = Rig::new().await;
    rig.send(&stream(50)).await;
    let refusing = Flaky::new(rig.catalog.clone(), Trouble::Refused);
    let mut deps = rig.deps();
    deps.catalog = shared(refusing.clone());
    rig.drain_with(rig.config(), deps).await.unwrap();
    audit_all(&rig).await;
}

#[tokio::test]
async fn commits_of_the_compactor_in_between_are_passed() {
    let mut rig = Rig::new().await;
    rig.send(&stream(30)).await;
    rig.drain().await;
    let before = rig.catalog.latest_seq().await.unwrap();
    rig.merge_segments().await;
    rig.send(&stream(30)).await;
    rig.drain().await;
    assert!(rig.catalog.latest_seq().await.unwrap().0 > before.0 + 1);
    audit_all(&rig).await;
}

#[tokio::test]
async fn an_object_store_that_is_down_delays_and_loses_nothing() {
    let mut rig = Rig::new().await;
    rig.send(&stream(25)).await;
    let deltas = rig.dir.path().join("objects").join("deltas");
    std::fs::create_dir_all(deltas.parent().unwrap()).unwrap();
    std::fs::write(&deltas, "in the way").unwrap();
    let commits = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let seq = rig.catalog.latest_seq().await.unwrap();
        std::fs::remove_file(&deltas).unwrap();
        seq
    };
    let (drained, during) = tokio::join!(rig.drain_with(rig.config(), rig.deps()), commits);
    drained.unwrap();
    assert_eq!(during.0, 0, "nothing may be visible whose delta cannot be stored");
    audit_all(&rig).await;
}

#[tokio::test]
async fn a_frozen_processor_that_thaws_after_its_lease_writes_nothing() {
    let mut rig = Rig::new().await;
    rig.send(&stream(30)).await;
    let old = Flaky::new(rig.catalog.clone(), Trouble::Frozen);
    let mut deps = rig.deps();
    deps.catalog = shared(old.clone());
    let config = |owner: &str| ProcessorConfig {
        owner: owner.to_owned(),
        lease_ttl: Duration::from_millis(60),
        ..rig.config()
    };
    let frozen = rig.drain_with(config("old"), deps);
    let takeover = async {
        old.waiting.notified().await;
        // The new owner waits until the old lease has run out, and does all the work.
        rig.drain_with(config("new"), rig.deps()).await.unwrap();
        let seq = rig.catalog.latest_seq().await.unwrap();
        old.release.notify_one();
        seq
    };
    let (thawed, before) = tokio::join!(frozen, takeover);
    // Its commit was refused for its epoch (or, being asked to stop because all is drained, never finished).
    assert!(matches!(thawed, Err(ProcessorError::Fenced { .. })), "{thawed:?}");
    assert_eq!(rig.catalog.latest_seq().await.unwrap(), before, "the old owner wrote");
    audit_all(&rig).await;
}

#[tokio::test]
async fn a_log_or_checkpoint_of_another_installation_is_not_used() {
    let mut rig = Rig::new().await;
    rig.send(&stream(20)).await;
    rig.drain().await;
    let mut stranger = Rig::new().await;
    stranger.send(&stream(40)).await;
    let mut deps = stranger.deps();
    deps.log = rig.deps().log;
    let refused = stranger.drain_with(stranger.config(), deps).await;
    assert!(matches!(refused, Err(ProcessorError::WrongLog { .. })), "{refused:?}");
    // The other installation's checkpoints lie where ours belong.
    std::fs::create_dir_all(&stranger.config().state_dir).unwrap();
    for file in std::fs::read_dir(rig.config().state_dir).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), stranger.config().state_dir.join(file.file_name())).unwrap();
    }
    stranger.drain().await;
    audit_all(&stranger).await;
    assert_eq!(stranger.catalog.cursors().await.unwrap().iter().map(|c| c.position).sum::<u64>(), 40);
}

fn sent() -> impl Strategy<Value = Sent> {
    let id = |prefix: &'static str, n: u8| prop::option::of((0..n).prop_map(move |i| format!("{prefix}{i}")));
    (1u32..4, any::<bool>(), id("d", 3), id("u", 3), id("i", 6), 0u8..12).prop_map(
        |(project, bulk, device, user, insert, kind)| Sent {
            project,
            lane: if bulk { Lane::Bulk } else { Lane::Live },
            device,
            user,
            insert,
            body: match kind {
                0 => Body::Raw(b"{\"event\":7}".to_vec()),
                1 => Body::Control,
                2 => Body::Named("$identify".into()),
                3 => Body::Named("$reset".into()),
                _ => Body::Named(format!("event {}", kind % 3)),
            },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn random_streams_with_crashes_match_the_oracle(
        rounds in prop::collection::vec((prop::collection::vec(sent(), 1..25), 0usize..7, 1u32..4), 1..4),
        flaky in prop::option::of(2u32..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut rig = Rig::new().await;
            for (events, step, nth) in rounds {
                rig.send(&events).await;
                let mut deps = rig.deps();
                deps.failpoint = CrashAt::new(Step::ALL[step], nth);
                if let Some(every) = flaky {
                    deps.catalog = shared(Flaky::new(rig.catalog.clone(), Trouble::Often(every)));
                }
                // It crashes, or it gets everything done first.
                let _ = rig.drain_with(rig.config(), deps).await;
            }
            rig.drain().await;
            audit_all(&rig).await;
        });
    }
}
