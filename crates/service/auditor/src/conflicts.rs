//! Duplicates whose content is another than their original's: one insert id for two events (R10).
//!
//! Guarantees: the first one won, and this changes nothing; what differs only in when it was sent is the same event;
//! what the log no longer holds is not judged.
//! Deliberately not here: keeping the counts (`FindingSink`), judging the rate (`monitor`).

use crate::Deps;
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet};
use tallymark_catalog::CommitRecord;
use tallymark_ledger::{Account, Interval};
use tallymark_log::{Item, ReadError, ReadLimit};
use tallymark_model::{Millis, Outcome, Position, ProjectId, Record, Value, canonical_text};
use tallymark_state::Delta;

const HOUR: Millis = 3_600_000;
/// Duplicates of one commit that are compared.
const COMPARED_MAX: usize = 20_000;
/// Records between two that are needed are read and dropped up to so many; beyond, reading starts anew.
const RUN: usize = 512;
/// What says when or how often something was sent, not what.
const OF_SENDING: [&str; 4] = ["sent_at", "sentAt", "uploaded_at", "offset"];

/// Conflicts among a commit's duplicates, by project and hour of receipt.
pub(crate) async fn conflicts(
    deps: &Deps,
    commit: &CommitRecord,
    delta: &Delta,
) -> Result<BTreeMap<(ProjectId, Millis), u64>> {
    let first_time = first_decided(commit);
    let pairs: Vec<_> = delta
        .exceptions
        .iter()
        .filter(|e| first_time.iter().any(|i| i.contains(e.position)))
        .filter_map(|e| match e.outcome {
            Outcome::Duplicate { witness } => Some((e, witness)),
            _ => None,
        })
        .take(COMPARED_MAX)
        .collect();
    let wanted: BTreeSet<Position> = pairs.iter().flat_map(|(e, witness)| [e.position, *witness]).collect();
    let bodies = bodies(deps, wanted).await?;
    let mut found = BTreeMap::new();
    for (exception, witness) in pairs {
        if let (Some(one), Some(other)) = (bodies.get(&exception.position), bodies.get(&witness))
            && one != other
        {
            let hour = exception.received_at.div_euclid(HOUR) * HOUR;
            *found.entry((exception.project, hour)).or_default() += 1;
        }
    }
    Ok(found)
}

/// What the commit decided that nobody had decided before: deciding again must not count again.
fn first_decided(commit: &CommitRecord) -> Vec<Interval> {
    let accounted = |account: &Account| matches!(account, Account::Accounted { .. });
    let fresh = commit.advances.iter().filter(|a| accounted(&a.account)).map(|a| a.interval());
    let replayed = commit.restated.iter().filter(|r| !accounted(&r.was)).map(|r| r.interval);
    fresh.chain(replayed).collect()
}

/// Contents of these records, comparable; those that the log does not give are left out.
async fn bodies(deps: &Deps, mut wanted: BTreeSet<Position>) -> Result<BTreeMap<Position, String>> {
    let mut found = BTreeMap::new();
    while let Some(at) = wanted.pop_first() {
        let limit = ReadLimit { records: RUN, ..ReadLimit::default() };
        let items = match deps.log.read(at, limit).await {
            Ok(items) => items,
            Err(ReadError::Ahead { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        for item in items {
            let Item::Records(records) = item else { continue };
            for (position, record) in records {
                if (position == at || wanted.remove(&position))
                    && let Record::Event(event) = record
                {
                    found.insert(position, content(&event.body));
                }
            }
        }
    }
    Ok(found)
}

/// What an event says, without what says how it was sent.
fn content(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(mut fields)) => {
            fields.retain(|name, _| !OF_SENDING.contains(&name.as_str()));
            canonical_text(&Value::Object(fields))
        }
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::content;

    #[test]
    fn an_event_that_was_sent_again_says_the_same() {
        let first = br#"{"event": "Buy", "properties": {"a": 1, "b": 2}, "sent_at": "10:00"}"#;
        let again = br#"{"sent_at":"10:01","event":"Buy","properties":{"b":2.0,"a":1}}"#;
        let other = br#"{"event": "Buy", "properties": {"a": 1, "b": 3}, "sent_at": "10:00"}"#;
        assert_eq!(content(first), content(again));
        assert_ne!(content(first), content(other));
        assert_ne!(content(b"{"), content(b"["));
    }
}
