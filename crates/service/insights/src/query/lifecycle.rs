//! `type: "lifecycle"` (chapter 5).

use super::parts::{self, Common, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use tallymark_model::Millis;
use tallymark_query::Unit;

/// Who is new, returning, resurrecting or dormant in each bucket.
#[derive(Debug, Clone)]
pub(crate) struct LifecycleQuery {
    pub common: Common,
    pub selector: SelectorSpec,
    pub interval: Unit,
    /// New is who does anything at all for the first time, instead of a matching event.
    pub new_by_person: bool,
    /// Windows of this length that end where buckets do, instead of the buckets themselves.
    pub usage_interval: Option<Millis>,
}

impl LifecycleQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<LifecycleQuery, Error> {
        let common = Common::read(&query)?;
        let hint = "use minute, hour, day, week, month, quarter or year";
        let interval = parts::interval(&query, Unit::Day)?;
        let usage_interval = parts::duration(&query, "usage_interval")?;
        if usage_interval == Some(0) {
            return Err(query.wrong(
                "usage_interval",
                "must be longer than nothing",
                r#"{"n":7,"unit":"day"}"#,
            ));
        }
        let found = LifecycleQuery {
            common,
            selector: parts::selector(&query)?,
            interval: interval.ok_or_else(|| {
                query.wrong(
                    "interval",
                    "states compare a bucket with the one before, so there must be some",
                    hint,
                )
            })?,
            new_by_person: query.choice("new_by", &[("event", false), ("person", true)])?.unwrap_or(false),
            usage_interval,
        };
        query.finish()?;
        Ok(found)
    }
}
