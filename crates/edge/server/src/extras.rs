//! Files of an instance that belong into a backup beside log, catalog and objects: the monitors' database and what
//! operators wrote.
//!
//! The record of files that were taken is copied here, which is before the log is: a restored record may say less than
//! the restored log (its rows are sent again and are duplicates), but never more (they would be missing).
//! Guarantees: `watch.db` is copied as of one moment by its owner; one that cannot be copied does not keep the events
//! from being backed up, and the report says so. The key of secrets (`secret.key`) is never among them.
//! Deliberately not here: backing up and restoring (`recovery`).

use crate::Layout;
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use tallymark_monitor::store::{FILE_NAME, WatchContents};
use tallymark_monitor::{MonitorError, WatchStore};
use tallymark_recovery::Places;
use tallymark_recovery::backup::Inspect;

const COPY: &str = "watch-snapshot.db";
const RECORD: &str = "vacuum/record.ndjson";

/// The files, for as long as a backup needs them.
#[derive(Debug)]
pub struct Extras {
    /// Path below the data folder, and where to read it.
    pub files: Vec<(String, PathBuf)>,
    /// What is missing, and why.
    pub left_out: Vec<String>,
    copy: PathBuf,
    record: PathBuf,
}

impl Extras {
    /// Those of a data folder, with a fresh copy of `watch.db` in `scratch`.
    pub async fn of(layout: &Layout, scratch: &Path) -> Extras {
        let copy = scratch.join(COPY);
        let files = ["watch.toml", "throttle.json", "vacuum.toml"]
            .map(|name| (name.to_owned(), layout.root().join(name)));
        let record = scratch.join("vacuum-record.ndjson");
        let mut extras = Extras { files: files.into(), left_out: Vec::new(), copy, record };
        extras.copy_record(layout, scratch);
        if layout.watch().exists() {
            match extras.copy_watch(&layout.watch(), scratch).await {
                Ok(()) => extras.files.push((FILE_NAME.to_owned(), extras.copy.clone())),
                Err(why) => {
                    tracing::error!(why, "watch.db is not in this backup");
                    extras.left_out.push(format!("{FILE_NAME}: {why}"));
                }
            }
        }
        extras
    }

    /// As it is now: a note that is being written is cut off, which its reader knows how to take.
    fn copy_record(&mut self, layout: &Layout, scratch: &Path) {
        let from = tallymark_vacuum::Record::path(&layout.vacuum());
        if !from.exists() {
            return;
        }
        let copied = std::fs::create_dir_all(scratch).and_then(|()| std::fs::copy(&from, &self.record));
        match copied {
            Ok(_) => self.files.push((RECORD.to_owned(), self.record.clone())),
            Err(why) => self.left_out.push(format!("{RECORD}: {why}")),
        }
    }

    async fn copy_watch(&self, path: &Path, scratch: &Path) -> Result<(), String> {
        std::fs::create_dir_all(scratch).map_err(|e| e.to_string())?;
        let _ = std::fs::remove_file(&self.copy);
        let store = WatchStore::open(path).await.map_err(|e| e.to_string())?;
        let copied = store.copy_into(&self.copy).await.map_err(|e| e.to_string());
        store.close().await;
        copied
    }

    fn clear(&self) {
        // What stays of a copy is written over by the next one.
        let _ = std::fs::remove_file(&self.copy);
        let _ = std::fs::remove_file(&self.record);
    }
}

impl Drop for Extras {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Looks at what was restored.
pub struct RestoredExtras;

#[async_trait]
impl Inspect for RestoredExtras {
    async fn inspect(&self, restored: &Places) -> Vec<String> {
        match contents(&restored.root.join(FILE_NAME)).await {
            Ok(_) => Vec::new(),
            Err(why) => vec![format!("incidents, maintenance windows and estimates are not restored: {why}")],
        }
    }
}

/// Makes a restored folder usable whatever its `watch.db` is like: a bad one is put aside, and a new one is made at the
/// start. Says what is not restored.
pub async fn settle(restored: &Places) -> Vec<String> {
    let mut notes = RestoredExtras.inspect(restored).await;
    let path = restored.root.join(FILE_NAME);
    if !notes.is_empty() && path.exists() {
        let aside = path.with_extension("db.damaged");
        match std::fs::rename(&path, &aside) {
            Ok(()) => notes.push(format!("the damaged file is {}", aside.display())),
            Err(error) => notes.push(format!("move {} away: {error}", path.display())),
        }
    }
    notes
}

async fn contents(path: &Path) -> Result<WatchContents, String> {
    if !path.exists() {
        return Err(format!("the backup has no {FILE_NAME}"));
    }
    let read = async {
        let store = WatchStore::open(path).await?;
        let contents = store.contents().await;
        store.close().await;
        contents
    };
    read.await.map_err(|e: MonitorError| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watch_that_cannot_be_copied_is_left_out_and_said_and_the_key_is_never_in() {
        let dir = tempfile::tempdir().unwrap();
        let (layout, scratch) = (Layout::new(dir.path()), dir.path().join("scratch"));
        let none = Extras::of(&layout, &scratch).await;
        assert_eq!((none.files.len(), none.left_out.len()), (3, 0), "an instance that never ran has none");
        WatchStore::open(&layout.watch()).await.unwrap().close().await;
        std::fs::write(dir.path().join("secret.key"), "planted").unwrap();
        std::fs::create_dir(layout.vacuum()).unwrap();
        std::fs::write(tallymark_vacuum::Record::path(&layout.vacuum()), "noted").unwrap();
        let whole = Extras::of(&layout, &scratch).await;
        let names: Vec<&str> = whole.files.iter().map(|(name, _)| name.as_str()).collect();
        let expected = vec!["watch.toml", "throttle.json", "vacuum.toml", RECORD, "watch.db"];
        assert_eq!((names, &whole.left_out), (expected, &vec![]));
        assert_eq!(std::fs::read_to_string(&whole.files[3].1).unwrap(), "noted");
        let (_, copy) = whole.files[4].clone();
        assert!(copy.exists());
        drop(whole);
        assert!(!copy.exists());
        std::fs::write(layout.watch(), "this is no database, and long enough to be read as one".repeat(99))
            .unwrap();
        let broken = Extras::of(&layout, &scratch).await;
        assert_eq!((broken.files.len(), broken.left_out.len()), (4, 1));
        let notes = settle(&Places::below(dir.path())).await;
        assert!(notes.len() == 2 && !layout.watch().exists(), "{notes:?}");
        assert!(dir.path().join("watch.db.damaged").exists());
    }
}
