//! Which older backups stay, and giving the space of the others back.
//!
//! Order: manifests first, then what no kept manifest names. A crash in between leaves space taken, which the next
//! round gives back; a manifest never names what is gone.
//! Guarantees: if a kept manifest or one of its lists cannot be read, nothing is deleted at all.
//! Deliberately not here: when.

use super::chunks::{CHUNKS, chunk_key};
use super::manifest::{self, LISTS, Manifest};
use crate::RecoveryError;
use crate::failpoint::{Failpoint, Step, pass};
use std::collections::{BTreeMap, HashSet};
use tallymark_model::Millis;
use tallymark_store::ObjectStore;

const HOUR_MS: Millis = 3_600_000;
const DAY_MS: Millis = 24 * HOUR_MS;

/// Which backups stay: the newest, and one for each of the last hours and days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepPolicy {
    /// So many newest ones.
    pub newest: usize,
    /// The newest of each of so many hours that have one.
    pub hours: usize,
    /// The newest of each of so many days that have one.
    pub days: usize,
}

impl Default for KeepPolicy {
    fn default() -> KeepPolicy {
        KeepPolicy { newest: 3, hours: 24, days: 14 }
    }
}

impl KeepPolicy {
    /// Names of the backups that may go, given (name, time) newest first.
    pub(super) fn spent(&self, backups: &[(String, Millis)]) -> Vec<String> {
        let mut kept: HashSet<&str> = backups.iter().take(self.newest).map(|(n, _)| n.as_str()).collect();
        for (span, most) in [(HOUR_MS, self.hours), (DAY_MS, self.days)] {
            let mut newest_of: BTreeMap<Millis, &str> = BTreeMap::new();
            for (name, at) in backups {
                newest_of.entry(at.div_euclid(span)).or_insert(name);
            }
            kept.extend(newest_of.values().rev().take(most));
        }
        backups.iter().map(|(n, _)| n).filter(|n| !kept.contains(n.as_str())).cloned().collect()
    }
}

/// Removes what the policy does not keep; answers the names of the backups that went.
pub(super) async fn prune(
    target: &ObjectStore,
    policy: &KeepPolicy,
    failpoint: &dyn Failpoint,
) -> Result<Vec<String>, RecoveryError> {
    let all = manifest::list_backups(target).await?;
    let good: Vec<&Manifest> = all.iter().filter_map(|b| b.manifest.as_ref()).collect();
    let times: Vec<(String, Millis)> = good.iter().map(|m| (m.name.clone(), m.started_at)).collect();
    let spent = policy.spent(&times);
    if all.len() > good.len() {
        // A damaged manifest may be repaired from elsewhere; what it needs is not known, so nothing goes.
        tracing::warn!(
            "a manifest of the backup target is damaged: nothing is pruned until it is moved away"
        );
        return Ok(Vec::new());
    }
    let kept: Vec<&Manifest> = good.into_iter().filter(|m| !spent.contains(&m.name)).collect();
    let Some(needed) = needed(target, &kept).await? else { return Ok(Vec::new()) };
    for name in &spent {
        target.delete(&manifest::manifest_key(name)).await?;
        pass(failpoint, Step::BackupPruned)?;
    }
    for prefix in [LISTS, CHUNKS] {
        for object in target.list(prefix).await? {
            if !needed.contains(&object.key) {
                target.delete(&object.key).await?;
            }
        }
    }
    Ok(spent)
}

/// Keys that these backups need; `None` if that cannot be said.
async fn needed(target: &ObjectStore, kept: &[&Manifest]) -> Result<Option<HashSet<String>>, RecoveryError> {
    let mut needed = HashSet::new();
    for manifest in kept {
        for (list, key) in manifest.lists.iter().zip(manifest::list_keys(manifest)) {
            if !needed.insert(key) {
                continue;
            }
            match manifest::read_list(target, list).await {
                Ok(entries) => {
                    needed.extend(entries.iter().flat_map(|e| &e.chunks).map(|sha| chunk_key(sha)))
                }
                Err(error @ RecoveryError::Damaged { .. }) => {
                    tracing::warn!(%error, "nothing is pruned while a kept backup is damaged");
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Some(needed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn backups(hours: &[i64]) -> Vec<(String, Millis)> {
        let mut all: Vec<Millis> = hours.iter().map(|h| h * HOUR_MS / 4).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().rev().map(|at| (format!("{at:015}"), at)).collect()
    }

    #[test]
    fn the_newest_of_hours_and_days_stay() {
        // One every quarter of an hour for three days.
        let all = backups(&(0..3 * 96).collect::<Vec<_>>());
        let policy = KeepPolicy { newest: 2, hours: 3, days: 2 };
        let spent: HashSet<String> = policy.spent(&all).into_iter().collect();
        let kept: Vec<Millis> =
            all.iter().filter(|(n, _)| !spent.contains(n)).map(|(_, at)| at / (HOUR_MS / 4)).collect();
        // The last two quarters, the last of three hours, the last of two days.
        assert_eq!(kept, [287, 286, 283, 279, 191]);
    }

    proptest! {
        #[test]
        fn the_newest_always_stay_and_nothing_more_than_the_policy(
            hours in proptest::collection::vec(0i64..2_000, 0..80), newest in 1usize..5, h in 0usize..10, d in 0usize..10,
        ) {
            let all = backups(&hours);
            let spent = KeepPolicy { newest, hours: h, days: d }.spent(&all);
            prop_assert!(all.iter().take(newest).all(|(n, _)| !spent.contains(n)));
            prop_assert!(all.len() - spent.len() <= newest + h + d);
        }
    }
}
