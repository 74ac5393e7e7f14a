//! The log on one machine's disk: files of batches, group commit, readable from other processes.
//!
//! Guarantees: an acknowledged append is on the disk (I1) and is read back whole or reported as a gap with evidence
//! (I14), whatever single fault happened: crash, lost power, torn write, flipped bits, failed flush, full disk.
//! Positions live in the data alone. One process writes (a lock sees to it), any number read at the same time.
//!
//! The way through the code, in the order of an event:
//! `writer` (append, receipt) → `queue` → `lane` (groups, flush) → `format` (bytes) → `mark` (what is durable) →
//! `reader` → `lane_reader` (positions to bytes) → `block` (verification). Beside it: `stock` and `space` (files and
//! room), `recover` and `open` (after a crash), `inspect` (offline check), `disk` (the seam for faults), `sealed`,
//! `archived` and `contract` (for whoever copies, trims and watches the log).
//! Deliberately not here: replication, keeping archives.

mod archived;
mod block;
mod config;
mod contract;
pub mod disk;
mod files;
mod format;
mod inspect;
mod lane;
mod lane_reader;
mod layout;
mod mark;
mod open;
mod queue;
mod reader;
mod recover;
mod sealed;
mod space;
mod stock;
mod trimmed;
mod writer;

pub use archived::{ArchiveError, ArchivedFile, decode_archived};
pub use config::FileLogConfig;
pub use inspect::{DamageReport, FileReport, LaneReport, LogReport, inspect, inspect_on};
pub use reader::FileLogReader;
pub use sealed::{LaneFiles, LogFiles, TailFile};
pub use writer::FileLogWriter;

use crate::OpenError;
use disk::{Disk, RealDisk};
use std::path::Path;
use std::sync::Arc;

/// How much of a file is read and verified at once.
pub(crate) const BLOCK_BYTES: usize = 1 << 20;

/// Opens the log in a folder.
#[derive(Debug, Clone, Copy)]
pub struct FileLog;

impl FileLog {
    /// Opens the log to write it, creating it if there is none. Recovers from whatever ended the last writer.
    /// Blocks for as long as reading the last file of each lane takes, whatever the size of the log.
    pub fn open_writer(dir: &Path, config: FileLogConfig) -> Result<FileLogWriter, OpenError> {
        FileLog::open_writer_on(Arc::new(RealDisk), dir, config)
    }

    /// The same on another disk, for fault tests.
    pub fn open_writer_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        config: FileLogConfig,
    ) -> Result<FileLogWriter, OpenError> {
        open::writer(disk, dir, config)
    }

    /// Opens the log to read it, while its writer runs or not, in any process.
    pub fn open_reader(dir: &Path, config: &FileLogConfig) -> Result<FileLogReader, OpenError> {
        FileLog::open_reader_on(Arc::new(RealDisk), dir, config)
    }

    /// The same on another disk, for fault tests.
    pub fn open_reader_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        config: &FileLogConfig,
    ) -> Result<FileLogReader, OpenError> {
        reader::open(disk, dir, config.spares_max, config.disk_floor_bytes)
    }
}
