//! The only place where a sentence about losses is made (and the only source it may come from: the ledger).
//!
//! Guarantees: "no data was lost" follows from numbers that are fresh, complete and equal, with an auditor that is
//! alive and has nothing to object; everything else is "unknown", or the loss itself.
//! Deliberately not here: obtaining the numbers.

use super::time_text;
use crate::facts::LossStatement;
use crate::{Finding, Monitor};
use serde::{Deserialize, Serialize};
use tallymark_model::Millis;

/// Numbers that were read longer ago say nothing about now.
const FRESH_FOR: Millis = 2 * 60_000;

/// What can be said about losses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum LossAnswer {
    /// Everything acknowledged up to a moment has its outcome.
    NothingLost {
        /// Up to which moment.
        as_of: Millis,
        /// How many events; `None` where counts are not shown.
        acknowledged: Option<u64>,
    },
    /// The books call events lost.
    Lost {
        /// How many; `None` where counts are not shown.
        events: Option<u64>,
    },
    /// It cannot be said.
    Unknown {
        /// Why not.
        why: String,
        /// The oldest event without an outcome, if that is why.
        oldest_unaccounted: Option<Millis>,
    },
}

/// What the numbers, and what was found, allow to say.
pub fn judge(statement: Option<&LossStatement>, findings: &[Finding], now: Millis) -> LossAnswer {
    let unknown = |why: &str| LossAnswer::Unknown { why: why.to_owned(), oldest_unaccounted: None };
    let Some(s) = statement else { return unknown("the ledger could not be read") };
    if s.lost > 0 {
        return LossAnswer::Lost { events: Some(s.lost) };
    }
    if now - s.read_at > FRESH_FOR {
        return unknown("the ledger was not read lately");
    }
    if findings.iter().any(|f| f.monitor == Monitor::AuditorFindings) {
        return unknown("the auditor has open findings");
    }
    if findings.iter().any(|f| f.monitor == Monitor::DeadHeartbeat && f.key == "audit") {
        return unknown("the auditor does not run");
    }
    if s.accounted != s.acknowledged || s.oldest_unaccounted.is_some() {
        return LossAnswer::Unknown {
            why: "events wait for their outcome".to_owned(),
            oldest_unaccounted: s.oldest_unaccounted,
        };
    }
    LossAnswer::NothingLost { as_of: s.as_of, acknowledged: Some(s.acknowledged) }
}

impl LossAnswer {
    /// The same for where counts are not shown.
    pub fn without_counts(self) -> LossAnswer {
        match self {
            LossAnswer::NothingLost { as_of, .. } => LossAnswer::NothingLost { as_of, acknowledged: None },
            LossAnswer::Lost { .. } => LossAnswer::Lost { events: None },
            unknown => unknown,
        }
    }

    /// The sentence; with counts only where these may be shown.
    pub fn sentence(&self, show_counts: bool) -> String {
        match self {
            LossAnswer::NothingLost { as_of, acknowledged: Some(n) } if show_counts => format!(
                "No data was lost: {n} events acknowledged before {}, {n} accounted for.",
                time_text(*as_of)
            ),
            LossAnswer::NothingLost { as_of, .. } => format!(
                "No data was lost: every event acknowledged before {} is accounted for.",
                time_text(*as_of)
            ),
            LossAnswer::Lost { events: Some(events) } if show_counts => format!("{events} events were lost."),
            LossAnswer::Lost { .. } => "Events were lost.".to_owned(),
            LossAnswer::Unknown { why, oldest_unaccounted: Some(at) } => {
                format!("Whether data was lost is unknown: {why}, the oldest since {}.", time_text(*at))
            }
            LossAnswer::Unknown { why, .. } => format!("Whether data was lost is unknown: {why}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Component, Impact, Severity};
    use proptest::prelude::*;

    const NOW: Millis = 1_700_000_000_000;

    fn good() -> LossStatement {
        LossStatement {
            as_of: NOW - 10_000,
            read_at: NOW,
            acknowledged: 7,
            accounted: 7,
            lost: 0,
            oldest_unaccounted: None,
        }
    }

    fn finding(monitor: Monitor, key: &str) -> Finding {
        Finding {
            monitor,
            key: key.to_owned(),
            severity: Severity::Critical,
            impact: Impact::Major,
            title: String::new(),
            detail: String::new(),
            component: Component::Auditor,
            projects: vec![],
            affected: vec![],
            since: 0,
        }
    }

    fn claims(statement: Option<&LossStatement>, findings: &[Finding]) -> bool {
        judge(statement, findings, NOW).sentence(true).contains("No data was lost")
    }

    #[test]
    fn the_claim_needs_the_ledger_and_an_auditor_at_peace() {
        assert!(claims(Some(&good()), &[]));
        assert!(claims(Some(&good()), &[finding(Monitor::BackupAge, "backup")]));
        assert!(!claims(None, &[]));
        assert!(!claims(Some(&good()), &[finding(Monitor::AuditorFindings, "hole")]));
        assert!(!claims(Some(&good()), &[finding(Monitor::DeadHeartbeat, "audit")]));
        assert!(!claims(Some(&LossStatement { read_at: NOW - FRESH_FOR - 1, ..good() }), &[]));
    }

    #[test]
    fn counts_are_told_only_where_they_may_be() {
        let answer =
            judge(Some(&LossStatement { acknowledged: 12_345, accounted: 12_345, ..good() }), &[], NOW);
        assert!(answer.sentence(true).contains("12345"));
        assert!(!answer.sentence(false).contains("12345"));
        assert_eq!(LossAnswer::Lost { events: Some(9) }.sentence(false), "Events were lost.");
    }

    proptest! {
        #[test]
        fn nothing_but_equal_numbers_makes_the_claim(acknowledged in 0u64..5, accounted in 0u64..5, lost in 0u64..3, oldest in proptest::option::of(0i64..5)) {
            let s = LossStatement { acknowledged, accounted, lost, oldest_unaccounted: oldest, ..good() };
            prop_assert_eq!(claims(Some(&s), &[]), acknowledged == accounted && lost == 0 && oldest.is_none());
        }
    }
}
