//! `type: "personas"` (chapter 10).

use super::parts::Common;
use super::reader::Reader;
use crate::Error;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct PersonasQuery {
    pub common: Common,
}

impl PersonasQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<PersonasQuery, Error> {
        let common = Common::read(&query)?;
        let _ = common;
        Err(Error::unsupported("type", "`type: \"personas\"`"))
    }
}
