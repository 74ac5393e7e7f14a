//! Steps, exclusions and held properties of a funnel.

use super::step_of;
use crate::Error;
use crate::operators::attempt::STEPS_MAX;
use crate::query::Reader;
use crate::query::parts::{self, SelectorSpec};
use serde_json::Value;
use tallymark_model::Millis;
use tallymark_predicate::PropertyRef;

/// Most exclusions: with all steps and what lies between, they are bits of a word.
const EXCLUSIONS_MAX: usize = 10;
/// Most held properties.
const HOLD_MAX: usize = 5;

/// One step.
#[derive(Debug, Clone)]
pub(crate) struct StepSpec {
    pub selector: SelectorSpec,
    /// Longest time since the step before.
    pub within: Option<Millis>,
    /// Attempts are built without it.
    pub optional: bool,
    /// In any order, its place is fixed.
    pub anchor: bool,
}

/// An event that must not come between two steps, which are counted from 0.
#[derive(Debug, Clone)]
pub(crate) struct ExclusionSpec {
    pub selector: SelectorSpec,
    pub from: usize,
    pub to: usize,
}

pub(super) fn steps(query: &Reader<'_>) -> Result<Vec<StepSpec>, Error> {
    let list = query.list("steps")?;
    let list = list.ok_or_else(|| query.missing("steps", r#"[{"event":"view"},{"event":"buy"}]"#))?;
    if list.is_empty() || list.len() > STEPS_MAX {
        let problem = format!("has {} entries", list.len());
        return Err(query.wrong("steps", problem, format!("1 to {STEPS_MAX} steps")));
    }
    list.iter().enumerate().map(|(i, value)| step(value, i)).collect()
}

fn step(value: &Value, i: usize) -> Result<StepSpec, Error> {
    let from = Reader::new(value, &format!("steps[{i}]"))?;
    let found = StepSpec {
        selector: parts::selector(&from)?,
        within: parts::duration(&from, "within")?,
        optional: from.flag("optional")?.unwrap_or(false),
        anchor: from.flag("anchor")?.unwrap_or(false),
    };
    from.finish()?;
    Ok(found)
}

pub(super) fn exclusions(query: &Reader<'_>, steps: usize) -> Result<Vec<ExclusionSpec>, Error> {
    let list = query.list("exclusions")?.unwrap_or_default();
    if list.len() > EXCLUSIONS_MAX {
        let problem = format!("has {} entries", list.len());
        return Err(query.wrong("exclusions", problem, format!("at most {EXCLUSIONS_MAX}")));
    }
    let one = |(i, value): (usize, &Value)| {
        let from = Reader::new(value, &format!("exclusions[{i}]"))?;
        let found = ExclusionSpec {
            selector: parts::selector(&from)?,
            from: step_of(&from, "from", 0, steps)?,
            to: step_of(&from, "to", steps - 1, steps)?,
        };
        if found.from >= found.to {
            return Err(from.wrong("to", "must come after `from`", "numbers of two steps, from 1"));
        }
        from.finish()?;
        Ok(found)
    };
    list.iter().enumerate().map(one).collect()
}

pub(super) fn hold(query: &Reader<'_>) -> Result<Vec<PropertyRef>, Error> {
    let list = match query.get("hold") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    if list.len() > HOLD_MAX {
        return Err(query.wrong("hold", "has too many properties", format!("at most {HOLD_MAX}")));
    }
    let one = |(i, value): (usize, &Value)| {
        let from = Reader::new(value, &format!("hold[{i}]"))?;
        let found = parts::property(&from)?;
        from.finish()?;
        Ok(found)
    };
    list.iter().enumerate().map(one).collect()
}
