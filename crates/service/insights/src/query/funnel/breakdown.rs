//! `breakdown` of a funnel and its `at` (chapter 3.7).

use crate::Error;
use crate::query::labelled::dimensions;
use crate::query::{BreakdownSpec, Reader};

/// Whose value is the group of an actor; steps from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Step(usize),
    FirstTouch,
    LastTouch,
    /// A funnel for each value, whose every step carries it.
    AllSteps,
    /// A funnel for each value, of which that step carries it.
    FilterStep(usize),
}

pub(super) fn breakdown(query: &Reader<'_>, steps: usize) -> Result<(Vec<BreakdownSpec>, Vec<At>), Error> {
    let mut specs = Vec::new();
    let mut all: Vec<At> = Vec::new();
    for (spec, text) in dimensions(query)? {
        all.push(match &text {
            None => At::Step(0),
            Some(text) => at(text, steps).ok_or_else(|| {
                let problem = format!("{text:?} is not known");
                let hint = "step:1, step:k, first_touch, last_touch, all_steps or filter_step:k";
                query.wrong("breakdown.at", problem, hint)
            })?,
        });
        specs.push(spec);
    }
    let filters = |at: &At| matches!(at, At::AllSteps | At::FilterStep(_));
    if all.iter().any(filters) && all.iter().any(|at| *at != all[0]) {
        let why = "make one funnel for each value, which cannot have another label as well";
        return Err(Error::combination("breakdown.at", "`all_steps` and `filter_step:k`", why));
    }
    Ok((specs, all))
}

fn at(text: &str, steps: usize) -> Option<At> {
    let step = |k: &str| k.parse::<usize>().ok().filter(|k| (1..=steps).contains(k)).map(|k| k - 1);
    match text {
        "first_touch" => Some(At::FirstTouch),
        "last_touch" => Some(At::LastTouch),
        "all_steps" => Some(At::AllSteps),
        _ => match (text.strip_prefix("step:"), text.strip_prefix("filter_step:")) {
            (Some(k), _) => step(k).map(At::Step),
            (_, Some(k)) => step(k).map(At::FilterStep),
            _ => None,
        },
    }
}
