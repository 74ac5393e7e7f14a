//! Drills: the published incidents, re-enacted against the real binary as scratch instances.
//!
//! Guarantees: a drill starts its own processes in its own folder on loopback ports and touches nothing else;
//! everything is bounded in time and count; at the end every process is dead and every folder gone (unless kept);
//! the load generator keeps its own record, and the judge compares that record with files and charts: it never
//! asks the system whether it lost anything. The seed is printed.
//! Deliberately not here: anything that makes the system work; a drill uses doors that operators have.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod drills;
mod error;
mod figure;
mod instance;
mod judge;
mod load;
mod plant;
mod receiver;
mod record;
mod report;
mod run;
mod stage;
mod timeline;
mod twins;

pub use drills::{DRILLS, Drill, ELSEWHERE, Elsewhere, Where, find};
pub use error::DrillError;
pub use figure::{Figure, Rule};
pub use report::{DrillReport, RunReport, Verdict};
pub use run::{Options, run};
