//! What a query asks for, and which starts count.

use super::super::calendar::{Bucket, unit_ms};
use super::super::events::Prepared;
use super::super::segmentation::matching;
use super::cells::{Cell, cells};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use tallymark_model::Millis;

/// A start that counts: which interval, whose, which event (an index into the stream).
#[derive(Debug, Clone)]
pub struct Start<'p> {
    pub cohort: usize,
    pub actor: &'p str,
    pub event: usize,
}

/// Sum or average of a property of the event.
#[derive(Debug, Clone)]
pub struct Measure {
    pub average: bool,
    pub property: String,
}

pub struct Rules {
    pub rolling: bool,
    pub round_ms: Millis,
    pub unit: Millis,
    pub min: u64,
    pub cells: Vec<Cell>,
    pub cohorts: usize,
    pub buckets: Vec<Bucket>,
    pub returns: HashMap<String, Vec<usize>>,
    pub measure: Option<Measure>,
    pub dedup: bool,
}

impl Rules {
    pub fn new(prepared: &Prepared, query: &Value) -> Result<Rules, String> {
        let interval = query["interval"].as_str().unwrap_or("day");
        let cells = cells(query)?;
        // Enough buckets after the range for every cell and every return.
        let mut buckets = prepared.calendar.buckets(prepared.range, interval)?;
        let cohorts = buckets.len();
        let furthest = cells.iter().map(|c| c.span().1).max().unwrap_or(0) as usize;
        while buckets.last().is_some_and(|b| b.end <= prepared.as_of) || buckets.len() < cohorts + furthest {
            let Some(last) = buckets.last() else { break };
            let next = prepared.calendar.bucket(last.end, interval)?;
            buckets.push(next);
        }
        let mut returns: HashMap<String, Vec<usize>> = HashMap::new();
        for (i, matches) in matching(prepared, &query["return"])?.into_iter().enumerate() {
            let seen = &prepared.events[i];
            let meant =
                matches && (query["segment_scope"] != "all" || prepared.passes(seen, &query["segment"])?);
            if let Some(actor) = seen.actor.as_ref().filter(|_| meant) {
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
            measure: measure(&query["measure"])?,
            dedup: query["overall"] == "dedup_actors",
        })
    }

    pub fn index(&self, time: Millis) -> usize {
        // Hours of months are many: the one place where the reference does not look at everything.
        let at = self.buckets.partition_point(|b| b.end <= time);
        if self.buckets.get(at).is_some_and(|b| b.start <= time) { at } else { usize::MAX }
    }

    pub fn offset(&self, start: Millis, back: Millis) -> i64 {
        if self.rolling {
            let floor = |t: Millis| t.div_euclid(self.round_ms) * self.round_ms;
            (floor(back) - floor(start)).div_euclid(self.unit)
        } else {
            self.index(back) as i64 - self.index(start) as i64
        }
    }

    /// (begun, complete) of a cell.
    pub fn state(&self, cohort: usize, cell: Cell, as_of: Millis) -> (bool, bool) {
        let (a, b) = cell.span();
        let (start, end) = if self.rolling {
            let bucket = &self.buckets[cohort];
            (bucket.start + a * self.unit, bucket.end + (b + 1) * self.unit)
        } else {
            (self.buckets[cohort + a as usize].start, self.buckets[cohort + b as usize].end)
        };
        (start <= as_of, end <= as_of)
    }
}

fn measure(measure: &Value) -> Result<Option<Measure>, String> {
    let Some(map) = measure.as_object() else { return Ok(None) };
    let (name, property) = map.iter().next().ok_or("measure: sum or avg")?;
    let property = property.as_str().ok_or("measure: the reference takes properties of the event")?;
    Ok(Some(Measure { average: name == "avg", property: property.to_owned() }))
}

/// The starts that count, in stream order.
pub fn starts<'p>(prepared: &'p Prepared, query: &Value, rules: &Rules) -> Result<Vec<Start<'p>>, String> {
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
