//! `type: "ltv"` (chapter 10).

use super::parts::Common;
use super::reader::Reader;
use crate::Error;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct LtvQuery {
    pub common: Common,
}

impl LtvQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<LtvQuery, Error> {
        let common = Common::read(&query)?;
        let _ = common;
        Err(Error::unsupported("type", "`type: \"ltv\"`"))
    }
}
