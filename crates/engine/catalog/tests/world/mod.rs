//! A catalog in a temporary folder and commits that add up, for the behaviour suite.
#![allow(dead_code, reason = "each test file uses its part")]

use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{
    Advance, Commit, Feed, Lease, LeaseAnswer, LeaseName, Leases, Origin, SegmentKind, SegmentMeta,
    Snapshots, Source,
};
use tallymark_ledger::{Account, Book, Entry, Fingerprint, Interval, Tally};
use tallymark_model::{
    CommitId, CommitSeq, Epoch, Lane, LogId, Millis, Position, ProjectId, SegmentId, Shard,
};
use uuid::Uuid;

pub const LOG: LogId = LogId(Uuid::from_u128(0xA11CE));
pub const TTL: Duration = Duration::from_secs(60);
pub const HOUR: Millis = 3_600_000;

pub struct World {
    pub dir: tempfile::TempDir,
    pub catalog: SqliteCatalog,
    pub lease: Lease,
}

impl World {
    pub async fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open(dir.path()).await;
        let lease = lease(&catalog, LeaseName::Process, "me").await;
        World { dir, catalog, lease }
    }

    pub fn epoch(&self) -> Epoch {
        self.lease.epoch
    }
}

pub async fn open(dir: &std::path::Path) -> SqliteCatalog {
    SqliteCatalog::open_as(&dir.join("catalog.db"), OpenMode::Create, "host-1").await.unwrap()
}

pub async fn lease(catalog: &SqliteCatalog, name: LeaseName, owner: &str) -> Lease {
    match catalog.acquire(name, owner, TTL).await.unwrap() {
        LeaseAnswer::Granted(lease) => lease,
        held => panic!("{held:?}"),
    }
}

pub fn shard(n: u16) -> Shard {
    Shard { lane: Lane::ALL[usize::from(n % 2)], partition: n / 2 }
}

/// An advance in which offset o belongs to project 1 + o % 3 and every fifth offset is a duplicate.
pub fn advance(shard: Shard, from: u64, to: u64, received: Millis) -> Advance {
    let mut projects: Vec<(ProjectId, Tally, Fingerprint)> =
        (1..=3).map(|p| (ProjectId(p), Tally::default(), Fingerprint::default())).collect();
    let (mut tally, mut visible) = (Tally::default(), Fingerprint::default());
    for offset in from..to {
        let part = &mut projects[(offset % 3) as usize];
        if offset % 5 == 4 {
            part.1.duplicate += 1;
            tally.duplicate += 1;
        } else {
            let term = term(shard, offset);
            part.1.visible += 1;
            part.2 += term;
            tally.visible += 1;
            visible += term;
        }
    }
    projects.retain(|(_, t, _)| t.total() > 0);
    let account = Account::Accounted { tally, visible };
    Advance { shard, from, to, account, received_from: received, received_to: received, projects }
}

pub fn term(shard: Shard, offset: u64) -> Fingerprint {
    Fingerprint::of(LOG, Position { lane: shard.lane, partition: shard.partition, offset })
}

pub fn segment(project: u32, commit: CommitId, sources: Vec<Source>) -> SegmentMeta {
    let id = SegmentId(Uuid::new_v4());
    SegmentMeta {
        id,
        project: ProjectId(project),
        kind: SegmentKind::Events,
        level: 0,
        key: format!("segments/{project}/0/{id}.parquet"),
        bytes: 1000,
        rows: sources.iter().map(|s| s.rows).sum(),
        fingerprint: sources.iter().fold(Fingerprint::default(), |sum, s| sum + s.fingerprint),
        sources,
        time_min: 0,
        time_max: 1,
        received_min: 0,
        received_max: 1,
        day: None,
        identity: CommitSeq(0),
        commit,
        parent: None,
        epoch: Epoch(1),
    }
}

/// A commit that processes these advances: one segment per project, as the processor makes them.
pub fn commit(epoch: Epoch, advances: Vec<Advance>) -> Commit {
    let id = CommitId(Uuid::new_v4());
    let mut add = Vec::new();
    for project in 1..=3 {
        let sources: Vec<Source> = advances
            .iter()
            .flat_map(|a| a.projects.iter().map(move |p| (a, p)))
            .filter(|(_, (p, t, _))| p.0 == project && t.visible > 0)
            .map(|(a, (_, t, f))| Source { interval: a.interval(), rows: t.visible, fingerprint: *f })
            .collect();
        if !sources.is_empty() {
            add.push(segment(project, id, sources));
        }
    }
    Commit { advances, add, delta: Some(format!("deltas/{}", id.0)), ..Commit::new(id, epoch, 7) }
}

/// A commit that merges live segments of one project into one.
pub fn compaction(epoch: Epoch, inputs: &[SegmentMeta]) -> Commit {
    let id = CommitId(Uuid::new_v4());
    let sources = inputs.iter().flat_map(|s| s.sources.clone()).collect();
    let mut merged = segment(inputs[0].project.0, id, sources);
    merged.level = 1;
    let remove = inputs.iter().map(|s| s.id).collect();
    Commit { add: vec![merged], remove, origin: Origin::Compaction, ..Commit::new(id, epoch, 8) }
}

/// The books as stored, rebuilt for verification.
pub async fn book(catalog: &SqliteCatalog) -> Book {
    let mut book = Book::new();
    for cursor in catalog.cursors().await.unwrap() {
        book.open(cursor.shard, 0, cursor.position);
    }
    for row in catalog.ledger(None, None, None).await.unwrap() {
        book.record(Entry { interval: row.interval, account: row.account });
    }
    book
}

/// Everything that must hold in every state: I2 and I3 of the books, I4 against live segments, projects add up
/// to the whole, sequences are dense.
pub async fn assert_sound(catalog: &SqliteCatalog) {
    let book = book(catalog).await;
    assert_eq!(book.verify(), []);
    let whole = catalog.tally(None).await.unwrap();
    assert_eq!(whole, book.total());
    let (mut sum, mut rows) = (Tally::default(), 0);
    for project in 0..=4 {
        sum += catalog.tally(Some(ProjectId(project))).await.unwrap();
        let snapshot = catalog.snapshot(ProjectId(project), None).await.unwrap();
        rows += snapshot.segments.iter().map(|s| s.rows).sum::<u64>();
    }
    assert_eq!(sum, whole);
    assert_eq!(rows, whole.visible);
    let feed = catalog.feed(CommitSeq(0), 100_000).await.unwrap();
    let seqs: Vec<u64> = feed.iter().map(|r| r.seq.0).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    let advanced: u64 = feed.iter().flat_map(|r| &r.advances).map(|a| a.interval().len()).sum();
    let cursors = catalog.cursors().await.unwrap();
    assert_eq!(advanced, cursors.iter().map(|c| c.position).sum::<u64>());
}

pub fn interval(shard: Shard, from: u64, to: u64) -> Interval {
    Interval::new(shard, from, to)
}

/// Replaying the recorded commits into an empty catalog gives the same books, segments and feed.
pub async fn assert_replays(catalog: &SqliteCatalog) {
    use tallymark_catalog::Garbage;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("again.db");
    let again = SqliteCatalog::create_offline(&path).await.unwrap();
    let records = catalog.feed(CommitSeq(0), 100_000).await.unwrap();
    // Through the form in which copies are kept, a few at a time.
    let text = serde_json::to_string(&records).unwrap();
    let copied: Vec<tallymark_catalog::CommitRecord> = serde_json::from_str(&text).unwrap();
    for some in copied.chunks(7) {
        again.replay(some).await.unwrap();
    }
    let ledger = |c: SqliteCatalog| async move { c.ledger(None, None, None).await.unwrap() };
    assert_eq!(ledger(again.clone()).await, ledger(catalog.clone()).await);
    assert_eq!(again.cursors().await.unwrap(), catalog.cursors().await.unwrap());
    for project in (0..=4).map(ProjectId) {
        assert_eq!(again.tally(Some(project)).await.unwrap(), catalog.tally(Some(project)).await.unwrap());
        assert_eq!(
            again.snapshot(project, None).await.unwrap(),
            catalog.snapshot(project, None).await.unwrap()
        );
        assert_eq!(
            again.ledger(Some(project), None, None).await.unwrap(),
            catalog.ledger(Some(project), None, None).await.unwrap()
        );
    }
    assert_eq!(
        again.restatements(None, None, 10_000).await.unwrap(),
        catalog.restatements(None, None, 10_000).await.unwrap()
    );
    assert_eq!(again.live().await.unwrap().len(), catalog.live().await.unwrap().len());
    // Segments of one commit are a set.
    let sorted = |mut records: Vec<tallymark_catalog::CommitRecord>| {
        records.iter_mut().for_each(|r| r.added.sort_by_key(|s| s.id));
        records
    };
    assert_eq!(sorted(again.feed(CommitSeq(0), 100_000).await.unwrap()), sorted(records));
    // A commit of the same catalog cannot be replayed twice.
    if let Some(first) = copied.first() {
        assert!(again.replay(std::slice::from_ref(first)).await.is_err());
    }
    again.settle(&path).await.unwrap();
}
