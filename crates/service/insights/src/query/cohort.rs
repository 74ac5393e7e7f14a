//! `type: "cohort"` (chapter 9).

use super::parts::Common;
use super::reader::Reader;
use crate::Error;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct CohortQuery {
    pub common: Common,
}

impl CohortQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<CohortQuery, Error> {
        let common = Common::read(&query)?;
        let _ = common;
        Err(Error::unsupported("type", "`type: \"cohort\"`"))
    }
}
