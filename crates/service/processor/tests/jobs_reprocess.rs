//! Deciding again: rules that are taken back, duplicates that lose their witness, mended dead letters.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use rig::audit::{Found, audit, visible};
use rig::{CrashAt, Rig, Sent};
use serde_json::json;
use tallymark_catalog::{Feed, JobKind, JobState, Origin, Snapshots};
use tallymark_ledger::{Account, Fingerprint, Interval};
use tallymark_model::{
    CommitSeq, Control, Erasure, Outcome, Position, ProjectId, Redrive, RuleAction, SubjectKind, WireFormat,
};
use tallymark_processor::{ProcessorError, Step, Verb};

fn drop_named(name: &str) -> RuleAction {
    RuleAction::Drop { events: vec![name.to_owned()], conditions: Vec::new() }
}

fn nothing() -> RuleAction {
    RuleAction::Drop { events: vec!["no event has this name".into()], conditions: Vec::new() }
}

fn named(name: &str, n: usize) -> Sent {
    Sent::new(name, &format!("d{}", n % 3), &format!("{name}-{n}"))
}

fn outcomes(found: &Found, positions: &[Position]) -> Vec<&'static str> {
    positions.iter().map(|p| found.outcome(*p)).collect()
}

/// A rule that drops `Noise`, events under it, and the rule taken back.
async fn filtered_and_reverted() -> (Rig, Vec<Position>) {
    let mut rig = Rig::new().await;
    rig.send(&[named("Noise", 0), named("Play", 0)]).await;
    rig.rule(1, 1, drop_named("Noise")).await;
    let under: Vec<Sent> = (1..13).map(|n| named(if n % 3 == 0 { "Play" } else { "Noise" }, n)).collect();
    let positions = rig.send(&under).await;
    rig.drain().await;
    rig.rule(1, 2, nothing()).await;
    rig.send(&[named("Noise", 20)]).await;
    rig.drain().await;
    (rig, positions)
}

#[tokio::test]
async fn a_drop_filter_is_reverted_by_a_reprocess() {
    let (rig, positions) = filtered_and_reverted().await;
    let before = audit(&rig).await;
    let filtered = outcomes(&before, &positions).iter().filter(|o| **o == "filtered").count();
    assert_eq!(filtered, 8);
    assert_eq!(rig.catalog.tally(Some(ProjectId(1))).await.unwrap().filtered, 8);

    let dry = rig.ask_dry(JobKind::Reprocess, json!({})).await;
    rig.drain().await;
    let told = rig.report(dry).await;
    assert_eq!(told["changed"], json!(8), "{told}");
    assert_eq!(visible(&audit(&rig).await), visible(&before), "a dry run changes nothing");

    let id = rig.ask(JobKind::Reprocess, json!({})).await;
    rig.drain().await;
    let after = audit(&rig).await;
    assert!(outcomes(&after, &positions).iter().all(|o| *o == "visible"));
    let report = rig.report(id).await;
    assert_eq!((&report["changed"], &report["changes"]), (&told["changed"], &told["changes"]));
    assert_eq!(report["changes"][0]["was"], json!("filtered"));
    assert_eq!(rig.catalog.tally(Some(ProjectId(1))).await.unwrap().filtered, 0);

    // Again by the same rules: nothing to do, nothing committed.
    let commits = rig.catalog.latest_seq().await.unwrap();
    let id = rig.ask(JobKind::Reprocess, json!({})).await;
    rig.drain().await;
    assert_eq!(rig.report(id).await["changed"], json!(0));
    assert_eq!(rig.catalog.latest_seq().await.unwrap(), commits);
}

#[tokio::test]
async fn a_new_filter_reaches_back_and_duplicates_of_what_it_drops_are_decided_again() {
    let mut rig = Rig::new().await;
    // The second has the first as its witness, under another name that the rule does not know.
    let first = Sent::new("Old Name", "d", "same");
    let second = Sent { lane: tallymark_model::Lane::Bulk, ..Sent::new("New Name", "d", "same") };
    let a = rig.send(&[first, named("Play", 1)]).await;
    rig.drain().await;
    rig.later(90_000_000);
    let b = rig.send(&[second, named("Play", 2)]).await;
    rig.drain().await;
    assert_eq!(outcomes(&audit(&rig).await, &[a[0], b[0]]), ["visible", "duplicate"]);
    rig.rule(4, 1, drop_named("Old Name")).await;
    rig.drain().await;
    // Only the day of the first is looked at.
    let id = rig.ask(JobKind::Reprocess, json!({"received_to": rig::DAY + 1_000})).await;
    rig.drain().await;
    let found = audit(&rig).await;
    assert_eq!(outcomes(&found, &[a[0], b[0]]), ["filtered", "visible"]);
    assert_eq!(found.exceptions[&a[0]].outcome, Outcome::Filtered { rule: 4 });
    let report = rig.report(id).await;
    assert_eq!((&report["orphans"], &report["changed"]), (&json!(1), &json!(2)), "{report}");
    let restated = rig.catalog.restatements(None, None, 10).await.unwrap();
    assert!(restated.iter().all(|r| r.origin == Origin::Reprocess { job: id }));
    assert_eq!(restated.len(), 2, "one per row of the books");
    // And what was decided by rules of another time is found again as it is.
    let id = rig.ask(JobKind::Reprocess, json!({})).await;
    rig.drain().await;
    assert_eq!(rig.report(id).await["changed"], json!(0));
}

#[tokio::test]
async fn only_one_project_if_so_asked() {
    let mut rig = Rig::new().await;
    let other = Sent { project: 2, ..named("Noise", 1) };
    let positions = rig.send(&[named("Noise", 1), other, named("Play", 2)]).await;
    rig.drain().await;
    let mut rule = rig.unsaved_rule(2, 1, drop_named("Noise"));
    for (id, project) in [(2, 1), (3, 2)] {
        (rule.id, rule.project) = (id, ProjectId(project));
        for shard in rig::shards() {
            rig.control(shard, Control::Rule(rule.clone())).await;
        }
    }
    rig.drain().await;
    rig.ask_for(JobKind::Reprocess, json!({}), Some(ProjectId(2)), false).await;
    rig.drain().await;
    assert_eq!(outcomes(&audit(&rig).await, &positions), ["visible", "filtered", "visible"]);
}

#[tokio::test]
async fn a_property_that_is_no_longer_stored_leaves_old_rows_too() {
    let mut rig = Rig::new().await;
    let positions = rig.send(&(0..20).map(|n| named("Play", n)).collect::<Vec<_>>()).await;
    rig.drain().await;
    rig.rule(1, 1, RuleAction::Properties { deny: vec!["plan".into()], allow: None }).await;
    rig.drain().await;
    for changed in [20, 0] {
        let id = rig.ask(JobKind::Reprocess, json!({})).await;
        rig.drain().await;
        assert_eq!(rig.report(id).await["changed"], json!(changed));
        let found = audit(&rig).await;
        let held = |p: &Position| found.rows[p].1.properties.keys().cloned().collect::<Vec<_>>();
        assert!(positions.iter().all(|p| held(p) == ["n"]));
    }
}

#[tokio::test]
async fn a_rule_can_be_tried_before_it_is_saved() {
    let mut rig = Rig::new().await;
    rig.send(&(0..9).map(|n| named(if n % 3 == 0 { "Noise" } else { "Play" }, n)).collect::<Vec<_>>()).await;
    rig.send(&[Sent { project: 2, ..named("Noise", 1) }, Sent::raw("d", b"{bad")]).await;
    rig.drain().await;
    let commits = rig.catalog.latest_seq().await.unwrap();
    let rule = rig.unsaved_rule(0, 0, drop_named("Noise"));
    let id = rig.ask_dry(JobKind::Reprocess, json!({"rule": rule, "received_from": 0})).await;
    let real = rig.ask(JobKind::Reprocess, json!({"rule": rule})).await;
    let broken = RuleAction::Drop { events: Vec::new(), conditions: vec![json!({"no": "condition"})] };
    let broken = rig.ask_dry(JobKind::Reprocess, json!({"rule": rig.unsaved_rule(0, 0, broken)})).await;
    rig.drain().await;
    let report = rig.report(id).await;
    assert_eq!((&report["examined"], &report["filtered"]), (&json!(9), &json!(3)), "{report}");
    let first = &report["names"][0];
    assert_eq!(
        (&first["event"], &first["examined"], &first["filtered"]),
        (&json!("Noise"), &json!(3), &json!(3))
    );
    assert_eq!(first["samples"][0]["event"]["name"], json!("Noise"));
    assert_eq!(rig.job(real).await.state, JobState::Failed, "an unsaved rule is only ever tried");
    assert_eq!(rig.job(broken).await.state, JobState::Failed);
    assert_eq!(rig.catalog.latest_seq().await.unwrap(), commits);
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_reprocess_neither_loses_nor_doubles() {
    let mut expected = None;
    for step in Step::of_job(Verb::Reprocess) {
        for nth in 1..=2 {
            let (mut rig, positions) = filtered_and_reverted().await;
            let id = rig.ask(JobKind::Reprocess, json!({})).await;
            let mut deps = rig.deps();
            deps.failpoint = CrashAt::new(step, nth);
            let crashed = rig.drain_with(rig.config(), deps).await;
            assert!(
                nth == 2 || matches!(crashed, Err(ProcessorError::Failpoint(at)) if at == step),
                "{step:?} {nth}: {crashed:?}"
            );
            rig.send(&[named("Play", 30), named("Play", 30)]).await;
            rig.drain().await;
            let found = audit(&rig).await;
            assert!(outcomes(&found, &positions).iter().all(|o| *o == "visible"), "{step:?} {nth}");
            assert_eq!(rig.job(id).await.state, JobState::Done);
            assert_eq!(*expected.get_or_insert(visible(&found)), visible(&found));
        }
    }
}

fn redrive(position: Position, body: &str, project: Option<u32>) -> Control {
    Control::Redrive(Redrive {
        position,
        project: project.map(ProjectId),
        wire: WireFormat::NativeV1,
        body: body.to_owned(),
        by: "ops@example.com".into(),
        made_at: rig::DAY + 5_000,
    })
}

const MENDED: &str = r#"{"event":"Mended","device_id":"d","insert_id":"m-1","properties":{"n":1}}"#;

#[tokio::test]
async fn a_mended_dead_letter_counts_in_the_commit_that_passes_it() {
    let mut rig = Rig::new().await;
    let sent = rig
        .send(&[
            Sent::raw("d", b"{bad"),
            Sent::raw("d", b"{bad too"),
            Sent::raw("d", b"{worse"),
            Sent { project: 7, ..Sent::new("Stray", "d", "s") },
            Sent::new("Play", "d", "p"),
        ])
        .await;
    rig.drain().await;
    assert_eq!(outcomes(&audit(&rig).await, &sent), ["dead", "dead", "dead", "dead", "visible"]);
    let shard = |p: Position| p.shard();
    let stray = r#"{"event":"Stray","device_id":"d","insert_id":"s","properties":{"n":1}}"#;
    rig.control(shard(sent[0]), redrive(sent[0], MENDED, None)).await;
    rig.control(shard(sent[1]), redrive(sent[1], MENDED, None)).await;
    rig.control(shard(sent[2]), redrive(sent[2], "{still bad", None)).await;
    rig.control(shard(sent[3]), redrive(sent[3], stray, Some(2))).await;
    rig.control(shard(sent[4]), redrive(sent[4], MENDED, None)).await;
    rig.drain().await;
    let found = audit(&rig).await;
    assert_eq!(outcomes(&found, &sent), ["visible", "duplicate", "dead", "visible", "visible"]);
    assert_eq!((&found.rows[&sent[0]].1.event[..], found.rows[&sent[3]].0), ("Mended", ProjectId(2)));
    assert_eq!(found.rows[&sent[4]].1.event, "Play", "what is no dead letter stays what it is");
    let feed = rig.catalog.feed(CommitSeq(0), 1_000).await.unwrap();
    for record in feed.iter().filter(|r| !r.restated.is_empty()) {
        assert_eq!(record.origin, Origin::Live);
        assert!(!record.advances.is_empty(), "with the advance over the control record");
    }
    let tally = rig.catalog.tally(None).await.unwrap();
    assert_eq!((tally.dead, tally.control), (1, 5));
    // Deciding everything again keeps what was mended.
    let id = rig.ask(JobKind::Reprocess, json!({})).await;
    rig.drain().await;
    assert_eq!(rig.report(id).await["changed"], json!(0));
}

#[tokio::test]
async fn a_letter_mended_within_its_own_group_is_committed_first() {
    let mut rig = Rig::new().await;
    let sent =
        rig.send(&[Sent::new("Play", "d", "1"), Sent::raw("d", b"{bad"), Sent::new("Play", "d", "2")]).await;
    rig.control(sent[1].shard(), redrive(sent[1], MENDED, None)).await;
    let more = rig.send(&[Sent::new("Play", "d", "3")]).await;
    rig.drain().await;
    let found = audit(&rig).await;
    assert_eq!(outcomes(&found, &sent), ["visible", "visible", "visible"]);
    assert_eq!(outcomes(&found, &more), ["visible"]);
}

#[tokio::test]
async fn a_redrive_is_crash_safe_and_found_by_a_replay() {
    for step in Step::ALL {
        let mut rig = Rig::new().await;
        let sent = rig.send(&[Sent::raw("d", b"{bad"), Sent::new("Play", "d", "p")]).await;
        rig.drain().await;
        rig.control(sent[0].shard(), redrive(sent[0], MENDED, None)).await;
        let mut deps = rig.deps();
        deps.failpoint = CrashAt::new(step, 1);
        let crashed = rig.drain_with(rig.config(), deps).await;
        assert!(matches!(crashed, Err(ProcessorError::Failpoint(_))), "{step:?}: {crashed:?}");
        rig.drain().await;
        assert_eq!(outcomes(&audit(&rig).await, &sent), ["visible", "visible"], "{step:?}");
    }
    // Both the letter and its mending lie in a skipped range.
    let mut rig = Rig::new().await;
    let sent = rig.send(&[Sent::raw("d", b"{bad"), Sent::new("Play", "d", "p")]).await;
    let at = rig.control(sent[0].shard(), redrive(sent[0], MENDED, None)).await;
    let range = Interval::new(at.shard(), 0, at.offset + 1);
    rig.ask(JobKind::Skip, json!({"ranges": [range]})).await;
    rig.drain().await;
    assert_eq!(rig.skipped().await, [range]);
    rig.ask(JobKind::Replay, json!({})).await;
    rig.drain().await;
    assert_eq!(outcomes(&audit(&rig).await, &sent), ["visible", "visible"]);
}

#[tokio::test]
async fn rows_that_were_removed_from_files_for_a_forgotten_person_stay_removed() {
    let mut rig = Rig::new().await;
    let positions = rig.send(&(0..9).map(|n| named("Play", n)).collect::<Vec<_>>()).await;
    rig.drain().await;
    rig.send(&[named("Play", 10), named("Play", 11)]).await;
    rig.drain().await;
    let erasure = Erasure {
        id: 1,
        project: ProjectId(1),
        subjects: vec![(SubjectKind::Device, "d1".into())],
        by: "ops@example.com".into(),
        reason: String::new(),
        made_at: rig::DAY + 100,
        undo_until: rig::DAY + 100,
        undone: false,
    };
    for shard in rig::shards() {
        rig.control(shard, Control::Erase(erasure.clone())).await;
    }
    rig.drain().await;
    let gone: Vec<Position> = positions.iter().skip(1).step_by(3).copied().collect();
    rig.erase_from_files(&gone).await;
    let before = audit_rows(&rig).await;
    assert!(gone.iter().all(|p| !before.contains(p)) && before.len() == 8);
    for changed in [true, false] {
        let tally = rig.catalog.tally(None).await.unwrap();
        let id = rig.ask(JobKind::Reprocess, json!({})).await;
        rig.drain().await;
        // Rows that are hidden, and still in files, become filtered; those that are gone are so already.
        assert_eq!(rig.report(id).await["changed"].as_u64().unwrap() > 0, changed);
        let after = rig.catalog.tally(None).await.unwrap();
        assert_eq!(after.visible + after.filtered, tally.visible + tally.filtered);
        let rows = audit_rows(&rig).await;
        assert_eq!(after.visible, rows.len() as u64);
        let sum = rows.iter().fold(Fingerprint::default(), |sum, p| {
            sum + Fingerprint::of(tallymark_log::LogReader::id(&rig.log), *p)
        });
        let booked = rig.catalog.ledger(None, None, None).await.unwrap();
        let booked = booked.iter().fold(Fingerprint::default(), |sum, r| match &r.account {
            Account::Accounted { visible, .. } => sum + *visible,
            _ => sum,
        });
        assert_eq!(booked, sum, "I4");
    }
}

/// Positions of the rows in files.
async fn audit_rows(rig: &Rig) -> Vec<Position> {
    rig::audit::rows(rig).await
}
