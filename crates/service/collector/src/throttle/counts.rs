//! Counts of throttled events per key, id and minute, on their way to the log.
//!
//! Guarantees: bounded; what no longer fits is counted without an id rather than not at all.

use super::bucket::Now;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tallymark_model::{Control, Lane, Millis, Record, Shard};

/// Most rows between two writes.
const ROWS_MAX: usize = 10_000;
const MINUTE_MS: Millis = 60_000;
/// Where notes go that belong to no shard.
const NOTES: Shard = Shard { lane: Lane::Live, partition: 0 };
/// Stands behind the rule's name for events that were taken after all.
pub(crate) const MARKED: &str = " (marked)";

/// What is counted together: token, rule, id, minute.
pub(crate) type Key = (String, String, Option<String>, Millis);
/// Counts by key, id, rule and minute.
pub(crate) type Rows = BTreeMap<Key, u64>;

/// The counts since the last write.
#[derive(Default)]
pub(crate) struct Counts {
    rows: Mutex<Rows>,
}

impl Counts {
    /// Counts `n` events of this sender (no id: the key as a whole).
    pub fn add(&self, token: String, rule: String, id: Option<String>, n: u64, now: Now) {
        let minute = now.wall_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
        self.put(&mut self.rows(), (token, rule, id, minute), n);
    }

    /// Takes the counts.
    pub fn take(&self) -> Rows {
        std::mem::take(&mut *self.rows())
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, taken: Rows) {
        let mut rows = self.rows();
        taken.into_iter().for_each(|(key, n)| self.put(&mut rows, key, n));
    }

    /// The counts as they are, for the state file.
    pub fn copy(&self) -> Rows {
        self.rows().clone()
    }

    fn put(&self, rows: &mut Rows, key: Key, n: u64) {
        let key = if rows.len() < ROWS_MAX || rows.contains_key(&key) {
            key
        } else {
            // Beyond the bound the id is not kept apart any more.
            (key.0, key.1, None, key.3)
        };
        if rows.len() < ROWS_MAX * 2 || rows.contains_key(&key) {
            *rows.entry(key).or_default() += n;
        } else {
            metrics::counter!(crate::names::THROTTLED_UNCOUNTED).increment(n);
        }
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counts as records of the log.
pub(crate) fn records(rows: &Rows) -> Vec<Record> {
    let record = |((token, rule, id, minute), count): (&Key, &u64)| {
        let (token, rule, id) = (token.clone(), rule.clone(), id.clone());
        let control = Control::Throttled { token, id, minute: *minute, count: *count, rule };
        Record::Control { shard: NOTES, control }
    };
    rows.iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall_ms: i64) -> Now {
        Now { mono_ms: 0, wall_ms }
    }

    #[test]
    fn counts_by_key_rule_id_and_minute() {
        let counts = Counts::default();
        let add = |id: Option<&str>, n, now| {
            counts.add("t".into(), "device".into(), id.map(str::to_owned), n, at(now));
        };
        add(Some("d"), 2, 60_001);
        add(Some("d"), 3, 119_999);
        add(Some("d"), 1, 120_000);
        add(None, 7, 120_000);
        let taken = counts.take();
        let told: Vec<(Option<String>, i64, u64)> = records(&taken)
            .into_iter()
            .map(|record| match record {
                Record::Control {
                    control: Control::Throttled { token, id, minute, count, rule }, ..
                } => {
                    assert_eq!((token.as_str(), rule.as_str()), ("t", "device"));
                    (id, minute, count)
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let d = || Some("d".to_owned());
        assert_eq!(told, [(None, 120_000, 7), (d(), 60_000, 5), (d(), 120_000, 1)]);
        assert!(counts.take().is_empty());
        counts.put_back(taken.clone());
        assert_eq!(counts.take(), taken);
    }

    #[test]
    fn beyond_the_bound_only_the_id_is_lost() {
        let counts = Counts::default();
        for n in 0..ROWS_MAX + 50 {
            counts.add("t".into(), "device".into(), Some(n.to_string()), 1, at(0));
        }
        let rows = counts.take();
        assert_eq!(rows.len(), ROWS_MAX + 1);
        assert_eq!(rows.values().sum::<u64>() as usize, ROWS_MAX + 50);
    }
}
