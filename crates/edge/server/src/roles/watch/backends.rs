//! Log and catalog as seen by an observer: opened when they are there, opened again when they were replaced.
//!
//! Guarantees: a catalog file that was deleted or exchanged under the open handle is noticed, because the handle
//! alone would go on reading what nobody else sees any more.

use crate::Layout;
use crate::roles::open;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_log::file::FileLogReader;
use tokio::sync::Mutex;

/// Which file a name stands for.
type Inode = (u64, u64);

pub struct Backends {
    layout: Layout,
    log: std::sync::Mutex<Option<Arc<FileLogReader>>>,
    catalog: Mutex<Option<(Inode, SqliteCatalog)>>,
}

impl Backends {
    pub fn new(layout: Layout) -> Backends {
        Backends { layout, log: std::sync::Mutex::default(), catalog: Mutex::default() }
    }

    /// The log's reader, or why there is none.
    pub fn log(&self) -> Result<Arc<FileLogReader>, String> {
        // A poisoned lock still holds a usable reader, or none.
        let mut held = self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(log) = held.as_ref() {
            return Ok(log.clone());
        }
        let log = open::log(&self.layout).map_err(|e| e.to_string())?;
        *held = Some(log.clone());
        Ok(log)
    }

    /// The catalog, or why there is none.
    pub async fn catalog(&self) -> Result<SqliteCatalog, String> {
        let path = self.layout.catalog();
        let mut held = self.catalog.lock().await;
        let inode = match inode(&path) {
            Ok(inode) => inode,
            Err(error) => {
                *held = None;
                return Err(format!("{} cannot be read: {error}", path.display()));
            }
        };
        match held.as_ref() {
            Some((known, catalog)) if *known == inode => Ok(catalog.clone()),
            _ => {
                let opened = SqliteCatalog::open(&path, OpenMode::Existing).await;
                let catalog = opened.map_err(|e| e.to_string())?;
                *held = Some((inode, catalog.clone()));
                Ok(catalog)
            }
        }
    }
}

fn inode(path: &Path) -> std::io::Result<Inode> {
    std::fs::metadata(path).map(|m| (m.dev(), m.ino()))
}
