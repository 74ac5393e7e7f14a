//! A bucket that somebody else writes, for reading: its objects with what identifies them, and parts of one.
//!
//! Guarantees: a part is of the object that was listed, or the read fails ([`PartError::Changed`]): every request names
//! the ETag. Keys may hold whatever S3 allows but empty names between slashes.
//! Deliberately not here: writing; which objects are wanted.

use super::place::Place;
use super::{run, threads, wait, words};
use crate::{Result, StoreError};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore as _};
use std::ops::Range;
use std::sync::Arc;

/// A bucket, or what is below a prefix of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Arc<AmazonS3>,
    place: Arc<Place>,
}

/// An object of somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketObject {
    /// The whole key, also the part that is the prefix.
    pub key: String,
    /// Size.
    pub bytes: u64,
    /// Says which content it is; without quotes.
    pub etag: String,
    /// When it was written, ms UTC.
    pub modified: i64,
}

/// Why a part was not read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PartError {
    /// The object is another one now, or gone.
    #[error("it was changed or deleted while it was read")]
    Changed,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Bucket {
    /// Opens `s3://BUCKET/PREFIX?endpoint=…&region=…`; credentials as in the standard `AWS_*` variables. Sends nothing.
    pub fn open(url: &str) -> Result<Bucket> {
        let variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let fail = |detail: String| StoreError::Url { url: super::super::without_login(url), detail };
        let rest =
            url.strip_prefix("s3:").ok_or_else(|| fail("it is written `s3://BUCKET/PREFIX`".to_owned()))?;
        let mut place = Place::parse_foreign(rest).map_err(fail)?;
        let client = place.builder(&variables).map_err(fail)?.build().map_err(|e| fail(e.to_string()))?;
        threads().map_err(fail)?;
        Ok(Bucket { client: Arc::new(client), place: Arc::new(place) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.place.bucket
    }

    /// All objects below the prefix, sorted by key.
    pub async fn list(&self) -> Result<Vec<BucketObject>> {
        let bucket = self.clone();
        run(async move {
            let prefix = bucket.path(&bucket.place.prefix)?;
            let prefix = (!bucket.place.prefix.is_empty()).then_some(prefix);
            let listed = bucket.client.list(prefix.as_ref()).map_ok(|meta| BucketObject {
                key: meta.location.to_string(),
                bytes: meta.size,
                etag: meta.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
                modified: meta.last_modified.timestamp_millis(),
            });
            let listed: std::result::Result<Vec<_>, object_store::Error> = listed.try_collect().await;
            let mut listed =
                listed.map_err(|e| words::told(&bucket.place.shown(), &bucket.place.prefix, "list", &e))?;
            listed.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(listed)
        })
        .await
    }

    /// Reads a part of the object with this ETag. Blocks the calling thread.
    pub fn read_part(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> std::result::Result<Bytes, PartError> {
        let (bucket, key) = (self.clone(), key.to_owned());
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: (!etag.is_empty()).then(|| format!("\"{etag}\"")),
            ..GetOptions::default()
        };
        let read = wait(async move {
            let path = bucket.path(&key)?;
            let got = async { bucket.client.get_opts(&path, options).await?.bytes().await };
            match got.await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(object_store::Error::Precondition { .. }) => Ok(None),
                Err(error) => match words::told(&bucket.place.shown(), &key, "read", &error) {
                    StoreError::NotFound { .. } => Ok(None),
                    told => Err(told),
                },
            }
        });
        read?.ok_or(PartError::Changed)
    }

    fn path(&self, key: &str) -> Result<Path> {
        Path::parse(key).map_err(|_| StoreError::Key { key: key.to_owned() })
    }
}
