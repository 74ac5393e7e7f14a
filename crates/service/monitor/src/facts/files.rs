//! Facts about buckets and folders whose files become events.
//!
//! Guarantees: as the vacuum itself publishes them; what it took is in its own record.

use serde::{Deserialize, Serialize};
use tallymark_model::{Millis, ProjectId};

/// One source of files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FileSourceFacts {
    /// What it is called.
    pub name: String,
    /// Into which project, if there is such a project.
    pub project: Option<ProjectId>,
    /// A round is under way.
    pub working: bool,
    /// When its figures last changed.
    pub progressed: Millis,
    /// Since when its rounds end early, and why the last one did.
    pub failing: Option<(Millis, String)>,
    /// What the server says while it does not take rows.
    pub waiting: Option<String>,
    /// Objects that cannot be read: key and reason.
    pub unreadable: Vec<(String, String)>,
    /// Objects whose content is another one than was taken.
    pub changed: Vec<String>,
}
