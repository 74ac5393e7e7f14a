//! Can a store do what backups need (R34)?
//!
//! Local folders are written by our own protocol and are asked for the basics only. A remote store would also have to
//! create an object only if there is none, so that two instances cannot write one target; the object store port does
//! not offer that yet, so no remote store is accepted.
//! Guarantees: leaves nothing behind. Deliberately not here: credentials.

use crate::RecoveryError;
use bytes::Bytes;
use serde::Serialize;
use tallymark_store::{ObjectStore, StoreError};

/// What a store was seen to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// An object reads back as it was written, whole and in parts.
    pub reads_back: bool,
    /// It is in the list at once.
    pub lists: bool,
    /// It is gone after it was deleted.
    pub deletes: bool,
    /// Only one of two writers creates an object; `None`: not offered by the port.
    pub creates_once: Option<bool>,
}

/// Tries a store; refuses one that cannot do what is needed.
pub async fn probe(store: &ObjectStore, url: &str) -> Result<Probe, RecoveryError> {
    let key = format!("probe/{}", uuid::Uuid::new_v4().simple());
    let unfit = |problem: &str| RecoveryError::Unfit { url: url.to_owned(), problem: problem.to_owned() };
    let content = Bytes::from_static(b"tallymark was here");
    store.put(&key, content.clone()).await?;
    let found = async {
        let whole = store.get(&key).await? == content;
        let parts = store.read_ranges(&key, &[10..13, 0..9])?;
        let reads_back =
            whole && parts.len() == 2 && parts[0] == content[10..13] && parts[1] == content[0..9];
        let lists = store.list("probe").await?.iter().any(|o| o.key == key && o.bytes == 18);
        Ok::<_, StoreError>((reads_back, lists))
    };
    let found = found.await;
    store.delete(&key).await?;
    let deletes = matches!(store.get(&key).await, Err(StoreError::NotFound { .. }));
    let (reads_back, lists) = found?;
    let probe = Probe { reads_back, lists, deletes, creates_once: None };
    if !probe.reads_back {
        return Err(unfit("what was written does not read back"));
    }
    if !probe.lists || !probe.deletes {
        return Err(unfit("lists are not up to date with writes and deletes"));
    }
    let local = url.starts_with("file:") || url.starts_with("memory:");
    if !local && probe.creates_once != Some(true) {
        return Err(unfit("it was not shown to create an object for only one of two writers"));
    }
    Ok(probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_local_store_is_fit_and_stays_clean_and_a_remote_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("file:{}", dir.path().display());
        let store = tallymark_store::open(&url).unwrap();
        let found = probe(&store, &url).await.unwrap();
        assert!(found.reads_back && found.lists && found.deletes);
        assert!(store.list("probe").await.unwrap().is_empty());
        assert!(matches!(probe(&store, "s3://bucket").await, Err(RecoveryError::Unfit { .. })));
        assert!(super::super::open_target("s3://bucket/x").await.is_err(), "no such store in this build");
        assert!(super::super::open_target(&dir.path().join("new").display().to_string()).await.is_ok());
    }
}
