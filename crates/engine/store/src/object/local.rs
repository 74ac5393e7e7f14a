//! Objects as files below a folder.

use super::ObjectInfo;
use super::durable::{Durable, SystemDisk};
use crate::{Result, StoreError};
use bytes::Bytes;
use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Ends the name of an unfinished file; no object key may contain `~`.
const STAGING: char = '~';

/// Why a range cannot be read.
pub(super) const TOO_SHORT: &str = "the file is shorter than its footer says";

#[derive(Debug)]
pub(super) struct LocalStore {
    root: PathBuf,
    files: Durable<SystemDisk>,
}

impl LocalStore {
    pub fn open(root: &Path) -> io::Result<LocalStore> {
        fs::create_dir_all(root)?;
        let root = root.canonicalize()?;
        if let Some(parent) = root.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(LocalStore { files: Durable::new(root.clone(), SystemDisk), root })
    }

    pub fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let path = self.root.join(key);
        self.files.write(&path, &staging_for(&path), bytes).map_err(|e| not_written(key, &e))
    }

    /// False: there is one already.
    pub fn put_new(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        let path = self.root.join(key);
        self.files.create(&path, &staging_for(&path), bytes).map_err(|e| not_written(key, &e))
    }

    pub fn get(&self, key: &str) -> Result<Bytes> {
        fs::read(self.root.join(key)).map(Bytes::from).map_err(|e| StoreError::io("read", key, &e))
    }

    pub fn delete(&self, key: &str) -> Result<()> {
        self.files.remove(&self.root.join(key)).map(|_| ()).map_err(|e| StoreError::io("delete", key, &e))
    }

    pub fn size(&self, key: &str) -> Result<u64> {
        fs::metadata(self.root.join(key)).map(|m| m.len()).map_err(|e| StoreError::io("read", key, &e))
    }

    pub fn read_ranges(&self, key: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let fail = |e: io::Error| match e.kind() {
            io::ErrorKind::UnexpectedEof => StoreError::corrupt(key, TOO_SHORT),
            _ => StoreError::io("read", key, &e),
        };
        let file = File::open(self.root.join(key)).map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        let read = |range: &Range<u64>| {
            // Checked before the buffer is made: a damaged footer must not ask for terabytes.
            if range.start > range.end || range.end > size {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            let mut buffer = vec![0; (range.end - range.start) as usize];
            file.read_exact_at(&mut buffer, range.start)?;
            Ok(Bytes::from(buffer))
        };
        ranges.iter().map(|r| read(r).map_err(fail)).collect()
    }

    pub fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let mut found = Vec::new();
        self.walk(prefix, &mut |path, key, unfinished| {
            if !unfinished {
                match fs::metadata(path) {
                    Ok(meta) => found.push(ObjectInfo { key: key.to_owned(), bytes: meta.len() }),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {} // deleted meanwhile
                    Err(e) => return Err(e),
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    pub fn sweep(&self) -> Result<usize> {
        let mut swept = 0;
        self.walk("", &mut |path, _, unfinished| {
            if unfinished && abandoned(path)? && self.files.remove(path)? {
                swept += 1;
            }
            Ok(())
        })?;
        Ok(swept)
    }

    fn walk(&self, prefix: &str, visit: &mut dyn FnMut(&Path, &str, bool) -> io::Result<()>) -> Result<()> {
        let mut folders = vec![prefix.to_owned()];
        while let Some(folder) = folders.pop() {
            let fail = |e: io::Error| StoreError::io("list", &folder, &e);
            let entries = match fs::read_dir(self.root.join(&folder)) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(fail)?,
            };
            for entry in entries {
                let entry = entry.map_err(fail)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let key = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                if entry.file_type().map_err(fail)?.is_dir() {
                    folders.push(key);
                } else {
                    visit(&entry.path(), &key, name.contains(STAGING)).map_err(fail)?;
                }
            }
        }
        Ok(())
    }
}

/// A name for the unfinished file, in the same folder.
fn staging_for(path: &Path) -> PathBuf {
    let mut staging = path.as_os_str().to_owned();
    staging.push(format!("{STAGING}{}", uuid::Uuid::new_v4().simple()));
    PathBuf::from(staging)
}

fn not_written(key: &str, error: &io::Error) -> StoreError {
    match error.kind() {
        // A staging file that vanished was swept; "not found" would be read as "no such object".
        io::ErrorKind::NotFound => {
            StoreError::io("write", key, &io::Error::other("the unfinished file vanished"))
        }
        _ => StoreError::io("write", key, error),
    }
}

/// True if no process is writing this file.
fn abandoned(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweep_removes_only_what_no_one_writes() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path()).unwrap();
        store.put("a/object", b"x").unwrap();
        fs::write(dir.path().join("a/dead~1"), b"torn").unwrap();
        let alive = File::create(dir.path().join("a/alive~2")).unwrap();
        alive.lock().unwrap();
        assert_eq!(store.list("a").unwrap().len(), 1, "unfinished files are not objects");
        assert_eq!(store.sweep().unwrap(), 1);
        assert!(dir.path().join("a/alive~2").exists() && dir.path().join("a/object").exists());
        drop(alive);
        assert_eq!(store.sweep().unwrap(), 1);
        assert_eq!(store.get("a/object").unwrap(), "x");
    }
}
