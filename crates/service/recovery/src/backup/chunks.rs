//! Pieces of files, stored by the checksum of their content.
//!
//! ```text
//! chunks/ab/{sha256 of the content}    first byte: 0 as it is, 1 zstd; then the content
//! ```
//! Guarantees: content that does not have its checksum is an error, whatever was swapped or flipped; a piece is
//! written once however many backups and files share it.
//! Deliberately not here: which pieces belong together (`manifest`).

use crate::RecoveryError;
use crate::archive::blocking;
use crate::document::sha256;
use bytes::Bytes;
use std::collections::HashSet;
use tallymark_store::{ObjectStore, StoreError};
use tokio::task::JoinSet;

/// Size of a piece. The durable part of a growing file keeps its pieces, so that only its end is written again.
pub(super) const CHUNK_BYTES: usize = 4 << 20;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const LEVEL: i32 = 1;
pub(super) const CHUNKS: &str = "chunks";
/// Pieces on their way at once: a remote store takes its time for each, and a disk for each flush.
const AT_ONCE: usize = 8;

/// Where a piece is kept.
pub(super) fn chunk_key(sha: &str) -> String {
    format!("{CHUNKS}/{}/{sha}", sha.get(..2).unwrap_or("xx"))
}

/// Writes pieces, several at once, and remembers which are there or on their way.
pub(super) struct ChunkWriter {
    target: ObjectStore,
    there: HashSet<String>,
    on_their_way: JoinSet<Result<u64, RecoveryError>>,
    pub written: u64,
    pub written_bytes: u64,
}

impl ChunkWriter {
    /// Learns which pieces are there already.
    pub async fn open(target: ObjectStore) -> Result<ChunkWriter, RecoveryError> {
        let listed = target.list(CHUNKS).await?;
        // Empty objects are never pieces.
        let there = listed.into_iter().filter(|o| o.bytes > 1);
        let there = there.filter_map(|o| o.key.rsplit_once('/').map(|(_, sha)| sha.to_owned())).collect();
        Ok(ChunkWriter { target, there, on_their_way: JoinSet::new(), written: 0, written_bytes: 0 })
    }

    pub fn has(&self, sha: &str) -> bool {
        self.there.contains(sha)
    }

    /// Begins to store a piece; answers its checksum, and whether it is new. An error may be that of an earlier one.
    pub async fn put(&mut self, content: Bytes) -> Result<(String, bool), RecoveryError> {
        let hashed = content.clone();
        let sha = blocking(move || Ok(sha256(&hashed))).await?;
        if self.has(&sha) {
            return Ok((sha, false));
        }
        while self.on_their_way.len() >= AT_ONCE {
            self.arrived().await?;
        }
        let (target, key) = (self.target.clone(), chunk_key(&sha));
        self.on_their_way.spawn(async move {
            let stored = blocking(move || Ok(pack(&content))).await?;
            let bytes = stored.len() as u64;
            put_by_content(&target, &key, stored).await?;
            Ok(bytes)
        });
        self.there.insert(sha.clone());
        Ok((sha, true))
    }

    /// Waits until every piece is stored; before that, nothing may name them.
    pub async fn finish(&mut self) -> Result<(), RecoveryError> {
        while !self.on_their_way.is_empty() {
            self.arrived().await?;
        }
        Ok(())
    }

    async fn arrived(&mut self) -> Result<(), RecoveryError> {
        if let Some(done) = self.on_their_way.join_next().await {
            let stored = done.map_err(|_| RecoveryError::Stopped)?;
            self.written_bytes += stored?;
            self.written += 1;
        }
        Ok(())
    }
}

/// Stores what is named by its content: whoever was first, it is the same.
pub(super) async fn put_by_content(
    target: &ObjectStore,
    key: &str,
    content: Bytes,
) -> Result<(), RecoveryError> {
    if target.put_new(key, content.clone()).await? {
        return Ok(());
    }
    let (asked, name) = (target.clone(), key.to_owned());
    let there = blocking(move || match asked.size(&name) {
        Err(StoreError::NotFound { .. }) => Ok(None),
        other => Ok(Some(other?)),
    });
    // An earlier try of ours, unless it is the empty shell of an object that was lost.
    if there.await? != Some(content.len() as u64) {
        target.put(key, content).await?;
    }
    Ok(())
}

fn pack(content: &[u8]) -> Bytes {
    // What does not shrink by a tenth is not worth unpacking.
    match zstd::bulk::compress(content, LEVEL) {
        Ok(packed) if packed.len() < content.len() / 10 * 9 => with_kind(ZSTD, &packed),
        _ => with_kind(PLAIN, content),
    }
}

fn with_kind(kind: u8, content: &[u8]) -> Bytes {
    let mut stored = Vec::with_capacity(content.len() + 1);
    stored.push(kind);
    stored.extend_from_slice(content);
    Bytes::from(stored)
}

/// Fetches a piece and compares it with its name.
pub(super) async fn get(target: &ObjectStore, sha: &str) -> Result<Bytes, RecoveryError> {
    let key = chunk_key(sha);
    let stored = match target.get(&key).await {
        Ok(stored) => stored,
        Err(StoreError::NotFound { .. }) => return Err(RecoveryError::damaged(key, "it is missing")),
        Err(error) => return Err(error.into()),
    };
    let wanted = sha.to_owned();
    blocking(move || {
        let content = match stored.first() {
            Some(&PLAIN) => stored.slice(1..),
            Some(&ZSTD) => zstd::bulk::decompress(&stored[1..], CHUNK_BYTES)
                .map(Bytes::from)
                .map_err(|e| RecoveryError::damaged(&key, format!("it does not unpack: {e}")))?,
            _ => return Err(RecoveryError::damaged(&key, "it is not a piece of a backup")),
        };
        if sha256(&content) != wanted {
            return Err(RecoveryError::damaged(&key, "its content is not what its name says"));
        }
        Ok(content)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_piece_is_written_once_and_any_changed_byte_is_seen() {
        let store = tallymark_store::open("memory:").unwrap();
        let mut writer = ChunkWriter::open(store.clone()).await.unwrap();
        let compressible = Bytes::from(vec![7u8; 5_000]);
        let noise = Bytes::from(
            (0..3_000u32).flat_map(|i| sha256(&i.to_le_bytes()).into_bytes()).collect::<Vec<_>>(),
        );
        for content in [compressible, noise, Bytes::from_static(b"x"), Bytes::new()] {
            let (sha, new) = writer.put(content.clone()).await.unwrap();
            assert!(new);
            assert!(!writer.put(content.clone()).await.unwrap().1);
            writer.finish().await.unwrap();
            assert_eq!(get(&store, &sha).await.unwrap(), content);
            let stored = store.get(&chunk_key(&sha)).await.unwrap();
            for at in (0..stored.len()).step_by(97) {
                let mut damaged = stored.to_vec();
                damaged[at] ^= 0x55;
                store.put(&chunk_key(&sha), Bytes::from(damaged)).await.unwrap();
                assert!(get(&store, &sha).await.is_err(), "byte {at}");
            }
            store.put(&chunk_key(&sha), stored).await.unwrap();
        }
        assert_eq!(writer.written, 4);
        let again = ChunkWriter::open(store.clone()).await.unwrap();
        assert!(again.has(&sha256(b"x")));
        assert!(matches!(get(&store, &sha256(b"nothing")).await, Err(RecoveryError::Damaged { .. })));
    }

    #[tokio::test]
    async fn an_empty_shell_is_written_over_and_what_is_whole_is_not() {
        let store = tallymark_store::open("memory:").unwrap();
        for before in [&b""[..], b"xx"] {
            store.put("a/shell", Bytes::copy_from_slice(before)).await.unwrap();
            put_by_content(&store, "a/shell", Bytes::from_static(b"whole")).await.unwrap();
            assert_eq!(store.get("a/shell").await.unwrap(), "whole");
        }
        store.put("a/shell", Bytes::from_static(b"WHOLE")).await.unwrap();
        put_by_content(&store, "a/shell", Bytes::from_static(b"whole")).await.unwrap();
        assert_eq!(
            store.get("a/shell").await.unwrap(),
            "WHOLE",
            "named by its content: nobody compares it here"
        );
    }
}
