//! Faults planted into the files of a scratch instance.
//!
//! Deliberately not here: anything that goes through a door of the system; a vandal has none.

use crate::error::{DrillError, Result};
use crate::judge::all_files;
use std::path::{Path, PathBuf};

/// Flips one bit in the middle of a file.
pub fn flip_bit(path: &Path) -> Result<()> {
    let shown = path.display().to_string();
    let mut bytes = std::fs::read(path).map_err(DrillError::io(shown.clone()))?;
    let at = bytes.len() / 3;
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 0x40;
    }
    std::fs::write(path, bytes).map_err(DrillError::io(shown))
}

/// Removes a file.
pub fn remove_file(path: &Path) -> Result<()> {
    std::fs::remove_file(path).map_err(DrillError::io(path.display().to_string()))
}

/// Removes a folder with everything in it; a folder that is not there is fine.
pub fn remove_folder(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(DrillError::io(path.display().to_string())(e))
        }
        _ => Ok(()),
    }
}

/// Removes the catalog: the database and its companions. Returns how many files that were.
pub fn remove_catalog(data: &Path) -> Result<usize> {
    let mut removed = 0;
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        match std::fs::remove_file(data.join(name)) {
            Ok(()) => removed += 1,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(DrillError::io(format!("removing {name}"))(e)),
        }
    }
    Ok(removed)
}

/// Event segment files, largest first.
pub fn segments(data: &Path) -> Result<Vec<PathBuf>> {
    let mut found = with_extension(&data.join("objects/segments"), "parquet")?;
    found.sort_by_key(|p| std::cmp::Reverse(std::fs::metadata(p).map_or(0, |m| m.len())));
    Ok(found)
}

/// Delta files, in order of their names.
pub fn deltas(data: &Path) -> Result<Vec<PathBuf>> {
    with_extension(&data.join("objects/deltas"), "delta")
}

fn with_extension(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let files = all_files(folder)?;
    Ok(files.into_iter().filter(|p| p.extension().is_some_and(|e| e == extension)).collect())
}

/// Copies a stopped or frozen instance's folder; sockets stay behind.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for file in all_files(from)? {
        let Ok(relative) = file.strip_prefix(from) else { continue };
        let target = to.join(relative);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(DrillError::io(parent.display().to_string()))?;
        }
        std::fs::copy(&file, &target).map_err(DrillError::io(target.display().to_string()))?;
    }
    Ok(())
}
