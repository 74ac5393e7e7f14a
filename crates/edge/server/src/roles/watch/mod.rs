//! `watch`: monitors, alerts, the status page's history.
//!
//! Guarantees: needs nothing of the others; what it cannot observe it names instead of leaving it out.
//! Deliberately not here: what to think of what is observed (`monitor`).

mod backends;
mod canary;
mod care;
mod files;
mod flow;
mod machine;
mod rates;
mod roles;
mod schedule;
mod sources;

use super::measure;
use crate::secrets::Secrets;
use crate::{Layout, ServerError};
use async_trait::async_trait;
use backends::Backends;
use canary::Canaries;
use files::Files;
use flow::Flow;
use rates::Rates;
use roles::Roles;
use sources::{Judging, Sources};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tallymark_catalog::{Instance, Snapshots};
use tallymark_model::Millis;
use tallymark_monitor::checks::collecting_since;
use tallymark_monitor::config::{AlertConfig, Locked, PublicConfig};
use tallymark_monitor::facts::SettingFact;
use tallymark_monitor::{FactSource, Facts, WatchConfig, WatchDeps, WatchStore};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// How often a protected instance sends test events, if nothing else is configured.
const CANARY_EVERY: Millis = 60_000;
/// How often the configuration is looked at.
const RECONFIGURE: Duration = Duration::from_secs(5);

/// Watches until told to stop.
pub async fn run(layout: &Layout, stop: CancellationToken) -> Result<(), ServerError> {
    measure::publish(layout, "watch", stop.clone());
    let failed = |e: tallymark_monitor::MonitorError| ServerError::Role { role: "watch", why: e.to_string() };
    let store = WatchStore::open(&layout.watch()).await.map_err(failed)?;
    let source = Arc::new(Observer::new(layout.clone(), store.clone()));
    tokio::spawn(canary::run(
        layout.clone(),
        source.backends.clone(),
        source.canaries.clone(),
        source.clone(),
        stop.clone(),
    ));
    tokio::spawn(schedule::run(layout.clone(), source.backends.clone(), store.clone(), stop.clone()));
    while !stop.is_cancelled() {
        let config = source.config().await;
        let round = stop.child_token();
        let watching = tallymark_monitor::run(
            WatchDeps::new(store.clone(), source.clone()),
            config.clone(),
            round.clone(),
        );
        tokio::pin!(watching);
        loop {
            tokio::select! {
                done = &mut watching => {
                    done.map_err(failed)?;
                    break;
                }
                () = tokio::time::sleep(RECONFIGURE) => {
                    // The next round of this loop starts with the new configuration.
                    if source.config().await != config {
                        round.cancel();
                    }
                }
            }
        }
    }
    Ok(())
}

/// Observes the whole instance from outside its processes.
struct Observer {
    layout: Layout,
    backends: Arc<Backends>,
    store: WatchStore,
    memory: Mutex<Memory>,
    canaries: Arc<Canaries>,
    secrets: Secrets,
    /// Channels of the last configuration that was read, which cannot send.
    locked: std::sync::Mutex<Vec<Locked>>,
}

/// What comparing two observations needs.
#[derive(Default)]
struct Memory {
    flow: Flow,
    rates: Rates,
    roles: Roles,
    sources: Sources,
    files: Files,
}

impl Observer {
    fn new(layout: Layout, store: WatchStore) -> Observer {
        Observer {
            backends: Arc::new(Backends::new(layout.clone())),
            secrets: Secrets::of(&layout),
            layout,
            store,
            memory: Mutex::default(),
            canaries: Arc::default(),
            locked: std::sync::Mutex::default(),
        }
    }

    /// The file `watch.toml` of the data folder, with the instance's settings over it. A configuration that cannot be
    /// used is said loudly and the default takes its place: watching goes on.
    async fn config(&self) -> WatchConfig {
        let (mut config, mut locked) = self.secrets.watch_toml();
        let Ok(catalog) = self.backends.catalog().await else { return config };
        if let Ok(Some(alerts)) = catalog.setting("alerts").await {
            let (alerts, closed) = self.secrets.opened(alerts);
            if let Some(mut alerts) = usable::<AlertConfig>(alerts, "alerts") {
                locked = alerts.take_unusable(closed);
                match alerts.check() {
                    Ok(()) => config.alerts = alerts,
                    Err(error) => tracing::error!(%error, "the settings `alerts` cannot be used"),
                }
            }
        }
        *self.locked.lock().unwrap_or_else(PoisonError::into_inner) = locked;
        if let Ok(Some(public)) = catalog.setting("status_page").await {
            let public = usable::<PublicConfig>(public, "status_page");
            let before = public.map(|public| std::mem::replace(&mut config.public, public));
            if let (Some(before), Err(error)) = (before, config.check()) {
                tracing::error!(%error, "the settings `status_page` cannot be used");
                config.public = before;
            }
        }
        config
    }
}

/// Settings that cannot be read leave what was there.
fn usable<T: serde::de::DeserializeOwned>(value: serde_json::Value, name: &str) -> Option<T> {
    serde_json::from_value(value)
        .inspect_err(|error| tracing::error!(%error, name, "the settings cannot be used"))
        .ok()
}

#[async_trait]
impl canary::Rhythm for Observer {
    /// Nobody asked: a protected instance sends them, another does not.
    async fn every(&self) -> Option<Millis> {
        let seconds = self.config().await.thresholds.canary_every_s;
        if seconds != 0.0 {
            return (seconds > 0.0).then_some((seconds.max(1.0) * 1_000.0) as Millis);
        }
        let catalog = self.backends.catalog().await.ok()?;
        let environment = tallymark_recovery::guard::Environment::of(&catalog).await.ok()?;
        environment.protected.then_some(CANARY_EVERY)
    }
}

#[async_trait]
impl FactSource for Observer {
    async fn facts(&self) -> Facts {
        let now = now();
        let mut facts = Facts { at: now, environment: "development".to_owned(), ..Facts::default() };
        let mut memory = self.memory.lock().await;
        let log = self.note(&mut facts, "log", self.backends.log());
        let catalog = self.backends.catalog().await;
        let catalog = self.note(&mut facts, "catalog", catalog);
        if let Some(catalog) = &catalog
            && let Ok(Some(name)) = catalog.setting("environment").await
        {
            facts.environment = name.as_str().unwrap_or("development").to_owned();
        }
        let cursors = match &catalog {
            Some(catalog) => {
                let read = catalog.cursors().await.map_err(|e| e.to_string());
                self.note(&mut facts, "cursors", read)
            }
            None => None,
        };
        if let Some(log) = &log {
            let seen = memory.flow.observe(log.as_ref(), cursors.as_deref(), catalog.as_ref(), now).await;
            match seen {
                Ok(seen) => {
                    facts.shards = seen.shards;
                    facts.projects = seen.projects;
                    facts.loss = seen.loss;
                    facts.disks = machine::disks(&self.layout, seen.log_bytes_per_s);
                }
                Err(error) => facts.unavailable.push(("flow".to_owned(), error)),
            }
        }
        if facts.disks.is_empty() {
            facts.disks = machine::disks(&self.layout, None);
        }
        facts.roles = memory.roles.observe(&self.layout, now);
        facts.resources = machine::resources(&self.layout, &facts.shards);
        if let Some(catalog) = &catalog {
            care::sequences(&mut facts, catalog, &self.layout).await;
            facts.rates = memory.rates.observe(catalog, &self.store, &self.layout, now).await;
            care::observe(&mut facts, catalog, &self.store, &self.layout, now).await;
        }
        if let (Some(log), Some(catalog)) = (&log, &catalog) {
            let thresholds = self.secrets.watch_toml().0.thresholds;
            let judging = Judging { now, collecting: collecting_since(&facts), thresholds: &thresholds };
            match memory.sources.look(log.as_ref(), catalog, &self.store, judging).await {
                Ok(sources) => facts.sources = sources,
                Err(error) => facts.unavailable.push(("sources".to_owned(), error)),
            }
        }
        facts.files = memory.files.observe(&self.layout, &facts.projects, now);
        facts.canary = self.canaries.facts();
        facts.settings.extend(machine::test_switches());
        facts.settings.extend(self.locked_channels());
        facts
    }
}

impl Observer {
    /// A channel that cannot send is a setting that is not in force.
    fn locked_channels(&self) -> Vec<SettingFact> {
        let locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = locked.iter().map(|l| SettingFact {
            name: "secrets".to_owned(),
            scope: format!("alert channel {}", l.channel),
            declared: "a secret".to_owned(),
            effective: format!("nothing: {}", l.reason),
            experimental: false,
        });
        facts.collect()
    }

    fn note<T>(&self, facts: &mut Facts, what: &str, got: Result<T, String>) -> Option<T> {
        got.map_err(|error| facts.unavailable.push((what.to_owned(), error))).ok()
    }
}

fn now() -> Millis {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| Millis::try_from(d.as_millis()).unwrap_or(Millis::MAX))
}
