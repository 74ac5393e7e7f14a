//! Only some records are recorded as identity operations; whatever order they come in, and whatever is taken back
//! later, the persons are those of the whole log read in order (R21).
//!
//! The harness does what processor and state do: batches in any order, each decided against what was committed before,
//! late operations settled with the rows of their device.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tallymark_identity::{
    Graph, GraphParts, IdentityConfig, IdentityOp, OpFilter, SharedDevice, Sight, UNSEEN,
};
use tallymark_model::{IdentityAction, Seq, SubjectId, SubjectKind};
use tallymark_testkit::reference::{RefEvent, replay};
use tallymark_testkit::streams::identity_log;

#[derive(Default)]
struct Store {
    graph: Graph,
    ids: HashMap<(SubjectKind, String), SubjectId>,
    /// Committed visible rows by device, in log order.
    rows: BTreeMap<SubjectId, Vec<Sight>>,
    recorded: usize,
    /// Places at which an id got its number.
    introduced: BTreeSet<Seq>,
}

impl Store {
    fn new(first_user: bool) -> Store {
        let shared_device = if first_user { SharedDevice::FirstUser } else { SharedDevice::LastUser };
        Store {
            graph: Graph::new(IdentityConfig { shared_device, ..IdentityConfig::default() }),
            ..Store::default()
        }
    }

    fn subject(
        &mut self,
        filter: &mut OpFilter,
        kind: SubjectKind,
        raw: Option<&String>,
        seq: Seq,
    ) -> SubjectId {
        let Some(raw) = raw.filter(|r| !r.is_empty()) else { return SubjectId::NONE };
        let next = SubjectId(self.ids.len() as u32 + 1);
        let id = *self.ids.entry((kind, raw.clone())).or_insert(next);
        if id == next {
            self.graph.add_subject(id, kind, seq);
            if seq != UNSEEN {
                filter.introduce(id, seq);
                self.introduced.insert(seq);
            }
        }
        id
    }

    fn op(&mut self, filter: &mut OpFilter, event: &RefEvent) -> IdentityOp {
        let seq = event.seq;
        let device = self.subject(filter, SubjectKind::Device, event.device_id.as_ref(), seq);
        let user = self.subject(filter, SubjectKind::User, event.user_id.as_ref(), seq);
        let mut other = |raw: &String| {
            let user = self.subject(filter, SubjectKind::User, Some(raw), UNSEEN);
            (user, self.subject(filter, SubjectKind::Device, Some(raw), UNSEEN))
        };
        match &event.action {
            IdentityAction::None => IdentityOp::of_event(seq, device, user),
            IdentityAction::Reset => IdentityOp::reset(seq, device, user),
            IdentityAction::Alias { other: raw } => IdentityOp::alias(seq, (device, user), other(raw)),
            IdentityAction::Merge { other: raw } => IdentityOp::merge(seq, (device, user), other(raw)),
        }
    }

    fn latest(&self, device: SubjectId) -> Seq {
        self.rows.get(&device).and_then(|r| r.last()).map_or(Seq::MIN, |s| s.seq)
    }

    /// Decides a batch in log order and commits it.
    fn commit(&mut self, batch: &[RefEvent]) {
        let mut sorted: Vec<&RefEvent> = batch.iter().collect();
        sorted.sort_by_key(|e| e.seq);
        let (mut filter, mut ops, mut rows) = (OpFilter::new(), Vec::new(), Vec::new());
        for event in sorted {
            let op = self.op(&mut filter, event);
            if !op.device.is_none() {
                let reset = event.action == IdentityAction::Reset;
                rows.push((op.device, Sight { seq: op.seq, user: op.user, reset }));
            }
            if !filter.admit(&self.graph, &op) {
                continue;
            }
            ops.push(op);
            if !op.device.is_none() && op.seq < self.latest(op.device) {
                let sights = self.rows.get(&op.device).map_or(&[][..], Vec::as_slice);
                ops.extend(filter.settle(&self.graph, op.device, op.seq, sights));
            }
        }
        self.recorded += ops.len();
        ops.into_iter().for_each(|op| {
            self.graph.apply(op);
        });
        for (device, sight) in rows {
            let held = self.rows.entry(device).or_default();
            held.push(sight);
            held.sort();
        }
    }

    /// Masks rows: takes their operations back, in log order.
    fn mask(&mut self, gone: &[RefEvent]) {
        let mut seqs: Vec<Seq> = gone.iter().map(|e| e.seq).collect();
        seqs.sort();
        let away: BTreeSet<Seq> = seqs.iter().copied().collect();
        self.rows.values_mut().for_each(|rows| rows.retain(|s| !away.contains(&s.seq)));
        let mut filter = OpFilter::new();
        let (mut leaving, mut ops) = (Vec::new(), Vec::new());
        for seq in seqs {
            let Some(op) = self.graph.op_at(seq).copied() else { continue };
            filter.retract(seq);
            leaving.push(seq);
            if !op.device.is_none() {
                let sights = self.rows.get(&op.device).map_or(&[][..], Vec::as_slice);
                ops.extend(filter.settle(&self.graph, op.device, seq, sights));
            }
        }
        leaving.into_iter().for_each(|seq| assert!(self.graph.retract(seq)));
        ops.into_iter().for_each(|op| {
            self.graph.apply(op);
        });
    }

    /// Who each event belongs to, founders by raw id: nothing that depends on numbers.
    fn persons(&mut self, log: &[RefEvent]) -> Vec<Option<(SubjectKind, String, Option<Seq>)>> {
        let view = self.graph.view();
        let names: HashMap<SubjectId, (SubjectKind, String)> =
            self.ids.iter().map(|(key, id)| (*id, key.clone())).collect();
        let of = |event: &RefEvent| {
            let user = event.user_id.as_ref().map(|id| (SubjectKind::User, id.clone()));
            let device = event.device_id.as_ref().map(|id| (SubjectKind::Device, id.clone()));
            let subject = user.or(device).map_or(SubjectId::NONE, |key| self.ids[&key]);
            let founder = view.founder(view.person_of(subject, event.seq))?;
            let (kind, raw) = names[&founder.subject].clone();
            Some((kind, raw, founder.life))
        };
        log.iter().map(of).collect()
    }
}

fn logs() -> impl Strategy<Value = Vec<RefEvent>> {
    prop_oneof![4 => identity_log(40, 4, 3), 2 => identity_log(60, 2, 3), 2 => identity_log(100, 8, 8), 1 => identity_log(150, 30, 1)]
}

/// The log cut into batches whose order is anything: two lanes, skipped intervals, late partitions.
fn disturbed() -> impl Strategy<Value = (Vec<RefEvent>, Vec<Vec<RefEvent>>)> {
    (logs(), 1usize..12).prop_flat_map(|(log, batches)| {
        let picks = prop::collection::vec(0..batches, log.len());
        (Just(log), picks).prop_map(move |(log, picks)| {
            let mut parts = vec![Vec::new(); batches];
            log.iter().zip(picks).for_each(|(event, part)| parts[part].push(event.clone()));
            (log, parts)
        })
    })
}

fn compare(store: &mut Store, log: &[RefEvent], first_user: bool) -> Result<(), TestCaseError> {
    let sorted: Vec<&RefEvent> = log.iter().collect();
    let expected = replay(&sorted, first_user);
    let found = store.persons(log);
    let (mut there, mut back) = (BTreeMap::new(), HashMap::new());
    for ((event, person), found) in log.iter().zip(&expected.persons).zip(found) {
        if event.action == IdentityAction::Reset {
            continue;
        }
        prop_assert_eq!(found.is_none(), person.is_none(), "attribution of {:?}", event);
        let (Some(person), Some(found)) = (*person, found) else { continue };
        prop_assert_eq!(there.entry(person).or_insert_with(|| found.clone()), &found, "split at {:?}", event);
        prop_assert_eq!(*back.entry(found.clone()).or_insert(person), person, "joined at {:?}", event);
        let (raw, is_user) = expected.founder[&person].clone();
        prop_assert_eq!((found.1, found.0 == SubjectKind::User), (raw, is_user));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_batches_equals_the_log_in_order((log, parts) in disturbed(), first_user: bool) {
        let mut store = Store::new(first_user);
        parts.iter().for_each(|batch| store.commit(batch));
        compare(&mut store, &log, first_user)?;

        let mut straight = Store::new(first_user);
        log.chunks(7).for_each(|batch| straight.commit(batch));
        prop_assert_eq!(store.persons(&log), straight.persons(&log), "ids that people see");
    }

    #[test]
    fn rows_that_are_masked_leave_no_trace((log, parts) in disturbed(), share in 2usize..6) {
        // Rows that carried an id first, in the log or as it happened, stay: first sights only widen.
        let mut store = Store::new(false);
        parts.iter().for_each(|batch| store.commit(batch));
        let (mut seen, introduced) = (BTreeSet::new(), store.introduced.clone());
        let mut first = |event: &RefEvent| {
            let ids = [(0, event.device_id.clone()), (1, event.user_id.clone())];
            ids.into_iter().filter(|(_, id)| id.is_some()).filter(|id| seen.insert(id.clone())).count() > 0
                || introduced.contains(&event.seq)
        };
        let (stay, gone): (Vec<_>, Vec<_>) = log.iter().enumerate().partition(|(n, e)| first(e) || n % share != 0);
        let strip = |list: Vec<(usize, &RefEvent)>| list.into_iter().map(|(_, e)| e.clone()).collect::<Vec<_>>();
        let (stay, gone) = (strip(stay), strip(gone));
        let parts_before = store.graph.to_parts();
        gone.chunks(5).for_each(|some| store.mask(some));
        compare(&mut store, &stay, false)?;

        // And back again.
        gone.chunks(3).rev().for_each(|some| store.commit(some));
        compare(&mut store, &log, false)?;

        // What it was taken apart into gives the same graph, ordinals included.
        let parts: GraphParts = store.graph.to_parts();
        prop_assert!(parts.ops.len() >= parts_before.ops.len());
        let mut again = Graph::from_parts(&parts);
        prop_assert_eq!(again.to_parts(), parts);
        let (a, b) = (store.graph.view(), again.view());
        prop_assert_eq!(a.dense(), b.dense());
    }

    #[test]
    fn almost_nothing_is_recorded_twice(log in logs()) {
        // In order, settling never happens: what is recorded is what the filter alone records.
        let mut store = Store::new(false);
        log.chunks(9).for_each(|batch| store.commit(batch));
        prop_assert!(store.recorded <= log.len());
        prop_assert_eq!(store.recorded, store.graph.to_parts().ops.len());
    }
}
