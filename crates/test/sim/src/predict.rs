//! The judge: what must have become of every record, from the requests and the order of the log alone.
//!
//! It knows what was sent, what was acknowledged where, which rules were announced and which parts were decided again.
//! It does not know how the processor groups, what state it has or which of two equal events it met first: of events
//! that are the same it demands that exactly one counts.

use crate::clients::{PROJECTS, Sent};
use crate::observe::{Logged, Row};
use std::collections::{BTreeMap, BTreeSet};
use tallymark_ledger::Tally;
use tallymark_model::{Control, Position, Rule, RuleAction};

/// Everything the judge knows.
#[derive(Debug, Default)]
pub struct Judge {
    sent: BTreeMap<u64, Sent>,
    acknowledged: BTreeMap<Position, u64>,
    /// Records that were decided again, with the rules that were announced by then.
    again: BTreeMap<Position, Vec<Rule>>,
    skipped: BTreeSet<Position>,
    /// Dead letters with what they should have been.
    mended: BTreeMap<Position, Sent>,
}

/// What must become of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Dead(u32),
    Filtered(u32),
    Control,
    /// Counts, unless another of the same kind does.
    Counts(u32),
}

impl Judge {
    /// A request was made.
    pub fn sent(&mut self, request: &[Sent]) {
        self.sent.extend(request.iter().map(|e| (e.number, e.clone())));
    }

    /// And acknowledged.
    pub fn acknowledged(&mut self, request: &[Sent], positions: &[Position]) {
        for (event, position) in request.iter().zip(positions) {
            let twice = self.acknowledged.insert(*position, event.number);
            assert_eq!(twice, None, "{position} was given out twice");
        }
    }

    /// These positions were passed by.
    pub fn skipped(&mut self, positions: impl IntoIterator<Item = Position>) {
        self.skipped.extend(positions);
    }

    /// Everything skipped was processed.
    pub fn replayed(&mut self) {
        self.skipped.clear();
    }

    /// These positions were decided again with these rules.
    pub fn decided_again(&mut self, positions: impl IntoIterator<Item = Position>, rules: &[Rule]) {
        self.again.extend(positions.into_iter().map(|p| (p, rules.to_vec())));
    }

    /// A dead letter was mended; it is decided by the rules of its own place.
    pub fn mended(&mut self, position: Position, event: Sent) {
        self.again.remove(&position);
        self.mended.insert(position, event);
    }

    /// Some dead letter that could be mended.
    pub fn dead_letter(&self, log: &BTreeMap<Position, Logged>, nth: usize) -> Option<(Position, Sent)> {
        let dead = log.iter().filter_map(|(position, logged)| match logged {
            Logged::Event(number) if !self.skipped.contains(position) => {
                Some((*position, self.as_is(*position, *number)))
            }
            _ => None,
        });
        let dead: Vec<_> = dead.filter(|(_, sent)| sent.name.is_none() && sent.project <= PROJECTS).collect();
        let (position, sent) = dead.get(nth % dead.len().max(1))?;
        Some((*position, (*sent).clone()))
    }

    /// The rules by which records under the same insert id were decided again.
    fn rules_of_namesakes(
        &self,
        ((project, device), insert): &((u32, String), String),
        log: &BTreeMap<Position, Logged>,
    ) -> Vec<&Vec<Rule>> {
        let same = |position: &Position| {
            let Some(Logged::Event(number)) = log.get(position) else { return false };
            let sent = self.as_is(*position, *number);
            (sent.project, &sent.device, sent.insert.as_ref()) == (*project, device, Some(insert))
        };
        self.again.iter().filter(|(p, _)| same(p)).map(|(_, rules)| rules).collect()
    }

    /// Everything sent under an insert id, and what should have become of it; for whoever reads a failure.
    fn namesakes(
        &self,
        insert: &str,
        fates: &BTreeMap<Position, Fate>,
        log: &BTreeMap<Position, Logged>,
    ) -> Vec<(Position, Sent, Option<Fate>, bool)> {
        let events =
            log.iter().filter_map(|(p, l)| if let Logged::Event(n) = l { Some((*p, *n)) } else { None });
        events
            .map(|(p, n)| (p, self.as_is(p, n).clone()))
            .filter(|(_, sent)| sent.insert.as_deref() == Some(insert))
            .map(|(p, sent)| (p, sent, fates.get(&p).cloned(), self.again.contains_key(&p)))
            .collect()
    }

    /// The event at a position, as sent or as mended.
    fn as_is(&self, position: Position, number: u64) -> &Sent {
        self.mended.get(&position).unwrap_or_else(|| &self.sent[&number])
    }

    /// Compares everything that is in the log with what became of it.
    pub fn judge(
        &self,
        log: &BTreeMap<Position, Logged>,
        rows: &BTreeMap<Position, Row>,
        sums: &BTreeMap<u32, Tally>,
    ) {
        for (position, number) in &self.acknowledged {
            let there = log.get(position);
            assert_eq!(there, Some(&Logged::Event(*number)), "{position} was acknowledged");
        }
        let fates = self.fates(log);
        let mut expected: BTreeMap<u32, Tally> = (0..=PROJECTS).map(|p| (p, Tally::default())).collect();
        let mut same: BTreeMap<_, Vec<Position>> = BTreeMap::new();
        let mut loose = 0;
        for (position, fate) in &fates {
            let counts = rows.contains_key(position);
            match fate {
                Fate::Dead(project) => expected.get_mut(project).unwrap().dead += 1,
                Fate::Filtered(project) => expected.get_mut(project).unwrap().filtered += 1,
                Fate::Control => expected.get_mut(&0).unwrap().control += 1,
                Fate::Counts(project) => {
                    let Logged::Event(number) = log[position] else { unreachable!("only events count") };
                    let sent = self.as_is(*position, number);
                    // Without an insert id an event is only the same as itself.
                    let who = (*project, sent.device.clone());
                    let id = sent.insert.clone().unwrap_or_else(|| format!("at {position}"));
                    same.entry((who, id)).or_default().push(*position);
                    continue;
                }
            }
            assert!(!counts, "{position} counts, but it should be {fate:?}");
        }
        for (key, positions) in same {
            let visible: Vec<&Position> = positions.iter().filter(|p| rows.contains_key(p)).collect();
            let again = self.rules_of_namesakes(&key, log);
            // Copies that lost their original to a reprocess are decided again with it, by the same rules, wherever
            // they are; which ones leaned on it only the processor knows.
            let filterable = |p: &&Position| {
                let Logged::Event(number) = log[*p] else { return false };
                again.iter().any(|rules| matches!(fate_of(self.as_is(**p, number), rules), Fate::Filtered(_)))
            };
            let tally = expected.get_mut(&key.0.0).unwrap();
            let turned = positions.iter().filter(|p| !rows.contains_key(p)).filter(filterable).count() as u64;
            if turned > 0 {
                loose += turned;
            }
            if visible.is_empty() && turned == positions.len() as u64 {
                tally.filtered += turned;
                continue;
            }
            assert_eq!(
                visible.len(),
                1,
                "{key:?} was sent as {positions:?}; these count: {visible:?}; under the same id: {:?}; skipped {:?}",
                self.namesakes(&key.1, &fates, log),
                self.skipped
            );
            tally.visible += 1;
            tally.duplicate += positions.len() as u64 - 1;
        }
        for (position, row) in rows {
            let Some(Logged::Event(number)) = log.get(position) else { panic!("{row:?} comes from nowhere") };
            let sent = self.as_is(*position, *number);
            let as_sent = Row {
                project: sent.project,
                number: sent.number,
                name: sent.name.clone().unwrap_or_default(),
            };
            assert_eq!(row, &as_sent, "{position}");
        }
        if loose > 0 {
            // A copy may count as duplicate or as filtered then; nothing else may differ.
            let merged = |sums: &BTreeMap<u32, Tally>| -> BTreeMap<u32, Tally> {
                let one = |t: &Tally| Tally { duplicate: t.duplicate + t.filtered, filtered: 0, ..*t };
                sums.iter().map(|(p, t)| (*p, one(t))).collect()
            };
            assert_eq!(merged(sums), merged(&expected), "the books, by project");
        } else {
            assert_eq!(sums, &expected, "the books, by project");
        }
    }

    /// The fate of every record that is not passed by.
    fn fates(&self, log: &BTreeMap<Position, Logged>) -> BTreeMap<Position, Fate> {
        let mut announced: Vec<(Position, &Rule)> = Vec::new();
        let mut fates = BTreeMap::new();
        // Positions come in order per shard, so every rule is met before the records it is in force for.
        for (position, logged) in log {
            let fate = match logged {
                Logged::Control(control) => {
                    if let Control::Rule(rule) = control {
                        announced.push((*position, rule));
                    }
                    Fate::Control
                }
                Logged::Event(number) => {
                    let in_force = || {
                        let here = announced.iter().filter(|(at, _)| at.shard() == position.shard());
                        here.map(|(_, rule)| (*rule).clone()).collect::<Vec<_>>()
                    };
                    let rules = self.again.get(position).cloned().unwrap_or_else(in_force);
                    fate_of(self.as_is(*position, *number), &rules)
                }
            };
            if !self.skipped.contains(position) {
                fates.insert(*position, fate);
            }
        }
        fates
    }
}

fn fate_of(sent: &Sent, rules: &[Rule]) -> Fate {
    if sent.project > PROJECTS {
        return Fate::Dead(0);
    }
    let Some(name) = &sent.name else { return Fate::Dead(sent.project) };
    // The newest version of each rule is the one in force.
    let mut newest: BTreeMap<u32, &Rule> = BTreeMap::new();
    for rule in rules.iter().filter(|r| r.project.0 == sent.project) {
        let held = newest.entry(rule.id).or_insert(rule);
        if held.version < rule.version {
            *held = rule;
        }
    }
    let drops = |rule: &&Rule| match &rule.action {
        RuleAction::Drop { events, .. } => events.contains(name),
        RuleAction::Block { devices, .. } => devices.contains(&sent.device),
        RuleAction::Properties { .. } | RuleAction::Settings { .. } => false,
    };
    if newest.into_values().filter(|r| r.enabled).any(|r| drops(&r)) {
        Fate::Filtered(sent.project)
    } else {
        Fate::Counts(sent.project)
    }
}
