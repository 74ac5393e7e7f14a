//! What a backup says about itself.
//!
//! Guarantees: a manifest names everything by checksum, directly or through its lists, so whoever holds a whole
//! manifest can tell a whole backup from one that is not; it says in itself under which name it was stored.
//! Deliberately not here: the files' bytes (`chunks`).

use super::chunks::put_by_content;
use crate::RecoveryError;
use crate::document::{self, sha256};
use bytes::Bytes;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tallymark_model::{CommitId, CommitSeq, LogId, Millis, Shard};
use tallymark_store::{ObjectStore, StoreError};

/// Prefix of the manifests.
pub(super) const MANIFESTS: &str = "manifests";
/// Prefix of the lists.
pub(super) const LISTS: &str = "lists";
/// Manifests that are read side by side: a remote store takes its time for each.
const READ_AT_ONCE: usize = 8;
/// Says whose backups these are.
const INSTANCE: &str = "instance.json";

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its name: time and commit.
    pub name: String,
    /// The log of the instance, which is its identity.
    pub log: LogId,
    /// What the instance is called.
    pub environment: String,
    /// Version of the program that wrote it.
    pub program: String,
    /// The commit it is consistent to.
    pub seq: CommitSeq,
    /// Its id; `None` before the first commit.
    pub commit: Option<CommitId>,
    /// How far each shard was processed.
    pub cursors: Vec<(Shard, u64)>,
    /// How far the log reached.
    pub log_ends: Vec<(Shard, u64)>,
    /// Newest receive time in the log: what came later is not in it.
    pub newest_received: Option<Millis>,
    /// When it was begun, ms UTC.
    pub started_at: Millis,
    /// When it was done, ms UTC.
    pub finished_at: Millis,
    /// When the newest part that is not the log was begun, ms UTC: `started_at` unless only the log was copied anew.
    pub whole_at: Millis,
    /// How long that took, ms.
    pub whole_ms: Millis,
    /// The lists of files, by group.
    pub lists: Vec<ListRef>,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A list of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRef {
    /// What its files have in common.
    pub group: String,
    /// Checksum of the list.
    pub sha256: String,
    /// Files in it.
    pub files: u64,
}

/// One file of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    /// Path below the data folder.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// Its pieces, in order.
    pub chunks: Vec<String>,
}

/// A backup in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupInfo {
    /// Its name.
    pub name: String,
    /// What it says, if it can be read.
    pub manifest: Option<Manifest>,
    /// What is wrong with it.
    pub problem: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Instance {
    log: LogId,
    environment: String,
}

/// Every backup of a target, newest first. Reads manifests, not files.
pub async fn list_backups(target: &ObjectStore) -> Result<Vec<BackupInfo>, RecoveryError> {
    let names: Vec<String> = target.list(MANIFESTS).await?.iter().rev().map(|o| name_of(&o.key)).collect();
    let read = names.into_iter().map(|name| async move {
        match read(target, &name).await {
            Ok(manifest) => BackupInfo { name, manifest: Some(manifest), problem: None },
            Err(error) => BackupInfo { name, manifest: None, problem: Some(error.to_string()) },
        }
    });
    Ok(futures::stream::iter(read).buffered(READ_AT_ONCE).collect().await)
}

pub(super) fn name(at: Millis, seq: CommitSeq) -> String {
    format!("{at:015}-{:020}", seq.0)
}

pub(super) fn manifest_key(name: &str) -> String {
    format!("{MANIFESTS}/{name}.json")
}

fn name_of(key: &str) -> String {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    name.strip_suffix(".json").unwrap_or(name).to_owned()
}

fn list_key(sha: &str) -> String {
    format!("{LISTS}/{}/{sha}.json", sha.get(..2).unwrap_or("xx"))
}

/// Reads one manifest.
pub(super) async fn read(target: &ObjectStore, name: &str) -> Result<Manifest, RecoveryError> {
    let key = manifest_key(name);
    let manifest: Manifest = document::open(&key, &target.get(&key).await?)?;
    if manifest.name != name {
        return Err(RecoveryError::damaged(key, format!("it is the manifest of {}", manifest.name)));
    }
    Ok(manifest)
}

/// Stores the lists of files; answers the references.
pub(super) async fn write_lists(
    target: &ObjectStore,
    groups: BTreeMap<String, Vec<FileEntry>>,
) -> Result<Vec<ListRef>, RecoveryError> {
    let known: std::collections::HashSet<String> =
        target.list(LISTS).await?.into_iter().map(|o| o.key).collect();
    let mut refs = Vec::new();
    for (group, mut entries) in groups {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let encoded = serde_json::to_vec(&entries)
            .map_err(|e| RecoveryError::Encode { what: "list of files", problem: e.to_string() })?;
        let sha = sha256(&encoded);
        let key = list_key(&sha);
        if !known.contains(&key) {
            put_by_content(target, &key, Bytes::from(encoded)).await?;
        }
        refs.push(ListRef { group, sha256: sha, files: entries.len() as u64 });
    }
    Ok(refs)
}

/// Reads one list and compares it with its name.
pub(super) async fn read_list(target: &ObjectStore, list: &ListRef) -> Result<Vec<FileEntry>, RecoveryError> {
    let key = list_key(&list.sha256);
    let bytes = match target.get(&key).await {
        Ok(bytes) => bytes,
        Err(StoreError::NotFound { .. }) => return Err(RecoveryError::damaged(key, "it is missing")),
        Err(error) => return Err(error.into()),
    };
    if sha256(&bytes) != list.sha256 {
        return Err(RecoveryError::damaged(key, "its content is not what its name says"));
    }
    serde_json::from_slice(&bytes).map_err(|e| RecoveryError::damaged(key, e.to_string()))
}

/// Key and checksum-bearing name of a list, for pruning.
pub(super) fn list_keys(manifest: &Manifest) -> impl Iterator<Item = String> + '_ {
    manifest.lists.iter().map(|list| list_key(&list.sha256))
}

/// Stores a manifest, under a name that nobody else may have.
pub(super) async fn write(target: &ObjectStore, manifest: &Manifest) -> Result<(), RecoveryError> {
    let key = manifest_key(&manifest.name);
    let sealed = document::seal("manifest of a backup", manifest)?;
    // The answer to a first try may have been lost: then it is there, and it is ours.
    if !target.put_new(&key, sealed.clone()).await? && target.get(&key).await? != sealed {
        return Err(RecoveryError::Foreign {
            place: format!("the backup {}", manifest.name),
            found: "another backup of the same name, made at the same time".to_owned(),
            expected: manifest.log.to_string(),
        });
    }
    Ok(())
}

/// Makes the target this instance's, or refuses it as another's. Of two that come at the same moment, one gets it.
pub(super) async fn claim(target: &ObjectStore, log: LogId, environment: &str) -> Result<(), RecoveryError> {
    let bytes = match target.get(INSTANCE).await {
        Err(StoreError::NotFound { .. }) => {
            let instance = Instance { log, environment: environment.to_owned() };
            let sealed = document::seal("instance of a backup target", &instance)?;
            if target.put_new(INSTANCE, sealed).await? {
                return Ok(());
            }
            target.get(INSTANCE).await?
        }
        other => other?,
    };
    let known: Instance = document::open(INSTANCE, &bytes)?;
    if known.log == log {
        return Ok(());
    }
    Err(RecoveryError::Foreign {
        place: format!("the backup target ({})", known.environment),
        found: known.log.to_string(),
        expected: log.to_string(),
    })
}
