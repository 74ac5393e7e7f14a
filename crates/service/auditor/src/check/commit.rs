//! One commit against the log: what was read must have become something, and what became something must have been
//! read (I2-I4, I14).
//!
//! Guarantees: the books' own words are used only to be compared: which records are events, which offsets are empty
//! and which positions must be visible is derived from the bytes of the log and the exceptions of the delta.

use super::{Excepted, LogFacts, Seen};
use crate::{Fault, FindingKind};
use std::collections::{BTreeMap, BTreeSet};
use tallymark_catalog::Advance;
use tallymark_ledger::{Account, Fingerprint, Interval, Restatement, Tally, check_sum};
use tallymark_model::{LogId, Millis, OutcomeKind, Position, Shard};

/// Compares an account of an interval with the log. `exceptions` = those of the delta within the interval;
/// `rows` = offsets within the interval of the rows that the commit added, ascending, if they can still be read.
pub fn check_advance(
    log: LogId,
    advance: &Advance,
    facts: &LogFacts,
    exceptions: &[Excepted],
    rows: Option<&[u64]>,
) -> Vec<Fault> {
    let received = (advance.received_from, advance.received_to);
    check_account(log, advance.interval(), &advance.account, received, facts, exceptions, rows)
}

/// The same for a restatement. Of one that changes only some records of its interval, the rows are compared.
pub fn check_restatement(
    log: LogId,
    restated: &Restatement,
    facts: Option<&LogFacts>,
    exceptions: &[Excepted],
    rows: Option<&[u64]>,
) -> Vec<Fault> {
    let interval = restated.interval;
    let received = (restated.received_from, restated.received_to);
    let mut found: Vec<Fault> = restated
        .check()
        .into_iter()
        .map(|v| {
            Fault::new(FindingKind::WrongSum, v.to_string()).at(interval).of(restated.records(), received)
        })
        .collect();
    match (&restated.was, facts) {
        (Account::Skipped { .. } | Account::Lost { .. }, Some(facts)) => {
            found.extend(check_account(log, interval, &restated.now, received, facts, exceptions, rows));
        }
        _ => {
            let (Account::Accounted { tally, visible }, Some(rows)) = (&restated.now, rows) else {
                return found;
            };
            let sum = sum_of(log, interval.shard, rows.iter().copied());
            if rows.len() as u64 != tally.visible || sum != *visible {
                let text = format!(
                    "{} rows were restated as visible, the files of the commit hold {} with another fingerprint",
                    tally.visible,
                    rows.len()
                );
                found.push(Fault::new(FindingKind::WrongRows, text).at(interval).of(tally.visible, received));
            }
        }
    }
    found
}

fn check_account(
    log: LogId,
    interval: Interval,
    account: &Account,
    received: (Millis, Millis),
    facts: &LogFacts,
    exceptions: &[Excepted],
    rows: Option<&[u64]>,
) -> Vec<Fault> {
    let (booked, sum) = match account {
        // The rows of the books tell about these, for as long as they stand.
        Account::Skipped { .. } | Account::Lost { .. } => return Vec::new(),
        Account::Accounted { tally, visible } => (*tally, *visible),
    };
    if let Some(violation) = check_sum(interval, account) {
        let text = format!("the outcomes do not add up: {violation}");
        return vec![Fault::new(FindingKind::WrongSum, text).at(interval).of(interval.len(), received)];
    }
    if facts.is_trimmed() {
        return Vec::new();
    }
    let derived = Derived::of(log, facts, exceptions);
    if derived.tally == booked && derived.sum == sum {
        return rows.map_or_else(Vec::new, |rows| check_rows(interval, facts, &derived, rows));
    }
    if let Some((gap, cause, evidence)) = facts.damage().next() {
        let text =
            format!("the log can no longer give records that were read before ({cause:?}: {evidence})");
        let count = facts.damage().map(|(gap, ..)| gap.len()).sum();
        return vec![Fault::new(FindingKind::DamagedLog, text).at(*gap).of(count, received)];
    }
    vec![derived.judge(interval, booked, facts, rows).unwrap_or_else(|| {
        let text =
            format!("the books say {}, the log and the delta show {}", shown(booked), shown(derived.tally));
        Fault::new(FindingKind::WrongSum, text).at(interval).of(interval.len(), received)
    })]
}

/// What log and delta say.
struct Derived {
    tally: Tally,
    sum: Fingerprint,
    /// Offsets of events without an exception, ascending.
    visible: Vec<u64>,
}

impl Derived {
    fn of(log: LogId, facts: &LogFacts, exceptions: &[Excepted]) -> Derived {
        let except: BTreeMap<u64, OutcomeKind> = exceptions.iter().map(|e| (e.offset, e.kind)).collect();
        let mut tally =
            Tally { hole: facts.gaps.iter().map(|(gap, ..)| gap.len()).sum(), ..Tally::default() };
        let mut visible = Vec::new();
        for record in &facts.records {
            match (record.token, except.get(&record.offset)) {
                (None, _) => tally.control += 1,
                (Some(_), Some(kind)) => tally.count(*kind),
                (Some(_), None) => {
                    tally.visible += 1;
                    visible.push(record.offset);
                }
            }
        }
        let sum = sum_of(log, facts.interval.shard, visible.iter().copied());
        Derived { tally, sum, visible }
    }

    /// Events that nothing became of, if that is what is wrong.
    fn judge(
        &self,
        interval: Interval,
        booked: Tally,
        facts: &LogFacts,
        rows: Option<&[u64]>,
    ) -> Option<Fault> {
        let in_log = self.tally.visible + self.tally.duplicate + self.tally.filtered + self.tally.dead;
        let in_books = booked.visible + booked.duplicate + booked.filtered + booked.dead;
        let missing = in_log.checked_sub(in_books).filter(|n| *n > 0)?;
        let without: BTreeSet<u64> = match rows {
            Some(rows) => self.visible.iter().copied().filter(|o| rows.binary_search(o).is_err()).collect(),
            None => self.visible.iter().copied().collect(),
        };
        let text = format!(
            "{missing} events of the log have no outcome: the books say {}, the log holds {in_log} events",
            shown(booked)
        );
        // Without rows, or with an odd number, it is somewhere among these.
        let exact = without.len() as u64 == missing;
        let chosen = |seen: &&Seen| !exact || without.contains(&seen.offset);
        let fault = about(FindingKind::Hole, text, interval.shard, facts.events().filter(chosen));
        Some(Fault { count: Some(missing), ..fault })
    }
}

/// I4 within one commit: its rows are exactly the visible records.
fn check_rows(interval: Interval, facts: &LogFacts, derived: &Derived, rows: &[u64]) -> Vec<Fault> {
    if rows == derived.visible {
        return Vec::new();
    }
    let have: BTreeSet<u64> = rows.iter().copied().collect();
    let want: BTreeSet<u64> = derived.visible.iter().copied().collect();
    let lacking: BTreeSet<u64> = want.difference(&have).copied().collect();
    let extra: Vec<u64> = have.difference(&want).copied().collect();
    let mut found = Vec::new();
    if !lacking.is_empty() {
        let text = format!("{} visible events have no row in the files of their commit", lacking.len());
        let lacked = facts.events().filter(|seen| lacking.contains(&seen.offset));
        found.push(about(FindingKind::WrongRows, text, interval.shard, lacked));
    }
    if let (Some(first), Some(last)) = (extra.first(), extra.last()) {
        let text =
            format!("{} rows in the files of the commit are of records that are not visible", extra.len());
        let at = Interval::new(interval.shard, *first, last + 1);
        found.push(Fault {
            count: Some(extra.len() as u64),
            ..Fault::new(FindingKind::WrongRows, text).at(at)
        });
    }
    if found.is_empty() {
        let text = "a row is in the files of its commit more than once";
        found.push(Fault::new(FindingKind::WrongRows, text).at(interval));
    }
    found
}

/// A fault about these records, with the smallest interval around them.
fn about<'a>(
    kind: FindingKind,
    text: String,
    shard: Shard,
    records: impl Iterator<Item = &'a Seen>,
) -> Fault {
    let mut fault = Fault::new(kind, text);
    let (mut count, mut span, mut received) = (0, None, (Millis::MAX, Millis::MIN));
    for seen in records {
        count += 1;
        let (from, _) = span.unwrap_or((seen.offset, 0));
        span = Some((from, seen.offset + 1));
        received = (received.0.min(seen.received_at), received.1.max(seen.received_at));
        fault.tokens.extend(seen.token);
    }
    fault.interval = span.map(|(from, to)| Interval::new(shard, from, to));
    fault.of(count, received)
}

fn sum_of(log: LogId, shard: Shard, offsets: impl Iterator<Item = u64>) -> Fingerprint {
    let at = |offset| Position { lane: shard.lane, partition: shard.partition, offset };
    offsets.fold(Fingerprint::default(), |sum, offset| sum + Fingerprint::of(log, at(offset)))
}

fn shown(t: Tally) -> String {
    format!(
        "{} visible, {} duplicate, {} filtered, {} dead, {} control, {} empty",
        t.visible, t.duplicate, t.filtered, t.dead, t.control, t.hole
    )
}

/// Compares a row of the books, as it is after all restatements, with the log: as many events, control records and
/// empty offsets as it says. `None` if the log cannot tell any more.
pub fn check_row(row: &tallymark_catalog::LedgerRow, facts: &LogFacts) -> Option<Vec<Fault>> {
    let Account::Accounted { tally, .. } = &row.account else { return Some(Vec::new()) };
    if facts.is_trimmed() || facts.damage().next().is_some() {
        return None;
    }
    let events = facts.events().count() as u64;
    let control = facts.records.len() as u64 - events;
    let booked = tally.visible + tally.duplicate + tally.filtered + tally.dead;
    if (events, control) == (booked, tally.control) {
        return Some(Vec::new());
    }
    let text = format!(
        "the books say {booked} events and {} control records, the log holds {events} and {control}",
        tally.control
    );
    let kind = if events > booked { FindingKind::Hole } else { FindingKind::WrongSum };
    let fault = Fault::new(kind, text)
        .at(row.interval)
        .of(events.abs_diff(booked), (row.received_from, row.received_to));
    Some(vec![fault])
}
