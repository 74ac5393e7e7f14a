//! Limits on login attempts (S19).
//!
//! Guarantees: at most [`PER_ACCOUNT_MAX`] attempts per account are evaluated within [`WINDOW`], wherever they
//! come from; from one network an account gets fewer, with growing pauses; a network in which the account logged
//! in before keeps its own allowance, so an attacker elsewhere cannot lock the owner out; memory is bounded.
//! Deliberately not here: passwords. State is per process on purpose: a restart forgets, which costs an attacker
//! more than it gives.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(15 * 60);
const PER_ACCOUNT_MAX: u32 = 20;
const PER_PAIR_MAX: u32 = 10;
const PER_NETWORK_MAX: u32 = 300;
/// Attempts from one network to one account before pauses begin: 1 s, 2 s, 4 s, …
const FREE: u32 = 4;
const ENTRIES_MAX: usize = 50_000;
const KNOWN_FOR: Duration = Duration::from_secs(30 * 86_400);

/// Counters of failed attempts.
#[derive(Debug, Default)]
pub(crate) struct LoginLimits(Mutex<Counters>);

#[derive(Debug, Default)]
struct Counters {
    accounts: HashMap<String, Failures>,
    networks: HashMap<String, Failures>,
    pairs: HashMap<(String, String), Failures>,
    /// Networks from which an account has logged in.
    known: HashMap<(String, String), Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Instant,
    last: Instant,
    count: u32,
}

/// One attempt, to be reported back.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    account: String,
    network: String,
}

impl Attempt {
    /// An attempt on an account from a network.
    pub fn new(account: &str, network: String) -> Attempt {
        Attempt { account: account.trim().to_lowercase(), network }
    }
    fn pair(&self) -> (String, String) {
        (self.account.clone(), self.network.clone())
    }
}

impl LoginLimits {
    /// Counts an attempt as failed in advance, so that parallel ones are counted too; `Err` says how long to wait.
    pub fn begin(&self, attempt: &Attempt, now: Instant) -> Result<(), Duration> {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counters.forget_old(now);
        let is_known = counters.known.contains_key(&attempt.pair());
        let mut wait = remaining(counters.networks.get(&attempt.network), PER_NETWORK_MAX, now);
        wait = wait.max(pause(counters.pairs.get(&attempt.pair()), now));
        if !is_known {
            wait = wait.max(remaining(counters.accounts.get(&attempt.account), PER_ACCOUNT_MAX, now));
        }
        if !wait.is_zero() {
            return Err(wait);
        }
        bump(&mut counters.networks, attempt.network.clone(), now);
        bump(&mut counters.pairs, attempt.pair(), now);
        if !is_known {
            bump(&mut counters.accounts, attempt.account.clone(), now);
        }
        Ok(())
    }

    /// The attempt was right: it no longer counts, and its network is known.
    pub fn succeeded(&self, attempt: &Attempt, now: Instant) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counters.pairs.remove(&attempt.pair());
        if let Some(failures) = counters.networks.get_mut(&attempt.network) {
            failures.count = failures.count.saturating_sub(1);
        }
        if let Some(failures) = counters.accounts.get_mut(&attempt.account) {
            failures.count = failures.count.saturating_sub(1);
        }
        counters.known.insert(attempt.pair(), now);
    }
}

impl Counters {
    fn forget_old(&mut self, now: Instant) {
        let full = self.accounts.len() + self.networks.len() + self.pairs.len() >= ENTRIES_MAX;
        if full {
            let fresh = |f: &Failures| now.duration_since(f.since) < WINDOW;
            self.accounts.retain(|_, f| fresh(f));
            self.networks.retain(|_, f| fresh(f));
            self.pairs.retain(|_, f| fresh(f));
        }
        // A flood of invented accounts within one window: the account counters matter most and are kept.
        if self.pairs.len() >= ENTRIES_MAX {
            self.pairs.clear();
        }
        if self.known.len() >= ENTRIES_MAX {
            self.known.retain(|_, at| now.duration_since(*at) < KNOWN_FOR);
        }
    }
}

fn bump<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Failures>, key: K, now: Instant) {
    let entry = map.entry(key).or_insert(Failures { since: now, last: now, count: 0 });
    if now.duration_since(entry.since) >= WINDOW {
        (entry.since, entry.count) = (now, 0);
    }
    entry.count += 1;
    entry.last = now;
}

/// Time until the window ends, if the allowance is used up.
fn remaining(failures: Option<&Failures>, max: u32, now: Instant) -> Duration {
    match failures {
        Some(f) if f.count >= max => WINDOW.saturating_sub(now.duration_since(f.since)),
        _ => Duration::ZERO,
    }
}

/// Time until the next attempt of this pair may be made.
fn pause(failures: Option<&Failures>, now: Instant) -> Duration {
    let Some(f) = failures else { return Duration::ZERO };
    if now.duration_since(f.since) >= WINDOW || f.count < FREE {
        return Duration::ZERO;
    }
    let step = Duration::from_secs(1 << (f.count - FREE).min(9));
    let since_last = step.saturating_sub(now.duration_since(f.last));
    since_last.max(remaining(failures, PER_PAIR_MAX, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(account: &str, network: u32) -> Attempt {
        Attempt::new(account, format!("n{network}"))
    }

    #[test]
    fn at_most_twenty_attempts_on_an_account_are_evaluated_in_fifteen_minutes() {
        let limits = LoginLimits::default();
        let start = Instant::now();
        // Ten thousand tries from a hundred networks within a window.
        let evaluated = (0..10_000u32)
            .filter(|i| {
                limits
                    .begin(&attempt("Ann", i % 100), start + Duration::from_millis(80 * u64::from(*i)))
                    .is_ok()
            })
            .count();
        assert_eq!(evaluated as u32, PER_ACCOUNT_MAX);
        assert!(
            limits.begin(&attempt("ann ", 500), start + Duration::from_secs(899)).is_err(),
            "case and spaces"
        );
        assert!(limits.begin(&attempt("ann", 500), start + WINDOW).is_ok(), "not for ever");
        assert!(limits.begin(&attempt("bob", 1), start + Duration::from_secs(10)).is_ok());
    }

    #[test]
    fn pauses_grow_and_success_ends_them() {
        let limits = LoginLimits::default();
        let mut now = Instant::now();
        let a = attempt("ann", 1);
        for _ in 0..FREE {
            limits.begin(&a, now).unwrap();
        }
        let first = limits.begin(&a, now).unwrap_err();
        now += first;
        limits.begin(&a, now).unwrap();
        let second = limits.begin(&a, now).unwrap_err();
        assert_eq!((first.as_secs(), second.as_secs()), (1, 2));
        limits.succeeded(&a, now);
        assert!(limits.begin(&a, now).is_ok());
    }

    #[test]
    fn an_attack_from_elsewhere_does_not_lock_the_owner_out() {
        let limits = LoginLimits::default();
        let now = Instant::now();
        let home = attempt("ann", 1);
        limits.begin(&home, now).unwrap();
        limits.succeeded(&home, now);
        for network in 2..500 {
            let _ = limits.begin(&attempt("ann", network), now);
        }
        assert!(limits.begin(&attempt("ann", 600), now).is_err());
        assert!(limits.begin(&home, now).is_ok());
    }

    #[test]
    fn a_thousand_users_behind_one_address_log_in() {
        let limits = LoginLimits::default();
        let now = Instant::now();
        for user in 0..1000 {
            let a = attempt(&format!("user{user}"), 1);
            limits.begin(&a, now).unwrap();
            limits.succeeded(&a, now);
        }
        // But a thousand failures over as many accounts are stopped.
        let failed =
            (0..1000).filter(|u| limits.begin(&attempt(&format!("other{u}"), 2), now).is_ok()).count();
        assert_eq!(failed as u32, PER_NETWORK_MAX);
    }
}
