//! `tallymark serve`: everything on one machine, and the hidden `role` that its supervisor starts.

use crate::Failure;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tallymark_server::{Demo, Role, RoleConfig, ServeConfig};

/// How to serve.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    /// Folder of all data.
    #[arg(long, env = "TALLYMARK_DATA", default_value = "./tallymark-data")]
    pub data: PathBuf,
    /// Address of the public port.
    #[arg(long, env = "TALLYMARK_LISTEN", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// Fill a project named `demo` with about this many events, then keep a live trickle going.
    #[arg(long, value_name = "EVENTS", num_args = 0..=1, default_missing_value = "200000")]
    pub demo: Option<u64>,
    /// Partitions per lane; fixed when the data folder is made.
    #[arg(long, default_value_t = 4)]
    pub partitions: u16,
}

/// Which role to run.
#[derive(Debug, Clone, clap::Args)]
pub struct RoleArgs {
    /// The role.
    #[arg(value_parser = Role::from_name)]
    pub role: Role,
    /// Folder of all data.
    #[arg(long)]
    pub data: PathBuf,
    /// Address of the public port (collect only).
    #[arg(long, default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// Partitions per lane.
    #[arg(long, default_value_t = 4)]
    pub partitions: u16,
}

/// Runs the supervisor until it is told to stop.
pub async fn serve(args: ServeArgs) -> Result<ExitCode, Failure> {
    tallymark_server::telemetry();
    let demo = args.demo.map(|events| Demo { events });
    let config = ServeConfig { data: args.data, listen: args.listen, partitions: args.partitions, demo };
    tallymark_server::serve(config).await?;
    Ok(ExitCode::SUCCESS)
}

/// Runs one role until it is told to stop.
pub async fn role(args: RoleArgs) -> Result<ExitCode, Failure> {
    tallymark_server::telemetry();
    let config = RoleConfig { data: args.data, listen: args.listen, partitions: args.partitions };
    tallymark_server::run_role(args.role, config).await?;
    Ok(ExitCode::SUCCESS)
}
