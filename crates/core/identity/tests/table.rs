//! The transition table of chapter 12.3, one row per test, and the guards. The comparison with a brute-force
//! replay on random streams is in `crates/test/testkit/tests/identity.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use tallymark_identity::{
    Graph, IdentityConfig, IdentityOp, MergeKind, OpFilter, RefusalReason, SharedDevice, UNSEEN, View,
};
use tallymark_model::{Seq, SubjectId, SubjectKind};

const NONE: SubjectId = SubjectId::NONE;

fn seq(n: i64) -> Seq {
    Seq { received_at: n, position: n as u64 }
}

/// Devices 1, 2, 3 and users 4, 5, 6, none of them seen yet.
fn graph(config: IdentityConfig) -> Graph {
    let mut graph = Graph::new(config);
    for n in 1..=6 {
        let kind = if n <= 3 { SubjectKind::Device } else { SubjectKind::User };
        graph.add_subject(SubjectId(n), kind, UNSEEN);
    }
    graph
}

const D1: SubjectId = SubjectId(1);
const D2: SubjectId = SubjectId(2);
const U4: SubjectId = SubjectId(4);
const U5: SubjectId = SubjectId(5);
const U6: SubjectId = SubjectId(6);

/// Applies events `(device, user)` at 10, 20, 30, …; `(device, NONE)` twice in a row is fine.
fn fold(events: &[(SubjectId, SubjectId)]) -> Graph {
    let mut graph = graph(IdentityConfig::default());
    for (i, (device, user)) in events.iter().enumerate() {
        graph.apply(IdentityOp::of_event(seq(10 * (i as i64 + 1)), *device, *user));
    }
    graph
}

fn person(view: &Arc<View>, subject: SubjectId, at: i64) -> u32 {
    view.person_of(subject, seq(at))
}

#[test]
fn adopt_attaches_the_user_to_the_anonymous_history() {
    let view = fold(&[(D1, NONE), (D1, U4)]).view();
    assert_eq!(person(&view, D1, 10), person(&view, U4, 20));
    assert!(!view.is_varying(D1));
    let it = person(&view, U4, 20);
    assert_eq!(view.members(it), [D1, U4]);
    assert_eq!((view.identified(it), view.first_seq(it)), (true, seq(10)));
    assert_eq!(view.merges(it)[0].kind, MergeKind::Adopt);
    assert_eq!(view.founder(it).unwrap().subject, D1);
}

#[test]
fn a_known_user_absorbs_the_anonymous_history() {
    let mut graph = fold(&[(NONE, U4), (D1, NONE), (D1, U4)]);
    let view = graph.view();
    let it = person(&view, U4, 10);
    assert_eq!(person(&view, D1, 20), it);
    let merge = view.merges(it)[0];
    assert_eq!((merge.kind, view.survivor(merge.absorbed.unwrap())), (MergeKind::Identify, it));
    assert_eq!(view.founder(it).unwrap().subject, U4);
}

#[test]
fn a_shared_device_follows_its_last_user_and_merges_nobody() {
    let view = fold(&[(D1, NONE), (D1, U4), (D1, U5), (D1, U4)]).view();
    assert_ne!(person(&view, U4, 0), person(&view, U5, 0));
    assert!(view.is_varying(D1));
    let owners: Vec<u32> = [5, 10, 20, 29, 30, 35, 40, 99].iter().map(|t| person(&view, D1, *t)).collect();
    let (u4, u5) = (person(&view, U4, 0), person(&view, U5, 0));
    assert_eq!(owners, [u4, u4, u4, u4, u5, u5, u4, u4]);
}

#[test]
fn the_first_user_keeps_a_device_if_told_so() {
    let mut graph =
        graph(IdentityConfig { shared_device: SharedDevice::FirstUser, ..IdentityConfig::default() });
    for (t, user) in [(10, U4), (20, U5)] {
        graph.apply(IdentityOp::of_event(seq(t), D1, user));
    }
    let view = graph.view();
    assert!(!view.is_varying(D1));
    assert_eq!(person(&view, D1, 30), person(&view, U4, 0));
    assert_ne!(person(&view, D1, 30), person(&view, U5, 0));
}

#[test]
fn a_reset_frees_the_device_and_each_fresh_start_is_somebody_new() {
    let mut graph = fold(&[(D1, NONE), (D1, U4)]);
    let mut ordinals = vec![person(&graph.view(), D1, 10)];
    for t in [30, 50] {
        graph.apply(IdentityOp::reset(seq(t), D1, NONE));
        graph.apply(IdentityOp::of_event(seq(t + 10), D1, NONE));
        ordinals.push(person(&graph.view(), D1, t + 10));
    }
    let view = graph.view();
    let again: Vec<u32> = [10, 40, 60].iter().map(|t| person(&view, D1, *t)).collect();
    assert_eq!(ordinals, again, "ordinals do not move");
    assert!(ordinals[0] != ordinals[1] && ordinals[1] != ordinals[2] && ordinals[0] != ordinals[2]);
    let founder = view.founder(ordinals[2]).unwrap();
    assert_eq!((founder.subject, founder.life), (D1, Some(seq(60))));
    assert_eq!(view.first_seq(ordinals[2]), seq(60));
    assert_eq!(person(&view, D1, 30), ordinals[0], "the reset itself is the last event of the old owner");
}

#[test]
fn alias_knows_users_first_and_refuses_two_identified() {
    let mut graph = fold(&[(NONE, U4), (D1, NONE), (NONE, U5)]);
    // Unknown other: one more user id.
    graph.apply(IdentityOp::alias(seq(40), (NONE, U4), (U6, D2)));
    // Anonymous device.
    graph.apply(IdentityOp::alias(seq(50), (NONE, U4), (SubjectId(7), D1)));
    let refused = graph.apply(IdentityOp::alias(seq(60), (NONE, U4), (U5, NONE))).refused.unwrap();
    assert_eq!((refused.reason, refused.reason.code()), (RefusalReason::BothIdentified, "merge_refused"));
    let same = graph.apply(IdentityOp::alias(seq(70), (NONE, U4), (U4, NONE))).refused.unwrap();
    assert_eq!(same.reason, RefusalReason::SameId);
    let garbage = graph.apply(IdentityOp::alias(seq(80), (NONE, U4), (NONE, NONE))).refused.unwrap();
    assert_eq!(garbage.reason, RefusalReason::NoUsableId);
    let view = graph.view();
    let it = person(&view, U4, 0);
    assert_eq!(view.members(it), [D1, U4, U6]);
    assert_ne!(person(&view, D2, 99), it, "a user id was attached, not the device of the same name");
    assert_eq!(view.refusals().len(), 3);

    graph.apply(IdentityOp::merge(seq(90), (NONE, U4), (U5, NONE)));
    assert_eq!(person(&graph.view(), U5, 0), it, "a merge is administrative, and the first survives");
}

#[test]
fn crowded_devices_merge_nobody() {
    let config = IdentityConfig { max_users_per_device: 2, ..IdentityConfig::default() };
    let mut graph = graph(config);
    for (t, user) in [(10, U4), (20, U5), (30, U6)] {
        graph.apply(IdentityOp::of_event(seq(t), D1, user));
    }
    graph.apply(IdentityOp::reset(seq(40), D1, NONE));
    graph.apply(IdentityOp::of_event(seq(50), D1, NONE));
    let refused = graph.apply(IdentityOp::of_event(seq(60), D1, U4)).refused.unwrap();
    assert_eq!(refused.reason, RefusalReason::SharedDevice);
    let view = graph.view();
    assert_ne!(person(&view, D1, 50), person(&view, U4, 0));
    assert_eq!(person(&view, D1, 60), person(&view, U4, 0), "ownership still follows the last user");
}

#[test]
fn a_person_never_gets_more_ids_than_allowed() {
    let mut graph = graph(IdentityConfig { max_ids_per_person: 3, ..IdentityConfig::default() });
    graph.apply(IdentityOp::of_event(seq(1), NONE, U4));
    let answers: Vec<_> = (0..4u32)
        .map(|i| {
            graph
                .apply(IdentityOp::alias(seq(10 + i64::from(i)), (NONE, U4), (SubjectId(10 + i), NONE)))
                .refused
        })
        .map(|refused| refused.map(|r| r.reason))
        .collect();
    assert_eq!(answers, [None, None, Some(RefusalReason::TooManyIds), Some(RefusalReason::TooManyIds)]);
    assert_eq!(graph.view().members(person(&graph.view(), U4, 0)).len(), 3);
}

#[test]
fn a_late_operation_takes_its_place_and_a_replayed_one_changes_nothing() {
    let mut graph = fold(&[(D1, U4), (D1, U5)]);
    assert!(!graph.apply(IdentityOp::of_event(seq(10), D1, U4)).changed);
    let before = graph.view();
    assert!(Arc::ptr_eq(&before, &graph.view()), "nothing changed, nothing is made");
    let late = graph.apply(IdentityOp::of_event(seq(15), D1, U6));
    assert!(late.late);
    let view = graph.view();
    let owners: Vec<u32> = [10, 15, 20].iter().map(|t| person(&view, D1, *t)).collect();
    assert_eq!(owners, [person(&view, U4, 0), person(&view, U6, 0), person(&view, U5, 0)]);
    assert_eq!(person(&before, D1, 15), person(&before, U4, 0), "a view is not changed by what comes later");
}

#[test]
fn the_filter_drops_repetitions_only() {
    let graph = fold(&[(D1, U4)]);
    let mut filter = OpFilter::new();
    let event = |t, device, user| IdentityOp::of_event(seq(t), device, user);
    assert!(!filter.admit(&graph, &event(20, D1, U4)), "same pair again");
    assert!(!filter.admit(&graph, &event(30, D1, NONE)), "known device");
    assert!(!filter.admit(&graph, &event(30, NONE, U4)), "known user");
    assert!(filter.admit(&graph, &event(5, NONE, U4)), "earlier than recorded");
    assert!(!filter.admit(&graph, &event(6, NONE, U4)));
    assert!(filter.admit(&graph, &event(40, D1, U5)), "another user");
    assert!(!filter.admit(&graph, &event(50, D1, U5)), "within the same commit");
    assert!(filter.admit(&graph, &event(60, D1, U4)));
    assert!(filter.admit(&graph, &IdentityOp::reset(seq(70), D1, NONE)));
    assert!(!filter.admit(&graph, &IdentityOp::reset(seq(75), D1, NONE)), "freed already");
    assert!(filter.admit(&graph, &event(80, D1, NONE)), "a fresh start");
    assert!(!filter.admit(&graph, &event(90, D1, NONE)));
    filter.introduce(U6, seq(95));
    assert!(!filter.admit(&graph, &event(95, NONE, U6)), "a new subject says so itself");
    assert!(!filter.admit(&graph, &event(99, NONE, NONE)));
}

#[test]
fn rows_newer_than_the_view_belong_to_nobody() {
    let view = fold(&[(D1, U4)]).view();
    assert_eq!(view.person_of(SubjectId(99), seq(1)), 0);
    assert_eq!(view.person_of(NONE, seq(1)), 0);
    assert_eq!(view.dense()[0], 0);
}
