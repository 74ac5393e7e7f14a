//! What the tests of this crate share: records, a disk that fails on demand, ways to read everything back.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod fault_disk;
pub mod rig;

use std::sync::Arc;
use std::time::Duration;
use tallymark_ledger::{GapCause, Interval, IntervalSet, TrimPermit, permit};
use tallymark_log::file::FileLogConfig;
use tallymark_log::{Item, LogReader, ReadLimit};
use tallymark_model::{Envelope, Lane, Position, ProjectToken, Record, RequestContext, Shard, WireFormat};

/// An event of `lane` with this key and body.
pub fn event(lane: Lane, key: &str, body: impl Into<Vec<u8>>) -> Record {
    Record::Event(Envelope {
        token: ProjectToken([3; 16]),
        wire: WireFormat::NativeV1,
        lane,
        key: key.to_owned(),
        received_at: 1_700_000_000_000,
        context: Arc::new(RequestContext { ip: Some("203.0.113.9".to_owned()), ..RequestContext::default() }),
        body: body.into().into(),
    })
}

/// The body of an event as text.
pub fn body(record: &Record) -> String {
    match record {
        Record::Event(e) => String::from_utf8(e.body.to_vec()).unwrap(),
        Record::Control { control: c, .. } => format!("{c:?}"),
    }
}

/// Small files, no floor: for logs in tests.
pub fn small() -> FileLogConfig {
    FileLogConfig {
        file_bytes: 64 << 10,
        first_file_bytes: 16 << 10,
        disk_floor_bytes: 0,
        reserve_bytes: 0,
        idle_proof: Duration::from_secs(3600),
        space_check: Duration::from_millis(5),
        ..FileLogConfig::default()
    }
}

/// A permit for everything below `upto`.
pub fn permit_for(shard: Shard, upto: u64) -> TrimPermit {
    let mut accounted = IntervalSet::new();
    accounted.insert(Interval::new(shard, 0, upto));
    let at = Position { lane: shard.lane, partition: shard.partition, offset: upto };
    permit(&accounted, upto, None, at).unwrap()
}

/// Everything of a shard from `from` on: records by offset, and gaps.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    pub records: Vec<(u64, Record)>,
    pub gaps: Vec<(u64, u64, GapCause)>,
    pub evidence: Vec<String>,
    pub end: u64,
}

impl Found {
    pub fn bodies(&self) -> Vec<String> {
        self.records.iter().map(|(_, r)| body(r)).collect()
    }
}

/// Reads a shard to its end, checking that the answer tiles the offsets.
pub async fn read_all(log: &dyn LogReader, shard: Shard, from: u64, limit: ReadLimit) -> Found {
    let mut found = Found { end: from, ..Found::default() };
    loop {
        let at = Position { lane: shard.lane, partition: shard.partition, offset: found.end };
        let items = log.read(at, limit).await.unwrap();
        if items.is_empty() {
            assert_eq!(
                found.end,
                log.bounds(shard).await.unwrap().end,
                "{shard}: nothing more before the end"
            );
            return found;
        }
        for item in items {
            match item {
                Item::Records(run) => {
                    for (position, record) in run {
                        assert_eq!(position, Position { offset: found.end, ..at }, "{shard}: dense");
                        found.records.push((found.end, record));
                        found.end += 1;
                    }
                }
                Item::Gap { from, to, cause, evidence } => {
                    assert_eq!(from, Position { offset: found.end, ..at }, "{shard}: dense");
                    assert!(to > found.end);
                    found.gaps.push((found.end, to, cause));
                    found.evidence.push(evidence);
                    found.end = to;
                }
            }
        }
    }
}

/// Every shard of a log.
pub fn shards(partitions: u16) -> Vec<Shard> {
    Lane::ALL
        .into_iter()
        .flat_map(|lane| (0..partitions).map(move |partition| Shard { lane, partition }))
        .collect()
}
