//! What the previous backup of the target has already, and what of it may be taken over.
//!
//! A name is not enough: an instance that was restored to an earlier point goes on with the same numbers and other
//! content. Commits are compared with the catalog, the log with its own bytes: each batch names the one before, so if
//! the last piece that both have is the same, everything before it is.
//! Guarantees: an entry is taken over only if all its pieces are in the target.
//! Deliberately not here: reading and writing files (`take`).

use super::chunks::{CHUNK_BYTES, ChunkWriter};
use super::manifest::{self, FileEntry, Manifest};
use super::take::{Source, read_part};
use crate::RecoveryError;
use crate::archive::ARCHIVE;
use crate::copies::COMMITS;
use crate::document::sha256;
use std::collections::HashMap;
use std::path::PathBuf;
use tallymark_catalog::Feed;
use tallymark_model::CommitSeq;
use tallymark_store::ObjectStore;

/// Files of the previous backup that need not be read again.
#[derive(Default)]
pub(super) struct Known {
    files: HashMap<String, FileEntry>,
    /// The previous backup, if the instance is where that left it or further on.
    pub previous: Option<Manifest>,
}

impl Known {
    pub async fn of_previous(
        source: &Source,
        target: &ObjectStore,
        chunks: &ChunkWriter,
    ) -> Result<Known, RecoveryError> {
        let previous = manifest::list_backups(target).await?.into_iter().find_map(|b| b.manifest);
        let Some(previous) = previous else { return Ok(Known::default()) };
        let mut known = HashMap::new();
        let mut read = 0;
        for list in &previous.lists {
            let entries = match manifest::read_list(target, list).await {
                Ok(entries) => entries,
                // Its files are read and written again.
                Err(RecoveryError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            read += entries.len() as u64;
            let whole = |e: &FileEntry| e.chunks.iter().all(|sha| chunks.has(sha));
            known.extend(entries.into_iter().filter(whole).map(|e| (e.path.clone(), e)));
        }
        // All of it must be there to build on it as a whole.
        let whole = read == previous.files && known.len() as u64 == read;
        let same_commits = same_commits(source, &previous).await?;
        let same_log = same_log(source, &known).await?;
        known.retain(|path, _| match Kind::of(path) {
            Kind::ByItsId => true,
            Kind::ByCommit => same_commits,
            Kind::OfTheLog => same_log,
            Kind::Changing => false,
        });
        let previous = Some(previous).filter(|_| same_commits && same_log && whole);
        Ok(Known { files: known, previous })
    }

    /// The entry of a file of this size.
    pub fn get(&self, path: &str, bytes: u64) -> Option<&FileEntry> {
        self.files.get(path).filter(|e| e.bytes == bytes)
    }

    /// The entry of a file that may have grown since.
    pub fn growing(&self, path: &str) -> Option<&FileEntry> {
        self.files.get(path)
    }
}

/// What a file's name promises about its content.
enum Kind {
    /// The name is never used for anything else.
    ByItsId,
    /// The name is the number of a commit.
    ByCommit,
    /// The name is the number of a file of the log.
    OfTheLog,
    /// Nothing.
    Changing,
}

impl Kind {
    fn of(path: &str) -> Kind {
        if path.starts_with("log/") && path.ends_with(".log") {
            return Kind::OfTheLog;
        }
        let Some(key) = path.strip_prefix("objects/") else { return Kind::Changing };
        match key.split('/').next() {
            Some(COMMITS) => Kind::ByCommit,
            Some(ARCHIVE) => Kind::OfTheLog,
            Some("segments" | "deltas") => Kind::ByItsId,
            _ => Kind::Changing,
        }
    }
}

/// True if the instance still has the commit of that backup.
async fn same_commits(source: &Source, previous: &Manifest) -> Result<bool, RecoveryError> {
    let Some(before) = previous.seq.0.checked_sub(1) else { return Ok(true) };
    let record = source.catalog.feed(CommitSeq(before), 1).await?;
    Ok(record.first().map(|r| r.id) == previous.commit)
}

/// True if the newest file of each lane that the backup has is in the log with the same bytes.
async fn same_log(source: &Source, known: &HashMap<String, FileEntry>) -> Result<bool, RecoveryError> {
    let mut compared = false;
    for lane in source.log.files().await?.lanes {
        let sealed = lane.sealed.into_iter().map(|f| (f.name, f.path, f.bytes));
        let tail = lane.tail.into_iter().map(|f| (f.name, f.path, f.bytes));
        let newest_first: Vec<(String, PathBuf, u64)> = sealed.chain(tail).rev().collect();
        let both = newest_first.into_iter().find_map(|(name, place, bytes)| {
            Some((known.get(&format!("log/{}/{name}", lane.lane))?, place, bytes))
        });
        let Some((entry, place, bytes)) = both else { continue };
        let Some(last) = entry.chunks.last() else { continue };
        if entry.bytes > bytes {
            return Ok(false);
        }
        let at = (entry.chunks.len() as u64 - 1) * CHUNK_BYTES as u64;
        let content = read_part(&place, at, entry.bytes.saturating_sub(at) as usize).await?;
        if sha256(&content) != *last {
            return Ok(false);
        }
        compared = true;
    }
    Ok(compared)
}
