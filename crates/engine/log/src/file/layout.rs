//! Names in the folder of a log, and the small file that says which log it is.
//!
//! ```text
//! DIR/log.id            identity and number of partitions; no positions: those are in the data only
//! DIR/lock              held by the writer
//! DIR/reserve           space to work with when the disk is full
//! DIR/live/, DIR/bulk/  one folder per lane:
//!     0000000000000007.log   content, in the order of the numbers
//!     *.spare                emptied or prepared files, to be used again
//!     *.tmp                  files being prepared; nothing of value
//!     mark                   the durable mark
//!     trimmed                what was given up by permit
//! ```

use super::disk::{Disk, OpenMode, parent};
use std::io;
use std::path::{Path, PathBuf};
use tallymark_model::{Lane, LogId};

const WORD: &str = "tallymark-log";

/// Paths of a log.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub root: PathBuf,
}

/// Paths of a lane.
#[derive(Debug, Clone)]
pub(crate) struct LaneFolder {
    pub dir: PathBuf,
}

impl Layout {
    pub(crate) fn lane(&self, lane: Lane) -> LaneFolder {
        LaneFolder { dir: self.root.join(lane.name()) }
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.root.join("log.id")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }
}

impl LaneFolder {
    pub(crate) fn file(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:016x}.log"))
    }

    pub(crate) fn mark(&self) -> PathBuf {
        self.dir.join("mark")
    }

    pub(crate) fn trimmed(&self) -> PathBuf {
        self.dir.join("trimmed")
    }

    /// Numbers of the content files, ascending.
    pub(crate) fn numbers(&self, disk: &dyn Disk) -> io::Result<Vec<u64>> {
        let mut numbers: Vec<u64> = disk.list(&self.dir)?.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Files with this ending.
    pub(crate) fn with_ending(&self, disk: &dyn Disk, ending: &str) -> io::Result<Vec<PathBuf>> {
        let names = disk.list(&self.dir)?;
        Ok(names.into_iter().filter(|n| n.ends_with(ending)).map(|n| self.dir.join(n)).collect())
    }

    /// Name for a file that was trimmed or prepared.
    pub(crate) fn spare(&self) -> PathBuf {
        self.dir.join(format!("{}.spare", uuid::Uuid::now_v7().simple()))
    }
}

fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log").filter(|d| d.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// Identity of a log as its folder states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub log: LogId,
    pub partitions: u16,
}

impl Identity {
    fn text(&self) -> String {
        let head = format!("{WORD} 1 {} {}", self.log, self.partitions);
        format!("{head} {:08x}\n", crc32c::crc32c(head.as_bytes()))
    }

    fn parse(text: &str) -> Option<Identity> {
        let (head, crc) = text.trim_end().rsplit_once(' ')?;
        if u32::from_str_radix(crc, 16).ok()? != crc32c::crc32c(head.as_bytes()) {
            return None;
        }
        let mut words = head.split(' ');
        if words.next()? != WORD || words.next()? != "1" {
            return None;
        }
        let log = LogId(words.next()?.parse().ok()?);
        let partitions = words.next()?.parse().ok()?;
        (1..=crate::PARTITIONS_MAX).contains(&partitions).then_some(Identity { log, partitions })
    }

    /// `Ok(None)`: the file is there and damaged.
    pub(crate) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<Identity>> {
        let file = disk.open(path, OpenMode::Read)?;
        let mut bytes = vec![0; 256];
        let got = file.read_at(&mut bytes, 0)?;
        Ok(std::str::from_utf8(&bytes[..got]).ok().and_then(Identity::parse))
    }

    /// Writes, flushes, renames, flushes the folder.
    pub(crate) fn write(&self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        let draft = path.with_extension("tmp");
        match disk.remove(&draft) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let file = disk.open(&draft, OpenMode::Create)?;
        file.write_at(self.text().as_bytes(), 0)?;
        file.sync()?;
        disk.rename(&draft, path)?;
        disk.sync_dir(&parent(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_round_trips_and_damage_is_seen() {
        let identity = Identity { log: LogId(uuid::Uuid::from_u128(7)), partitions: 4 };
        let text = identity.text();
        assert_eq!(Identity::parse(&text), Some(identity));
        for at in 0..text.len() - 1 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let damaged = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(Identity::parse(&damaged), None, "byte {at}: {damaged}");
        }
    }

    #[test]
    fn only_our_names_are_content() {
        assert_eq!(number_of("000000000000000a.log"), Some(10));
        for name in ["a.log", "000000000000000a.spare", "00000000000000zz.log", "mark"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}
