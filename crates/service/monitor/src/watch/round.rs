//! One round of the watch.
//!
//! Guarantees: the snapshot is written last, so its age tells when a whole round last succeeded.
//! Deliberately not here: timing.

use super::backlog::Backlogs;
use super::{WatchDeps, reconcile};
use crate::checks::judge;
use crate::config::{DAY, HOUR, MINUTE};
use crate::facts::{Facts, Growth, LossStatement, ResourceFacts};
use crate::status::{ComponentState, day};
use crate::store::{ComponentNow, WatchSnapshot};
use crate::{Component, Finding, Monitor, MonitorError, WatchConfig, forecast};
use std::collections::BTreeMap;
use tallymark_model::Millis;

/// Time the watch did not look is not counted as time in a state beyond this.
const COUNTED_MAX: Millis = MINUTE;
/// Events this young without an outcome are on their way.
const ON_THEIR_WAY: Millis = MINUTE;
const TIDY_EVERY: Millis = HOUR;
const KEPT_FOR: Millis = 400 * DAY;

/// The watch, between rounds.
#[derive(Debug)]
pub struct Watch {
    deps: WatchDeps,
    config: WatchConfig,
    backlogs: Backlogs,
    last: Option<Millis>,
    components: Vec<ComponentNow>,
    /// When it began to look.
    began: Option<Millis>,
    /// What was found the round before.
    found: Vec<Finding>,
    tidied: Millis,
    /// The minute of the last samples, and what followed from them.
    sampled: Option<Millis>,
    growths: BTreeMap<String, Growth>,
}

impl Watch {
    /// Goes on where the last one ended.
    pub async fn new(deps: WatchDeps, config: WatchConfig) -> Result<Watch, MonitorError> {
        let backlogs = Backlogs::resume(&deps.store).await?;
        let before = deps.store.snapshot().await?;
        let (components, found) = before.map(|s| (s.components, s.findings)).unwrap_or_default();
        Ok(Watch {
            deps,
            config,
            backlogs,
            last: None,
            components,
            began: None,
            found,
            tidied: 0,
            sampled: None,
            growths: BTreeMap::new(),
        })
    }

    /// Looks, judges, and writes down. Answers what was found, the worst first.
    pub async fn round(&mut self) -> Result<Vec<Finding>, MonitorError> {
        let mut facts = self.gather().await?;
        let now = facts.at;
        let eta = self.backlogs.observe(&self.deps.store, &mut facts).await?;
        let mut findings = judge(&facts, &self.config.thresholds, &self.found);
        let began = *self.began.get_or_insert(now);
        if now - began < (self.config.thresholds.start_grace_s * 1_000.0) as Millis {
            // The instance may be starting as well; what was wrong before stands nevertheless.
            let starting = |f: &Finding| {
                matches!(f.monitor, Monitor::BlindSpot | Monitor::DeadHeartbeat | Monitor::Canary)
            };
            findings.retain(|f| !starting(f) || self.found.iter().any(|b| b.id() == f.id()));
        }
        self.incidents(&facts, &findings).await?;
        self.count_time(&findings, now).await?;
        let snapshot = WatchSnapshot {
            at: now,
            components: self.components.clone(),
            findings,
            loss: facts.loss,
            eta,
            unavailable: facts.unavailable,
        };
        self.deps.store.write_snapshot(&snapshot).await?;
        if now - self.tidied >= TIDY_EVERY {
            self.deps.store.thin_samples(now).await?;
            self.deps.store.prune_deliveries(now - KEPT_FOR).await?;
            self.deps.store.prune_incidents(now - KEPT_FOR).await?;
            self.tidied = now;
        }
        self.found.clone_from(&snapshot.findings);
        metrics::gauge!("tallymark_watch_findings").set(snapshot.findings.len() as f64);
        Ok(snapshot.findings)
    }

    async fn gather(&mut self) -> Result<Facts, MonitorError> {
        let store = self.deps.store.clone();
        let mut facts = match tokio::time::timeout(self.deps.facts_timeout, self.deps.source.facts()).await {
            Ok(facts) => facts,
            Err(_) => Facts {
                unavailable: vec![("facts".to_owned(), "gathering them took too long".to_owned())],
                ..Facts::default()
            },
        };
        facts.at = self.deps.clock.now();
        facts.audit.extend(store.reported().await?);
        facts.channels = store.channel_health().await?;
        let disks = facts.disks.iter().flat_map(crate::checks::resources_of_disk);
        let mut resources: Vec<_> = facts.resources.drain(..).chain(disks).collect();
        self.forecast(&mut resources, facts.at).await?;
        facts.resources = resources;
        Ok(facts)
    }

    /// Growth changes slowly and costs reading all samples: once a minute is enough.
    async fn forecast(&mut self, resources: &mut [ResourceFacts], now: Millis) -> Result<(), MonitorError> {
        let minute = now.div_euclid(MINUTE);
        if self.sampled != Some(minute) {
            let values: Vec<(String, f64)> = resources.iter().map(|r| (r.series(), r.used)).collect();
            self.deps.store.add_samples(now, &values).await?;
            self.growths = forecast::growths(&self.deps.store.samples(now - forecast::LOOK_BACK).await?, now);
            self.sampled = Some(minute);
        }
        for resource in resources {
            resource.growth = self.growths.get(&resource.series()).copied();
        }
        Ok(())
    }

    async fn incidents(&self, facts: &Facts, findings: &[Finding]) -> Result<(), MonitorError> {
        let now = facts.at;
        let store = &self.deps.store;
        let known = store.incidents_since(now - DAY).await?;
        let elapsed = self.last.map_or(0, |last| (now - last).clamp(0, COUNTED_MAX));
        let id = || uuid::Uuid::now_v7().to_string();
        for change in reconcile(&known, findings, settled(facts), &self.config, now, elapsed, id) {
            let before = known.iter().find(|i| i.id == change.incident.id);
            if before != Some(&change.incident) || !change.updates.is_empty() {
                store.put_incident(&change.incident, &change.updates, change.reopened).await?;
            }
        }
        Ok(())
    }

    async fn count_time(&mut self, findings: &[Finding], now: Millis) -> Result<(), MonitorError> {
        let maintenance = self.deps.store.maintenance(now).await?;
        let states = Component::all().into_iter().map(|c| {
            let state = ComponentState::of(c, findings, &maintenance, now);
            let before = self.components.iter().find(|k| k.component == c && k.state == state);
            ComponentNow { component: c, state, since: before.map_or(now, |k| k.since) }
        });
        self.components = states.collect();
        let passed = self.last.map_or(0, |last| (now - last).clamp(0, COUNTED_MAX));
        self.last = Some(now);
        if passed > 0 {
            let states: Vec<_> = self.components.iter().map(|c| (c.component, c.state)).collect();
            self.deps.store.add_time(&day(now), &states, passed).await?;
        }
        Ok(())
    }
}

/// True if the ledger has an outcome for everything acknowledged, apart from what has just arrived.
fn settled(facts: &Facts) -> bool {
    let on_its_way = |at: Millis| facts.at - at <= ON_THEIR_WAY;
    facts.loss.as_ref().is_some_and(|s: &LossStatement| s.oldest_unaccounted.is_none_or(on_its_way))
}
