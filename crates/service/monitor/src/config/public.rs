//! What the public status page shows.
//!
//! Guarantees: by default neither project names nor counts are public.
//! Deliberately not here: rendering (`status`).

use crate::{Component, MonitorError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the public status page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PublicConfig {
    /// Name of the page.
    pub name: String,
    /// Where it is, as `https://status.example.org`. Empty = relative links.
    pub url: String,
    /// Time zone for texts; instants are UTC.
    pub time_zone: String,
    /// Whether names of affected projects are shown.
    pub show_projects: bool,
    /// Whether event counts are shown.
    pub show_counts: bool,
    /// Names of components, by slug (`collection`, `processing`, `lane-live`, …).
    pub component_names: BTreeMap<String, String>,
    /// Components that are not shown, by slug.
    pub hidden_components: Vec<String>,
}

impl Default for PublicConfig {
    fn default() -> PublicConfig {
        PublicConfig {
            name: "Tallymark".to_owned(),
            url: String::new(),
            time_zone: "Etc/UTC".to_owned(),
            show_projects: false,
            show_counts: false,
            component_names: BTreeMap::new(),
            hidden_components: Vec::new(),
        }
    }
}

impl PublicConfig {
    pub(super) fn check(&self) -> Result<(), MonitorError> {
        for slug in self.component_names.keys().chain(&self.hidden_components) {
            if Component::from_slug(slug).is_none() {
                return Err(MonitorError::config("public", format!("there is no component `{slug}`")));
            }
        }
        Ok(())
    }

    /// Name of a component.
    pub fn name_of(&self, component: Component) -> String {
        if let Some(name) = self.component_names.get(&component.slug()) {
            return name.clone();
        }
        match component {
            Component::Collection => "Collection".to_owned(),
            Component::Processing => "Processing".to_owned(),
            Component::Lane(lane) => format!("Processing, {} lane", lane.name()),
            Component::Queries => "Queries & web".to_owned(),
            Component::Auditor => "Auditor".to_owned(),
            Component::Backups => "Backups".to_owned(),
            Component::Alerts => "Alerts".to_owned(),
        }
    }
}
