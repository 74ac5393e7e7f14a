//! A watch over facts that a test sets, with a clock that a test moves.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use async_trait::async_trait;
use std::sync::{Arc, Mutex};
use tallymark_model::{Lane, Millis, ProjectId, Shard};
use tallymark_monitor::alerts::Dispatcher;
use tallymark_monitor::facts::{LossStatement, ProjectFacts, ShardFacts};
use tallymark_monitor::{
    Clock, FactSource, Facts, Finding, ManualClock, Watch, WatchConfig, WatchDeps, WatchStore,
};

pub const START: Millis = 1_795_240_800_000; // 2026-11-21 06:00:00 UTC
pub const MINUTE: Millis = 60_000;
pub const LIVE: Shard = Shard { lane: Lane::Live, partition: 0 };

#[derive(Debug, Clone, Default)]
pub struct Script(pub Arc<Mutex<Facts>>);

#[async_trait]
impl FactSource for Script {
    async fn facts(&self) -> Facts {
        self.0.lock().unwrap().clone()
    }
}

pub struct Instance {
    pub folder: tempfile::TempDir,
    pub store: WatchStore,
    pub clock: ManualClock,
    pub script: Script,
    pub config: WatchConfig,
    pub watch: Watch,
    pub dispatcher: Dispatcher,
}

impl Instance {
    pub async fn start(config: WatchConfig) -> Instance {
        let folder = tempfile::tempdir().unwrap();
        let store = WatchStore::open(&folder.path().join("watch.db")).await.unwrap();
        let (clock, script) = (ManualClock::at(START), Script::default());
        config.check().unwrap();
        let mut instance = Instance {
            watch: watch(&store, &clock, &script, &config).await,
            dispatcher: Dispatcher::new(config.alerts.clone()).unwrap(),
            folder,
            store,
            clock,
            script,
            config,
        };
        instance.set(|_| {});
        instance
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Changes the facts.
    pub fn set(&mut self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.script.0.lock().unwrap());
    }

    /// The process ends and another one begins.
    pub async fn restart(&mut self) {
        self.watch = watch(&self.store, &self.clock, &self.script, &self.config).await;
        self.dispatcher = Dispatcher::new(self.config.alerts.clone()).unwrap();
    }

    /// One round, and everything that follows from it. The ledger is read anew, as it stands in the facts.
    pub async fn round(&mut self) -> Vec<Finding> {
        let now = self.now();
        if let Some(loss) = &mut self.script.0.lock().unwrap().loss {
            (loss.read_at, loss.as_of) = (now, now);
        }
        let found = self.watch.round().await.unwrap();
        self.send().await;
        found
    }

    /// Plans and sends what is due.
    pub async fn send(&self) -> usize {
        self.dispatcher.plan(&self.store, self.now()).await.unwrap();
        self.dispatcher.deliver(&self.store, &self.clock).await.unwrap()
    }

    /// Lets time pass, in rounds of five seconds.
    pub async fn pass(&mut self, ms: Millis) {
        let end = self.now() + ms;
        while self.now() < end {
            self.clock.advance(5_000.min(end - self.now()));
            self.round().await;
        }
    }

    /// Data of project 7 has been late for so long.
    pub fn late(&mut self, age: Millis) {
        let now = self.now();
        self.set(|f| {
            let (watermark, oldest_pending) = (now - age, Some(now - age));
            let name = "topsecret".to_owned();
            f.projects = vec![ProjectFacts {
                project: ProjectId(7),
                name,
                watermark,
                pending: Some(4_711),
                oldest_pending,
            }];
        });
    }

    /// Everything is well, and the ledger says so.
    pub fn well(&mut self) {
        let now = self.now();
        self.set(|f| {
            *f = Facts::default();
            f.loss = Some(LossStatement {
                as_of: now,
                read_at: now,
                acknowledged: 1_234_567,
                accounted: 1_234_567,
                lost: 0,
                oldest_unaccounted: None,
            });
        });
    }
}

async fn watch(store: &WatchStore, clock: &ManualClock, script: &Script, config: &WatchConfig) -> Watch {
    let source = Arc::new(script.clone());
    let deps = WatchDeps { clock: Arc::new(clock.clone()), ..WatchDeps::new(store.clone(), source) };
    Watch::new(deps, config.clone()).await.unwrap()
}

pub fn shard(shard: Shard, cursor: u64, log_end: u64, oldest_pending: Option<Millis>) -> ShardFacts {
    ShardFacts {
        shard,
        log_start: 0,
        log_end,
        cursor,
        oldest_pending,
        newest: None,
        drain_per_s: None,
        arrival_per_s: None,
        backlog_shares: vec![],
        retention_ms: None,
        retention_bytes: None,
        log_bytes: 0,
        needs_permit: true,
    }
}
