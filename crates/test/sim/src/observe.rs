//! What is there, read from log bytes, segment files and the books; the processor is never asked.

use crate::clients::Sent;
use crate::world::{World, shards};
use std::collections::BTreeMap;
use tallymark_catalog::{Garbage, Mask, SegmentKind, Snapshots};
use tallymark_ledger::{Account, Book, Entry, Fingerprint, Tally, check_rows};
use tallymark_log::{Item, ReadLimit};
use tallymark_model::{Control, Position, ProjectId, Record, SegmentId};
use tallymark_store::SegmentReader;

/// A record of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Logged {
    /// An event, by its number.
    Event(u64),
    /// A control record.
    Control(Control),
}

/// Every record of the log; a gap is a failure, because no fault of the script may make one.
pub async fn log(world: &World) -> BTreeMap<Position, Logged> {
    let reader = world.reader();
    let mut found = BTreeMap::new();
    for shard in shards() {
        let bounds = reader.bounds(shard).await.unwrap();
        let mut at = bounds.start;
        while at < bounds.end {
            let position = Position { lane: shard.lane, partition: shard.partition, offset: at };
            for item in reader.read(position, ReadLimit::default()).await.unwrap() {
                let Item::Records(records) = item else { panic!("{item:?}") };
                for (position, record) in records {
                    at = position.offset + 1;
                    let logged = match record {
                        Record::Event(e) => Logged::Event(Sent::number_in(&e.body)),
                        Record::Control { control, .. } => Logged::Control(control),
                    };
                    found.insert(position, logged);
                }
            }
        }
    }
    found
}

/// A row that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Whose.
    pub project: u32,
    /// The event's number.
    pub number: u64,
    /// Its name.
    pub name: String,
}

/// The rows that count, by position; two for one position are a failure.
pub async fn rows(world: &World) -> BTreeMap<Position, Row> {
    let live = world.catalog.live().await.unwrap();
    let ids: Vec<SegmentId> = live.iter().map(|s| s.id).collect();
    let masks: BTreeMap<SegmentId, Vec<Mask>> =
        world.catalog.masked(&ids).await.unwrap().into_iter().collect();
    let mut found = BTreeMap::new();
    for meta in live.iter().filter(|m| m.kind == SegmentKind::Events) {
        let masks = masks.get(&meta.id).map_or(&[][..], Vec::as_slice);
        for row in SegmentReader::open(&world.store, meta).unwrap().events() {
            let row = row.unwrap();
            if masks.iter().any(|m| m.interval.contains(row.position)) {
                continue;
            }
            let number = row.properties.get("number").and_then(|n| n.as_f64()).expect("the number") as u64;
            let seen = Row { project: meta.project.0, number, name: row.event };
            let twice = found.insert(row.position, seen);
            assert!(twice.is_none(), "{} has two rows that count: {twice:?}", row.position);
        }
    }
    found
}

/// The books: whole (I2, I3), equal to the rows (I4); the sums of each project.
pub async fn books(world: &World, rows: &BTreeMap<Position, Row>) -> BTreeMap<u32, Tally> {
    let log = world.reader().id();
    let mut book = Book::new();
    for cursor in world.catalog.cursors().await.unwrap() {
        book.open(cursor.shard, 0, cursor.position);
    }
    for row in world.catalog.ledger(None, None, None).await.unwrap() {
        let entry = Entry { interval: row.interval, account: row.account };
        let inside = || rows.keys().filter(|p| entry.interval.contains(**p));
        let sum = inside().fold(Fingerprint::default(), |sum, p| sum + Fingerprint::of(log, *p));
        assert_eq!(check_rows(&entry, inside().count() as u64, sum), None, "I4");
        assert!(!matches!(entry.account, Account::Lost { .. }), "nothing was lost: {entry:?}");
        book.record(entry);
    }
    assert_eq!(book.verify(), [], "I2, I3");
    let mut sums = BTreeMap::new();
    for project in 0..=crate::clients::PROJECTS {
        sums.insert(project, world.catalog.tally(Some(ProjectId(project))).await.unwrap());
    }
    sums
}
