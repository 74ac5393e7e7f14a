//! Dead letters with mended bytes, met in the log: decided again in the commit that passes the control record.
//!
//! Guarantees: only a record that is a dead letter now is restated; what is named but does not exist, or is no dead
//! letter any more, changes nothing (the control record is accounted all the same).
//! Deliberately not here: who may mend (`api`), deciding (`steps`).

use crate::committer::Committer;
use crate::error::ProcessorError;
use crate::source;
use crate::steps::decide::{Again, Old};
use crate::steps::decode::{Content, Decoded, decode_mended};
use std::collections::BTreeMap;
use tallymark_catalog::CommitRecord;
use tallymark_ledger::Interval;
use tallymark_log::ReadLimit;
use tallymark_model::{CommitSeq, Control, Millis, Outcome, Position, ProjectId, Redrive};
use tallymark_state::Delta;

/// Restatements of one record that are looked through, at most; each is an operator's deed.
const HISTORY: usize = 10_000;

/// What a group says about dead letters.
pub(crate) enum Mending {
    /// These are decided again.
    Again(Vec<Again>),
    /// This control record names a record of its own group: what is before it has to be committed first.
    Split(Position),
    /// Asked to stop.
    Stopped,
}

/// Redrives among records, in order of the log; of several for one dead letter the last.
fn asked(records: &[Decoded]) -> BTreeMap<Position, (Position, Redrive)> {
    let mut asked = BTreeMap::new();
    for record in records {
        if let Content::Control(control) = &record.content
            && let Control::Redrive(redrive) = control.as_ref()
            && redrive.position.shard() == record.position.shard()
            && redrive.position.offset < record.position.offset
        {
            let held: Option<&(Position, Redrive)> = asked.get(&redrive.position);
            if held.is_none_or(|(at, _)| *at < record.position) {
                asked.insert(redrive.position, (record.position, redrive.clone()));
            }
        }
    }
    asked
}

impl Committer {
    /// The dead letters that a group's control records mend. `fresh`: intervals that the group decides itself.
    pub(crate) async fn mending(
        &mut self,
        records: &[Decoded],
        fresh: &[Interval],
    ) -> Result<Mending, ProcessorError> {
        let asked = asked(records);
        if let Some((at, _)) = asked.values().filter(|(_, r)| fresh.iter().any(|i| i.contains(r.position))).min_by_key(|(at, _)| *at) {
            return Ok(Mending::Split(*at));
        }
        let mut again = Vec::new();
        for (position, (_, redrive)) in asked {
            let one = Interval::new(position.shard(), position.offset, position.offset + 1);
            let stock = source::read(&self.deps, one, ReadLimit { records: 1, bytes: usize::MAX }).await?;
            let Some((_, record)) = stock.records.into_iter().next() else {
                tracing::error!(%position, "the dead letter that was mended cannot be read any more; it stays dead");
                continue;
            };
            let Some(found) = self.outcome_of(position, source::received_at(&record)).await? else {
                return Ok(Mending::Stopped);
            };
            let Some((project, outcome @ Outcome::Dead { .. })) = found else {
                tracing::warn!(%position, by = redrive.by, "what was mended is no dead letter; nothing changes");
                continue;
            };
            let record = decode_mended(position, record, &redrive, self.deps.decode);
            again.push(Again { record, old: Old { project, outcome, row: None } });
        }
        Ok(Mending::Again(again))
    }

    /// What the newest delta that mentions a record says of it; inner none: it is visible, control, or has no account.
    /// Outer none: asked to stop.
    async fn outcome_of(
        &mut self,
        position: Position,
        received_at: Millis,
    ) -> Result<Option<Option<(ProjectId, Outcome)>>, ProcessorError> {
        let catalog = self.deps.catalog.clone();
        let to = received_at.checked_add(1);
        let history = || catalog.restatements(Some(received_at), to, HISTORY);
        let Some(history) = self.patiently("restatements", history).await? else { return Ok(None) };
        let mut seqs: Vec<CommitSeq> = history
            .into_iter()
            .filter(|r| r.restatement.interval.contains(position))
            .map(|r| r.seq)
            .collect();
        match self.commit_over(position).await? {
            Some(Some(record)) => seqs.push(record.seq),
            Some(None) => return Ok(Some(None)),
            None => return Ok(None),
        }
        seqs.sort_unstable();
        seqs.dedup();
        let mut found = None;
        for seq in seqs {
            let after = CommitSeq(seq.0 - 1);
            let Some(records) = self.patiently("feed", || catalog.feed(after, 1)).await? else { return Ok(None) };
            let Some(key) = records.into_iter().next().and_then(|r| r.delta) else { continue };
            let delta = Delta::decode(&self.deps.store.get(&key).await?)?;
            if delta.restated.iter().any(|i| i.contains(position)) {
                found = None;
            }
            if let Some(e) = delta.exceptions.iter().find(|e| e.position == position) {
                found = Some((e.project, e.outcome.clone()));
            }
        }
        Ok(Some(found))
    }

    /// The commit that moved the cursor over a position.
    pub(crate) async fn commit_over(
        &mut self,
        position: Position,
    ) -> Result<Option<Option<CommitRecord>>, ProcessorError> {
        let catalog = self.deps.catalog.clone();
        let (mut before, mut by) = (0, self.state()?.applied().0);
        // The cursor is at or below the position as of `before`, beyond it as of `by`.
        let passed = |cursors: &[(tallymark_model::Shard, u64)]| {
            cursors.iter().any(|(shard, cursor)| *shard == position.shard() && *cursor > position.offset)
        };
        let at = |seq: u64| catalog.cursors_at(CommitSeq(seq));
        let Some(now) = self.patiently("cursors", || at(by)).await? else { return Ok(None) };
        if !passed(&now) {
            return Ok(Some(None));
        }
        while by - before > 1 {
            let middle = before + (by - before) / 2;
            let Some(cursors) = self.patiently("cursors", || at(middle)).await? else { return Ok(None) };
            if passed(&cursors) { by = middle } else { before = middle }
        }
        let records = self.patiently("feed", || catalog.feed(CommitSeq(by - 1), 1)).await?;
        Ok(records.map(|r| r.into_iter().next()))
    }
}
