//! Rows that could not be taken: file, row, reason and the row's beginning, one JSON line each.
//!
//! Guarantees: written before the record passes the row, so none is forgotten; one that was written twice (a crash in
//! between) is read once. They never reach the log, so they are no dead letters: the collector refuses them, too.

use crate::VacuumError;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// Characters of a row that are kept.
pub(crate) const KEPT: usize = 2_000;

/// A row that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Where the object is.
    pub object: String,
    /// Its version.
    pub version: String,
    /// The row.
    pub row: u64,
    /// What is wrong with it.
    pub why: String,
    /// How it begins.
    pub text: String,
}

fn path(folder: &Path, source: &str) -> PathBuf {
    folder.join("rejects").join(format!("{source}.ndjson"))
}

/// Appends rows; on disk when it returns.
pub(crate) fn append(folder: &Path, source: &str, rejects: &[Reject]) -> Result<(), VacuumError> {
    if rejects.is_empty() {
        return Ok(());
    }
    let path = path(folder, source);
    let mut text = Vec::new();
    for reject in rejects {
        text.extend(serde_json::to_vec(reject).unwrap_or_default());
        text.push(b'\n');
    }
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.write_all(&text)?;
        file.sync_data()
    };
    write().map_err(VacuumError::at(&path))
}

/// The rows of a source that could not be taken, at most so many, and how many there are.
pub fn read_rejects(folder: &Path, source: &str, most: usize) -> Result<(Vec<Reject>, u64), VacuumError> {
    let path = path(folder, source);
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(e) => return Err(VacuumError::at(&path)(e)),
    };
    let (mut first, mut seen) = (Vec::new(), HashSet::new());
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(VacuumError::at(&path))?;
        // A line that a crash cut off is written again.
        let Ok(reject) = serde_json::from_slice::<Reject>(&line) else { continue };
        if seen.insert((reject.object.clone(), reject.version.clone(), reject.row)) && first.len() < most {
            first.push(reject);
        }
    }
    Ok((first, seen.len() as u64))
}
