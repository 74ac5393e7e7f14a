//! What becomes of each record: the one pure function at the heart of the processor.
//!
//! Guarantees: outcome = f(records in log order, committed state, rules), nothing else (I12). A record is a
//! duplicate iff the index, or a record decided before it in the same group, holds *another* position for its key.
//! Records are decided in log order, so of two that meet in one group the one with the smaller `seq` stays.
//! Deliberately not here: the index (`state`), rows (`shape`), I/O.

use super::books::Books;
use super::decode::{Content, Decoded};
use super::shape::{self, Visible};
use crate::projects::ProjectTable;
use bytes::Bytes;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use tallymark_identity::IdentityOp;
use tallymark_model::{
    CommitId, DeadReason, Event, IdentityAction, LogId, Outcome, Position, ProjectId, Seq, SubjectId,
    SubjectKind, WireFormat, is_operation,
};
use tallymark_state::{DedupEntry, Delta, Exception, Overlay, State, day_of, dedup_key};
use tallymark_store::{EventRow, PropertyRow};
use tallymark_wire::ids;

/// What decisions depend on besides the log and state.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Who owns which token.
    pub projects: ProjectTable,
    /// Positions whose rows could not be written: they become dead letters instead of blocking the rest.
    pub unstorable: FxHashSet<Position>,
}

/// Everything a commit will say.
#[derive(Debug)]
pub struct Decided {
    /// Rows, per project in order of id.
    pub rows: BTreeMap<ProjectId, ProjectRows>,
    /// Outcomes, counted.
    pub books: Books,
    /// What state will learn, and the records that became no row.
    pub delta: Delta,
}

/// One project's rows, in log order.
#[derive(Debug, Default)]
pub struct ProjectRows {
    /// Events and operations.
    pub events: Vec<EventRow>,
    /// Changes of person properties.
    pub properties: Vec<PropertyRow>,
}

/// Decides a whole group.
pub fn decide(
    log: LogId,
    commit: CommitId,
    mut records: Vec<Decoded>,
    state: &State,
    rules: &Rules,
) -> Decided {
    records.sort_unstable_by_key(Decoded::seq);
    let mut group = Group { books: Books::new(log), overlay: state.overlay(), visible: BTreeMap::new() };
    for record in records {
        group.one(record, rules);
    }
    let Group { books, mut overlay, visible } = group;
    let mut rows = BTreeMap::new();
    for (project, visible) in visible {
        let (shaped, stats) = shape::shape(visible);
        overlay.project(project).stats(&stats);
        rows.insert(project, shaped);
    }
    Decided { rows, books, delta: overlay.finish(commit) }
}

struct Group<'a> {
    books: Books,
    overlay: Overlay<'a>,
    visible: BTreeMap<ProjectId, Vec<Visible>>,
}

impl Group<'_> {
    fn one(&mut self, record: Decoded, rules: &Rules) {
        let (position, seq) = (record.position, record.seq());
        let (token, wire, body, event) = match record.content {
            Content::Control => return self.books.count(position, ProjectId::UNKNOWN, &Outcome::Control),
            Content::Event { token, wire, body, event } => (token, wire, body, event),
        };
        let dead = |reason| Exceptional {
            seq,
            position,
            outcome: Outcome::Dead { reason },
            key: 0,
            wire,
            body: body.clone(),
        };
        let Some(project) = rules.projects.get(&token).copied() else {
            let reason =
                DeadReason::new("unknown_project", format!("no project owns the key with the hash {token}"));
            return self.except(ProjectId::UNKNOWN, dead(reason));
        };
        let event = match event {
            Err(reason) => return self.except(project, dead(reason)),
            Ok(_) if rules.unstorable.contains(&position) => {
                let reason =
                    DeadReason::new("unstorable", "a segment cannot hold this event, which is a bug");
                return self.except(project, dead(reason));
            }
            Ok(event) => event,
        };
        if let Some(insert_id) = &event.insert_id {
            let (key, day) = (dedup_key(project, who(&event), insert_id), day_of(seq.received_at));
            if let Some(witness) = self.overlay.witness(key, day, position) {
                let outcome = Outcome::Duplicate { witness };
                return self
                    .except(project, Exceptional { seq, position, outcome, key, wire, body: Bytes::new() });
            }
            self.overlay.row(DedupEntry { key, position: position.pack(), day });
        }
        self.keep(project, position, seq, event);
    }

    fn keep(&mut self, project: ProjectId, position: Position, seq: Seq, event: Box<Event>) {
        let part = self.overlay.project(project);
        let mut number = |kind, raw: &Option<String>| {
            raw.as_deref().map_or(SubjectId::NONE, |raw| part.subject(kind, raw, seq))
        };
        let device = number(SubjectKind::Device, &event.device_id);
        let user = number(SubjectKind::User, &event.user_id);
        let mut others = |other: &str| match ids::usable(Some(other), 1) {
            ids::Id::Usable(id) => {
                (part.mention(SubjectKind::User, &id), part.mention(SubjectKind::Device, &id))
            }
            ids::Id::Absent | ids::Id::Garbage => (SubjectId::NONE, SubjectId::NONE),
        };
        let op = match &event.action {
            IdentityAction::None => IdentityOp::of_event(seq, device, user),
            IdentityAction::Reset => IdentityOp::reset(seq, device, user),
            IdentityAction::Alias { other } => IdentityOp::alias(seq, (device, user), others(other)),
            IdentityAction::Merge { other } => IdentityOp::merge(seq, (device, user), others(other)),
        };
        part.op(op);
        let subject = if user.is_none() { device } else { user };
        if !subject.is_none() && !is_operation(&event.name) {
            part.active(subject, event.time);
        }
        self.books.count(position, project, &Outcome::Visible);
        let row = Visible { position, received_at: seq.received_at, subject, event };
        self.visible.entry(project).or_default().push(row);
    }

    fn except(&mut self, project: ProjectId, e: Exceptional) {
        self.books.count(e.position, project, &e.outcome);
        self.overlay.exception(Exception {
            position: e.position,
            received_at: e.seq.received_at,
            project,
            key: e.key,
            wire: matches!(e.outcome, Outcome::Dead { .. }).then_some(e.wire),
            outcome: e.outcome,
            body: e.body,
        });
    }
}

struct Exceptional {
    seq: Seq,
    position: Position,
    outcome: Outcome,
    key: u64,
    wire: WireFormat,
    body: Bytes,
}

/// Whose insert ids are compared: the device's, without one the user's (chapter 1.1). Events of nobody are compared
/// among themselves, so that importing a file with anonymous rows twice adds nothing.
fn who(event: &Event) -> Option<(SubjectKind, &str)> {
    let device = event.device_id.as_deref().map(|d| (SubjectKind::Device, d));
    device.or(event.user_id.as_deref().map(|u| (SubjectKind::User, u)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tallymark_ledger::{Account, Interval, check_sum};
    use tallymark_model::{Lane, ProjectToken};
    use tallymark_state::StateConfig;

    const TOKEN: ProjectToken = ProjectToken([7; 16]);

    fn record(offset: u64, received_at: i64, insert: Option<u8>, name: &str) -> Decoded {
        let event = Event {
            name: name.to_owned(),
            time: received_at,
            device_id: Some(format!("d{}", offset % 3)),
            user_id: offset.is_multiple_of(4).then(|| "u".to_owned()),
            insert_id: insert.map(|i| i.to_string()),
            ..Event::default()
        };
        Decoded {
            position: Position { lane: Lane::Live, partition: 1, offset },
            received_at,
            content: Content::Event {
                token: TOKEN,
                wire: WireFormat::NativeV1,
                body: Bytes::from_static(b"{}"),
                event: Ok(Box::new(event)),
            },
        }
    }

    fn rules() -> Rules {
        Rules { projects: ProjectTable::from_iter([(TOKEN, ProjectId(1))]), ..Rules::default() }
    }

    fn decided(records: Vec<Decoded>, rules: &Rules) -> Decided {
        let id = uuid::Uuid::from_u128(3);
        decide(LogId(id), CommitId(id), records, &State::empty(StateConfig::default()), rules)
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter_and_nothing_is_left_out(
            sent in prop::collection::vec((0i64..20, prop::option::of(0u8..4)), 1..40),
            shuffle in any::<u64>(),
        ) {
            let records: Vec<Decoded> =
                (0..).zip(&sent).map(|(offset, (at, insert))| record(offset, *at, *insert, "e")).collect();
            let mut other = records.clone();
            other.sort_by_key(|r| (r.position.offset + 1).wrapping_mul(shuffle | 1));
            let (a, b) = (decided(records, &rules()), decided(other, &rules()));
            prop_assert_eq!(&a.delta, &b.delta);
            prop_assert_eq!(&a.rows[&ProjectId(1)].events, &b.rows[&ProjectId(1)].events);
            // Of two that meet, the one with the smaller seq stays.
            for e in &a.delta.exceptions {
                let Outcome::Duplicate { witness } = e.outcome else { panic!("{e:?}") };
                let at = |p: Position| Seq::new(sent[p.offset as usize].0, p);
                prop_assert!(at(witness) < at(e.position));
            }
            let interval = Interval { shard: a.delta.exceptions.first().map_or(
                Position { lane: Lane::Live, partition: 1, offset: 0 }, |e| e.position).shard(), from: 0, to: sent.len() as u64 };
            let run = crate::steps::books::Run { interval, received_from: 0, received_to: 0, holes: 0, lost: None };
            let advance = a.books.advances(&[run]).remove(0);
            prop_assert_eq!(check_sum(interval, &advance.account), None);
            let Account::Accounted { tally, .. } = advance.account else { panic!() };
            prop_assert_eq!(tally.visible as usize, a.rows[&ProjectId(1)].events.len());
        }
    }

    #[test]
    fn what_no_segment_can_hold_is_a_dead_letter() {
        let records = vec![record(0, 1, Some(1), "a"), record(1, 2, Some(2), "b")];
        let mut rules = rules();
        rules.unstorable.insert(records[0].position);
        let decided = decided(records, &rules);
        assert_eq!(decided.rows[&ProjectId(1)].events.len(), 1);
        let dead: Vec<_> = decided.delta.dead(ProjectId(1)).collect();
        assert_eq!((dead.len(), dead[0].position.offset, &dead[0].body[..]), (1, 0, &b"{}"[..]));
        assert_eq!(decided.delta.dedup.len(), 1, "a dead letter is nobody's witness");
    }
}
