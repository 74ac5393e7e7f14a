//! One task: read, merge, write, commit.
//!
//! A crash before the commit leaves files that no one refers to; a crash after it leaves files that no one refers
//! to any more. Both are garbage, and the collector knows them by their epoch and by the catalog's rows.

use crate::failpoint::failpoint;
use crate::merge::{MergeRequest, Order, merge};
use crate::plan::{Action, Task};
use crate::{Catalog, CompactError, CompactorConfig, Result};
use model::{CommitId, CommitSeq, Epoch, Millis};
use std::collections::BTreeMap;
use tallymark_catalog::{Commit, CommitAnswer, Origin};
use tallymark_model as model;
use tallymark_state::ProjectSnapshot;
use tallymark_store::{Encoded, ObjectStore, SegmentReader};
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
pub(crate) async fn execute(
    task: &Task,
    identity: &ProjectSnapshot,
    committer: &mut Committer,
    catalog: &dyn Catalog,
    store: &ObjectStore,
    config: &CompactorConfig,
    cancel: &CancellationToken,
) -> Result<Done> {
    let id = CommitId(uuid::Uuid::now_v7());
    let encoded = {
        let (task, store, identity) = (task.clone(), store.clone(), identity.clone());
        let (committer, config, cancel) = (committer.clone(), config.clone(), cancel.clone());
        let work = move || encode(&task, &identity, id, &committer, &store, &config, &cancel);
        match tokio::task::spawn_blocking(work).await {
            Ok(encoded) => encoded?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    };
    let Some((inputs, outputs)) = encoded else { return Ok(Done::TooBig) };
    failpoint("compact_before_write");
    let rows = outputs.iter().map(|o| o.meta.rows).sum();
    let mut add = Vec::with_capacity(outputs.len());
    for output in outputs {
        add.push(output.store(store).await?);
    }
    failpoint("compact_after_write");
    let commit = Commit {
        remove: inputs.iter().map(|i| i.meta().id).collect(),
        add,
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
            match refused {
                CommitAnswer::Fenced { epoch } => Err(CompactError::Fenced(epoch)),
                _ => Ok(Done::Conflict),
            }
        }
    }
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

type Merged = (Vec<SegmentReader>, Vec<Encoded>);

/// Reads and merges, on a blocking thread.
fn encode(
    task: &Task,
    identity: &ProjectSnapshot,
    commit: CommitId,
    committer: &Committer,
    store: &ObjectStore,
    config: &CompactorConfig,
    cancel: &CancellationToken,
) -> Result<Option<Merged>> {
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
    if inputs.len() < 2 && task.action != Action::Split {
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
    for inputs in by_log.values() {
        outputs.extend(merge(inputs, &request, cancel)?);
    }
    Ok(Some((inputs, outputs)))
}

/// Wall clock, ms UTC: for people and for grace periods, never for deciding what is true.
pub(crate) fn now() -> Millis {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis)
}
