//! What becomes of each record: the one pure function at the heart of the processor.
//!
//! Guarantees: outcome = f(records in log order, committed state, rules), nothing else (I12). A record is a
//! duplicate iff the index, or a record decided before it in the same group, holds *another* position for its key.
//! Records are decided in log order, so of two that meet in one group the one with the smaller `seq` stays.
//! Deliberately not here: the index (`state`), rows (`shape`), I/O.

use super::again::{entry_of, key_of, runs_of, same_row, who};
use super::books::Books;
use super::decode::{Content, Decoded};
use super::effects::{self, Effect};
use super::rules::{Mode, RuleBook, broken};
use super::shape;
use super::sights::Sights;
use crate::projects::ProjectTable;
use bytes::Bytes;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use tallymark_model::{CommitId, DeadReason, Event, LogId, Outcome, Position, ProjectId, Seq, WireFormat};
use tallymark_state::{DedupEntry, Delta, Exception, Overlay, State, day_of, dedup_key};
use tallymark_store::{EventRow, PropertyRow};

pub use super::again::{Again, Change, Old, OldRow, Orphaned};

/// What decisions depend on besides the log and state.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Who owns which token.
    pub projects: ProjectTable,
    /// Positions whose rows could not be written: they become dead letters instead of blocking the rest.
    pub unstorable: FxHashSet<Position>,
    /// By which rules.
    pub mode: Mode,
    /// Answers to [`super::sights::sights_needed`] of the same records on the same state.
    pub sights: Sights,
    /// Rows among those decided again that give way to an earlier copy: see [`Decided::overtaken`].
    pub yielding: FxHashSet<Position>,
}

/// Everything a commit will say.
#[derive(Debug)]
pub struct Decided {
    /// Rows, per project in order of id.
    pub rows: BTreeMap<ProjectId, ProjectRows>,
    /// Outcomes of the new records, counted.
    pub books: Books,
    /// What state will learn, and the records that became no row.
    pub delta: Delta,
    /// Records decided again whose outcome or row changed, by position. Their old rows are to be masked, their
    /// accounts to be restated; the new rows are among `rows`. `delta.restated` covers exactly these.
    pub changes: Vec<Change>,
    /// Rows that vanished. Every duplicate of one must have been among the records decided again; if not, add it and
    /// decide again from the start (design rule 4).
    pub orphaned: Vec<Orphaned>,
    /// New records that are duplicates of a later record of their own shard, because that was processed first: (record,
    /// witness). Had nothing been skipped, it would be the other way round. To have it so, decide again with the
    /// witnesses, and the duplicates that lean on them, among the records decided again, the witnesses
    /// [`Rules::yielding`].
    pub overtaken: Vec<(Position, Position)>,
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
pub fn decide(log: LogId, commit: CommitId, records: Vec<Decoded>, state: &State, rules: &Rules) -> Decided {
    decide_with(log, commit, records, Vec::new(), state, rules)
}

/// Decides records that are in the books already again, as the only content of a commit.
pub fn redecide(log: LogId, commit: CommitId, again: Vec<Again>, state: &State, rules: &Rules) -> Decided {
    decide_with(log, commit, Vec::new(), again, state, rules)
}

/// Decides a group and, in the same commit, records that are in the books already: mended dead letters.
///
/// A row that may stay stays: of two copies the one that is visible now is looked at first. So deciding again by the
/// same rules changes nothing.
pub fn decide_with(
    log: LogId,
    commit: CommitId,
    records: Vec<Decoded>,
    again: Vec<Again>,
    state: &State,
    rules: &Rules,
) -> Decided {
    let controls = records.iter().filter_map(|r| match &r.content {
        Content::Control(control) => Some((r.position, control.as_ref())),
        Content::Event { .. } => None,
    });
    let book = RuleBook::new(state, controls, &rules.mode);
    let mut group = Group {
        books: Books::new(log),
        overlay: state.overlay(),
        book,
        rules,
        effects: Vec::with_capacity(records.len()),
        changes: Vec::new(),
        orphaned: Vec::new(),
        overtaken: Vec::new(),
    };
    let mut open: Vec<Open> =
        again.into_iter().map(|a| Open { record: a.record, old: Some(a.old) }).collect();
    open.iter().for_each(|o| group.withdraw(o));
    open.extend(records.into_iter().map(|record| Open { record, old: None }));
    open.sort_by_cached_key(|o| {
        let stays = o.holds() && !rules.yielding.contains(&o.record.position);
        (!stays, o.record.seq())
    });
    open.into_iter().for_each(|o| group.one(o));
    group.finish(commit)
}

/// A record to decide.
struct Open {
    record: Decoded,
    old: Option<Old>,
}

impl Open {
    /// True if it has a row now.
    fn holds(&self) -> bool {
        self.old.as_ref().is_some_and(|old| old.outcome == Outcome::Visible)
    }
}

/// What a record came to.
struct Verdict {
    project: ProjectId,
    outcome: Outcome,
    key: u64,
    /// Of visible records.
    event: Option<Box<Event>>,
    /// Of dead letters.
    body: Option<(WireFormat, Bytes)>,
}

struct Group<'a> {
    books: Books,
    overlay: Overlay<'a>,
    book: RuleBook<'a>,
    rules: &'a Rules,
    effects: Vec<Effect>,
    changes: Vec<Change>,
    orphaned: Vec<Orphaned>,
    overtaken: Vec<(Position, Position)>,
}

impl Group<'_> {
    /// Takes the index entry of a row that is decided again out, before anything is looked up.
    fn withdraw(&mut self, open: &Open) {
        if let (true, Some(old)) = (open.holds(), &open.old)
            && let Some(entry) = entry_of(&open.record, old)
        {
            self.overlay.gone(entry);
        }
    }

    fn one(&mut self, open: Open) {
        let Open { record, old } = open;
        let (position, seq) = (record.position, record.seq());
        let content = match record.content {
            Content::Control(control) => {
                // A control record among those decided again stays what it is.
                if old.is_none() {
                    self.books.count(position, ProjectId::UNKNOWN, &Outcome::Control);
                    broken(&control).into_iter().for_each(|b| self.overlay.broken(b));
                    self.overlay.control(position, *control);
                }
                return;
            }
            content => content,
        };
        let was = old.as_ref().and_then(|old| self.gone_event(position, old, &content));
        let entry = old.as_ref().and_then(|old| match old.outcome {
            Outcome::Visible => key_of(old, &content),
            _ => None,
        });
        let verdict = self.verdict(position, seq, content);
        let Some(old) = old else {
            if let Outcome::Duplicate { witness } = verdict.outcome
                && witness.shard() == position.shard()
                && witness.offset > position.offset
            {
                self.overtaken.push((position, witness));
            }
            self.books.count(position, verdict.project, &verdict.outcome);
            return self.take(position, seq, None, verdict);
        };
        let (now, held) = ((verdict.project, verdict.outcome.clone()), old.outcome == Outcome::Visible);
        let same_row = || match (&verdict.event, &was) {
            (Some(now), Some(was)) => same_row(now, was, old.row.as_deref()),
            _ => false,
        };
        let stays = (old.project, &old.outcome) == (now.0, &now.1);
        if stays && (!held || same_row()) {
            return;
        }
        if let Some(key) = entry.filter(|key| now.1 != Outcome::Visible || verdict.key != *key) {
            self.orphaned.push(Orphaned { witness: position, key });
        }
        let change = Change { position, received_at: seq.received_at, was: (old.project, old.outcome), now };
        self.changes.push(change);
        let gone = if held { was.map(|event| (old.project, event)) } else { None };
        self.take(position, seq, gone, verdict);
    }

    /// The event that the row of a visible record was made from.
    fn gone_event(&mut self, position: Position, old: &Old, content: &Content) -> Option<Box<Event>> {
        if old.outcome != Outcome::Visible {
            return None;
        }
        if let Some(row) = &old.row {
            return Some(Box::new(shape::event_of(row)));
        }
        let Content::Event { event: Ok(event), .. } = content else { return None };
        let mut event = event.clone();
        self.book.strip_as_of(old.project, position, &mut event);
        Some(event)
    }

    fn verdict(&mut self, position: Position, seq: Seq, content: Content) -> Verdict {
        let Content::Event { token, project, wire, body, event } = content else {
            return Verdict {
                project: ProjectId::UNKNOWN,
                outcome: Outcome::Control,
                key: 0,
                event: None,
                body: None,
            };
        };
        let dead = |project, reason| Verdict {
            project,
            outcome: Outcome::Dead { reason },
            key: 0,
            event: None,
            body: Some((wire, body.clone())),
        };
        let Some(project) = project.or_else(|| self.rules.projects.get(&token).copied()) else {
            let reason =
                DeadReason::new("unknown_project", format!("no project owns the key with the hash {token}"));
            return dead(ProjectId::UNKNOWN, reason);
        };
        let mut event = match event {
            Err(reason) => return dead(project, reason),
            Ok(event) => event,
        };
        let without_row = |outcome, key| Verdict { project, outcome, key, event: None, body: None };
        if let Some(rule) = self.book.verdict(project, position, seq, &event) {
            return without_row(Outcome::Filtered { rule }, 0);
        }
        if self.rules.unstorable.contains(&position) {
            let reason = DeadReason::new("unstorable", "a segment cannot hold this event, which is a bug");
            return dead(project, reason);
        }
        let mut key = 0;
        if let Some(insert_id) = &event.insert_id {
            let day = day_of(seq.received_at);
            key = dedup_key(project, who(&event), insert_id);
            if let Some(witness) = self.overlay.witness(key, day, position) {
                return without_row(Outcome::Duplicate { witness }, key);
            }
            self.overlay.row(DedupEntry { key, position: position.pack(), day });
        }
        self.book.strip(project, position, &mut event);
        Verdict { project, outcome: Outcome::Visible, key, event: Some(event), body: None }
    }

    fn take(&mut self, position: Position, seq: Seq, gone: Option<(ProjectId, Box<Event>)>, v: Verdict) {
        let row = v.event.map(|event| (v.project, event));
        if row.is_none() {
            let (wire, body) = v.body.map_or((None, Bytes::new()), |(wire, body)| (Some(wire), body));
            self.overlay.exception(Exception {
                position,
                received_at: seq.received_at,
                project: v.project,
                outcome: v.outcome,
                key: v.key,
                wire,
                body,
            });
        }
        if row.is_some() || gone.is_some() {
            self.effects.push(Effect { seq, position, gone, row });
        }
    }

    fn finish(mut self, commit: CommitId) -> Decided {
        let rows =
            effects::carry_out(&mut self.overlay, &self.rules.sights, std::mem::take(&mut self.effects));
        self.changes.sort_unstable_by_key(|c| c.position);
        self.overlay.restate(runs_of(self.changes.iter().map(|c| c.position)));
        Decided {
            rows,
            books: self.books,
            delta: self.overlay.finish(commit),
            changes: self.changes,
            orphaned: self.orphaned,
            overtaken: self.overtaken,
        }
    }
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
                project: None,
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
