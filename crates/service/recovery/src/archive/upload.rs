//! Copies sealed files of the log into the archive.
//!
//! Order per file: read, pack, store, read back and compare, then the entry. A crash before the entry leaves an
//! object that the next round writes over with the same bytes.
//! Guarantees: the entry is the last write; what it says was computed from the bytes that were read from the log.
//! Deliberately not here: trimming.

use super::index::{Archive, ArchivedEntry, blocking, key};
use crate::RecoveryError;
use crate::document::{self, sha256};
use crate::failpoint::{Step, pass};
use bytes::Bytes;
use std::fs::File;
use std::io::Read;
use tallymark_log::file::decode_archived;
use tallymark_log::{LogReader, SealedFile};

/// Effort of packing: the content is packed batches mostly, so more would not help.
const LEVEL: i32 = 1;

/// What a round of archiving did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uploaded {
    /// Files.
    pub files: u64,
    /// Bytes of their content.
    pub bytes: u64,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// Sealed files that are in the archive now.
    pub archived: u64,
}

impl Archive {
    /// Archives every sealed file that is not archived yet, oldest first.
    pub async fn upload(&self, log: &dyn LogReader) -> Result<Uploaded, RecoveryError> {
        if log.id() != self.log {
            return Err(RecoveryError::Foreign {
                place: "the log to archive".to_owned(),
                found: log.id().to_string(),
                expected: self.log.to_string(),
            });
        }
        let mut done = Uploaded::default();
        for file in log.sealed().await? {
            if self.entry(file.lane, file.number).is_none() {
                let Some(entry) = self.upload_one(&file).await? else { continue };
                done.files += 1;
                done.bytes += entry.bytes;
                done.stored_bytes += entry.stored_bytes;
            }
            done.archived += 1;
        }
        Ok(done)
    }

    /// `None`: the file went away meanwhile.
    async fn upload_one(&self, file: &SealedFile) -> Result<Option<ArchivedEntry>, RecoveryError> {
        let (owned, log) = (file.clone(), self.log);
        let prepared = blocking(move || {
            let content = match content(&owned) {
                Err(RecoveryError::Disk { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                    return Ok(None);
                }
                other => other?,
            };
            describe(&owned, log, content).map(Some)
        });
        let Some((entry, stored)) = prepared.await? else { return Ok(None) };
        self.store.put(&entry.key(), stored).await?;
        pass(self.failpoint.as_ref(), Step::ArchiveStored)?;
        // Read back what the store has now, not what it was given.
        self.fetch(&entry).await?;
        let sealed = document::seal("entry of the archive", &entry)?;
        self.store.put(&key(entry.lane, &entry.name, "json"), sealed).await?;
        pass(self.failpoint.as_ref(), Step::ArchiveEntered)?;
        tracing::info!(lane = %entry.lane, file = entry.name, bytes = entry.bytes, "archived a file of the log");
        self.add(entry.clone());
        Ok(Some(entry))
    }
}

fn content(file: &SealedFile) -> Result<Bytes, RecoveryError> {
    let fail = RecoveryError::disk(&file.path);
    let mut bytes = Vec::with_capacity(usize::try_from(file.bytes).unwrap_or(0));
    let read = || -> std::io::Result<()> {
        File::open(&file.path)?.take(file.bytes).read_to_end(&mut bytes)?;
        Ok(())
    };
    let mut read = read;
    read().map_err(fail)?;
    Ok(Bytes::from(bytes))
}

fn describe(
    file: &SealedFile,
    log: tallymark_model::LogId,
    content: Bytes,
) -> Result<(ArchivedEntry, Bytes), RecoveryError> {
    // A file that was damaged in the log is archived as it is: what can be read of it stays readable.
    let ends: Vec<u64> = file.ranges.iter().map(|(_, to)| *to).collect();
    let (received, damaged) = match decode_archived(content.clone(), file.lane) {
        Ok(decoded) => {
            let short = decoded.ranges().iter().zip(&ends).any(|((_, have), end)| have < end);
            (decoded.received(), decoded.damaged() as u64 + u64::from(short))
        }
        Err(_) => (file.received, 1),
    };
    let packed = zstd::bulk::compress(&content, LEVEL).map_err(RecoveryError::disk(&file.path))?;
    let entry = ArchivedEntry {
        log,
        lane: file.lane,
        number: file.number,
        name: file.name.clone(),
        ranges: file.ranges.clone(),
        received,
        bytes: content.len() as u64,
        sha256: sha256(&content),
        stored_bytes: packed.len() as u64,
        stored_sha256: sha256(&packed),
        damaged,
    };
    Ok((entry, Bytes::from(packed)))
}
