//! The part of the footer that Parquet has no place for.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tallymark_model::{LogId, Millis};

/// Footer key of the segment's meta data.
pub(crate) const SEGMENT_KEY: &str = "tallymark.segment";
/// Footer key of the [`Index`].
pub(crate) const INDEX_KEY: &str = "tallymark.index";
/// Version of [`Index`] that this code writes; it reads every version up to this one.
pub(crate) const INDEX_VERSION: u32 = 1;
/// Names kept per row group; a group with more is not pruned by name.
const MAX_NAMES: usize = 256;
/// Names of overflowing properties kept per file; a file with more is always searched.
pub(crate) const MAX_OVERFLOW_NAMES: usize = 20_000;

/// What a reader must know before it reads any column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub version: u32,
    /// The log whose positions the rows carry.
    pub log: LogId,
    /// Names of the columns, in file order.
    pub columns: Vec<String>,
    pub groups: Vec<RowGroup>,
    /// CRC-32C of every column chunk: per row group, 8 hex digits per column.
    pub checks: Vec<String>,
    /// Properties that occur in `_overflow`; none = unknown.
    pub overflow: Option<BTreeSet<String>>,
    /// In which row groups a subject occurs; files of older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occupants: Option<Occupants>,
    /// Checksums of pages, to read single ones; files of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<PageChecks>,
}

/// Where the checksums of pages are; see [`super::pages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageChecks {
    pub at: u64,
    pub length: u32,
    /// CRC-32C of the checksums.
    pub check: u32,
}

/// Where to look for the row groups of a subject; see [`super::occupants`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Occupants {
    /// Offset of the first block; the others follow.
    pub at: u64,
    pub blocks: Vec<Block>,
}

/// First subject, length, CRC-32C.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block(pub u32, pub u32, pub u32);

/// What is known of a row group without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowGroup {
    /// Rows inside.
    pub rows: u64,
    /// Distinct event names (in a properties segment: property names), sorted; `None` if there are too many.
    pub names: Option<Vec<String>>,
    /// Smallest name.
    pub name_min: String,
    /// Largest name.
    pub name_max: String,
    /// Smallest time, ms UTC.
    pub time_min: Millis,
    /// Largest time, ms UTC.
    pub time_max: Millis,
    /// Smallest subject.
    pub subject_min: u32,
    /// Largest subject.
    pub subject_max: u32,
}

impl RowGroup {
    /// Statistics of these rows.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>, subjects: &[u32], times: &[i64]) -> RowGroup {
        let mut distinct = BTreeSet::new();
        let mut last = None;
        for name in names {
            if last != Some(name) {
                distinct.insert(name);
                last = Some(name);
            }
        }
        RowGroup {
            rows: times.len() as u64,
            name_min: distinct.first().map_or_else(String::new, |s| (*s).to_owned()),
            name_max: distinct.last().map_or_else(String::new, |s| (*s).to_owned()),
            names: (distinct.len() <= MAX_NAMES).then(|| distinct.iter().map(|s| (*s).to_owned()).collect()),
            time_min: times.iter().copied().min().unwrap_or_default(),
            time_max: times.iter().copied().max().unwrap_or_default(),
            subject_min: subjects.iter().copied().min().unwrap_or_default(),
            subject_max: subjects.iter().copied().max().unwrap_or_default(),
        }
    }

    /// The name, if all rows have the same.
    pub fn single(&self) -> Option<&str> {
        (self.name_min == self.name_max).then_some(self.name_min.as_str())
    }

    /// False if certainly no row has this name.
    pub fn may_contain(&self, name: &str) -> bool {
        match &self.names {
            Some(names) => names.binary_search_by(|n| n.as_str().cmp(name)).is_ok(),
            None => self.name_min.as_str() <= name && name <= self.name_max.as_str(),
        }
    }

    /// False if certainly no row's time lies in `[from, to)`.
    pub fn overlaps(&self, from: Millis, to: Millis) -> bool {
        self.time_min < to && from <= self.time_max
    }
}
