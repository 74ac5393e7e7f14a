//! The identity graph against the brute-force replay of chapter 12 (invariants 10 to 12): any stream of
//! operations, in any order of arrival, replayed in part or not, ends in the same persons.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tallymark_identity::{
    Graph, GraphParts, IdentityConfig, IdentityOp, OpFilter, SharedDevice, UNSEEN, View,
};
use tallymark_model::{IdentityAction, Seq, SubjectId, SubjectKind};
use tallymark_testkit::reference::{RefEvent, replay};
use tallymark_testkit::streams::identity_log;

/// Does what processor and state do: numbers raw ids, emits operations, applies them.
struct Harness {
    graph: Graph,
    ids: HashMap<(SubjectKind, String), SubjectId>,
    filter: Option<OpFilter>,
}

impl Harness {
    fn new(config: IdentityConfig, filtered: bool) -> Harness {
        Harness { graph: Graph::new(config), ids: HashMap::new(), filter: filtered.then(OpFilter::new) }
    }

    fn subject(&mut self, kind: SubjectKind, raw: Option<&String>, seq: Seq) -> SubjectId {
        let Some(raw) = raw.filter(|r| !r.is_empty()) else { return SubjectId::NONE };
        let next = SubjectId(self.ids.len() as u32 + 1);
        let id = *self.ids.entry((kind, raw.clone())).or_insert(next);
        if id == next {
            self.graph.add_subject(id, kind, seq);
            if let Some(filter) = &mut self.filter {
                filter.introduce(id, seq);
            }
        }
        id
    }

    fn arrive(&mut self, event: &RefEvent) {
        let seq = event.seq;
        let device = self.subject(SubjectKind::Device, event.device_id.as_ref(), seq);
        let user = self.subject(SubjectKind::User, event.user_id.as_ref(), seq);
        let mut other = |raw: &String| {
            let user = self.subject(SubjectKind::User, Some(raw), UNSEEN);
            (user, self.subject(SubjectKind::Device, Some(raw), UNSEEN))
        };
        let op = match &event.action {
            IdentityAction::None => IdentityOp::of_event(seq, device, user),
            IdentityAction::Reset => IdentityOp::reset(seq, device, user),
            IdentityAction::Alias { other: raw } => IdentityOp::alias(seq, (device, user), other(raw)),
            IdentityAction::Merge { other: raw } => IdentityOp::merge(seq, (device, user), other(raw)),
        };
        if self.filter.as_mut().is_none_or(|filter| filter.admit(&self.graph, &op)) {
            self.graph.apply(op);
        }
    }

    fn person(&self, view: &View, event: &RefEvent) -> u32 {
        view.person_of(self.speaker(event), event.seq)
    }

    fn person_at_ingest(&self, view: &View, event: &RefEvent) -> u32 {
        view.person_at_ingest(self.speaker(event), event.seq)
    }

    fn speaker(&self, event: &RefEvent) -> SubjectId {
        let user = event.user_id.as_ref().map(|id| (SubjectKind::User, id.clone()));
        let device = event.device_id.as_ref().map(|id| (SubjectKind::Device, id.clone()));
        user.or(device).map_or(SubjectId::NONE, |key| self.ids[&key])
    }

    fn raw(&self, wanted: SubjectId) -> (SubjectKind, String) {
        self.ids.iter().find(|(_, id)| **id == wanted).map(|(key, _)| key.clone()).expect("numbered here")
    }
}

/// Everything the graph says must be what the table says.
fn compare(harness: &mut Harness, log: &[RefEvent], first_user: bool) -> Result<(), TestCaseError> {
    let sorted: Vec<&RefEvent> = log.iter().collect();
    let expected = replay(&sorted, first_user);
    let view = harness.graph.view();
    let (mut to_graph, mut to_reference) = (BTreeMap::new(), BTreeMap::new());
    for (event, person) in log.iter().zip(&expected.persons) {
        // What a reset of an unknown device belongs to is nobody's business: it is never counted.
        if event.action == IdentityAction::Reset {
            continue;
        }
        let got = harness.person(&view, event);
        prop_assert_eq!(got == 0, person.is_none(), "attribution of {:?}", event);
        let Some(person) = *person else { continue };
        prop_assert!(got < view.bound());
        prop_assert_eq!(*to_graph.entry(person).or_insert(got), got, "split at {:?}", event);
        prop_assert_eq!(*to_reference.entry(got).or_insert(person), person, "joined at {:?}", event);
    }
    let (mut to_graph_then, mut to_reference_then) = (BTreeMap::new(), BTreeMap::new());
    for (event, then) in log.iter().zip(&expected.at_ingest) {
        let (false, Some(then)) = (event.action == IdentityAction::Reset, *then) else { continue };
        let got = harness.person_at_ingest(&view, event);
        prop_assert_eq!(*to_graph_then.entry(then).or_insert(got), got, "split at ingest of {:?}", event);
        prop_assert_eq!(
            *to_reference_then.entry(got).or_insert(then),
            then,
            "joined at ingest of {:?}",
            event
        );
    }
    for (person, ordinal) in &to_graph {
        let users: BTreeSet<String> = view
            .members(*ordinal)
            .into_iter()
            .map(|s| harness.raw(s))
            .filter(|(kind, _)| *kind == SubjectKind::User)
            .map(|(_, raw)| raw)
            .collect();
        prop_assert_eq!(&users, &expected.user_ids[person]);
        prop_assert_eq!(view.identified(*ordinal), !users.is_empty());
        prop_assert_eq!(view.first_seq(*ordinal), expected.first[person]);
        prop_assert_eq!(view.survivor(*ordinal), *ordinal);
        let merges = view.merges(*ordinal);
        prop_assert!(merges.windows(2).all(|m| m[0].seq <= m[1].seq));
        let absorbed: BTreeSet<u32> = merges.iter().filter_map(|m| m.absorbed).collect();
        let gone: BTreeSet<u32> =
            (1..view.bound()).filter(|p| p != ordinal && view.survivor(*p) == *ordinal).collect();
        prop_assert_eq!(absorbed, gone);
        let founder = view.founder(*ordinal).expect("every person was founded by somebody");
        prop_assert!(view.members(*ordinal).contains(&founder.subject));
        let (kind, raw) = harness.raw(founder.subject);
        prop_assert_eq!(founder.kind, kind);
        prop_assert_eq!((raw, kind == SubjectKind::User), expected.founder[person].clone());
    }
    let refused: Vec<(Seq, &str)> = view.refusals().iter().map(|r| (r.seq, r.reason.code())).collect();
    if harness.filter.is_none() {
        prop_assert_eq!(refused, expected.refused);
    }
    Ok(())
}

fn config(first_user: bool) -> IdentityConfig {
    let shared_device = if first_user { SharedDevice::FirstUser } else { SharedDevice::LastUser };
    IdentityConfig { shared_device, ..IdentityConfig::default() }
}

/// Logs with many identity transitions, a few ids or one crowded device.
fn logs() -> impl Strategy<Value = Vec<RefEvent>> {
    prop_oneof![4 => identity_log(40, 4, 4), 2 => identity_log(80, 12, 12), 2 => identity_log(150, 30, 1)]
}

/// The same events, shuffled, with some delivered twice.
fn shuffled() -> impl Strategy<Value = (Vec<RefEvent>, Vec<RefEvent>)> {
    logs().prop_flat_map(|log| {
        let twice = prop::collection::vec(any::<prop::sample::Index>(), 0..10);
        let order = Just(log.clone()).prop_shuffle();
        (Just(log), order, twice).prop_map(|(log, mut order, twice)| {
            if !log.is_empty() {
                order.extend(twice.iter().map(|i| log[i.index(log.len())].clone()));
            }
            (log, order)
        })
    })
}

/// The same events as partitions deliver them: in order for each routing key, otherwise anyhow.
fn partitioned() -> impl Strategy<Value = (Vec<RefEvent>, Vec<RefEvent>)> {
    logs().prop_flat_map(|log| {
        let picks = prop::collection::vec(0..3usize, log.len());
        (Just(log), picks).prop_map(|(log, picks)| {
            let mut partitions = vec![Vec::new(); 3];
            for event in log.iter().rev() {
                let key = event
                    .device_id
                    .as_ref()
                    .or(event.user_id.as_ref())
                    .map_or(0, |k| k.bytes().map(usize::from).sum());
                partitions[key % 3].push(event.clone());
            }
            let mut order = Vec::new();
            for pick in picks {
                let turn =
                    (pick..pick + 3).find(|p| !partitions[p % 3].is_empty()).expect("one event per pick");
                order.extend(partitions[turn % 3].pop());
            }
            (log, order)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_order_equals_the_table(log in logs(), first_user: bool, filtered: bool) {
        let mut harness = Harness::new(config(first_user), filtered);
        log.iter().for_each(|e| harness.arrive(e));
        compare(&mut harness, &log, first_user)?;
    }

    #[test]
    fn any_order_of_arrival_and_any_replay_equal_the_table(
        (log, order) in shuffled(), first_user: bool, every in 1..20usize,
    ) {
        let mut harness = Harness::new(config(first_user), false);
        for (i, event) in order.iter().enumerate() {
            harness.arrive(event);
            if i % every == 0 {
                harness.graph.view();
            }
        }
        compare(&mut harness, &log, first_user)?;
    }

    #[test]
    fn filtered_operations_are_enough_if_each_device_arrives_in_order(
        (log, order) in partitioned(), first_user: bool, commit in 1..20usize,
    ) {
        let mut harness = Harness::new(config(first_user), true);
        for (i, event) in order.iter().enumerate() {
            harness.arrive(event);
            if i % commit == 0 {
                harness.filter = Some(OpFilter::new());
            }
        }
        compare(&mut harness, &log, first_user)?;
    }

    #[test]
    fn a_graph_survives_being_taken_apart((_, order) in shuffled(), cut in any::<prop::sample::Index>()) {
        let mut harness = Harness::new(config(false), false);
        let cut = cut.index(order.len() + 1);
        order[..cut].iter().for_each(|e| harness.arrive(e));
        let parts: GraphParts = harness.graph.to_parts();
        let mut again = Harness { graph: Graph::from_parts(&parts), ids: harness.ids.clone(), filter: None };
        prop_assert_eq!(again.graph.to_parts(), parts);
        order[cut..].iter().for_each(|e| { harness.arrive(e); again.arrive(e) });
        let (a, b) = (harness.graph.view(), again.graph.view());
        prop_assert_eq!(a.dense(), b.dense());
        prop_assert_eq!(a.refusals(), b.refusals());
        for subject in 0..a.dense().len() as u32 {
            prop_assert_eq!(a.timeline(SubjectId(subject)), b.timeline(SubjectId(subject)));
        }
    }

    #[test]
    fn merging_never_splits((_, order) in shuffled()) {
        // Invariant 10: whoever was one person stays one, except for a device that changed hands.
        let mut harness = Harness::new(config(false), false);
        let mut before = harness.graph.view();
        let mut log = order.clone();
        log.sort_by_key(|e| e.seq);
        log.dedup_by_key(|e| e.seq);
        for event in &log {
            harness.arrive(event);
            let now = harness.graph.view();
            let users = harness.ids.iter().filter(|((kind, _), _)| *kind == SubjectKind::User);
            let mut joined: HashMap<u32, u32> = HashMap::new();
            for (_, user) in users {
                let was = before.person_of(*user, Seq::MIN);
                let is = now.person_of(*user, Seq::MIN);
                if was != 0 {
                    prop_assert_eq!(*joined.entry(was).or_insert(is), is);
                }
            }
            before = now;
        }
    }
}
