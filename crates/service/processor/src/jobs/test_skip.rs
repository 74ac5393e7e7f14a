//! A switch for drills of the auditor: `TALLYMARK_TEST_SKIP=live/0:5000` makes the processor do once, on purpose,
//! what must never happen, so that it can be seen how soon it is found.
//!
//! Guarantees: without the variable nothing; with it, loudly, once per process.
//! Deliberately not here: finding it.

use super::spec::shard_and_count;
use crate::committer::{Committer, Done};
use crate::error::ProcessorError;
use crate::land::{Landed, Work};
use crate::source;
use crate::telemetry::Laps;
use std::collections::BTreeMap;
use tallymark_catalog::{Advance, Origin};
use tallymark_ledger::{Account, Fingerprint, Interval, Tally};
use tallymark_log::ReadLimit;
use tallymark_model::{CommitId, Shard};
use tallymark_state::Delta;

/// What the environment asks for.
pub(crate) fn from_env() -> Option<(Shard, u64)> {
    let text = std::env::var("TALLYMARK_TEST_SKIP").ok().filter(|t| !t.is_empty())?;
    let asked = shard_and_count(&text);
    if asked.is_none() {
        tracing::error!(text, "TALLYMARK_TEST_SKIP is not like `live/0:5000`; nothing is skipped");
    }
    asked
}

pub(crate) fn warn(shard: Shard, records: u64) {
    tracing::error!(
        %shard,
        records,
        "TALLYMARK_TEST_SKIP IS SET: THIS PROCESS WILL PASS RECORDS BY AND SAY IN THE BOOKS THAT THERE WERE NONE. Tests only!"
    );
}

/// How far it is.
pub(crate) enum Lie {
    /// It is done.
    Told(Done),
    /// Live reading of the shard was stopped, so that enough records gather.
    Prepared(Done),
    /// They have not gathered yet.
    NotYet,
}

/// Holds the shard back until so many records wait, and then passes them by.
pub(crate) async fn step(
    committer: &mut Committer,
    shard: Shard,
    records: u64,
) -> Result<Lie, ProcessorError> {
    let (from, received) = committer.cursors.get(&shard).copied().unwrap_or_default();
    if committer.fences.get(&shard).is_none_or(|fence| *fence > from) {
        committer.fences.insert(shard, from);
        return committer.reset().await.map(Lie::Prepared);
    }
    let Ok(bounds) = committer.deps.log.bounds(shard).await else { return Ok(Lie::NotYet) };
    if bounds.end < from + records {
        return Ok(Lie::NotYet);
    }
    let interval = Interval { shard, from, to: from + records };
    let last = Interval { from: interval.to - 1, ..interval };
    let one = ReadLimit { records: 1, bytes: usize::MAX };
    let stock = source::read(&committer.deps, last, one).await?;
    let received_to = stock.records.first().map_or(received, |(_, r)| source::received_at(r)).max(received);
    let tally = Tally { hole: records, ..Tally::default() };
    let advance = Advance {
        shard,
        from,
        to: interval.to,
        account: Account::Accounted { tally, visible: Fingerprint::default() },
        received_from: received,
        received_to,
        projects: Vec::new(),
    };
    let id = CommitId(uuid::Uuid::now_v7());
    let work = Work {
        id,
        origin: Origin::Live,
        verb: None,
        rows: BTreeMap::new(),
        sources: Vec::new(),
        advances: vec![advance],
        restate: Vec::new(),
        masks: Vec::new(),
        delta: Delta::empty(id),
    };
    match committer.land(work, &mut Laps::start()).await? {
        Landed::Committed(seq, _) => {
            tracing::error!(%interval, seq = seq.0, "TALLYMARK_TEST_SKIP: these records were passed by on purpose");
            committer.fences.remove(&shard);
            committer.reset().await.map(Lie::Told)
        }
        Landed::Stopped => Ok(Lie::Told(Done::Stopped)),
        // A live group came between: once more, from the new cursor.
        Landed::Refused(_) | Landed::Unstorable(_) => committer.reset().await.map(Lie::Prepared),
    }
}
