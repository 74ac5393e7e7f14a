//! Where a record stands in the log, and the order that decides identity and ties.

use crate::Millis;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A stream of the log with its own budget. Live data is always served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Events as they happen.
    Live = 0,
    /// Imports, batch endpoints, historical migrations.
    Bulk = 1,
}

impl Lane {
    /// Every lane, in order.
    pub const ALL: [Lane; 2] = [Lane::Live, Lane::Bulk];
    /// Name used in paths, labels and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Lane::Live => "live",
            Lane::Bulk => "bulk",
        }
    }
    /// The lane with this number.
    pub fn from_index(index: u8) -> Option<Lane> {
        Lane::ALL.get(usize::from(index)).copied()
    }
    /// The lane with this name.
    pub fn from_name(name: &str) -> Option<Lane> {
        Lane::ALL.into_iter().find(|l| l.name() == name)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One partition of one lane: the unit that has a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shard {
    /// The lane.
    pub lane: Lane,
    /// The partition, 0-based, below 16,384.
    pub partition: u16,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.lane, self.partition)
    }
}

/// One record's place in the log. Ordered by (lane, partition, offset).
///
/// Packs into 64 bits for files and indexes: `lane:2 | partition:14 | offset:48`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The lane.
    pub lane: Lane,
    /// The partition, below 16,384.
    pub partition: u16,
    /// 0-based, dense within (lane, partition), below 2^48.
    pub offset: u64,
}

impl Position {
    /// Largest offset that [`Position::pack`] can hold.
    pub const OFFSET_MAX: u64 = (1 << 48) - 1;

    /// The 64-bit form; its numeric order is the order of positions.
    pub fn pack(self) -> u64 {
        debug_assert!(self.offset <= Self::OFFSET_MAX && self.partition < (1 << 14));
        ((self.lane as u64) << 62) | (u64::from(self.partition) << 48) | self.offset
    }

    /// The position with this packed form; `None` if the lane is unknown.
    pub fn unpack(packed: u64) -> Option<Position> {
        Some(Position {
            lane: Lane::from_index((packed >> 62) as u8)?,
            partition: ((packed >> 48) & 0x3fff) as u16,
            offset: packed & Self::OFFSET_MAX,
        })
    }

    /// The shard this position belongs to.
    pub fn shard(self) -> Shard {
        Shard { lane: self.lane, partition: self.partition }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.lane, self.partition, self.offset)
    }
}

/// The total order of the log that decides identity and breaks ties of time:
/// (server receive ms, lane, partition, offset), compared lexicographically. Fixed for ever, the same after
/// a replay. Two machine words: `received_at`, packed position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Seq {
    /// When the server received the record, ms UTC.
    pub received_at: Millis,
    /// [`Position::pack`] of the record.
    pub position: u64,
}

impl Seq {
    /// Before every record.
    pub const MIN: Seq = Seq { received_at: Millis::MIN, position: 0 };
    /// The order key of a record.
    pub fn new(received_at: Millis, position: Position) -> Seq {
        Seq { received_at, position: position.pack() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_order_and_round_trips() {
        let mut all = Vec::new();
        for lane in Lane::ALL {
            for partition in [0, 1, 7, 16_383] {
                for offset in [0, 1, 1 << 20, Position::OFFSET_MAX] {
                    all.push(Position { lane, partition, offset });
                }
            }
        }
        for pair in all.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].pack() < pair[1].pack());
        }
        for p in all {
            assert_eq!(Position::unpack(p.pack()), Some(p));
        }
        assert_eq!(Position::unpack(u64::MAX), None);
    }
}
