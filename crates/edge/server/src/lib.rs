//! Composition root: opens backends by their place in the data folder, starts roles, supervises, drains.
//!
//! Guarantees: one code path, whether one process runs or four; the collector starts first and depends on
//! nothing but the log; a child that dies is started again with back-off; a supervisor that dies takes its
//! children with it (they watch their standard input).
//! Deliberately not here: anything a role does.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod bootstrap;
mod error;
mod extras;
mod layout;
mod limits;
mod ports;
pub mod recover;
mod roles;
mod secrets;
mod supervisor;
mod telemetry;
pub mod verify;

pub use error::ServerError;
pub use layout::Layout;
pub use roles::{Role, RoleConfig, run_role};
pub use supervisor::{Demo, ServeConfig, serve};
pub use telemetry::telemetry;
