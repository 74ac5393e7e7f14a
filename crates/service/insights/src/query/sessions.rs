//! `type: "sessions"` (chapter 7).

use super::parts::Common;
use super::reader::Reader;
use crate::Error;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct SessionsQuery {
    pub common: Common,
}

impl SessionsQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<SessionsQuery, Error> {
        let common = Common::read(&query)?;
        let _ = common;
        Err(Error::unsupported("type", "`type: \"sessions\"`"))
    }
}
