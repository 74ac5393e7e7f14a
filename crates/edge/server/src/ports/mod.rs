//! What the API asks of the instance, answered from log, deltas, fold, sockets and the watch's notes.

mod backlog;
mod components;
mod control;
mod files;
mod in_force;
mod keepsake;
mod log_handle;
mod outcomes;
mod publisher;
mod records;
mod watch;

pub use backlog::LogBacklog;
pub use components::SupervisedComponents;
pub use control::ControlSocket;
pub use in_force::FoldedControls;
pub use keepsake::AccountsCopy;
pub use log_handle::LogHandle;
pub use outcomes::DeltaOutcomes;
pub use publisher::publish;
pub use records::LogRecords;
pub use watch::WatchNotes;
