//! Which partition a record goes to. The function is fixed for ever: order per key depends on it.

use std::sync::atomic::{AtomicU64, Ordering};
use tallymark_model::{ProjectToken, Record, Shard};

/// Most partitions a lane may have: every batch header lists them all.
pub const PARTITIONS_MAX: u16 = 256;

/// Partition of a key within a project, below `partitions`.
pub fn partition_of_key(token: ProjectToken, key: &str, partitions: u16) -> u16 {
    // FNV-1a over token and key, then MurmurHash3's 64-bit finaliser so that the low bits depend on all.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in token.0.iter().chain(key.as_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    (hash % u64::from(partitions.max(1))) as u16
}

/// Chooses shards for the records of appends.
#[derive(Debug, Default)]
pub(crate) struct Router {
    turn: AtomicU64,
}

impl Router {
    /// Shard of each record. Records without a key go together, to the next partition in turn;
    /// control records say themselves where they go.
    pub(crate) fn route(&self, records: &[Record], partitions: u16) -> Vec<Shard> {
        let mut keyless = None;
        let mut next = || {
            *keyless.get_or_insert_with(|| {
                (self.turn.fetch_add(1, Ordering::Relaxed) % u64::from(partitions.max(1))) as u16
            })
        };
        records
            .iter()
            .map(|record| match record {
                Record::Control { shard, .. } => *shard,
                Record::Event(e) if e.key.is_empty() => Shard { lane: e.lane, partition: next() },
                Record::Event(e) => {
                    Shard { lane: e.lane, partition: partition_of_key(e.token, &e.key, partitions) }
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_never_changes() {
        let token = ProjectToken([7; 16]);
        let got: Vec<u16> =
            ["a", "b", "user-1", "device/2", "ключ"].iter().map(|k| partition_of_key(token, k, 64)).collect();
        assert_eq!(got, FIXED);
    }

    /// Computed by an independent program from the definition; a change here breaks the order of events per person.
    const FIXED: [u16; 5] = [19, 8, 29, 55, 5];

    #[test]
    fn keys_spread_evenly() {
        let mut counts = [0u32; 4];
        for i in 0..10_000 {
            counts[usize::from(partition_of_key(ProjectToken([1; 16]), &format!("user-{i}"), 4))] += 1;
        }
        assert!(counts.iter().all(|c| (2_300..2_700).contains(c)), "{counts:?}");
    }
}
