//! `type: "composition"` (chapter 10).

use super::parts::Common;
use super::reader::Reader;
use crate::Error;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct CompositionQuery {
    pub common: Common,
}

impl CompositionQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<CompositionQuery, Error> {
        let common = Common::read(&query)?;
        let _ = common;
        Err(Error::unsupported("type", "`type: \"composition\"`"))
    }
}
