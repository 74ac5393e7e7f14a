//! The record: which objects were taken, and how far.
//!
//! ```text
//! DIR/vacuum/record.ndjson     {"o":"PROJECT s3://BUCKET/KEY","v":"ETAG","line":4000,…}<TAB>crc32c\n   newest wins
//! DIR/vacuum/lock              held by whoever takes files
//! ```
//! Guarantees: a note is on disk when [`Record::note`] returns; one process writes at a time; a note that a crash cut
//! off at the end is dropped (its rows are sent again); damage anywhere else is an error and never "nothing was taken".
//! The file is rewritten when most of it is superseded, by way of a second file and a rename.
//! Deliberately not here: what is noted when ([`crate::round`]).

use crate::VacuumError;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Superseded lines that are not worth a rewrite.
const SLACK: usize = 20_000;

/// How far an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Begun; goes on after [`Entry::line`].
    Open,
    /// Taken as a whole.
    Done,
    /// Cannot be read to its end; what came before is taken.
    Failed,
}

/// What is known of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Project and place.
    #[serde(rename = "o")]
    pub object: String,
    /// Which content.
    #[serde(rename = "v")]
    pub version: String,
    /// The source that took it.
    pub source: String,
    /// Size.
    pub bytes: u64,
    /// When it was written, ns or ms: only compared, to save reading a local file again.
    pub modified: i64,
    /// The last row that is acknowledged durable, or refused.
    pub line: u64,
    /// Rows acknowledged.
    pub rows: u64,
    /// Rows refused.
    pub rejected: u64,
    /// How far it is.
    pub state: State,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Another version that was seen later, and not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
    /// When this was noted, ms UTC.
    pub at: i64,
}

/// The open record.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    /// None: only looked at.
    file: Option<File>,
    entries: HashMap<String, Entry>,
    lines: usize,
    /// Held for as long as the record is open.
    _lock: Option<File>,
}

impl Record {
    /// Where it is in a folder.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("record.ndjson")
    }

    /// Opens it for writing, if nobody else has.
    pub fn open(folder: &Path) -> Result<Record, VacuumError> {
        fs::create_dir_all(folder).map_err(VacuumError::at(folder))?;
        let lock_path = folder.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(VacuumError::at(&lock_path))?;
        lock.try_lock().map_err(|_| VacuumError::Busy(folder.to_owned()))?;
        let path = Record::path(folder);
        let (entries, lines, whole) = load(&path)?;
        let file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(VacuumError::at(&path))?;
        // What a crash cut off is no note.
        file.set_len(whole).and_then(|()| file.sync_all()).map_err(VacuumError::at(&path))?;
        sync_folder(folder)?;
        let mut record = Record { path, file: Some(file), entries, lines, _lock: Some(lock) };
        if record.lines > record.entries.len() * 4 + SLACK {
            record.rewrite()?;
        }
        Ok(record)
    }

    /// What it says now, for those who note nothing.
    pub fn view(folder: &Path) -> Result<Record, VacuumError> {
        let path = Record::path(folder);
        let (entries, lines, _) = load(&path)?;
        Ok(Record { path, file: None, entries, lines, _lock: None })
    }

    /// What is known of an object.
    pub fn get(&self, object: &str) -> Option<&Entry> {
        self.entries.get(object)
    }

    /// Everything.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Notes something; on disk when it returns.
    pub fn note(&mut self, entry: Entry) -> Result<(), VacuumError> {
        let line = sealed(&entry);
        let Some(file) = &mut self.file else { return Err(VacuumError::Busy(self.path.clone())) };
        file.write_all(&line).and_then(|()| file.sync_data()).map_err(VacuumError::at(&self.path))?;
        self.lines += 1;
        self.entries.insert(entry.object.clone(), entry);
        Ok(())
    }

    fn rewrite(&mut self) -> Result<(), VacuumError> {
        let fresh = self.path.with_extension("new");
        let write = || -> std::io::Result<File> {
            let mut file = File::create(&fresh)?;
            let mut buffer = Vec::new();
            for entry in self.entries.values() {
                buffer.extend_from_slice(&sealed(entry));
            }
            file.write_all(&buffer)?;
            file.sync_all()?;
            fs::rename(&fresh, &self.path)?;
            OpenOptions::new().append(true).open(&self.path)
        };
        self.file = Some(write().map_err(VacuumError::at(&self.path))?);
        self.lines = self.entries.len();
        sync_folder(self.path.parent().unwrap_or(Path::new(".")))
    }
}

fn sync_folder(folder: &Path) -> Result<(), VacuumError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(VacuumError::at(folder))
}

fn sealed(entry: &Entry) -> Vec<u8> {
    // Plain data with text keys always serialises.
    let mut line = serde_json::to_vec(entry).unwrap_or_default();
    let sum = crc32c::crc32c(&line);
    line.extend_from_slice(format!("\t{sum:08x}\n").as_bytes());
    line
}

fn unsealed(line: &[u8]) -> Option<Entry> {
    let at = line.iter().rposition(|b| *b == b'\t')?;
    let sum = u32::from_str_radix(std::str::from_utf8(&line[at + 1..]).ok()?, 16).ok()?;
    (crc32c::crc32c(&line[..at]) == sum).then(|| serde_json::from_slice(&line[..at]).ok())?
}

/// Entries, lines, and how many bytes are whole.
fn load(path: &Path) -> Result<(HashMap<String, Entry>, usize, u64), VacuumError> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => drop(file.read_to_end(&mut bytes).map_err(VacuumError::at(path))?),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(VacuumError::at(path)(e)),
    }
    let (mut entries, mut lines, mut whole) = (HashMap::new(), 0, 0);
    let mut bad = None;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        match line.strip_suffix(b"\n").and_then(unsealed) {
            Some(entry) if bad.is_none() => {
                entries.insert(entry.object.clone(), entry);
                lines += 1;
                whole += line.len() as u64;
            }
            // A note after a broken one: that was no crash.
            Some(_) => {
                return Err(VacuumError::Damaged { path: path.to_owned(), line: bad.unwrap_or_default() });
            }
            None => bad = bad.or(Some(lines as u64 + 1)),
        }
    }
    Ok((entries, lines, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(object: &str, line: u64) -> Entry {
        Entry {
            object: object.to_owned(),
            version: "e1".to_owned(),
            source: "logs".to_owned(),
            bytes: 9,
            modified: 0,
            line,
            rows: line,
            rejected: 0,
            state: State::Open,
            why: None,
            changed: None,
            at: 0,
        }
    }

    #[test]
    fn the_newest_note_wins_and_a_cut_off_one_is_dropped_at_every_byte() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::open(dir.path()).unwrap();
        record.note(entry("a", 1)).unwrap();
        record.note(entry("b", 1)).unwrap();
        record.note(entry("a", 2)).unwrap();
        drop(record);
        let path = Record::path(dir.path());
        let whole = fs::read(&path).unwrap();
        let second = whole.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(1).unwrap().0 + 1;
        for cut in second..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut record = Record::open(dir.path()).unwrap();
            assert_eq!((record.get("a").unwrap().line, record.get("b").unwrap().line), (1, 1), "{cut}");
            record.note(entry("c", 7)).unwrap();
            drop(record);
            assert_eq!(Record::view(dir.path()).unwrap().entries().count(), 3);
        }
    }

    #[test]
    fn damage_in_the_middle_is_never_taken_for_an_empty_record() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::open(dir.path()).unwrap();
        (0..3).for_each(|n| record.note(entry(&n.to_string(), 1)).unwrap());
        assert!(matches!(Record::open(dir.path()), Err(VacuumError::Busy(_))));
        drop(record);
        let path = Record::path(dir.path());
        let mut bytes = fs::read(&path).unwrap();
        bytes[5] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(Record::open(dir.path()), Err(VacuumError::Damaged { line: 1, .. })));
    }

    #[test]
    fn a_rewritten_record_says_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::open(dir.path()).unwrap();
        (0..50).for_each(|n| record.note(entry(&(n % 5).to_string(), n)).unwrap());
        record.rewrite().unwrap();
        record.note(entry("x", 1)).unwrap();
        drop(record);
        let record = Record::open(dir.path()).unwrap();
        assert_eq!((record.lines, record.entries.len(), record.get("4").unwrap().line), (6, 6, 49));
    }
}
