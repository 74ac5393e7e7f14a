//! `type: "personas"` (chapter 10): clusters of actors by what they do.

use super::Definition;
use super::parts::{Common, CountBy};
use super::reader::Reader;
use crate::Error;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tallymark_model::canonical_text;

/// Most events that make a vector.
const EVENTS_MAX: i64 = 100;
const CLUSTERS_MAX: i64 = 50;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct PersonasQuery {
    pub common: Common,
    pub clusters: usize,
    pub events: usize,
    /// The cohort that clusters are compared with.
    pub target: Option<Definition>,
    /// From the hash of the definition, so that the same question gets the same clusters.
    pub seed: u64,
}

impl PersonasQuery {
    /// `asked` is the query as it was sent, before its switches were written out.
    pub(super) fn read(query: Reader<'_>, asked: &Value) -> Result<PersonasQuery, Error> {
        let common = Common::read(&query)?;
        let target = query.get("target").map(|value| Definition::parse(value, "target")).transpose()?;
        if target.is_some() && common.count_by != CountBy::Person {
            return Err(query.wrong("target", "is a cohort of persons", "leave `count_by` out"));
        }
        // Asking who is in a cluster must not change the clusters.
        let digest =
            Sha256::digest(canonical_text(&Reader::new(asked, "")?.without(&["microscope"])).as_bytes());
        let found = PersonasQuery {
            clusters: query.integer("clusters", 1, CLUSTERS_MAX)?.unwrap_or(4) as usize,
            events: query.integer("events", 1, EVENTS_MAX)?.unwrap_or(EVENTS_MAX) as usize,
            target,
            seed: digest.iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte)),
            common,
        };
        query.finish()?;
        Ok(found)
    }
}
