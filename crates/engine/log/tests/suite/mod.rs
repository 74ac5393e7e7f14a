//! What every backend of the log does, whichever it is: one suite, run by each.
//!
//! A backend joins by implementing [`Backend`] and one line in `behaviour.rs`.

use crate::support::{body, event, permit_for, read_all, shards};
use std::sync::Arc;
use std::time::Duration;
use tallymark_ledger::{GapCause, Interval};
use tallymark_log::{Admission, Item, LogReader, LogWriter, ReadError, ReadLimit, Receipt, partition_of_key};
use tallymark_model::{
    Control, Envelope, Lane, Position, ProjectToken, Record, RequestContext, Shard, WireFormat,
};

/// A log under test.
pub trait Backend {
    /// An empty log with 4 partitions.
    fn new() -> Self;
    /// Its writer.
    fn writer(&self) -> Arc<dyn LogWriter>;
    /// A new reader.
    fn reader(&self) -> Arc<dyn LogReader>;
    /// Makes an interval unreadable whose events have these bodies, each appended alone.
    fn lose(&self, interval: Interval, bodies: &[&str]);
}

const LIVE: Lane = Lane::Live;
const BULK: Lane = Lane::Bulk;
const ALL: ReadLimit = ReadLimit { records: 100_000, bytes: 1 << 30 };
const LONG: Duration = Duration::from_secs(60);

fn shard_of(lane: Lane, key: &str) -> Shard {
    Shard { lane, partition: partition_of_key(ProjectToken([3; 16]), key, 4) }
}

fn start(shard: Shard) -> Position {
    Position { lane: shard.lane, partition: shard.partition, offset: 0 }
}

async fn append_one(log: &dyn LogWriter, lane: Lane, key: &str, body: &str) -> Position {
    log.append(vec![event(lane, key, body)]).await.unwrap().positions[0]
}

pub async fn offsets_are_dense_and_in_order<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    for i in 0..20 {
        let position = append_one(&*writer, LIVE, "k", &format!("e{i}")).await;
        assert_eq!(position, Position { offset: i, ..start(shard_of(LIVE, "k")) });
    }
    let found = read_all(&*reader, shard_of(LIVE, "k"), 0, ALL).await;
    assert_eq!(found.bodies(), (0..20).map(|i| format!("e{i}")).collect::<Vec<_>>());
    assert_eq!(found.gaps, []);
    assert_eq!((writer.id(), writer.partitions()), (reader.id(), reader.partitions()));
}

pub async fn a_batch_over_several_partitions_is_acknowledged_whole<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    let batch: Vec<Record> = (0..40).map(|i| event(LIVE, &format!("user-{i}"), format!("e{i}"))).collect();
    let receipt: Receipt = writer.append(batch.clone()).await.unwrap();
    assert_eq!(receipt.positions.len(), 40);
    assert!(receipt.ranges.len() > 1, "the keys must spread");
    assert!(receipt.ranges.is_sorted());
    for (i, (record, at)) in batch.iter().zip(&receipt.positions).enumerate() {
        assert_eq!(at.shard(), shard_of(LIVE, &format!("user-{i}")));
        let limit = ReadLimit { records: 1, bytes: 1 };
        let items = reader.read(*at, limit).await.unwrap();
        assert_eq!(items, [Item::Records(vec![(*at, record.clone())])]);
    }
    let total: u64 = receipt.ranges.iter().map(|(_, from, to)| to - from).sum();
    assert_eq!(total, 40);
    for (shard, from, to) in receipt.ranges {
        let of_shard = receipt.positions.iter().filter(|p| p.shard() == shard);
        assert!(of_shard.map(|p| p.offset).eq(from..to), "order of the request within {shard}");
    }
}

pub async fn lanes_do_not_mix<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    let batch = vec![event(LIVE, "k", "live"), event(BULK, "k", "bulk"), event(LIVE, "k", "live 2")];
    let receipt = writer.append(batch).await.unwrap();
    let lanes: Vec<(Lane, u64)> = receipt.positions.iter().map(|p| (p.lane, p.offset)).collect();
    assert_eq!(lanes, [(LIVE, 0), (BULK, 0), (LIVE, 1)]);
    let live = read_all(&*reader, shard_of(LIVE, "k"), 0, ALL).await;
    let bulk = read_all(&*reader, shard_of(BULK, "k"), 0, ALL).await;
    assert_eq!(live.bodies(), ["live", "live 2"]);
    assert_eq!(bulk.bodies(), ["bulk"]);
}

pub async fn events_without_a_key_take_turns_per_request<B: Backend>(b: B) {
    let writer = b.writer();
    let mut partitions = Vec::new();
    for _ in 0..8 {
        let receipt = writer.append(vec![event(LIVE, "", "a"), event(LIVE, "", "b")]).await.unwrap();
        assert_eq!(receipt.ranges.len(), 1, "one request, one partition");
        partitions.push(receipt.positions[0].partition);
    }
    for p in 0..4 {
        assert_eq!(partitions.iter().filter(|q| **q == p).count(), 2, "{partitions:?}");
    }
}

pub async fn records_come_back_as_they_were<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    let context = Arc::new(RequestContext {
        sent_at: Some(-5),
        ip: None,
        user_agent: Some("ü \" \\ \u{0}".to_owned()),
        min_id_length: Some(1),
        call: Some("track".to_owned()),
        shared: Some("{}".to_owned()),
    });
    let envelope = |wire, body: &'static [u8], received_at| {
        Record::Event(Envelope {
            token: ProjectToken([255; 16]),
            wire,
            lane: BULK,
            key: "é".to_owned(),
            received_at,
            context: Arc::clone(&context),
            body: bytes::Bytes::from_static(body),
        })
    };
    let batch = vec![
        envelope(WireFormat::SegmentV1, b"", i64::MIN),
        envelope(WireFormat::NativeV1, b"\x00\xff not utf-8", i64::MAX),
        envelope(WireFormat::PosthogV0, b"{}", 0),
    ];
    let receipt = writer.append(batch.clone()).await.unwrap();
    let found = read_all(&*reader, receipt.positions[0].shard(), 0, ALL).await;
    assert!(found.records.iter().map(|(_, r)| r).eq(&batch));
}

pub async fn control_records_go_to_the_first_live_partition<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    let control = Record::Control {
        shard: Shard { lane: Lane::Live, partition: 0 },
        control: Control::Refused {
            token: "00".to_owned(),
            minute: 60_000,
            count: 3,
            reason: "throttled".to_owned(),
        },
    };
    let receipt = writer.append(vec![event(BULK, "k", "e"), control.clone()]).await.unwrap();
    let first = Shard { lane: LIVE, partition: 0 };
    assert_eq!(receipt.positions[1], start(first));
    assert_eq!(read_all(&*reader, first, 0, ALL).await.records, [(0, control)]);
}

pub async fn an_empty_append_takes_no_offset<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    let receipt = writer.append(Vec::new()).await.unwrap();
    assert_eq!((receipt.ranges.len(), receipt.positions.len()), (0, 0));
    for shard in shards(4) {
        assert_eq!(reader.bounds(shard).await.unwrap().end, 0);
    }
}

pub async fn reads_respect_their_limit<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    let shard = shard_of(LIVE, "k");
    for i in 0..30 {
        append_one(&*writer, LIVE, "k", &format!("{i:0100}")).await;
    }
    let counts = |items: &[Item]| match items {
        [Item::Records(run)] => run.len(),
        other => panic!("{other:?}"),
    };
    for (records, bytes, expected) in [(7, 1 << 20, 7), (1, 1, 1), (0, 0, 1), (1000, 1, 1), (1000, 350, 4)] {
        let items = reader.read(start(shard), ReadLimit { records, bytes }).await.unwrap();
        assert_eq!(counts(&items), expected, "records {records} bytes {bytes}");
    }
    let by_sevens = read_all(&*reader, shard, 0, ReadLimit { records: 7, bytes: 1 << 20 }).await;
    assert_eq!(by_sevens, read_all(&*reader, shard, 0, ALL).await);
    let from_the_middle = read_all(&*reader, shard, 13, ReadLimit { records: 4, bytes: 1 << 20 }).await;
    assert_eq!(from_the_middle.records, by_sevens.records[13..]);
}

pub async fn the_end_is_not_an_error_and_beyond_it_is<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    let shard = shard_of(LIVE, "k");
    assert_eq!(reader.read(start(shard), ALL).await.unwrap(), []);
    append_one(&*writer, LIVE, "k", "e").await;
    let at = |offset| Position { offset, ..start(shard) };
    assert_eq!(reader.read(at(1), ALL).await.unwrap(), []);
    let beyond = reader.read(at(2), ALL).await;
    assert!(matches!(beyond, Err(ReadError::Ahead { end: 1, .. })), "{beyond:?}");
    let nowhere = reader.read(Position { partition: 4, ..at(0) }, ALL).await;
    assert!(matches!(nowhere, Err(ReadError::NoPartition { partitions: 4, .. })), "{nowhere:?}");
    assert!(reader.bounds(Shard { partition: 4, ..shard }).await.is_err());
}

pub async fn bounds_grow_with_appends<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    let shard = shard_of(BULK, "k");
    for n in 0..5 {
        let bounds = reader.bounds(shard).await.unwrap();
        assert_eq!((bounds.start, bounds.end), (0, n));
        append_one(&*writer, BULK, "k", "e").await;
    }
    assert!(reader.usage().await.unwrap().log_bytes > 0);
    assert_eq!(writer.pressure().admission, Admission::Open);
}

pub async fn wait_returns_when_there_is_something<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    let (a, z) = (start(shard_of(LIVE, "k")), start(shard_of(BULK, "k")));
    reader.wait(&[a, z], Duration::from_millis(5)).await;
    assert_eq!(reader.read(a, ALL).await.unwrap(), [], "came back by timeout");
    let waiting = tokio::spawn({
        let reader = Arc::clone(&reader);
        async move { reader.wait(&[a, z], LONG * 60).await }
    });
    append_one(&*writer, BULK, "k", "e").await;
    tokio::time::timeout(LONG, waiting).await.expect("wait must see the append").unwrap();
    // And at once if it is there already.
    tokio::time::timeout(LONG, reader.wait(&[a, z], LONG * 60))
        .await
        .expect("wait must not need a new append");
}

pub async fn a_lost_interval_is_a_gap_and_the_rest_is_read<B: Backend>(b: B) {
    let writer = b.writer();
    let shard = shard_of(LIVE, "k");
    let bodies: Vec<String> = (0..12).map(|i| format!("body number {i:03}")).collect();
    for body in &bodies {
        append_one(&*writer, LIVE, "k", body).await;
        append_one(&*writer, LIVE, "user-3", "neighbour").await;
    }
    b.lose(Interval::new(shard, 4, 7), &[&bodies[4], &bodies[5], &bodies[6]]);
    let reader = b.reader();
    let found = read_all(&*reader, shard, 0, ALL).await;
    assert_eq!(found.gaps, [(4, 7, GapCause::Corrupt)]);
    assert!(!found.evidence[0].is_empty());
    let left: Vec<&String> = bodies[..4].iter().chain(&bodies[7..]).collect();
    assert!(found.bodies().iter().eq(left));
    // From within the gap, and record by record.
    let inside = reader.read(Position { offset: 5, ..start(shard) }, ALL).await.unwrap();
    assert!(
        matches!(&inside[0], Item::Gap { from, to: 7, cause: GapCause::Corrupt, .. } if from.offset == 5)
    );
    let slowly = read_all(&*reader, shard, 0, ReadLimit { records: 1, bytes: 1 }).await;
    assert_eq!((slowly.records, slowly.end), (found.records, 12));
    let neighbour = read_all(&*reader, shard_of(LIVE, "user-3"), 0, ALL).await;
    assert_eq!(neighbour.gaps, []);
}

pub async fn trim_keeps_everything_the_permit_does_not_cover<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    let shard = shard_of(LIVE, "k");
    // Does not shrink when packed.
    let mut word = 1u64;
    let mut next_word = || {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{word:016x}")
    };
    for i in 0..200 {
        let text: String = (0..150).map(|_| next_word()).collect();
        append_one(&*writer, LIVE, "k", &format!("{i:03}{text}")).await;
    }
    assert_eq!(reader.bounds(shard).await.unwrap().start, 0);
    let mut permitted = 0;
    for upto in [50, 120, 120, 90, 200] {
        permitted = upto.max(permitted);
        reader.trim(permit_for(shard, upto)).await.unwrap();
        let bounds = reader.bounds(shard).await.unwrap();
        assert!(bounds.start <= permitted && bounds.end == 200, "{bounds:?} after {upto}");
        let found = read_all(&*b.reader(), shard, 0, ALL).await;
        let expected: Vec<(u64, u64, GapCause)> =
            (bounds.start > 0).then_some((0, bounds.start, GapCause::Trimmed)).into_iter().collect();
        assert_eq!(found.gaps, expected);
        assert_eq!(
            found.records.first().map(|(offset, _)| *offset),
            (bounds.start < 200).then_some(bounds.start)
        );
        assert!(found.records.iter().all(|(offset, r)| body(r).starts_with(&format!("{offset:03}"))));
    }
    assert!(reader.bounds(shard).await.unwrap().start > 120, "space is given back");
    assert!(reader.trim(permit_for(Shard { partition: 9, ..shard }, 1)).await.is_err());
    assert_eq!(append_one(&*writer, LIVE, "k", "after").await.offset, 200, "offsets go on");
    let after = read_all(&*reader, shard, 200, ALL).await;
    assert_eq!(after.bodies(), ["after"]);
}

pub async fn a_reader_sees_everything_while_writers_write<B: Backend>(b: B) {
    let (writer, reader) = (b.writer(), b.reader());
    let writers: Vec<_> = (0..4)
        .map(|w| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move {
                let mut placed = Vec::new();
                for i in 0..40 {
                    let lane = if i % 5 == 0 { BULK } else { LIVE };
                    let batch: Vec<Record> = (0..3)
                        .map(|j| event(lane, &format!("{w}-{}", i + j), format!("{w}/{i}/{j}")))
                        .collect();
                    let receipt = writer.append(batch.clone()).await.unwrap();
                    placed.extend(receipt.positions.into_iter().zip(batch));
                }
                placed
            })
        })
        .collect();
    let mut seen = std::collections::BTreeMap::new();
    let mut at: Vec<Position> = shards(4).into_iter().map(start).collect();
    while seen.len() < 4 * 40 * 3 {
        reader.wait(&at, LONG).await;
        for cursor in &mut at {
            for item in reader.read(*cursor, ReadLimit { records: 5, bytes: 1 << 20 }).await.unwrap() {
                let Item::Records(run) = item else { panic!("{item:?}") };
                for (position, record) in run {
                    assert_eq!(position, *cursor, "dense and once");
                    cursor.offset += 1;
                    seen.insert(position, record);
                }
            }
        }
    }
    for task in writers {
        for (position, record) in task.await.unwrap() {
            assert_eq!(seen.remove(&position), Some(record));
        }
    }
    assert!(seen.is_empty());
}

/// Runs every behaviour against a backend, each as a test of its own.
macro_rules! behaviours {
    ($module:ident, $backend:ty) => {
        behaviours!(@ $module, $backend:
            offsets_are_dense_and_in_order
            a_batch_over_several_partitions_is_acknowledged_whole
            lanes_do_not_mix
            events_without_a_key_take_turns_per_request
            records_come_back_as_they_were
            control_records_go_to_the_first_live_partition
            an_empty_append_takes_no_offset
            reads_respect_their_limit
            the_end_is_not_an_error_and_beyond_it_is
            bounds_grow_with_appends
            wait_returns_when_there_is_something
            a_lost_interval_is_a_gap_and_the_rest_is_read
            trim_keeps_everything_the_permit_does_not_cover
            a_reader_sees_everything_while_writers_write
        );
    };
    (@ $module:ident, $backend:ty: $($name:ident)*) => {
        mod $module {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                suite::$name(<$backend as suite::Backend>::new()).await;
            })*
        }
    };
}
pub(crate) use behaviours;
