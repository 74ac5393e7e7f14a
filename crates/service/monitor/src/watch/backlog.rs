//! Backlogs: estimates of this round, and their history in the store.
//!
//! Guarantees: a young backlog keeps a point every few seconds, an old one a point a minute; a run that was open when
//! the process ended goes on.
//! Deliberately not here: estimating (`eta`).

use crate::config::MINUTE;
use crate::eta::{EtaNow, EtaPoint, EtaStep, EtaTracker};
use crate::store::WatchStore;
use crate::{Facts, MonitorError};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use tallymark_model::{Lane, Millis};

/// Points of a young backlog are this far apart: most backlogs are over within minutes, and theirs count too.
const SPACING_MIN: Millis = 5_000;
/// Points of an old one.
const SPACING_MAX: Millis = MINUTE;
/// In between, the distance is this part of the backlog's age: every hour holds about as many as the one before.
const SPACING_PART: Millis = 30;

/// How far apart the points of a backlog of this age are.
fn spacing(age: Millis) -> Millis {
    (age / SPACING_PART).clamp(SPACING_MIN, SPACING_MAX)
}

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
        if open.last_point.is_none_or(|at| now.at - at >= spacing(now.at - now.started_at)) {
            store.add_eta_point(&open.id, &EtaPoint::of(now), shrinking_since).await?;
            open.last_point = Some(now.at);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eta::ShardEta;
    use tallymark_model::Shard;

    #[tokio::test]
    async fn a_young_backlog_keeps_many_points_and_an_old_one_few() {
        let folder = tempfile::tempdir().unwrap();
        let store = WatchStore::open(&folder.path().join("watch.db")).await.unwrap();
        let mut backlogs = Backlogs { tracker: EtaTracker::default(), open: BTreeMap::new() };
        let shard = Shard { lane: Lane::Live, partition: 0 };
        for second in 0..=3_600 {
            let worst = ShardEta::of(shard, 1_000, None);
            let now = EtaNow::of(second * 1_000, Lane::Live, 0, vec![worst], None).unwrap();
            backlogs.point(&store, &now, None).await.unwrap();
        }
        let run = store.eta_runs(1).await.unwrap().remove(0);
        let between = |from: i64, to: i64| {
            run.points.iter().filter(|p| (from * 1_000..to * 1_000).contains(&p.at)).count()
        };
        assert_eq!(between(0, 60), 12);
        assert!((29..=31).contains(&between(1_800, 3_600)), "{}", between(1_800, 3_600));
        assert!(run.points.windows(2).all(|p| p[1].at - p[0].at <= MINUTE));
    }
}
