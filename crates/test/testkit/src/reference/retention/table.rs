//! Cohorts, their cells, the overall line (4.3 to 4.6).

use super::super::events::Prepared;
use super::super::values::{at_path, number};
use super::cells::Cell;
use super::rules::{Rules, Start};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What happened in one cell of one cohort.
struct Outcome<'p> {
    returned: BTreeSet<&'p str>,
    sum: f64,
}

pub fn table(prepared: &Prepared, rules: &Rules, starts: &[Start]) -> Value {
    let mut overall = vec![Overall::default(); rules.cells.len()];
    let mut rows = Vec::new();
    for cohort in 0..rules.cohorts {
        let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for start in starts.iter().filter(|s| s.cohort == cohort) {
            members.entry(start.actor).or_default().push(start.event);
        }
        let (mut values, mut complete) = (Vec::new(), Vec::new());
        for (cell, overall) in rules.cells.iter().zip(&mut overall) {
            let outcome = outcome(prepared, rules, &members, *cell);
            let value = match &rules.measure {
                None => json!(outcome.returned.len()),
                Some(m) if m.average => json!(ratio(outcome.sum, members.len())),
                Some(_) => json!(outcome.sum),
            };
            let (begun, done) = rules.state(cohort, *cell, prepared.as_of);
            values.push(if begun { value } else { Value::Null });
            complete.push(begun && done);
            if begun && done {
                overall.size += members.len();
                overall.count += outcome.returned.len();
                overall.sum += outcome.sum;
                overall.members.extend(members.keys().copied());
                overall.returned.extend(outcome.returned);
            }
        }
        let label = &rules.buckets[cohort].label;
        rows.push(json!({"cohort": label, "size": members.len(), "values": values, "complete": complete}));
    }
    let rate = |o: Overall| match (&rules.measure, rules.dedup) {
        (None, true) => ratio(o.returned.len() as f64, o.members.len()),
        (None, false) => ratio(o.count as f64, o.size),
        (Some(_), _) => ratio(o.sum, o.size),
    };
    json!({"cohorts": rows, "overall": overall.into_iter().map(rate).collect::<Vec<_>>()})
}

#[derive(Clone, Default)]
struct Overall<'p> {
    size: usize,
    count: usize,
    sum: f64,
    members: BTreeSet<&'p str>,
    returned: BTreeSet<&'p str>,
}

fn ratio(a: f64, b: usize) -> Value {
    if b == 0 { Value::Null } else { json!(a / b as f64) }
}

fn outcome<'p>(
    prepared: &Prepared,
    rules: &Rules,
    members: &BTreeMap<&'p str, Vec<usize>>,
    cell: Cell,
) -> Outcome<'p> {
    let time = |i: usize| prepared.events[i].event.time;
    let mut outcome = Outcome { returned: BTreeSet::new(), sum: 0.0 };
    for (actor, events) in members {
        // Every start opens its own windows; one that brought the member back is enough.
        let mut returns: BTreeSet<usize> = BTreeSet::new();
        for start in events {
            let later = || rules.returns.get(*actor).into_iter().flatten().copied().filter(|r| r > start);
            let offset = |back: usize| rules.offset(time(*start), time(back));
            let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
            for back in later() {
                *counts.entry(offset(back)).or_default() += 1;
            }
            if cell.has(&counts, rules.min) {
                outcome.returned.insert(actor);
                returns.extend(later().filter(|back| cell.covers(offset(*back))));
            }
        }
        if let Some(measure) = &rules.measure {
            let value = |i: usize| at_path(&prepared.events[i].event.properties, &measure.property);
            outcome.sum += returns.iter().filter_map(|i| number(value(*i)?)).sum::<f64>();
        }
    }
    outcome
}
