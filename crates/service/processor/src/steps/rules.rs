//! What rules that came through the log do to an event: drop it, block its ids, leave properties out, forget a person.
//!
//! Guarantees: a function of the control records folded in, those of the same group, and the record's position; a
//! rule that cannot be evaluated never loses an event: it does nothing and is reported.
//! Deliberately not here: which version is in force where (`state`), throttling (`collector`), settings of a project
//! (recorded in state, read by whoever they concern).

use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use tallymark_model::{
    Control, ERASED_RULE, Erasure, Event, Position, ProjectId, Rule, RuleAction, Seq, Shard, SubjectKind,
    Value,
};
use tallymark_predicate::{Condition, Expr, Scope};
use tallymark_state::{BrokenRule, Erasures, RulesInForce, State};

/// By which rules records are decided.
#[derive(Debug, Clone, Default)]
pub enum Mode {
    /// By those in force at each record's own position: as they come, and when a skipped interval is processed.
    #[default]
    AsOfPosition,
    /// By these, whatever their positions: when records are decided again. See [`rules_now`].
    With(Arc<Vec<Rule>>),
}

/// The rules that were made last: what a reprocess that starts now decides by.
pub fn rules_now(state: &State) -> Arc<Vec<Rule>> {
    let rules = &state.controls().rules;
    let newest = rules.versions_now();
    let held = newest.iter().filter_map(|(id, version)| rules.version(*id, *version));
    Arc::new(held.map(|v| v.rule.clone()).collect())
}

/// Why this version of a rule does nothing, if it is broken.
pub fn problem_of(rule: &Rule) -> Option<String> {
    compile(rule).err()
}

/// A rule ready to run.
#[derive(Debug)]
struct Compiled {
    id: u32,
    effect: Effect,
}

#[derive(Debug)]
enum Effect {
    Drop { events: FxHashSet<String>, expr: Expr },
    Block { devices: FxHashSet<String>, users: FxHashSet<String> },
    Properties { deny: FxHashSet<String>, allow: Option<FxHashSet<String>> },
    Nothing,
}

type Set = Arc<Vec<Arc<Compiled>>>;

/// The rules of one group.
pub(super) struct RuleBook<'a> {
    state: &'a State,
    rules: Cow<'a, RulesInForce>,
    /// Erasures of the same group.
    erasures: Erasures,
    fixed: Option<BTreeMap<ProjectId, Set>>,
    compiled: FxHashMap<(u32, u32), Arc<Compiled>>,
    /// Per project and shard: from which offset on which rules.
    spans: FxHashMap<(ProjectId, Shard), Vec<(u64, Set)>>,
}

impl<'a> RuleBook<'a> {
    /// The rules of a state, those of the group's control records, in this mode.
    pub fn new<'c>(
        state: &'a State,
        controls: impl Iterator<Item = (Position, &'c Control)>,
        mode: &Mode,
    ) -> RuleBook<'a> {
        let mut rules = Cow::Borrowed(&state.controls().rules);
        let mut erasures = Erasures::default();
        for (position, control) in controls {
            match control {
                Control::Rule(rule) => rules.to_mut().add(position, rule),
                Control::Erase(erasure) => erasures.add(position, erasure),
                Control::Refused { .. } | Control::Throttled { .. } | Control::Redrive(_) => {}
            }
        }
        let fixed = match mode {
            Mode::AsOfPosition => None,
            Mode::With(rules) => Some(by_project(rules)),
        };
        RuleBook {
            state,
            rules,
            erasures,
            fixed,
            compiled: FxHashMap::default(),
            spans: FxHashMap::default(),
        }
    }

    /// The rule that keeps this event from becoming a row, if any: a forgotten person first, then by number.
    pub fn verdict(
        &mut self,
        project: ProjectId,
        position: Position,
        seq: Seq,
        event: &Event,
    ) -> Option<u32> {
        if self.is_erased(project, seq, event) {
            return Some(ERASED_RULE);
        }
        self.set(project, position)?.iter().find(|rule| rule.drops(event)).map(|rule| rule.id)
    }

    /// Leaves out the properties that are not to be stored. True if there were any.
    pub fn strip(&mut self, project: ProjectId, position: Position, event: &mut Event) -> bool {
        self.set(project, position).is_some_and(|set| strip(&set, event))
    }

    /// The same by the rules in force at the position, whatever the mode.
    pub fn strip_as_of(&mut self, project: ProjectId, position: Position, event: &mut Event) -> bool {
        self.set_at(project, position).is_some_and(|set| strip(&set, event))
    }

    fn is_erased(&self, project: ProjectId, seq: Seq, event: &Event) -> bool {
        let held = self.state.project(project).map(|p| p.erased());
        if self.erasures.is_empty() && held.is_none_or(|e| e.is_empty()) {
            return false;
        }
        let user = event.user_id.as_deref().map(|u| (SubjectKind::User, u));
        let device = event.device_id.as_deref().map(|d| (SubjectKind::Device, d));
        let Some((kind, raw)) = user.or(device) else { return false };
        let names = |e: &Erasure| e.subjects.iter().any(|(k, r)| *k == kind && r == raw);
        held.is_some_and(|e| e.hides_raw(kind, raw, seq))
            || self.erasures.of(project).any(|w| w.reaches(seq) && names(&w.erasure))
    }

    fn set(&mut self, project: ProjectId, position: Position) -> Option<Set> {
        match &self.fixed {
            Some(fixed) => fixed.get(&project).cloned(),
            None => self.set_at(project, position),
        }
    }

    fn set_at(&mut self, project: ProjectId, position: Position) -> Option<Set> {
        if self.rules.is_empty() {
            return None;
        }
        let shard = position.shard();
        if !self.spans.contains_key(&(project, shard)) {
            let spans = self.spans_of(project, shard);
            self.spans.insert((project, shard), spans);
        }
        let spans = self.spans.get(&(project, shard))?;
        let after = spans.partition_point(|(from, _)| *from < position.offset);
        let (_, set) = spans.get(after.checked_sub(1)?)?;
        (!set.is_empty()).then(|| Arc::clone(set))
    }

    fn spans_of(&mut self, project: ProjectId, shard: Shard) -> Vec<(u64, Set)> {
        let mut starts: Vec<u64> =
            self.rules.history(project).filter_map(|v| v.from.get(&shard).copied()).collect();
        starts.sort_unstable();
        starts.dedup();
        let rules = &self.rules;
        let mut spans = Vec::with_capacity(starts.len());
        for from in starts {
            let after = Position { lane: shard.lane, partition: shard.partition, offset: from + 1 };
            let set = rules.at(project, after).map(|v| {
                let fresh = || Arc::new(compile_or_nothing(&v.rule));
                Arc::clone(self.compiled.entry((v.rule.id, v.rule.version)).or_insert_with(fresh))
            });
            spans.push((from, Arc::new(set.collect())));
        }
        spans
    }
}

/// What is wrong with a rule record, if anything.
pub(super) fn broken(control: &Control) -> Option<BrokenRule> {
    let Control::Rule(rule) = control else { return None };
    let problem = problem_of(rule)?;
    Some(BrokenRule { rule: rule.id, version: rule.version, problem })
}

fn by_project(rules: &[Rule]) -> BTreeMap<ProjectId, Set> {
    let mut sorted: Vec<&Rule> = rules.iter().filter(|r| r.enabled).collect();
    sorted.sort_by_key(|r| r.id);
    let mut sets: BTreeMap<ProjectId, Vec<Arc<Compiled>>> = BTreeMap::new();
    for rule in sorted {
        sets.entry(rule.project).or_default().push(Arc::new(compile_or_nothing(rule)));
    }
    sets.into_iter().map(|(project, set)| (project, Arc::new(set))).collect()
}

fn compile_or_nothing(rule: &Rule) -> Compiled {
    Compiled { id: rule.id, effect: compile(rule).unwrap_or(Effect::Nothing) }
}

fn compile(rule: &Rule) -> Result<Effect, String> {
    let set = |names: &Vec<String>| names.iter().cloned().collect::<FxHashSet<String>>();
    Ok(match &rule.action {
        RuleAction::Drop { events, conditions } => {
            let list = Value::Array(conditions.clone());
            let parsed = Condition::parse(&list, "conditions").and_then(|c| c.compile());
            let expr = parsed.map_err(|e| e.to_string())?;
            if let Some(other) = expr.properties().into_iter().find(|p| p.scope != Scope::Event) {
                return Err(format!(
                    "a drop rule can only look at the event itself: `{}` is a property of scope `{}`",
                    other.path, other.scope
                ));
            }
            Effect::Drop { events: set(events), expr }
        }
        RuleAction::Block { devices, users } => Effect::Block { devices: set(devices), users: set(users) },
        RuleAction::Properties { deny, allow } => {
            Effect::Properties { deny: set(deny), allow: allow.as_ref().map(set) }
        }
        RuleAction::Settings { .. } => Effect::Nothing,
    })
}

impl Compiled {
    fn drops(&self, event: &Event) -> bool {
        let among =
            |ids: &FxHashSet<String>, id: &Option<String>| id.as_ref().is_some_and(|id| ids.contains(id));
        match &self.effect {
            Effect::Drop { events, expr } => {
                (events.is_empty() || events.contains(&event.name)) && expr.matches(&event.properties)
            }
            Effect::Block { devices, users } => {
                among(devices, &event.device_id) || among(users, &event.user_id)
            }
            Effect::Properties { .. } | Effect::Nothing => false,
        }
    }
}

fn strip(set: &[Arc<Compiled>], event: &mut Event) -> bool {
    let mut stripped = false;
    for rule in set {
        let Effect::Properties { deny, allow } = &rule.effect else { continue };
        let stays = |name: &str| {
            // The empty name is "clear all", which names no property.
            name.is_empty() || (!deny.contains(name) && allow.as_ref().is_none_or(|a| a.contains(name)))
        };
        let count = |e: &Event| e.properties.len() + e.person_ops.len() + e.group_ops.len();
        let before = count(event);
        event.properties.retain(|name, _| stays(name));
        event.person_ops.retain(|op| stays(&op.name));
        event.group_ops.retain(|(.., op)| stays(&op.name));
        stripped |= before != count(event);
    }
    stripped
}
