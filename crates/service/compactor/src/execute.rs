//! One task: read, merge, write, commit.
//!
//! A crash before the commit leaves files that no one refers to; a crash after it leaves files that no one refers
//! to any more. Both are garbage, and the collector knows them by their epoch and by the catalog's rows.

use crate::books::restatements;
use crate::failpoint::failpoint;
use crate::merge::{MergeRequest, Merged, Order, merge_leaving};
use crate::plan::{Action, Task};
use crate::{Catalog, CompactError, CompactorConfig, ErasedRow, ErasedRows, LeaveOut, Result};
use model::{CommitId, CommitSeq, ERASED_RULE, Epoch, LogId, Millis, Outcome, Position, ProjectId};
use std::collections::BTreeMap;
use tallymark_catalog::{Commit, CommitAnswer, Origin};
use tallymark_ledger::{Interval, IntervalSet};
use tallymark_model as model;
use tallymark_state::{Delta, Exception, ProjectSnapshot};
use tallymark_store::{ObjectStore, SegmentReader};
use tokio_util::sync::CancellationToken;

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The new segments are live.
    Committed {
        /// Under this sequence.
        seq: CommitSeq,
        /// Rows merged.
        rows: u64,
    },
    /// Somebody else removed an input first; nothing was changed.
    Conflict,
    /// The inputs that fit into memory together are too few to be worth a merge.
    TooBig,
}

/// Who compacts: what goes into a commit besides the segments.
#[derive(Debug, Clone)]
pub(crate) struct Committer {
    pub epoch: Epoch,
    pub parent: Option<CommitId>,
}

/// Carries out a task.
#[expect(clippy::too_many_arguments)] // everything a task needs, once
pub(crate) async fn execute(
    task: &Task,
    erased: &ErasedRows,
    identity: &ProjectSnapshot,
    committer: &mut Committer,
    catalog: &dyn Catalog,
    store: &ObjectStore,
    config: &CompactorConfig,
    cancel: &CancellationToken,
) -> Result<Done> {
    let id = CommitId(uuid::Uuid::now_v7());
    // The sequence first: a mask that comes in between is written in and, as it seems unknown, planned again.
    let as_of = catalog.latest_seq().await?;
    let masked = catalog.masked(&task.input_ids()).await?;
    let masked = masked.into_iter().map(|(id, masks)| (id, masks.iter().map(|m| m.interval).collect()));
    let leave = LeaveOut::new(masked, erased.clone());
    let encoded = {
        let (task, store, identity) = (task.clone(), store.clone(), identity.clone());
        let (committer, config, cancel) = (committer.clone(), config.clone(), cancel.clone());
        let work = move || encode(&task, &leave, &identity, id, &committer, &store, &config, &cancel);
        match tokio::task::spawn_blocking(work).await {
            Ok(encoded) => encoded?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    };
    let Some((inputs, merged)) = encoded else { return Ok(Done::TooBig) };
    failpoint("compact_before_write");
    let rows = merged.iter().flat_map(|(_, m)| &m.files).map(|o| o.meta.rows).sum();
    let (mut add, mut left_out, mut restate, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (log, Merged { files, left_out: out, erased }) in merged {
        for file in files {
            add.push(file.store(store).await?);
        }
        left_out.extend(out);
        if !erased.is_empty() {
            let received = || erased.iter().map(|e| e.received_at);
            let span = (received().min(), received().max().map(|to| to + 1));
            let rows_of_books = catalog.ledger(Some(task.project), span.0, span.1).await?;
            restate.extend(restatements(task.project, log, &erased, &rows_of_books)?);
            gone.extend(erased);
        }
    }
    let delta =
        if matches!(erased, ErasedRows::Of(..)) { tell(store, id, task.project, &gone).await? } else { None };
    failpoint("compact_after_write");
    let commit = Commit {
        remove: inputs.iter().map(|i| i.meta().id).collect(),
        add,
        delta,
        restate,
        left_out,
        as_of,
        origin: Origin::Compaction,
        ..Commit::new(id, committer.epoch, now())
    };
    let answer = settle(catalog, &commit).await?;
    failpoint("compact_after_commit");
    match answer {
        CommitAnswer::Applied(seq) | CommitAnswer::Already(seq) => {
            committer.parent = Some(id);
            Ok(Done::Committed { seq, rows })
        }
        refused => {
            for segment in &commit.add {
                store.delete(&segment.key).await?;
            }
            if let Some(key) = &commit.delta {
                store.delete(key).await?;
            }
            match refused {
                CommitAnswer::Fenced { epoch } => Err(CompactError::Fenced(epoch)),
                _ => Ok(Done::Conflict),
            }
        }
    }
}

/// Says of every row that is gone what became of it, so that each record has one outcome that can be looked up.
async fn tell(
    store: &ObjectStore,
    id: CommitId,
    project: ProjectId,
    gone: &[ErasedRow],
) -> Result<Option<String>> {
    if gone.is_empty() {
        return Ok(None);
    }
    let mut delta = Delta::empty(id);
    delta.exceptions = gone
        .iter()
        .map(|row| Exception {
            position: row.position,
            received_at: row.received_at,
            project,
            outcome: Outcome::Filtered { rule: ERASED_RULE },
            key: 0,
            wire: None,
            body: Default::default(),
        })
        .collect();
    delta.exceptions.sort_unstable_by_key(|e| e.position);
    let at = |p: Position| Interval::new(p.shard(), p.offset, p.offset + 1);
    delta.restated = gone.iter().map(|row| at(row.position)).collect::<IntervalSet>().iter().collect();
    let key = format!("deltas/{}.delta", id.0);
    store.put(&key, delta.encode()?.into()).await?;
    Ok(Some(key))
}

/// Commits; if the answer was lost, asks what became of it. An error means: unknown, the files must stay.
async fn settle(catalog: &dyn Catalog, commit: &Commit) -> Result<CommitAnswer> {
    match catalog.commit(commit).await {
        Ok(answer) => Ok(answer),
        Err(error) if error.retryable() => match catalog.status(commit.id).await? {
            Some(seq) => Ok(CommitAnswer::Already(seq)),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

type Encoded = (Vec<SegmentReader>, Vec<(LogId, Merged)>);

/// Reads and merges, on a blocking thread.
#[expect(clippy::too_many_arguments)] // handed over to another thread in one piece
fn encode(
    task: &Task,
    leave: &LeaveOut,
    identity: &ProjectSnapshot,
    commit: CommitId,
    committer: &Committer,
    store: &ObjectStore,
    config: &CompactorConfig,
    cancel: &CancellationToken,
) -> Result<Option<Encoded>> {
    let mut inputs = Vec::new();
    let mut bytes = 0;
    for meta in &task.inputs {
        let reader = SegmentReader::open(store, meta)?;
        bytes += reader.uncompressed_bytes();
        if !inputs.is_empty() && bytes > config.max_task_bytes {
            break;
        }
        inputs.push(reader);
    }
    let whole = inputs.iter().all(|i| leave.spares(i.meta().id));
    if inputs.len() < 2 && task.action != Action::Split && whole {
        return Ok(None);
    }
    let order = match task.action {
        Action::Gather => Order::Arrival,
        Action::Split => {
            Order::Days { view: &identity.identity, seq: identity.seq, min_rows: config.plan.min_day_rows }
        }
        Action::Day(_) => Order::Days { view: &identity.identity, seq: identity.seq, min_rows: 0 },
        Action::Names(level) => Order::Names { level },
    };
    let request = MergeRequest {
        order,
        max_file_rows: config.max_file_rows,
        commit,
        parent: committer.parent,
        epoch: committer.epoch,
    };
    // Positions of two incarnations of the log do not compare, so each is merged for itself.
    let mut by_log: BTreeMap<_, Vec<SegmentReader>> = BTreeMap::new();
    for input in &inputs {
        by_log.entry(input.log()).or_default().push(input.clone());
    }
    let mut outputs = Vec::new();
    for (log, inputs) in &by_log {
        outputs.push((*log, merge_leaving(inputs, &request, leave, cancel)?));
    }
    Ok(Some((inputs, outputs)))
}

/// Wall clock, ms UTC: for people and for grace periods, never for deciding what is true.
pub(crate) fn now() -> Millis {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis)
}
