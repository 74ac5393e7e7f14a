//! Secrets of alert settings, encrypted where they are stored: in the catalog's setting `alerts` and in `watch.toml`.
//!
//! Guarantees: without the key everything else works, and nothing is sent with a secret that does not open; what older
//! versions stored plainly is sealed at the next start.
//! Deliberately not here: the encryption (`monitor`).

use crate::{Layout, layout::write_private};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tallymark_catalog::Instance;
use tallymark_monitor::WatchConfig;
use tallymark_monitor::config::{Locked, SealKey, open_alerts, seal_alerts, seal_toml};

/// The setting that holds channels.
const ALERTS: &str = "alerts";

/// The key of an instance, read when it is first needed.
#[derive(Debug, Clone)]
pub struct Secrets {
    root: PathBuf,
}

impl Secrets {
    /// Those of a data folder.
    pub fn of(layout: &Layout) -> Secrets {
        Secrets { root: layout.root().to_owned() }
    }

    /// The key; that it cannot be read is said in the log, and by a check as soon as a secret needs it.
    fn key(&self) -> Option<SealKey> {
        SealKey::of(&self.root)
            .inspect_err(|error| tracing::error!(%error, "secrets of alert channels cannot be opened"))
            .ok()
    }

    /// A setting with its secrets opened, and those that do not open.
    pub fn opened(&self, mut alerts: Value) -> (Value, Vec<Locked>) {
        let locked = open_alerts(&mut alerts, self.key().as_ref());
        (alerts, locked)
    }

    /// A setting as it is to be stored.
    pub fn sealed(&self, mut alerts: Value) -> Result<Value, String> {
        let key = SealKey::of(&self.root).map_err(|e| format!("secrets cannot be stored: {e}"))?;
        seal_alerts(&mut alerts, &key).map_err(|e| e.to_string())?;
        Ok(alerts)
    }

    /// What `watch.toml` says; the default if there is none. An error is told and the default takes its place.
    pub fn watch_toml(&self) -> (WatchConfig, Vec<Locked>) {
        let Ok(text) = std::fs::read_to_string(self.toml()) else { return Default::default() };
        WatchConfig::from_sealed_toml(&text, self.key().as_ref()).unwrap_or_else(|error| {
            tracing::error!(%error, "watch.toml cannot be used; watching with the defaults");
            Default::default()
        })
    }

    /// Makes the key at the first start, and seals what is stored plainly. What cannot be sealed stays usable, and is
    /// told.
    pub async fn seal_stored(&self, settings: &dyn Instance) {
        if self.key().is_none() {
            return;
        }
        if let Err(why) = self.seal_setting(settings).await {
            tracing::warn!(why, "secrets of the setting `alerts` are not encrypted");
        }
        if let Err(why) = self.seal_file() {
            tracing::warn!(why, "secrets in watch.toml are not encrypted");
        }
    }

    async fn seal_setting(&self, settings: &dyn Instance) -> Result<(), String> {
        let Some(stored) = settings.setting(ALERTS).await.map_err(|e| e.to_string())? else { return Ok(()) };
        let sealed = self.sealed(stored.clone())?;
        if sealed == stored {
            return Ok(());
        }
        tracing::info!("secrets of the setting `alerts` are encrypted from now on");
        settings.set_setting(ALERTS, &sealed).await.map_err(|e| e.to_string())
    }

    fn seal_file(&self) -> Result<(), String> {
        let path = self.toml();
        let Ok(text) = std::fs::read_to_string(&path) else { return Ok(()) };
        // A file that cannot be used is the watch's to complain about.
        if WatchConfig::from_toml(&text).is_err() {
            return Ok(());
        }
        let key = SealKey::of(&self.root).map_err(|e| e.to_string())?;
        let Some(sealed) = seal_toml(&text, &key).map_err(|e| e.to_string())? else { return Ok(()) };
        if path.is_symlink() {
            return Err(
                "it is a link, what it leads to is not rewritten: use env:NAME or file:PATH there".to_owned()
            );
        }
        write_private(&path, &sealed).map_err(|e| e.to_string())?;
        tracing::info!("secrets in watch.toml are encrypted from now on");
        Ok(())
    }

    fn toml(&self) -> PathBuf {
        Path::new(&self.root).join("watch.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};

    const HOOK: &str = "https://hooks.example/planted";

    #[tokio::test]
    async fn what_was_stored_plainly_is_sealed_at_the_start_and_still_opens() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let catalog = SqliteCatalog::open(&layout.catalog(), OpenMode::Create).await.unwrap();
        let alerts = json!({"channels": [{"name": "chat", "target": {"slack": {"url": HOOK}}}]});
        catalog.set_setting("alerts", &alerts).await.unwrap();
        let toml = format!(
            "[[alerts.channels]]\nname = \"chat\"\n[alerts.channels.target.slack]\nurl = \"{HOOK}\"\n"
        );
        std::fs::write(dir.path().join("watch.toml"), &toml).unwrap();
        let secrets = Secrets::of(&layout);
        let plain = secrets.watch_toml();
        for _ in 0..2 {
            secrets.seal_stored(&catalog).await;
            let stored = catalog.setting("alerts").await.unwrap().unwrap();
            assert!(!stored.to_string().contains("planted"));
            assert!(!std::fs::read_to_string(dir.path().join("watch.toml")).unwrap().contains("planted"));
            assert_eq!(secrets.opened(stored), (alerts.clone(), vec![]));
            assert_eq!(secrets.watch_toml(), plain);
        }
        // A restored instance has another key: the settings stay, the channel is named.
        std::fs::remove_file(dir.path().join("secret.key")).unwrap();
        let stored = catalog.setting("alerts").await.unwrap().unwrap();
        let (same, locked) = secrets.opened(stored.clone());
        assert_eq!((same, locked[0].channel.as_str()), (stored.clone(), "chat"));
        assert_eq!(secrets.watch_toml().1, locked);
        secrets.seal_stored(&catalog).await;
        assert_eq!(catalog.setting("alerts").await.unwrap(), Some(stored), "what does not open is kept");
    }
}
