//! A whole instance on disk: log, catalog, objects, and a simple processor that makes every event visible.
//!
//! Deliberately not here: judging beyond what everyone needs ([`Instance::rows`]).
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{
    Advance, Commit, CommitAnswer, Commits, Garbage, Lease, LeaseAnswer, LeaseName, Leases, NewProject,
    Origin, SegmentKind, SegmentMeta, Settings, Snapshots,
};
use tallymark_ledger::{Account, Fingerprint, GapCause, Interval, Tally};
use tallymark_log::file::{FileLog, FileLogConfig, FileLogReader, FileLogWriter};
use tallymark_log::{Item, LogReader, LogWriter, ReadLimit};
use tallymark_model::{
    CommitId, Control, DeadReason, Envelope, Lane, Millis, Outcome, Position, ProjectId, ProjectToken,
    Record, RequestContext, Shard, SubjectId, WireFormat,
};
use tallymark_recovery::Places;
use tallymark_recovery::backup::Source;
use tallymark_state::{Delta, Exception};
use tallymark_store::{EventRow, ObjectStore, SegmentReader, SegmentSpec, encode_events};

pub const PARTITIONS: u16 = 2;
pub const DAY: Millis = 86_400_000;
pub const START: Millis = 20_000 * DAY;

/// Rows of the live segments: position to project and event name.
pub type Rows = BTreeMap<Position, (u32, String)>;

pub struct Instance {
    pub places: Places,
    pub writer: Option<FileLogWriter>,
    pub log: FileLogReader,
    pub catalog: SqliteCatalog,
    pub store: ObjectStore,
    pub lease: Lease,
    pub clock: Millis,
    /// Everything that was acknowledged.
    pub sent: BTreeMap<Position, String>,
}

pub fn log_config() -> FileLogConfig {
    FileLogConfig {
        partitions: PARTITIONS,
        file_bytes: 64 << 10,
        first_file_bytes: 16 << 10,
        disk_floor_bytes: 0,
        reserve_bytes: 0,
        spares_max: 0,
        idle_proof: Duration::from_secs(3_600),
        ..FileLogConfig::default()
    }
}

pub fn shards() -> impl Iterator<Item = Shard> {
    Lane::ALL.into_iter().flat_map(|lane| (0..PARTITIONS).map(move |partition| Shard { lane, partition }))
}

impl Instance {
    /// A new instance with two projects.
    pub async fn new(root: &Path) -> Instance {
        let instance = Instance::open(root).await;
        for name in ["shop", "blog"] {
            instance
                .catalog
                .create_project(NewProject { name: name.into(), ..NewProject::default() })
                .await
                .unwrap();
        }
        instance
    }

    /// Starts on a folder, as a server does.
    pub async fn open(root: &Path) -> Instance {
        let places = Places::below(root);
        std::fs::create_dir_all(root).unwrap();
        let writer = FileLog::open_writer(&places.log, log_config()).unwrap();
        let log = FileLog::open_reader(&places.log, &log_config()).unwrap();
        let catalog = SqliteCatalog::open(&places.catalog, OpenMode::Create).await.unwrap();
        catalog.bind_log(LogReader::id(&log)).await.unwrap();
        let store = tallymark_store::open(&places.objects_url()).unwrap();
        let lease = lease(&catalog).await;
        Instance {
            places,
            writer: Some(writer),
            log,
            catalog,
            store,
            lease,
            clock: START,
            sent: BTreeMap::new(),
        }
    }

    /// Stops, as a server does.
    pub async fn stop(self) -> (Places, BTreeMap<Position, String>) {
        drop(self.writer);
        self.catalog.close().await;
        (self.places, self.sent)
    }

    /// Appends `n` events, a second apart.
    pub async fn send(&mut self, n: usize) {
        let records: Vec<Record> = (0..n)
            .map(|i| {
                self.clock += 1_000;
                let lane = if i % 5 == 4 { Lane::Bulk } else { Lane::Live };
                if i % 23 == 22 {
                    let (token, minute, reason) = ("t".to_owned(), self.clock, "full".to_owned());
                    let control = Control::Refused { token, minute, count: 1, reason };
                    return Record::Control { shard: Shard { lane, partition: 0 }, control };
                }
                let kind = if i % 11 == 10 { "dead" } else { "event" };
                Record::Event(Envelope {
                    token: ProjectToken([1 + (i % 2) as u8; 16]),
                    wire: WireFormat::NativeV1,
                    lane,
                    key: format!("user-{}", i % 17),
                    received_at: self.clock,
                    context: Arc::new(RequestContext::default()),
                    body: format!("{kind} {} {}", self.clock, "x".repeat(i % 90)).into(),
                })
            })
            .collect();
        let bodies: Vec<Option<String>> =
            records.iter().map(|r| matches!(r, Record::Event(_)).then(|| body(r))).collect();
        let receipt = self.writer.as_ref().unwrap().append(records).await.unwrap();
        let events = receipt.positions.into_iter().zip(bodies);
        self.sent.extend(events.filter_map(|(p, body)| Some((p, body?))));
    }

    /// Sends until the log has this many sealed files.
    pub async fn fill(&mut self, files: usize) {
        while self.log.sealed().await.unwrap().len() < files {
            self.send(60).await;
        }
    }

    /// Makes everything visible that is in the log, one commit.
    pub async fn process(&self) -> CommitId {
        let commit = self.prepare().await;
        let answer = self.catalog.commit(&commit).await.unwrap();
        assert!(matches!(answer, CommitAnswer::Applied(_)), "{answer:?}");
        commit.id
    }

    /// Dies before the commit of what is sent here: leaves its delta and its segments, and a segment of another one.
    pub async fn uncommitted(&mut self) -> (String, String) {
        self.send(30).await;
        let first = self.prepare().await;
        let second = self.prepare().await;
        self.store.delete(second.delta.as_ref().unwrap()).await.unwrap();
        (first.delta.unwrap(), second.add[0].key.clone())
    }

    /// Stores everything for a commit.
    async fn prepare(&self) -> Commit {
        let log = &self.log;
        let id = CommitId(uuid::Uuid::now_v7());
        let mut commit = Commit::new(id, self.lease.epoch, self.clock);
        let mut delta = Delta::empty(id);
        let mut rows: BTreeMap<u32, Vec<EventRow>> = BTreeMap::new();
        let mut sources: BTreeMap<u32, Vec<Interval>> = BTreeMap::new();
        let cursors = self.catalog.cursors().await.unwrap();
        for shard in shards() {
            let from = cursors.iter().find(|c| c.shard == shard).map_or(0, |c| c.position);
            let (records, to) = read_to_end(log, shard, from).await;
            if to == from {
                continue;
            }
            let mut parts: BTreeMap<u32, (Tally, Fingerprint)> = BTreeMap::new();
            for (position, record) in &records {
                let event = match record {
                    Record::Event(event) => event,
                    Record::Control { control, .. } => {
                        parts.entry(0).or_default().0.control += 1;
                        delta.controls.push((*position, control.clone()));
                        continue;
                    }
                };
                let project = u32::from(event.token.0[0]);
                let part = parts.entry(project).or_default();
                if event.body.starts_with(b"dead") {
                    part.0.dead += 1;
                    delta.exceptions.push(dead(*position, project, event));
                    continue;
                }
                part.0.visible += 1;
                part.1 += Fingerprint::of(LogReader::id(&self.log), *position);
                rows.entry(project).or_default().push(row(*position, event));
            }
            for project in parts.keys().filter(|p| parts[p].0.visible > 0) {
                sources.entry(*project).or_default().push(Interval::new(shard, from, to));
            }
            let (tally, visible) = parts
                .values()
                .fold((Tally::default(), Fingerprint::default()), |(t, f), p| (t + p.0, f + p.1));
            let times: Vec<Millis> = records.iter().map(|(_, r)| received(r)).collect();
            commit.advances.push(Advance {
                shard,
                from,
                to,
                account: Account::Accounted { tally, visible },
                received_from: times.iter().min().copied().unwrap(),
                received_to: times.iter().max().copied().unwrap(),
                projects: parts.into_iter().map(|(p, (t, f))| (ProjectId(p), t, f)).collect(),
            });
        }
        for (project, rows) in rows {
            let spec = SegmentSpec {
                sources: sources[&project].clone(),
                ..SegmentSpec::new(ProjectId(project), LogReader::id(&self.log), id, self.lease.epoch)
            };
            commit.add.push(encode_events(&rows, &spec).unwrap().store(&self.store).await.unwrap());
        }
        let key = format!("deltas/{}.delta", id.0);
        self.store.put(&key, delta.encode().unwrap().into()).await.unwrap();
        commit.delta = Some(key);
        commit
    }

    /// Passes by what is next in one shard.
    pub async fn skip(&self, shard: Shard, upto: u64) {
        let cursors = self.catalog.cursors().await.unwrap();
        let from = cursors.iter().find(|c| c.shard == shard).map_or(0, |c| c.position);
        let account = Account::Skipped { by: "test".into(), reason: "poison".into() };
        let (received_from, received_to, projects) = (START, START, Vec::new());
        let mut commit = Commit::new(CommitId(uuid::Uuid::now_v7()), self.lease.epoch, self.clock);
        commit.advances =
            vec![Advance { shard, from, to: upto, account, received_from, received_to, projects }];
        commit.origin = Origin::Skip { job: 1 };
        assert!(matches!(self.catalog.commit(&commit).await.unwrap(), CommitAnswer::Applied(_)));
    }

    /// Merges a project's segments into one; the files of the old ones go if told so.
    pub async fn compact(&self, project: u32, collect: bool) {
        let mut old = self.catalog.live().await.unwrap();
        old.retain(|m| m.project == ProjectId(project) && m.kind == SegmentKind::Events);
        let rows: Vec<EventRow> = old.iter().flat_map(|m| rows_of(&self.store, m)).collect();
        let id = CommitId(uuid::Uuid::now_v7());
        let spec = SegmentSpec {
            level: 1,
            sources: old.iter().flat_map(|m| &m.sources).map(|s| s.interval).collect(),
            ..SegmentSpec::new(ProjectId(project), LogReader::id(&self.log), id, self.lease.epoch)
        };
        let mut commit = Commit::new(id, self.lease.epoch, self.clock);
        commit.add = vec![encode_events(&rows, &spec).unwrap().store(&self.store).await.unwrap()];
        commit.remove = old.iter().map(|m| m.id).collect();
        commit.origin = Origin::Compaction;
        assert!(matches!(self.catalog.commit(&commit).await.unwrap(), CommitAnswer::Applied(_)));
        if collect {
            for meta in &old {
                self.store.delete(&meta.key).await.unwrap();
            }
            self.catalog.forget(&commit.remove).await.unwrap();
        }
    }

    /// Pretends that the processor wrote checkpoints of state up to now.
    pub async fn checkpoint(&self) {
        use tallymark_catalog::Feed;
        std::fs::create_dir_all(&self.places.state).unwrap();
        let seq = self.catalog.latest_seq().await.unwrap();
        std::fs::write(self.places.state.join(format!("{:020}.state", seq.0)), b"state").unwrap();
    }

    /// What queries see.
    pub async fn rows(&self) -> Rows {
        rows(&self.catalog, &self.store).await
    }

    /// What queries must see: everything acknowledged below the cursors.
    pub async fn expected(&self) -> Rows {
        let cursors: BTreeMap<Shard, u64> =
            self.catalog.cursors().await.unwrap().into_iter().map(|c| (c.shard, c.position)).collect();
        expected(&self.sent, &cursors)
    }

    pub fn source(&self) -> Source {
        Source {
            catalog: self.catalog.clone(),
            store: self.store.clone(),
            log: self.log.clone(),
            environment: "test".to_owned(),
            extra: vec![("throttle.json".to_owned(), self.places.root.join("throttle.json"))],
            left_out: Vec::new(),
            scratch: self.places.root.join("scratch"),
        }
    }
}

pub async fn lease(catalog: &SqliteCatalog) -> Lease {
    match catalog.acquire(LeaseName::Process, "test", Duration::from_secs(60)).await.unwrap() {
        LeaseAnswer::Granted(lease) => lease,
        held => panic!("{held:?}"),
    }
}

pub fn expected(sent: &BTreeMap<Position, String>, cursors: &BTreeMap<Shard, u64>) -> Rows {
    let below = |p: &Position| cursors.get(&p.shard()).is_some_and(|cursor| p.offset < *cursor);
    sent.iter()
        .filter(|(p, body)| below(p) && !body.contains("|dead"))
        .map(|(p, body)| (*p, (body.split('|').next().unwrap().parse().unwrap(), body.clone())))
        .collect()
}

pub async fn rows(catalog: &SqliteCatalog, store: &ObjectStore) -> Rows {
    let mut all = Rows::new();
    for meta in catalog.live().await.unwrap() {
        for row in rows_of(store, &meta) {
            let twice = all.insert(row.position, (meta.project.0, row.event));
            assert_eq!(twice, None, "{} is visible twice", row.position);
        }
    }
    all
}

fn rows_of(store: &ObjectStore, meta: &SegmentMeta) -> Vec<EventRow> {
    SegmentReader::open(store, meta).unwrap().events().map(Result::unwrap).collect()
}

/// The project and the body: what a row shows of an event.
pub fn body(record: &Record) -> String {
    match record {
        Record::Event(e) => format!("{}|{}", e.token.0[0], String::from_utf8_lossy(&e.body)),
        Record::Control { .. } => "control".to_owned(),
    }
}

fn received(record: &Record) -> Millis {
    match record {
        Record::Event(e) => e.received_at,
        Record::Control { control, .. } => control.made_at(),
    }
}

fn dead(position: Position, project: u32, event: &Envelope) -> Exception {
    Exception {
        position,
        received_at: event.received_at,
        project: ProjectId(project),
        outcome: Outcome::Dead { reason: DeadReason::new("test", "it says so") },
        key: 0,
        wire: Some(event.wire),
        body: event.body.clone(),
    }
}

fn row(position: Position, event: &Envelope) -> EventRow {
    EventRow {
        position,
        received_at: event.received_at,
        time: event.received_at,
        event: format!("{}|{}", event.token.0[0], String::from_utf8_lossy(&event.body)),
        subject: SubjectId(1),
        user_id: None,
        device_id: None,
        insert_id: None,
        session_id: None,
        properties: Default::default(),
        groups: Vec::new(),
        annotations: Vec::new(),
    }
}

/// Records of a shard from an offset on; gaps are a failure.
pub async fn read_to_end(log: &dyn LogReader, shard: Shard, from: u64) -> (Vec<(Position, Record)>, u64) {
    let (records, gaps, to) = read_all(log, shard, from).await;
    assert_eq!(gaps, [], "{shard}");
    (records, to)
}

/// Gaps as (from, to, cause).
pub type Gaps = Vec<(u64, u64, GapCause)>;

/// Records and gaps of a shard from an offset on.
pub async fn read_all(log: &dyn LogReader, shard: Shard, from: u64) -> (Vec<(Position, Record)>, Gaps, u64) {
    let (mut at, mut records, mut gaps) = (from, Vec::new(), Gaps::new());
    loop {
        let position = Position { lane: shard.lane, partition: shard.partition, offset: at };
        let items = log.read(position, ReadLimit { records: 100, bytes: 1 << 20 }).await.unwrap();
        if items.is_empty() {
            assert_eq!(at, log.bounds(shard).await.unwrap().end, "{shard} ends early");
            return (records, gaps, at);
        }
        for item in items {
            match item {
                Item::Records(run) => {
                    assert_eq!(run[0].0.offset, at);
                    at += run.len() as u64;
                    records.extend(run);
                }
                Item::Gap { from, to, cause, .. } => {
                    assert_eq!(from.offset, at);
                    gaps.push((at, to, cause));
                    at = to;
                }
            }
        }
    }
}

/// Every file below a folder, by path, without what changes by itself.
pub fn files_below(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}
