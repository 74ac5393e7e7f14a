//! Dead letters with mended bytes, met in the log: decided again in the commit that passes the control record.
//!
//! Guarantees: only a record that is a dead letter now is restated; what is named but does not exist, or is no dead
//! letter any more, changes nothing (the control record is accounted all the same).
//! Deliberately not here: who may mend (`api`), deciding (`steps`).

use crate::committer::Committer;
use crate::error::ProcessorError;
use crate::recovery::Backoff;
use crate::run::Deps;
use crate::source;
use crate::steps::decide::{Again, Old};
use crate::steps::decode::{Content, Decoded, Mended, decode_all, decode_mended};
use crate::telemetry;
use std::collections::BTreeMap;
use std::time::Instant;
use tallymark_ledger::{Interval, IntervalSet};
use tallymark_log::ReadLimit;
use tallymark_model::{CommitSeq, Control, Millis, Outcome, Position, ProjectId, Record, Redrive, Shard};
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

/// Redrives among records by dead letter; of several for one dead letter the last.
pub(crate) type Asked = BTreeMap<Position, (Position, Redrive)>;

/// What the records ask to mend.
pub(crate) fn asked(records: &[Decoded]) -> Asked {
    let mut asked = Asked::new();
    for record in records {
        if let Content::Control(control) = &record.content
            && let Control::Redrive(redrive) = control.as_ref()
            && redrive.position.shard() == record.position.shard()
            && redrive.position.offset < record.position.offset
            && asked.get(&redrive.position).is_none_or(|(at, _)| *at < record.position)
        {
            asked.insert(redrive.position, (record.position, redrive.clone()));
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
        let own = asked.values().filter(|(_, r)| fresh.iter().any(|i| i.contains(r.position)));
        if let Some((at, _)) = own.min_by_key(|(at, _)| *at) {
            return Ok(Mending::Split(*at));
        }
        let mut backoff = Backoff::new(&self.config);
        let started = Instant::now();
        loop {
            match mended(&self.deps, &asked, self.state()?.applied()).await {
                Ok(again) => return Ok(Mending::Again(again)),
                Err(ProcessorError::Catalog(error)) => self.tolerate("redrive", error, started)?,
                Err(ProcessorError::Store(error)) if error.retryable() => telemetry::retried("store"),
                Err(error) => return Err(error),
            }
            if !self.pause(&mut backoff).await {
                return Ok(Mending::Stopped);
            }
        }
    }
}

/// The records to decide again, as of a commit.
pub(crate) async fn mended(
    deps: &Deps,
    asked: &Asked,
    as_of: CommitSeq,
) -> Result<Vec<Again>, ProcessorError> {
    let mut again = Vec::new();
    for (position, (_, redrive)) in asked {
        let one = Interval::new(position.shard(), position.offset, position.offset + 1);
        let stock = source::read(deps, one, ReadLimit { records: 1, bytes: usize::MAX }).await?;
        let Some((_, record)) = stock.records.into_iter().next() else {
            tracing::error!(%position, "the dead letter that was mended cannot be read any more; it stays dead");
            continue;
        };
        let received_at = source::received_at(&record);
        let Some((project, outcome @ Outcome::Dead { .. })) =
            outcome_of(deps, *position, received_at, as_of).await?
        else {
            tracing::warn!(%position, by = redrive.by, "what was mended is no dead letter; nothing changes");
            continue;
        };
        let record = decode_mended(*position, record, redrive, deps.decode);
        again.push(Again { record, old: Old { project, outcome, row: None } });
    }
    Ok(again)
}

/// The mended bytes that count for these records when they are decided again. An operator's word about a record that
/// was no dead letter changed nothing then and changes nothing later. `restated`: positions whose mending is in the
/// books.
pub(crate) async fn lasting(
    deps: &Deps,
    records: &[(Position, Record)],
    mended: &Mended,
    restated: &IntervalSet,
) -> Result<Mended, ProcessorError> {
    let mut lasting = Mended::new();
    if mended.is_empty() {
        return Ok(lasting);
    }
    for (position, record) in records {
        let Some(held) = mended.get(position) else { continue };
        let original = decode_all(vec![(*position, record.clone())], deps.decode);
        let is_dead = match original.first().map(|d| &d.content) {
            Some(Content::Event { event: Err(_), .. }) => true,
            Some(Content::Event { token, .. }) => deps.catalog.resolve(*token).await?.is_none(),
            Some(Content::Control(_)) | None => false,
        };
        if is_dead || restated.contains(*position) {
            lasting.insert(*position, held.clone());
        }
    }
    Ok(lasting)
}

/// What the newest delta that mentions a record says of it; none: it is visible, control, or has no account.
async fn outcome_of(
    deps: &Deps,
    position: Position,
    received_at: Millis,
    as_of: CommitSeq,
) -> Result<Option<(ProjectId, Outcome)>, ProcessorError> {
    let Some(first) = commit_over(deps, position, as_of).await? else { return Ok(None) };
    let to = received_at.checked_add(1);
    let history = deps.catalog.restatements(Some(received_at), to, HISTORY).await?;
    let later = history.into_iter().filter(|r| r.restatement.interval.contains(position)).map(|r| r.seq);
    let mut seqs: Vec<CommitSeq> = later.filter(|seq| *seq <= as_of).chain([first]).collect();
    seqs.sort_unstable();
    seqs.dedup();
    let mut found = None;
    for seq in seqs {
        let record = deps.catalog.feed(CommitSeq(seq.0 - 1), 1).await?.into_iter().next();
        let Some(key) = record.and_then(|r| r.delta) else { continue };
        let delta = Delta::decode(&deps.store.get(&key).await?)?;
        if delta.restated.iter().any(|i| i.contains(position)) {
            found = None;
        }
        if let Some(e) = delta.exceptions.iter().find(|e| e.position == position) {
            found = Some((e.project, e.outcome.clone()));
        }
    }
    Ok(found)
}

/// The commit that moved the cursor over a position, if there is one by then.
async fn commit_over(
    deps: &Deps,
    position: Position,
    by: CommitSeq,
) -> Result<Option<CommitSeq>, ProcessorError> {
    let passed = |cursors: Vec<(Shard, u64)>| {
        cursors.iter().any(|(shard, cursor)| *shard == position.shard() && *cursor > position.offset)
    };
    // The cursor is at or below the position as of `before`, beyond it as of `by`.
    let (mut before, mut by) = (0, by.0);
    if !passed(deps.catalog.cursors_at(CommitSeq(by)).await?) {
        return Ok(None);
    }
    while by - before > 1 {
        let middle = before + (by - before) / 2;
        if passed(deps.catalog.cursors_at(CommitSeq(middle)).await?) { by = middle } else { before = middle }
    }
    Ok(Some(CommitSeq(by)))
}
