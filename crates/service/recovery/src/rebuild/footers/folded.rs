//! Which deltas belong to the history that state was folded from.
//!
//! A committer that dies after it stored a delta and before its commit leaves a delta that never counted; the next one
//! decides the same records again and numbers the same new subjects again. So of two that contradict each other the
//! later one counts, and the one before it is left out.
//! Guarantees: the deltas kept fold into a state, in this order.
//! Deliberately not here: state itself.

use super::super::RebuildReport;
use crate::RecoveryError;
use std::collections::HashSet;
use tallymark_model::CommitSeq;
use tallymark_state::{Delta, State, StateConfig};
use tallymark_store::ObjectStore;

const DELTAS: &str = "deltas";

/// A delta that counts.
pub(super) struct Folded {
    pub key: String,
    pub delta: Delta,
}

pub(super) async fn read(
    store: &ObjectStore,
    report: &mut RebuildReport,
) -> Result<Vec<Folded>, RecoveryError> {
    let mut all = Vec::new();
    for object in store.list(DELTAS).await? {
        match store.get(&object.key).await.map(|bytes| Delta::decode(&bytes)) {
            Ok(Ok(delta)) => all.push(Folded { key: object.key, delta }),
            Ok(Err(error)) => report.repairs.push(format!("I8: delta {}: {error}", object.key)),
            Err(error) => report.repairs.push(format!("I8: delta {}: {error}", object.key)),
        }
    }
    // Ids begin with the time.
    all.sort_by_key(|f| f.delta.commit);
    drop_repeated(&mut all, report);
    drop_contradicted(&mut all, report);
    Ok(all)
}

/// A delta whose exceptions the next one has too was decided again.
fn drop_repeated(all: &mut Vec<Folded>, report: &mut RebuildReport) {
    let positions =
        |f: &Folded| -> HashSet<u64> { f.delta.exceptions.iter().map(|e| e.position.pack()).collect() };
    let repeated: HashSet<usize> = all
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| !positions(&pair[0]).is_disjoint(&positions(&pair[1])))
        .map(|(nth, _)| nth)
        .collect();
    let mut nth = 0;
    all.retain(|folded| {
        let stays = !repeated.contains(&nth);
        nth += 1;
        if !stays {
            report.unknown.push(left_out(folded));
        }
        stays
    });
}

fn drop_contradicted(all: &mut Vec<Folded>, report: &mut RebuildReport) {
    'again: loop {
        let mut state = State::empty(StateConfig::default());
        for nth in 0..all.len() {
            let applied = state.apply(CommitSeq(nth as u64 + 1), &all[nth].delta);
            if applied.is_ok() {
                continue;
            }
            // The one before gave out numbers that this one gives out too; the first of all contradicts nothing but
            // what is missing, so it goes itself.
            let orphan = all.remove(nth.saturating_sub(1));
            report.unknown.push(left_out(&orphan));
            continue 'again;
        }
        return;
    }
}

fn left_out(folded: &Folded) -> String {
    format!(
        "whether {} was committed: it contradicts the one after it and is taken for a leftover of a processor that died",
        folded.key
    )
}
