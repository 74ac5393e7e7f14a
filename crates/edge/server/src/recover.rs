//! Recovery for the command line: of a folder whose server may be stopped.
//!
//! Guarantees: says which environment and how much a folder holds even if its catalog is gone, as far as copies tell.
//! Deliberately not here: the work itself (`recovery`), asking people (`cli`).

use crate::extras::{self, Extras, RestoredExtras};
use crate::{Layout, ServerError};
use serde_json::Value;
use std::path::Path;
use tallymark_catalog::sqlite::{OpenMode, SettingsCopy, SqliteCatalog};
use tallymark_catalog::{Settings, Snapshots};
use tallymark_log::file::{FileLog, FileLogConfig};
use tallymark_recovery::backup::{self, BackupOptions, Source};
use tallymark_recovery::copies;
use tallymark_store::ObjectStore;

pub use tallymark_recovery::backup::{At, BackupReport, Rehearsal, RestoreReport};
pub use tallymark_recovery::guard::{Consent, Destructive, Environment, Refusal, Reversal, Verdict};
pub use tallymark_recovery::rebuild::RebuildReport;
pub use tallymark_recovery::{Places, RecoveryError};

/// What a folder holds, for the plan before a destructive command.
#[derive(Debug, Clone)]
pub struct Holding {
    /// Which environment it is.
    pub environment: Environment,
    /// Names of its projects.
    pub projects: Vec<String>,
    /// Events that are accounted; `None` if nobody knows without the catalog.
    pub events: Option<u64>,
}

/// Looks at a folder: at its catalog, else at the newest copy of its settings.
pub async fn holding(data: &Path) -> Result<Holding, ServerError> {
    let layout = Layout::new(data);
    if layout.catalog().exists()
        && let Ok(catalog) = SqliteCatalog::open(&layout.catalog(), OpenMode::Existing).await
    {
        let found = of_catalog(&catalog).await;
        catalog.close().await;
        // A catalog without projects may be one that was emptied: the copy may know more.
        match found {
            Ok(holding) if !holding.projects.is_empty() => return Ok(holding),
            _ => {}
        }
    }
    let store = open_store(&layout)?;
    let (copy, _) = copies::newest_settings(&store).await.map_err(failed)?;
    Ok(of_copy(&copy.map(|(_, copy)| copy).unwrap_or_default()))
}

async fn of_catalog(catalog: &SqliteCatalog) -> Result<Holding, ServerError> {
    let environment = Environment::of(catalog).await.map_err(failed)?;
    let projects = catalog.projects().await?.into_iter().map(|p| p.name).collect();
    let tally = catalog.tally(None).await?;
    let events = tally.visible + tally.duplicate + tally.filtered + tally.dead;
    Ok(Holding { environment, projects, events: Some(events) })
}

fn of_copy(copy: &SettingsCopy) -> Holding {
    let setting = |key: &str| -> Option<Value> {
        let row = rows(copy, "settings", ["key", "value"]).find(|[name, _]| *name == key)?;
        serde_json::from_str(row[1].as_str()?).ok()
    };
    let (name, protected) = (setting("environment"), setting("protected"));
    Holding {
        environment: Environment::from_settings(
            name.as_ref().and_then(Value::as_str),
            protected.as_ref().and_then(Value::as_bool),
        ),
        projects: rows(copy, "projects", ["name"])
            .filter_map(|[name]| Some(name.as_str()?.to_owned()))
            .collect(),
        events: None,
    }
}

/// The rows of a copied table, these columns of them.
fn rows<'a, const N: usize>(
    copy: &'a SettingsCopy,
    table: &str,
    columns: [&str; N],
) -> impl Iterator<Item = [&'a Value; N]> {
    let table = copy.tables.get(table);
    let at = columns.map(|c| table.and_then(|t| t.columns.iter().position(|name| name == c)));
    let rows = table.map(|t| t.rows.as_slice()).unwrap_or_default();
    rows.iter().map(move |row| at.map(|i| i.and_then(|i| row.get(i)).unwrap_or(&Value::Null)))
}

/// Backs a folder up, whether its server runs or not.
pub async fn back_up(data: &Path, to: &str) -> Result<BackupReport, ServerError> {
    let layout = Layout::new(data);
    let catalog = SqliteCatalog::open(&layout.catalog(), OpenMode::Existing).await?;
    let log = FileLog::open_reader(&layout.log(), &FileLogConfig::default())
        .map_err(|e| ServerError::Log(e.to_string()))?;
    let environment = Environment::of(&catalog).await.map_err(failed)?;
    let scratch = layout.root().join("scratch");
    let extras = Extras::of(&layout, &scratch).await;
    let source = Source {
        catalog: catalog.clone(),
        store: open_store(&layout)?,
        log,
        environment: environment.name,
        extra: extras.files.clone(),
        left_out: extras.left_out.clone(),
        scratch,
    };
    let target = backup::open_target(to).await.map_err(failed)?;
    let report = backup::backup(&source, &target, &BackupOptions::default()).await.map_err(failed);
    catalog.close().await;
    report
}

/// Restores into an empty folder.
pub async fn restore(from: &str, at: At, data: &Path) -> Result<RestoreReport, ServerError> {
    let target = backup::open_target(from).await.map_err(failed)?;
    let places = Places::below(data);
    let mut report = backup::restore(&target, at, &places).await.map_err(failed)?;
    report.notes = extras::settle(&places).await;
    Ok(report)
}

/// Restores the newest backup into a scratch folder, and removes that again.
pub async fn rehearse(from: &str, scratch: &Path) -> Result<Rehearsal, ServerError> {
    let target = backup::open_target(from).await.map_err(failed)?;
    backup::rehearse(&target, scratch, Some(&RestoredExtras)).await.map_err(failed)
}

/// Builds the catalog of a stopped server anew.
pub async fn rebuild_catalog(data: &Path) -> Result<RebuildReport, ServerError> {
    tallymark_recovery::rebuild::rebuild_catalog(&Places::below(data)).await.map_err(failed)
}

fn open_store(layout: &Layout) -> Result<ObjectStore, ServerError> {
    tallymark_store::open(&layout.objects_url()).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> ServerError {
    ServerError::Role { role: "recovery", why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_catalog::{Instance, NewProject};

    #[tokio::test]
    async fn a_folder_says_what_it_is_also_when_its_catalog_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        layout.create().unwrap();
        let catalog = SqliteCatalog::open(&layout.catalog(), OpenMode::Create).await.unwrap();
        catalog.set_setting("environment", &"production".into()).await.unwrap();
        let shop = NewProject { name: "shop".into(), ..NewProject::default() };
        catalog.create_project(shop).await.unwrap();
        let store = open_store(&layout).unwrap();
        let mut copier = copies::SettingsCopier::open(catalog.clone(), store).await.unwrap();
        copier.round().await.unwrap();
        catalog.close().await;
        let with = holding(dir.path()).await.unwrap();
        assert_eq!((with.environment.name.as_str(), with.events), ("production", Some(0)));
        for file in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
            let _ = std::fs::remove_file(dir.path().join(file));
        }
        let without = holding(dir.path()).await.unwrap();
        assert_eq!(without.environment, with.environment, "as the copy says");
        assert_eq!((without.projects, without.events), (vec!["shop".to_owned()], None));
        SqliteCatalog::open(&layout.catalog(), OpenMode::Create).await.unwrap().close().await;
        let emptied = holding(dir.path()).await.unwrap();
        assert_eq!(emptied.environment.name, "production", "an emptied catalog does not change the name");
    }
}
