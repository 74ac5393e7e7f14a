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

/// Size of a piece. The durable part of a growing file keeps its pieces, so that only its end is written again.
pub(super) const CHUNK_BYTES: usize = 4 << 20;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const LEVEL: i32 = 1;
pub(super) const CHUNKS: &str = "chunks";

/// Where a piece is kept.
pub(super) fn chunk_key(sha: &str) -> String {
    format!("{CHUNKS}/{}/{sha}", sha.get(..2).unwrap_or("xx"))
}

/// Writes pieces and remembers which are there.
pub(super) struct ChunkWriter {
    target: ObjectStore,
    there: HashSet<String>,
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
        Ok(ChunkWriter { target, there, written: 0, written_bytes: 0 })
    }

    pub fn has(&self, sha: &str) -> bool {
        self.there.contains(sha)
    }

    /// Stores a piece; answers its checksum, and whether it was new.
    pub async fn put(&mut self, content: Bytes) -> Result<(String, bool), RecoveryError> {
        let hashed = content.clone();
        let sha = blocking(move || Ok(sha256(&hashed))).await?;
        if self.has(&sha) {
            return Ok((sha, false));
        }
        let stored = blocking(move || Ok(pack(&content))).await?;
        self.written += 1;
        self.written_bytes += stored.len() as u64;
        self.target.put(&chunk_key(&sha), stored).await?;
        self.there.insert(sha.clone());
        Ok((sha, true))
    }
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
}
