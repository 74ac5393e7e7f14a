//! What the segment files hold, read without asking anybody: insert id → positions.

use crate::error::{DrillError, Result};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use tallymark_store::{SEGMENTS, SegmentReader};

/// Everything found.
#[derive(Debug, Default)]
pub struct Files {
    /// Per insert id, the positions of its rows. One position in two files is one row: compaction writes rows
    /// again and deletes the old file later.
    pub rows: HashMap<String, BTreeSet<u64>>,
    /// Files read.
    pub segments: usize,
    /// Files that could not be read, with the reason.
    pub damaged: Vec<String>,
}

impl Files {
    /// Reads every events segment below a data folder.
    pub async fn read(data: &Path) -> Result<Files> {
        let objects = data.join("objects");
        let store = tallymark_store::open(&format!("file:{}", objects.display()))?;
        let mut files = Files::default();
        for object in store.list(SEGMENTS).await? {
            if !object.key.ends_with(".parquet") {
                continue;
            }
            files.segments += 1;
            match SegmentReader::open_key(&store, &object.key) {
                Ok(reader) => files.add(&reader, &object.key),
                // Gone between listing and opening: compaction has written its rows elsewhere.
                Err(tallymark_store::StoreError::NotFound { .. }) => files.segments -= 1,
                Err(error) => files.damaged.push(format!("{}: {error}", object.key)),
            }
        }
        Ok(files)
    }

    fn add(&mut self, reader: &SegmentReader, key: &str) {
        if !reader.has(&tallymark_store::Column::InsertId) {
            return;
        }
        for row in reader.events() {
            match row {
                Ok(row) => {
                    if let Some(id) = row.insert_id {
                        self.rows.entry(id).or_default().insert(row.position.pack());
                    }
                }
                Err(error) => {
                    self.damaged.push(format!("{key}: {error}"));
                    return;
                }
            }
        }
    }
}

/// Paths of all files below a folder, sorted.
pub fn all_files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(DrillError::io(folder.display().to_string())(e)),
        };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}
