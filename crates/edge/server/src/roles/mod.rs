//! The roles of one binary. Each opens its own backends and runs until its standard input closes or a signal
//! arrives.

mod audit;
mod beat;
mod cohorts;
mod collect;
mod decoding;
mod found;
mod lost;
mod measure;
mod open;
mod process;
mod protect;
mod vacuum;
mod watch;
mod watermark;
mod web;

use crate::{Layout, ServerError, limits, supervisor};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// What a process of the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Owns the public port and the log's writer; needs only its disk.
    Collect,
    /// Turns the log into segments; compacts.
    Process,
    /// API, queries, web app.
    Web,
    /// Checks the books against log and files, independently of whoever wrote them.
    Audit,
    /// Monitors, alerts, the status page's history, scheduled backups and rehearsals.
    Watch,
    /// Takes files of buckets and folders.
    Vacuum,
}

impl Role {
    /// Name used in commands, logs and status.
    pub fn name(self) -> &'static str {
        match self {
            Role::Collect => "collect",
            Role::Process => "process",
            Role::Web => "web",
            Role::Audit => "audit",
            Role::Watch => "watch",
            Role::Vacuum => "vacuum",
        }
    }

    /// Every role, in order of start.
    pub const ALL: [Role; 6] =
        [Role::Collect, Role::Process, Role::Web, Role::Audit, Role::Watch, Role::Vacuum];

    /// The role with this name.
    pub fn from_name(name: &str) -> Result<Role, String> {
        let known = || Role::ALL.map(Role::name).join(", ");
        Role::ALL
            .into_iter()
            .find(|r| r.name() == name)
            .ok_or_else(|| format!("unknown role {name:?}; use one of {}", known()))
    }
}

/// What every role needs to know.
#[derive(Debug, Clone)]
pub struct RoleConfig {
    /// Data folder.
    pub data: PathBuf,
    /// Public address.
    pub listen: SocketAddr,
    /// Partitions per lane, for a new log.
    pub partitions: u16,
}

/// Runs a role until it is told to stop.
pub async fn run_role(role: Role, config: RoleConfig) -> Result<(), ServerError> {
    limits::apply(role);
    let layout = Layout::new(&config.data);
    layout.create()?;
    let stop = CancellationToken::new();
    stop_when_orphaned(stop.clone());
    let signalled = stop.clone();
    tokio::spawn(async move {
        supervisor::signal().await;
        signalled.cancel();
    });
    beat::keep(&layout, role, stop.clone());
    match role {
        Role::Collect => collect::run(&layout, &config, stop).await,
        Role::Process => process::run(&layout, stop).await,
        Role::Web => web::run(&layout, stop).await,
        Role::Audit => audit::run(&layout, stop).await,
        Role::Watch => watch::run(&layout, stop).await,
        Role::Vacuum => vacuum::run(&layout, stop).await,
    }
}

/// The supervisor holds the other end of the standard input: when it closes, the supervisor is gone or wants
/// this process to finish. A plain thread: reading the standard input cannot be cancelled.
fn stop_when_orphaned(stop: CancellationToken) {
    std::thread::spawn(move || {
        let mut buffer = [0u8; 64];
        while matches!(std::io::Read::read(&mut std::io::stdin(), &mut buffer), Ok(n) if n > 0) {}
        stop.cancel();
    });
}
