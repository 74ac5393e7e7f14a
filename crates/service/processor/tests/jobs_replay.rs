//! Replay: what was skipped is processed later, and everything is as if it had never been skipped (A19-5, R9).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use rig::audit::{audit, audit_all};
use rig::flaky::{Flaky, Trouble};
use rig::{CrashAt, Rig, Sent, shared};
use serde_json::json;
use std::sync::Arc;
use tallymark_catalog::{Feed, JobKind, JobState, JobWish, Jobs, Origin, Snapshots};
use tallymark_ledger::{Account, Interval};
use tallymark_log::memory::MemoryLog;
use tallymark_log::{Item, LogReader, LogWriter, ReadLimit};
use tallymark_model::{CommitSeq, Lane, Shard};
use tallymark_processor::{ProcessorConfig, ProcessorError, Step, Verb};

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

/// Skips a range of every shard that has so much.
async fn skip(rig: &Rig, from: u64, to: u64) {
    let ranges: Vec<Interval> = rig::shards().map(|shard| Interval { shard, from, to }).collect();
    let id = rig.ask(JobKind::Skip, json!({"ranges": ranges})).await;
    rig.drain().await;
    assert!(rig.report(id).await["skipped"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn skipped_records_become_what_they_would_have_been() {
    let mut rig = Rig::new().await;
    rig.send(&stream(60)).await;
    skip(&rig, 3, 14).await;
    rig.later(60_000);
    rig.send(&stream(40)).await;
    rig.drain().await;
    let before = audit(&rig).await;
    let skipped: u64 = rig.skipped().await.iter().map(Interval::len).sum();
    assert!(skipped > 10);

    let dry = rig.ask_dry(JobKind::Replay, json!({})).await;
    rig.drain().await;
    assert_eq!(rig.report(dry).await["replayed"], json!(skipped));
    assert_eq!(
        rig.skipped().await.iter().map(Interval::len).sum::<u64>(),
        skipped,
        "a dry run changes nothing"
    );

    let id = rig.ask(JobKind::Replay, json!({})).await;
    rig.drain().await;
    let after = audit_all(&rig).await;
    assert!(after.rows.len() > before.rows.len());
    assert_eq!(rig.skipped().await, []);
    let report = rig.report(id).await;
    assert_eq!((&report["replayed"], &report["left"]), (&json!(skipped), &json!(0)));
    let outcomes = report["outcomes"].as_object().unwrap();
    assert_eq!(outcomes.values().map(|n| n.as_u64().unwrap()).sum::<u64>(), skipped);
    let job = rig.job(id).await;
    assert_eq!(
        (job.progress.done, job.progress.total, job.progress.unit.as_str()),
        (skipped, skipped, "records")
    );
    let feed = rig.catalog.feed(CommitSeq(0), 10_000).await.unwrap();
    let chunks = feed.iter().filter(|r| r.origin == Origin::Replay { job: id }).count();
    assert!(chunks > 1, "chunk by chunk");
}

#[tokio::test]
async fn only_the_given_ranges_are_replayed() {
    let mut rig = Rig::new().await;
    rig.send(&stream(60)).await;
    skip(&rig, 2, 12).await;
    let shard = Shard { lane: Lane::Live, partition: 0 };
    let id = rig
        .ask(JobKind::Replay, json!({"ranges": [Interval::new(shard, 5, 8), Interval::new(shard, 0, 1)]}))
        .await;
    rig.drain().await;
    assert_eq!(rig.report(id).await["replayed"], json!(3));
    let left: Vec<Interval> = rig.skipped().await.into_iter().filter(|i| i.shard == shard).collect();
    assert_eq!(left, [Interval::new(shard, 2, 5), Interval::new(shard, 8, 12)]);
    audit(&rig).await;
    rig.ask(JobKind::Replay, json!({})).await;
    rig.drain().await;
    audit_all(&rig).await;
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_replay_neither_loses_nor_doubles() {
    for step in Step::of_job(Verb::Replay) {
        for nth in 1..=2 {
            let mut rig = Rig::new().await;
            rig.send(&stream(60)).await;
            skip(&rig, 1, 13).await;
            let id = rig.ask(JobKind::Replay, json!({})).await;
            let mut deps = rig.deps();
            deps.failpoint = CrashAt::new(step, nth);
            let crashed = rig.drain_with(rig.config(), deps).await;
            let reached = nth == 1 || !matches!(step, Step::End(_));
            assert!(
                !reached || matches!(crashed, Err(ProcessorError::Failpoint(at)) if at == step),
                "{step:?} {nth}: {crashed:?}"
            );
            rig.later(500);
            rig.send(&stream(20)).await;
            rig.drain().await;
            audit_all(&rig).await;
            assert_eq!(rig.job(id).await.state, JobState::Done);
        }
    }
}

#[tokio::test]
async fn a_catalog_that_fails_and_refuses_delays_a_replay_and_no_more() {
    for trouble in [Trouble::Often(3), Trouble::Often(4), Trouble::Refused] {
        let mut rig = Rig::new().await;
        rig.send(&stream(50)).await;
        skip(&rig, 1, 12).await;
        rig.ask(JobKind::Replay, json!({})).await;
        let mut deps = rig.deps();
        deps.catalog = shared(Flaky::new(rig.catalog.clone(), trouble));
        rig.drain_with(rig.config(), deps).await.unwrap();
        audit_all(&rig).await;
    }
}

#[tokio::test]
async fn a_replay_pauses_goes_on_and_is_cancelled_between_chunks() {
    let mut rig = Rig::new().await;
    rig.send(&stream(120)).await;
    skip(&rig, 1, 30).await;
    let all: u64 = rig.skipped().await.iter().map(Interval::len).sum();
    let id = rig.ask(JobKind::Replay, json!({})).await;
    let config = || ProcessorConfig { job_records_max: 4, ..rig.config() };
    let state_is = async |wanted: JobState| rig.job(id).await.state == wanted;
    let begun = async || {
        let done = rig.job(id).await.progress.done > 0;
        if done {
            rig.catalog.steer_job(id, JobWish::Pause).await.unwrap();
        }
        done && state_is(JobState::Paused).await
    };
    rig.run_until(config(), rig.deps(), begun).await.unwrap();
    let left: u64 = rig.skipped().await.iter().map(Interval::len).sum();
    assert!(0 < left && left < all, "{left} of {all}");
    assert!(rig.job(id).await.report["replayed"].as_u64().unwrap() > 0, "what was done is told");
    audit(&rig).await;
    rig.drain().await;
    assert_eq!(rig.skipped().await.iter().map(Interval::len).sum::<u64>(), left, "paused is paused");

    rig.catalog.steer_job(id, JobWish::Run).await.unwrap();
    let further = async || {
        let now: u64 = rig.skipped().await.iter().map(Interval::len).sum();
        if now < left {
            rig.catalog.steer_job(id, JobWish::Cancel).await.unwrap();
        }
        state_is(JobState::Cancelled).await || state_is(JobState::Done).await
    };
    rig.run_until(config(), rig.deps(), further).await.unwrap();
    audit(&rig).await;
    rig.ask(JobKind::Replay, json!({})).await;
    rig.drain().await;
    audit_all(&rig).await;
}

#[tokio::test]
async fn what_is_gone_meanwhile_is_lost_with_evidence_and_the_rest_is_replayed() {
    let mut rig = Rig::new().await;
    let positions =
        rig.send(&(0..20).map(|i| Sent::new("Play", "d", &i.to_string())).collect::<Vec<_>>()).await;
    let shard = positions[0].shard();
    let id = rig.ask(JobKind::Skip, json!({"ranges": [Interval::new(shard, 4, 15)]})).await;
    rig.drain().await;
    assert_eq!(rig.report(id).await["skipped"], json!(11));
    rig.log.lose(Interval::new(shard, 7, 9));
    let id = rig.ask(JobKind::Replay, json!({})).await;
    rig.drain().await;
    let report = rig.report(id).await;
    assert_eq!((&report["replayed"], &report["lost"]), (&json!(9), &json!(2)));
    let found = audit(&rig).await;
    assert_eq!(found.rows.len(), 18);
    let rows = rig.catalog.ledger(None, None, None).await.unwrap();
    let lost: Vec<_> = rows.iter().filter(|r| matches!(r.account, Account::Lost { .. })).collect();
    assert_eq!(lost.iter().map(|r| r.interval).collect::<Vec<_>>(), [Interval::new(shard, 7, 9)]);
}

#[tokio::test]
async fn what_the_log_has_let_go_comes_from_the_archive() {
    let mut rig = Rig::new().await;
    let archive = MemoryLog::new(rig::PARTITIONS);
    for request in stream(60).chunks(7) {
        let positions = rig.send(request).await;
        for position in positions {
            let items = rig.log.read(position, ReadLimit { records: 1, bytes: 1 }).await.unwrap();
            let Some(Item::Records(records)) = items.into_iter().next() else { panic!() };
            let receipt = archive.append(vec![records[0].1.clone()]).await.unwrap();
            assert_eq!(receipt.positions, [position]);
        }
    }
    skip(&rig, 2, 14).await;
    rig.drain().await;
    let skipped: u64 = rig.skipped().await.iter().map(Interval::len).sum();
    for (part, range) in rig.skipped().await.into_iter().enumerate() {
        // All of it, or something in the middle.
        let inset = if part == 0 { 0 } else { 2 };
        rig.log.lose(Interval { from: range.from + inset, to: range.to - inset, ..range });
    }
    let id = rig.ask(JobKind::Replay, json!({})).await;
    let mut deps = rig.deps();
    deps.archive = Some(Arc::new(archive));
    rig.drain_with(rig.config(), deps).await.unwrap();
    assert_eq!(rig.report(id).await["replayed"], json!(skipped));
    audit_all(&rig).await;
}

#[tokio::test]
async fn jobs_wait_while_live_processing_is_behind_and_then_go_on() {
    let mut rig = Rig::new().await;
    rig.send(&stream(60)).await;
    skip(&rig, 1, 10).await;
    let id = rig.ask(JobKind::Replay, json!({})).await;
    rig.send(&stream(200)).await;
    // Behind from the first live record that waits.
    let config = ProcessorConfig { job_backlog_max: 0, ..rig.config() };
    rig.drain_with(config, rig.deps()).await.unwrap();
    assert_eq!(rig.job(id).await.state, JobState::Done);
    let feed = rig.catalog.feed(CommitSeq(0), 10_000).await.unwrap();
    let first_chunk = feed.iter().position(|r| matches!(r.origin, Origin::Replay { .. })).unwrap();
    let last_live = feed.iter().rposition(|r| !r.advances.is_empty() && r.origin == Origin::Live).unwrap();
    assert!(last_live < first_chunk, "{last_live} {first_chunk}");
    audit_all(&rig).await;
}
