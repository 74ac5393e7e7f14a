//! The one way files come into being and go away on a local disk.
//!
//! Guarantees (R2, R3): write under another name, fsync the file, rename, fsync every folder on the way that may be
//! new. No name ever points at bytes that are not on disk. `object_store`'s own local backend does none of this in
//! the version we are bound to, so it is not used for local files.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The system calls of durable writing; a trait so that a test can see their order.
pub(crate) trait Disk: Send + Sync + std::fmt::Debug {
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<File>;
    fn sync_file(&self, file: &File, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    fn remove(&self, file: &Path) -> io::Result<()>;
}

/// The real disk.
#[derive(Debug)]
pub(crate) struct SystemDisk;

impl Disk for SystemDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        match fs::create_dir(dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            other => other,
        }
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<File> {
        let mut handle = File::create_new(file)?;
        // The lock tells a sweep that the writer is alive; it goes away with the handle.
        handle.lock()?;
        handle.write_all(bytes)?;
        Ok(handle)
    }

    fn sync_file(&self, file: &File, _path: &Path) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }
}

/// Durable writes below one folder.
#[derive(Debug)]
pub(crate) struct Durable<D> {
    root: PathBuf,
    disk: D,
    /// Folders whose entry in their parent is known to be on disk.
    known: Mutex<HashSet<PathBuf>>,
}

impl<D: Disk> Durable<D> {
    pub fn new(root: PathBuf, disk: D) -> Durable<D> {
        Durable { root, disk, known: Mutex::new(HashSet::new()) }
    }

    /// Writes `bytes` to `path` (below the root) by way of `staging`, a name in the same folder.
    pub fn write(&self, path: &Path, staging: &Path, bytes: &[u8]) -> io::Result<()> {
        let dir = path.parent().unwrap_or(&self.root);
        self.make_dirs(dir)?;
        let written = self.disk.write(staging, bytes).and_then(|file| {
            self.disk.sync_file(&file, staging)?;
            self.disk.rename(staging, path)
        });
        if let Err(error) = written {
            // Best effort: a sweep removes what stays.
            let _ = self.disk.remove(staging);
            return Err(error);
        }
        self.disk.sync_dir(dir)
    }

    /// The same, but only if there is no such file: false if there is one. On a file system without hard links two
    /// writers that come at the same moment may both succeed.
    pub fn create(&self, path: &Path, staging: &Path, bytes: &[u8]) -> io::Result<bool> {
        let dir = path.parent().unwrap_or(&self.root);
        self.make_dirs(dir)?;
        if path.exists() {
            return Ok(false);
        }
        let written = self.disk.write(staging, bytes).and_then(|file| {
            self.disk.sync_file(&file, staging)?;
            match self.disk.link(staging, path) {
                Ok(()) => Ok(true),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(e) if no_links(&e) => self.disk.rename(staging, path).map(|()| true),
                Err(e) => Err(e),
            }
        });
        // Best effort, as above; after a rename there is none.
        let _ = self.disk.remove(staging);
        if written? {
            self.disk.sync_dir(dir)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Removes a file and makes that durable. False if there was none.
    pub fn remove(&self, path: &Path) -> io::Result<bool> {
        match self.disk.remove(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
            Ok(()) => self.disk.sync_dir(path.parent().unwrap_or(&self.root)).map(|()| true),
        }
    }

    /// Creates a folder with its ancestors and syncs each parent. A folder that exists is synced too, once per
    /// process: whoever created it may not have come that far.
    fn make_dirs(&self, dir: &Path) -> io::Result<()> {
        if dir == self.root || self.is_known(dir) {
            return Ok(());
        }
        let Some(parent) = dir.parent() else {
            return Ok(());
        };
        self.make_dirs(parent)?;
        self.disk.create_dir(dir)?;
        self.disk.sync_dir(parent)?;
        if let Ok(mut known) = self.known.lock() {
            known.insert(dir.to_owned());
        }
        Ok(())
    }

    fn is_known(&self, dir: &Path) -> bool {
        self.known.lock().is_ok_and(|known| known.contains(dir))
    }
}

/// True if the file system has no hard links.
fn no_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Recorder {
        calls: Mutex<Vec<String>>,
        fail_rename: bool,
        no_links: bool,
    }

    impl Recorder {
        fn note(&self, call: &str, path: &Path) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            self.calls.lock().unwrap().push(format!("{call} {name}"));
        }
    }

    impl Disk for Recorder {
        fn create_dir(&self, dir: &Path) -> io::Result<()> {
            self.note("mkdir", dir);
            SystemDisk.create_dir(dir)
        }
        fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<File> {
            self.note("write", file);
            SystemDisk.write(file, bytes)
        }
        fn sync_file(&self, file: &File, path: &Path) -> io::Result<()> {
            self.note("fsync", path);
            SystemDisk.sync_file(file, path)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.note("rename", to);
            if self.fail_rename { Err(io::Error::other("no")) } else { SystemDisk.rename(from, to) }
        }
        fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.note("link", to);
            if self.no_links { Err(io::ErrorKind::Unsupported.into()) } else { SystemDisk.link(from, to) }
        }
        fn sync_dir(&self, dir: &Path) -> io::Result<()> {
            self.note("fsyncdir", dir);
            SystemDisk.sync_dir(dir)
        }
        fn remove(&self, file: &Path) -> io::Result<()> {
            self.note("remove", file);
            SystemDisk.remove(file)
        }
    }

    fn root() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        (dir, root)
    }

    #[test]
    fn bytes_and_new_folders_are_synced_before_and_after_the_rename() {
        let (_keep, root) = root();
        let durable = Durable::new(root.clone(), Recorder::default());
        let path = root.join("x/y/file");
        durable.write(&path, &root.join("x/y/staging"), b"abc").unwrap();
        let calls = std::mem::take(&mut *durable.disk.calls.lock().unwrap());
        let expected = [
            "mkdir x",
            "fsyncdir root",
            "mkdir y",
            "fsyncdir x",
            "write staging",
            "fsync staging",
            "rename file",
            "fsyncdir y",
        ];
        assert_eq!(calls, expected);
        assert_eq!(fs::read(&path).unwrap(), b"abc");

        durable.write(&path, &root.join("x/y/staging"), b"abcd").unwrap();
        let calls = std::mem::take(&mut *durable.disk.calls.lock().unwrap());
        assert_eq!(calls, ["write staging", "fsync staging", "rename file", "fsyncdir y"]);

        assert!(durable.remove(&path).unwrap());
        assert_eq!(*durable.disk.calls.lock().unwrap(), ["remove file", "fsyncdir y"]);
        assert!(!durable.remove(&path).unwrap());
    }

    #[test]
    fn a_failed_write_leaves_neither_name() {
        let (_keep, root) = root();
        let durable = Durable::new(root.clone(), Recorder { fail_rename: true, ..Recorder::default() });
        assert!(durable.write(&root.join("file"), &root.join("staging"), b"abc").is_err());
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }

    #[test]
    fn only_the_first_creates_a_file_with_and_without_hard_links() {
        for no_links in [false, true] {
            let (_keep, root) = root();
            let durable = Durable::new(root.clone(), Recorder { no_links, ..Recorder::default() });
            let path = root.join("file");
            assert!(durable.create(&path, &root.join("staging"), b"first").unwrap());
            let calls = std::mem::take(&mut *durable.disk.calls.lock().unwrap());
            let put = if no_links { vec!["link file", "rename file"] } else { vec!["link file"] };
            let expected =
                [vec!["write staging", "fsync staging"], put, vec!["remove staging", "fsyncdir root"]]
                    .concat();
            assert_eq!(calls, expected);
            assert!(!durable.create(&path, &root.join("staging"), b"second").unwrap());
            assert_eq!(fs::read(&path).unwrap(), b"first");
            assert_eq!(fs::read_dir(&root).unwrap().count(), 1, "no staging file stays");
        }
    }
}
