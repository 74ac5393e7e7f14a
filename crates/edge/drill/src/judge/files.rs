//! What the segment files hold, read without asking anybody: insert id → positions.

use crate::error::{DrillError, Result};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use tallymark_ledger::Interval;
use tallymark_model::Position;
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
        let masks = Masks::read(&objects)?;
        for object in store.list(SEGMENTS).await? {
            if !object.key.ends_with(".parquet") {
                continue;
            }
            files.segments += 1;
            match SegmentReader::open_key(&store, &object.key) {
                Ok(reader) => files.add(&reader, &object.key, &masks),
                // Gone between listing and opening: compaction has written its rows elsewhere.
                Err(tallymark_store::StoreError::NotFound { .. }) => files.segments -= 1,
                Err(error) => files.damaged.push(format!("{}: {error}", object.key)),
            }
        }
        Ok(files)
    }

    fn add(&mut self, reader: &SegmentReader, key: &str, masks: &Masks) {
        if !reader.has(&tallymark_store::Column::InsertId) {
            return;
        }
        for row in reader.events() {
            match row {
                Ok(row) if masks.hide(key, row.position) => {}
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

/// Rows that were decided again stay in their old file until it is merged; the copies of the commits beside the
/// segments say which positions of which files that is.
struct Masks {
    /// Per segment key, the commit that added it.
    added: HashMap<String, u64>,
    /// Commit and positions: rows in files of earlier commits do not count.
    masks: Vec<(u64, Interval)>,
}

impl Masks {
    fn read(objects: &Path) -> Result<Masks> {
        let mut found = Masks { added: HashMap::new(), masks: Vec::new() };
        for path in all_files(&objects.join("commits"))? {
            let text = std::fs::read(&path).map_err(DrillError::io(path.display().to_string()))?;
            // A copy in another form than this one says nothing here.
            let Ok(Document { body: commit }) = serde_json::from_slice(&text) else { continue };
            found.added.extend(commit.added.into_iter().map(|s| (s.key, commit.seq)));
            found.masks.extend(commit.masks.into_iter().map(|mask| (commit.seq, mask)));
        }
        Ok(found)
    }

    fn hide(&self, key: &str, position: Position) -> bool {
        let added = self.added.get(key).copied().unwrap_or(u64::MAX);
        self.masks.iter().any(|(seq, mask)| *seq > added && mask.contains(position))
    }
}

#[derive(serde::Deserialize)]
struct Document {
    body: Commit,
}

/// The part of a copied commit that matters here.
#[derive(serde::Deserialize)]
struct Commit {
    seq: u64,
    #[serde(default)]
    added: Vec<Segment>,
    #[serde(default)]
    masks: Vec<Interval>,
}

#[derive(serde::Deserialize)]
struct Segment {
    key: String,
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
