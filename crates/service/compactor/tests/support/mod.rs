//! A small instance on disk: catalog, objects, and a stand-in for the processor.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use model::{
    CommitId, CommitSeq, Control, Epoch, Erasure, Lane, LogId, Position, ProjectId, Properties,
    PropertyOpKind, Seq, Shard, SubjectId, SubjectKind, Value,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{
    Advance, Commit, CommitAnswer, Commits, Garbage, LeaseAnswer, LeaseName, Leases, Rules, Snapshots,
};
use tallymark_compactor::{Compactor, CompactorConfig, Deps, PlanConfig};
use tallymark_ledger::{Account, Fingerprint, Interval, Restatement, SegmentMeta, Tally};
use tallymark_model as model;
use tallymark_state::{Delta, DeltaProject, NewSubject};
use tallymark_store::{
    Encoded, EventRow, ObjectStore, PropertyRow, SegmentReader, SegmentSpec, encode_events,
    encode_properties, open,
};
use tokio_util::sync::CancellationToken;

pub const PROJECT: ProjectId = ProjectId(1);
pub const LOG: LogId = LogId(uuid::Uuid::from_u128(99));
pub const SHARD: Shard = Shard { lane: Lane::Live, partition: 0 };
pub const DAY_MS: i64 = 86_400_000;
/// Subjects of the made-up rows.
pub const SUBJECTS: u32 = 50;

/// Deterministic numbers.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A made-up event with properties of every type, some of them rare.
pub fn event(dice: &mut Dice, offset: u64, days: u64) -> EventRow {
    let mut properties = Properties::new();
    for name in ["plan", "amount", "ok", "tags", "mixed"] {
        let value = match (name, dice.below(4)) {
            (_, 0) => continue,
            ("plan", n) => Value::from(["free", "pro", "", "ä"][n as usize]),
            ("amount", n) => Value::from(n as f64 * 1.5),
            ("ok", n) => Value::from(n == 1),
            ("tags", n) => Value::from(vec![n, 7]),
            (_, 1) => Value::from("text"),
            (_, 2) => Value::from(u64::MAX),
            _ => Value::Null,
        };
        properties.insert(name.to_owned(), value);
    }
    if dice.below(10) == 0 {
        properties.insert(format!("rare {}", dice.below(30)), Value::from(offset));
    }
    let user = dice.below(u64::from(SUBJECTS)) as u32 + 1;
    EventRow {
        position: Position { lane: SHARD.lane, partition: SHARD.partition, offset },
        received_at: 1_000_000 + offset as i64,
        time: (dice.below(days) as i64) * DAY_MS + dice.below(DAY_MS as u64) as i64,
        event: ["open", "buy", "close", "äpfel"][dice.below(4) as usize].to_owned(),
        subject: SubjectId(user),
        user_id: None,
        device_id: Some(format!("device {user}")),
        insert_id: (dice.below(3) > 0).then(|| format!("id {offset}")),
        session_id: (dice.below(2) == 0).then(|| dice.below(100).to_string()),
        properties,
        groups: match dice.below(4) {
            0 => vec![("company".to_owned(), "acme".to_owned())],
            1 => vec![("team".to_owned(), "a".to_owned()), ("team".to_owned(), "b".to_owned())],
            _ => Vec::new(),
        },
        annotations: Vec::new(),
    }
}

/// Made-up property operations of an event.
pub fn operations(dice: &mut Dice, of: &EventRow) -> Vec<PropertyRow> {
    (0..dice.below(3) as u32)
        .map(|index| PropertyRow {
            subject: of.subject,
            name: ["plan", "city", ""][dice.below(3) as usize].to_owned(),
            op: PropertyOpKind::Set,
            value_json: dice.below(5).to_string(),
            time: of.time,
            position: of.position,
            received_at: of.received_at,
            index,
        })
        .collect()
}

/// One instance.
#[derive(Debug, Clone)]
pub struct World {
    pub catalog: SqliteCatalog,
    pub store: ObjectStore,
    epoch: Epoch,
}

impl World {
    pub async fn open(dir: &Path) -> World {
        let catalog = SqliteCatalog::open(&dir.join("catalog.db"), OpenMode::Create).await.unwrap();
        let store = open(&format!("file:{}", dir.join("objects").display())).unwrap();
        let granted =
            catalog.acquire(LeaseName::Process, "processor", Duration::from_secs(3600)).await.unwrap();
        let LeaseAnswer::Granted(lease) = granted else { panic!("the lease is taken") };
        World { catalog, store, epoch: lease.epoch }
    }

    pub async fn cursor(&self) -> u64 {
        let cursors = self.catalog.cursors().await.unwrap();
        cursors.iter().find(|c| c.shard == SHARD).map_or(0, |c| c.position)
    }

    /// Encodes what a processor would commit next, without committing.
    pub fn prepare(&self, rows: &[EventRow], operations: &[PropertyRow], id: CommitId) -> Vec<Encoded> {
        let mut spec = SegmentSpec::new(PROJECT, LOG, id, self.epoch);
        let (from, to) = (rows[0].position.offset, rows[rows.len() - 1].position.offset + 1);
        spec.sources = vec![Interval { shard: SHARD, from, to }];
        let mut encoded = vec![encode_events(rows, &spec).unwrap()];
        if !operations.is_empty() {
            spec.id = model::SegmentId(uuid::Uuid::now_v7());
            encoded.push(encode_properties(operations, &spec).unwrap());
        }
        encoded
    }

    /// Commits rows as a processor would.
    pub async fn ingest(&self, rows: &[EventRow], operations: &[PropertyRow]) {
        let id = CommitId(uuid::Uuid::now_v7());
        let mut add = Vec::new();
        for encoded in self.prepare(rows, operations, id) {
            add.push(encoded.store(&self.store).await.unwrap());
        }
        let cursor = self.cursor().await;
        let mut delta = Delta::empty(id);
        if cursor == 0 {
            let subjects = (1..=SUBJECTS).map(|n| NewSubject {
                id: SubjectId(n),
                kind: SubjectKind::Device,
                raw: format!("device {n}"),
                first_seq: Seq { received_at: 1, position: u64::from(n) },
            });
            delta
                .projects
                .push(DeltaProject { subjects: subjects.collect(), ..DeltaProject::empty(PROJECT) });
        }
        let key = format!("deltas/{}.delta", id.0);
        self.store.put(&key, delta.encode().unwrap().into()).await.unwrap();

        let visible =
            rows.iter().fold(Fingerprint::default(), |sum, r| sum + Fingerprint::of(LOG, r.position));
        let tally = Tally { visible: rows.len() as u64, ..Tally::default() };
        let commit = Commit {
            advances: vec![Advance {
                shard: SHARD,
                from: cursor,
                to: cursor + rows.len() as u64,
                account: Account::Accounted { tally, visible },
                received_from: rows[0].received_at,
                received_to: rows[rows.len() - 1].received_at,
                projects: vec![(PROJECT, tally, visible)],
            }],
            add,
            delta: Some(key),
            ..Commit::new(id, self.epoch, 1_000)
        };
        let answer = self.catalog.commit(&commit).await.unwrap();
        assert!(matches!(answer, CommitAnswer::Applied(_)), "{answer:?}");
    }

    /// Decides rows again, as a reprocess by a new drop filter would: they are filtered and masked.
    pub async fn mask(&self, from: u64, to: u64) {
        let interval = Interval { shard: SHARD, from, to };
        let visible: Vec<EventRow> =
            self.visible().await.0.into_iter().filter(|r| interval.contains(r.position)).collect();
        if visible.is_empty() {
            return;
        }
        let mut commit = Commit::new(CommitId(uuid::Uuid::now_v7()), self.epoch, 1_000);
        commit.origin = tallymark_catalog::Origin::Reprocess { job: 1 };
        let mut runs: Vec<(Interval, Vec<&EventRow>)> = Vec::new();
        for row in self.catalog.ledger(Some(PROJECT), None, None).await.unwrap() {
            let inside: Vec<&EventRow> =
                visible.iter().filter(|r| row.interval.contains(r.position)).collect();
            if let (Some(first), Some(last)) = (inside.first(), inside.last()) {
                let run =
                    Interval { shard: SHARD, from: first.position.offset, to: last.position.offset + 1 };
                runs.push((run, inside));
            }
        }
        for (run, rows) in runs {
            let n = rows.len() as u64;
            let sum = rows.iter().fold(Fingerprint::default(), |s, r| s + Fingerprint::of(LOG, r.position));
            let (was, now) =
                (Tally { visible: n, ..Tally::default() }, Tally { filtered: n, ..Tally::default() });
            commit.restate.push(Restatement {
                interval: run,
                was: Account::Accounted { tally: was, visible: sum },
                was_parts: vec![(PROJECT, was, sum)],
                now: Account::Accounted { tally: now, visible: Fingerprint::default() },
                now_parts: vec![(PROJECT, now, Fingerprint::default())],
                received_from: rows[0].received_at,
                received_to: rows[rows.len() - 1].received_at,
            });
            let at =
                |r: &&EventRow| Interval { shard: SHARD, from: r.position.offset, to: r.position.offset + 1 };
            commit.masks.extend(rows.iter().map(at));
        }
        let answer = self.catalog.commit(&commit).await.unwrap();
        assert!(matches!(answer, CommitAnswer::Applied(_)), "{answer:?}");
    }

    /// Wishes a device to be forgotten and lets the log say so.
    pub async fn forget(&self, device: &str, undo_until: model::Millis) -> u32 {
        let wish = Erasure {
            id: 0,
            project: PROJECT,
            subjects: vec![(SubjectKind::Device, device.to_owned())],
            by: "a test".to_owned(),
            reason: String::new(),
            made_at: 1,
            undo_until,
            undone: false,
        };
        let wish = self.catalog.put_erasure(wish).await.unwrap().erasure;
        self.publish(wish.clone()).await;
        wish.id
    }

    /// Takes it back.
    pub async fn unforget(&self, id: u32) {
        let all = self.catalog.erasures(Some(PROJECT)).await.unwrap();
        let wish = all.into_iter().find(|w| w.erasure.id == id).unwrap().erasure;
        let wish = self.catalog.put_erasure(Erasure { undone: true, ..wish }).await.unwrap().erasure;
        self.publish(wish).await;
    }

    async fn publish(&self, wish: Erasure) {
        let id = CommitId(uuid::Uuid::now_v7());
        let cursor = self.cursor().await;
        let at = Position { lane: SHARD.lane, partition: SHARD.partition, offset: cursor };
        let number = wish.id;
        let delta = Delta { controls: vec![(at, Control::Erase(wish))], ..Delta::empty(id) };
        let key = format!("deltas/{}.delta", id.0);
        self.store.put(&key, delta.encode().unwrap().into()).await.unwrap();
        let tally = Tally { control: 1, ..Tally::default() };
        let commit = Commit {
            advances: vec![Advance {
                shard: SHARD,
                from: cursor,
                to: cursor + 1,
                account: Account::Accounted { tally, visible: Fingerprint::default() },
                received_from: 1_000_000 + cursor as i64,
                received_to: 1_000_000 + cursor as i64,
                projects: Vec::new(),
            }],
            delta: Some(key),
            ..Commit::new(id, self.epoch, 1_000)
        };
        let answer = self.catalog.commit(&commit).await.unwrap();
        assert!(matches!(answer, CommitAnswer::Applied(_)), "{answer:?}");
        self.catalog.erasure_published(number).await.unwrap();
    }

    /// Commits some made-up rows.
    pub async fn ingest_some(
        &self,
        dice: &mut Dice,
        count: u64,
        days: u64,
    ) -> (Vec<EventRow>, Vec<PropertyRow>) {
        let from = self.cursor().await;
        let rows: Vec<EventRow> = (from..from + count).map(|offset| event(dice, offset, days)).collect();
        let operations: Vec<PropertyRow> = rows.iter().flat_map(|row| operations(dice, row)).collect();
        self.ingest(&rows, &operations).await;
        (rows, operations)
    }

    pub async fn live(&self) -> Vec<SegmentMeta> {
        self.catalog.live().await.unwrap()
    }

    /// What a query sees now: all rows of the newest snapshot, by position.
    pub async fn visible(&self) -> (Vec<EventRow>, Vec<PropertyRow>) {
        self.visible_at(None).await
    }

    pub async fn visible_at(&self, at: Option<CommitSeq>) -> (Vec<EventRow>, Vec<PropertyRow>) {
        let snapshot = self.catalog.snapshot(PROJECT, at).await.unwrap();
        let (mut rows, mut operations) = (Vec::new(), Vec::new());
        for segment in &snapshot.segments {
            let masked = snapshot.masked.get(&segment.id).cloned().unwrap_or_default();
            let counts = |position: Position| !masked.iter().any(|m| m.contains(position));
            let reader = SegmentReader::open(&self.store, segment).unwrap();
            match segment.kind {
                tallymark_ledger::SegmentKind::Events => {
                    rows.extend(reader.events().map(Result::unwrap).filter(|r| counts(r.position)));
                }
                tallymark_ledger::SegmentKind::Properties => {
                    let all = reader.property_rows().map(Result::unwrap);
                    operations.extend(all.filter(|r| counts(r.position)));
                }
            }
        }
        normalise(&mut rows);
        operations.sort_by_key(|r| (r.position, r.index));
        (rows, operations)
    }

    pub fn deps(&self) -> Deps {
        Deps { catalog: Arc::new(self.catalog.clone()), store: self.store.clone() }
    }

    /// Keys of all segment files.
    pub async fn files(&self) -> Vec<String> {
        self.store.list("segments").await.unwrap().into_iter().map(|o| o.key).collect()
    }
}

/// By position, groups in one order.
pub fn normalise(rows: &mut [EventRow]) {
    rows.sort_by_key(|r| r.position);
    for row in rows {
        row.groups.sort();
        for value in row.properties.values_mut() {
            if let Some(number) = value.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 1e15) {
                *value = Value::from(number as i64);
            }
        }
    }
}

/// Merges early and in small pieces.
pub fn eager() -> CompactorConfig {
    CompactorConfig {
        owner: "compactor".to_owned(),
        interval: Duration::from_millis(5),
        plan: PlanConfig {
            max_fresh: 2,
            split_rows: 800,
            max_merged: 2,
            min_day_rows: 60,
            max_per_day: 2,
            max_task_rows: 2_000,
            max_file_rows: 500,
            ..PlanConfig::default()
        },
        max_file_rows: 500,
        grace: Duration::ZERO,
        grace_commits: 0,
        rewrite: Duration::ZERO,
        ..CompactorConfig::default()
    }
}

/// Rounds until there is nothing to do. Returns how many did something.
pub async fn rest(compactor: &mut Compactor) -> usize {
    let cancel = CancellationToken::new();
    for rounds in 0..10_000 {
        if !compactor.round(&cancel).await.unwrap() {
            return rounds;
        }
    }
    panic!("the compactor does not come to rest");
}
