//! Whose a key is, and what it is called.
//!
//! Guarantees: bounded, whatever tokens strangers send; a revoked key or a new name is noticed within a minute.

use std::collections::HashMap;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{KeyInfo, Settings, token_of};
use tallymark_model::{Millis, ProjectId, ProjectToken};

const FRESH_FOR: Millis = 60_000;
/// Tokens looked up in one look; more are nobody's until the next one.
const LOOK_UPS_MAX: usize = 500;

/// Whose a key is, and what people call it.
pub type Owner = (ProjectId, String);

/// Keys that were looked up.
#[derive(Default)]
pub struct Owners {
    known: HashMap<ProjectToken, Option<Owner>>,
    /// Names of keys that are kept in clear, of customers' projects.
    names: HashMap<ProjectToken, String>,
    customers: Vec<ProjectId>,
    since: Option<Millis>,
    look_ups: usize,
    /// Projects and keys were read once more in this look.
    again: bool,
}

impl Owners {
    /// A new look; True if everything is looked up anew.
    pub async fn begin(&mut self, catalog: &SqliteCatalog, now: Millis) -> Result<bool, String> {
        (self.look_ups, self.again) = (0, false);
        if self.since.is_some_and(|since| (0..FRESH_FOR).contains(&(now - since))) {
            return Ok(false);
        }
        self.read(catalog).await?;
        self.known.clear();
        self.since = Some(now);
        Ok(true)
    }

    async fn read(&mut self, catalog: &SqliteCatalog) -> Result<(), String> {
        let projects = catalog.projects().await.map_err(|e| e.to_string())?;
        let customers = projects.iter().filter(|p| p.name != tallymark_api::CANARY_PROJECT);
        self.customers = customers.map(|p| p.id).collect();
        self.names.clear();
        for project in &self.customers {
            let keys = catalog.keys(Some(*project)).await.map_err(|e| e.to_string())?;
            let named = keys.iter().filter_map(|k| Some((token_of(k.clear.as_ref()?), name(k))));
            self.names.extend(named);
        }
        Ok(())
    }

    fn knows(&self, project: ProjectId, token: ProjectToken) -> bool {
        self.customers.contains(&project) && self.names.contains_key(&token)
    }

    /// The owner, if the key is valid and of a customer's project.
    pub async fn of(
        &mut self,
        token: ProjectToken,
        catalog: &SqliteCatalog,
    ) -> Result<Option<Owner>, String> {
        if let Some(known) = self.known.get(&token) {
            return Ok(known.clone());
        }
        if self.look_ups >= LOOK_UPS_MAX {
            return Ok(None);
        }
        self.look_ups += 1;
        let found = catalog.resolve(token).await.map_err(|e| e.to_string())?;
        // A project or a key may be younger than what was read of them.
        if found.is_some_and(|(project, _)| !self.knows(project, token)) && !self.again {
            self.again = true;
            self.read(catalog).await?;
        }
        let owner = found.filter(|(project, _)| self.customers.contains(project)).map(|(project, kind)| {
            let name = self.names.get(&token).cloned();
            (project, name.unwrap_or_else(|| format!("{} key", kind.name())))
        });
        self.known.insert(token, owner.clone());
        Ok(owner)
    }
}

fn name(key: &KeyInfo) -> String {
    match key.name.trim() {
        "" => format!("{}…", key.prefix),
        name => format!("{name} ({}…)", key.prefix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_catalog::NewProject;
    use tallymark_catalog::sqlite::OpenMode;

    #[tokio::test]
    async fn a_project_made_between_two_looks_has_its_first_event_counted() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = SqliteCatalog::open(&dir.path().join("catalog.db"), OpenMode::Create).await.unwrap();
        let mut owners = Owners::default();
        assert!(owners.begin(&catalog, 1_000).await.unwrap());
        let made = catalog
            .create_project(NewProject { name: "shop".into(), ..NewProject::default() })
            .await
            .unwrap();
        let token = token_of(&made.write_key);
        assert!(!owners.begin(&catalog, 2_000).await.unwrap());
        let (project, name) = owners.of(token, &catalog).await.unwrap().unwrap();
        assert_eq!(project, made.project.id);
        assert!(name.contains(&made.write_key[..8]) && !name.contains(&made.write_key), "{name}");
        assert_eq!(owners.of(ProjectToken([9; 16]), &catalog).await.unwrap(), None);
        assert!(owners.begin(&catalog, 1_000 + FRESH_FOR).await.unwrap());
    }
}
