//! What a job's report says in numbers.
//!
//! Deliberately not here: what they mean to people.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use tallymark_ledger::{Fingerprint, Tally};
use tallymark_model::ProjectId;

/// Outcomes, in all and by project.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcomes {
    pub(crate) whole: Tally,
    pub(crate) projects: BTreeMap<ProjectId, Tally>,
}

impl Outcomes {
    pub(crate) fn add(&mut self, whole: Tally, parts: &[(ProjectId, Tally, Fingerprint)]) {
        self.whole += whole;
        for (project, tally, _) in parts {
            *self.projects.entry(*project).or_default() += *tally;
        }
    }

    /// As a list for a report.
    pub(crate) fn projects_json(&self) -> Value {
        let one = |(project, tally): (&ProjectId, &Tally)| json!({"project": project, "outcomes": tally});
        self.projects.iter().map(one).collect()
    }
}
