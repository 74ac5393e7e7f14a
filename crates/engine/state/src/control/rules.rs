//! Rules by version, and from which offset of which shard each version is in force.
//!
//! Guarantees: a pure function of the set of rule records folded in; the newest version that a shard has passed
//! decides there. Deliberately not here: evaluating them (`processor`).

use super::{From, from, json, read_from, read_json};
use crate::StateError;
use crate::codec::{Reader, Writer};
use std::collections::BTreeMap;
use tallymark_model::{Position, ProjectId, Rule, Shard};

/// A version of a rule that whoever decides could not make sense of: it does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// The rule.
    pub rule: u32,
    /// Its version.
    pub version: u32,
    /// Why it does nothing, for people.
    pub problem: String,
}

/// One version of a rule, with its reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInForce {
    /// The rule as the log has it.
    pub rule: Rule,
    /// The offset of its record in each shard that has passed it; it decides what comes after.
    pub from: BTreeMap<Shard, u64>,
    /// Why it does nothing although it is in force, if it is broken.
    pub broken: Option<String>,
}

impl RuleInForce {
    /// The smallest position of its records: "since when".
    pub fn since(&self) -> Option<Position> {
        let (shard, offset) = self.from.first_key_value()?;
        Some(Position { lane: shard.lane, partition: shard.partition, offset: *offset })
    }

    fn reaches(&self, position: Position) -> bool {
        self.from.get(&position.shard()).is_some_and(|from| *from < position.offset)
    }
}

/// Every version of every rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesInForce {
    /// By rule and version.
    versions: BTreeMap<u32, BTreeMap<u32, RuleInForce>>,
}

impl RulesInForce {
    /// True if no rule was ever made.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// The rules that decide a record at this position, by number. Disabled ones are left out.
    pub fn at(&self, project: ProjectId, position: Position) -> impl Iterator<Item = &RuleInForce> {
        self.versions
            .values()
            .filter_map(move |versions| versions.values().rev().find(|v| v.reaches(position)))
            .filter(move |v| v.rule.project == project && v.rule.enabled)
    }

    /// The rules that were made last, by number, whichever shards have passed them. Disabled ones are left out.
    pub fn now(&self, project: ProjectId) -> impl Iterator<Item = &RuleInForce> {
        self.versions
            .values()
            .filter_map(|versions| versions.last_key_value().map(|(_, v)| v))
            .filter(move |v| v.rule.project == project && v.rule.enabled)
    }

    /// The newest version of every rule: what a reprocess that starts now decides by.
    pub fn versions_now(&self) -> BTreeMap<u32, u32> {
        self.versions.iter().filter_map(|(id, v)| Some((*id, *v.last_key_value()?.0))).collect()
    }

    /// One version of a rule.
    pub fn version(&self, rule: u32, version: u32) -> Option<&RuleInForce> {
        self.versions.get(&rule)?.get(&version)
    }

    /// Every version of every rule of a project, by number and version.
    pub fn history(&self, project: ProjectId) -> impl Iterator<Item = &RuleInForce> {
        self.all().filter(move |v| v.rule.project == project)
    }

    /// Every version of every rule.
    pub fn all(&self) -> impl Iterator<Item = &RuleInForce> {
        self.versions.values().flat_map(BTreeMap::values)
    }

    /// Folds a rule record in.
    pub fn add(&mut self, position: Position, rule: &Rule) {
        let versions = self.versions.entry(rule.id).or_default();
        let fresh = || RuleInForce { rule: rule.clone(), from: From::new(), broken: None };
        let held = versions.entry(rule.version).or_insert_with(fresh);
        // Of a record that was appended twice the first counts.
        let from = held.from.entry(position.shard()).or_insert(position.offset);
        *from = position.offset.min(*from);
    }

    /// Notes that a version does nothing.
    pub fn mark_broken(&mut self, broken: &BrokenRule) {
        let held = self.versions.get_mut(&broken.rule).and_then(|v| v.get_mut(&broken.version));
        if let Some(held) = held {
            held.broken = Some(broken.problem.clone());
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        let all: Vec<&RuleInForce> = self.all().collect();
        w.list(all.into_iter(), |w, v| {
            json(w, &v.rule);
            from(w, &v.from);
            w.str(v.broken.as_deref().unwrap_or(""));
        });
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<RulesInForce, StateError> {
        let mut versions: BTreeMap<u32, BTreeMap<u32, RuleInForce>> = BTreeMap::new();
        r.list(|r| {
            let (rule, from): (Rule, From) = (read_json(r)?, read_from(r)?);
            let broken = Some(r.str()?.to_owned()).filter(|b| !b.is_empty());
            versions.entry(rule.id).or_default().insert(rule.version, RuleInForce { rule, from, broken });
            Ok(())
        })?;
        Ok(RulesInForce { versions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_model::{Lane, RuleAction};

    fn at(partition: u16, offset: u64) -> Position {
        Position { lane: Lane::Live, partition, offset }
    }

    fn rule(id: u32, version: u32, enabled: bool) -> Rule {
        let action = RuleAction::Properties { deny: vec!["p".into()], allow: None };
        Rule {
            id,
            project: ProjectId(1),
            version,
            name: "r".into(),
            enabled,
            by: "me".into(),
            reason: String::new(),
            made_at: 5,
            action,
        }
    }

    fn versions<'a>(rules: impl Iterator<Item = &'a RuleInForce>) -> Vec<(u32, u32)> {
        rules.map(|v| (v.rule.id, v.rule.version)).collect()
    }

    #[test]
    fn a_version_is_in_force_after_its_record_in_its_shard() {
        let mut rules = RulesInForce::default();
        let records = [
            (at(0, 10), rule(1, 1, true)),
            (at(1, 3), rule(1, 1, true)),
            (at(0, 20), rule(1, 2, true)),
            (at(0, 30), rule(1, 3, false)),
            (at(0, 12), rule(2, 1, true)),
        ];
        for (position, rule) in &records {
            rules.add(*position, rule);
        }
        let there = |p| versions(rules.at(ProjectId(1), p));
        assert_eq!(there(at(0, 10)), [], "its own record is not decided by it");
        assert_eq!(there(at(0, 11)), [(1, 1)]);
        assert_eq!(there(at(0, 13)), [(1, 1), (2, 1)]);
        assert_eq!(there(at(0, 21)), [(1, 2), (2, 1)]);
        assert_eq!(there(at(0, 31)), [(2, 1)], "switched off");
        assert_eq!(there(at(1, 99)), [(1, 1)], "this shard has not passed the later versions");
        assert_eq!(versions(rules.now(ProjectId(1))), [(2, 1)]);
        assert_eq!(versions(rules.at(ProjectId(2), at(0, 13))), []);
        assert_eq!(rules.version(1, 1).unwrap().since(), Some(at(0, 10)));

        // Any order, any repetition: the same.
        let mut other = RulesInForce::default();
        for (position, rule) in records.iter().rev().chain(&records) {
            other.add(*position, rule);
        }
        assert_eq!(other, rules);
        rules.mark_broken(&BrokenRule { rule: 2, version: 1, problem: "bad".into() });
        let mut w = Writer::default();
        rules.write(&mut w);
        let mut r = Reader::new(&w.0, "test");
        assert_eq!(RulesInForce::read(&mut r).unwrap(), rules);
        r.end().unwrap();
    }
}
