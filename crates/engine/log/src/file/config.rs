//! Settings of the file backend, with their limits.

use super::format::PAYLOAD_BYTES_MAX;
use crate::{OpenError, PARTITIONS_MAX};
use std::time::Duration;

/// Settings of the writer. The defaults suit one machine.
#[derive(Debug, Clone)]
pub struct FileLogConfig {
    /// Partitions per lane; counts only when the log is created.
    pub partitions: u16,
    /// Size of a full file.
    pub file_bytes: u64,
    /// Size of the first file; each one that fills up is followed by one four times as large.
    pub first_file_bytes: u64,
    /// Largest append of one lane, encoded.
    pub append_bytes_max: u64,
    /// Bytes waiting for the disk, per lane; beyond it appends are refused.
    pub queue_bytes_max: u64,
    /// A flush takes at most so many bytes.
    pub group_bytes_max: u64,
    /// How long a flush waits for company. Zero: appends that arrive during one flush form the next group.
    pub group_wait: Duration,
    /// After so long without appends the last group gets a successor that proves it was durable.
    pub idle_proof: Duration,
    /// Appends are refused while the volume has less free; a twentieth of the volume if that is less.
    pub disk_floor_bytes: u64,
    /// Size of the reserve file that is given up when the disk is full, so that trimming and commits can go on; a
    /// twentieth of the volume if that is less.
    pub reserve_bytes: u64,
    /// How often free space is looked at.
    pub space_check: Duration,
    /// Emptied files kept per lane to be used again.
    pub spares_max: usize,
    /// Payloads of at least so many bytes are packed with zstd. `None`: never. Packing pays from a few dozen events
    /// on: a seventh of the bytes for the disk outweighs a microsecond of CPU per event; below it costs throughput
    /// (`examples/append_rate.rs` measures both).
    pub pack_from_bytes: Option<usize>,
}

impl Default for FileLogConfig {
    fn default() -> FileLogConfig {
        FileLogConfig {
            partitions: 4,
            file_bytes: 64 << 20,
            first_file_bytes: 1 << 20,
            append_bytes_max: 32 << 20,
            queue_bytes_max: 64 << 20,
            group_bytes_max: 4 << 20,
            group_wait: Duration::ZERO,
            idle_proof: Duration::from_millis(500),
            disk_floor_bytes: 256 << 20,
            reserve_bytes: 64 << 20,
            space_check: Duration::from_millis(200),
            spares_max: 2,
            pack_from_bytes: Some(16 << 10),
        }
    }
}

impl FileLogConfig {
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let problem = if self.partitions == 0 || self.partitions > PARTITIONS_MAX {
            format!("partitions is {}, it must be 1 to {PARTITIONS_MAX}", self.partitions)
        } else if self.file_bytes < 64 << 10 || self.file_bytes > 1 << 30 {
            format!("file_bytes is {}, it must be 64 KiB to 1 GiB", self.file_bytes)
        } else if self.first_file_bytes > self.file_bytes {
            format!("first_file_bytes {} is above file_bytes {}", self.first_file_bytes, self.file_bytes)
        } else if self.append_bytes_max == 0 || self.append_bytes_max > u64::from(PAYLOAD_BYTES_MAX) {
            format!("append_bytes_max is {}, it must be 1 byte to 1 GiB", self.append_bytes_max)
        } else if self.queue_bytes_max < self.append_bytes_max {
            format!(
                "queue_bytes_max {} is below append_bytes_max {}",
                self.queue_bytes_max, self.append_bytes_max
            )
        } else {
            return Ok(());
        };
        Err(OpenError::Config { problem })
    }
}
