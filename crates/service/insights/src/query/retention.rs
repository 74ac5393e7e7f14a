//! `type: "retention"` (chapter 4).

use super::parts::{self, BreakdownSpec, Common, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use crate::operators::returns::{CohortBy, Kind};
use serde_json::json;
use tallymark_query::Unit;

/// Most periods of a table.
const PERIODS_MAX: i64 = 1000;

/// A retention table.
#[derive(Debug, Clone)]
pub(crate) struct RetentionQuery {
    pub common: Common,
    pub start: SelectorSpec,
    pub back: SelectorSpec,
    pub interval: Unit,
    pub periods: usize,
    pub rolling: bool,
    pub kind: Kind,
    pub cohort_by: CohortBy,
    /// `values[0]` = returned within the interval of the start, instead of the size.
    pub day0_returned: bool,
    pub min_returns: usize,
    pub breakdown: Option<BreakdownSpec>,
    pub limit: usize,
    pub other: bool,
}

impl RetentionQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<RetentionQuery, Error> {
        let common = Common::read(&query)?;
        query.refuse(&[("brackets", &[json!([])]), ("rolling_round", &[]), ("overall", &[])])?;
        if query.text("kind")? == Some("bracket") {
            return Err(Error::unsupported("kind", "`kind: \"bracket\"`"));
        }
        let side = |key| {
            let value = query.get(key).ok_or_else(|| query.missing(key, r#"{"event":"signup"}"#))?;
            let from = Reader::new(value, key)?;
            let found = parts::selector(&from)?;
            from.finish()?;
            Ok::<_, Error>(found)
        };
        let units = [("hour", Unit::Hour), ("day", Unit::Day), ("week", Unit::Week), ("month", Unit::Month)];
        let found = RetentionQuery {
            start: side("start")?,
            back: side("return")?,
            interval: query.choice("interval", &units)?.unwrap_or(Unit::Day),
            periods: query.integer("periods", 0, PERIODS_MAX)?.unwrap_or(7) as usize,
            rolling: query.choice("mode", &[("calendar", false), ("rolling", true)])?.unwrap_or(false),
            kind: query
                .choice("kind", &[("on", Kind::On), ("on_or_after", Kind::OnOrAfter)])?
                .unwrap_or(Kind::On),
            cohort_by: query
                .choice(
                    "cohort_by",
                    &[
                        ("any", CohortBy::Any),
                        ("first_time", CohortBy::FirstTime),
                        ("first_in_range", CohortBy::FirstInRange),
                    ],
                )?
                .unwrap_or(CohortBy::Any),
            day0_returned: query.choice("day0", &[("size", false), ("returned", true)])?.unwrap_or(false),
            min_returns: query.integer("min_returns", 1, 1_000_000)?.unwrap_or(1) as usize,
            breakdown: parts::single_breakdown(&query)?,
            limit: parts::limit(&query)?,
            other: query.flag("other")?.unwrap_or(true),
            common,
        };
        query.finish()?;
        Ok(found)
    }
}
