//! What was derived is derived again: deltas, state, segment files (I8, I12, I13, R22).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use bytes::Bytes;
use rig::audit::{audit, audit_all, visible};
use rig::{CrashAt, Rig, Sent};
use serde_json::json;
use tallymark_catalog::{Feed, Garbage, JobKind, JobState, SegmentKind};
use tallymark_ledger::Interval;
use tallymark_model::{CommitSeq, Lane, RuleAction, Shard};
use tallymark_processor::{Place, Step, Verb};
use tallymark_state::Delta;

fn stream(n: usize) -> Vec<Sent> {
    (0..n)
        .map(|i| match i % 11 {
            4 => Sent::raw(&format!("d{}", i % 3), b"{\"oops\""),
            7 => Sent { project: 9, ..Sent::new("Stray", "d", &i.to_string()) },
            8 => Sent { lane: Lane::Bulk, ..Sent::new("Play", &format!("d{}", i % 3), &(i / 2).to_string()) },
            3 => Sent {
                user: Some(format!("u{}", i % 5)),
                ..Sent::new("Sign In", &format!("d{}", i % 3), &format!("s{i}"))
            },
            _ => Sent::new("Play", &format!("d{}", i % 3), &(i / 2).to_string()),
        })
        .collect()
}

/// Live commits, a skip, a replay, a rule and a reprocess.
async fn eventful() -> Rig {
    let mut rig = Rig::new().await;
    rig.send(&stream(44)).await;
    let shard = Shard { lane: Lane::Live, partition: 0 };
    rig.ask(JobKind::Skip, json!({"ranges": [Interval::new(shard, 3, 9)]})).await;
    rig.drain().await;
    rig.later(1_000);
    rig.send(&stream(22)).await;
    rig.drain().await;
    rig.ask(JobKind::Replay, json!({})).await;
    rig.drain().await;
    rig.rule(1, 1, RuleAction::Drop { events: vec!["Sign In".into()], conditions: Vec::new() }).await;
    rig.send(&stream(11)).await;
    rig.drain().await;
    rig.ask(JobKind::Reprocess, json!({})).await;
    rig.drain().await;
    rig
}

async fn delta_keys(rig: &Rig) -> Vec<(CommitSeq, String)> {
    let feed = rig.catalog.feed(CommitSeq(0), 10_000).await.unwrap();
    feed.into_iter().filter_map(|r| Some((r.seq, r.delta?))).collect()
}

#[tokio::test]
async fn a_start_without_state_and_with_deltas_gone_or_damaged_is_as_before() {
    let rig = eventful().await;
    let before = audit(&rig).await;
    let keys = delta_keys(&rig).await;
    let feed = rig.catalog.feed(CommitSeq(0), 10_000).await.unwrap();
    let origins: Vec<_> = feed.iter().filter(|r| r.delta.is_some()).map(|r| r.origin).collect();
    let mut bytes = Vec::new();
    for (n, (_, key)) in keys.iter().enumerate() {
        bytes.push(rig.store.get(key).await.unwrap());
        match n % 3 {
            0 => rig.store.delete(key).await.unwrap(),
            1 => rig.store.put(key, Bytes::from_static(b"rubbish")).await.unwrap(),
            _ => {}
        }
        std::fs::remove_dir_all(rig.config().state_dir).ok();
        let is_back = async || match rig.store.get(key).await {
            Ok(found) => Delta::decode(&found).is_ok(),
            Err(_) => false,
        };
        let ended = rig.run_until(rig.config(), rig.deps(), is_back).await;
        let origin = &origins[n];
        assert!(ended.is_ok(), "commit {:?} of {} {origin:?}: {ended:?}", keys[n].0, keys.len());
        let again = rig.store.get(key).await.unwrap();
        let (was, is) = (Delta::decode(&bytes[n]).unwrap(), Delta::decode(&again).unwrap());
        assert_eq!(was, is, "commit {:?} of {} {origin:?}", keys[n].0, keys.len());
        assert_eq!(again, bytes[n]);
    }
    let after = audit(&rig).await;
    assert_eq!(visible(&before), visible(&after));
}

#[tokio::test]
async fn every_delta_gone_at_once() {
    let mut rig = Rig::new().await;
    rig.send(&stream(66)).await;
    rig.drain().await;
    for (_, key) in delta_keys(&rig).await {
        rig.store.delete(&key).await.unwrap();
    }
    std::fs::remove_dir_all(rig.config().state_dir).unwrap();
    rig.later(500);
    rig.send(&stream(5)).await;
    rig.drain().await;
    audit_all(&rig).await;
}

#[tokio::test]
async fn state_is_folded_beside_compared_and_switched() {
    let mut rig = eventful().await;
    let keys = delta_keys(&rig).await;
    let kept = rig.store.get(&keys[2].1).await.unwrap();
    rig.store.delete(&keys[2].1).await.unwrap();
    let id = rig.ask(JobKind::RebuildState, json!({})).await;
    let always = rig.ask(JobKind::RebuildIdentity, json!({"switch": "always"})).await;
    rig.send(&stream(9)).await;
    rig.drain().await;
    let report = rig.report(id).await;
    assert_eq!((&report["equal"], &report["switched"]), (&json!(true), &json!(false)), "{report}");
    assert_eq!(report["rederived"][0]["key"], json!(keys[2].1));
    assert_eq!(rig.store.get(&keys[2].1).await.unwrap(), kept);
    let report = rig.report(always).await;
    assert_eq!((&report["equal"], &report["switched"]), (&json!(true), &json!(true)), "{report}");
    rig.send(&stream(9)).await;
    rig.drain().await;
    audit(&rig).await;
}

/// Damages every live segment that `choose` chooses; returns how many.
async fn damage(rig: &Rig, choose: impl Fn(usize) -> bool) -> usize {
    let live = rig.catalog.live().await.unwrap();
    let mut n = 0;
    for (nth, meta) in live.iter().enumerate().filter(|(nth, _)| choose(*nth)) {
        n += 1;
        if nth % 2 == 0 {
            rig.store.delete(&meta.key).await.unwrap();
        } else {
            let mut bytes = rig.store.get(&meta.key).await.unwrap().to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
            rig.store.delete(&meta.key).await.unwrap();
            rig.store.put(&meta.key, Bytes::from(bytes)).await.unwrap();
        }
    }
    n
}

#[tokio::test]
async fn segments_that_are_gone_or_damaged_are_written_again_with_the_same_rows() {
    let mut rig = eventful().await;
    let identify = Sent::raw(
        "dev",
        br#"{"event":"$identify","device_id":"dev","user_id":"ann","insert_id":"x",
            "user_properties":{"$set":{"plan":"pro"},"$add":{"visits":1}}}"#,
    );
    rig.send(&[identify]).await;
    rig.drain().await;
    rig.merge_segments().await;
    let before = audit(&rig).await;
    let live = rig.catalog.live().await.unwrap();
    assert!(live.iter().any(|m| m.level == 1) && live.iter().any(|m| m.kind == SegmentKind::Properties));
    for part in 0..3 {
        let n = damage(&rig, |nth| nth % 3 == part).await;
        let dry = rig.ask_dry(JobKind::RebuildSegments, json!({})).await;
        let id = rig.ask(JobKind::RebuildSegments, json!({})).await;
        rig.drain().await;
        assert_eq!(rig.report(dry).await["damaged"].as_array().unwrap().len(), n);
        let report = rig.report(id).await;
        assert_eq!(report["rebuilt"].as_array().unwrap().len(), n, "{report}");
        let after = audit(&rig).await;
        assert_eq!(after.rows, before.rows);
        assert_eq!(after.properties, before.properties);
    }
    let id = rig.ask(JobKind::RebuildSegments, json!({})).await;
    rig.drain().await;
    assert_eq!(rig.report(id).await["damaged"], json!([]));
}

#[tokio::test]
async fn a_segment_whose_records_are_gone_too_is_said_and_left() {
    let mut rig = Rig::new().await;
    let positions = rig.send(&stream(20)).await;
    rig.drain().await;
    rig.log.lose(Interval::new(positions[0].shard(), 0, 5));
    damage(&rig, |_| true).await;
    let live = rig.catalog.live().await.unwrap().len();
    let id = rig.ask(JobKind::RebuildSegments, json!({})).await;
    rig.drain().await;
    let job = rig.job(id).await;
    assert_eq!(job.state, JobState::Failed);
    assert!(!job.report["failed"].as_array().unwrap().is_empty(), "{}", job.report);
    assert_eq!(rig.catalog.live().await.unwrap().len(), live);
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_rebuild_is_harmless() {
    for step in Step::of_job(Verb::Repair) {
        let rig = eventful().await;
        let before = audit(&rig).await;
        damage(&rig, |nth| nth < 3).await;
        rig.ask(JobKind::RebuildSegments, json!({})).await;
        let mut deps = rig.deps();
        deps.failpoint = CrashAt::new(step, 1);
        assert!(rig.drain_with(rig.config(), deps).await.is_err(), "{step:?}");
        rig.drain().await;
        assert_eq!(audit(&rig).await.rows, before.rows, "{step:?}");
    }
    let reached = [Place::AfterDelta, Place::BeforeApply, Place::AfterApply];
    let steps = reached.map(|place| Step::Within(Verb::Rebuild, place));
    for step in steps.into_iter().chain([Step::Progress(Verb::Rebuild), Step::End(Verb::Rebuild)]) {
        let rig = eventful().await;
        let id = rig.ask(JobKind::RebuildState, json!({"switch": "always"})).await;
        let mut deps = rig.deps();
        deps.failpoint = CrashAt::new(step, 1);
        assert!(rig.drain_with(rig.config(), deps).await.is_err(), "{step:?}");
        rig.drain().await;
        assert_eq!(rig.report(id).await["equal"], json!(true));
        audit(&rig).await;
    }
}
