//! `type: "composition"` (chapter 10): actors by the value they had last.

use super::NamesSpec;
use super::parts::{self, Common, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use tallymark_predicate::PropertyRef;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct CompositionQuery {
    pub common: Common,
    /// Whose actors; any active event unless the query names others.
    pub selector: SelectorSpec,
    pub property: PropertyRef,
    pub bins: Option<Vec<f64>>,
    pub limit: usize,
    pub other: bool,
}

impl CompositionQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<CompositionQuery, Error> {
        let common = Common::read(&query)?;
        let hint = r#"{"scope":"user","property":"plan"}"#;
        let value = query.get("breakdown").ok_or_else(|| query.missing("breakdown", hint))?;
        let value = match value.as_array().map(Vec::as_slice) {
            Some([only]) => only,
            Some(_) => return Err(query.wrong("breakdown", "has one dimension", hint)),
            None => value,
        };
        let by = Reader::new(value, "breakdown")?;
        let (property, bins) = (parts::property(&by)?, parts::bins(&by)?);
        by.finish()?;
        let found = CompositionQuery {
            selector: selector_or_active(&query)?,
            property,
            bins,
            limit: parts::limit(&query)?,
            other: query.flag("other")?.unwrap_or(true),
            common,
        };
        query.finish()?;
        Ok(found)
    }
}

/// The selector of a query; any active event without one.
pub(super) fn selector_or_active(query: &Reader<'_>) -> Result<SelectorSpec, Error> {
    match query.get("event") {
        Some(_) => parts::selector(query),
        None => {
            let filter = parts::condition(query, "where")?;
            Ok(SelectorSpec { names: NamesSpec::Active, filter, nth: None })
        }
    }
}
