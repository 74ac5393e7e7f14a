//! What the auditor says: one thing that does not agree, where, since when, how many, and what to do about it.
//!
//! Guarantees: the key of a finding is the same for as long as the same thing is wrong, in every life of the auditor.
//! Deliberately not here: who is told (`monitor`).

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use tallymark_ledger::Interval;
use tallymark_model::{Millis, ProjectId, ProjectToken};

/// What kind of disagreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Passed by on purpose and not replayed yet.
    Skipped,
    /// Records below the cursor that never got an outcome.
    Hole,
    /// Records that the log holds no more, or no longer can give.
    Lost,
    /// The books do not add up, or contradict the log.
    WrongSum,
    /// The rows in the files are not those that the books count.
    WrongRows,
    /// A duplicate whose original is nowhere.
    MissingWitness,
    /// A file that should be there is not.
    MissingObject,
    /// A file that cannot be read as a whole.
    DamagedObject,
    /// The log can no longer give records that were decided before.
    DamagedLog,
    /// The catalog does not belong to this log, or is ahead of it.
    LogMismatch,
    /// The catalog cannot be read.
    CatalogUnreadable,
}

impl FindingKind {
    /// Name used in keys.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::Skipped => "skipped",
            FindingKind::Hole => "hole",
            FindingKind::Lost => "lost",
            FindingKind::WrongSum => "wrong-sum",
            FindingKind::WrongRows => "wrong-rows",
            FindingKind::MissingWitness => "missing-witness",
            FindingKind::MissingObject => "missing",
            FindingKind::DamagedObject => "damaged",
            FindingKind::DamagedLog => "damaged-log",
            FindingKind::LogMismatch => "log-mismatch",
            FindingKind::CatalogUnreadable => "unreadable",
        }
    }
}

/// A disagreement as the checks see it: they know tokens, not yet projects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind.
    pub kind: FindingKind,
    /// Which offsets, if it is about the log.
    pub interval: Option<Interval>,
    /// First and last receive time of the records concerned.
    pub received: Option<(Millis, Millis)>,
    /// How many records.
    pub count: Option<u64>,
    /// Whose records, as far as the log says.
    pub tokens: BTreeSet<ProjectToken>,
    /// Whose records, as far as the books or files say.
    pub projects: BTreeSet<ProjectId>,
    /// What shows it, in a sentence.
    pub evidence: String,
}

impl Fault {
    /// A fault of which no more is known yet.
    pub fn new(kind: FindingKind, evidence: impl Into<String>) -> Fault {
        Fault {
            kind,
            interval: None,
            received: None,
            count: None,
            tokens: BTreeSet::new(),
            projects: BTreeSet::new(),
            evidence: evidence.into(),
        }
    }

    /// The same, at these offsets.
    pub fn at(self, interval: Interval) -> Fault {
        Fault { interval: Some(interval), ..self }
    }

    /// The same, of so many records received between these times.
    pub fn of(self, count: u64, received: (Millis, Millis)) -> Fault {
        let received = Some(received).filter(|(from, to)| from <= to);
        Fault { count: Some(count), received, ..self }
    }
}

/// One thing that does not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable while the same thing is wrong.
    pub key: String,
    /// What kind.
    pub kind: FindingKind,
    /// Projects concerned, as far as they are known.
    pub projects: Vec<ProjectId>,
    /// Which offsets, if it is about the log.
    pub interval: Option<Interval>,
    /// First and last receive time of the records concerned.
    pub received: Option<(Millis, Millis)>,
    /// How many records.
    pub count: Option<u64>,
    /// What shows it, in a sentence.
    pub evidence: String,
    /// The command that mends it.
    pub repair: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.evidence)?;
        if let Some(interval) = &self.interval {
            write!(f, "; {interval}")?;
        }
        if let Some(count) = self.count {
            write!(f, "; {count} records")?;
        }
        Ok(())
    }
}

/// The command that mends a fault.
pub(crate) fn repair(fault: &Fault, is_delta: bool) -> String {
    let range = fault.interval.map_or_else(String::new, |i| {
        format!(" --lane {} --partition {} --from {} --to {}", i.shard.lane, i.shard.partition, i.from, i.to)
    });
    match fault.kind {
        FindingKind::Skipped => format!("tallymark replay{range}"),
        FindingKind::Hole | FindingKind::WrongSum | FindingKind::WrongRows | FindingKind::MissingWitness => {
            format!("tallymark reprocess{range}")
        }
        FindingKind::MissingObject | FindingKind::DamagedObject if is_delta => {
            "tallymark rebuild state".to_owned()
        }
        FindingKind::MissingObject | FindingKind::DamagedObject => "tallymark rebuild segments".to_owned(),
        FindingKind::DamagedLog => {
            "tallymark restore (the rows are stored; only deciding them again needs the log)".to_owned()
        }
        FindingKind::Lost => "tallymark restore".to_owned(),
        FindingKind::LogMismatch => "tallymark restore (log and catalog of the same instance)".to_owned(),
        FindingKind::CatalogUnreadable => "tallymark rebuild catalog".to_owned(),
    }
}
