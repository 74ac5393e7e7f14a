//! `collect`: the public port and the log's writer; needs nothing but its disk.

use super::{RoleConfig, measure};
use crate::{Layout, ServerError};
use std::sync::Arc;
use std::time::Duration;
use tallymark_collector::PathPrefix;
use tallymark_log::file::{FileLog, FileLogConfig};
use tallymark_log::{Admission, LogWriter};
use tokio_util::sync::CancellationToken;

/// How often the writer's health is looked at.
const CLOSED_EVERY: Duration = Duration::from_millis(250);

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
        throttle_rules: Some(layout.throttle_rules()),
        throttle_state: Some(layout.throttle_state()),
        control_socket: Some(layout.control_socket()),
        webhook_secrets: webhook_secrets(),
        trusted_hops: trusted_hops()?,
        path_prefix: path_prefix()?,
        ..Default::default()
    };
    let writer: Arc<dyn LogWriter> = Arc::new(writer);
    let closed = stop_when_closed(Arc::clone(&writer), stop.clone());
    tallymark_collector::serve(listener, writer, collector, stop)
        .await
        .map_err(|why| ServerError::Role { role: "collect", why: why.to_string() })?;
    match closed.await {
        Ok(true) => {
            Err(ServerError::Log("the writer failed; opening and verifying the log again".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Shared secrets of Segment's webhook destinations, separated by commas: `TALLYMARK_SEGMENT_WEBHOOK_SECRETS`.
fn webhook_secrets() -> Vec<String> {
    let text = std::env::var("TALLYMARK_SEGMENT_WEBHOOK_SECRETS").unwrap_or_default();
    text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(str::to_owned).collect()
}

/// How many proxies in front are the operator's own: `TALLYMARK_TRUSTED_HOPS`.
fn trusted_hops() -> Result<u8, ServerError> {
    let Ok(text) = std::env::var("TALLYMARK_TRUSTED_HOPS") else { return Ok(0) };
    text.trim().parse().map_err(|_| ServerError::Role {
        role: "collect",
        why: format!("TALLYMARK_TRUSTED_HOPS must be the number of proxies in front, not '{text}'"),
    })
}

/// A first-party path under which SDKs reach ingestion as well: `TALLYMARK_PATH_PREFIX`.
fn path_prefix() -> Result<Option<PathPrefix>, ServerError> {
    let Ok(text) = std::env::var("TALLYMARK_PATH_PREFIX") else { return Ok(None) };
    let why = || format!("TALLYMARK_PATH_PREFIX must be a path like /ingest, not '{text}'");
    PathPrefix::parse(&text).map(Some).ok_or_else(|| ServerError::Role { role: "collect", why: why() })
}

/// A writer whose disk failed it never acknowledges again (R5): the process ends, and its successor opens and
/// verifies the log anew.
fn stop_when_closed(writer: Arc<dyn LogWriter>, stop: CancellationToken) -> tokio::task::JoinHandle<bool> {
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            if writer.pressure().admission == Admission::Closed {
                stop.cancel();
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep(CLOSED_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
        false
    })
}
