//! `type: "realtime"` (chapter 10).

use super::parts::{self, Common, NamesSpec, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use tallymark_query::{Range, Unit};

/// What was received in the last half hour, minute by minute.
#[derive(Debug, Clone)]
pub(crate) struct RealtimeQuery {
    pub common: Common,
    pub selector: SelectorSpec,
    /// Most event names that are listed.
    pub limit: usize,
}

impl RealtimeQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<RealtimeQuery, Error> {
        if query.peek("range").is_some() {
            return Err(query.wrong("range", "is always the last 30 minutes", "leave it out"));
        }
        let range = Range::Last { n: 30, unit: Unit::Minute, exclude_current: false };
        let common = Common::read_or(&query, range)?;
        let selector = match query.get("event") {
            Some(_) => parts::selector(&query)?,
            None => {
                SelectorSpec { names: NamesSpec::Any, filter: parts::condition(&query, "where")?, nth: None }
            }
        };
        let found = RealtimeQuery { common, selector, limit: parts::limit(&query)? };
        query.finish()?;
        Ok(found)
    }
}
