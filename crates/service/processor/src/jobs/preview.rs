//! Trying a rule that is not saved: what would it filter of what was received?
//!
//! Guarantees: nothing is written; the rule is judged by the code that would apply it.
//! Deliberately not here: other rules (one is tried by itself, on every event of its project).

use super::Stepped;
use super::reprocess::Scope;
use super::spec::ReprocessSpec;
use crate::committer::{Committer, aside};
use crate::error::ProcessorError;
use crate::redrive::lasting;
use crate::source;
use crate::steps::decide::{Rules, decide};
use crate::steps::decode::{Content, Decoded, decode_again};
use crate::steps::rules::{Mode, problem_of};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tallymark_catalog::Job;
use tallymark_ledger::{Interval, IntervalSet};
use tallymark_log::ReadLimit;
use tallymark_model::{CommitId, Outcome, Position, Rule};
use tallymark_state::{State, StateConfig};

/// Samples kept per name.
const SAMPLES: usize = 3;
/// Names in the report.
const NAMES: usize = 200;
/// Names that are counted; the rest is counted together.
const NAMES_HELD: usize = 10_000;

#[derive(Default)]
struct Name {
    examined: u64,
    filtered: u64,
    samples: Vec<Value>,
}

pub(crate) struct Preview {
    pub(crate) scope: Scope,
    rule: Rule,
    names: BTreeMap<String, Name>,
    examined: u64,
    filtered: u64,
    unreadable: u64,
}

impl Preview {
    pub(crate) async fn open(
        committer: &mut Committer,
        job: &Job,
        spec: &ReprocessSpec,
        rule: &Rule,
    ) -> Result<Result<Preview, String>, ProcessorError> {
        if !job.dry_run {
            return Ok(Err("an unsaved rule can only be tried: ask for a dry run".to_owned()));
        }
        if let Some(problem) = problem_of(rule) {
            return Ok(Err(format!("the rule cannot be evaluated: {problem}")));
        }
        let rule = Rule { enabled: true, ..rule.clone() };
        let scope = Scope::of(committer, spec, Some(rule.project)).await?;
        Ok(scope.map(|scope| Preview {
            scope,
            rule,
            names: BTreeMap::new(),
            examined: 0,
            filtered: 0,
            unreadable: 0,
        }))
    }

    pub(crate) async fn step(
        &mut self,
        committer: &mut Committer,
        limit: ReadLimit,
    ) -> Result<Stepped, ProcessorError> {
        let Some(next) = self.scope.todo.front().copied() else { return Ok(Stepped::Done) };
        let stock = source::read(&committer.deps, next, limit).await?;
        let chunk = Interval { to: stock.to, ..next };
        self.unreadable += stock.gone.iter().map(|(i, ..)| i.len()).sum::<u64>();
        let mended = &committer.state()?.controls().mended;
        let mended = lasting(&committer.deps, &stock.records, mended, &IntervalSet::new()).await?;
        let decode = committer.deps.decode;
        let records = aside("decode", move || decode_again(stock.records, &mended, decode)).await?;
        let Some(mut rules) = committer.rules(&records, &[]).await? else { return Ok(Stepped::Stopped) };
        rules.mode = Mode::With(Arc::new(vec![self.rule.clone()]));
        let records: Vec<Decoded> = records.into_iter().filter(|r| self.is_asked(r, &rules)).collect();
        let (log, judged) = (committer.deps.log.id(), records.clone());
        let filtered = aside("preview", move || {
            let id = CommitId(uuid::Uuid::nil());
            let decided = decide(log, id, judged, &State::empty(StateConfig::default()), &rules);
            let is_filtered = |o: &Outcome| matches!(o, Outcome::Filtered { .. });
            let exceptions = decided.delta.exceptions.into_iter();
            exceptions.filter(|e| is_filtered(&e.outcome)).map(|e| e.position).collect::<Vec<Position>>()
        })
        .await?;
        for record in records {
            let hit = filtered.binary_search(&record.position).is_ok();
            self.count(record, hit);
        }
        self.scope.done(chunk.to);
        Ok(Stepped::Chunk(chunk.len()))
    }

    fn is_asked(&self, record: &Decoded, rules: &Rules) -> bool {
        let Content::Event { token, project, event: Ok(_), .. } = &record.content else { return false };
        let owner = project.or_else(|| rules.projects.get(token).copied());
        owner == Some(self.rule.project) && self.scope.holds(record.received_at)
    }

    fn count(&mut self, record: Decoded, hit: bool) {
        let Content::Event { event: Ok(event), .. } = record.content else { return };
        self.examined += 1;
        self.filtered += u64::from(hit);
        let full = self.names.len() >= NAMES_HELD && !self.names.contains_key(&event.name);
        let name =
            self.names.entry(if full { "(other names)".to_owned() } else { event.name.clone() }).or_default();
        name.examined += 1;
        name.filtered += u64::from(hit);
        if hit && name.samples.len() < SAMPLES {
            name.samples.push(json!({
                "position": record.position, "received_at": record.received_at, "event": event,
            }));
        }
    }

    pub(crate) fn report(&self) -> Value {
        let mut names: Vec<(&String, &Name)> = self.names.iter().collect();
        names.sort_by_key(|(_, n)| (std::cmp::Reverse(n.filtered), std::cmp::Reverse(n.examined)));
        let names: Vec<Value> = names
            .into_iter()
            .take(NAMES)
            .map(|(event, n)| {
                json!({"event": event, "examined": n.examined, "filtered": n.filtered, "samples": n.samples})
            })
            .collect();
        json!({
            "examined": self.examined, "filtered": self.filtered, "unreadable": self.unreadable, "names": names,
        })
    }
}
