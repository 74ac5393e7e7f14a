//! `type: "lifecycle"` (chapter 5).

use super::parts::Common;
use super::reader::Reader;
use crate::Error;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct LifecycleQuery {
    pub common: Common,
}

impl LifecycleQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<LifecycleQuery, Error> {
        let common = Common::read(&query)?;
        let _ = common;
        Err(Error::unsupported("type", "`type: \"lifecycle\"`"))
    }
}
