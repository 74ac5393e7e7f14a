//! What can keep a role or the supervisor from running.

use std::path::PathBuf;

/// A role or the supervisor cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data folder or something in it.
    #[error("{path}: {why}")]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        why: std::io::Error,
    },
    /// Another server uses the folder.
    #[error(
        "{0} is in use by another `tallymark serve`; stop that one, or choose another folder with --data"
    )]
    InUse(PathBuf),
    /// The public port.
    #[error("cannot listen on {address}: {why}; choose another address with --listen")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The reason.
        why: std::io::Error,
    },
    /// A configured key is too weak.
    #[error(
        "{variable} is shorter than 16 characters; use a longer random key, for example from `openssl rand -hex 24`"
    )]
    WeakKey {
        /// The environment variable.
        variable: &'static str,
    },
    /// A time zone name that does not exist.
    #[error("TALLYMARK_BOOTSTRAP_TIMEZONE: unknown time zone {0:?}; use an IANA name such as Europe/Berlin")]
    Zone(String),
    /// The log.
    #[error("log: {0}")]
    Log(String),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] tallymark_catalog::CatalogError),
    /// A role ended by itself.
    #[error("{role} stopped: {why}")]
    Role {
        /// Which one.
        role: &'static str,
        /// The reason.
        why: String,
    },
}

impl ServerError {
    /// An I/O error at a place.
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> ServerError {
        let path = path.into();
        move |why| ServerError::Folder { path, why }
    }
}
