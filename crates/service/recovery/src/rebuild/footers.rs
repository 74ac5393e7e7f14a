//! The books from segments, deltas and the log alone, when no copy of a commit is left.
//!
//! Deliberately not here: yet.

use super::RebuildReport;
use crate::RecoveryError;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_log::file::FileLogReader;
use tallymark_store::ObjectStore;

pub(super) async fn derive(
    _catalog: &SqliteCatalog,
    _store: &ObjectStore,
    _log: Option<&FileLogReader>,
    _report: &mut RebuildReport,
) -> Result<(), RecoveryError> {
    Ok(())
}
