//! Puts the new catalog in the place of the old one.
//!
//! Order: the old file gets a second name; its journal, which would be applied to whatever file has the catalog's
//! name, is moved beside that; then one rename replaces the file. After a crash in between, the old file is in place
//! as of its last checkpoint, or the new one is: both are catalogs from which processing goes on, because it starts
//! at the cursors they have.
//! Guarantees: there is a file under the catalog's name at any moment if there was one before, so that a start never
//! takes the instance for a new one; every rename is flushed before the next (R6).
//! Deliberately not here: building and verifying.

use crate::failpoint::{Failpoint, Step, pass};
use crate::{Places, RecoveryError};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the new catalog is built.
pub(super) fn beside(places: &Places) -> PathBuf {
    with_ending(&places.catalog, ".rebuild")
}

/// Removes what an earlier attempt left.
pub(super) fn clear(beside: &Path) -> Result<(), RecoveryError> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let path = with_ending(beside, ending);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(RecoveryError::disk(&path)(e)),
            _ => {}
        }
    }
    Ok(())
}

/// Returns where the old catalog is now; `None` if there was none.
pub(super) fn switch(
    places: &Places,
    beside: &Path,
    failpoint: &dyn Failpoint,
) -> Result<Option<PathBuf>, RecoveryError> {
    let catalog = &places.catalog;
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
    let old = with_ending(catalog, &format!(".before-rebuild-{at}"));
    let had_one = link_if_there(catalog, &old)?;
    for ending in ["-wal", "-shm", "-journal"] {
        rename_if_there(&with_ending(catalog, ending), &with_ending(&old, ending))?;
    }
    sync_folder(catalog)?;
    pass(failpoint, Step::RebuildAside)?;
    fs::rename(beside, catalog).map_err(RecoveryError::disk(beside))?;
    sync_folder(catalog)?;
    Ok(had_one.then_some(old))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn link_if_there(from: &Path, to: &Path) -> Result<bool, RecoveryError> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        // A file system without links: a copy is as good.
        Err(_) => {
            fs::copy(from, to).map_err(RecoveryError::disk(from))?;
            File::open(to).and_then(|f| f.sync_all()).map_err(RecoveryError::disk(to))?;
            Ok(true)
        }
    }
}

fn rename_if_there(from: &Path, to: &Path) -> Result<(), RecoveryError> {
    match fs::rename(from, to) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(RecoveryError::disk(from)(e)),
        _ => Ok(()),
    }
}

fn sync_folder(path: &Path) -> Result<(), RecoveryError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|d| d.sync_all()).map_err(RecoveryError::disk(folder))
}
