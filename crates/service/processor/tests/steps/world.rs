//! A log, its books and its rows in memory, driven through the steps as the processor drives them.
//!
//! Deliberately not here: what is asserted (`steps_*.rs`).
#![allow(dead_code)]

use bytes::Bytes;
use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tallymark_catalog::Advance;
use tallymark_ledger::Interval;
use tallymark_model::{
    CommitId, CommitSeq, Control, Event, IdentityAction, Lane, LogId, Millis, Outcome, Position, ProjectId,
    ProjectToken, PropertyOp, PropertyOpKind, Rule, Seq, Shard, SubjectId, SubjectKind, WireFormat,
};
use tallymark_processor::steps::books::Run;
use tallymark_processor::steps::decide::{
    Again, Change, Decided, Old, OldRow, ProjectRows, Rules, decide, decide_with,
};
use tallymark_processor::steps::decode::{Content, Decoded};
use tallymark_processor::steps::rederive::{Made, rederive, skipped};
use tallymark_processor::steps::rules::{Mode, rules_now};
use tallymark_processor::steps::sights::{SightRow, Sights, sights_needed};
use tallymark_state::{Delta, State, StateConfig};

pub const TOKEN: ProjectToken = ProjectToken([7; 16]);
pub const PROJECT: ProjectId = ProjectId(1);
pub const DAY: Millis = 20_000 * 86_400_000;

pub fn log_id() -> LogId {
    LogId(uuid::Uuid::from_u128(9))
}

/// One event of a stream, before it has a place in the log.
#[derive(Debug, Clone)]
pub struct Sent {
    pub shard: Shard,
    pub device: Option<u8>,
    pub user: Option<u8>,
    pub insert: Option<u16>,
    /// 0..8 ordinary, 8 a logout, 9 an alias, 10 a merge.
    pub kind: u8,
    pub name: u8,
}

impl Sent {
    pub fn event(&self, at: Millis) -> Event {
        let action = match self.kind {
            8 => IdentityAction::Reset,
            9 => IdentityAction::Alias { other: format!("user-{}", self.name) },
            10 => IdentityAction::Merge { other: format!("device-{}", self.name) },
            _ => IdentityAction::None,
        };
        let name = match self.kind {
            8 => "$reset".to_owned(),
            9 => "$alias".to_owned(),
            10 => "$merge".to_owned(),
            _ => format!("event-{}", self.name),
        };
        let set = |kind, name: &str, value: u8| PropertyOp { kind, name: name.into(), value: value.into() };
        Event {
            name,
            time: at - i64::from(self.name) * 1000,
            device_id: self.device.map(|n| format!("device-{n}")),
            user_id: self.user.map(|n| format!("user-{n}")),
            insert_id: self.insert.map(|n| n.to_string()),
            properties: [("p".to_owned(), self.name.into()), ("q".to_owned(), self.kind.into())]
                .into_iter()
                .collect(),
            person_ops: vec![
                set(PropertyOpKind::Set, "plan", self.name),
                set(PropertyOpKind::SetOnce, "first", self.kind),
            ],
            action,
            ..Event::default()
        }
    }
}

/// A record of the log.
#[derive(Debug, Clone)]
pub enum Item {
    Event(Sent),
    Control(Box<Control>),
}

pub fn shards() -> [Shard; 3] {
    let shard = |lane, partition| Shard { lane, partition };
    [shard(Lane::Live, 0), shard(Lane::Live, 1), shard(Lane::Bulk, 0)]
}

/// A log in memory.
#[derive(Debug, Clone, Default)]
pub struct Log {
    pub records: BTreeMap<Shard, Vec<Decoded>>,
    clock: Millis,
}

impl Log {
    pub fn new() -> Log {
        Log { records: shards().into_iter().map(|s| (s, Vec::new())).collect(), clock: DAY }
    }

    pub fn append(&mut self, shard: Shard, item: &Item) -> Position {
        self.clock += 10;
        let received_at = self.clock;
        let held = self.records.entry(shard).or_default();
        let position = Position { lane: shard.lane, partition: shard.partition, offset: held.len() as u64 };
        let content = match item {
            Item::Control(control) => Content::Control(control.clone()),
            Item::Event(sent) => Content::Event {
                token: TOKEN,
                project: None,
                wire: WireFormat::NativeV1,
                body: Bytes::from_static(b"{}"),
                event: Ok(Box::new(sent.event(received_at))),
            },
        };
        held.push(Decoded { position, received_at, content });
        position
    }

    /// Appends a control record to every shard.
    pub fn everywhere(&mut self, control: &Control) {
        for shard in shards() {
            self.append(shard, &Item::Control(Box::new(control.clone())));
        }
    }

    pub fn end(&self, shard: Shard) -> u64 {
        self.records[&shard].len() as u64
    }

    pub fn read(&self, interval: Interval) -> Vec<Decoded> {
        self.records[&interval.shard][interval.from as usize..interval.to as usize].to_vec()
    }

    pub fn at(&self, p: Position) -> Decoded {
        self.records[&p.shard()][p.offset as usize].clone()
    }
}

/// What people see of a person: who founded it, by which fresh start, and when it was first seen.
pub type Person = (SubjectKind, String, Option<Seq>, Seq);

/// What went into one commit, to make it again.
struct Made1 {
    commit: CommitId,
    advances: Vec<Advance>,
    records: Vec<Decoded>,
    again: Vec<Again>,
    rules: Rules,
    delta: Option<Vec<u8>>,
    rows: String,
}

/// Books, rows and state of a log.
pub struct World {
    pub log: Log,
    pub state: State,
    pub deltas: Vec<Delta>,
    pub cursors: BTreeMap<Shard, u64>,
    pub skipped: BTreeSet<Interval>,
    /// Outcome of every accounted record that is no control record.
    pub outcomes: BTreeMap<Position, (ProjectId, Outcome)>,
    pub rows: BTreeMap<Position, OldRow>,
    redone: FxHashSet<Position>,
    made: Vec<Made1>,
}

pub fn empty_state() -> State {
    State::empty(StateConfig::default())
}

impl World {
    pub fn new(log: Log) -> World {
        World {
            log,
            state: empty_state(),
            deltas: Vec::new(),
            cursors: shards().into_iter().map(|s| (s, 0)).collect(),
            skipped: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            rows: BTreeMap::new(),
            redone: FxHashSet::default(),
            made: Vec::new(),
        }
    }

    fn next_commit(&self) -> CommitId {
        CommitId(uuid::Uuid::from_u128(1000 + self.made.len() as u128))
    }

    fn rules(&self, mode: Mode) -> Rules {
        Rules { projects: [(TOKEN, PROJECT)].into_iter().collect(), mode, ..Rules::default() }
    }

    /// Answers from the rows, as the processor reads them from segments.
    fn with_sights(&self, mut rules: Rules, records: &[Decoded], again: &[Again]) -> Rules {
        let mut sights = Sights::default();
        for ask in sights_needed(records, again, &self.state, &rules) {
            let rows = self.rows.iter().filter(|(_, r)| r.event.device_id.as_ref() == Some(&ask.raw));
            let rows: Vec<SightRow> = rows
                .map(|(p, r)| SightRow {
                    seq: Seq::new(r.event.received_at, *p),
                    user: r.event.user_id.clone(),
                    event: r.event.event.clone(),
                })
                .collect();
            sights.add(&self.state, &ask, rows);
        }
        rules.sights = sights;
        rules
    }

    fn apply(&mut self, delta: Delta) {
        let travelled = Delta::decode(&delta.encode().unwrap()).unwrap();
        assert_eq!(travelled, delta);
        let seq = CommitSeq(self.state.applied().0 + 1);
        self.state.apply(seq, &travelled).unwrap();
        self.deltas.push(travelled);
    }

    fn land(&mut self, decided: Decided, runs: &[Run], made: (Vec<Decoded>, Vec<Again>, Rules)) {
        let (records, again, rules) = made;
        let advances = decided.books.advances(runs);
        for advance in &advances {
            assert_eq!(tallymark_ledger::check_sum(advance.interval(), &advance.account), None);
        }
        for Change { position, was, now, .. } in &decided.changes {
            assert_eq!(self.outcomes.get(position), Some(was), "the books say something else of {position}");
            self.outcomes.insert(*position, now.clone());
            self.rows.remove(position);
        }
        let text = format!("{:?}", decided.rows);
        for (project, rows) in decided.rows {
            assert_eq!(project, PROJECT);
            self.take_rows(rows);
        }
        for record in &records {
            if matches!(record.content, Content::Event { .. }) {
                self.outcomes.insert(record.position, (PROJECT, Outcome::Visible));
            }
        }
        for e in &decided.delta.exceptions {
            self.outcomes.insert(e.position, (e.project, e.outcome.clone()));
        }
        let delta = Some(decided.delta.encode().unwrap());
        let commit = decided.delta.commit;
        self.made.push(Made1 { commit, advances, records, again, rules, delta, rows: text });
        self.apply(decided.delta);
    }

    fn take_rows(&mut self, rows: ProjectRows) {
        for event in rows.events {
            let position = event.position;
            let held = self.rows.insert(position, OldRow { event, properties: Vec::new() });
            assert!(held.is_none(), "two rows of {position}");
        }
        for property in rows.properties {
            self.rows.get_mut(&property.position).unwrap().properties.push(property);
        }
    }

    fn group(&mut self, intervals: &[Interval]) {
        let records: Vec<Decoded> = intervals.iter().flat_map(|i| self.log.read(*i)).collect();
        let runs: Vec<Run> = intervals
            .iter()
            .map(|i| Run { interval: *i, received_from: 0, received_to: 0, holes: 0, lost: None })
            .collect();
        let rules = self.with_sights(self.rules(Mode::AsOfPosition), &records, &[]);
        let decided = decide(log_id(), self.next_commit(), records.clone(), &self.state, &rules);
        assert!(decided.changes.is_empty() && decided.orphaned.is_empty());
        self.land(decided, &runs, (records, Vec::new(), rules));
    }

    /// Processes the next records of some shards as one group.
    pub fn step(&mut self, wanted: &[(usize, u64)]) {
        let mut intervals: Vec<Interval> = Vec::new();
        for (shard, count) in wanted {
            let shard = shards()[*shard];
            let from = self.cursors[&shard];
            let to = (from + count).min(self.log.end(shard));
            if to > from {
                self.cursors.insert(shard, to);
                intervals.push(Interval::new(shard, from, to));
            }
        }
        if !intervals.is_empty() {
            self.group(&intervals);
        }
    }

    pub fn skip(&mut self, shard: usize, count: u64) {
        let shard = shards()[shard];
        let from = self.cursors[&shard];
        let to = (from + count).min(self.log.end(shard));
        if to == from {
            return;
        }
        self.cursors.insert(shard, to);
        let interval = Interval::new(shard, from, to);
        self.skipped.insert(interval);
        let delta = skipped(self.next_commit(), &self.log.read(interval));
        self.made.push(Made1 {
            commit: delta.commit,
            advances: Vec::new(),
            records: Vec::new(),
            again: Vec::new(),
            rules: Rules::default(),
            delta: None,
            rows: String::new(),
        });
        self.apply(delta);
    }

    /// Processes one of the skipped intervals.
    pub fn replay(&mut self, which: usize) {
        let Some(interval) = self.skipped.iter().nth(which % self.skipped.len().max(1)).copied() else {
            return;
        };
        self.skipped.remove(&interval);
        let records = self.log.read(interval);
        let runs = [Run { interval, received_from: 0, received_to: 0, holes: 0, lost: None }];
        let mut chosen: BTreeSet<Position> = BTreeSet::new();
        let mut yielding: FxHashSet<Position> = FxHashSet::default();
        loop {
            let again: Vec<Again> = chosen.iter().map(|p| self.again(*p, true)).collect();
            let rules = Rules { yielding: yielding.clone(), ..self.rules(Mode::AsOfPosition) };
            let rules = self.with_sights(rules, &records, &again);
            let commit = self.next_commit();
            let decided = decide_with(log_id(), commit, records.clone(), again.clone(), &self.state, &rules);
            let before = chosen.len();
            yielding
                .extend(decided.overtaken.iter().map(|(_, w)| *w).filter(|w| self.outcomes.contains_key(w)));
            chosen.extend(&yielding);
            let leans = |(_, outcome): &(ProjectId, Outcome)| matches!(outcome, Outcome::Duplicate { witness } if chosen.contains(witness));
            let orphans: Vec<Position> =
                self.outcomes.iter().filter(|(_, outcome)| leans(outcome)).map(|(p, _)| *p).collect();
            chosen.extend(orphans);
            if chosen.len() == before {
                assert!(decided.orphaned.iter().all(|o| chosen.contains(&o.witness)));
                return self.land(decided, &runs, (records, again, rules));
            }
        }
    }

    /// Decides part of what is accounted again, by the rules of now.
    pub fn reprocess(&mut self, shard: usize, from: u64, count: u64, with_rows: bool) {
        let shard = shards()[shard];
        let to = self.cursors[&shard].min(from + count);
        let mut chosen: BTreeSet<Position> = (from..to)
            .map(|offset| Position { lane: shard.lane, partition: shard.partition, offset })
            .filter(|p| self.outcomes.contains_key(p))
            .collect();
        let mode = Mode::With(rules_now(&self.state));
        loop {
            let again: Vec<Again> = chosen.iter().map(|p| self.again(*p, with_rows)).collect();
            let rules = self.with_sights(self.rules(mode.clone()), &[], &again);
            let commit = self.next_commit();
            let decided = decide_with(log_id(), commit, Vec::new(), again.clone(), &self.state, &rules);
            let gone: BTreeSet<Position> = decided.orphaned.iter().map(|o| o.witness).collect();
            let leans = |(_, outcome): &(ProjectId, Outcome)| matches!(outcome, Outcome::Duplicate { witness } if gone.contains(witness));
            let orphans: Vec<Position> = self
                .outcomes
                .iter()
                .filter(|(p, outcome)| !chosen.contains(p) && leans(outcome))
                .map(|(p, _)| *p)
                .collect();
            if orphans.is_empty() {
                self.redone.extend(&chosen);
                self.land(decided, &[], (Vec::new(), again, rules));
                return;
            }
            chosen.extend(orphans);
        }
    }

    fn again(&self, position: Position, with_rows: bool) -> Again {
        let (project, outcome) = self.outcomes[&position].clone();
        let at_hand = with_rows || self.redone.contains(&position);
        let row = self.rows.get(&position).filter(|_| at_hand).cloned().map(Box::new);
        Again { record: self.log.at(position), old: Old { project, outcome, row } }
    }

    /// Processes everything that is left, in order.
    pub fn drain(&mut self) {
        for shard in 0..shards().len() {
            while self.cursors[&shards()[shard]] < self.log.end(shards()[shard]) {
                self.step(&[(shard, 4)]);
            }
        }
        while !self.skipped.is_empty() {
            self.replay(0);
        }
    }

    /// Every commit derived again: the same bytes, the same rows.
    pub fn rederive_all(&self) {
        let mut before = empty_state();
        for (n, (made, delta)) in self.made.iter().zip(&self.deltas).enumerate() {
            if let Some(bytes) = &made.delta {
                let what = Made { commit: made.commit, advances: &made.advances, replayed: &[] };
                let (records, again) = (made.records.clone(), made.again.clone());
                let decided = rederive(log_id(), what, records, again, &before, &made.rules).unwrap();
                assert_eq!(&decided.delta.encode().unwrap(), bytes, "delta of commit {n}");
                assert_eq!(format!("{:?}", decided.rows), made.rows, "rows of commit {n}");
            }
            before.apply(CommitSeq(n as u64 + 1), delta).unwrap();
        }
        assert_eq!(before.digest(), self.state.digest());
    }

    /// Rows as people see them: raw ids instead of numbers.
    pub fn seen(&self) -> BTreeMap<Position, String> {
        let names = self.state.project(PROJECT).map(|p| p.subjects.names().clone()).unwrap_or_default();
        let name = |s: SubjectId| names.get(s).map(|(kind, raw)| (kind, raw.to_owned()));
        let shown = |row: &OldRow| {
            let mut row = row.clone();
            let subject = name(row.event.subject);
            row.event.subject = SubjectId::NONE;
            row.properties.iter_mut().for_each(|p| {
                assert_eq!(name(p.subject), subject);
                p.subject = SubjectId::NONE;
            });
            format!("{subject:?} {row:?}")
        };
        self.rows.iter().map(|(p, row)| (*p, shown(row))).collect()
    }

    /// Who each row belongs to, by what people see of a person.
    pub fn persons(&self) -> BTreeMap<Position, Option<Person>> {
        let Some(project) = self.state.project(PROJECT) else { return BTreeMap::new() };
        let view = project.graph.clone().view();
        let of = |p: &Position, row: &OldRow| {
            let person = view.person_of(row.event.subject, Seq::new(row.event.received_at, *p));
            let founder = view.founder(person)?;
            let (kind, raw) = project.subjects.names().get(founder.subject)?;
            Some((kind, raw.to_owned(), founder.life, view.first_seq(person)))
        };
        self.rows.iter().map(|(p, row)| (*p, of(p, row))).collect()
    }
}

pub fn rule(id: u32, version: u32, enabled: bool, action: tallymark_model::RuleAction) -> Rule {
    Rule {
        id,
        project: PROJECT,
        version,
        name: format!("rule {id}"),
        enabled,
        by: "me".into(),
        reason: String::new(),
        made_at: DAY,
        action,
    }
}

/// Only so that readers of a rule need not clone.
pub fn shared(rules: Vec<Rule>) -> Arc<Vec<Rule>> {
    Arc::new(rules)
}
