//! Where the parts of an instance are. The server's layout says so; this is the shape in which it tells.
//!
//! Deliberately not here: creating anything.

use std::path::{Path, PathBuf};

/// The parts of one instance's data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The folder itself.
    pub root: PathBuf,
    /// Folder of the log.
    pub log: PathBuf,
    /// File of the catalog.
    pub catalog: PathBuf,
    /// Folder of the objects.
    pub objects: PathBuf,
    /// Folder of checkpoints of state.
    pub state: PathBuf,
    /// The lock that a running supervisor holds.
    pub lock: PathBuf,
}

impl Places {
    /// The usual names below a folder.
    pub fn below(root: &Path) -> Places {
        Places {
            root: root.to_owned(),
            log: root.join("log"),
            catalog: root.join("catalog.db"),
            objects: root.join("objects"),
            state: root.join("state"),
            lock: root.join("run").join("lock"),
        }
    }

    /// URL of the object store.
    pub fn objects_url(&self) -> String {
        format!("file:{}", self.objects.display())
    }

    /// The lock that a running writer of the log holds.
    pub fn log_lock(&self) -> PathBuf {
        self.log.join("lock")
    }
}
