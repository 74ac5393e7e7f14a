//! `type: "engagement"` (chapter 10).

use super::parts::Common;
use super::reader::Reader;
use crate::Error;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct EngagementQuery {
    pub common: Common,
}

impl EngagementQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<EngagementQuery, Error> {
        let common = Common::read(&query)?;
        let _ = common;
        Err(Error::unsupported("type", "`type: \"engagement\"`"))
    }
}
