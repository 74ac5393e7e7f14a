//! `tallymark serve`: a small supervisor of processes of the same binary.
//!
//! Guarantees: `collect` starts first and alone owns the public port; every child that ends is started again
//! with growing back-off; stopping closes the children's standard input, web first, collect last, and waits.

mod child;
mod components;
mod console;

use crate::{Layout, Role, ServerError, bootstrap};
use child::Child;
use components::Components;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// Data folder.
    pub data: PathBuf,
    /// Public address.
    pub listen: SocketAddr,
    /// Partitions per lane, for a new log.
    pub partitions: u16,
    /// Demo data to fill in.
    pub demo: Option<Demo>,
}

/// Demo data.
#[derive(Debug, Clone, Copy)]
pub struct Demo {
    /// About how many events.
    pub events: u64,
}

/// How long children get to finish what they have before they are killed.
const DRAIN: Duration = Duration::from_secs(15);

/// How long a start waits for what an earlier supervisor left behind to go: 8 s in all.
const PATIENCE_STEP: Duration = Duration::from_millis(100);
const PATIENCE_STEPS: u32 = 80;

/// Runs everything until a signal arrives.
pub async fn serve(config: ServeConfig) -> Result<(), ServerError> {
    let layout = Layout::new(&absolute(&config.data)?);
    refuse_half_restored(&layout)?;
    layout.create()?;
    let _lock = hold_lock(&layout).await?;
    let keys = bootstrap::keys_from_environment()?;
    let address = reserve(config.listen).await?;
    let components = Components::new(layout.components());
    let stop = CancellationToken::new();
    let start = |role: Role| {
        Child::role(role, &layout, address, config.partitions).keep_alive(components.clone(), stop.clone())
    };
    // Collecting never waits for anything else to come up.
    let collect = start(Role::Collect);
    let admin = if layout.catalog_is_lost() {
        // Collecting goes on; nobody may make an empty catalog in its place.
        console::catalog_lost(&layout);
        bootstrap::Admin::default()
    } else {
        bootstrap::instance(&layout, &keys, config.demo.is_some(), address).await?
    };
    let process = start(Role::Process);
    let web = start(Role::Web);
    let audit = start(Role::Audit);
    let watch = start(Role::Watch);
    let vacuum = start(Role::Vacuum);
    console::greet(&layout, address, &admin);
    let demo = config.demo.map(|d| Child::demo(d.events, &layout).once(components.clone(), stop.clone()));
    signal().await;
    console::stopping();
    stop.cancel();
    for child in demo.into_iter().chain([web, audit, watch, vacuum, process, collect]) {
        // A child task ends by itself within the drain time; a panic in it must not keep the others alive.
        let _ = tokio::time::timeout(DRAIN + Duration::from_secs(1), child).await;
    }
    Ok(())
}

/// A restore that was interrupted has left a part of an instance, which must not be taken for the whole.
fn refuse_half_restored(layout: &Layout) -> Result<(), ServerError> {
    if !layout.root().join(tallymark_recovery::backup::UNFINISHED).exists() {
        return Ok(());
    }
    let why = format!("a restore into {} was not finished; run it again", layout.root().display());
    Err(ServerError::Role { role: "restore", why })
}

fn absolute(path: &std::path::Path) -> Result<PathBuf, ServerError> {
    std::path::absolute(path).map_err(ServerError::at(path))
}

/// Refuses a port in use before anything starts; port 0 becomes a free one. The collector binds it again. The
/// collector of a supervisor that was killed may still be finishing its last requests there.
async fn reserve(address: SocketAddr) -> Result<SocketAddr, ServerError> {
    let mut last = None;
    for _ in 0..PATIENCE_STEPS {
        match std::net::TcpListener::bind(address).and_then(|l| l.local_addr()) {
            Ok(bound) => return Ok(bound),
            Err(why) if why.kind() == std::io::ErrorKind::AddrInUse => last = Some(why),
            Err(why) => return Err(ServerError::Listen { address, why }),
        }
        tokio::time::sleep(PATIENCE_STEP).await;
    }
    let why = last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
    Err(ServerError::Listen { address, why })
}

/// The lock of the data folder (X17). The children of a supervisor that was killed need a moment to notice.
async fn hold_lock(layout: &Layout) -> Result<std::fs::File, ServerError> {
    let path = layout.lock();
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(ServerError::at(&path))?;
    for _ in 0..PATIENCE_STEPS {
        if file.try_lock().is_ok() {
            return Ok(file);
        }
        tokio::time::sleep(PATIENCE_STEP).await;
    }
    Err(ServerError::InUse(layout.root().to_owned()))
}

/// Resolves on SIGTERM, SIGINT or ctrl-c.
pub async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = match signal(SignalKind::terminate()) {
        Ok(term) => term,
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
