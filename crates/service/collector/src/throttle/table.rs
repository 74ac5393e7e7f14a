//! Exact accounts of the few who send much, in bounded memory.
//!
//! Everyone is counted in the sketch; who looks heavy there gets a [`Bucket`] of its own, and only a bucket ever
//! refuses. So a collision in the sketch costs a row, never a refusal: a bucket holds its own sender's events alone.
//!
//! Guarantees: at most [`ROWS_MAX`] buckets; when all are taken, the one that is least full makes place for a
//! newcomer that looks fuller. Hashes have a random key per process, so nobody can aim at a cell or a row.
//! Deliberately not here: which rule applies to whom (`judge`).

use super::bucket::{Bucket, Now};
use super::rules::{Lookup, Per, Rule};
use super::sketch::{HALVE_EVERY_MS, Sketch};
use crate::names;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use tallymark_model::{Millis, ProjectToken};

/// Most senders with a bucket of their own.
pub(crate) const ROWS_MAX: usize = 8_192;
/// How many rows are looked at to find the one that leaves.
const SAMPLE: u64 = 16;
/// Idle rows are looked for at most this often.
const SWEEP_EVERY_MS: u64 = 1_000;

/// Whose account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    pub rule: String,
    pub per: Per,
    pub token: ProjectToken,
    /// Empty if the rule is per key.
    pub id: String,
}

/// One account.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub subject: Subject,
    pub bucket: Bucket,
    /// Of the rule, as of the last look.
    pub rate: f64,
    pub burst: u64,
    /// Events refused and marked since the row was made, and when the last one was.
    pub refused: u64,
    pub marked: u64,
    pub last_at: Millis,
    hash: u64,
}

/// All accounts.
pub(crate) struct Table {
    sketch: Sketch,
    rows: Vec<Row>,
    by_hash: HashMap<u64, usize>,
    random: RandomState,
    swept_at_ms: u64,
    dice: u64,
}

impl Table {
    pub fn new() -> Table {
        Table {
            sketch: Sketch::new(),
            rows: Vec::new(),
            by_hash: HashMap::new(),
            random: RandomState::new(),
            swept_at_ms: 0,
            dice: 0,
        }
    }

    /// The keyed hash of a sender under a rule.
    pub fn hash(random: &RandomState, rule: &str, token: ProjectToken, id: &str) -> u64 {
        random.hash_one((rule, token.0, id))
    }

    /// The key of the hashes, for hashing outside the lock.
    pub fn random(&self) -> RandomState {
        self.random.clone()
    }

    /// Counts `n` events that a sender offers. Returns its row if it has one, or gets one now.
    pub fn offer(
        &mut self,
        hash: u64,
        rule: &Rule,
        token: ProjectToken,
        id: &str,
        n: u64,
        now: Now,
    ) -> Option<usize> {
        if let Some(row) = self.find(hash, rule, token, id) {
            let account = &mut self.rows[row];
            (account.rate, account.burst) = (rule.events_per_second, rule.burst);
            account.bucket.settle(rule.events_per_second, now);
            account.bucket.offer(n, now);
            return Some(row);
        }
        self.sketch.decay(now.mono_ms);
        let estimate = self.sketch.add(hash, n);
        if estimate < heavy_from(rule) {
            return None;
        }
        let fullness = estimate as f64 / rule.burst as f64;
        if !self.make_room(fullness, now) {
            return None;
        }
        let subject = Subject { rule: rule.name.clone(), per: rule.per, token, id: id.to_owned() };
        let mut bucket = Bucket::default();
        bucket.settle(rule.events_per_second, now);
        bucket.offer(n, now);
        Some(self.insert(hash, subject, bucket, rule))
    }

    /// The row of a sender, settled as of now, if it has one.
    pub fn look(&mut self, rule: &Rule, token: ProjectToken, id: &str, now: Now) -> Option<&Row> {
        let hash = Table::hash(&self.random, &rule.name, token, id);
        let row = self.find(hash, rule, token, id)?;
        self.rows[row].bucket.settle(rule.events_per_second, now);
        Some(&self.rows[row])
    }

    pub fn row(&mut self, row: usize) -> &mut Row {
        &mut self.rows[row]
    }

    /// The row of a sender, if it has one.
    pub fn row_of(&mut self, rule: &Rule, token: ProjectToken, id: &str) -> Option<&mut Row> {
        let hash = Table::hash(&self.random, &rule.name, token, id);
        self.find(hash, rule, token, id).map(|row| &mut self.rows[row])
    }

    /// Where the row with this hash is now.
    pub fn row_of_hash_at(&self, hash: u64) -> Option<usize> {
        self.by_hash.get(&hash).copied()
    }

    /// The row with this hash, to give back what it took.
    pub fn row_of_hash(&mut self, hash: u64) -> Option<&mut Row> {
        self.by_hash.get(&hash).map(|row| &mut self.rows[*row])
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Puts back a row that was saved; the ones beyond the bound are forgotten.
    pub fn restore(&mut self, subject: Subject, bucket: Bucket, rule: &Rule) -> Option<&mut Row> {
        let hash = Table::hash(&self.random, &subject.rule, subject.token, &subject.id);
        if self.rows.len() >= ROWS_MAX || self.by_hash.contains_key(&hash) {
            return None;
        }
        let row = self.insert(hash, subject, bucket, rule);
        Some(&mut self.rows[row])
    }

    /// Forgets the accounts of rules that are gone or count something else now.
    pub fn keep_rules(&mut self, rules: &Lookup) {
        let kept = |row: &Row| rules.named(&row.subject.rule).is_some_and(|rule| rule.per == row.subject.per);
        for row in (0..self.rows.len()).rev() {
            if !kept(&self.rows[row]) {
                self.remove(row);
            }
        }
    }

    /// Forgets accounts that equal a new one. Returns whether any account is left.
    pub fn sweep(&mut self, now: Now) -> bool {
        self.swept_at_ms = now.mono_ms;
        for row in (0..self.rows.len()).rev() {
            let rate = self.rows[row].rate;
            self.rows[row].bucket.settle(rate, now);
            if self.rows[row].bucket.is_idle() {
                self.remove(row);
            }
        }
        !self.rows.is_empty()
    }

    fn find(&self, hash: u64, rule: &Rule, token: ProjectToken, id: &str) -> Option<usize> {
        let row = *self.by_hash.get(&hash)?;
        let subject = &self.rows[row].subject;
        (subject.token == token && subject.id == id && subject.rule == rule.name && subject.per == rule.per)
            .then_some(row)
    }

    fn insert(&mut self, hash: u64, subject: Subject, bucket: Bucket, rule: &Rule) -> usize {
        // Two senders with the same 64-bit hash: the newcomer takes the row.
        if let Some(row) = self.by_hash.get(&hash).copied() {
            self.remove(row);
        }
        self.rows.push(Row {
            subject,
            bucket,
            rate: rule.events_per_second,
            burst: rule.burst,
            refused: 0,
            marked: 0,
            last_at: 0,
            hash,
        });
        self.by_hash.insert(hash, self.rows.len() - 1);
        self.rows.len() - 1
    }

    fn remove(&mut self, row: usize) {
        let gone = self.rows.swap_remove(row);
        self.by_hash.remove(&gone.hash);
        if let Some(moved) = self.rows.get(row) {
            self.by_hash.insert(moved.hash, row);
        }
    }

    /// True if there is place for a newcomer that is this full.
    fn make_room(&mut self, fullness: f64, now: Now) -> bool {
        if self.rows.len() < ROWS_MAX {
            return true;
        }
        if now.mono_ms.saturating_sub(self.swept_at_ms) >= SWEEP_EVERY_MS {
            self.sweep(now);
            if self.rows.len() < ROWS_MAX {
                return true;
            }
        }
        let mut least: Option<(usize, f64)> = None;
        for _ in 0..SAMPLE {
            self.dice = self.random.hash_one(self.dice);
            let row = (self.dice % self.rows.len() as u64) as usize;
            let account = &mut self.rows[row];
            account.bucket.settle(account.rate, now);
            let full = account.bucket.level() / account.burst as f64;
            if least.is_none_or(|(_, other)| full < other) {
                least = Some((row, full));
            }
        }
        match least {
            Some((row, full)) if full < fullness => {
                metrics::counter!(names::THROTTLE_EVICTED).increment(1);
                self.remove(row);
                true
            }
            _ => false,
        }
    }
}

/// From this estimate on a sender gets a row: well before its bucket could be full, and for everyone who sends
/// faster than the rate.
fn heavy_from(rule: &Rule) -> u64 {
    let by_rate = rule.events_per_second * HALVE_EVERY_MS as f64 / 2000.0;
    (by_rate.min(rule.burst as f64 / 4.0) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::rules::Rules;
    use tallymark_wire::token_of;

    fn at(ms: u64) -> Now {
        Now { mono_ms: ms, wall_ms: ms as i64 }
    }

    fn offer(table: &mut Table, rule: &Rule, id: &str, n: u64, now: Now) -> Option<usize> {
        let token = token_of("k");
        let hash = Table::hash(&table.random(), &rule.name, token, id);
        table.offer(hash, rule, token, id, n, now)
    }

    #[test]
    fn ten_million_senders_do_not_grow_the_table() {
        let rule = &Rules::default().rules[0];
        let (mut table, token) = (Table::new(), token_of("k"));
        let random = table.random();
        for n in 0..10_000_000u64 {
            // 200,000 a second; ids as the table sees them.
            let now = at(n / 200);
            let id = n.to_string();
            let hash = Table::hash(&random, &rule.name, token, &id);
            assert!(table.offer(hash, rule, token, &id, 1, now).is_none(), "{n} looks heavy");
        }
        assert!(table.rows().is_empty() && table.by_hash.is_empty());
    }

    #[test]
    fn a_full_table_keeps_the_fullest() {
        let rule = &Rule { events_per_second: 1.0, burst: 100, ..Rules::default().rules[0].clone() };
        let mut table = Table::new();
        for n in 0..ROWS_MAX {
            let row = offer(&mut table, rule, &format!("id-{n}"), 60, at(0)).unwrap();
            table.row(row).bucket.take(60, at(0));
        }
        assert_eq!(offer(&mut table, rule, "newcomer", 50, at(0)), None, "all others are fuller");
        assert!(offer(&mut table, rule, "newcomer", 50, at(0)).is_some(), "by now it looks fuller");
        assert_eq!((table.rows().len(), table.by_hash.len()), (ROWS_MAX, ROWS_MAX));
        // An hour later nobody has anything left.
        assert!(!table.sweep(at(3_600_000)));
        assert!(table.rows().is_empty() && table.by_hash.is_empty());
    }

    #[test]
    fn rows_of_rules_that_are_gone_are_forgotten() {
        let rules = Rules::default();
        let mut table = Table::new();
        for rule in &rules.rules {
            offer(&mut table, rule, "x", 10_000, at(0)).unwrap();
        }
        let only_user = Rules { rules: vec![rules.rules[1].clone()], ..rules };
        table.keep_rules(&Lookup::new(only_user).unwrap());
        assert_eq!(table.rows().len(), 1);
        assert_eq!(table.rows()[0].subject.rule, "user");
    }
}
