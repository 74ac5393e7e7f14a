//! Combinations of a funnel's options that mean nothing, refused by name.

use super::{FunnelQuery, Order};
use crate::Error;
use crate::query::Reader;
use tallymark_model::Millis;

/// Most bars of a histogram.
const BARS_MAX: Millis = 10_000;

pub(super) fn check(query: &FunnelQuery, from: &Reader<'_>) -> Result<(), Error> {
    steps(query)?;
    order(query)?;
    over_time(query)?;
    totals(query)?;
    if let Some(bars) = query.histogram
        && (query.window - bars.min) / bars.width >= BARS_MAX
    {
        let problem = format!("makes more than {BARS_MAX} bars of the window");
        return Err(from.wrong("histogram", problem, "wider bars"));
    }
    match &query.common.microscope {
        Some(_) if query.totals => {
            no("microscope", "`microscope`", "finds no actors: `count: \"totals\"` counts attempts")
        }
        Some(_) if !query.hold.is_empty() && !query.hold_actor => no(
            "microscope",
            "`microscope`",
            "needs `hold_unit: \"actor\"`: the numbers count pairs of actor and value",
        ),
        _ => Ok(()),
    }
}

fn steps(query: &FunnelQuery) -> Result<(), Error> {
    let last = query.steps.len() - 1;
    for (i, step) in query.steps.iter().enumerate() {
        let at = |key: &str| format!("steps[{i}].{key}");
        if step.optional && (i == 0 || i == last) {
            return no(
                at("optional"),
                "`optional`",
                "is for middle steps: attempts begin and end at the others",
            );
        }
        if step.optional && query.order != Order::This {
            return no(
                at("optional"),
                "`optional`",
                "is for `this_order`: elsewhere nothing can be left out, or everything can",
            );
        }
        if step.anchor && query.order != Order::Any {
            return no(at("anchor"), "`anchor`", "is for `any_order`: elsewhere every step has its place");
        }
        if step.within.is_some() && query.order == Order::Any {
            return no(at("within"), "`within`", "needs an order: in `any_order` no step is the one before");
        }
        if step.within.is_some() && i == 0 {
            return no(at("within"), "`within`", "counts from the step before, which the first has not");
        }
    }
    Ok(())
}

fn order(query: &FunnelQuery) -> Result<(), Error> {
    let last = query.steps.len() - 1;
    if query.order == Order::Any && query.strict {
        return no(
            "strict_increase",
            "`strict_increase`",
            "needs an order: in `any_order` no step is before another",
        );
    }
    for (i, exclusion) in query.exclusions.iter().enumerate() {
        let at = format!("exclusions[{i}]");
        if query.order == Order::Any && (exclusion.from != 0 || exclusion.to != last) {
            return no(
                at,
                "`from` and `to`",
                "need an order: in `any_order` an exclusion cuts the whole stream",
            );
        }
        if query.steps[exclusion.from].optional || query.steps[exclusion.to].optional {
            return no(
                at,
                "an exclusion at an optional step",
                "has no place: attempts are built without that step",
            );
        }
    }
    Ok(())
}

fn over_time(query: &FunnelQuery) -> Result<(), Error> {
    let Some(over_time) = query.over_time else { return Ok(()) };
    if query.steps[over_time.from_step].optional || query.steps[over_time.to_step].optional {
        return no("over_time", "an optional step", "cannot be where conversion is counted from or to");
    }
    for (key, given) in [
        ("histogram", query.histogram.is_some()),
        ("percentiles", !query.percentiles.is_empty()),
        ("between", query.between.is_some()),
    ] {
        if given {
            return no(key, format!("`{key}`"), "has no place beside `over_time`, whose answer has no times");
        }
    }
    Ok(())
}

fn totals(query: &FunnelQuery) -> Result<(), Error> {
    if query.totals && query.remove && !query.exclusions.is_empty() && query.order != Order::Any {
        return no(
            "exclusion_effect",
            "`remove`",
            "removes actors, while `count: \"totals\"` counts attempts",
        );
    }
    if query.totals && query.hold_actor && !query.hold.is_empty() {
        return no("hold_unit", "`actor`", "counts an actor once, while `count: \"totals\"` counts attempts");
    }
    Ok(())
}

fn no(at: impl Into<String>, what: impl Into<String>, why: &str) -> Result<(), Error> {
    Err(Error::combination(at, what, why))
}
