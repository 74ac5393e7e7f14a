//! `type: "stickiness"` (chapter 6).

use super::parts::{self, Common, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use tallymark_query::Unit;

/// On how many buckets of the range actors were active.
#[derive(Debug, Clone)]
pub(crate) struct StickinessQuery {
    pub common: Common,
    pub selector: SelectorSpec,
    pub interval: Unit,
    /// A bar counts actors with at least its number of buckets.
    pub cumulative: bool,
    /// Matching events that make a bucket count.
    pub min_per_interval: usize,
    /// Weeks or months alone, the days inside them.
    pub period: Option<Unit>,
}

impl StickinessQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<StickinessQuery, Error> {
        let common = Common::read(&query)?;
        let selector = parts::selector(&query)?;
        let interval = parts::interval(&query, Unit::Day)?;
        let hint = "use minute, hour, day, week, month, quarter or year";
        let wrong = || query.wrong("interval", "bars count buckets, so there must be some", hint);
        let interval = interval.ok_or_else(wrong)?;
        let period = query.choice("period", &[("week", Unit::Week), ("month", Unit::Month)])?;
        if period.is_some() && interval != Unit::Day {
            return Err(query.wrong("interval", "a period counts the days inside it", r#"use "day""#));
        }
        let found = StickinessQuery {
            common,
            selector,
            interval,
            cumulative: query.flag("cumulative")?.unwrap_or(false),
            min_per_interval: query.integer("min_per_interval", 1, 1_000_000)?.unwrap_or(1) as usize,
            period,
        };
        query.finish()?;
        Ok(found)
    }
}
