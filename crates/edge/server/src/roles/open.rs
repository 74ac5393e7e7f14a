//! Opening backends; the only place that knows which ones there are.

use crate::{Layout, ServerError};
use std::sync::Arc;
use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_log::OpenError;
use tallymark_log::file::{FileLog, FileLogConfig, FileLogReader};
use tallymark_store::ObjectStore;
use tokio_util::sync::CancellationToken;

/// The object store.
pub fn store(layout: &Layout) -> Result<ObjectStore, ServerError> {
    tallymark_store::open(&layout.objects_url())
        .map_err(|e| ServerError::Role { role: "object store", why: e.to_string() })
}

/// The catalog. The supervisor makes it; a role that is quicker waits for it.
pub async fn catalog(layout: &Layout, mode: OpenMode) -> Result<SqliteCatalog, ServerError> {
    let mut last = None;
    for _ in 0..100 {
        match SqliteCatalog::open(&layout.catalog(), mode).await {
            Ok(catalog) => return Ok(catalog),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let why = last.map_or_else(String::new, |e| e.to_string());
    Err(ServerError::Role { role: "catalog", why })
}

/// The log's reader.
pub fn log(layout: &Layout) -> Result<Arc<FileLogReader>, OpenError> {
    FileLog::open_reader(&layout.log(), &FileLogConfig::default()).map(Arc::new)
}

/// The log's reader, once the collector has made the log; `None` if told to stop first.
pub async fn log_when_there(layout: &Layout, stop: &CancellationToken) -> Option<Arc<FileLogReader>> {
    loop {
        match log(layout) {
            Ok(log) => return Some(log),
            Err(OpenError::Missing { .. }) => {}
            Err(error) => tracing::warn!(%error, "log not readable yet"),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
            () = stop.cancelled() => return None,
        }
    }
}

/// A Unix socket at this place. A file left by the last process keeps the name taken, so it goes first.
pub fn socket(path: &std::path::Path) -> Result<tokio::net::UnixListener, ServerError> {
    if path.exists() {
        std::fs::remove_file(path).map_err(ServerError::at(path))?;
    }
    tokio::net::UnixListener::bind(path).map_err(ServerError::at(path))
}
