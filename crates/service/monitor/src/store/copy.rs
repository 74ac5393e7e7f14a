//! A copy of the whole file for backups, and what a copy holds.
//!
//! Guarantees: a copy is as of one moment, however many processes write meanwhile, and is whole without a journal
//! beside it; a file that is damaged or from elsewhere is told from a good one.
//! Deliberately not here: where copies go (`server`).

use super::WatchStore;
use crate::MonitorError;
use serde::Serialize;
use std::path::Path;

/// What a `watch.db` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WatchContents {
    /// Incidents.
    pub incidents: u64,
    /// Of these, acknowledged by somebody.
    pub acknowledged: u64,
    /// Maintenance windows.
    pub maintenances: u64,
    /// Runs of catching up, with their estimates.
    pub estimates: u64,
}

impl WatchStore {
    /// Writes a copy of the whole database into a new file.
    pub async fn copy_into(&self, path: &Path) -> Result<(), MonitorError> {
        let name = path.to_string_lossy().into_owned();
        sqlx::query("VACUUM INTO ?").bind(name).execute(&self.read).await?;
        Ok(())
    }

    /// Reads all of the file; an error if anything about it is wrong.
    pub async fn contents(&self) -> Result<WatchContents, MonitorError> {
        let lines: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check(20)").fetch_all(&self.read).await?;
        let wrong: Vec<String> = lines.into_iter().filter(|line| line != "ok").collect();
        if !wrong.is_empty() {
            return Err(MonitorError::Damaged(wrong.join("; ")));
        }
        let count = async |sql: &'static str| -> Result<u64, MonitorError> {
            let count: i64 = sqlx::query_scalar(sql).fetch_one(&self.read).await?;
            Ok(u64::try_from(count).unwrap_or_default())
        };
        Ok(WatchContents {
            incidents: count("SELECT count(*) FROM incident").await?,
            acknowledged: count("SELECT count(*) FROM acknowledgement").await?,
            maintenances: count("SELECT count(*) FROM maintenance").await?,
            estimates: count("SELECT count(*) FROM eta_run").await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Maintenance;
    use tallymark_model::Lane;

    fn window(n: i64) -> Maintenance {
        Maintenance {
            id: String::new(),
            title: format!("window {n}"),
            text: "x".repeat(500),
            components: vec![crate::Component::Queries],
            starts_at: n,
            ends_at: n + 1,
            by: "ops".to_owned(),
            created_at: 0,
        }
    }

    #[tokio::test]
    async fn a_copy_is_of_one_moment_although_another_process_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watch.db");
        let (writer, copier) =
            (WatchStore::open(&path).await.unwrap(), WatchStore::open(&path).await.unwrap());
        writer.open_eta_run(Lane::Live, 1).await.unwrap();
        let writing = tokio::spawn({
            let writer = writer.clone();
            async move {
                for n in 0..200 {
                    writer.put_maintenance(&window(n)).await.unwrap();
                }
            }
        });
        let mut before = 0;
        for n in 0..5 {
            let to = dir.path().join(format!("copy-{n}"));
            copier.copy_into(&to).await.unwrap();
            assert!(!dir.path().join(format!("copy-{n}-wal")).exists());
            let copy = WatchStore::open(&to).await.unwrap();
            let held = copy.contents().await.unwrap();
            assert!(held.maintenances >= before && held.estimates == 1);
            before = held.maintenances;
            copy.close().await;
        }
        writing.await.unwrap();
        assert_eq!(copier.contents().await.unwrap().maintenances, 200);
        assert!(copier.copy_into(&dir.path().join("copy-0")).await.is_err(), "nothing is written over");
    }

    #[tokio::test]
    async fn a_damaged_file_is_told_from_a_good_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watch.db");
        let store = WatchStore::open(&path).await.unwrap();
        for n in 0..100 {
            store.put_maintenance(&window(n)).await.unwrap();
        }
        store.close().await;
        let mut bytes = std::fs::read(&path).unwrap();
        let from = bytes.len() - 20_000;
        bytes[from..].fill(0x55);
        std::fs::write(&path, bytes).unwrap();
        let found = match WatchStore::open(&path).await {
            Ok(store) => store.contents().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(found.is_err());
    }
}
