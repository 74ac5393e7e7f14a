//! Gives the log's disk back: archive, then trim what may go.
//!
//! A record goes when it is accounted, covered by a checkpoint of state, archived (if that is on) and older than the
//! retention, in whole files. Age is counted in the log's own time: up to the newest receive time, and never ahead of
//! a clock that runs evenly since the start, so that a clock that jumps makes nothing old (X8).
//! Guarantees: only the `ledger` crate's permits trim; refusals are reported, never worked around.
//! Deliberately not here: when to run.

use super::index::Archive;
use super::upload::Uploaded;
use crate::failpoint::{Failpoint, NoFailpoint, Step, pass};
use crate::{RecoveryError, Retention};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tallymark_catalog::{CatalogError, Snapshots};
use tallymark_ledger::{Account, IntervalSet, permit};
use tallymark_log::{LogReader, SealedFile};
use tallymark_model::{CommitSeq, Lane, Millis, Position, Shard};

/// Archives and trims one log.
pub struct Keeper {
    log: Arc<dyn LogReader>,
    archive: Option<Archive>,
    catalog: Arc<dyn Snapshots>,
    state: PathBuf,
    retention: Retention,
    failpoint: Arc<dyn Failpoint>,
    started: (Instant, Millis),
}

/// What a round did.
#[derive(Debug, Clone, Default)]
pub struct KeepReport {
    /// Into the archive.
    pub uploaded: Uploaded,
    /// First offset kept per shard, of shards that may have been trimmed.
    pub permitted: Vec<(Shard, u64)>,
    /// Files that are old enough and stay, and why.
    pub held: Vec<Held>,
    /// Bytes of the log given back.
    pub freed_bytes: u64,
}

/// A shard whose old records stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub shard: Shard,
    /// Old enough are the offsets below this one.
    pub old_to: u64,
    /// Permitted are the offsets below this one.
    pub permitted_to: u64,
    /// Why not more.
    pub because: String,
}

impl Keeper {
    /// `archive` is `None` if archiving is off; `now` is the time by the clock.
    pub fn new(
        log: Arc<dyn LogReader>,
        archive: Option<Archive>,
        catalog: Arc<dyn Snapshots>,
        state: &Path,
        retention: Retention,
        now: Millis,
    ) -> Keeper {
        Keeper {
            log,
            archive: archive.filter(|_| retention.archive),
            catalog,
            state: state.to_owned(),
            retention,
            failpoint: Arc::new(NoFailpoint),
            started: (Instant::now(), now),
        }
    }

    /// With failpoints, for tests.
    pub fn with_failpoint(mut self, failpoint: Arc<dyn Failpoint>) -> Keeper {
        self.failpoint = failpoint;
        self
    }

    /// Archives what is not archived, then trims what may go.
    pub async fn round(&self) -> Result<KeepReport, RecoveryError> {
        let mut report = KeepReport::default();
        if let Some(archive) = &self.archive {
            report.uploaded = archive.upload(self.log.as_ref()).await?;
        }
        self.trim(&mut report).await?;
        Ok(report)
    }

    async fn trim(&self, report: &mut KeepReport) -> Result<(), RecoveryError> {
        let sealed = self.log.sealed().await?;
        let old = self.old(&sealed);
        if old.is_empty() {
            return Ok(());
        }
        let accounted = settled(self.catalog.as_ref()).await?;
        let checkpointed = self.checkpointed().await?;
        let before = self.log.usage().await?.log_bytes;
        for (shard, old_to) in old {
            let start = self.log.bounds(shard).await?.start;
            let archived_to = self.archive.as_ref().map(|a| a.reaches(shard, start));
            let at = |offset| Position { lane: shard.lane, partition: shard.partition, offset };
            let checkpointed_to = checkpointed.get(&shard).copied().unwrap_or(0);
            let mut upto = old_to;
            // As far as everything allows; what was in the way is what the first refusal says.
            let first = permit(&accounted, checkpointed_to, archived_to, at(upto));
            if let Err(refusal) = &first {
                let missing = accounted.gaps(tallymark_ledger::Interval::new(shard, 0, upto));
                let accounted_to = missing.first().map_or(upto, |gap| gap.from);
                upto = upto.min(accounted_to).min(checkpointed_to).min(archived_to.unwrap_or(upto));
                report.held.push(Held { shard, old_to, permitted_to: upto, because: refusal.to_string() });
            }
            let permit = match first.or_else(|_| permit(&accounted, checkpointed_to, archived_to, at(upto))) {
                Ok(permit) => permit,
                Err(_) => continue,
            };
            pass(self.failpoint.as_ref(), Step::TrimPermitted)?;
            self.log.trim(permit).await?;
            report.permitted.push((shard, upto));
        }
        report.freed_bytes = before.saturating_sub(self.log.usage().await?.log_bytes);
        Ok(())
    }

    /// Per shard, the offsets in files whose every record is older than the retention. A file goes as a whole or not
    /// at all, so a younger one holds back what lies behind it.
    fn old(&self, sealed: &[SealedFile]) -> BTreeMap<Shard, u64> {
        let newest = sealed.iter().filter_map(|f| f.received).map(|(_, behind)| behind).max();
        let (since, wall) = self.started;
        let steady = wall.saturating_add(since.elapsed().as_millis() as Millis);
        let Some(newest) = newest else { return BTreeMap::new() };
        let before = newest.min(steady).saturating_sub(self.retention.keep_ms());
        let mut old = BTreeMap::new();
        for lane in Lane::ALL {
            let young =
                |f: &&SealedFile| f.received.is_none_or(|(first, behind)| first.max(behind) >= before);
            for file in sealed.iter().filter(|f| f.lane == lane).take_while(|f| !young(f)) {
                for (partition, (_, to)) in (0..).zip(&file.ranges) {
                    old.insert(Shard { lane, partition }, *to);
                }
            }
        }
        old
    }

    /// How far the checkpoints of state reach that a start would use.
    async fn checkpointed(&self) -> Result<BTreeMap<Shard, u64>, RecoveryError> {
        let Some(seq) = newest_checkpoint(&self.state)? else { return Ok(BTreeMap::new()) };
        match self.catalog.cursors_at(seq).await {
            Ok(cursors) => Ok(cursors.into_iter().collect()),
            // A checkpoint from another life of this catalog covers nothing.
            Err(CatalogError::UnknownSeq { .. }) => Ok(BTreeMap::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Offsets with a final account.
async fn settled(catalog: &dyn Snapshots) -> Result<IntervalSet, RecoveryError> {
    let rows = catalog.ledger(None, None, None).await?;
    let is_final = |account: &Account| !matches!(account, Account::Skipped { .. });
    Ok(rows.into_iter().filter(|r| is_final(&r.account)).map(|r| r.interval).collect())
}

/// The commit that checkpoints of state cover for certain: the older of the two newest, because a start falls back to
/// it when the newest is damaged; the only one if there is one.
pub fn newest_checkpoint(state: &Path) -> Result<Option<CommitSeq>, RecoveryError> {
    let entries = match std::fs::read_dir(state) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(RecoveryError::disk(state))?,
    };
    let mut seqs: Vec<u64> =
        entries.filter_map(|e| e.ok()?.file_name().to_str()?.strip_suffix(".state")?.parse().ok()).collect();
    seqs.sort_unstable();
    let place = seqs.len().saturating_sub(2);
    Ok(seqs.get(place).map(|seq| CommitSeq(*seq)))
}
