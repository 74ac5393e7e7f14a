//! Where objects lie: a bucket, or a folder of this machine.
//!
//! Guarantees: what is read is the content that was identified, or the read fails with [`Fault::Changed`]; links are not
//! followed, so that whoever may write into a folder cannot have other files read; names of unfinished files (`.x`,
//! `x.tmp`, `x.part`, `x.partial`) are not objects.
//! Deliberately not here: what is in an object.

use crate::VacuumError;
use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;
use tallymark_store::{Bucket, PartError};

/// Read from a bucket at a time.
const PART: u64 = 8 << 20;
const UNFINISHED: [&str; 3] = [".tmp", ".part", ".partial"];

/// A bucket or folder.
#[derive(Debug, Clone)]
pub enum Place {
    /// A folder, or one file.
    Folder(PathBuf),
    /// What is below a prefix of a bucket.
    Bucket(Bucket),
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key, or the path below the folder.
    pub key: String,
    /// Which object of the world it is: `s3://BUCKET/KEY`, `file:/PATH`.
    pub at: String,
    /// Size.
    pub bytes: u64,
    /// When it was written: ms for a bucket, ns for a file.
    pub modified: i64,
    /// The version, where it is known without reading.
    pub etag: Option<String>,
}

/// Why an object could not be read to its end.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is another one now.
    Changed,
    /// Not now; perhaps later.
    Later(String),
}

/// Tells what went wrong beneath decoders, which have words of their own for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Option<Fault>>>);

impl Faults {
    fn set(&self, fault: Fault) -> io::Error {
        let told = io::Error::other(format!("{fault:?}"));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
        told
    }

    pub fn get(&self) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Place {
    /// Whether this can be opened, without asking anybody.
    pub fn check(from: &str) -> Result<(), String> {
        Place::open(from).map(drop)
    }

    /// Opens it; asks nobody yet.
    pub fn open(from: &str) -> Result<Place, String> {
        match from.split_once(':') {
            Some(("file", path)) if !path.is_empty() => {
                Ok(Place::Folder(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
            }
            Some(("s3", _)) => Ok(Place::Bucket(Bucket::open(from).map_err(|e| e.to_string())?)),
            _ => Err(format!("`{from}` is not a place; use `s3://BUCKET/PREFIX` or `file:DIR`")),
        }
    }

    /// All objects, sorted by key.
    pub async fn list(&self) -> Result<Vec<Listed>, VacuumError> {
        match self {
            Place::Bucket(bucket) => {
                let fail = |e: tallymark_store::StoreError| VacuumError::Place {
                    place: format!("s3://{}", bucket.name()),
                    why: e.to_string(),
                };
                let found = bucket.list().await.map_err(fail)?;
                let listed = found.into_iter().map(|o| Listed {
                    at: format!("s3://{}/{}", bucket.name(), o.key),
                    key: o.key,
                    bytes: o.bytes,
                    modified: o.modified,
                    etag: Some(o.etag),
                });
                Ok(listed.collect())
            }
            Place::Folder(root) => {
                let (owned, shown) = (root.clone(), root.display().to_string());
                let walked = tokio::task::spawn_blocking(move || walk(&owned)).await;
                let fail = |why: String| VacuumError::Place { place: shown, why };
                match walked {
                    Ok(Ok(found)) => Ok(found),
                    Ok(Err(e)) => Err(fail(e.to_string())),
                    Err(panic) => Err(fail(panic.to_string())),
                }
            }
        }
    }

    /// Which content an object has. Reads a local file. Blocks.
    pub(crate) fn version(&self, object: &Listed) -> io::Result<String> {
        if let Some(etag) = &object.etag {
            return Ok(etag.clone());
        }
        let mut file = File::open(self.path(object))?;
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => hasher.update(&buffer[..n]),
            }
        }
        Ok(hasher.finalize()[..16].iter().map(|b| format!("{b:02x}")).collect())
    }

    /// Reads an object from its beginning. Blocks.
    pub(crate) fn reader(&self, object: &Listed, faults: &Faults) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Place::Folder(_) => {
                let file = File::open(self.path(object))?;
                let stamp = (object.bytes, object.modified);
                Ok(Box::new(Steady { file, stamp, faults: faults.clone() }))
            }
            Place::Bucket(bucket) => Ok(Box::new(Parts {
                bucket: bucket.clone(),
                object: object.clone(),
                at: 0,
                part: Bytes::new(),
                faults: faults.clone(),
            })),
        }
    }

    fn path(&self, object: &Listed) -> PathBuf {
        PathBuf::from(object.at.strip_prefix("file:").unwrap_or(&object.at))
    }
}

fn walk(root: &Path) -> io::Result<Vec<Listed>> {
    let root = root.canonicalize()?;
    if root.is_file() {
        let key = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(vec![listed(&root, key)?]);
    }
    let (mut found, mut open) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || UNFINISHED.iter().any(|end| name.ends_with(end)) {
                continue;
            }
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                let key = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
                match listed(&path, key) {
                    Ok(one) => found.push(one),
                    // Gone since the folder was read.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(e),
                }
            }
        }
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

fn listed(path: &Path, key: String) -> io::Result<Listed> {
    let (bytes, modified) = stamp(&std::fs::metadata(path)?);
    Ok(Listed { key, at: format!("file:{}", path.display()), bytes, modified, etag: None })
}

fn stamp(found: &std::fs::Metadata) -> (u64, i64) {
    let at = found.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    (found.len(), at.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)))
}

/// A local file that must stay as it was.
struct Steady {
    file: File,
    stamp: (u64, i64),
    faults: Faults,
}

impl Read for Steady {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        // Asked at the end: a file that grew or was written over shows it by then.
        if n == 0 && !buffer.is_empty() && stamp(&self.file.metadata()?) != self.stamp {
            return Err(self.faults.set(Fault::Changed));
        }
        Ok(n)
    }
}

/// An object of a bucket, part by part: a connection that breaks costs one part.
struct Parts {
    bucket: Bucket,
    object: Listed,
    at: u64,
    part: Bytes,
    faults: Faults,
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.part.is_empty() && self.at < self.object.bytes {
            let range = self.at..(self.at + PART).min(self.object.bytes);
            let etag = self.object.etag.as_deref().unwrap_or_default();
            self.part = match self.bucket.read_part(&self.object.key, etag, range.clone()) {
                Ok(part) if part.len() as u64 == range.end - range.start => part,
                Ok(_) | Err(PartError::Changed) => return Err(self.faults.set(Fault::Changed)),
                Err(PartError::Store(error)) => return Err(self.faults.set(Fault::Later(error.to_string()))),
            };
            self.at = range.end;
        }
        let n = self.part.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.part[..n]);
        self.part.advance(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_lists_finished_files_and_no_links() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("b")).unwrap();
        for name in ["b/2.csv", "a.csv", ".hidden", "c.tmp", "d.part"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link.csv")).unwrap();
        let place = Place::open(&format!("file:{}", dir.path().display())).unwrap();
        let keys: Vec<String> = place.list().await.unwrap().into_iter().map(|l| l.key).collect();
        assert_eq!(keys, ["a.csv", "b/2.csv"]);
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_read_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        std::fs::write(&path, "one").unwrap();
        let place = Place::open(&format!("file:{}", dir.path().display())).unwrap();
        let object = place.list().await.unwrap().remove(0);
        let (faults, mut text) = (Faults::default(), String::new());
        place.reader(&object, &faults).unwrap().read_to_string(&mut text).unwrap();
        assert!(text == "one" && faults.get().is_none());
        std::fs::write(&path, "one and two").unwrap();
        assert!(place.reader(&object, &faults).unwrap().read_to_string(&mut text).is_err());
        assert!(matches!(faults.get(), Some(Fault::Changed)));
        let listed = place.list().await.unwrap().remove(0);
        assert_ne!(place.version(&listed).unwrap(), "");
    }
}
