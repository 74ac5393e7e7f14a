//! `verify` over real files: silent where everything is accounted for, loud about every planted fault.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{
    Advance, Commit, CommitAnswer, Commits, LeaseAnswer, LeaseName, Leases, NewProject, Origin, Settings,
    Snapshots,
};
use tallymark_ledger::{Account, Fingerprint, Interval, Restatement, SegmentMeta, Tally};
use tallymark_log::file::{FileLog, FileLogConfig, FileLogWriter};
use tallymark_log::{LogReader, LogWriter};
use tallymark_model::{
    CommitId, ERASED_RULE, Envelope, Epoch, Lane, LogId, Outcome, OutcomeKind, Position, ProjectId,
    ProjectToken, Record, RequestContext, Shard, SubjectId, WireFormat,
};
use tallymark_server::verify;
use tallymark_state::{Delta, Exception};
use tallymark_store::{EventRow, ObjectStore, SegmentSpec, encode_events};

const SHARD: Shard = Shard { lane: Lane::Live, partition: 0 };

struct World {
    dir: tempfile::TempDir,
    log: LogId,
    _writer: FileLogWriter,
    catalog: SqliteCatalog,
    store: ObjectStore,
    project: ProjectId,
    epoch: Epoch,
}

impl World {
    /// A log with these many events in one shard.
    async fn open(events: u64) -> World {
        let dir = tempfile::tempdir().unwrap();
        let config = FileLogConfig { partitions: 1, ..FileLogConfig::default() };
        let writer = FileLog::open_writer(&dir.path().join("log"), config).unwrap();
        let event = |n: u64| {
            Record::Event(Envelope {
                token: ProjectToken([1; 16]),
                wire: WireFormat::NativeV1,
                lane: SHARD.lane,
                key: "d".to_owned(),
                received_at: 1_000_000 + n as i64,
                context: Arc::new(RequestContext::default()),
                body: bytes::Bytes::from_static(b"{}"),
            })
        };
        writer.append((0..events).map(event).collect()).await.unwrap();
        let log = LogWriter::id(&writer);
        let catalog = SqliteCatalog::open(&dir.path().join("catalog.db"), OpenMode::Create).await.unwrap();
        catalog.bind_log(log).await.unwrap();
        let store = tallymark_store::open(&format!("file:{}", dir.path().join("objects").display())).unwrap();
        let named = NewProject { name: "one".to_owned(), ..Default::default() };
        let project = catalog.create_project(named).await.unwrap().project.id;
        let granted =
            catalog.acquire(LeaseName::Process, "processor", Duration::from_secs(3600)).await.unwrap();
        let LeaseAnswer::Granted(lease) = granted else { panic!("taken") };
        World { dir, log, _writer: writer, catalog, store, project, epoch: lease.epoch }
    }

    fn commit(&self, origin: Origin) -> Commit {
        Commit { origin, ..Commit::new(CommitId(uuid::Uuid::now_v7()), self.epoch, 1_000) }
    }

    /// Rows and delta for what became of some records, and their account.
    async fn write(
        &self,
        commit: &mut Commit,
        interval: Interval,
        outcomes: &[(u64, Outcome)],
        restated: bool,
    ) -> (Tally, Fingerprint) {
        let (mut tally, mut sum, mut rows) = (Tally::default(), Fingerprint::default(), Vec::new());
        let mut delta = Delta::empty(commit.id);
        for (offset, outcome) in outcomes {
            let (position, received_at) = (at(*offset), 1_000_000 + *offset as i64);
            tally.count(outcome.kind());
            if restated {
                delta.restated.push(Interval::new(SHARD, *offset, offset + 1));
            }
            match outcome.kind() {
                OutcomeKind::Visible => {
                    sum += Fingerprint::of(self.log, position);
                    rows.push(row(position, received_at, "open"));
                }
                _ => delta.exceptions.push(Exception {
                    position,
                    received_at,
                    project: self.project,
                    outcome: outcome.clone(),
                    key: 1,
                    wire: None,
                    body: Default::default(),
                }),
            }
        }
        if !rows.is_empty() {
            let mut spec = SegmentSpec::new(self.project, self.log, commit.id, self.epoch);
            spec.sources = vec![interval];
            commit.add.push(encode_events(&rows, &spec).unwrap().store(&self.store).await.unwrap());
        }
        let key = format!("deltas/{}.delta", commit.id.0);
        self.store.put(&key, delta.encode().unwrap().into()).await.unwrap();
        commit.delta = Some(key);
        (tally, sum)
    }

    async fn apply(&self, commit: &Commit) {
        let answer = self.catalog.commit(commit).await.unwrap();
        assert!(matches!(answer, CommitAnswer::Applied(_)), "{answer:?}");
    }

    async fn process(&self, from: u64, to: u64) {
        let interval = Interval::new(SHARD, from, to);
        let mut commit = self.commit(Origin::Live);
        let outcomes: Vec<(u64, Outcome)> = (from..to).map(|o| (o, usual(o))).collect();
        let (tally, visible) = self.write(&mut commit, interval, &outcomes, false).await;
        commit.advances.push(Advance {
            shard: SHARD,
            from,
            to,
            account: Account::Accounted { tally, visible },
            received_from: 1_000_000 + from as i64,
            received_to: 1_000_000 + to as i64 - 1,
            projects: vec![(self.project, tally, visible)],
        });
        self.apply(&commit).await;
    }

    async fn skip(&self, from: u64, to: u64) {
        let mut commit = self.commit(Origin::Skip { job: 1 });
        commit.advances.push(Advance {
            shard: SHARD,
            from,
            to,
            account: skipped(),
            received_from: 1_000_000 + from as i64,
            received_to: 1_000_000 + to as i64 - 1,
            projects: Vec::new(),
        });
        self.apply(&commit).await;
    }

    /// Replaces outcomes; rows that were there are masked.
    async fn restate(&self, origin: Origin, was: Account, changes: &[(u64, Outcome)]) {
        let (from, to) = (changes[0].0, changes[changes.len() - 1].0 + 1);
        let interval = Interval::new(SHARD, from, to);
        let mut commit = self.commit(origin);
        let (tally, visible) = self.write(&mut commit, interval, changes, true).await;
        let was_parts = match &was {
            Account::Accounted { tally, visible } => {
                commit.masks = changes.iter().map(|(o, _)| Interval::new(SHARD, *o, o + 1)).collect();
                vec![(self.project, *tally, *visible)]
            }
            _ => Vec::new(),
        };
        commit.restate.push(Restatement {
            interval,
            was,
            was_parts,
            now: Account::Accounted { tally, visible },
            now_parts: vec![(self.project, tally, visible)],
            received_from: 1_000_000 + from as i64,
            received_to: 1_000_000 + to as i64 - 1,
        });
        self.apply(&commit).await;
    }

    fn visible(&self, offsets: &[u64]) -> Account {
        let sum = offsets.iter().fold(Fingerprint::default(), |s, o| s + Fingerprint::of(self.log, at(*o)));
        Account::Accounted {
            tally: Tally { visible: offsets.len() as u64, ..Tally::default() },
            visible: sum,
        }
    }

    /// Everything that can happen to records, once.
    async fn lively() -> World {
        let world = World::open(140).await;
        world.process(0, 40).await;
        world.skip(40, 60).await;
        world.process(60, 100).await;
        world.skip(100, 110).await;
        // Half of the first skipped range is replayed.
        let replayed: Vec<(u64, Outcome)> = (40..50).map(|o| (o, usual(o))).collect();
        world.restate(Origin::Replay { job: 2 }, skipped(), &replayed).await;
        // A new drop filter, a mended row, and a forgotten person.
        let dropped = [(64, Outcome::Filtered { rule: 5 }), (65, Outcome::Visible)];
        world.restate(Origin::Reprocess { job: 3 }, world.visible(&[64, 65]), &dropped).await;
        let forgotten = [(12, Outcome::Filtered { rule: ERASED_RULE })];
        world.restate(Origin::Reprocess { job: 4 }, world.visible(&[12]), &forgotten).await;
        world
    }

    async fn report(&self) -> verify::Report {
        verify::run(self.dir.path()).await.unwrap()
    }

    async fn segment(&self) -> (SegmentMeta, PathBuf) {
        let snapshot = self.catalog.snapshot(self.project, None).await.unwrap();
        let largest = snapshot.segments.into_iter().max_by_key(|s| s.rows).unwrap();
        let path = self.dir.path().join("objects").join(&largest.key);
        (largest, path)
    }
}

fn at(offset: u64) -> Position {
    Position { lane: SHARD.lane, partition: SHARD.partition, offset }
}

fn skipped() -> Account {
    Account::Skipped { by: "me".to_owned(), reason: "poison".to_owned() }
}

/// The 13th of each ten is a duplicate of the one before, which the forgotten person's row is among.
fn usual(offset: u64) -> Outcome {
    match offset % 10 {
        3 => Outcome::Duplicate { witness: at(offset - 1) },
        7 => Outcome::Filtered { rule: 1 },
        _ => Outcome::Visible,
    }
}

fn row(position: Position, received_at: i64, event: &str) -> EventRow {
    EventRow {
        position,
        received_at,
        time: received_at,
        event: event.to_owned(),
        subject: SubjectId(1),
        user_id: None,
        device_id: Some("d".to_owned()),
        insert_id: None,
        session_id: None,
        properties: Default::default(),
        groups: Vec::new(),
        annotations: Vec::new(),
    }
}

#[tokio::test]
async fn restated_masked_skipped_and_erased_records_are_accounted_for() {
    let world = World::lively().await;
    let report = world.report().await;
    assert_eq!(report.violations, Vec::<String>::new());
    // 140 events: 20 left skipped, 30 behind the cursor, 90 decided.
    assert_eq!((report.acknowledged, report.lost, report.pending), (140, 20, 30));
    assert_eq!((report.visible, report.duplicate, report.filtered, report.dead), (70, 9, 11, 0));
}

#[tokio::test]
async fn planted_faults_are_found_three_of_three() {
    let world = World::lively().await;
    let (segment, path) = world.segment().await;
    let whole = std::fs::read(&path).unwrap();
    let rows = |wanted: &dyn Fn(u64) -> bool, event: &str| -> Vec<EventRow> {
        let source = segment.sources[0].interval;
        (source.from..source.to)
            .filter(|o| wanted(*o))
            .map(|o| row(at(o), 1_000_000 + o as i64, event))
            .collect()
    };
    let there = |o: u64| usual(o) == Outcome::Visible;
    let first = segment.sources[0].interval.from;
    let planted = [
        ("a row is missing", rows(&|o| there(o) && o != first, "open")),
        ("a row too many", rows(&|o| there(o) || o == first + 3, "open")),
        ("rows are altered", rows(&there, "something else")),
    ];
    for (what, rows) in planted {
        let mut spec = SegmentSpec::new(segment.project, world.log, segment.commit, world.epoch);
        spec.id = segment.id;
        spec.sources = vec![segment.sources[0].interval];
        encode_events(&rows, &spec).unwrap().store(&world.store).await.unwrap();
        let report = world.report().await;
        assert!(report.violation_count > 0, "{what}");
        assert!(report.violations[0].contains(&segment.key), "{what}: {:?}", report.violations);
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(world.report().await.violation_count, 0, "{what}: mended");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(world.report().await.violation_count > 0, "a segment is gone");
    std::fs::write(&path, &whole).unwrap();

    let deltas = world.dir.path().join("objects/deltas");
    let delta = std::fs::read_dir(&deltas).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&delta).unwrap();
    assert!(world.report().await.violation_count > 0, "a delta is gone");
}

#[tokio::test]
async fn records_that_were_passed_by_are_found() {
    let world = World::open(60).await;
    world.process(0, 20).await;
    let mut commit = world.commit(Origin::Live);
    let tally = Tally { hole: 10, ..Tally::default() };
    commit.advances.push(Advance {
        shard: SHARD,
        from: 20,
        to: 30,
        account: Account::Accounted { tally, visible: Fingerprint::default() },
        received_from: 1_000_020,
        received_to: 1_000_029,
        projects: Vec::new(),
    });
    world.apply(&commit).await;
    world.process(30, 50).await;
    let report = world.report().await;
    assert!(report.violation_count >= 10, "{:?}", report.violations);
    assert!(report.violations.iter().any(|v| v.contains("live/0@25")), "{:?}", report.violations);
}

#[tokio::test]
async fn a_folder_without_data_is_said_to_be_one() {
    let refused = verify::run(Path::new("/nowhere")).await;
    assert!(matches!(refused, Err(verify::VerifyError::NothingThere(_))));
    let world = World::open(5).await;
    let bounds = FileLog::open_reader(&world.dir.path().join("log"), &FileLogConfig::default()).unwrap();
    assert_eq!(bounds.bounds(SHARD).await.unwrap().end, 5);
    assert_eq!((world.report().await.pending, world.report().await.violation_count), (5, 0));
}
