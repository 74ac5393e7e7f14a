//! Objects: named, immutable files on a local disk or in a remote store.
//!
//! Guarantees: [`ObjectStore::put`] is all or nothing and survives power loss when it returns; a reader never sees
//! half an object. Deletes of local files are followed by an fsync of their folder. Of several that create one object
//! with [`ObjectStore::put_new`], one succeeds.
//! Deliberately not here: what the objects contain.

mod durable;
mod local;
mod s3;

use crate::read::cache::FooterCache;
use crate::{Result, StoreError};
use bytes::Bytes;
use futures::{FutureExt, TryStreamExt};
use local::LocalStore;
use object_store::memory::InMemory;
use object_store::path::Path as RemotePath;
use object_store::{ObjectStoreExt, PutMode, PutOptions};
use s3::S3Store;
pub use s3::bucket::{Bucket, BucketObject, PartError};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Where objects live. Cheap to clone; clones share a cache of footers.
#[derive(Debug, Clone)]
pub struct ObjectStore {
    backend: Backend,
    footers: Arc<FooterCache>,
}

#[derive(Debug, Clone)]
enum Backend {
    Local(Arc<LocalStore>),
    S3(Arc<S3Store>),
    /// For tests; every operation of it completes at once.
    Memory(Arc<InMemory>),
}

/// An object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
}

/// Opens the store at a URL: `file:DIR` (created if missing, always with fsync), `s3://BUCKET/PREFIX` (credentials,
/// region and endpoint as in the standard `AWS_*` variables; nothing is sent yet) or `memory:` (tests).
pub fn open(url: &str) -> Result<ObjectStore> {
    let variables: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    open_with(url, &variables)
}

/// The same with these variables instead of those of the process.
pub fn open_with(url: &str, variables: &[(String, String)]) -> Result<ObjectStore> {
    let fail = |detail: String| StoreError::Url { url: without_login(url), detail };
    let backend = match url.split_once(':') {
        Some(("file", dir)) if !dir.is_empty() => {
            let dir = dir.strip_prefix("//").unwrap_or(dir);
            Backend::Local(Arc::new(LocalStore::open(Path::new(dir)).map_err(|e| fail(e.to_string()))?))
        }
        Some(("s3", rest)) => Backend::S3(Arc::new(S3Store::open(rest, variables).map_err(fail)?)),
        Some(("memory", "")) => Backend::Memory(Arc::new(InMemory::new())),
        Some((scheme, _)) => return Err(fail(format!("`{scheme}` is not a known kind of store"))),
        None => return Err(fail("it has no scheme".to_owned())),
    };
    Ok(ObjectStore { backend, footers: Arc::new(FooterCache::default()) })
}

/// A URL as it may be shown: somebody may have written credentials into it.
fn without_login(url: &str) -> String {
    let (before, login_and_rest) = url.split_once("://").unwrap_or(("", url));
    match login_and_rest.split('/').next().unwrap_or_default().rsplit_once('@') {
        Some((login, _)) => format!("{before}://…{}", &login_and_rest[login.len()..]),
        None => url.to_owned(),
    }
}

impl ObjectStore {
    /// Stores an object, replacing one with the same key.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        check_key(key)?;
        match &self.backend {
            Backend::Local(local) => {
                let (local, owned) = (Arc::clone(local), key.to_owned());
                aside(move || local.put(&owned, &bytes)).await
            }
            Backend::S3(s3) => Arc::clone(s3).put(key.to_owned(), bytes).await,
            Backend::Memory(memory) => memory
                .put(&RemotePath::from(key), bytes.into())
                .await
                .map(|_| ())
                .map_err(|e| remote(key, "write", &e)),
        }
    }

    /// Creates an object, in one request; false if there is one with this key, which stays as it is. After a failed
    /// answer of a remote store the object may be there.
    pub async fn put_new(&self, key: &str, bytes: Bytes) -> Result<bool> {
        check_key(key)?;
        match &self.backend {
            Backend::Local(local) => {
                let (local, owned) = (Arc::clone(local), key.to_owned());
                aside(move || local.put_new(&owned, &bytes)).await
            }
            Backend::S3(s3) => Arc::clone(s3).put_new(key.to_owned(), bytes).await,
            Backend::Memory(memory) => {
                use object_store::ObjectStore as _;
                let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
                match memory.put_opts(&RemotePath::from(key), bytes.into(), create).await {
                    Ok(_) => Ok(true),
                    Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                    Err(error) => Err(remote(key, "write", &error)),
                }
            }
        }
    }

    /// Reads a whole object.
    pub async fn get(&self, key: &str) -> Result<Bytes> {
        check_key(key)?;
        match &self.backend {
            Backend::Local(local) => {
                let (local, key) = (Arc::clone(local), key.to_owned());
                aside(move || local.get(&key)).await
            }
            Backend::S3(s3) => Arc::clone(s3).get(key.to_owned()).await,
            Backend::Memory(memory) => {
                let fail = |e: object_store::Error| remote(key, "read", &e);
                memory.get(&RemotePath::from(key)).await.map_err(fail)?.bytes().await.map_err(fail)
            }
        }
    }

    /// Deletes an object; deleting one that is not there is not an error.
    pub async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        self.footers.forget(key);
        match &self.backend {
            Backend::Local(local) => {
                let (local, key) = (Arc::clone(local), key.to_owned());
                aside(move || local.delete(&key)).await
            }
            Backend::S3(s3) => Arc::clone(s3).delete(key.to_owned()).await,
            Backend::Memory(memory) => match memory.delete(&RemotePath::from(key)).await {
                Err(object_store::Error::NotFound { .. }) => Ok(()),
                other => other.map_err(|e| remote(key, "delete", &e)),
            },
        }
    }

    /// All objects whose key starts with `prefix/`, sorted by key. Unfinished writes are not objects.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        check_key(prefix)?;
        let mut found = match &self.backend {
            Backend::Local(local) => {
                let (local, prefix) = (Arc::clone(local), prefix.to_owned());
                aside(move || local.list(&prefix)).await?
            }
            Backend::S3(s3) => Arc::clone(s3).list(prefix.to_owned()).await?,
            Backend::Memory(memory) => {
                use object_store::ObjectStore as _;
                let listed: Vec<_> = memory
                    .list(Some(&RemotePath::from(prefix)))
                    .try_collect()
                    .await
                    .map_err(|e| remote(prefix, "list", &e))?;
                listed
                    .into_iter()
                    .map(|m| ObjectInfo { key: m.location.to_string(), bytes: m.size })
                    .collect()
            }
        };
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    /// Size of an object. A remote store is waited for on the calling thread.
    pub fn size(&self, key: &str) -> Result<u64> {
        check_key(key)?;
        match &self.backend {
            Backend::Local(local) => local.size(key),
            Backend::S3(s3) => Arc::clone(s3).size(key.to_owned()),
            Backend::Memory(memory) => {
                let head = memory.head(&RemotePath::from(key)).now_or_never();
                head.ok_or_else(|| pending(key))?.map(|m| m.size).map_err(|e| remote(key, "read", &e))
            }
        }
    }

    /// Reads ranges of an object, on the calling thread. For query threads, which are not async.
    pub fn read_ranges(&self, key: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        check_key(key)?;
        match &self.backend {
            Backend::Local(local) => local.read_ranges(key, ranges),
            Backend::S3(s3) => Arc::clone(s3).read_ranges(key.to_owned(), ranges.to_vec()),
            Backend::Memory(memory) => {
                use object_store::ObjectStore as _;
                let read = async { memory.get_ranges(&RemotePath::from(key), ranges).await };
                let parts =
                    read.now_or_never().ok_or_else(|| pending(key))?.map_err(|e| remote(key, "read", &e))?;
                // Remote stores answer a range beyond the end with what there is.
                let whole = parts.iter().zip(ranges).all(|(bytes, r)| bytes.len() as u64 == r.end - r.start);
                if whole { Ok(parts) } else { Err(StoreError::corrupt(key, local::TOO_SHORT)) }
            }
        }
    }

    /// Removes what writers that died left behind on a local disk; returns how many files. Writers that are alive
    /// hold a lock on their unfinished file, so no clock is needed to tell the two apart.
    pub async fn sweep_unfinished(&self) -> Result<usize> {
        match &self.backend {
            Backend::Local(local) => {
                let local = Arc::clone(local);
                aside(move || local.sweep()).await
            }
            // A remote object is there when all of it is.
            Backend::S3(_) | Backend::Memory(_) => Ok(0),
        }
    }

    pub(crate) fn footers(&self) -> &FooterCache {
        &self.footers
    }
}

/// Runs blocking work off the runtime's threads if there is a runtime.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return work();
    };
    match runtime.spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => Err(StoreError::Io {
            action: "access",
            key: "(unknown)".to_owned(),
            detail: panic.to_string(),
            kind: std::io::ErrorKind::Other,
        }),
    }
}

fn remote(key: &str, action: &'static str, error: &object_store::Error) -> StoreError {
    match error {
        object_store::Error::NotFound { .. } => StoreError::NotFound { key: key.to_owned() },
        other => StoreError::Io {
            action,
            key: key.to_owned(),
            detail: other.to_string(),
            kind: std::io::ErrorKind::Other,
        },
    }
}

fn pending(key: &str) -> StoreError {
    StoreError::Io {
        action: "read",
        key: key.to_owned(),
        detail: "the store did not answer at once".to_owned(),
        kind: std::io::ErrorKind::WouldBlock,
    }
}

fn check_key(key: &str) -> Result<()> {
    let part_ok = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if key.split('/').all(part_ok) { Ok(()) } else { Err(StoreError::Key { key: key.to_owned() }) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(super) async fn behaviour(store: &ObjectStore) {
        store.put("a/b/one", Bytes::from_static(b"hello world")).await.unwrap();
        store.put("a/b/two", Bytes::from_static(b"x")).await.unwrap();
        store.put("a/c", Bytes::new()).await.unwrap();
        assert_eq!(store.get("a/b/one").await.unwrap(), "hello world");
        assert_eq!(store.size("a/b/one").unwrap(), 11);
        let parts = store.read_ranges("a/b/one", &[6..11, 0..5]).unwrap();
        assert_eq!((&parts[0][..], &parts[1][..]), (&b"world"[..], &b"hello"[..]));
        let keys: Vec<String> = store.list("a/b").await.unwrap().into_iter().map(|o| o.key).collect();
        assert_eq!(keys, ["a/b/one", "a/b/two"]);
        store.put("a/b/two", Bytes::from_static(b"yy")).await.unwrap();
        assert_eq!(store.get("a/b/two").await.unwrap(), "yy");
        store.delete("a/b/one").await.unwrap();
        store.delete("a/b/one").await.unwrap();
        assert!(matches!(store.get("a/b/one").await, Err(StoreError::NotFound { key }) if key == "a/b/one"));
        assert!(store.read_ranges("a/b/two", &[0..1, 0..3]).is_err(), "a range beyond the end is an error");
        assert!(store.put_new("a/new", Bytes::from_static(b"first")).await.unwrap());
        assert!(!store.put_new("a/new", Bytes::from_static(b"second")).await.unwrap());
        assert_eq!(store.get("a/new").await.unwrap(), "first");
        assert!(store.list("nothing").await.unwrap().is_empty());
        for key in ["", "/a", "a//b", "../a", "a/..", "a b", "a/"] {
            assert!(matches!(store.put(key, Bytes::new()).await, Err(StoreError::Key { .. })), "{key}");
        }
    }

    #[tokio::test]
    async fn every_backend_behaves_alike() {
        let dir = tempfile::tempdir().unwrap();
        behaviour(&open(&format!("file:{}", dir.path().display())).unwrap()).await;
        behaviour(&open("memory:").unwrap()).await;
    }

    #[test]
    fn bad_urls_are_refused() {
        for url in ["", "file:", "/data/x", "s3:bucket", "gs://bucket", "memory:x"] {
            assert!(matches!(open(url), Err(StoreError::Url { .. })), "{url}");
        }
        let told = open("s3://id:planted@bucket/x").unwrap_err().to_string();
        assert!(told.contains("…@bucket/x") && !told.contains("planted"), "{told}");
    }
}
