//! Typed ids. Derived or counted in 64 bits; none comes from a table that could be lost.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Identity of one log incarnation, minted when the log is created; offsets of two incarnations never compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogId(pub uuid::Uuid);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A project in the catalog. `ProjectId::UNKNOWN` collects records whose token no project owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectId(pub u32);

impl ProjectId {
    /// Records whose token belongs to no project are accounted here.
    pub const UNKNOWN: ProjectId = ProjectId(0);
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the collector knows of a project: the first 16 bytes of the SHA-256 of the credential that came
/// with a request. Unresolved on purpose (the collector has no project table), and hashed so that a secret
/// key used to send events is never written to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProjectToken(pub [u8; 16]);

impl fmt::Display for ProjectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// Position of a commit in the catalog's total order; 0 = before the first commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitSeq(pub u64);

/// Idempotency key of a commit, chosen by the committer before it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitId(pub uuid::Uuid);

/// Fencing number of a lease; a later owner has a greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// One segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SegmentId(pub uuid::Uuid);

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Dense per-project number of one raw id (a device id or a user id), assigned in commit order and carried
/// in the commit's delta. 0 is reserved: "no usable id" (the event is unattributed).
///
/// Rows store the subject (the user if there is one, else the device), never the person: who that is, is
/// decided when a query reads (`identity`), so a merge changes history at once and rewrites nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubjectId(pub u32);

impl SubjectId {
    /// No usable id: the event belongs to nobody.
    pub const NONE: SubjectId = SubjectId(0);
    /// True for [`SubjectId::NONE`].
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// Which name space a raw id lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A device, browser or anonymous id.
    Device = 0,
    /// An id the product gave to a known user.
    User = 1,
}
