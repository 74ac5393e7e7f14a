//! What the API asks of the instance, answered from the log, the deltas and the supervisor's notes.

mod backlog;
mod components;
mod outcomes;

pub use backlog::LogBacklog;
pub use components::SupervisedComponents;
pub use outcomes::DeltaOutcomes;
