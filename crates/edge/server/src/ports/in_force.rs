//! What control records brought about, from the fold that queries follow.

use super::log_handle::port;
use async_trait::async_trait;
use std::sync::Arc;
use tallymark_api::{HeldBack, InForce, PortError, RuleInForce};
use tallymark_catalog::{Settings, token_of};
use tallymark_model::{Position, ProjectId};
use tallymark_query::StateFollower;

/// Reads the fold.
pub struct FoldedControls {
    /// The fold, which follows the catalog.
    pub follower: Arc<StateFollower>,
    /// Whose token is whose.
    pub settings: Arc<dyn Settings>,
}

#[async_trait]
impl InForce for FoldedControls {
    async fn rules(&self, project: ProjectId) -> Result<Vec<RuleInForce>, PortError> {
        self.follower.catch_up().await.map_err(|e| port("the fold of commits", e))?;
        let rules = self.follower.state().rules(project).into_iter().map(|held| RuleInForce {
            rule: held.rule.id,
            version: held.rule.version,
            since: held
                .from
                .iter()
                .map(|(shard, offset)| Position {
                    lane: shard.lane,
                    partition: shard.partition,
                    offset: *offset,
                })
                .collect(),
            broken: held.broken,
        });
        Ok(rules.collect())
    }

    async fn held_back(&self, project: ProjectId) -> Result<Vec<HeldBack>, PortError> {
        self.follower.catch_up().await.map_err(|e| port("the fold of commits", e))?;
        let keys = self.settings.keys(Some(project)).await.map_err(|e| port("the project's keys", e))?;
        let tokens: Vec<String> =
            keys.iter().filter_map(|k| k.clear.as_deref()).map(|key| token_of(key).to_string()).collect();
        let mut rows = Vec::new();
        for hour in self.follower.state().refusals(&tokens) {
            for (reason, count) in hour.refused {
                rows.push(HeldBack { hour: hour.hour, throttled: false, reason, count });
            }
            for (reason, throttled) in hour.throttled {
                rows.push(HeldBack { hour: hour.hour, throttled: true, reason, count: throttled.count });
            }
        }
        rows.sort_by(|a, b| (a.hour, a.throttled, &a.reason).cmp(&(b.hour, b.throttled, &b.reason)));
        // Several keys of the project may have been refused for the same reason.
        rows.dedup_by(|b, a| {
            let same = (a.hour, a.throttled, &a.reason) == (b.hour, b.throttled, &b.reason);
            if same {
                a.count += b.count;
            }
            same
        });
        Ok(rows)
    }
}
