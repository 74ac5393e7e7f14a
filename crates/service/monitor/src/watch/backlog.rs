//! Backlogs: estimates of this round, and their history in the store.
//!
//! Guarantees: one point a minute; a run that was open when the process ended goes on.
//! Deliberately not here: estimating (`eta`).

use crate::config::MINUTE;
use crate::eta::{EtaNow, EtaPoint, EtaStep, EtaTracker};
use crate::store::WatchStore;
use crate::{Facts, MonitorError};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use tallymark_model::{Lane, Millis};

#[derive(Debug)]
struct Open {
    id: String,
    last_point: Option<Millis>,
}

#[derive(Debug)]
pub struct Backlogs {
    tracker: EtaTracker,
    open: BTreeMap<Lane, Open>,
}

impl Backlogs {
    pub async fn resume(store: &WatchStore) -> Result<Backlogs, MonitorError> {
        let mut backlogs = Backlogs { tracker: EtaTracker::default(), open: BTreeMap::new() };
        for run in store.open_eta_runs().await? {
            backlogs.tracker.resume(run.lane, run.started_at, run.shrinking_since);
            backlogs.open.insert(run.lane, Open { id: run.id, last_point: None });
        }
        Ok(backlogs)
    }

    /// The estimates of every lane that has a backlog.
    pub async fn observe(
        &mut self,
        store: &WatchStore,
        facts: &mut Facts,
    ) -> Result<Vec<EtaNow>, MonitorError> {
        let mut shown = Vec::new();
        for step in self.tracker.observe(facts) {
            match step {
                EtaStep::Running { now, shrinking_since } => {
                    self.point(store, &now, shrinking_since).await?;
                    shown.push(now);
                }
                EtaStep::Drained { lane, .. } => {
                    if let Some(open) = self.open.remove(&lane) {
                        store.close_eta_run(&open.id, facts.at).await?;
                    }
                }
            }
        }
        Ok(shown)
    }

    async fn point(
        &mut self,
        store: &WatchStore,
        now: &EtaNow,
        shrinking_since: Option<Millis>,
    ) -> Result<(), MonitorError> {
        let open = match self.open.entry(now.lane) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let id = store.open_eta_run(now.lane, now.started_at).await?;
                new.insert(Open { id, last_point: None })
            }
        };
        if open.last_point.is_none_or(|at| now.at - at >= MINUTE) {
            store.add_eta_point(&open.id, &EtaPoint::of(now), shrinking_since).await?;
            open.last_point = Some(now.at);
        }
        Ok(())
    }
}
