//! `type: "engagement"` (chapter 10): how many do each event, and how often.

use super::composition::selector_or_active;
use super::parts::{self, Common, SelectorSpec};
use super::reader::Reader;
use crate::Error;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct EngagementQuery {
    pub common: Common,
    /// The events to show; all active ones unless the query names others.
    pub selector: SelectorSpec,
    /// Distinct days per actor instead of events per actor.
    pub days: bool,
    /// Cross lines at the mean instead of the median.
    pub mean: bool,
    pub limit: usize,
}

impl EngagementQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<EngagementQuery, Error> {
        let common = Common::read(&query)?;
        let found = EngagementQuery {
            selector: selector_or_active(&query)?,
            days: query.choice("measure", &[("average", false), ("days", true)])?.unwrap_or(false),
            mean: query.choice("cross", &[("median", false), ("mean", true)])?.unwrap_or(false),
            limit: parts::limit(&query)?,
            common,
        };
        query.finish()?;
        Ok(found)
    }
}
