//! Copies of the tables that commits do not carry.
//!
//! Guarantees: a copy is of one moment and holds every table with the rule "copied"; it is written when something
//! worth it changed; the newest ones are kept, and older ones go only after the new one is there.
//! Deliberately not here: which tables (the catalog's `TABLES`).

use super::commits::now;
use crate::RecoveryError;
use crate::document;
use crate::failpoint::{Failpoint, NoFailpoint, Step, pass};
use std::sync::Arc;
use tallymark_catalog::sqlite::{SettingsCopy, SqliteCatalog};
use tallymark_model::Millis;
use tallymark_store::ObjectStore;

/// Prefix of the copies.
pub const SETTINGS: &str = "settings";
/// Copies kept.
const KEPT: usize = 50;

/// Key of the copy made at a time.
pub fn settings_key(at: Millis) -> String {
    format!("{SETTINGS}/{at:015}.json")
}

/// The newest copy that is whole, its key, and what is wrong with newer ones: damage, or that a table is empty in
/// which an older copy has rows. Rows of these tables are ended, not deleted, so such a copy was made of a catalog that
/// somebody had emptied.
pub async fn newest_settings(
    store: &ObjectStore,
) -> Result<(Option<(String, SettingsCopy)>, Vec<String>), RecoveryError> {
    let (mut whole, mut problems): (Vec<(String, SettingsCopy)>, _) = (Vec::new(), Vec::new());
    for object in store.list(SETTINGS).await?.into_iter().rev() {
        let read = match store.get(&object.key).await {
            Ok(bytes) => document::open::<SettingsCopy>(&object.key, &bytes),
            Err(error) => Err(error.into()),
        };
        match read {
            Ok(copy) => whole.push((object.key, copy)),
            Err(error @ RecoveryError::Newer { .. }) => return Err(error),
            // Damage of copies that are older than the one that is taken is nobody's concern.
            Err(error) if whole.is_empty() => problems.push(error.to_string()),
            Err(_) => {}
        }
    }
    let rows = |copy: &SettingsCopy, table: &str| copy.tables.get(table).map_or(0, |t| t.rows.len());
    let emptied = |nth: usize| {
        let older = whole.get(nth + 1..).unwrap_or_default();
        let table = NEVER_EMPTIED.iter().find(|table| {
            rows(&whole[nth].1, table) == 0 && older.iter().any(|(_, copy)| rows(copy, table) > 0)
        })?;
        Some(format!("{}: table {table} was emptied before it was made", whole[nth].0))
    };
    let mut taken = 0;
    while let Some(problem) = (taken < whole.len()).then(|| emptied(taken)).flatten() {
        problems.push(problem);
        taken += 1;
    }
    Ok((whole.into_iter().nth(taken), problems))
}

/// Tables whose rows nobody deletes.
const NEVER_EMPTIED: [&str; 7] = ["instance", "projects", "keys", "users", "audit", "settings", "rules"];

/// Copies settings.
pub struct SettingsCopier {
    catalog: SqliteCatalog,
    store: ObjectStore,
    /// Of the newest copy.
    digest: Option<String>,
    newest: Millis,
    failpoint: Arc<dyn Failpoint>,
}

impl SettingsCopier {
    /// Finds out what the newest copy says.
    pub async fn open(catalog: SqliteCatalog, store: ObjectStore) -> Result<SettingsCopier, RecoveryError> {
        let (copy, problems) = newest_settings(&store).await?;
        let newest = store.list(SETTINGS).await?.last().and_then(|o| time_of(&o.key)).unwrap_or(0);
        // The settings are not what a newer copy says, if there is one that is not taken.
        let digest = copy.filter(|_| problems.is_empty()).map(|(_, copy)| copy.digest());
        Ok(SettingsCopier { catalog, store, digest, newest, failpoint: Arc::new(NoFailpoint) })
    }

    /// With failpoints, for tests.
    pub fn with_failpoint(mut self, failpoint: Arc<dyn Failpoint>) -> SettingsCopier {
        self.failpoint = failpoint;
        self
    }

    /// Writes a copy if something changed; true if it did.
    pub async fn round(&mut self) -> Result<bool, RecoveryError> {
        let copy = self.catalog.copy_settings().await?;
        let digest = copy.digest();
        if self.digest.as_ref() == Some(&digest) {
            return Ok(false);
        }
        // A clock that went back must not make a new copy look older.
        let at = now().max(self.newest + 1);
        self.store.put(&settings_key(at), document::seal("copy of the settings", &copy)?).await?;
        (self.digest, self.newest) = (Some(digest), at);
        pass(self.failpoint.as_ref(), Step::SettingsCopied)?;
        let all = self.store.list(SETTINGS).await?;
        for old in all.iter().take(all.len().saturating_sub(KEPT)) {
            self.store.delete(&old.key).await?;
        }
        Ok(true)
    }
}

fn time_of(key: &str) -> Option<Millis> {
    key.strip_prefix(SETTINGS)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
}
