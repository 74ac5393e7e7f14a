//! Cohorts that a project keeps.
//!
//! Guarantees: plain data; a version counts changes of the definition, so a stored membership says which
//! definition it is of. Deliberately not here: what a definition means, who is in a cohort (`insights`).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tallymark_model::{CommitSeq, Millis, ProjectId};

/// Whether membership follows a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CohortKind {
    /// Whoever satisfies the definition now.
    Dynamic,
    /// The persons that were put in, followed through merges.
    Static,
}

impl CohortKind {
    /// Its name in JSON and in the table.
    pub fn name(self) -> &'static str {
        match self {
            CohortKind::Dynamic => "dynamic",
            CohortKind::Static => "static",
        }
    }
}

/// A cohort to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCohort {
    /// Whose.
    pub project: ProjectId,
    /// Its name, unique within the project.
    pub name: String,
    /// Whether membership follows the definition.
    pub kind: CohortKind,
    /// The definition; of a static one `{"ids": [person ids]}`.
    pub definition: Value,
    /// Who makes it.
    pub by: String,
}

/// A cohort that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCohort {
    /// Its number.
    pub id: i64,
    /// What was asked for.
    pub cohort: NewCohort,
    /// Counts changes of the definition from 1.
    pub version: u32,
    /// When it was made, ms UTC.
    pub made_at: Millis,
    /// When it was last changed, ms UTC.
    pub changed_at: Millis,
    /// Who was in it when it was last looked at, without the members themselves.
    pub membership: Option<MembershipInfo>,
}

/// About a stored membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipInfo {
    /// Of which version of the definition.
    pub version: u32,
    /// The commit it was computed at.
    pub seq: CommitSeq,
    /// When, ms UTC.
    pub computed_at: Millis,
    /// How long that took.
    pub took_ms: i64,
    /// How many members.
    pub size: u64,
    /// Why it could not be computed, if it could not.
    pub problem: Option<String>,
}
