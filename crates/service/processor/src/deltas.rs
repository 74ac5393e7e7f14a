//! Deltas of commits: fetched, or, if the object is gone or damaged, derived again from the log and put back (I12).
//!
//! Guarantees: a delta that was derived again agrees with the books, or it is an error; nothing is put back otherwise.
//! Deliberately not here: applying them (`recovery`, `jobs::rebuild_state`), deciding (`steps::rederive`).

use crate::error::ProcessorError;
use crate::jobs::{history, only_changes, spec};
use crate::projects::Projects;
use crate::redrive;
use crate::run::Deps;
use crate::sights::find_sights;
use crate::source;
use crate::steps::decide::{Again, Old, Rules, decide_with};
use crate::steps::decode::{Content, Decoded, decode_again, decode_all};
use crate::steps::rederive::{Made, rederive, skipped};
use crate::steps::rules::{Mode, rules_now};
use crate::steps::sights::sights_needed;
use crate::telemetry;
use crate::write::{Unstorable, encode_all};
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;
use tallymark_catalog::{Advance, CommitRecord, Origin};
use tallymark_ledger::{Account, Interval, IntervalSet, Restatement, Tally};
use tallymark_log::ReadLimit;
use tallymark_model::{Epoch, Outcome, Position, ProjectId, Record};
use tallymark_state::{Delta, State, StateError};
use tallymark_store::{SegmentSpec, StoreError};

/// A delta, and whether it had to be derived again.
pub(crate) struct Fetched {
    pub delta: Delta,
    pub rederived: bool,
}

/// The delta of a commit under this key. `before` is state as of the commit before it.
pub(crate) async fn fetch(
    deps: &Deps,
    record: &CommitRecord,
    key: &str,
    before: &State,
) -> Result<Fetched, ProcessorError> {
    let why = match deps.store.get(key).await {
        Ok(bytes) => match Delta::decode(&bytes) {
            Ok(delta) if delta.commit == record.id => return Ok(Fetched { delta, rederived: false }),
            Ok(other) => format!("it is the delta of commit {}", other.commit.0),
            Err(error @ StateError::Version { .. }) => return Err(error.into()),
            Err(error) => error.to_string(),
        },
        Err(error @ (StoreError::NotFound { .. } | StoreError::Corrupt { .. })) => error.to_string(),
        Err(error) => return Err(error.into()),
    };
    tracing::error!(seq = record.seq.0, key, why, "a delta is gone; it is derived again from the log");
    let delta = derive(deps, record, before).await.map_err(|error| ProcessorError::Underivable {
        seq: record.seq,
        key: key.to_owned(),
        why: format!("{why}; {error}"),
    })?;
    deps.store.put(key, bytes::Bytes::from(delta.encode()?)).await?;
    telemetry::delta_rederived();
    tracing::warn!(
        seq = record.seq.0,
        key,
        "the delta was derived again, agrees with the books, and was put back"
    );
    Ok(Fetched { delta, rederived: true })
}

async fn derive(deps: &Deps, record: &CommitRecord, before: &State) -> Result<Delta, ProcessorError> {
    let accounted = |a: &Account| matches!(a, Account::Accounted { .. });
    if matches!(record.origin, Origin::Skip { .. }) {
        let mut records = Vec::new();
        for advance in &record.advances {
            records.extend(read_all(deps, advance.interval()).await?);
        }
        return Ok(skipped(record.id, &decode_all(records, deps.decode)));
    }
    let replayed: Vec<Advance> =
        record.restated.iter().filter(|r| !accounted(&r.was)).map(as_advance).collect();
    let mut raw = Vec::new();
    for advance in record.advances.iter().chain(&replayed).filter(|a| accounted(&a.account)) {
        raw.extend(read_all(deps, advance.interval()).await?);
    }
    let records = match record.origin {
        // Decided with the mended bytes of that time.
        Origin::Replay { .. } => {
            let mended = redrive::lasting(deps, &raw, &before.controls().mended, &IntervalSet::new()).await?;
            decode_again(raw, &mended, deps.decode)
        }
        _ => decode_all(raw, deps.decode),
    };
    let mode = match record.origin {
        Origin::Reprocess { .. } => Mode::With(rules_now(before)),
        _ => Mode::AsOfPosition,
    };
    let again = match record.origin {
        Origin::Reprocess { job } => reprocessed(deps, record, before, Some(job)).await?,
        _ => {
            let mut again = redrive::mended(deps, &redrive::asked(&records), before.applied()).await?;
            if matches!(record.origin, Origin::Replay { .. }) {
                // Later copies that gave their place back, and who leaned on them.
                let moved = reprocessed(deps, record, before, None).await?;
                let dead = |a: &Again| matches!(a.old.outcome, Outcome::Dead { .. });
                again.extend(moved.into_iter().filter(|a| !dead(a)));
            }
            again
        }
    };
    let held: BTreeSet<Position> = again.iter().map(|a| a.record.position).collect();
    let mut rules = Rules { projects: Default::default(), mode, ..Rules::default() };
    resolve(deps, record, &records, &again, &mut rules).await?;
    let asks = sights_needed(&records, &again, before, &rules);
    if !asks.is_empty() {
        let cursors = deps.catalog.cursors_at(before.applied()).await?;
        let below =
            |p: Position| cursors.iter().any(|(shard, cursor)| *shard == p.shard() && p.offset < *cursor);
        rules.sights = find_sights(deps.catalog.as_ref(), &deps.store, before, asks, None, below).await?;
    }
    if matches!(record.origin, Origin::Replay { .. }) {
        loop {
            let (records, again) = (records.clone(), again.clone());
            let decided = decide_with(deps.log.id(), record.id, records, again, before, &rules);
            let more: Vec<Position> = decided.overtaken.iter().map(|(_, w)| *w).collect();
            if more.iter().all(|w| !rules.yielding.insert(*w)) {
                break;
            }
        }
    }
    let made = Made { commit: record.id, advances: &record.advances, replayed: &replayed };
    loop {
        let again = again.clone();
        let mut decided = match rederive(deps.log.id(), made, records.clone(), again, before, &rules) {
            Ok(decided) => decided,
            // Rows that no file could hold were dead letters then.
            Err(error) => match unstorable(deps, record, &records, before, &rules) {
                Some(more) if rules.unstorable.len() < more.len() => {
                    rules.unstorable = more;
                    continue;
                }
                _ => return Err(underivable(record, error.to_string())),
            },
        };
        let booked: u64 =
            record.restated.iter().filter(|r| accounted(&r.was)).map(Restatement::records).sum();
        if decided.changes.len() as u64 != booked {
            let why =
                format!("{} records decided again changed, the books say {booked}", decided.changes.len());
            return Err(underivable(record, why));
        }
        only_changes(&mut decided, &held);
        return Ok(decided.delta);
    }
}

fn underivable(record: &CommitRecord, why: String) -> ProcessorError {
    ProcessorError::Underivable { seq: record.seq, key: record.delta.clone().unwrap_or_default(), why }
}

/// Owners of tokens as they were: a project that the commit does not mention did not exist for it.
async fn resolve(
    deps: &Deps,
    record: &CommitRecord,
    records: &[Decoded],
    again: &[Again],
    rules: &mut Rules,
) -> Result<(), ProcessorError> {
    let token = |d: &Decoded| if let Content::Event { token, .. } = &d.content { Some(*token) } else { None };
    let all = records.iter().chain(again.iter().map(|a| &a.record));
    let mut open: Vec<_> = all.filter_map(token).collect::<BTreeSet<_>>().into_iter().collect();
    Projects::default().resolve(deps.catalog.as_ref(), &mut open, &mut rules.projects).await?;
    let named: BTreeSet<ProjectId> = record
        .advances
        .iter()
        .flat_map(|a| &a.projects)
        .chain(record.restated.iter().flat_map(|r| r.now_parts.iter().chain(&r.was_parts)))
        .map(|(project, ..)| *project)
        .collect();
    rules.projects.retain(|_, project| named.contains(project));
    Ok(())
}

/// Positions whose rows cannot be encoded.
fn unstorable(
    deps: &Deps,
    record: &CommitRecord,
    records: &[Decoded],
    before: &State,
    rules: &Rules,
) -> Option<FxHashSet<Position>> {
    let decided = crate::steps::decide::decide(deps.log.id(), record.id, records.to_vec(), before, rules);
    let spec = SegmentSpec::new(ProjectId::UNKNOWN, deps.log.id(), record.id, Epoch(0));
    match encode_all(decided.rows, &spec) {
        Ok(_) => None,
        Err(Unstorable(positions)) => Some(rules.unstorable.iter().copied().chain(positions).collect()),
    }
}

/// What a job decided again: everything it asked for within the restated intervals.
async fn reprocessed(
    deps: &Deps,
    record: &CommitRecord,
    before: &State,
    job: Option<i64>,
) -> Result<Vec<Again>, ProcessorError> {
    let job = match job {
        Some(job) => deps.catalog.job(job).await?,
        None => None,
    };
    let spec: spec::ReprocessSpec = job.as_ref().and_then(|j| spec::parse(&j.spec).ok()).unwrap_or_default();
    let only = job.and_then(|j| j.project);
    let again = |r: &&Restatement| matches!(r.was, Account::Accounted { .. });
    let intervals: Vec<Interval> = record.restated.iter().filter(again).map(|r| r.interval).collect();
    if intervals.is_empty() {
        return Ok(Vec::new());
    }
    let scope: IntervalSet = intervals.iter().copied().collect();
    let (exceptions, restated) = history::exceptions_before(deps, &scope, record.seq).await?;
    let mut again = Vec::new();
    for interval in intervals {
        let records = read_all(deps, interval).await?;
        let mended = redrive::lasting(deps, &records, &before.controls().mended, &restated).await?;
        let mut records = decode_again(records, &mended, deps.decode);
        records.retain(|d| matches!(d.content, Content::Event { .. }));
        let mut rules = Rules::default();
        resolve(deps, record, &records, &[], &mut rules).await?;
        for record in records {
            let now = match &record.content {
                Content::Event { token, project, .. } => {
                    project.or_else(|| rules.projects.get(token).copied())
                }
                Content::Control(_) => None,
            };
            let (project, outcome) = match exceptions.get(&record.position) {
                Some(e) => (e.project, e.outcome.clone()),
                None => match now {
                    Some(project) => (project, Outcome::Visible),
                    None => continue,
                },
            };
            let orphan = matches!(outcome, Outcome::Duplicate { .. });
            let within = spec.received_from.is_none_or(|from| from <= record.received_at)
                && spec.received_to.is_none_or(|to| record.received_at < to);
            if (within || orphan) && only.is_none_or(|only| project == only || now == Some(only)) {
                again.push(Again { record, old: Old { project, outcome, row: None } });
            }
        }
    }
    Ok(again)
}

/// A replayed interval as the advance that it would have been.
fn as_advance(r: &Restatement) -> Advance {
    let Interval { shard, from, to } = r.interval;
    // Holes belong to nobody; an advance leaves them out of the parts.
    let mut projects = r.now_parts.clone();
    projects.iter_mut().for_each(|(_, tally, _)| tally.hole = 0);
    projects.retain(|(_, tally, _)| *tally != Tally::default());
    Advance {
        shard,
        from,
        to,
        account: r.now.clone(),
        received_from: r.received_from,
        received_to: r.received_to,
        projects,
    }
}

/// Every record of an interval.
pub(crate) async fn read_all(
    deps: &Deps,
    interval: Interval,
) -> Result<Vec<(Position, Record)>, ProcessorError> {
    let limit = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    let mut records = Vec::new();
    let mut at = interval;
    while !at.is_empty() {
        let stock = source::read(deps, at, ReadLimit { records: 50_000, ..limit }).await?;
        at.from = stock.to;
        records.extend(stock.records);
    }
    Ok(records)
}
