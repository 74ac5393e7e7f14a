//! The steps again, for a commit that was made: its delta if that is lost, its rows if a file is.
//!
//! Guarantees: given the records of its intervals, the state before it, and the settings it was made under, the delta
//! comes out byte for byte and so do the rows (I12); what does not agree with the books is an error, never stored.
//! Deliberately not here: reading the log or the archive, replacing files.

use super::books::Run;
use super::decide::{Again, Decided, ProjectRows, Rules, decide_with};
use super::decode::{Content, Decoded};
use super::rules::RuleBook;
use super::shape::{self, Visible};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use tallymark_catalog::Advance;
use tallymark_ledger::{Account, Interval};
use tallymark_model::{CommitId, Control, LogId, Outcome, Position, ProjectId, SubjectId, SubjectKind};
use tallymark_state::{Delta, State};

/// What a commit says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// Its id.
    pub commit: CommitId,
    /// The cursors it moved.
    pub advances: &'a [Advance],
    /// The skipped intervals that it accounted (a replay), as advances: what the books say of them now.
    pub replayed: &'a [Advance],
}

/// Why a commit cannot be derived again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Underivable {
    /// The decisions do not come to what the books say.
    #[error("records of {interval} come to {found:?}, the books say {booked:?}")]
    Account {
        /// Where.
        interval: Interval,
        /// What the books say.
        booked: Box<Account>,
        /// What came out.
        found: Box<Account>,
    },
    /// Records decided again did not change what the books say changed.
    #[error("{found} records decided again changed, the books say {booked}")]
    Changes {
        /// What the books say.
        booked: u64,
        /// What came out.
        found: u64,
    },
}

/// Decides a commit's records again. `records` are those of its accounted intervals, `again` those it restated,
/// `before` the state before it, `rules` what it was decided by, with answers to
/// [`super::sights::sights_needed`] as of the commit before it.
pub fn rederive(
    log: LogId,
    made: Made<'_>,
    records: Vec<Decoded>,
    again: Vec<Again>,
    before: &State,
    rules: &Rules,
) -> Result<Decided, Underivable> {
    let booked: Vec<&Advance> = made.advances.iter().chain(made.replayed).collect();
    let decided = decide_with(log, made.commit, records, again, before, rules);
    let runs: Vec<Run> = booked.iter().map(|a| run_of(a)).collect();
    for (advance, found) in booked.into_iter().zip(decided.books.accounts(&runs)) {
        let skipped = matches!(advance.account, Account::Skipped { .. });
        if !skipped && (advance.account != found.account || advance.projects != found.projects) {
            return Err(Underivable::Account {
                interval: advance.interval(),
                booked: Box::new(advance.account.clone()),
                found: Box::new(found.account),
            });
        }
    }
    Ok(decided)
}

/// The run that an advance came from.
fn run_of(advance: &Advance) -> Run {
    let (holes, lost) = match &advance.account {
        Account::Accounted { tally, .. } => (tally.hole, None),
        Account::Lost { cause, evidence } => (0, Some((*cause, evidence.clone()))),
        Account::Skipped { .. } => (0, None),
    };
    Run {
        interval: advance.interval(),
        received_from: advance.received_from,
        received_to: advance.received_to,
        holes,
        lost,
    }
}

/// The rows of these records, given which are visible: nothing is decided. Raw ids have the numbers that `state`, of
/// any later commit, gives them. For files that are lost; `mode` is what the rows were decided by.
pub fn reshape(
    records: Vec<Decoded>,
    visible: &FxHashSet<Position>,
    state: &State,
    rules: &Rules,
) -> BTreeMap<ProjectId, ProjectRows> {
    let mut book = RuleBook::new(state, std::iter::empty::<(Position, &Control)>(), &rules.mode);
    let mut records: Vec<Decoded> = records.into_iter().filter(|r| visible.contains(&r.position)).collect();
    records.sort_unstable_by_key(Decoded::seq);
    let mut projects: BTreeMap<ProjectId, Vec<Visible>> = BTreeMap::new();
    for record in records {
        let (position, received_at) = (record.position, record.received_at);
        let Content::Event { token, project, event: Ok(mut event), .. } = record.content else { continue };
        let Some(project) = project.or_else(|| rules.projects.get(&token).copied()) else { continue };
        book.strip(project, position, &mut event);
        let find = |kind, raw: &Option<String>| {
            let subjects = &state.project(project)?.subjects;
            subjects.find(kind, raw.as_deref()?)
        };
        let user = find(SubjectKind::User, &event.user_id);
        let subject = user.or(find(SubjectKind::Device, &event.device_id)).unwrap_or(SubjectId::NONE);
        projects.entry(project).or_default().push(Visible { position, received_at, subject, event });
    }
    projects.into_iter().map(|(project, visible)| (project, shape::shape(visible).0)).collect()
}

/// The delta of a commit that skips: rules and erasures stay in force although nothing is decided. Notes that count
/// are left for the replay.
pub fn skipped(commit: CommitId, records: &[Decoded]) -> Delta {
    let mut delta = Delta::empty(commit);
    for record in records {
        let Content::Control(control) = &record.content else { continue };
        if matches!(control.as_ref(), Control::Rule(_) | Control::Erase(_)) {
            delta.broken.extend(super::rules::broken(control));
            delta.controls.push((record.position, control.as_ref().clone()));
        }
    }
    delta.controls.sort_by_key(|(position, _)| *position);
    delta
}

/// What became of each position as of the newest of these deltas (given oldest first): positions without an entry
/// are visible, control records, holes or skipped.
pub fn outcomes<'a>(
    deltas: impl IntoIterator<Item = &'a Delta>,
) -> BTreeMap<Position, (ProjectId, Outcome, u64)> {
    let mut held: BTreeMap<Position, (ProjectId, Outcome, u64)> = BTreeMap::new();
    for delta in deltas {
        for interval in &delta.restated {
            let at =
                |offset| Position { lane: interval.shard.lane, partition: interval.shard.partition, offset };
            let gone: Vec<Position> =
                held.range(at(interval.from)..at(interval.to)).map(|(p, _)| *p).collect();
            gone.iter().for_each(|p| {
                held.remove(p);
            });
        }
        for e in &delta.exceptions {
            held.insert(e.position, (e.project, e.outcome.clone(), e.key));
        }
    }
    held
}
