//! Log, catalog and objects: what survives a crash. And the ways to hurt them.

use crate::clients::{PROJECTS, Sent, key};
use crate::fault_disk::{FaultDisk, Plan};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{NewProject, Settings, Snapshots};
use tallymark_compactor::{Compactor, CompactorConfig, PlanConfig};
use tallymark_log::file::{FileLog, FileLogConfig, FileLogWriter};
use tallymark_log::{LogReader, LogWriter};
use tallymark_model::{Control, Lane, Millis, Position, Record, Shard};
use tallymark_processor::{Deps, Failpoint, ProcessorConfig, ProcessorError, Step};
use tallymark_store::ObjectStore;
use tokio_util::sync::CancellationToken;

/// Partitions of the simulated log.
const PARTITIONS: u16 = 2;
const LOG: &str = "/data/log";
/// A hang is a failure, not a long wait.
const PATIENCE: Duration = Duration::from_secs(90);
/// A receive time that all others follow.
const BEGIN: Millis = 20_000 * 86_400_000;

/// Everything that is on a disk, and the one process that has the log open.
pub struct World {
    disk: FaultDisk,
    writer: Option<FileLogWriter>,
    /// The catalog.
    pub catalog: SqliteCatalog,
    /// Segments and deltas.
    pub store: ObjectStore,
    dir: tempfile::TempDir,
    clock: Millis,
}

/// Every shard of the log.
pub fn shards() -> impl Iterator<Item = Shard> {
    Lane::ALL.into_iter().flat_map(|lane| (0..PARTITIONS).map(move |partition| Shard { lane, partition }))
}

impl World {
    /// A new instance with its projects.
    pub async fn new() -> World {
        // In memory, where there is a place for that: what is simulated is the log's disk.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let catalog = SqliteCatalog::open(&dir.path().join("catalog.db"), OpenMode::Create).await.unwrap();
        let store = tallymark_store::open(&format!("file:{}", objects(dir.path()).display())).unwrap();
        let mut world = World { disk: FaultDisk::new(), writer: None, catalog, store, dir, clock: BEGIN };
        world.writer = Some(world.open_log());
        world.catalog.bind_log(world.reader().id()).await.unwrap();
        for n in 1..=PROJECTS {
            let new =
                NewProject { name: format!("project {n}"), write_key: Some(key(n)), ..NewProject::default() };
            assert_eq!(world.catalog.create_project(new).await.unwrap().project.id.0, n);
        }
        world
    }

    fn open_log(&self) -> FileLogWriter {
        FileLog::open_writer_on(Arc::new(self.disk.clone()), Path::new(LOG), log_config()).unwrap()
    }

    /// A reader as another process has one.
    pub fn reader(&self) -> Arc<dyn LogReader> {
        let disk = Arc::new(self.disk.clone());
        Arc::new(FileLog::open_reader_on(disk, Path::new(LOG), &log_config()).unwrap())
    }

    /// The collector's clock: never goes back, whatever the machine's does.
    pub fn clock_jumps(&mut self, ms: Millis) {
        self.clock = self.clock.max(self.clock + ms);
    }

    /// Appends a request; its events' positions if it was acknowledged.
    pub async fn send(&mut self, request: &[Sent]) -> Option<Vec<Position>> {
        self.clock += 1;
        let at = self.clock;
        self.append(request.iter().map(|e| e.record(at)).collect()).await
    }

    /// Appends a control record to every shard, as often as it takes; where it stands in each.
    pub async fn announce(&mut self, control: &Control) -> Vec<Position> {
        loop {
            let records = shards().map(|shard| Record::Control { shard, control: control.clone() }).collect();
            if let Some(positions) = self.append(records).await {
                return positions;
            }
            self.restart_collector();
        }
    }

    /// Appends a control record to one shard, as often as it takes.
    pub async fn announce_at(&mut self, shard: Shard, control: &Control) {
        while self.append(vec![Record::Control { shard, control: control.clone() }]).await.is_none() {
            self.restart_collector();
        }
    }

    async fn append(&mut self, records: Vec<Record>) -> Option<Vec<Position>> {
        let writer = self.writer.as_ref().expect("the collector runs between steps");
        tokio::time::timeout(PATIENCE, writer.append(records))
            .await
            .expect("the log hangs")
            .ok()
            .map(|r| r.positions)
    }

    /// What goes wrong with the log's disk from now on.
    pub fn disk_fails(&self, plan: Plan) {
        self.disk.plan(plan);
    }

    /// The collector ends, by itself or not, and starts again on a disk that works.
    pub fn restart_collector(&mut self) {
        drop(self.writer.take());
        self.disk.plan(Plan::default());
        self.writer = Some(self.open_log());
    }

    /// The power goes: what was not flushed may be gone, sector by sector.
    pub fn power_cut(&mut self, seed: u64) {
        let after = self.disk.power_cut(seed, 0.5);
        // The old process keeps the old disk and dies there.
        drop(self.writer.take());
        self.disk = after;
        self.writer = Some(self.open_log());
    }

    /// The object store answers nothing until it is brought back.
    pub fn take_store_away(&self) {
        let (here, away) = (objects(self.dir.path()), self.dir.path().join("away"));
        if here.exists() {
            std::fs::rename(&here, &away).unwrap();
            // A file where the folder was: nothing can be created below it.
            std::fs::write(&here, b"").unwrap();
        }
    }

    /// And it is back with everything it had.
    pub fn bring_store_back(&self) {
        let (here, away) = (objects(self.dir.path()), self.dir.path().join("away"));
        if away.exists() {
            std::fs::remove_file(&here).unwrap();
            std::fs::rename(&away, &here).unwrap();
        }
    }

    /// State is disposable: without its folder it is folded anew.
    pub fn forget_state(&self) {
        // It may not exist yet.
        let _ = std::fs::remove_dir_all(self.dir.path().join("state"));
    }

    /// Runs the processor until `until` says so, it is stopped dead, or `at_most` has passed.
    pub async fn process(
        &self,
        crash: Option<(Step, u32)>,
        at_most: Duration,
        until: impl AsyncFn(&World) -> bool,
    ) -> Result<(), ProcessorError> {
        let mut deps = Deps::new(self.reader(), Arc::new(self.catalog.clone()), self.store.clone());
        if let Some((step, nth)) = crash {
            deps.failpoint = Arc::new(CrashAt { step, left: AtomicU32::new(nth) });
        }
        let stop = CancellationToken::new();
        let enough = async {
            let reached = async {
                while !until(self).await {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
            };
            // Being stopped by the clock is as good a moment as any.
            let _ = tokio::time::timeout(at_most, reached).await;
            stop.cancel();
            std::future::pending::<()>().await
        };
        let work = tallymark_processor::run(self.config(), deps, stop.clone());
        let both = async {
            tokio::select! {
                done = work => done,
                () = enough => unreachable!("it never ends"),
            }
        };
        tokio::time::timeout(PATIENCE, both).await.expect("the processor hangs")
    }

    /// One look of the compactor; false if it had nothing to do.
    pub async fn compact(&self) -> bool {
        let config = CompactorConfig {
            owner: "sim".to_owned(),
            plan: PlanConfig { max_fresh: 2, fresh_age_ms: 0, max_merged: 2, ..PlanConfig::default() },
            grace: Duration::ZERO,
            grace_commits: 0,
            collect: Duration::ZERO,
            ..CompactorConfig::default()
        };
        let deps =
            tallymark_compactor::Deps { catalog: Arc::new(self.catalog.clone()), store: self.store.clone() };
        let mut compactor = Compactor::open(config, deps).unwrap();
        let worked = compactor.round(&CancellationToken::new()).await;
        compactor.close().await.unwrap();
        // A store that is away is no news; the next look goes on.
        worked.unwrap_or(false)
    }

    /// True if every record has an account.
    pub async fn is_drained(&self) -> bool {
        let cursors = self.catalog.cursors().await.unwrap();
        let at = |shard| cursors.iter().find(|c| c.shard == shard).map_or(0, |c| c.position);
        let reader = self.reader();
        for shard in shards() {
            if at(shard) != reader.bounds(shard).await.unwrap().end {
                return false;
            }
        }
        true
    }

    /// Small groups, so that a few events make many commits.
    fn config(&self) -> ProcessorConfig {
        ProcessorConfig {
            commit_interval: Duration::from_millis(10),
            group_records_max: 25,
            read_records: 7,
            bulk_floor_records: 3,
            checkpoint_commits: 4,
            retry_first: Duration::from_millis(1),
            retry_max: Duration::from_millis(10),
            idle: Duration::from_millis(3),
            // Whoever was stopped dead is followed by itself.
            owner: "sim".to_owned(),
            ..ProcessorConfig::new(self.dir.path().join("state"))
        }
    }
}

/// Where objects are.
fn objects(dir: &Path) -> PathBuf {
    dir.join("objects")
}

fn log_config() -> FileLogConfig {
    FileLogConfig {
        partitions: PARTITIONS,
        file_bytes: 64 << 10,
        first_file_bytes: 16 << 10,
        idle_proof: Duration::from_millis(5),
        disk_floor_bytes: 0,
        reserve_bytes: 0,
        space_check: Duration::ZERO,
        ..FileLogConfig::default()
    }
}

/// Stops the processor the n-th time it comes to a step.
struct CrashAt {
    step: Step,
    left: AtomicU32,
}

impl Failpoint for CrashAt {
    fn crash_at(&self, step: Step) -> bool {
        step == self.step && self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }
}
