//! Where things are in the data folder: the one place that knows.

use crate::ServerError;
use std::path::{Path, PathBuf};

/// The data folder.
///
/// ```text
/// DIR/log/{live,bulk}/     the log: the truth until it is archived
/// DIR/catalog.db           what is committed, projects, keys
/// DIR/objects/             segments and deltas
/// DIR/state/               checkpoints of the fold (disposable)
/// DIR/throttle.json        rules of throttling (optional), its last good copy, and throttle.state
/// DIR/vacuum.toml          sources of files (optional)
/// DIR/vacuum/              which files were taken, rows that were refused, what is unpacked
/// DIR/run/                 sockets, status, connection details for the CLI (not data)
/// ```
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout below a folder.
    pub fn new(root: &Path) -> Layout {
        Layout { root: root.to_owned() }
    }
    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The log.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }
    /// The catalog.
    pub fn catalog(&self) -> PathBuf {
        self.root.join("catalog.db")
    }
    /// True if commits were copied but their catalog is not there: it must be rebuilt, not made anew.
    pub fn catalog_is_lost(&self) -> bool {
        let commits = self.objects().join("commits");
        !self.catalog().exists() && std::fs::read_dir(commits).is_ok_and(|mut files| files.next().is_some())
    }

    /// The object store.
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }
    /// Its URL.
    pub fn objects_url(&self) -> String {
        format!("file:{}", self.objects().display())
    }
    /// Checkpoints of the fold.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }
    /// Sockets and status.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }
    /// The web process's socket.
    pub fn web_socket(&self) -> PathBuf {
        self.run().join("web.sock")
    }
    /// The processor's socket, which says nothing but that it is there.
    pub fn process_socket(&self) -> PathBuf {
        self.run().join("process.sock")
    }
    /// The collector's socket for control records and throttle rules.
    pub fn control_socket(&self) -> PathBuf {
        self.run().join("control.sock")
    }
    /// Rules of throttling, for the operator to edit; its last good copy is kept beside it.
    pub fn throttle_rules(&self) -> PathBuf {
        self.root.join("throttle.json")
    }
    /// What throttling must not forget over a restart.
    pub fn throttle_state(&self) -> PathBuf {
        self.root.join("throttle.state")
    }
    /// What the supervisor knows of its children.
    pub fn components(&self) -> PathBuf {
        self.run().join("components.json")
    }
    /// Connection details for the CLI on this machine.
    pub fn local(&self) -> PathBuf {
        self.run().join("local.json")
    }
    /// The time when a role that always has work last got on with it.
    pub fn progress(&self, role: &str) -> PathBuf {
        self.run().join(format!("{role}.progress"))
    }
    /// What the API knows of people and keys while the catalog is gone; holds password hashes.
    pub fn accounts_copy(&self) -> PathBuf {
        self.root().join("accounts.json")
    }
    /// The time of a role's last sign of life.
    pub fn beat(&self, role: &str) -> PathBuf {
        self.run().join(format!("{role}.beat"))
    }

    /// What monitors keep: incidents, alerts, estimates. A database of its own, so that it is there when nothing else is.
    pub fn watch(&self) -> PathBuf {
        self.root.join("watch.db")
    }

    /// Which buckets and folders are watched for files.
    pub fn vacuum_sources(&self) -> PathBuf {
        self.root.join("vacuum.toml")
    }

    /// What is known of their files.
    pub fn vacuum(&self) -> PathBuf {
        self.root.join("vacuum")
    }

    /// The lock that only one supervisor holds.
    pub fn lock(&self) -> PathBuf {
        self.run().join("lock")
    }

    /// Creates the folders that are missing; the root is for its owner only.
    pub fn create(&self) -> Result<(), ServerError> {
        use std::os::unix::fs::PermissionsExt;
        for folder in [self.root.clone(), self.log(), self.objects(), self.state(), self.run()] {
            std::fs::create_dir_all(&folder).map_err(ServerError::at(&folder))?;
        }
        std::fs::set_permissions(&self.root, std::fs::Permissions::from_mode(0o700))
            .map_err(ServerError::at(&self.root))
    }
}

/// Replaces a small file as a whole, readable by its owner only.
pub fn write_private(path: &Path, text: &str) -> Result<(), ServerError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let fresh = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    };
    write().map_err(ServerError::at(path))
}
