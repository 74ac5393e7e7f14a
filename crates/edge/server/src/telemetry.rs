//! One combined log on standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` chooses what is shown; payloads are never logged.
pub fn telemetry() {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,hyper=warn"));
    let layer =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(true);
    // A second call (tests) keeps the first logger.
    let _ = layer.with_ansi(false).try_init();
}
