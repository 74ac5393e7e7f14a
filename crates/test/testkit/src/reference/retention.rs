//! Chapter 4 from the text: calendar and rolling; on, on_or_after, bracket.

use super::calendar::{Bucket, unit_ms};
use super::check_keys;
use super::events::Prepared;
use super::segmentation::matching;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use tallymark_model::Millis;

const KEYS: &[&str] = &[
    "type",
    "start",
    "return",
    "range",
    "interval",
    "periods",
    "mode",
    "kind",
    "brackets",
    "cohort_by",
    "day0",
    "min_returns",
    "rolling_round",
    "segment",
    "breakdown",
    "limit",
    "other",
    "count_by",
    "as_of",
];
const SELECTOR: &[&str] = &["event", "where", "nth", "nth_of"];

/// A start that counts: which interval, whose, which event (an index into the stream).
#[derive(Debug, Clone)]
struct Start<'p> {
    cohort: usize,
    actor: &'p str,
    event: usize,
}

struct Rules {
    rolling: bool,
    round_ms: Millis,
    unit: Millis,
    min: u64,
    cells: Vec<Cell>,
    cohorts: usize,
    buckets: Vec<Bucket>,
    returns: HashMap<String, Vec<usize>>,
}

/// A column: offsets from `a` to `b`, or any from `a` on.
#[derive(Clone, Copy)]
enum Cell {
    Size,
    On(i64),
    OrAfter(i64),
    Bracket(i64, i64),
}

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", KEYS)?;
    check_keys(&query["start"], "start", SELECTOR)?;
    check_keys(&query["return"], "return", SELECTOR)?;
    let rules = rules(prepared, query)?;
    let starts = starts(prepared, query, &rules)?;
    let mut answer = if query["breakdown"].is_null() {
        table(prepared, &rules, &starts)
    } else {
        groups(prepared, query, &rules, &starts)?
    };
    answer["as_of"] = json!(prepared.as_of);
    Ok(answer)
}

fn rules(prepared: &Prepared, query: &Value) -> Result<Rules, String> {
    let interval = query["interval"].as_str().unwrap_or("day");
    let periods = query["periods"].as_i64().unwrap_or(7);
    let zero = match query["day0"].as_str().unwrap_or("size") {
        "size" => Cell::Size,
        "returned" => Cell::On(0),
        other => return Err(format!("day0: {other} is unknown")),
    };
    let cells: Vec<Cell> = match query["kind"].as_str().unwrap_or("on") {
        "on" => [zero].into_iter().chain((1..=periods).map(Cell::On)).collect(),
        "on_or_after" => [zero].into_iter().chain((1..=periods).map(Cell::OrAfter)).collect(),
        "bracket" => {
            let brackets = query["brackets"].as_array().ok_or("brackets: expected a list")?;
            let bound = |b: &Value, i: usize| b[i].as_i64().ok_or("brackets: expected pairs of numbers");
            let cell = |b| Ok::<_, String>(Cell::Bracket(bound(b, 0)?, bound(b, 1)?));
            brackets.iter().map(cell).collect::<Result<_, _>>()?
        }
        other => return Err(format!("kind: {other} is not computed by the reference")),
    };
    // Enough buckets after the range for every cell and every return.
    let mut buckets = prepared.calendar.buckets(prepared.range, interval)?;
    let cohorts = buckets.len();
    let furthest = cells.iter().map(|c| c.last()).max().unwrap_or(0) as usize;
    while buckets.last().is_some_and(|b| b.end <= prepared.as_of) || buckets.len() < cohorts + furthest {
        let Some(last) = buckets.last() else { break };
        let next = prepared.calendar.bucket(last.end, interval)?;
        buckets.push(next);
    }
    let mut returns: HashMap<String, Vec<usize>> = HashMap::new();
    for (i, matches) in matching(prepared, &query["return"])?.into_iter().enumerate() {
        if let Some(actor) = prepared.events[i].actor.as_ref().filter(|_| matches) {
            returns.entry(actor.clone()).or_default().push(i);
        }
    }
    Ok(Rules {
        rolling: match query["mode"].as_str().unwrap_or("calendar") {
            "calendar" => false,
            "rolling" => true,
            other => return Err(format!("mode: {other} is unknown")),
        },
        round_ms: if query["rolling_round"] == "hour" { unit_ms("hour")? } else { 1 },
        unit: unit_ms(interval)?,
        min: query["min_returns"].as_u64().unwrap_or(1),
        cells,
        cohorts,
        buckets,
        returns,
    })
}

/// The starts that count, in stream order.
fn starts<'p>(prepared: &'p Prepared, query: &Value, rules: &Rules) -> Result<Vec<Start<'p>>, String> {
    let by = query["cohort_by"].as_str().unwrap_or("any");
    let mut all = Vec::new();
    for (i, matches) in matching(prepared, &query["start"])?.into_iter().enumerate() {
        let seen = &prepared.events[i];
        if let Some(actor) = seen.actor.as_deref()
            && matches
            && prepared.passes(seen, &query["segment"])?
        {
            all.push((i, actor));
        }
    }
    let mut started: HashSet<&str> = HashSet::new();
    let mut in_cohort: HashSet<(usize, &str)> = HashSet::new();
    let mut starts = Vec::new();
    for (event, actor) in all {
        let in_range = prepared.in_range(&prepared.events[event]);
        let first = match by {
            "any" => true,
            "first_time" => started.insert(actor),
            "first_in_range" => in_range && started.insert(actor),
            other => return Err(format!("cohort_by: {other} is unknown")),
        };
        if !first || !in_range {
            continue;
        }
        let cohort = rules.index(prepared.events[event].event.time);
        // Calendar: "in each cohort interval only the actor's first start counts".
        if in_cohort.insert((cohort, actor)) || rules.rolling {
            starts.push(Start { cohort, actor, event });
        }
    }
    Ok(starts)
}

impl Cell {
    fn first(self) -> i64 {
        match self {
            Cell::Size => 0,
            Cell::On(k) | Cell::OrAfter(k) | Cell::Bracket(k, _) => k,
        }
    }

    fn last(self) -> i64 {
        match self {
            Cell::Bracket(_, b) => b,
            other => other.first(),
        }
    }

    /// Whether the number of returns per offset puts a member into this cell.
    fn has(self, returns: &BTreeMap<i64, u64>, min: u64) -> bool {
        match self {
            Cell::Size => true,
            Cell::On(k) => returns.get(&k).copied().unwrap_or(0) >= min,
            Cell::OrAfter(k) => returns.iter().any(|(offset, n)| *offset >= k && *n >= min),
            Cell::Bracket(a, b) => {
                returns.iter().filter(|(o, _)| a <= **o && **o <= b).map(|(_, n)| n).sum::<u64>() >= min
            }
        }
    }
}

impl Rules {
    fn index(&self, time: Millis) -> usize {
        self.buckets.iter().position(|b| b.start <= time && time < b.end).unwrap_or(usize::MAX)
    }

    fn offset(&self, start: Millis, back: Millis) -> i64 {
        if self.rolling {
            let floor = |t: Millis| t.div_euclid(self.round_ms) * self.round_ms;
            (floor(back) - floor(start)).div_euclid(self.unit)
        } else {
            self.index(back) as i64 - self.index(start) as i64
        }
    }

    /// (begun, complete) of a cell.
    fn state(&self, cohort: usize, cell: Cell, as_of: Millis) -> (bool, bool) {
        let (a, b) = (cell.first(), cell.last());
        let (start, end) = if self.rolling {
            let bucket = &self.buckets[cohort];
            (bucket.start + a * self.unit, bucket.end + (b + 1) * self.unit)
        } else {
            (self.buckets[cohort + a as usize].start, self.buckets[cohort + b as usize].end)
        };
        (start <= as_of, end <= as_of)
    }
}

fn table(prepared: &Prepared, rules: &Rules, starts: &[Start]) -> Value {
    let time = |i: usize| prepared.events[i].event.time;
    let mut overall: Vec<(u64, u64)> = vec![(0, 0); rules.cells.len()];
    let mut rows = Vec::new();
    for cohort in 0..rules.cohorts {
        let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for start in starts.iter().filter(|s| s.cohort == cohort) {
            members.entry(start.actor).or_default().push(start.event);
        }
        let (mut values, mut complete) = (Vec::new(), Vec::new());
        for (k, cell) in rules.cells.iter().enumerate() {
            let returned = |(actor, events): &(&&str, &Vec<usize>)| {
                // One start that brought the member back is enough.
                events.iter().any(|start| {
                    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
                    for back in rules.returns.get(**actor).into_iter().flatten().filter(|r| *r > start) {
                        *counts.entry(rules.offset(time(*start), time(*back))).or_default() += 1;
                    }
                    cell.has(&counts, rules.min)
                })
            };
            let count = members.iter().filter(returned).count() as u64;
            let (begun, done) = rules.state(cohort, *cell, prepared.as_of);
            values.push(if begun { json!(count) } else { Value::Null });
            complete.push(begun && done);
            if begun && done {
                overall[k].0 += count;
                overall[k].1 += members.len() as u64;
            }
        }
        let label = &rules.buckets[cohort].label;
        rows.push(json!({"cohort": label, "size": members.len(), "values": values, "complete": complete}));
    }
    let rate = |(n, of): (u64, u64)| if of == 0 { Value::Null } else { json!(n as f64 / of as f64) };
    json!({"cohorts": rows, "overall": overall.into_iter().map(rate).collect::<Vec<_>>()})
}

fn groups(prepared: &Prepared, query: &Value, rules: &Rules, starts: &[Start]) -> Result<Value, String> {
    let by = match &query["breakdown"] {
        Value::Array(dimensions) if dimensions.len() == 1 => &dimensions[0],
        Value::Array(_) => return Err("breakdown: the reference takes one dimension".into()),
        single => single,
    };
    let mut by_label: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, start) in starts.iter().enumerate() {
        for label in prepared.labels(&prepared.events[start.event], by)? {
            by_label.entry(label).or_default().push(i);
        }
    }
    let size = |indices: &Vec<usize>| {
        indices.iter().map(|i| (starts[*i].cohort, starts[*i].actor)).collect::<HashSet<_>>().len()
    };
    let mut ranked: Vec<(String, Vec<usize>)> = by_label.into_iter().collect();
    ranked.sort_by_key(|(_, indices)| std::cmp::Reverse(size(indices)));
    let limit = query["limit"].as_u64().unwrap_or(100) as usize;
    let rest: HashSet<usize> = ranked.iter().skip(limit).flat_map(|(_, i)| i).copied().collect();
    ranked.truncate(limit);
    if !rest.is_empty() && query["other"] != false {
        let mut rest: Vec<usize> = rest.into_iter().collect();
        rest.sort_unstable();
        ranked.push(("$other".into(), rest));
    }
    let mut rows = Vec::new();
    for (label, indices) in ranked {
        let part: Vec<Start> = indices.iter().map(|i| starts[*i].clone()).collect();
        let mut row = table(prepared, rules, &part);
        row["breakdown"] = json!(label);
        rows.push(row);
    }
    Ok(json!({"groups": rows}))
}
