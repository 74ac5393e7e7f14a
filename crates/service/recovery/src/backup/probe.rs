//! Can a store do what backups need (R34)?
//!
//! Local folders are written by our own protocol; a file system without hard links is let pass, because two writers of
//! one folder are rare and the claim is read back. A remote store must create an object only if there is none, so that
//! two instances cannot take one target: it is asked twice and must refuse the second time (S3: `If-None-Match: *`).
//! Guarantees: leaves nothing behind. Deliberately not here: credentials.

use crate::RecoveryError;
use crate::archive::blocking;
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
    /// Only one of two writers creates an object.
    pub creates_once: bool,
}

/// Tries a store; refuses one that cannot do what is needed.
pub async fn probe(store: &ObjectStore, url: &str) -> Result<Probe, RecoveryError> {
    let key = format!("probe/{}", uuid::Uuid::new_v4().simple());
    let unfit = |problem: &str| RecoveryError::Unfit { url: url.to_owned(), problem: problem.to_owned() };
    let content = Bytes::from_static(b"tallymark was here");
    let created = store.put_new(&key, content.clone()).await?;
    let found = async {
        let twice = store.put_new(&key, Bytes::from_static(b"somebody else")).await?;
        let creates_once = created && !twice;
        if twice {
            store.put(&key, content.clone()).await?;
        }
        let whole = store.get(&key).await? == content;
        let (reader, read) = (store.clone(), key.clone());
        let parts = blocking(move || Ok(reader.read_ranges(&read, &[10..13, 0..9])?)).await?;
        let reads_back =
            whole && parts.len() == 2 && parts[0] == content[10..13] && parts[1] == content[0..9];
        let lists = store.list("probe").await?.iter().any(|o| o.key == key && o.bytes == 18);
        Ok::<_, RecoveryError>((reads_back, lists, creates_once))
    };
    let found = found.await;
    store.delete(&key).await?;
    let deletes = matches!(store.get(&key).await, Err(StoreError::NotFound { .. }));
    let (reads_back, lists, creates_once) = found?;
    let probe = Probe { reads_back, lists, deletes, creates_once };
    if !probe.reads_back {
        return Err(unfit("what was written does not read back"));
    }
    if !probe.lists || !probe.deletes {
        return Err(unfit("lists are not up to date with writes and deletes"));
    }
    let local = url.starts_with("file:") || url.starts_with("memory:");
    if !local && !probe.creates_once {
        return Err(unfit(
            "it lets a second writer replace what the first has created (it ignores `If-None-Match: *`), so two \
             instances could take one target; use a store with conditional writes",
        ));
    }
    Ok(probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_local_store_is_fit_and_stays_clean() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("file:{}", dir.path().display());
        let store = tallymark_store::open(&url).unwrap();
        let found = probe(&store, &url).await.unwrap();
        assert!(found.reads_back && found.lists && found.deletes && found.creates_once);
        assert!(store.list("probe").await.unwrap().is_empty());
        assert!(super::super::open_target("gs://bucket/x").await.is_err(), "no such store in this build");
        assert!(super::super::open_target(&dir.path().join("new").display().to_string()).await.is_ok());
    }
}
