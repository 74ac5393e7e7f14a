//! What was derived is derived again: deltas, state, segment files (I8, I12, I13, R22).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use bytes::Bytes;
use rig::audit::{audit, audit_all, visible};
use rig::{CrashAt, Rig, Sent};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tallymark_catalog::{Feed, Garbage, JobKind, JobState, SegmentKind, SegmentMeta};
use tallymark_compactor::{Compactor, CompactorConfig, PlanConfig};
use tallymark_ledger::Interval;
use tallymark_model::{CommitSeq, Control, Lane, Position, ProjectId, Rule, RuleAction, Shard};
use tallymark_processor::{Place, Step, Verb};
use tallymark_state::Delta;
use tallymark_store::{PropertyRow, SegmentReader};
use tokio_util::sync::CancellationToken;

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

/// Compacts until nothing is left to do, into day files however few rows they have.
async fn compact(rig: &Rig) {
    let plan = PlanConfig { split_rows: 1, max_merged: 1, quiet_ms: 0, min_day_rows: 1, ..small_plan() };
    compact_by(rig, plan, usize::MAX).await;
}

/// Merges whatever came, however young.
fn small_plan() -> PlanConfig {
    PlanConfig { max_fresh: 2, fresh_age_ms: 0, ..PlanConfig::default() }
}

/// So many rounds of compaction at most.
async fn compact_by(rig: &Rig, plan: PlanConfig, rounds: usize) {
    let config = CompactorConfig {
        owner: "test".to_owned(),
        plan,
        collect: Duration::from_secs(3_600),
        ..CompactorConfig::default()
    };
    let deps = tallymark_compactor::Deps { catalog: Arc::new(rig.catalog.clone()), store: rig.store.clone() };
    let mut compactor = Compactor::open(config, deps).unwrap();
    for _ in 0..rounds {
        if !compactor.round(&CancellationToken::new()).await.unwrap() {
            break;
        }
    }
    compactor.close().await.unwrap();
}

/// What a live file is, whatever its name: its project, kind, level, day, sums, and its rows' positions in their order.
type File = (u32, String, u8, Option<i32>, u64, String, Vec<Position>);

async fn files(rig: &Rig) -> Vec<File> {
    let mut files = Vec::new();
    for meta in rig.catalog.live().await.unwrap() {
        let reader = SegmentReader::open(&rig.store, &meta).unwrap();
        let positions = match meta.kind {
            SegmentKind::Events => reader.events().map(|row| row.unwrap().position).collect(),
            SegmentKind::Properties => Vec::new(),
        };
        let (kind, sum) = (format!("{:?}", meta.kind), meta.fingerprint.to_string());
        files.push((meta.project.0, kind, meta.level, meta.day, meta.rows, sum, positions));
    }
    files.sort();
    files
}

#[tokio::test]
async fn compacted_day_files_are_written_again_row_by_row_in_their_order() {
    let mut rig = eventful().await;
    let identify = |n: u32| {
        let body = format!(
            r#"{{"event":"$identify","device_id":"d{}","user_id":"ann{n}","insert_id":"i{n}",
                "user_properties":{{"$set":{{"plan":"pro"}},"$add":{{"visits":{n}}}}}}}"#,
            n % 3
        );
        Sent::raw("dev", body.as_bytes())
    };
    for n in 0..3 {
        rig.later(86_400_000);
        rig.send(&[identify(2 * n), identify(2 * n + 1)]).await;
        rig.send(&stream(30)).await;
        rig.drain().await;
    }
    compact(&rig).await;
    let (before, kept) = (audit(&rig).await, files(&rig).await);
    let days: BTreeSet<_> = kept.iter().filter(|f| f.2 == 2).filter_map(|f| f.3).collect();
    assert!(days.len() >= 3, "{kept:?}");
    assert!(kept.iter().all(|f| f.2 == 2 || f.1 == "Properties"), "{kept:?}");
    for part in 0..2 {
        let n = damage(&rig, |nth| (nth / 2) % 2 == part).await;
        assert!(n > 1);
        let id = rig.ask(JobKind::RebuildSegments, json!({})).await;
        rig.drain().await;
        let report = rig.report(id).await;
        assert_eq!(report["damaged"].as_array().unwrap().len(), n);
        assert_eq!(report["rebuilt"].as_array().unwrap().len(), n, "{report}");
        assert_eq!(files(&rig).await, kept);
        let after = audit(&rig).await;
        assert_eq!((after.rows, after.properties), (before.rows.clone(), before.properties.clone()));
    }
    // What was written again is compacted with what comes later, as any other file.
    rig.send(&stream(30)).await;
    rig.drain().await;
    let before = audit(&rig).await;
    compact(&rig).await;
    let after = audit(&rig).await;
    assert_eq!(after.rows, before.rows);
    let sorted = |mut all: Vec<(ProjectId, PropertyRow)>| {
        all.sort_by_key(|(_, p)| (p.position, p.index));
        all
    };
    assert_eq!(sorted(after.properties), sorted(before.properties));
}

/// A drop filter comes and goes, reprocessed each time: several generations of rows over the same records, the older
/// ones masked, some of them merged in between with what they were a part of.
async fn generations() -> Rig {
    let mut rig = eventful().await;
    for version in 2..=7 {
        let action = RuleAction::Drop { events: vec!["Sign In".into()], conditions: Vec::new() };
        let rule = rig.unsaved_rule(1, version, action);
        for shard in rig::shards() {
            rig.control(shard, Control::Rule(Rule { enabled: version % 2 == 1, ..rule.clone() })).await;
        }
        rig.drain().await;
        rig.ask(JobKind::Reprocess, json!({})).await;
        rig.drain().await;
        if version == 2 || version == 4 {
            compact_by(&rig, PlanConfig { max_task_rows: 40, ..small_plan() }, 1).await;
        }
    }
    let action = RuleAction::Drop { events: vec!["Sign In".into()], conditions: Vec::new() };
    let rule = Rule { enabled: false, ..rig.unsaved_rule(1, 8, action) };
    for shard in rig::shards() {
        rig.control(shard, Control::Rule(rule.clone())).await;
    }
    rig.drain().await;
    rig.ask(JobKind::Reprocess, json!({})).await;
    rig.drain().await;
    rig
}

#[tokio::test]
async fn generations_of_rows_over_the_same_records_are_written_again() {
    let rig = generations().await;
    let before = audit(&rig).await;
    let ids: Vec<_> = rig.catalog.live().await.unwrap().iter().map(|m| m.id).collect();
    assert!(!rig.catalog.masked(&ids).await.unwrap().is_empty());
    for part in [3, 2, 1] {
        let n = damage(&rig, |nth| nth % part == 0).await;
        let id = rig.ask(JobKind::RebuildSegments, json!({})).await;
        rig.drain().await;
        let job = rig.job(id).await;
        assert_eq!(job.state, JobState::Done, "{}", job.report);
        assert_eq!(job.report["rebuilt"].as_array().unwrap().len(), n, "{}", job.report);
        let after = audit(&rig).await;
        assert_eq!((&after.rows, &after.properties), (&before.rows, &before.properties), "{part}");
    }
    audit_all(&rig).await;
}

#[tokio::test]
async fn generations_without_all_of_their_records_are_left_and_said() {
    let rig = generations().await;
    let (live, shard) = (rig.catalog.live().await.unwrap().len(), Shard { lane: Lane::Live, partition: 0 });
    rig.log.lose(Interval::new(shard, 0, 3));
    damage(&rig, |_| true).await;
    let id = rig.ask(JobKind::RebuildSegments, json!({})).await;
    rig.drain().await;
    let job = rig.job(id).await;
    assert_eq!(job.state, JobState::Failed);
    let failed = job.report["failed"].as_array().unwrap().len();
    assert!(failed > 0 && failed < live, "{}", job.report);
    let left = |m: &SegmentMeta| m.sources.iter().any(|s| s.interval.overlaps(&Interval::new(shard, 0, 3)));
    assert!(rig.catalog.live().await.unwrap().iter().any(left), "nothing is replaced by less");
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
