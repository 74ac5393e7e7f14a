//! `type: "ltv"` (chapter 10): what new actors have paid by each day of their life.

use super::NamesSpec;
use super::cohort::selector_of;
use super::parts::{self, Common, NthSpec, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use tallymark_predicate::PropertyRef;

/// Most days of a life.
const PERIODS_MAX: i64 = 1000;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct LtvQuery {
    pub common: Common,
    /// The actor's first event ever; its life begins with it.
    pub start: SelectorSpec,
    pub revenue: SelectorSpec,
    pub property: PropertyRef,
    pub periods: usize,
    /// Who ever paid counts as a payer from day 0.
    pub payers_ever: bool,
}

impl LtvQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<LtvQuery, Error> {
        let common = Common::read(&query)?;
        let mut start = match query.get("start") {
            Some(_) => selector_of(&query, "start")?,
            None => SelectorSpec { names: NamesSpec::Any, filter: None, nth: None },
        };
        if start.nth.is_some() {
            return Err(query.wrong("start", "has no `nth`", "a life begins with the first of these events"));
        }
        start.nth = Some(NthSpec { k: 1, of_event: false });
        let hint = r#"{"event":"buy","property":"amount"}"#;
        let value = query.get("revenue").ok_or_else(|| query.missing("revenue", hint))?;
        let from = Reader::new(value, "revenue")?;
        let (revenue, property) = (parts::selector(&from)?, parts::property(&from)?);
        from.finish()?;
        let found = LtvQuery {
            start,
            revenue,
            property,
            periods: query.integer("periods", 0, PERIODS_MAX)?.unwrap_or(30) as usize,
            payers_ever: query.choice("payers", &[("by_day", false), ("ever", true)])?.unwrap_or(false),
            common,
        };
        query.finish()?;
        Ok(found)
    }
}
