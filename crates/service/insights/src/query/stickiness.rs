//! `type: "stickiness"` (chapter 6).

use super::parts::Common;
use super::reader::Reader;
use crate::Error;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct StickinessQuery {
    pub common: Common,
}

impl StickinessQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<StickinessQuery, Error> {
        let common = Common::read(&query)?;
        let _ = common;
        Err(Error::unsupported("type", "`type: \"stickiness\"`"))
    }
}
