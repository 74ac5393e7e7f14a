//! `type: "realtime"` (chapter 10).

use super::parts::Common;
use super::reader::Reader;
use crate::Error;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct RealtimeQuery {
    pub common: Common,
}

impl RealtimeQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<RealtimeQuery, Error> {
        let common = Common::read(&query)?;
        let _ = common;
        Err(Error::unsupported("type", "`type: \"realtime\"`"))
    }
}
