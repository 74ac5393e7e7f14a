//! A processor on a memory log, a SQLite catalog and a folder of objects, which survive it.
//!
//! Deliberately not here: judging (`audit`).
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod audit;
pub mod flaky;

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{
    Commit, CommitAnswer, Commits, Feed, Garbage, Job, JobKind, JobState, Jobs, LeaseAnswer, LeaseName,
    Leases, LeftOut, NewJob, NewProject, Origin, SegmentKind, SegmentMeta, Settings, Snapshots, token_of,
};
use tallymark_ledger::{Account, Fingerprint, Interval, Restatement, Tally};
use tallymark_log::memory::MemoryLog;
use tallymark_log::{LogReader, LogWriter};
use tallymark_model::{
    CommitId, Control, Envelope, Lane, Millis, Position, ProjectId, Record, RequestContext, Rule, RuleAction,
    Shard, WireFormat,
};
use tallymark_processor::{Catalog, Deps, Failpoint, ProcessorConfig, ProcessorError, Step, run};
use tallymark_store::{EventRow, ObjectStore, SegmentReader, SegmentSpec, encode_events};
use tokio_util::sync::CancellationToken;

/// A hang is a failure, not a long wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// Partitions of the test log.
pub const PARTITIONS: u16 = 2;
/// A day that all receive times start from.
pub const DAY: Millis = 20_000 * 86_400_000;

/// Key of the n-th project, from 1.
pub fn key(project: u32) -> String {
    format!("write-key-of-project-{project}-0123456789abcdef")
}

/// What a test sends.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Whose: 1 and 2 exist, others do not.
    pub project: u32,
    pub lane: Lane,
    pub device: Option<String>,
    pub user: Option<String>,
    pub insert: Option<String>,
    pub body: Body,
}

/// The event itself.
#[derive(Debug, Clone)]
pub enum Body {
    /// An event with this name and a property.
    Named(String),
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// Not an event.
    Control,
}

impl Sent {
    pub fn new(name: &str, device: &str, insert: &str) -> Sent {
        Sent {
            project: 1,
            lane: Lane::Live,
            device: Some(device.to_owned()),
            user: None,
            insert: Some(insert.to_owned()),
            body: Body::Named(name.to_owned()),
        }
    }

    pub fn raw(device: &str, body: &[u8]) -> Sent {
        Sent { body: Body::Raw(body.to_vec()), ..Sent::new("", device, "unused") }
    }

    fn text(&self) -> Bytes {
        match &self.body {
            Body::Raw(bytes) => Bytes::from(bytes.clone()),
            Body::Control => Bytes::new(),
            Body::Named(name) => {
                let mut event = serde_json::json!({"event": name, "properties": {"n": 1, "plan": "pro"}});
                for (field, value) in
                    [("device_id", &self.device), ("user_id", &self.user), ("insert_id", &self.insert)]
                {
                    if let Some(value) = value {
                        event[field] = value.clone().into();
                    }
                }
                Bytes::from(event.to_string())
            }
        }
    }

    fn record(&self, received_at: Millis) -> Record {
        if matches!(self.body, Body::Control) {
            let control = Control::Refused {
                token: token_of(&key(1)).to_string(),
                minute: received_at,
                count: 3,
                reason: "throttled".into(),
            };
            return Record::Control { shard: Shard { lane: Lane::Live, partition: 0 }, control };
        }
        Record::Event(Envelope {
            token: token_of(&key(self.project)),
            wire: WireFormat::NativeV1,
            lane: self.lane,
            key: self.device.clone().or(self.user.clone()).unwrap_or_default(),
            received_at,
            context: Arc::new(RequestContext::default()),
            body: self.text(),
        })
    }
}

/// The log, the catalog and the objects; and what was sent.
pub struct Rig {
    pub log: MemoryLog,
    pub catalog: SqliteCatalog,
    pub store: ObjectStore,
    pub dir: tempfile::TempDir,
    pub sent: Vec<(Position, Sent)>,
    clock: Millis,
}

impl Rig {
    pub async fn new() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let catalog = SqliteCatalog::open(&dir.path().join("catalog.db"), OpenMode::Create).await.unwrap();
        let log = MemoryLog::new(PARTITIONS);
        catalog.bind_log(LogReader::id(&log)).await.unwrap();
        let store = tallymark_store::open(&format!("file:{}", dir.path().join("objects").display())).unwrap();
        let rig = Rig { log, catalog, store, dir, sent: Vec::new(), clock: DAY };
        rig.create_project(1).await;
        rig.create_project(2).await;
        rig
    }

    pub async fn create_project(&self, n: u32) -> ProjectId {
        let new =
            NewProject { name: format!("project {n}"), write_key: Some(key(n)), ..NewProject::default() };
        self.catalog.create_project(new).await.unwrap().project.id
    }

    /// Appends one request; every record is received a millisecond after the one before.
    pub async fn send(&mut self, events: &[Sent]) -> Vec<Position> {
        let first = self.clock;
        self.clock += events.len() as Millis;
        let records = events.iter().zip(first..).map(|(e, at)| e.record(at)).collect();
        let receipt = self.log.append(records).await.unwrap();
        self.sent.extend(receipt.positions.iter().copied().zip(events.iter().cloned()));
        receipt.positions
    }

    /// Appends a control record to one shard.
    pub async fn control(&mut self, shard: Shard, control: Control) -> Position {
        let receipt = self.log.append(vec![Record::Control { shard, control }]).await.unwrap();
        let position = receipt.positions[0];
        self.sent.push((position, Sent { body: Body::Control, ..Sent::new("", "", "") }));
        position
    }

    /// Appends a version of a rule to every shard.
    pub async fn rule(&mut self, id: u32, version: u32, action: RuleAction) -> Rule {
        let rule = self.unsaved_rule(id, version, action);
        for shard in shards() {
            self.control(shard, Control::Rule(rule.clone())).await;
        }
        rule
    }

    pub fn unsaved_rule(&self, id: u32, version: u32, action: RuleAction) -> Rule {
        Rule {
            id,
            project: ProjectId(1),
            version,
            name: format!("rule {id}"),
            enabled: true,
            by: "ops@example.com".into(),
            reason: String::new(),
            made_at: self.clock,
            action,
        }
    }

    /// Lets receive time pass.
    pub fn later(&mut self, ms: Millis) {
        self.clock += ms;
    }

    /// Small groups, so that a few events make many commits.
    pub fn config(&self) -> ProcessorConfig {
        ProcessorConfig {
            commit_interval: Duration::from_millis(15),
            group_records_max: 9,
            read_records: 3,
            bulk_floor_records: 2,
            checkpoint_commits: 3,
            retry_first: Duration::from_millis(1),
            retry_max: Duration::from_millis(20),
            job_records_max: 7,
            job_share_percent: 100,
            job_poll: Duration::from_millis(15),
            blocked_retry: Duration::from_millis(20),
            idle: Duration::from_millis(5),
            ..ProcessorConfig::new(self.dir.path().join("state"))
        }
    }

    pub fn deps(&self) -> Deps {
        Deps::new(Arc::new(self.log.clone()), Arc::new(self.catalog.clone()), self.store.clone())
    }

    /// Runs until everything sent is accounted, then stops cleanly.
    pub async fn drain(&self) {
        self.drain_with(self.config(), self.deps()).await.unwrap();
    }

    /// Runs until everything sent is accounted and no job is left, or until it fails.
    pub async fn drain_with(&self, config: ProcessorConfig, deps: Deps) -> Result<(), ProcessorError> {
        self.run_until(config, deps, async || self.is_drained().await && !self.has_jobs().await).await
    }

    /// Runs until this is so, or until it fails.
    pub async fn run_until(
        &self,
        config: ProcessorConfig,
        deps: Deps,
        is_so: impl AsyncFn() -> bool,
    ) -> Result<(), ProcessorError> {
        let stop = CancellationToken::new();
        let watch = async {
            while !is_so().await {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            stop.cancel();
            std::future::pending::<()>().await
        };
        let work = run(config, deps, stop.clone());
        let both = async {
            tokio::select! {
                done = work => done,
                () = watch => unreachable!("it never ends"),
            }
        };
        tokio::time::timeout(PATIENCE, both).await.expect("the processor hangs")
    }

    /// True if there are two segments that [`Rig::merge_segments`] can merge.
    pub async fn can_merge(&self) -> bool {
        self.mergeable().await.len() == 2
    }

    async fn mergeable(&self) -> Vec<SegmentMeta> {
        let mut old = self.catalog.live().await.unwrap();
        let ids: Vec<_> = old.iter().map(|m| m.id).collect();
        let masked = self.catalog.masked(&ids).await.unwrap();
        old.retain(|m| m.project == ProjectId(1) && m.kind == SegmentKind::Events && m.level == 0);
        old.retain(|m| !masked.iter().any(|(id, masks)| *id == m.id && !masks.is_empty()));
        old.truncate(2);
        old
    }

    /// Merges two segments of project 1 into one, as the compactor does.
    pub async fn merge_segments(&self) {
        let ttl = Duration::from_secs(60);
        let LeaseAnswer::Granted(lease) =
            self.catalog.acquire(LeaseName::Compact, "test", ttl).await.unwrap()
        else {
            panic!("nobody else compacts here");
        };
        let old = self.mergeable().await;
        assert_eq!(old.len(), 2);
        let rows = |m: &SegmentMeta| {
            SegmentReader::open(&self.store, m).unwrap().events().map(Result::unwrap).collect()
        };
        let rows: Vec<EventRow> = old.iter().flat_map(|m| -> Vec<EventRow> { rows(m) }).collect();
        let id = CommitId(uuid::Uuid::now_v7());
        let sources = old.iter().flat_map(|m| &m.sources).map(|s| s.interval).collect();
        let spec = SegmentSpec {
            level: 1,
            sources,
            ..SegmentSpec::new(ProjectId(1), LogReader::id(&self.log), id, lease.epoch)
        };
        let merged = encode_events(&rows, &spec).unwrap().store(&self.store).await.unwrap();
        let commit = Commit {
            add: vec![merged],
            remove: old.iter().map(|m| m.id).collect(),
            origin: Origin::Compaction,
            as_of: self.catalog.latest_seq().await.unwrap(),
            ..Commit::new(id, lease.epoch, 0)
        };
        let answer = self.catalog.commit(&commit).await.unwrap();
        assert!(matches!(answer, CommitAnswer::Applied(_)), "{answer:?}");
    }

    /// Removes rows from files and books, as the compactor does for forgotten people; there must be two segments.
    pub async fn erase_from_files(&self, gone: &[Position]) {
        let ttl = Duration::from_secs(60);
        let answer = self.catalog.acquire(LeaseName::Compact, "test", ttl).await.unwrap();
        let LeaseAnswer::Granted(lease) = answer else { panic!("nobody else compacts here") };
        let log = LogReader::id(&self.log);
        let sum =
            |ps: &[Position]| ps.iter().fold(Fingerprint::default(), |s, p| s + Fingerprint::of(log, *p));
        for old in self.catalog.live().await.unwrap() {
            let reader = SegmentReader::open(&self.store, &old).unwrap();
            let (out, kept): (Vec<EventRow>, Vec<EventRow>) =
                reader.events().map(Result::unwrap).partition(|r| gone.contains(&r.position));
            if out.is_empty() || kept.is_empty() {
                continue;
            }
            let id = CommitId(uuid::Uuid::now_v7());
            let sources = old.sources.iter().map(|s| s.interval).collect();
            let spec =
                SegmentSpec { level: 1, sources, ..SegmentSpec::new(old.project, log, id, lease.epoch) };
            let file = encode_events(&kept, &spec).unwrap().store(&self.store).await.unwrap();
            let positions: Vec<Position> = out.iter().map(|r| r.position).collect();
            let restate = out.iter().map(|row| {
                let one = |tally, visible| {
                    let account = Account::Accounted { tally, visible };
                    (account, vec![(old.project, tally, visible)])
                };
                let was = one(Tally { visible: 1, ..Tally::default() }, sum(&[row.position]));
                let now = one(Tally { filtered: 1, ..Tally::default() }, Fingerprint::default());
                let p = row.position;
                Restatement {
                    interval: Interval::new(p.shard(), p.offset, p.offset + 1),
                    was: was.0,
                    was_parts: was.1,
                    now: now.0,
                    now_parts: now.1,
                    received_from: row.received_at,
                    received_to: row.received_at,
                }
            });
            let commit = Commit {
                add: vec![file],
                remove: vec![old.id],
                restate: restate.collect(),
                left_out: vec![LeftOut {
                    segment: old.id,
                    rows: out.len() as u64,
                    fingerprint: sum(&positions),
                }],
                origin: Origin::Compaction,
                as_of: self.catalog.latest_seq().await.unwrap(),
                ..Commit::new(id, lease.epoch, 0)
            };
            let answer = self.catalog.commit(&commit).await.unwrap();
            assert!(matches!(answer, CommitAnswer::Applied(_)), "{answer:?}");
        }
    }

    /// Asks for a job.
    pub async fn ask(&self, kind: JobKind, spec: serde_json::Value) -> i64 {
        self.ask_for(kind, spec, None, false).await
    }

    /// Asks what a job would do.
    pub async fn ask_dry(&self, kind: JobKind, spec: serde_json::Value) -> i64 {
        self.ask_for(kind, spec, None, true).await
    }

    pub async fn ask_for(
        &self,
        kind: JobKind,
        spec: serde_json::Value,
        project: Option<ProjectId>,
        dry_run: bool,
    ) -> i64 {
        let (by, reason) = ("ops@example.com".to_owned(), "test".to_owned());
        let new = NewJob { kind, project, spec, dry_run, by, reason };
        self.catalog.create_job(new).await.unwrap().id
    }

    pub async fn job(&self, id: i64) -> Job {
        self.catalog.job(id).await.unwrap().unwrap()
    }

    /// Its report, if it is done.
    pub async fn report(&self, id: i64) -> serde_json::Value {
        let job = self.job(id).await;
        assert_eq!(job.state, JobState::Done, "{job:?}");
        job.report
    }

    /// True while a job is queued or running.
    pub async fn has_jobs(&self) -> bool {
        let open = |job: &Job| matches!(job.state, JobState::Queued | JobState::Running);
        self.catalog.jobs(1_000).await.unwrap().iter().any(open)
    }

    /// The books' rows that say so of a range, ordered.
    pub async fn skipped(&self) -> Vec<Interval> {
        self.catalog.skipped().await.unwrap().into_iter().map(|r| r.interval).collect()
    }

    pub async fn is_drained(&self) -> bool {
        let cursors = self.catalog.cursors().await.unwrap();
        let at = |shard| cursors.iter().find(|c| c.shard == shard).map_or(0, |c| c.position);
        for shard in shards() {
            if at(shard) != self.log.bounds(shard).await.unwrap().end {
                return false;
            }
        }
        true
    }
}

pub fn shards() -> impl Iterator<Item = Shard> {
    Lane::ALL.into_iter().flat_map(|lane| (0..PARTITIONS).map(move |partition| Shard { lane, partition }))
}

/// Crashes the processor the n-th time it reaches a step.
pub struct CrashAt {
    step: Step,
    left: AtomicU32,
}

impl CrashAt {
    pub fn new(step: Step, nth: u32) -> Arc<CrashAt> {
        Arc::new(CrashAt { step, left: AtomicU32::new(nth) })
    }
}

impl Failpoint for CrashAt {
    fn crash_at(&self, step: Step) -> bool {
        step == self.step && self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

/// The catalog, as the processor sees it.
pub fn shared(catalog: impl Catalog + 'static) -> Arc<dyn Catalog> {
    Arc::new(catalog)
}
