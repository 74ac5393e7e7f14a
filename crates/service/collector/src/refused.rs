//! Counts of refused events per token and minute, written to the log as control records, so that "sent but not
//! accepted" can be answered too. Bounded: when the table is full, the rest is counted without a name.

use crate::names;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tallymark_model::{Control, Lane, Millis, ProjectToken, Record, Shard};
use tallymark_wire::Refusal;
use tallymark_wire::answer::Problem;

/// Most rows between two writes.
const ROWS_MAX: usize = 10_000;
const MINUTE_MS: Millis = 60_000;

type Key = (String, Millis, &'static str);
/// Counts by token, minute and reason.
pub(crate) type Rows = BTreeMap<Key, u64>;

/// The counts since the last write.
#[derive(Default)]
pub(crate) struct Refused {
    rows: Mutex<Rows>,
}

impl Refused {
    /// Counts one refused request; without a token there is nobody to tell.
    pub fn count(&self, refusal: &Refusal, now: Millis) {
        let reason = refusal.problem.label();
        metrics::counter!(names::REFUSED, "reason" => reason).increment(1);
        // What throttling refused it has counted by id already.
        let is_counted = matches!(refusal.problem, Problem::Throttled(_));
        if let Some(token) = refusal.token.filter(|_| !is_counted) {
            self.add(token, now, refusal.events.max(1) as u64, reason);
        }
    }

    /// Counts `events` of one token.
    pub fn add(&self, token: ProjectToken, now: Millis, events: u64, reason: &'static str) {
        let key = (token.to_string(), now.div_euclid(MINUTE_MS) * MINUTE_MS, reason);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() < ROWS_MAX || rows.contains_key(&key) {
            *rows.entry(key).or_default() += events;
        } else {
            metrics::counter!(names::REFUSED_UNCOUNTED).increment(events);
        }
    }

    /// Takes the counts.
    pub fn take(&self) -> Rows {
        std::mem::take(&mut *self.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, taken: Rows) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, count) in taken {
            if rows.len() < ROWS_MAX {
                *rows.entry(key).or_default() += count;
            }
        }
    }
}

/// Where notes go that belong to no shard.
const NOTES: Shard = Shard { lane: Lane::Live, partition: 0 };

/// The counts as records of the log.
pub(crate) fn records(rows: &Rows) -> Vec<Record> {
    let record = |((token, minute, reason), count): (&Key, &u64)| {
        let (token, reason) = (token.clone(), (*reason).to_owned());
        let control = Control::Refused { token, minute: *minute, count: *count, reason };
        Record::Control { shard: NOTES, control }
    };
    rows.iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_wire::token_of;

    #[test]
    fn counts_by_token_minute_and_reason() {
        let refused = Refused::default();
        let token = token_of("k");
        refused.add(token, 60_001, 2, "too_large");
        refused.add(token, 119_999, 3, "too_large");
        refused.add(token, 120_000, 1, "too_large");
        let taken = refused.take();
        assert_eq!(
            records(&taken),
            [(60_000, 5), (120_000, 1)].map(|(minute, count)| Record::Control {
                shard: NOTES,
                control: Control::Refused {
                    token: token.to_string(),
                    minute,
                    count,
                    reason: "too_large".into()
                }
            })
        );
        assert!(refused.take().is_empty());
        refused.put_back(taken.clone());
        assert_eq!(refused.take(), taken);
    }

    #[test]
    fn the_table_is_bounded() {
        let refused = Refused::default();
        for i in 0..ROWS_MAX + 10 {
            refused.add(token_of(&i.to_string()), 0, 1, "method");
        }
        assert_eq!(refused.take().len(), ROWS_MAX);
    }
}
