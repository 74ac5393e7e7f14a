//! Objects in an S3 bucket, Amazon's or anybody's who speaks the same.
//!
//! All requests run on threads of their own, so that query threads, which are not async, can wait for one, and so that
//! a connection outlives the runtime that asked first.
//! Guarantees: an object is there whole or not at all, also in parts: a reader sees it when the last part is in; what is
//! written carries a checksum that the server compares (the signature covers it); tries are bounded (`place`).
//! Deliberately not here: listing old versions; parts that a killed process left (a lifecycle rule of the bucket).

pub(super) mod bucket;
#[cfg(test)]
mod fake;
mod place;
#[cfg(test)]
mod tests;
mod words;

use super::{ObjectInfo, local::TOO_SHORT};
use crate::{Result, StoreError};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions};
use place::Place;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Builder, Runtime};

/// Larger objects go in parts, of which only a failed one is sent again.
const WHOLE_MAX: usize = 16 << 20;
const PART: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 4;
const THREADS: usize = 2;

#[derive(Debug)]
pub(super) struct S3Store {
    client: AmazonS3,
    place: Place,
}

type Remote<T> = std::result::Result<T, object_store::Error>;

impl S3Store {
    /// Opens what follows `s3:`; sends nothing.
    pub fn open(rest: &str, variables: &[(String, String)]) -> std::result::Result<S3Store, String> {
        let mut place = Place::parse(rest)?;
        let client = place.builder(variables)?.build().map_err(|e| e.to_string())?;
        threads()?;
        Ok(S3Store { client, place })
    }

    pub async fn put(self: Arc<Self>, key: String, bytes: Bytes) -> Result<()> {
        let store = Arc::clone(&self);
        let sent = async move {
            let path = store.path(&key);
            let done = if bytes.len() > WHOLE_MAX {
                store.put_in_parts(&path, bytes).await
            } else {
                store.client.put(&path, bytes.into()).await.map(|_| ())
            };
            done.map_err(|e| store.told(&key, "write", &e))
        };
        run(sent).await
    }

    /// Creates an object; false if there is one.
    pub async fn put_new(self: Arc<Self>, key: String, bytes: Bytes) -> Result<bool> {
        let store = Arc::clone(&self);
        let sent = async move {
            let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match store.client.put_opts(&store.path(&key), bytes.into(), create).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                Err(error) => Err(store.told(&key, "write", &error)),
            }
        };
        run(sent).await
    }

    async fn put_in_parts(&self, path: &Path, bytes: Bytes) -> Remote<()> {
        let mut upload = self.client.put_multipart(path).await?;
        let cuts = (0..bytes.len()).step_by(PART);
        let parts: Vec<_> =
            cuts.map(|at| upload.put_part(bytes.slice(at..(at + PART).min(bytes.len())).into())).collect();
        let sent: Remote<Vec<()>> =
            futures::stream::iter(parts).buffer_unordered(PARTS_AT_ONCE).try_collect().await;
        let done = match sent {
            Ok(_) => upload.complete().await.map(|_| ()),
            Err(error) => Err(error),
        };
        if done.is_err() {
            // Parts that stay cost money until a lifecycle rule removes them; there is nothing more to do about it.
            let _ = upload.abort().await;
        }
        done
    }

    pub async fn get(self: Arc<Self>, key: String) -> Result<Bytes> {
        let store = Arc::clone(&self);
        let asked = async move {
            let read = async { store.client.get(&store.path(&key)).await?.bytes().await };
            read.await.map_err(|e| store.told(&key, "read", &e))
        };
        run(asked).await
    }

    pub async fn delete(self: Arc<Self>, key: String) -> Result<()> {
        let store = Arc::clone(&self);
        let asked = async move {
            match store.client.delete(&store.path(&key)).await {
                Ok(()) => Ok(()),
                Err(error) => match store.told(&key, "delete", &error) {
                    StoreError::NotFound { .. } => Ok(()),
                    told => Err(told),
                },
            }
        };
        run(asked).await
    }

    pub async fn list(self: Arc<Self>, prefix: String) -> Result<Vec<ObjectInfo>> {
        let store = Arc::clone(&self);
        let asked = async move {
            let listed = store
                .client
                .list(Some(&store.path(&prefix)))
                .map_ok(|meta| ObjectInfo { key: store.key_of(&meta.location), bytes: meta.size });
            let listed: Remote<Vec<ObjectInfo>> = listed.try_collect().await;
            listed.map_err(|e| store.told(&prefix, "list", &e))
        };
        run(asked).await
    }

    /// Blocks the calling thread.
    pub fn size(self: Arc<Self>, key: String) -> Result<u64> {
        let store = Arc::clone(&self);
        wait(async move {
            let head = store.client.head(&store.path(&key)).await;
            head.map(|meta| meta.size).map_err(|e| store.told(&key, "read", &e))
        })
    }

    /// Blocks the calling thread.
    pub fn read_ranges(self: Arc<Self>, key: String, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        let store = Arc::clone(&self);
        wait(async move {
            let parts = store.client.get_ranges(&store.path(&key), &ranges).await.map_err(|e| {
                if words::beyond_the_end(&e) {
                    StoreError::corrupt(&key, TOO_SHORT)
                } else {
                    store.told(&key, "read", &e)
                }
            })?;
            // Remote stores answer a range beyond the end with what there is.
            let whole = parts.iter().zip(&ranges).all(|(bytes, r)| bytes.len() as u64 == r.end - r.start);
            if whole { Ok(parts) } else { Err(StoreError::corrupt(&key, TOO_SHORT)) }
        })
    }

    fn path(&self, key: &str) -> Path {
        if self.place.prefix.is_empty() {
            Path::from(key)
        } else {
            Path::from(format!("{}/{key}", self.place.prefix))
        }
    }

    fn key_of(&self, path: &Path) -> String {
        let whole = path.as_ref();
        let below = whole.strip_prefix(&self.place.prefix).unwrap_or(whole);
        below.trim_start_matches('/').to_owned()
    }

    fn told(&self, key: &str, action: &'static str, error: &object_store::Error) -> StoreError {
        words::told(&self.place.shown(), key, action, error)
    }
}

/// The threads that talk to remote stores, for the life of the process.
fn threads() -> std::result::Result<&'static Runtime, String> {
    static THREADS_OF_THEIR_OWN: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = THREADS_OF_THEIR_OWN.get() {
        return Ok(runtime);
    }
    let made = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("objects")
        .enable_all()
        .build()
        .map_err(|e| format!("no threads for its requests: {e}"))?;
    if let Err(unused) = THREADS_OF_THEIR_OWN.set(made) {
        // Another thread was quicker.
        unused.shutdown_background();
    }
    THREADS_OF_THEIR_OWN.get().ok_or_else(|| "no threads for its requests".to_owned())
}

async fn run<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let threads = threads().map_err(|e| unanswered(&e))?;
    threads.spawn(work).await.unwrap_or_else(|e| Err(unanswered(&e)))
}

/// Waits on the calling thread, which may be one of another runtime: the work is not done there.
fn wait<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let (answer, answered) = std::sync::mpsc::sync_channel(1);
    let threads = threads().map_err(|e| unanswered(&e))?;
    threads.spawn(async move {
        // Nobody waits any more if this fails.
        let _ = answer.send(work.await);
    });
    answered.recv().unwrap_or_else(|e| Err(unanswered(&e)))
}

fn unanswered(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Io {
        action: "access",
        key: "(unknown)".to_owned(),
        detail: error.to_string(),
        kind: std::io::ErrorKind::Other,
    }
}
