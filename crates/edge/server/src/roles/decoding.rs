//! How this server reads envelopes: the protocols, and what an event leaves out.
//!
//! Guarantees: the same record and the same database of places give the same event, whichever process asks.

use crate::ServerError;
use std::sync::OnceLock;
use tallymark_enrich::{Enricher, GeoDatabase};
use tallymark_processor::steps::decode::DecodeFn;

const GEOIP: &str = "TALLYMARK_GEOIP_DATABASE";

/// Reads envelopes and fills in what events leave out; places by the database of `TALLYMARK_GEOIP_DATABASE`.
///
/// The database is read once: a new one takes effect with the next start.
pub fn decoder() -> Result<DecodeFn, ServerError> {
    static ENRICHER: OnceLock<Enricher> = OnceLock::new();
    let enricher = match ENRICHER.get() {
        Some(enricher) => enricher,
        None => {
            let read = Enricher::new(database()?);
            ENRICHER.get_or_init(|| read)
        }
    };
    // One for the life of the process, as its type says.
    Ok(Box::leak(Box::new(move |envelope: &_| {
        let mut event = tallymark_wire::decode(envelope)?;
        enricher.fill(envelope, &mut event);
        Ok(event)
    })))
}

fn database() -> Result<Option<GeoDatabase>, ServerError> {
    let Some(path) = std::env::var_os(GEOIP).filter(|path| !path.is_empty()) else { return Ok(None) };
    let refuse = |why: String| ServerError::Role {
        role: "process",
        why: format!("{GEOIP}: {}: {why}", std::path::Path::new(&path).display()),
    };
    let bytes = std::fs::read(&path).map_err(|e| refuse(e.to_string()))?;
    let database = GeoDatabase::read(bytes).map_err(|e| refuse(e.to_string()))?;
    tracing::info!(database = database.name(), "addresses are placed");
    Ok(Some(database))
}
