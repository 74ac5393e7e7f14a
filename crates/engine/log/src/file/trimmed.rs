//! What was given up by permit, durable before any file goes (R6): so that a file that vanished otherwise is told
//! from one that was trimmed.
//!
//! ```text
//! LANE/trimmed := "tallymark-trim 1 " log " " lane " " file " " offset,offset,… " " CRC32C "\n"
//! ```
//! Files below number `file` may go, that is every offset below the one named for its partition.
//! Guarantees: replaced as a whole; only ever grows. A note that is lost or damaged makes trimmed ranges look
//! missing, never the other way round.
//! Deliberately not here: deciding what may go.

use super::disk::{Disk, OpenMode};
use super::format::FileIdentity;
use super::layout::LaneFolder;
use std::io;

const WORD: &str = "tallymark-trim 1";

/// Everything before this was given up by permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrimNote {
    /// First file that stays.
    pub file: u64,
    /// First offset that stays, per partition.
    pub starts: Vec<u64>,
}

impl TrimNote {
    fn text(&self, identity: &FileIdentity) -> String {
        let starts: Vec<String> = self.starts.iter().map(u64::to_string).collect();
        let head = format!("{WORD} {} {} {} {}", identity.log, identity.lane, self.file, starts.join(","));
        format!("{head} {:08x}\n", crc32c::crc32c(head.as_bytes()))
    }

    fn parse(text: &str, identity: &FileIdentity) -> Option<TrimNote> {
        let (head, crc) = text.trim_end().rsplit_once(' ')?;
        if u32::from_str_radix(crc, 16).ok()? != crc32c::crc32c(head.as_bytes()) {
            return None;
        }
        let mut words = head.strip_prefix(WORD)?.trim_start().split(' ');
        if words.next()? != identity.log.to_string() || words.next()? != identity.lane.name() {
            return None;
        }
        let file = words.next()?.parse().ok()?;
        let starts: Vec<u64> = words.next()?.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
        (starts.len() == usize::from(identity.partitions)).then_some(TrimNote { file, starts })
    }

    /// The note of a lane; `None` if there is none that is whole.
    pub(crate) fn read(disk: &dyn Disk, folder: &LaneFolder, identity: &FileIdentity) -> Option<TrimNote> {
        let file = disk.open(&folder.trimmed(), OpenMode::Read).ok()?;
        let mut bytes = vec![0; usize::try_from(file.len().ok()?.min(BYTES_MAX)).ok()?];
        let got = file.read_at(&mut bytes, 0).ok()?;
        TrimNote::parse(std::str::from_utf8(&bytes[..got]).ok()?, identity)
    }

    /// Writes, flushes, renames, flushes the folder.
    pub(crate) fn write(
        &self,
        disk: &dyn Disk,
        folder: &LaneFolder,
        identity: &FileIdentity,
    ) -> io::Result<()> {
        let path = folder.trimmed();
        // A name of its own: the writer clears `*.tmp` when it starts.
        let draft = folder.dir.join("trimmed.new");
        match disk.remove(&draft) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let file = disk.open(&draft, OpenMode::Create)?;
        file.write_at(self.text(identity).as_bytes(), 0)?;
        file.sync()?;
        disk.rename(&draft, &path)?;
        disk.sync_dir(&folder.dir)
    }
}

/// 256 partitions of 15 digits and the rest.
const BYTES_MAX: u64 = 8192;

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_model::{Lane, LogId};

    #[test]
    fn a_note_round_trips_and_damage_or_another_log_is_seen() {
        let identity =
            FileIdentity { log: LogId(uuid::Uuid::from_u128(7)), lane: Lane::Bulk, partitions: 3, number: 0 };
        let note = TrimNote { file: 12, starts: vec![0, 1 << 47, 9] };
        let text = note.text(&identity);
        assert_eq!(TrimNote::parse(&text, &identity), Some(note));
        for at in 0..text.len() - 1 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let damaged = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(TrimNote::parse(&damaged, &identity), None, "byte {at}: {damaged}");
        }
        for other in [
            FileIdentity { lane: Lane::Live, ..identity },
            FileIdentity { partitions: 2, ..identity },
            FileIdentity { log: LogId(uuid::Uuid::from_u128(8)), ..identity },
        ] {
            assert_eq!(TrimNote::parse(&text, &other), None);
        }
    }
}
