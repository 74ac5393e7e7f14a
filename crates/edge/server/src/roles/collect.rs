//! `collect`: the public port and the log's writer; needs nothing but its disk.

use super::{RoleConfig, measure};
use crate::{Layout, ServerError};
use std::sync::Arc;
use tallymark_log::file::{FileLog, FileLogConfig};
use tokio_util::sync::CancellationToken;

/// Collects until told to stop.
pub async fn run(layout: &Layout, config: &RoleConfig, stop: CancellationToken) -> Result<(), ServerError> {
    measure::publish(layout, "collect", stop.clone());
    tallymark_collector::describe_metrics();
    let log_config = FileLogConfig { partitions: config.partitions, ..FileLogConfig::default() };
    let folder = layout.log();
    let writer = tokio::task::spawn_blocking(move || FileLog::open_writer(&folder, log_config))
        .await
        .map_err(|e| ServerError::Log(e.to_string()))?
        .map_err(|e| ServerError::Log(e.to_string()))?;
    let listen = |why| ServerError::Listen { address: config.listen, why };
    let listener = tokio::net::TcpListener::bind(config.listen).await.map_err(listen)?;
    let collector = tallymark_collector::CollectorConfig {
        web_socket: Some(layout.web_socket()),
        process_socket: Some(layout.process_socket()),
        ..Default::default()
    };
    tallymark_collector::serve(listener, Arc::new(writer), collector, stop)
        .await
        .map_err(|why| ServerError::Role { role: "collect", why: why.to_string() })
}
