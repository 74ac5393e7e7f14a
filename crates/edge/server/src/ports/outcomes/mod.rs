//! What became of single records: the exceptions in the commits' deltas.
//!
//! Guarantees: the newest commit that decided a record has the last word; a letter that was mended is dead no more.
//! Deliberately not here: visible rows (they are in the segments), records that nobody decided yet.

use super::log_handle::port;
use async_trait::async_trait;
use std::sync::Arc;
use tallymark_api::{DeadLetter, DeadPage, Outcomes, PortError, Verdict};
use tallymark_catalog::{CommitRecord, Feed};
use tallymark_ledger::{Account, Interval, IntervalSet, Tally};
use tallymark_model::{CommitSeq, Control, Outcome, OutcomeKind, Position, ProjectId, WireFormat};
use tallymark_state::{Delta, Exception};
use tallymark_store::ObjectStore;
use tokio::sync::Mutex;

/// Commits read at a time.
const PAGE: u64 = 200;

/// Reads outcomes from the deltas that commits left in the object store.
pub struct DeltaOutcomes {
    feed: Arc<dyn Feed>,
    store: ObjectStore,
    dead: Mutex<DeadIndex>,
}

/// Commits with dead letters, oldest first, and what later commits decided again: rows grow with anomalies, not
/// with commits.
#[derive(Default)]
struct DeadIndex {
    read: CommitSeq,
    commits: Vec<(CommitSeq, ProjectId, Vec<Interval>)>,
    again: Vec<(CommitSeq, Vec<Interval>)>,
}

impl DeadIndex {
    /// True if a later commit decided this record again.
    fn superseded(&self, seq: CommitSeq, position: Position) -> bool {
        self.again
            .iter()
            .rev()
            .take_while(|(s, _)| *s > seq)
            .any(|(_, i)| i.iter().any(|i| i.contains(position)))
    }
}

/// What a commit decided.
struct Decided {
    /// Where; records without an exception are visible (or control records).
    intervals: Vec<Interval>,
    exceptions: Vec<Exception>,
    /// Records that an operator gave to a project when their bytes were mended.
    given: Vec<(Position, ProjectId)>,
}

impl DeltaOutcomes {
    /// Outcomes of the commits in this feed.
    pub fn new(feed: Arc<dyn Feed>, store: ObjectStore) -> DeltaOutcomes {
        DeltaOutcomes { feed, store, dead: Mutex::default() }
    }

    async fn page(&self, after: CommitSeq, limit: u64) -> Result<Vec<CommitRecord>, PortError> {
        self.feed.feed(after, limit as usize).await.map_err(|e| port("reading commits", e))
    }

    async fn latest(&self) -> Result<u64, PortError> {
        Ok(self.feed.latest_seq().await.map_err(|e| port("reading commits", e))?.0)
    }

    async fn delta(&self, commit: &CommitRecord) -> Result<Option<Delta>, PortError> {
        let Some(key) = &commit.delta else { return Ok(None) };
        let bytes = self.store.get(key).await.map_err(|e| port("reading a delta", e))?;
        Delta::decode(&bytes).map(Some).map_err(|e| port("reading a delta", e))
    }

    /// What a commit decided, if any of it may lie in what is wanted.
    async fn decided(
        &self,
        commit: &CommitRecord,
        wanted: &IntervalSet,
    ) -> Result<Option<Decided>, PortError> {
        let touches = |i: &Interval| wanted.iter().any(|w| w.overlaps(i));
        let accounted = |account: &Account| matches!(account, Account::Accounted { .. });
        let mut intervals: Vec<Interval> =
            commit.advances.iter().filter(|a| accounted(&a.account)).map(|a| a.interval()).collect();
        let restated = commit.restated.iter().filter(|r| accounted(&r.now));
        // What was skipped or lost is decided as a whole; of what was accounted the delta says which records.
        let (partly, wholly): (Vec<_>, Vec<_>) = restated.partition(|r| accounted(&r.was));
        intervals.extend(wholly.iter().map(|r| r.interval));
        if !intervals.iter().chain(partly.iter().map(|r| &r.interval)).any(touches) {
            return Ok(None);
        }
        let delta = self.delta(commit).await?;
        let given = delta.as_ref().map(given).unwrap_or_default();
        let (again, exceptions) = delta.map(|d| (d.restated, d.exceptions)).unwrap_or_default();
        intervals.extend(again);
        Ok(Some(Decided { intervals, exceptions, given }))
    }

    /// Brings the index of dead letters up to date.
    async fn index(&self, index: &mut DeadIndex) -> Result<(), PortError> {
        loop {
            let page = self.page(index.read, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            for commit in &page {
                index.commits.extend(letters_of(commit));
                if !commit.restated.is_empty()
                    && let Some(delta) = self.delta(commit).await?
                {
                    index.again.push((commit.seq, delta.restated));
                }
            }
            index.read = last.seq;
        }
    }

    async fn commit(&self, seq: CommitSeq) -> Result<Option<CommitRecord>, PortError> {
        Ok(self.page(CommitSeq(seq.0.saturating_sub(1)), 1).await?.into_iter().next())
    }
}

impl Decided {
    fn owner(&self, position: Position) -> Option<ProjectId> {
        self.given.iter().find(|(p, _)| *p == position).map(|(_, project)| *project)
    }
}

fn given(delta: &Delta) -> Vec<(Position, ProjectId)> {
    let redrives = delta.controls.iter().filter_map(|(_, control)| match control {
        Control::Redrive(redrive) => Some((redrive.position, redrive.project?)),
        _ => None,
    });
    // Of several for one letter the last counts.
    redrives.rev().collect()
}

/// The projects that got dead letters in a commit, with where those are.
fn letters_of(commit: &CommitRecord) -> Vec<(CommitSeq, ProjectId, Vec<Interval>)> {
    let advanced = commit.advances.iter().flat_map(|a| a.projects.iter().map(move |p| (p, a.interval())));
    let restated = commit.restated.iter().flat_map(|r| r.now_parts.iter().map(move |p| (p, r.interval)));
    let mut found: Vec<(CommitSeq, ProjectId, Vec<Interval>)> = Vec::new();
    for ((project, ..), interval) in advanced.chain(restated).filter(|((_, t, _), _)| t.dead > 0) {
        match found.iter_mut().find(|(_, p, _)| p == project) {
            Some((_, _, intervals)) => intervals.push(interval),
            None => found.push((commit.seq, *project, vec![interval])),
        }
    }
    found
}

#[async_trait]
impl Outcomes for DeltaOutcomes {
    async fn count(&self, ranges: &[Interval]) -> Result<Tally, PortError> {
        let mut open: IntervalSet = ranges.iter().copied().collect();
        let mut tally = Tally { visible: open.len(), ..Tally::default() };
        let mut before = self.latest().await?;
        // Receipts are asked for soon after they were given: the newest commits first.
        while !open.is_empty() && before > 0 {
            let after = before.saturating_sub(PAGE);
            for commit in self.page(CommitSeq(after), before - after).await?.iter().rev() {
                let Some(decided) = self.decided(commit, &open).await? else { continue };
                for exception in &decided.exceptions {
                    let counts = open.iter().any(|i| i.contains(exception.position))
                        && decided.intervals.iter().any(|i| i.contains(exception.position));
                    if counts {
                        move_out(&mut tally, exception.outcome.kind());
                    }
                }
                decided.intervals.iter().for_each(|i| open.remove(*i));
            }
            before = after;
        }
        Ok(tally)
    }

    async fn of(&self, position: Position) -> Result<Option<Verdict>, PortError> {
        let shard = position.shard();
        let wanted: IntervalSet =
            std::iter::once(Interval::new(shard, position.offset, position.offset + 1)).collect();
        let mut verdict: Option<Verdict> = None;
        let mut before = self.latest().await?;
        while before > 0 {
            let after = before.saturating_sub(PAGE);
            for commit in self.page(CommitSeq(after), before - after).await?.into_iter().rev() {
                if let Some(decided) = self.decided(&commit, &wanted).await?
                    && decided.intervals.iter().any(|i| i.contains(position))
                {
                    match &mut verdict {
                        Some(newest) => {
                            newest.decisions += 1;
                            // Later decisions keep the owner that the mending gave.
                            newest.project = newest.project.or_else(|| decided.owner(position));
                        }
                        None => verdict = Some(verdict_of(&commit, decided, position)),
                    }
                }
                // Before the cursor passed it nothing was decided.
                if commit.advances.iter().any(|a| a.interval().contains(position)) {
                    return Ok(verdict);
                }
            }
            before = after;
        }
        Ok(verdict)
    }

    async fn dead_letters(
        &self,
        project: ProjectId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<DeadPage, PortError> {
        let mut index = self.dead.lock().await;
        self.index(&mut index).await?;
        let commits = index.commits.iter().rev().filter(|(_, p, _)| *p == project).map(|(seq, ..)| *seq);
        // A cursor names the commit to go on in and how many of its letters were shown.
        let (from, mut skip) = cursor.and_then(parse_cursor).unwrap_or((u64::MAX, 0));
        let mut page = DeadPage::default();
        for seq in commits.filter(|seq| seq.0 <= from) {
            let Some(commit) = self.commit(seq).await? else { continue };
            let Some(delta) = self.delta(&commit).await? else { continue };
            let mut letters: Vec<&Exception> = delta.dead(project).collect();
            letters.sort_by_key(|e| std::cmp::Reverse((e.received_at, e.position)));
            if seq.0 < from {
                skip = 0;
            }
            for (i, exception) in letters.into_iter().enumerate().skip(skip) {
                if index.superseded(seq, exception.position) {
                    continue;
                }
                if page.dead.len() == limit {
                    page.next = Some(format!("{}.{i}", seq.0));
                    return Ok(page);
                }
                page.dead.extend(letter(exception));
            }
        }
        Ok(page)
    }

    async fn dead_letter(
        &self,
        project: ProjectId,
        position: Position,
    ) -> Result<Option<DeadLetter>, PortError> {
        let mut index = self.dead.lock().await;
        self.index(&mut index).await?;
        let holds = |i: &Vec<Interval>| i.iter().any(|i| i.contains(position));
        let commits: Vec<CommitSeq> = index
            .commits
            .iter()
            .rev()
            .filter(|(seq, p, i)| *p == project && holds(i) && !index.superseded(*seq, position))
            .map(|(seq, ..)| *seq)
            .collect();
        for seq in commits {
            let Some(commit) = self.commit(seq).await? else { continue };
            let Some(delta) = self.delta(&commit).await? else { continue };
            let found = delta.dead(project).find(|e| e.position == position).and_then(letter);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

fn verdict_of(commit: &CommitRecord, decided: Decided, position: Position) -> Verdict {
    let given = decided.owner(position);
    let exception = decided.exceptions.into_iter().find(|e| e.position == position);
    Verdict {
        position,
        project: exception.as_ref().map(|e| e.project).or(given),
        received_at: exception.as_ref().map(|e| e.received_at),
        outcome: exception.map_or(Outcome::Visible, |e| e.outcome),
        commit: commit.seq,
        decided_at: commit.created_at,
        origin: commit.origin,
        decisions: 1,
    }
}

fn letter(exception: &Exception) -> Option<DeadLetter> {
    let Outcome::Dead { reason } = &exception.outcome else { return None };
    Some(DeadLetter {
        position: exception.position,
        received_at: exception.received_at,
        reason: reason.clone(),
        wire: exception.wire.unwrap_or(WireFormat::NativeV1),
        body: exception.body.clone(),
    })
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

#[cfg(test)]
mod tests;
