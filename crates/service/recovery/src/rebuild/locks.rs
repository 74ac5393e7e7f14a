//! Nobody may work on the folder meanwhile.
//!
//! Guarantees: while these are held no supervisor and no writer of the log can start on the folder; they go with the
//! process. Deliberately not here: leases (they are in the catalog that may be lost).

use crate::{Places, RecoveryError};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// The locks of a supervisor and of the log's writer.
pub(crate) struct Locks(#[allow(dead_code, reason = "held, not read")] Vec<File>);

impl Locks {
    pub(crate) fn take(places: &Places) -> Result<Locks, RecoveryError> {
        let mut held = Vec::new();
        for path in [places.lock.clone(), places.log_lock()] {
            held.extend(take(&path)?);
        }
        Ok(Locks(held))
    }
}

/// `None`: the folder of the lock is not there, so nobody works in it.
fn take(path: &Path) -> Result<Option<File>, RecoveryError> {
    if !path.parent().is_some_and(Path::exists) {
        return Ok(None);
    }
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.map_err(RecoveryError::disk(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(RecoveryError::InUse { what: path.display().to_string() }),
        Err(TryLockError::Error(e)) => Err(RecoveryError::disk(path)(e)),
    }
}
