//! Throttling: a device, a user or a key that sends far too much is refused or put aside, and nobody else is.
//!
//! ```text
//! events ─▶ sketch (everyone, approximate) ─▶ buckets (the heavy few, exact) ─▶ refuse or mark
//!                                               ▲            │
//!              throttle.json ── rules ──────────┘            └─▶ throttle.state, Control::Throttled in the log
//! ```
//!
//! Guarantees: needs nothing but two small files, so it works while everything else is down; memory is bounded
//! whatever is sent; only a sender's own events ever count against it; a restart forgives nobody; a broken rules
//! file changes nothing; each refused event is counted once, in the log.
//! Deliberately not here: overload (`admission`), answers (`wire`).

mod bucket;
mod counts;
mod files;
mod judge;
mod rules;
#[cfg(test)]
mod simulation;
mod sketch;
mod state;
mod table;

use crate::names;
use bucket::Now;
use counts::{Counts, MARKED};
pub(crate) use files::RULES_BYTES_MAX;
use files::{Loaded, RulesFile, Source};
use judge::{Fate, Grouped, Offer, Verdict};
use rules::{Lookup, Per, Rules, RulesError};
use serde_json::{Value, json};
use state::State;
use std::collections::BTreeMap;
use std::hash::RandomState;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;
use table::{ROWS_MAX, Table};
use tallymark_log::LogWriter;
use tallymark_model::{Lane, Millis, ProjectToken};
use tallymark_wire::answer::Problem;
use tallymark_wire::{Parsed, Refusal, Rejected, Throttled};

/// Most senders listed in the state's description.
const LISTED_MAX: usize = 100;
/// Code of a rejected event in a native answer.
pub(crate) const REJECTED: &str = "throttled";

/// The throttle of this process.
pub(crate) struct Throttle {
    in_force: RwLock<Arc<InForce>>,
    file: Mutex<Option<RulesFile>>,
    table: Mutex<Table>,
    random: RandomState,
    counts: Counts,
    state_path: Option<PathBuf>,
    saved: Mutex<Saved>,
    started: Instant,
    refused: AtomicU64,
    marked: AtomicU64,
}

/// Rules and where they are from.
struct InForce {
    rules: Arc<Lookup>,
    source: Source,
    problem: Option<String>,
    since: Millis,
}

#[derive(Default)]
struct Saved {
    at: Option<Millis>,
    problem: Option<String>,
    /// Nothing to save was saved.
    is_empty: bool,
    /// Counts are in the file; once the log has them, they must go.
    has_counts: bool,
}

/// What has to be done once the events of a request are stored, or could not be.
#[derive(Default)]
pub(crate) struct Settlement {
    charges: Vec<(u64, u64)>,
    told: Vec<(String, Option<String>, u64)>,
    token: Option<ProjectToken>,
    /// Seconds after which refused events may be sent again, if some were.
    pub retry_after_s: Option<u32>,
}

impl Throttle {
    /// A throttle with the rules and the state of these files, as far as there are any.
    pub fn open(rules: Option<&Path>, state: Option<&Path>, wall_ms: Millis) -> Throttle {
        let mut file = rules.map(RulesFile::new);
        let built_in = || Loaded { rules: None, source: Source::BuiltIn, problem: None };
        let loaded = file.as_mut().map_or_else(built_in, RulesFile::open);
        let table = Table::new();
        let throttle = Throttle {
            random: table.random(),
            in_force: RwLock::new(Arc::new(InForce {
                rules: Arc::new(loaded.rules.unwrap_or_else(built_in_rules)),
                source: loaded.source,
                problem: loaded.problem.clone(),
                since: wall_ms,
            })),
            file: Mutex::new(file),
            table: Mutex::new(table),
            counts: Counts::default(),
            state_path: state.map(Path::to_owned),
            saved: Mutex::default(),
            started: Instant::now(),
            refused: AtomicU64::new(0),
            marked: AtomicU64::new(0),
        };
        tell(loaded.problem.as_deref());
        throttle.load_state(wall_ms);
        throttle
    }

    /// Judges a request that was understood: refuses it, or takes out of it what is not let pass.
    pub fn judge(&self, parsed: &mut Parsed, wall_ms: Millis) -> Result<Settlement, Refusal> {
        let in_force = self.in_force();
        let senders = std::mem::take(&mut parsed.senders);
        let offer =
            Offer { token: parsed.token, lane: parsed.lane, dialect: parsed.dialect, senders: &senders };
        let Some(grouped) = Grouped::new(&in_force.rules, &self.random, &offer) else {
            return Ok(Settlement::default());
        };
        let now = self.now(wall_ms);
        let mut table = self.table();
        let verdict = grouped.judge(&mut table, &offer, now);
        let told = note(&mut table, &verdict, parsed.token, now);
        drop(table);
        let token = parsed.token;
        if let Some(throttled) = verdict.refusal {
            let events = throttled.events.len();
            self.count(token, &told, now);
            let problem = Problem::Throttled(Box::new(throttled));
            return Err(Refusal::new(parsed.dialect, problem).of(token, events));
        }
        let refused = verdict.fates.iter().any(|fate| matches!(fate, Fate::Refuse(_)));
        let retry_after_s = refused.then_some(verdict.retry_after_s);
        if !told.is_empty() {
            apply(parsed, &offer, &verdict);
        }
        Ok(Settlement { charges: verdict.charges, told, token: Some(token), retry_after_s })
    }

    /// Ends what [`Throttle::judge`] began: events that could not be stored are given back to their senders.
    pub fn settle(&self, settlement: Settlement, stored: bool, wall_ms: Millis) {
        let Some(token) = settlement.token else { return };
        if stored {
            self.count(token, &settlement.told, self.now(wall_ms));
            return;
        }
        let mut table = self.table();
        for (hash, n) in settlement.charges {
            if let Some(row) = table.row_of_hash(hash) {
                row.bucket.give_back(n);
            }
        }
    }

    /// Refuses a request of a key that has used up everything, before its body is read. How many events it has is
    /// unknown then, so one is counted.
    pub fn refuse_unread(&self, token: ProjectToken, lane: Lane, wall_ms: Millis) -> Option<Throttled> {
        let in_force = self.in_force();
        let rule = in_force.rules.applying(token, lane)[Per::Key as usize]?;
        if rule.action != rules::Action::Refuse {
            return None;
        }
        let now = self.now(wall_ms);
        let mut table = self.table();
        let row = table.look(rule, token, "", now)?;
        if row.bucket.room(rule) > 0 {
            return None;
        }
        let retry_after_s = row.bucket.retry_after_s(1, rule);
        drop(table);
        self.count(token, &[(rule.name.clone(), None, 1)], now);
        let threshold = rule.events_per_second.ceil() as u64;
        Some(Throttled { retry_after_s, threshold, key: true, ..Throttled::default() })
    }

    /// Replaces the rules file. In force and durable when it returns.
    pub fn replace(&self, text: &[u8], wall_ms: Millis) -> Result<(), ReplaceError> {
        let rules = Lookup::parse(text)?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = file.as_mut().ok_or(ReplaceError::NoFile)?;
        let loaded = file.replace(rules)?;
        self.enforce(loaded, wall_ms);
        Ok(())
    }

    /// Looks whether the rules file was changed.
    pub fn look_again(&self, wall_ms: Millis) {
        let source = self.in_force().source;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = file.as_mut().and_then(|file| file.look_again(source)) {
            self.enforce(loaded, wall_ms);
        }
    }

    /// Writes the counts of throttled events to the log. What cannot be written now is kept for the next time.
    pub async fn write_counts(&self, log: &dyn LogWriter) {
        let rows = self.counts.take();
        if rows.is_empty() {
            return;
        }
        if let Err(error) = log.append(counts::records(&rows)).await {
            tracing::debug!(%error, "counts of throttled events wait");
            self.counts.put_back(rows);
        }
    }

    /// Writes the state, if there is anything in it that was not there before.
    pub fn save(&self, wall_ms: Millis) {
        let Some(path) = &self.state_path else { return };
        let now = self.now(wall_ms);
        let state = State::of(&mut self.table(), self.counts.copy(), now);
        metrics::gauge!(names::THROTTLE_ROWS).set(self.table().rows().len() as f64);
        let (is_empty, has_counts) = (state.is_empty(), state.has_counts());
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        if is_empty && saved.is_empty {
            saved.at = Some(wall_ms);
            return;
        }
        match state.write(path) {
            Ok(()) => *saved = Saved { at: Some(wall_ms), problem: None, is_empty, has_counts },
            Err(why) => {
                if saved.problem.is_none() {
                    tracing::warn!(path = %path.display(), %why, "the state of throttling cannot be saved");
                }
                saved.problem = Some(why.to_string());
            }
        }
    }

    /// True if the saved state holds counts, which a crash would tell twice if the log has them by now.
    pub fn owes_save(&self) -> bool {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner).has_counts
    }

    /// Events refused and marked since the process started.
    pub fn totals(&self) -> (u64, u64) {
        (self.refused.load(Ordering::Relaxed), self.marked.load(Ordering::Relaxed))
    }

    /// Why the rules file is not in force, if so.
    pub fn problem(&self) -> Option<String> {
        self.in_force().problem.clone()
    }

    /// Rules in force, who is throttled, how old the saved state is.
    pub fn describe(&self, wall_ms: Millis) -> Value {
        let in_force = self.in_force();
        let now = self.now(wall_ms);
        let table = self.table();
        let mut rows: Vec<_> = table.rows().iter().filter(|row| row.refused + row.marked > 0).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.refused + row.marked));
        let row = |row: &&table::Row| {
            let rule = in_force.rules.named(&row.subject.rule);
            json!({
                "rule": row.subject.rule, "per": row.subject.per, "action": rule.map(|rule| rule.action),
                "token": row.subject.token.to_string(),
                "id": Some(&row.subject.id).filter(|id| !id.is_empty()),
                "refused": row.refused, "marked": row.marked, "last_at": row.last_at,
                "events_per_second": row.bucket.offered_per_second(now),
                "level": row.bucket.level(), "burst": row.burst,
                "daily": rule.and_then(|rule| rule.daily).map(|_| row.bucket.day()),
            })
        };
        let throttled: Vec<Value> = rows.iter().take(LISTED_MAX).map(row).collect();
        let rows = table.rows().len();
        drop(table);
        let saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        json!({
            "rules": in_force.rules.document, "source": in_force.source.name(),
            "problem": in_force.problem, "in_force_since": in_force.since, "throttled": throttled,
            "state": {
                "saved_at": saved.at, "age_ms": saved.at.map(|at| (wall_ms - at).max(0)),
                "rows": rows, "rows_max": ROWS_MAX, "problem": saved.problem,
            },
        })
    }

    fn enforce(&self, loaded: Loaded, wall_ms: Millis) {
        let old = self.in_force();
        let (rules, since) = match loaded.rules {
            Some(rules) => {
                self.table().keep_rules(&rules);
                tracing::info!(source = loaded.source.name(), "throttle rules are in force");
                (Arc::new(rules), wall_ms)
            }
            None => (Arc::clone(&old.rules), old.since),
        };
        tell(loaded.problem.as_deref());
        let fresh = InForce { rules, source: loaded.source, problem: loaded.problem, since };
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
    }

    fn load_state(&self, wall_ms: Millis) {
        let Some(path) = &self.state_path else { return };
        match State::read(path) {
            Ok(None) => {}
            Ok(Some(state)) => {
                let now = self.now(wall_ms);
                let unwritten = state.restore(&mut self.table(), &self.in_force().rules, now);
                self.counts.put_back(unwritten);
            }
            Err(why) => {
                tracing::warn!(path = %path.display(), %why, "the state of throttling cannot be read; it starts anew");
                let problem = Some(format!("at the start: {why}"));
                *self.saved.lock().unwrap_or_else(PoisonError::into_inner) =
                    Saved { problem, ..Saved::default() };
            }
        }
    }

    fn count(&self, token: ProjectToken, told: &[(String, Option<String>, u64)], now: Now) {
        for (rule, id, n) in told {
            metrics::counter!(names::THROTTLED, "rule" => rule.clone()).increment(*n);
            let total = if rule.ends_with(MARKED) { &self.marked } else { &self.refused };
            total.fetch_add(*n, Ordering::Relaxed);
            self.counts.add(token.to_string(), rule.clone(), id.clone(), *n, now);
        }
    }

    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self, wall_ms: Millis) -> Now {
        Now { mono_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX), wall_ms }
    }
}

/// Why the rules file was not replaced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplaceError {
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error("this collector has no rules file")]
    NoFile,
    #[error("the rules file cannot be written: {0}")]
    Io(#[from] std::io::Error),
}

/// Says that the rules file is not what is in force, or that it is again.
fn tell(problem: Option<&str>) {
    metrics::gauge!(names::THROTTLE_RULES_STALE).set(if problem.is_some() { 1.0 } else { 0.0 });
    if let Some(problem) = problem {
        tracing::warn!(%problem, "throttle rules: the last good ones stay in force");
    }
}

fn built_in_rules() -> Lookup {
    Lookup::new(Rules::default())
        .unwrap_or_else(|why| unreachable!("a test checks the built-in rules: {why}"))
}

/// Notes in the rows what happened to their events; returns the counts by rule and id.
fn note(
    table: &mut Table,
    verdict: &Verdict<'_>,
    token: ProjectToken,
    now: Now,
) -> Vec<(String, Option<String>, u64)> {
    let mut by_group: BTreeMap<(usize, bool), u64> = BTreeMap::new();
    for fate in &verdict.fates {
        match fate {
            Fate::Pass => {}
            Fate::Mark(group) if verdict.refusal.is_none() => {
                *by_group.entry((*group, true)).or_default() += 1
            }
            Fate::Mark(_) => {}
            Fate::Refuse(group) => *by_group.entry((*group, false)).or_default() += 1,
        }
    }
    let mut told = Vec::with_capacity(by_group.len());
    for ((group, marked), n) in by_group {
        let group = &verdict.groups[group];
        if let Some(row) = table.row_of(group.rule, token, group.id) {
            row.last_at = now.wall_ms;
            row.bucket.flag();
            *(if marked { &mut row.marked } else { &mut row.refused }) += n;
        }
        let rule = if marked { format!("{}{MARKED}", group.rule.name) } else { group.rule.name.clone() };
        told.push((rule, Some(group.id.to_owned()).filter(|id| !id.is_empty()), n));
    }
    told
}

/// Takes refused events out of a request and moves marked ones to the bulk lane.
fn apply(parsed: &mut Parsed, offer: &Offer<'_>, verdict: &Verdict<'_>) {
    let envelopes = std::mem::take(&mut parsed.envelopes);
    for ((mut envelope, fate), sender) in envelopes.into_iter().zip(&verdict.fates).zip(offer.senders) {
        match fate {
            Fate::Pass => parsed.envelopes.push(envelope),
            Fate::Mark(_) => {
                envelope.lane = Lane::Bulk;
                parsed.envelopes.push(envelope);
            }
            Fate::Refuse(group) => {
                let group = &verdict.groups[*group];
                let (who, field) = match group.rule.per {
                    Per::Device => (format!("the device '{}'", group.id), Some("device_id")),
                    Per::User => (format!("the user '{}'", group.id), Some("user_id")),
                    Per::Key => ("this project's key".to_owned(), None),
                };
                let again = verdict.retry_after_s;
                parsed.rejected.push(Rejected {
                    index: sender.index,
                    code: REJECTED.to_owned(),
                    message: format!("{who} sends more events than it may; send again in {again} s"),
                    field: field.map(str::to_owned),
                });
            }
        }
    }
    parsed.rejected.sort_by_key(|rejected| rejected.index);
}
