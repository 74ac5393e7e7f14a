//! What the log needs from a disk, as a trait, so that tests can be the disk that fails: torn writes, failing
//! flushes, no space, lost power.
//!
//! Guarantees: [`RealDisk`] adds nothing to what the system promises; in particular a name is durable only after
//! [`Disk::sync_dir`], and data only after [`DiskFile::sync`].
//! Deliberately not here: formats, retries.

use std::any::Any;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Existing, read only.
    Read,
    /// Existing, read and write.
    Write,
    /// New, read and write; fails if the name is taken.
    Create,
}

/// Folders and names.
pub trait Disk: Send + Sync {
    /// Makes one folder; fine if it is there already. Returns true if it was made.
    fn create_dir(&self, dir: &Path) -> io::Result<bool>;
    /// Makes the names in this folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Names in this folder.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name, replacing what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Bytes an ordinary user may still write to the volume; `None` if there is no limit.
    fn free_bytes(&self, dir: &Path) -> io::Result<Option<u64>>;
    /// Size of the volume; `None` if it has no limit.
    fn total_bytes(&self, dir: &Path) -> io::Result<Option<u64>>;
    /// Takes an exclusive lock that dies with the process; `None` if another holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// An exclusive lock; dropping it releases.
pub type Lock = Box<dyn Any + Send + Sync>;

/// One open file.
pub trait DiskFile: Send + Sync {
    /// Reads up to the length of `buf`; fewer bytes only at the end of the file.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes all of `bytes`.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Makes what was written durable, with as much metadata as reading it back needs.
    fn sync(&self) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// True if the length is zero.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|n| n == 0)
    }
    /// Takes space for the first `bytes` without writing them.
    fn reserve(&self, bytes: u64) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<bool> {
        match std::fs::create_dir(dir) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        // Names that are not UTF-8 are not ours.
        let names = std::fs::read_dir(dir)?.map(|e| e.map(|e| e.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let write = mode != OpenMode::Read;
        let create = mode == OpenMode::Create;
        let file = OpenOptions::new().read(true).write(write).create_new(create).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<Option<u64>> {
        fs4::available_space(dir).map(Some)
    }

    fn total_bytes(&self, dir: &Path) -> io::Result<Option<u64>> {
        fs4::total_space(dir).map(Some)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(e),
        }
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.0.read_at(&mut buf[done..], at + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|m| m.len())
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        fs4::fs_std::FileExt::allocate(&self.0, bytes)
    }
}

/// Makes `dir` and its missing ancestors, each durable in its parent before the next is made (R3).
pub(crate) fn create_dir_durably(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    match disk.create_dir(dir) {
        Ok(made) => {
            if made {
                disk.sync_dir(&parent(dir))?;
            }
            Ok(())
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound && parent(dir) != dir => {
            create_dir_durably(disk, &parent(dir))?;
            create_dir_durably(disk, dir)
        }
        Err(e) => Err(e),
    }
}

/// The folder that holds the name of `path`.
pub(crate) fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(p) if p.as_os_str().is_empty() => PathBuf::from("."),
        Some(p) => p.to_owned(),
        None => path.to_owned(),
    }
}

/// True if the volume, a quota or the file size limit has no room: appends may work again later.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// True if the device could not deliver the bytes: damage, to be told from a missing file or right.
pub(crate) fn is_device_error(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    error.raw_os_error() == Some(EIO)
}

/// True if the name is not there.
pub(crate) fn disk_is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
