//! What becomes of records, end to end: log in, files and ledger out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use rig::audit::{audit, audit_all};
use rig::{Body, Rig, Sent};
use tallymark_catalog::{Snapshots, token_of};
use tallymark_ledger::{Account, GapCause, Interval, Tally};
use tallymark_model::{DeadReason, Envelope, Event, Lane, Outcome, Position, ProjectId, SubjectId};
use tallymark_processor::OnGap;
use tallymark_state::{State, StateConfig};

fn bulk(sent: Sent) -> Sent {
    Sent { lane: Lane::Bulk, ..sent }
}

#[tokio::test]
async fn duplicates_in_a_batch_across_batches_lanes_and_commits() {
    let mut rig = Rig::new().await;
    let a = |n: usize| Sent::new("Play", "dev-1", &format!("i{n}"));
    let first = rig.send(&[a(1), a(1), a(2), bulk(a(2)), a(3)]).await;
    rig.drain().await;
    rig.later(1_000);
    let other_user = Sent { device: None, user: Some("dev-1".into()), ..a(1) };
    let other_project = Sent { project: 2, ..a(1) };
    let again = rig.send(&[bulk(a(1)), a(3), a(4), other_user, other_project]).await;
    rig.drain().await;

    let found = audit_all(&rig).await;
    let outcomes = |p: &[Position]| p.iter().map(|p| found.outcome(*p)).collect::<Vec<_>>();
    assert_eq!(outcomes(&first), ["visible", "duplicate", "visible", "duplicate", "visible"]);
    assert_eq!(outcomes(&again), ["duplicate", "duplicate", "visible", "visible", "visible"]);
    let witness = |p: Position| match found.exceptions[&p].outcome {
        Outcome::Duplicate { witness } => witness,
        ref other => panic!("{other:?}"),
    };
    assert_eq!((witness(first[1]), witness(first[3]), witness(again[0])), (first[0], first[2], first[0]));
    let tally = rig.catalog.tally(Some(ProjectId(1))).await.unwrap();
    assert_eq!(tally, Tally { visible: 5, duplicate: 4, ..Tally::default() });
}

#[tokio::test]
async fn anonymous_events_are_deduplicated_among_themselves_and_events_without_insert_id_never() {
    let mut rig = Rig::new().await;
    let nobody = Sent { device: None, ..Sent::new("Order", "", "row-7") };
    let plain = Sent { insert: None, ..Sent::new("Tick", "d", "") };
    rig.send(&[nobody.clone(), nobody.clone(), plain.clone(), plain]).await;
    rig.send(&[nobody]).await;
    rig.drain().await;
    let found = audit_all(&rig).await;
    assert_eq!((found.rows.len(), found.exceptions.len()), (3, 2));
    assert!(found.rows.values().any(|(_, r)| r.event == "Order" && r.subject == SubjectId::NONE));
}

#[tokio::test]
async fn an_insert_id_counts_again_after_the_window() {
    let mut rig = Rig::new().await;
    let day = 86_400_000;
    let a = Sent::new("Play", "d", "i");
    let first = rig.send(std::slice::from_ref(&a)).await;
    rig.later(30 * day);
    let within = rig.send(std::slice::from_ref(&a)).await;
    rig.later(31 * day);
    let beyond = rig.send(std::slice::from_ref(&a)).await;
    rig.drain().await;
    let found = audit(&rig).await;
    let outcome = |p: &[Position]| found.outcome(p[0]);
    assert_eq!((outcome(&first), outcome(&within), outcome(&beyond)), ("visible", "duplicate", "visible"));
}

#[tokio::test]
async fn bad_events_are_dead_letters_with_bytes_and_their_neighbours_are_kept() {
    let mut rig = Rig::new().await;
    let deep = "[".repeat(10_000);
    let bad: Vec<Vec<u8>> = [
        &b"{not json"[..],
        b"\xff\xfe",
        b"{\"event\":\"x\",\"properties\":{\"n\":1e400}}",
        b"{\"event\":\"x\",\"properties\":NaN}",
        b"{\"properties\":{}}",
        b"[]",
        b"",
        deep.as_bytes(),
    ]
    .iter()
    .map(|b| b.to_vec())
    .collect();
    let mut batch = Vec::new();
    for (i, body) in bad.iter().enumerate() {
        batch.push(Sent::new("Good", "d", &format!("before-{i}")));
        batch.push(Sent::raw("d", body));
        batch.push(Sent::new("Good", "d", &format!("after-{i}")));
    }
    batch.push(Sent { body: Body::Control, ..Sent::new("", "d", "") });
    let positions = rig.send(&batch).await;
    rig.drain().await;

    let found = audit_all(&rig).await;
    assert_eq!(found.rows.len(), 2 * bad.len());
    assert_eq!(found.exceptions.len(), bad.len());
    let reasons: Vec<&str> = (0..bad.len()).map(|i| found.reason(positions[3 * i + 1])).collect();
    assert_eq!(reasons[0], "invalid_json");
    assert!(reasons.iter().all(|r| !r.is_empty()), "{reasons:?}");
    let tally = rig.catalog.tally(None).await.unwrap();
    assert_eq!((tally.dead, tally.control, tally.hole), (bad.len() as u64, 1, 0));
}

fn panics_on_boom(envelope: &Envelope) -> Result<Event, DeadReason> {
    assert!(!envelope.body.windows(4).any(|w| w == b"Boom"), "boom");
    tallymark_wire::decode(envelope)
}

#[tokio::test]
async fn a_panic_while_decoding_is_one_dead_letter() {
    let mut rig = Rig::new().await;
    let positions =
        rig.send(&[Sent::new("A", "d", "1"), Sent::new("Boom", "d", "2"), Sent::new("B", "d", "3")]).await;
    let mut deps = rig.deps();
    deps.decode = &panics_on_boom;
    rig.drain_with(rig.config(), deps).await.unwrap();
    let found = audit(&rig).await;
    assert_eq!(found.reason(positions[1]), "decoder_panicked");
    assert!(found.exceptions[&positions[1]].body.windows(4).any(|w| w == b"Boom"));
    assert_eq!((found.outcome(positions[0]), found.outcome(positions[2])), ("visible", "visible"));
}

#[tokio::test]
async fn unknown_projects_are_kept_aside_until_they_exist() {
    let mut rig = Rig::new().await;
    let early = rig.send(&[Sent { project: 3, ..Sent::new("Play", "d", "1") }]).await;
    rig.drain().await;
    let id = rig.create_project(3).await;
    let late = rig.send(&[Sent { project: 3, ..Sent::new("Play", "d", "2") }]).await;
    rig.drain().await;
    let found = audit(&rig).await;
    assert_eq!(found.reason(early[0]), "unknown_project");
    let dead = &found.exceptions[&early[0]];
    assert_eq!(dead.project, ProjectId::UNKNOWN);
    assert!(dead.body.starts_with(b"{"));
    let Outcome::Dead { reason } = &dead.outcome else { panic!() };
    assert!(reason.message.contains(&token_of(&rig::key(3)).to_string()), "{}", reason.message);
    assert_eq!(found.rows[&late[0]].0, id);
    assert_eq!(rig.catalog.tally(Some(ProjectId::UNKNOWN)).await.unwrap().dead, 1);
}

#[tokio::test]
async fn identity_properties_and_names_reach_state_and_segments() {
    let mut rig = Rig::new().await;
    let anonymous = Sent::new("Visit", "dev", "1");
    let both = Sent { user: Some("ann".into()), ..Sent::new("Sign Up", "dev", "2") };
    let identify = Sent::raw(
        "dev",
        br#"{"event":"$identify","device_id":"dev","user_id":"ann","insert_id":"3",
            "user_properties":{"$set":{"plan":"pro"},"$add":{"visits":1}}}"#,
    );
    let positions = rig.send(&[anonymous, both, identify]).await;
    rig.drain().await;
    let found = audit(&rig).await;
    assert_eq!(found.rows.len(), 3, "operations are rows too");
    let ops: Vec<_> =
        found.properties.iter().map(|(_, r)| (r.name.as_str(), r.value_json.as_str(), r.index)).collect();
    assert_eq!(ops, [("plan", "\"pro\"", 0), ("visits", "1", 1)]);

    let state = State::open(&rig.config().state_dir, StateConfig::default()).unwrap();
    let project = state.project(ProjectId(1)).unwrap();
    let mut graph = project.graph.clone();
    let view = graph.view();
    let persons: Vec<u32> = positions
        .iter()
        .map(|p| &found.rows[p].1)
        .map(|r| view.person_of(r.subject, tallymark_model::Seq::new(r.received_at, r.position)))
        .collect();
    assert!(persons[0] > 0 && persons.iter().all(|p| *p == persons[0]), "{persons:?}");
    assert_eq!(project.stats.events["Sign Up"].count, 1);
    let user = found.rows[&positions[1]].1.subject;
    assert_eq!(project.activity(user).events, 1, "the identify call is no activity");
}

#[tokio::test]
async fn a_damaged_range_is_booked_as_lost_and_passed() {
    let mut rig = Rig::new().await;
    let events: Vec<Sent> = (0..12).map(|i| Sent::new("Play", "d", &i.to_string())).collect();
    let positions = rig.send(&events).await;
    let shard = positions[0].shard();
    rig.log.lose(Interval { shard, from: positions[4].offset, to: positions[7].offset });
    rig.drain().await;
    let found = audit(&rig).await;
    for (i, p) in positions.iter().enumerate() {
        assert_eq!(found.outcome(*p), if (4..7).contains(&i) { "none" } else { "visible" }, "{i}");
    }
    let ledger = rig.catalog.ledger(None, None, None).await.unwrap();
    let lost: Vec<_> = ledger.iter().filter(|r| matches!(r.account, Account::Lost { .. })).collect();
    assert_eq!(lost.len(), 1);
    assert_eq!((lost[0].interval.from, lost[0].interval.to), (positions[4].offset, positions[7].offset));
    assert!(
        matches!(&lost[0].account, Account::Lost { cause: GapCause::Corrupt, evidence } if !evidence.is_empty())
    );
}

#[tokio::test]
async fn a_damaged_range_blocks_its_shard_if_so_configured_and_what_came_before_counts() {
    let mut rig = Rig::new().await;
    let events: Vec<Sent> = (0..8).map(|i| Sent::new("Play", "d", &i.to_string())).collect();
    let positions = rig.send(&events).await;
    let shard = positions[0].shard();
    rig.log.lose(Interval { shard, from: positions[5].offset, to: positions[6].offset });
    let config = || tallymark_processor::ProcessorConfig { on_corrupt: OnGap::Stop, ..rig.config() };
    let at_the_gap = async || {
        let cursors = rig.catalog.cursors().await.unwrap();
        cursors.iter().any(|c| c.shard == shard && c.position == positions[5].offset)
    };
    rig.run_until(config(), rig.deps(), at_the_gap).await.unwrap();
    let found = audit(&rig).await;
    assert_eq!(found.rows.len(), 5);
}

#[tokio::test]
async fn the_live_lane_goes_first_and_bulk_is_never_starved() {
    let mut rig = Rig::new().await;
    let live: Vec<Sent> =
        (0..60).map(|i| Sent::new("Live", &format!("d{}", i % 7), &i.to_string())).collect();
    let old: Vec<Sent> =
        (0..60).map(|i| bulk(Sent::new("Bulk", &format!("e{}", i % 7), &i.to_string()))).collect();
    rig.send(&old).await;
    rig.send(&live).await;
    rig.drain().await;
    audit_all(&rig).await;
    let feed =
        tallymark_catalog::Feed::feed(&rig.catalog, tallymark_model::CommitSeq(0), 1000).await.unwrap();
    let of = |record: &tallymark_catalog::CommitRecord, lane| {
        record.advances.iter().filter(|a| a.shard.lane == lane).map(|a| a.to - a.from).sum::<u64>()
    };
    let busy: Vec<_> = feed.iter().filter(|r| of(r, Lane::Live) > 0).collect();
    let total = |lane| busy.iter().map(|r| of(r, lane)).sum::<u64>();
    assert_eq!(total(Lane::Live), 60);
    assert!(total(Lane::Bulk) < 60, "bulk did not wait while live was busy");
    assert!(
        busy[..busy.len() / 2].iter().all(|r| of(r, Lane::Bulk) > 0),
        "bulk got nothing while live was busy"
    );
}
