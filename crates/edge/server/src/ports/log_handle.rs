//! The log's reader, opened when it is first needed: the collector makes the log, and may be slower.

use std::sync::Arc;
use tallymark_api::PortError;
use tallymark_log::LogReader;
use tokio::sync::OnceCell;

/// Opens the log's reader; fails as long as the collector has not made the log.
pub type OpenLog = dyn Fn() -> Result<Arc<dyn LogReader>, PortError> + Send + Sync;

/// A log that may not exist yet. Shared by the ports that read it.
pub struct LogHandle {
    open: Box<OpenLog>,
    log: OnceCell<Arc<dyn LogReader>>,
}

impl LogHandle {
    /// A log that this opens.
    pub fn new(open: Box<OpenLog>) -> LogHandle {
        LogHandle { open, log: OnceCell::new() }
    }

    /// The reader.
    pub async fn get(&self) -> Result<&dyn LogReader, PortError> {
        Ok(self.log.get_or_try_init(|| async { (self.open)() }).await?.as_ref())
    }
}

/// A failure of what a port stands for.
pub fn port(what: &'static str, error: impl std::fmt::Display) -> PortError {
    PortError { what, detail: error.to_string() }
}
