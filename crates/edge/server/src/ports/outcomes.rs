//! What became of single records: the exceptions in the commits' deltas.

use async_trait::async_trait;
use std::sync::Arc;
use tallymark_api::{DeadLetter, DeadPage, Outcomes, PortError};
use tallymark_catalog::{CommitRecord, Feed};
use tallymark_ledger::{Interval, Tally};
use tallymark_model::{CommitSeq, Outcome, OutcomeKind, ProjectId};
use tallymark_state::Delta;
use tallymark_store::ObjectStore;
use tokio::sync::Mutex;

/// Commits read at a time.
const PAGE: u64 = 200;

/// Reads outcomes from the deltas that commits left in the object store.
pub struct DeltaOutcomes {
    feed: Arc<dyn Feed>,
    store: ObjectStore,
    /// Commits with dead letters, oldest first: rows grow with anomalies, not with commits.
    dead: Mutex<DeadIndex>,
}

#[derive(Default)]
struct DeadIndex {
    read: CommitSeq,
    commits: Vec<(CommitSeq, ProjectId)>,
}

impl DeltaOutcomes {
    /// Outcomes of the commits in this feed.
    pub fn new(feed: Arc<dyn Feed>, store: ObjectStore) -> DeltaOutcomes {
        DeltaOutcomes { feed, store, dead: Mutex::default() }
    }

    async fn page(&self, after: CommitSeq, limit: u64) -> Result<Vec<CommitRecord>, PortError> {
        self.feed.feed(after, limit as usize).await.map_err(|e| port("reading commits", e))
    }

    async fn delta(&self, commit: &CommitRecord) -> Result<Option<Delta>, PortError> {
        let Some(key) = &commit.delta else { return Ok(None) };
        let bytes = self.store.get(key).await.map_err(|e| port("reading a delta", e))?;
        Delta::decode(&bytes).map(Some).map_err(|e| port("reading a delta", e))
    }

    /// Brings the index of dead letters up to date.
    async fn index(&self, index: &mut DeadIndex) -> Result<(), PortError> {
        loop {
            let page = self.page(index.read, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            index.read = last.seq;
            for commit in &page {
                let mut projects: Vec<ProjectId> = commit
                    .advances
                    .iter()
                    .flat_map(|a| &a.projects)
                    .filter(|(_, tally, _)| tally.dead > 0)
                    .map(|(project, ..)| *project)
                    .collect();
                projects.sort_unstable();
                projects.dedup();
                index.commits.extend(projects.into_iter().map(|p| (commit.seq, p)));
            }
        }
    }
}

#[async_trait]
impl Outcomes for DeltaOutcomes {
    async fn count(&self, ranges: &[Interval]) -> Result<Tally, PortError> {
        let mut tally = Tally { visible: ranges.iter().map(Interval::len).sum(), ..Tally::default() };
        let mut missing = tally.visible;
        let mut before = self.feed.latest_seq().await.map_err(|e| port("reading commits", e))?.0;
        // Receipts are asked for soon after they were given: the newest commits first.
        while missing > 0 && before > 0 {
            let after = before.saturating_sub(PAGE);
            for commit in self.page(CommitSeq(after), before - after).await?.iter().rev() {
                let overlap: u64 = commit.advances.iter().map(|a| covered(ranges, &a.interval())).sum();
                if overlap == 0 {
                    continue;
                }
                missing = missing.saturating_sub(overlap);
                let exceptions = self.delta(commit).await?.map(|d| d.exceptions).unwrap_or_default();
                for exception in exceptions {
                    if ranges.iter().any(|r| r.contains(exception.position)) {
                        move_out(&mut tally, exception.outcome.kind());
                    }
                }
            }
            before = after;
        }
        Ok(tally)
    }

    async fn dead_letters(
        &self,
        project: ProjectId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<DeadPage, PortError> {
        let commits: Vec<CommitSeq> = {
            let mut index = self.dead.lock().await;
            self.index(&mut index).await?;
            index.commits.iter().rev().filter(|(_, p)| *p == project).map(|(seq, _)| *seq).collect()
        };
        // A cursor names the commit to go on in and how many of its letters were shown.
        let (from, mut skip) = cursor.and_then(parse_cursor).unwrap_or((u64::MAX, 0));
        let mut page = DeadPage::default();
        for seq in commits.into_iter().filter(|seq| seq.0 <= from) {
            let Some(commit) = self.page(CommitSeq(seq.0 - 1), 1).await?.into_iter().next() else { continue };
            let Some(delta) = self.delta(&commit).await? else { continue };
            let mut letters: Vec<_> = delta.dead(project).collect();
            letters.sort_by_key(|e| std::cmp::Reverse((e.received_at, e.position)));
            if seq.0 < from {
                skip = 0;
            }
            for (i, exception) in letters.into_iter().enumerate().skip(skip) {
                if page.dead.len() == limit {
                    page.next = Some(format!("{}.{i}", seq.0));
                    return Ok(page);
                }
                if let Outcome::Dead { reason } = &exception.outcome {
                    page.dead.push(DeadLetter {
                        position: exception.position,
                        received_at: exception.received_at,
                        reason: reason.clone(),
                        body: exception.body.clone(),
                    });
                }
            }
        }
        Ok(page)
    }
}

fn covered(ranges: &[Interval], advance: &Interval) -> u64 {
    let overlap = |r: &Interval| r.to.min(advance.to).saturating_sub(r.from.max(advance.from));
    ranges.iter().filter(|r| r.shard == advance.shard).map(overlap).sum()
}

fn move_out(tally: &mut Tally, kind: OutcomeKind) {
    if kind != OutcomeKind::Visible {
        tally.visible = tally.visible.saturating_sub(1);
        tally.count(kind);
    }
}

fn parse_cursor(text: &str) -> Option<(u64, usize)> {
    let (seq, skip) = text.split_once('.')?;
    Some((seq.parse().ok()?, skip.parse().ok()?))
}

fn port(what: &'static str, error: impl std::fmt::Display) -> PortError {
    PortError { what, detail: error.to_string() }
}
