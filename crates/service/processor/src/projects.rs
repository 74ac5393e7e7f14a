//! Whose events a token's are, as the catalog's settings say.
//!
//! Guarantees: an unknown token is asked for again each time (a project may have been created a moment ago); while
//! the catalog is down, known tokens keep working and unknown ones wait: nothing becomes a dead letter because a
//! table could not be read.
//! Deliberately not here: keys and their rights.

use rustc_hash::FxHashMap;
use std::time::{Duration, Instant};
use tallymark_catalog::{CatalogError, Settings};
use tallymark_model::{ProjectId, ProjectToken};

/// How long an answer is believed before it is asked for again (a key may be revoked).
const FRESH: Duration = Duration::from_secs(15);

/// Owners of tokens: the table that decisions read.
pub type ProjectTable = FxHashMap<ProjectToken, ProjectId>;

/// A cache of owners.
#[derive(Debug, Default)]
pub struct Projects {
    known: FxHashMap<ProjectToken, (ProjectId, Instant)>,
}

impl Projects {
    /// Moves the owners of `open` tokens into the table; tokens that belong to nobody just leave. After an error
    /// what is still open can be asked for again.
    pub async fn resolve(
        &mut self,
        settings: &dyn Settings,
        open: &mut Vec<ProjectToken>,
        table: &mut ProjectTable,
    ) -> Result<(), CatalogError> {
        while let Some(token) = open.last().copied() {
            if let Some(project) = self.one(settings, token).await? {
                table.insert(token, project);
            }
            open.pop();
        }
        Ok(())
    }

    async fn one(
        &mut self,
        settings: &dyn Settings,
        token: ProjectToken,
    ) -> Result<Option<ProjectId>, CatalogError> {
        let known = self.known.get(&token).copied();
        if let Some((project, asked)) = known
            && asked.elapsed() < FRESH
        {
            return Ok(Some(project));
        }
        match (settings.resolve(token).await, known) {
            (Ok(Some((project, _))), _) => {
                self.known.insert(token, (project, Instant::now()));
                Ok(Some(project))
            }
            (Ok(None), _) => {
                self.known.remove(&token);
                Ok(None)
            }
            (Err(_), Some((project, _))) => Ok(Some(project)),
            (Err(error), None) => Err(error),
        }
    }
}
