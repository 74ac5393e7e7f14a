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
use tallymark_ledger::{Account, Fingerprint, Tally};
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

/// Does it as soon as so many records wait; none: not yet.
pub(crate) async fn step(
    committer: &mut Committer,
    shard: Shard,
    records: u64,
) -> Result<Option<Done>, ProcessorError> {
    let (from, received) = committer.cursors.get(&shard).copied().unwrap_or_default();
    let Ok(bounds) = committer.deps.log.bounds(shard).await else { return Ok(None) };
    if bounds.end < from + records {
        return Ok(None);
    }
    let interval = tallymark_ledger::Interval { shard, from, to: from + records };
    let last = tallymark_ledger::Interval { from: interval.to - 1, ..interval };
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
            committer.reset().await.map(Some)
        }
        Landed::Stopped => Ok(Some(Done::Stopped)),
        // A live group came between: once more, from the new cursor.
        Landed::Refused(_) | Landed::Unstorable(_) => {
            committer.reset().await?;
            Ok(None)
        }
    }
}
