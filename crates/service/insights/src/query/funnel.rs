//! `type: "funnel"` (chapter 3).

use super::parts::{self, BreakdownSpec, Common, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use crate::operators::attempt::{Choice, STEPS_MAX};
use serde_json::{Value, json};
use tallymark_model::Millis;

const DAY_MS: Millis = 86_400_000;

/// A funnel in `this_order`, uniques.
#[derive(Debug, Clone)]
pub(crate) struct FunnelQuery {
    pub common: Common,
    pub steps: Vec<SelectorSpec>,
    pub window: Millis,
    pub tolerance: Millis,
    pub strict: bool,
    pub choice: Choice,
    /// Later steps must lie in the range too.
    pub confine: bool,
    /// By the value on the chosen attempt's entry.
    pub breakdown: Option<BreakdownSpec>,
    pub limit: usize,
    pub other: bool,
}

impl FunnelQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<FunnelQuery, Error> {
        let common = Common::read(&query)?;
        query.refuse(&[
            ("order", &[json!("this_order")]),
            ("exclusions", &[json!([])]),
            ("exclusion_effect", &[json!("break")]),
            ("hold", &[json!([])]),
            ("hold_unit", &[json!("pair")]),
            ("count", &[json!("uniques")]),
            ("over_time", &[]),
            ("percentiles", &[json!([])]),
            ("histogram", &[]),
            ("any_order_entry", &[]),
            ("exact_allow_repeats", &[json!(false)]),
            ("interval", &[json!("none")]),
        ])?;
        let list = query.list("steps")?;
        let list = list.ok_or_else(|| query.missing("steps", r#"[{"event":"view"},{"event":"buy"}]"#))?;
        if list.is_empty() || list.len() > STEPS_MAX {
            let problem = format!("has {} entries", list.len());
            return Err(query.wrong("steps", problem, format!("1 to {STEPS_MAX} steps")));
        }
        let found = FunnelQuery {
            common,
            steps: list.iter().enumerate().map(|(i, v)| step(v, i)).collect::<Result<_, _>>()?,
            window: parts::duration(&query, "window")?.unwrap_or(DAY_MS),
            tolerance: query.integer("tie_tolerance_ms", 0, DAY_MS)?.unwrap_or(0),
            strict: query.flag("strict_increase")?.unwrap_or(false),
            choice: query
                .choice(
                    "attempt",
                    &[
                        ("best", Choice::Best),
                        ("first_entry", Choice::FirstEntry),
                        ("tightest", Choice::Tightest),
                    ],
                )?
                .unwrap_or_default(),
            confine: query.flag("confine_to_range")?.unwrap_or(false),
            breakdown: parts::single_breakdown(&query)?,
            limit: parts::limit(&query)?,
            other: query.flag("other")?.unwrap_or(true),
        };
        query.finish()?;
        Ok(found)
    }
}

fn step(value: &Value, i: usize) -> Result<SelectorSpec, Error> {
    let from = Reader::new(value, &format!("steps[{i}]"))?;
    from.refuse(&[("within", &[]), ("optional", &[json!(false)]), ("anchor", &[json!(false)])])?;
    let found = parts::selector(&from)?;
    from.finish()?;
    Ok(found)
}
