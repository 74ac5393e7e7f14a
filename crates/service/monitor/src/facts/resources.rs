//! Facts about what can run out.
//!
//! Guarantees: `used` and `limit` of one resource have the same unit.
//! Deliberately not here: forecasting (`forecast`).

use serde::{Deserialize, Serialize};

/// A file system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiskFacts {
    /// What it is for: `data`, `objects`, `backups`.
    pub name: String,
    /// Size.
    pub bytes_total: u64,
    /// Bytes that may still be written.
    pub bytes_free: u64,
    /// Inodes, 0 if the file system does not count them.
    pub inodes_total: u64,
    /// Inodes free.
    pub inodes_free: u64,
    /// Bytes the log writes per second, averaged over minutes, if this is where the log is.
    #[serde(default)]
    pub log_bytes_per_s: Option<f64>,
}

/// Kinds of things that can run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// Bytes of a file system.
    DiskBytes,
    /// Inodes of a file system.
    Inodes,
    /// File descriptors of a process.
    FileDescriptors,
    /// Memory of a process or of the machine.
    MemoryBytes,
    /// A database sequence against its column's type (i64 in SQLite).
    Sequence,
    /// Dense subject numbers of a project (u32).
    SubjectNumbers,
    /// Ordinals of segments, states or property columns.
    Ordinals,
    /// Offsets of a shard (48 bits).
    Offsets,
    /// Connections or permits of a pool.
    Connections,
    /// Anything else that is counted against a limit.
    Other,
}

impl ResourceKind {
    /// True if it only ever grows and cannot be given back: alarms begin at half.
    pub fn is_counter(self) -> bool {
        matches!(
            self,
            ResourceKind::Sequence
                | ResourceKind::SubjectNumbers
                | ResourceKind::Ordinals
                | ResourceKind::Offsets
        )
    }
    /// Name used in texts.
    pub fn name(self) -> &'static str {
        match self {
            ResourceKind::DiskBytes => "disk space",
            ResourceKind::Inodes => "inodes",
            ResourceKind::FileDescriptors => "file descriptors",
            ResourceKind::MemoryBytes => "memory",
            ResourceKind::Sequence => "sequence",
            ResourceKind::SubjectNumbers => "subject numbers",
            ResourceKind::Ordinals => "ordinals",
            ResourceKind::Offsets => "log offsets",
            ResourceKind::Connections => "connections",
            ResourceKind::Other => "resource",
        }
    }
}

/// The state of one thing that can run out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceFacts {
    /// Of what kind.
    pub kind: ResourceKind,
    /// Which: a process, a table, a project, a shard, a disk.
    pub scope: String,
    /// In use.
    pub used: f64,
    /// There is no more than this.
    pub limit: f64,
    /// How it grows. Filled in by the watch from its samples.
    #[serde(default)]
    pub growth: Option<Growth>,
}

impl ResourceFacts {
    /// A resource whose growth is not known yet.
    pub fn new(kind: ResourceKind, scope: impl Into<String>, used: f64, limit: f64) -> ResourceFacts {
        ResourceFacts { kind, scope: scope.into(), used, limit, growth: None }
    }
    /// Stable key of its series of samples.
    pub fn series(&self) -> String {
        format!("{}:{}", self.kind.name().replace(' ', "_"), self.scope)
    }
    /// Part in use, 0 to 1.
    pub fn share(&self) -> f64 {
        if self.limit > 0.0 { self.used / self.limit } else { 0.0 }
    }
    /// Days until it is used up at the observed rate; `None` if it does not grow.
    pub fn days_left(&self) -> Option<f64> {
        let growth = self.growth.filter(|g| g.per_day > 0.0)?;
        Some(((self.limit - self.used) / growth.per_day).max(0.0))
    }
}

/// An observed rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Units per day.
    pub per_day: f64,
    /// How long it was observed, in hours.
    pub observed_hours: f64,
}
