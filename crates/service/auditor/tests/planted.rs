//! Faults planted in a real catalog, log and object store; each is found, named, and resolved when it is mended.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tallymark_auditor::{
    Auditor, AuditorConfig, Deps, Finding, FindingKind, FindingSink, Opener, Progress, run,
};
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog, WebCatalog};
use tallymark_catalog::{
    Advance, Commit, CommitAnswer, Commits, LeaseAnswer, LeaseName, Leases, NewProject, Origin, Settings,
    Snapshots, Tombstones, token_of,
};
use tallymark_ledger::{Account, Fingerprint, Interval, Restatement, Tally};
use tallymark_log::memory::MemoryLog;
use tallymark_log::{LogReader, LogWriter};
use tallymark_model::{
    CommitId, Epoch, Lane, Outcome, OutcomeKind, Position, ProjectId, ProjectToken, Record, RequestContext,
    SegmentId, Shard, SubjectId, WireFormat,
};
use tallymark_state::{Delta, Exception};
use tallymark_store::{EventRow, ObjectStore, SegmentSpec, encode_events};
use tokio_util::sync::CancellationToken;

const SHARD: Shard = Shard { lane: Lane::Live, partition: 0 };

/// What stands.
#[derive(Default)]
struct Board {
    standing: Mutex<BTreeMap<String, Finding>>,
    beats: Mutex<u64>,
}

#[async_trait]
impl FindingSink for Board {
    async fn report(&self, finding: &Finding) -> Result<(), String> {
        self.standing.lock().unwrap().insert(finding.key.clone(), finding.clone());
        Ok(())
    }
    async fn resolve(&self, key: &str) -> Result<(), String> {
        self.standing.lock().unwrap().remove(key);
        Ok(())
    }
    async fn open(&self) -> Result<Vec<String>, String> {
        Ok(self.standing.lock().unwrap().keys().cloned().collect())
    }
    async fn heartbeat(&self, _: &Progress) -> Result<(), String> {
        *self.beats.lock().unwrap() += 1;
        Ok(())
    }
}

impl Board {
    fn all(&self) -> Vec<Finding> {
        self.standing.lock().unwrap().values().cloned().collect()
    }
}

struct World {
    dir: tempfile::TempDir,
    log: MemoryLog,
    catalog: SqliteCatalog,
    store: ObjectStore,
    token: ProjectToken,
    project: ProjectId,
    epoch: Epoch,
    board: Arc<Board>,
}

/// How a stand-in for the processor decides.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Honest,
    /// As the test switch does: everything is called empty.
    AllEmpty,
    /// A duplicate points to a record that has no row.
    FalseWitness,
}

impl World {
    async fn open() -> World {
        let dir = tempfile::tempdir().unwrap();
        let log = MemoryLog::new(1);
        let catalog = SqliteCatalog::open(&dir.path().join("catalog.db"), OpenMode::Create).await.unwrap();
        catalog.bind_log(LogReader::id(&log)).await.unwrap();
        let store = tallymark_store::open(&format!("file:{}", dir.path().join("objects").display())).unwrap();
        let named = NewProject { name: "one".to_owned(), ..Default::default() };
        let created = catalog.create_project(named).await.unwrap();
        let keys = catalog.keys(Some(created.project.id)).await.unwrap();
        let clear = keys.iter().find_map(|k| k.clear.clone()).unwrap();
        let ttl = Duration::from_secs(3600);
        let granted = catalog.acquire(LeaseName::Process, "processor", ttl).await.unwrap();
        let LeaseAnswer::Granted(lease) = granted else { panic!("taken") };
        let (token, project) = (token_of(&clear), created.project.id);
        World { dir, log, catalog, store, token, project, epoch: lease.epoch, board: Arc::default() }
    }

    async fn send(&self, count: u64) {
        let event = |n: u64| {
            Record::Event(tallymark_model::Envelope {
                token: self.token,
                wire: WireFormat::NativeV1,
                lane: SHARD.lane,
                key: "d".to_owned(),
                received_at: 1_000_000 + n as i64,
                context: Arc::new(RequestContext::default()),
                body: bytes::Bytes::from_static(b"{}"),
            })
        };
        let from = self.log.bounds(SHARD).await.unwrap().end;
        self.log.append((from..from + count).map(event).collect()).await.unwrap();
    }

    async fn cursor(&self) -> u64 {
        let cursors = self.catalog.cursors().await.unwrap();
        cursors.iter().find(|c| c.shard == SHARD).map_or(0, |c| c.position)
    }

    /// What becomes of a record: mostly a row.
    fn outcome(&self, offset: u64, how: How) -> Outcome {
        let witness = |offset| Position { lane: SHARD.lane, partition: SHARD.partition, offset };
        match (how, offset % 10) {
            (How::AllEmpty, _) => Outcome::Hole,
            (How::FalseWitness, 3) => Outcome::Duplicate { witness: witness(offset - 1) },
            (How::FalseWitness, 2) => Outcome::Filtered { rule: 1 },
            (_, 3) => Outcome::Duplicate { witness: witness(offset - 1) },
            (_, 7) => Outcome::Filtered { rule: 1 },
            _ => Outcome::Visible,
        }
    }

    /// The account of an interval with its files written.
    async fn decide(&self, commit: &mut Commit, interval: Interval, how: How) -> (Tally, Fingerprint) {
        let (mut tally, mut sum, mut rows) = (Tally::default(), Fingerprint::default(), Vec::new());
        let mut delta = Delta::empty(commit.id);
        for offset in interval.from..interval.to {
            let position = Position { lane: SHARD.lane, partition: SHARD.partition, offset };
            let (outcome, received_at) = (self.outcome(offset, how), 1_000_000 + offset as i64);
            tally.count(outcome.kind());
            match outcome.kind() {
                OutcomeKind::Visible => {
                    sum += Fingerprint::of(LogReader::id(&self.log), position);
                    rows.push(row(position, received_at));
                }
                OutcomeKind::Hole => {}
                _ => delta.exceptions.push(Exception {
                    position,
                    received_at,
                    project: self.project,
                    outcome,
                    key: 1,
                    wire: None,
                    body: Default::default(),
                }),
            }
        }
        if !rows.is_empty() {
            let mut spec = SegmentSpec::new(self.project, LogReader::id(&self.log), commit.id, self.epoch);
            spec.sources = vec![interval];
            commit.add.push(encode_events(&rows, &spec).unwrap().store(&self.store).await.unwrap());
        }
        let key = format!("deltas/{}.delta", commit.id.0);
        self.store.put(&key, delta.encode().unwrap().into()).await.unwrap();
        commit.delta = Some(key);
        (tally, sum)
    }

    fn new_commit(&self) -> Commit {
        Commit::new(CommitId(uuid::Uuid::now_v7()), self.epoch, 1_000)
    }

    async fn apply(&self, commit: &Commit) {
        let answer = self.catalog.commit(commit).await.unwrap();
        assert!(matches!(answer, CommitAnswer::Applied(_)), "{answer:?}");
    }

    /// Processes the next records of the log.
    async fn process(&self, count: u64, how: How) -> Interval {
        let from = self.cursor().await;
        let interval = Interval::new(SHARD, from, from + count);
        let mut commit = self.new_commit();
        let (tally, visible) = self.decide(&mut commit, interval, how).await;
        commit.advances.push(self.advance(interval, Account::Accounted { tally, visible }));
        if let Some(own) = commit.advances[0].projects.first_mut() {
            *own = (self.project, Tally { hole: 0, ..tally }, visible);
        }
        self.apply(&commit).await;
        interval
    }

    fn advance(&self, interval: Interval, account: Account) -> Advance {
        let projects = match &account {
            Account::Accounted { tally, visible } => vec![(self.project, *tally, *visible)],
            _ => Vec::new(),
        };
        Advance {
            shard: SHARD,
            from: interval.from,
            to: interval.to,
            account,
            received_from: 1_000_000 + interval.from as i64,
            received_to: 1_000_000 + interval.to as i64 - 1,
            projects,
        }
    }

    async fn skip(&self, count: u64) -> Interval {
        let from = self.cursor().await;
        let interval = Interval::new(SHARD, from, from + count);
        let mut commit = self.new_commit();
        commit.origin = Origin::Skip { job: 1 };
        let account = Account::Skipped { by: "me".to_owned(), reason: "poison".to_owned() };
        commit.advances.push(self.advance(interval, account));
        self.apply(&commit).await;
        interval
    }

    /// Replaces what the books say about an interval by what an honest processor says.
    async fn mend(&self, interval: Interval, was: Account) {
        let mut commit = self.new_commit();
        commit.origin = Origin::Replay { job: 2 };
        let (tally, visible) = self.decide(&mut commit, interval, How::Honest).await;
        let was_parts = match &was {
            Account::Accounted { tally, visible } => vec![(ProjectId::UNKNOWN, *tally, *visible)],
            _ => Vec::new(),
        };
        commit.restate.push(Restatement {
            interval,
            was,
            was_parts,
            now: Account::Accounted { tally, visible },
            now_parts: vec![(self.project, tally, visible)],
            received_from: 1_000_000 + interval.from as i64,
            received_to: 1_000_000 + interval.to as i64 - 1,
        });
        self.apply(&commit).await;
    }

    fn deps(&self) -> Deps {
        Deps {
            catalog: Arc::new(WebCatalog::from(self.catalog.clone())),
            log: Arc::new(self.log.clone()),
            // A store of its own: what is cached hides what is on the disk.
            store: tallymark_store::open(&format!("file:{}", self.dir.path().join("objects").display()))
                .unwrap(),
        }
    }

    /// Looks at everything, in a new life, and says what stands.
    async fn audit(&self) -> Vec<Finding> {
        let config = AuditorConfig { books: Duration::ZERO, full: Duration::ZERO, ..Default::default() };
        let mut auditor = Auditor::open(config, self.deps(), self.board.clone()).await.unwrap();
        auditor.everything().await.unwrap();
        self.board.all()
    }

    async fn segment(&self) -> (SegmentId, PathBuf) {
        let snapshot = self.catalog.snapshot(self.project, None).await.unwrap();
        let segment = snapshot.segments.last().unwrap();
        (segment.id, self.dir.path().join("objects").join(&segment.key))
    }
}

fn row(position: Position, received_at: i64) -> EventRow {
    EventRow {
        position,
        received_at,
        time: received_at,
        event: "open".to_owned(),
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

fn only(found: &[Finding]) -> &Finding {
    assert_eq!(found.len(), 1, "{found:#?}");
    &found[0]
}

#[tokio::test]
async fn a_sound_world_has_no_findings() {
    let world = World::open().await;
    world.send(100).await;
    for _ in 0..4 {
        world.process(20, How::Honest).await;
    }
    assert_eq!(world.audit().await, []);
    // The files of a deleted project are there for as long as it can be brought back.
    assert!(world.catalog.delete_project(world.project, i64::MAX).await.unwrap());
    assert_eq!(world.audit().await, []);
}

#[tokio::test]
async fn records_that_the_processor_passed_by_are_found_from_the_log_and_mended_by_deciding_them_again() {
    let world = World::open().await;
    world.send(100).await;
    world.process(20, How::Honest).await;
    let hole = world.process(30, How::AllEmpty).await;
    world.process(20, How::Honest).await;
    let found = world.audit().await;
    let finding = only(&found);
    assert_eq!((finding.kind, finding.interval, finding.count), (FindingKind::Hole, Some(hole), Some(30)));
    assert_eq!(finding.projects, [world.project]);
    assert_eq!(finding.received, Some((1_000_020, 1_000_049)));
    assert!(finding.repair.contains("--partition 0 --from 20 --to 50"), "{}", finding.repair);

    let was = Tally { hole: 30, ..Tally::default() };
    world.mend(hole, Account::Accounted { tally: was, visible: Fingerprint::default() }).await;
    assert_eq!(world.audit().await, []);
}

#[tokio::test]
async fn a_skipped_range_stands_until_it_is_replayed() {
    let world = World::open().await;
    world.send(100).await;
    world.process(20, How::Honest).await;
    let skipped = world.skip(25).await;
    world.process(20, How::Honest).await;
    let found = world.audit().await;
    let finding = only(&found);
    assert_eq!(
        (finding.kind, finding.interval, finding.count),
        (FindingKind::Skipped, Some(skipped), Some(25))
    );
    assert_eq!(finding.projects, [world.project], "the log says whose they are");
    assert!(finding.repair.starts_with("tallymark replay"));

    world.mend(skipped, Account::Skipped { by: "me".to_owned(), reason: "poison".to_owned() }).await;
    assert_eq!(world.audit().await, []);
}

#[tokio::test]
async fn a_duplicate_without_its_original_is_found() {
    let world = World::open().await;
    world.send(40).await;
    world.process(10, How::Honest).await;
    world.process(10, How::FalseWitness).await;
    let found = world.audit().await;
    let finding = only(&found);
    assert_eq!(finding.kind, FindingKind::MissingWitness);
    assert_eq!(finding.interval, Some(Interval::new(SHARD, 13, 14)));
}

#[tokio::test]
async fn files_that_are_missing_cut_short_or_altered_are_found_until_they_are_back() {
    let world = World::open().await;
    world.send(60).await;
    world.process(20, How::Honest).await;
    world.process(20, How::Honest).await;
    let (id, path) = world.segment().await;
    let whole = std::fs::read(&path).unwrap();
    let middle = whole.len() / 2;
    let mut flipped = whole.clone();
    flipped[middle] ^= 1;
    for (bytes, kind) in [
        (None, FindingKind::MissingObject),
        (Some(whole[..middle].to_vec()), FindingKind::DamagedObject),
        (Some(flipped), FindingKind::DamagedObject),
    ] {
        match &bytes {
            None => std::fs::remove_file(&path).unwrap(),
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
        }
        let found = world.audit().await;
        let finding = only(&found);
        assert_eq!((finding.kind, &finding.projects[..]), (kind, &[world.project][..]));
        assert!(finding.key.starts_with(&format!("segment/{id}/")), "{}", finding.key);
        assert_eq!(finding.count, Some(16), "rows concerned");
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(world.audit().await, [], "{kind:?} mended");
    }
}

#[tokio::test]
async fn a_delta_that_is_gone_or_torn_is_found() {
    let world = World::open().await;
    world.send(60).await;
    world.process(20, How::Honest).await;
    world.process(20, How::Honest).await;
    let folder = world.dir.path().join("objects/deltas");
    let path = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&path).unwrap();
    for bytes in [None, Some(&whole[..whole.len() - 1])] {
        match bytes {
            None => std::fs::remove_file(&path).unwrap(),
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
        }
        let found = world.audit().await;
        let finding = only(&found);
        assert!(finding.key.starts_with("delta/"), "{}", finding.key);
        assert_eq!((finding.count, finding.kind == FindingKind::MissingObject), (Some(20), bytes.is_none()));
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(world.audit().await, []);
    }
}

#[tokio::test]
async fn damage_to_the_log_below_the_cursor_is_found() {
    let world = World::open().await;
    world.send(60).await;
    world.process(20, How::Honest).await;
    world.process(20, How::Honest).await;
    let hit = Interval::new(SHARD, 25, 28);
    world.log.lose(hit);
    let found = world.audit().await;
    let finding = only(&found);
    assert_eq!(
        (finding.kind, finding.interval, finding.count),
        (FindingKind::DamagedLog, Some(hit), Some(3))
    );
}

/// Opens what a world has, unless it is told not to.
struct Door {
    deps: Deps,
    shut: Mutex<bool>,
}

#[async_trait]
impl Opener for Door {
    async fn open(&self) -> Result<Deps, String> {
        self.still_there().await?;
        Ok(self.deps.clone())
    }
    async fn still_there(&self) -> Result<(), String> {
        if *self.shut.lock().unwrap() { Err("no such file".to_owned()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_catalog_that_is_gone_is_a_finding_and_not_the_end() {
    let world = World::open().await;
    world.send(20).await;
    world.process(10, How::Honest).await;
    let door = Arc::new(Door { deps: world.deps(), shut: Mutex::new(false) });
    let stop = CancellationToken::new();
    let config = AuditorConfig { round: Duration::from_millis(2), ..Default::default() };
    let (inside, board, stopped) = (door.clone(), world.board.clone(), stop.clone());
    let life = tokio::spawn(async move { run(config, &*inside, board, stopped).await });
    let until = |wanted: bool| {
        let board = world.board.clone();
        async move {
            while board.all().iter().any(|f| f.kind == FindingKind::CatalogUnreadable) != wanted {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let beats = *board.beats.lock().unwrap();
            while *board.beats.lock().unwrap() <= beats + 2 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    };
    until(false).await;
    *door.shut.lock().unwrap() = true;
    until(true).await;
    *door.shut.lock().unwrap() = false;
    until(false).await;
    assert_eq!(world.board.all(), []);
    stop.cancel();
    life.await.unwrap().unwrap();
}
