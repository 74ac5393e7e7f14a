//! What a query asks for, and which event matches what.

use super::super::calendar::{Bucket, duration_ms};
use super::super::check_keys;
use super::super::events::Prepared;
use super::super::segmentation::matching;
use serde_json::Value;
use tallymark_model::Millis;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    This,
    Exact,
    Any,
}

#[derive(Debug, Clone)]
pub struct Exclusion {
    /// 0-based, as all step numbers here.
    pub from: usize,
    pub to: usize,
    pub matches: Vec<bool>,
}

#[derive(Debug, Clone)]
pub struct OverTime {
    pub buckets: Vec<Bucket>,
    pub from_step: usize,
    pub to_step: usize,
}

#[derive(Debug, Clone)]
pub struct Rules {
    pub order: Order,
    pub window: Millis,
    pub within: Vec<Option<Millis>>,
    pub tolerance: Millis,
    pub strict: bool,
    pub optional: Vec<bool>,
    pub anchor: Vec<bool>,
    pub first_listed: bool,
    pub allow_repeats: bool,
    /// Per step and event. Step 1 includes the segment; with `confine_to_range` only events of the range match.
    pub steps: Vec<Vec<bool>>,
    pub in_range: Vec<bool>,
    pub active: Vec<bool>,
    pub exclusions: Vec<Exclusion>,
    pub remove: bool,
    pub attempt: String,
    pub hold_actor: bool,
    pub totals: bool,
    pub over_time: Option<OverTime>,
    pub between: Option<Vec<bool>>,
    /// What chosen attempts must pass.
    pub tested: Option<Value>,
}

impl Rules {
    pub fn new(prepared: &Prepared, query: &Value) -> Result<Rules, String> {
        let list = query["steps"].as_array().ok_or("steps: expected a list")?;
        let mut rules = Rules {
            order: match query["order"].as_str().unwrap_or("this_order") {
                "this_order" => Order::This,
                "exact_order" => Order::Exact,
                "any_order" => Order::Any,
                other => return Err(format!("order: {other} is unknown")),
            },
            window: match &query["window"] {
                Value::Null => 86_400_000,
                window => duration_ms(window, "window")?,
            },
            within: Vec::new(),
            tolerance: query["tie_tolerance_ms"].as_i64().unwrap_or(0),
            strict: query["strict_increase"] == true,
            optional: list.iter().map(|s| s["optional"] == true).collect(),
            anchor: list.iter().map(|s| s["anchor"] == true).collect(),
            first_listed: query["any_order_entry"] == "first_listed",
            allow_repeats: query["exact_allow_repeats"] == true,
            steps: Vec::new(),
            in_range: prepared.events.iter().map(|e| prepared.in_range(e)).collect(),
            active: matching(prepared, &serde_json::json!({"event": "$active"}))?,
            exclusions: Vec::new(),
            remove: query["exclusion_effect"] == "remove",
            attempt: query["attempt"].as_str().unwrap_or("best").to_owned(),
            hold_actor: query["hold_unit"] == "actor",
            totals: query["count"] == "totals",
            over_time: None,
            between: None,
            tested: Some(query["segment"].clone())
                .filter(|s| query["segment_scope"] == "attribution" && !s.is_null()),
        };
        const STEP: &[&str] = &["event", "where", "nth", "nth_of", "within", "optional", "anchor"];
        for (i, step) in list.iter().enumerate() {
            check_keys(step, &format!("steps[{i}]"), STEP)?;
            let mut matches = matching(prepared, step)?;
            for (event, matches) in matches.iter_mut().enumerate() {
                let seen = &prepared.events[event];
                let scope = &query["segment_scope"];
                if scope != "attribution" && (i == 0 || scope == "all") {
                    *matches = *matches && prepared.passes(seen, &query["segment"])?;
                }
                if query["confine_to_range"] == true {
                    *matches = *matches && prepared.in_range(seen);
                }
            }
            rules.steps.push(matches);
            let within = &step["within"];
            rules.within.push(if within.is_null() { None } else { Some(duration_ms(within, "within")?) });
        }
        for exclusion in query["exclusions"].as_array().into_iter().flatten() {
            let place =
                |key: &str, default: usize| exclusion[key].as_u64().map_or(default, |n| n as usize) - 1;
            rules.exclusions.push(Exclusion {
                from: place("from", 1),
                to: place("to", list.len()),
                matches: matching(prepared, exclusion)?,
            });
        }
        let over_time = &query["over_time"];
        if over_time.is_object() {
            let step =
                |key: &str, default: usize| over_time[key].as_u64().map_or(default, |n| n as usize) - 1;
            let interval = over_time["interval"].as_str().unwrap_or("day");
            rules.over_time = Some(OverTime {
                buckets: prepared.calendar.buckets(prepared.range, interval)?,
                from_step: step("from_step", 1),
                to_step: step("to_step", list.len()),
            });
        }
        if query["between"].is_object() {
            rules.between = Some(matching(prepared, &query["between"])?);
        }
        Ok(rules)
    }

    /// Steps that an attempt needs, in order.
    pub fn required(&self) -> Vec<usize> {
        (0..self.steps.len()).filter(|k| !self.optional[*k]).collect()
    }

    /// "events matching step 1, inside the range, passing `segment`"; in any order, matching any step.
    pub fn is_entry(&self, event: usize) -> bool {
        let first = match self.order {
            Order::Any => self.blocks()[0].clone(),
            _ => vec![0],
        };
        self.in_range[event] && first.iter().any(|k| self.steps[*k][event])
    }

    /// Steps between anchors, and anchors alone.
    pub fn blocks(&self) -> Vec<Vec<usize>> {
        let mut blocks: Vec<Vec<usize>> = Vec::new();
        for k in 0..self.steps.len() {
            if k == 0 || self.anchor[k] || self.anchor[k - 1] {
                blocks.push(Vec::new());
            }
            let last = blocks.len() - 1;
            blocks[last].push(k);
        }
        blocks
    }
}
