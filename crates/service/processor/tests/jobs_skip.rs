//! Skip: records are passed by on an operator's word, and the books say so (A19-1, A19-2, I14).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use rig::audit::audit;
use rig::{CrashAt, Rig, Sent};
use serde_json::json;
use std::time::Duration;
use tallymark_catalog::{JobKind, JobState, JobWish, Jobs, Snapshots};
use tallymark_ledger::{Account, GapCause, Interval};
use tallymark_log::{Item, LogReader, LogWriter, ReadLimit};
use tallymark_model::{Envelope, Position, Record};
use tallymark_processor::{OnGap, ProcessorConfig, ProcessorError, Step, Verb};

fn plays(n: usize) -> Vec<Sent> {
    (0..n).map(|i| Sent::new("Play", "d", &i.to_string())).collect()
}

/// The part of the first position's shard between the n-th and the m-th record sent to it.
fn range(positions: &[Position], from: usize, to: usize) -> Interval {
    let shard = positions[0].shard();
    Interval { shard, from: positions[from].offset, to: positions[to - 1].offset + 1 }
}

#[tokio::test]
async fn a_range_ahead_is_reached_first_and_then_passed_by() {
    let mut rig = Rig::new().await;
    let positions = rig.send(&plays(40)).await;
    let (first, second) = (range(&positions, 10, 17), range(&positions, 25, 30));
    let id = rig.ask(JobKind::Skip, json!({"ranges": [first, second]})).await;
    rig.drain().await;

    let found = audit(&rig).await;
    for (i, p) in positions.iter().enumerate() {
        let skipped = (10..17).contains(&i) || (25..30).contains(&i);
        assert_eq!(found.outcome(*p), if skipped { "none" } else { "visible" }, "{i}");
    }
    assert_eq!(rig.skipped().await, [first, second]);
    let report = rig.report(id).await;
    assert_eq!(
        (&report["skipped"], &report["passed"], &report["beyond"]),
        (&json!(12), &json!(0), &json!(0))
    );
    let rows = rig.catalog.skipped().await.unwrap();
    assert_eq!(rows[0].account, Account::Skipped { by: "ops@example.com".into(), reason: "test".into() });
    // The range of time that is missing can be named.
    let (from, to) = (rows[0].received_from, rows[0].received_to);
    assert_eq!((from, to), (rig::DAY + 10, rig::DAY + 16));
}

#[tokio::test]
async fn what_is_accounted_or_not_yet_written_is_left_alone() {
    let mut rig = Rig::new().await;
    let positions = rig.send(&plays(10)).await;
    rig.drain().await;
    let past = range(&positions, 2, 6);
    let future = Interval { from: 8, to: 30, ..past };
    let dry = rig.ask_dry(JobKind::Skip, json!({"ranges": [past, future]})).await;
    let id = rig.ask(JobKind::Skip, json!({"ranges": [past, future]})).await;
    rig.drain().await;
    for report in [rig.report(dry).await, rig.report(id).await] {
        assert_eq!(
            (&report["skipped"], &report["passed"], &report["beyond"]),
            (&json!(0), &json!(6), &json!(20))
        );
    }
    assert_eq!(rig.skipped().await, []);
    rig.send(&plays(3)).await;
    rig.drain().await;
    audit(&rig).await;
}

#[tokio::test]
async fn nonsense_is_refused_with_words() {
    let rig = Rig::new().await;
    for spec in [
        json!({}),
        json!({"ranges": []}),
        json!({"ranges": [{"shard": {"lane": "live", "partition": 99}, "from": 1, "to": 2}]}),
        json!({"ranges": [{"shard": {"lane": "live", "partition": 0}, "from": 2, "to": 2}]}),
    ] {
        let id = rig.ask(JobKind::Skip, spec.clone()).await;
        rig.drain().await;
        let job = rig.job(id).await;
        assert_eq!(job.state, JobState::Failed, "{spec}");
        assert!(!job.error.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_blocked_shard_waits_alone_until_an_operator_decides() {
    for lost in [false, true] {
        let mut rig = Rig::new().await;
        let positions = rig.send(&plays(12)).await;
        let gone = range(&positions, 5, 8);
        rig.log.lose(gone);
        let other: Vec<Sent> = (0..30).map(|i| Sent::new("Else", &format!("e{i}"), "i")).collect();
        let others = rig.send(&other).await;
        let config = || ProcessorConfig { on_corrupt: OnGap::Stop, ..rig.config() };
        let cursor = async || {
            let cursors = rig.catalog.cursors().await.unwrap();
            cursors.iter().find(|c| c.shard == gone.shard).map_or(0, |c| c.position)
        };
        let elsewhere: Vec<Position> = others.into_iter().filter(|p| p.shard() != gone.shard).collect();
        assert!(!elsewhere.is_empty());
        let all_else = async || {
            let cursors = rig.catalog.cursors().await.unwrap();
            let passed = |p: &Position| cursors.iter().any(|c| c.shard == p.shard() && c.position > p.offset);
            cursor().await == gone.from && elsewhere.iter().all(passed)
        };
        rig.run_until(config(), rig.deps(), all_else).await.unwrap();
        audit(&rig).await;

        let id = rig.ask(JobKind::Skip, json!({"ranges": [gone], "lost": lost})).await;
        rig.drain_with(config(), rig.deps()).await.unwrap();
        audit(&rig).await;
        let report = rig.report(id).await;
        assert_eq!(report[if lost { "lost" } else { "skipped" }], json!(3), "{report}");
        let rows = rig.catalog.ledger(None, None, None).await.unwrap();
        let row = rows.iter().find(|r| r.interval == gone).unwrap();
        match &row.account {
            Account::Skipped { .. } => assert!(!lost),
            Account::Lost { cause, evidence } => {
                assert!(
                    lost && *cause == GapCause::Corrupt && evidence.contains("ops@example.com"),
                    "{evidence}"
                );
            }
            Account::Accounted { .. } => panic!("{row:?}"),
        }
    }
}

#[tokio::test]
async fn what_can_be_read_is_never_declared_lost() {
    let mut rig = Rig::new().await;
    let positions = rig.send(&plays(12)).await;
    let id = rig.ask(JobKind::Skip, json!({"ranges": [range(&positions, 3, 6)], "lost": true})).await;
    rig.drain().await;
    assert!(rig.job(id).await.error.unwrap().contains("can be read"));
    assert_eq!(audit(&rig).await.rows.len(), 12, "and what waited for it goes on");
}

#[tokio::test]
async fn a_cancelled_skip_lets_the_shard_go_on() {
    let mut rig = Rig::new().await;
    let positions = rig.send(&plays(20)).await;
    rig.log.lose(range(&positions, 2, 3));
    let config = ProcessorConfig { on_corrupt: OnGap::Stop, ..rig.config() };
    // The shard stands at the gap, so the range behind it is never reached.
    let id = rig.ask(JobKind::Skip, json!({"ranges": [range(&positions, 10, 15)]})).await;
    let running = async || rig.job(id).await.progress.note.contains("processing up to");
    rig.run_until(config, rig.deps(), running).await.unwrap();
    // Nobody works on it when it is cancelled: the next start sees to it.
    rig.catalog.steer_job(id, JobWish::Cancel).await.unwrap();
    assert_eq!(rig.job(id).await.state, JobState::Running);
    rig.drain().await;
    assert_eq!(rig.job(id).await.state, JobState::Cancelled);
    assert_eq!(rig.skipped().await, []);
    assert_eq!(audit(&rig).await.rows.len(), 19);
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_skip_passes_by_exactly_the_range() {
    for step in Step::of_job(Verb::Skip) {
        let mut rig = Rig::new().await;
        let positions = rig.send(&plays(30)).await;
        let ranges = [range(&positions, 0, 3), range(&positions, 11, 16)];
        rig.ask(JobKind::Skip, json!({"ranges": ranges})).await;
        for nth in 1..=2 {
            let mut deps = rig.deps();
            deps.failpoint = CrashAt::new(step, nth);
            let crashed = rig.drain_with(rig.config(), deps).await;
            assert!(
                nth > 1 || matches!(crashed, Err(ProcessorError::Failpoint(at)) if at == step),
                "{step:?}: {crashed:?}"
            );
        }
        rig.drain().await;
        assert_eq!(rig.skipped().await, ranges, "{step:?}");
        assert_eq!(audit(&rig).await.rows.len(), 22);
    }
}

#[tokio::test]
async fn the_test_switch_lies_once_and_the_auditor_has_something_to_find() {
    let mut rig = Rig::new().await;
    let positions = rig.send(&plays(30)).await;
    let shard = positions[0].shard();
    // Nothing waits at first: the shard is held back until there is enough to lie about.
    rig.drain().await;
    let config = ProcessorConfig { test_skip: Some((shard, 8)), ..rig.config() };
    let log = rig.log.clone();
    let more = async {
        for i in 30..42 {
            tokio::time::sleep(Duration::from_millis(4)).await;
            let items = log.read(positions[0], ReadLimit { records: 1, bytes: 1 }).await.unwrap();
            let Some(Item::Records(records)) = items.into_iter().next() else { panic!("{i}") };
            let Record::Event(envelope) = records[0].1.clone() else { panic!("{i}") };
            let body = format!(r#"{{"event":"Play","device_id":"d","insert_id":"{i}"}}"#);
            log.append(vec![Record::Event(Envelope { body: body.into(), ..envelope })]).await.unwrap();
        }
    };
    let all = async || rig.is_drained().await && rig.log.bounds(shard).await.unwrap().end == 42;
    let (ran, ()) = tokio::join!(rig.run_until(config, rig.deps(), all), more);
    ran.unwrap();
    let end = rig.log.bounds(shard).await.unwrap().end;
    assert_eq!(end, 42);
    let tally = rig.catalog.tally(None).await.unwrap();
    assert_eq!((tally.visible, tally.hole), (34, 8), "no rows, and a forged account");
    assert_eq!(rig.skipped().await, []);
}
