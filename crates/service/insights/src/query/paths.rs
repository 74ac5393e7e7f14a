//! `type: "paths"` (chapter 8).

use super::parts::Common;
use super::reader::Reader;
use crate::Error;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct PathsQuery {
    pub common: Common,
}

impl PathsQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<PathsQuery, Error> {
        let common = Common::read(&query)?;
        let _ = common;
        Err(Error::unsupported("type", "`type: \"paths\"`"))
    }
}
