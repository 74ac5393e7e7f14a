//! One look at a source: what is there, what of it is new, and taking that.
//!
//! Guarantees: an object that is done, or that changed, or that failed, is not read; one that cannot be reached now is
//! tried in the next round; the others go on.

use crate::place::{Listed, Place};
use crate::record::{Entry, Record, State};
use crate::rows::{self, Kind, Packing};
use crate::take::{Ended, Job, now_ms, take};
use crate::{Board, Door, Failpoint, Format, Source, SourceProgress, VacuumError};
use futures::StreamExt;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// What a round works with.
#[derive(Clone)]
pub struct Context {
    /// Folder of record, rejects and what is unpacked.
    pub folder: PathBuf,
    /// Where rows go.
    pub door: Arc<dyn Door>,
    /// Id of the project: part of what is recorded.
    pub project: String,
    /// Tests.
    pub failpoint: Arc<dyn Failpoint>,
    /// Who wants to know how far it is.
    pub board: Board,
    /// To stop after what is under way.
    pub stop: CancellationToken,
}

/// What a round did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Objects that are there and match.
    pub objects: u64,
    /// Taken to their end in this round.
    pub taken: u64,
    /// Taken before.
    pub known: u64,
    /// Rows acknowledged durable in this round.
    pub rows: u64,
    /// Rows refused in this round.
    pub rejected: u64,
    /// Known objects with another content; not taken.
    pub changed: Vec<String>,
    /// Objects that cannot be read, and why.
    pub failed: Vec<(String, String)>,
    /// Objects that could not be reached, and why; tried again.
    pub later: Vec<(String, String)>,
    /// Objects whose name says nothing about their kind.
    pub unknown: Vec<String>,
    /// Files that were written too recently.
    pub unsettled: u64,
}

/// The record, for several objects at a time.
#[derive(Clone)]
pub(crate) struct Shared(pub Arc<Mutex<Record>>);

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, Record> {
        // A note is written as a whole before the map changes, so a poisoned record is a valid one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something on a thread that may wait for the disk.
    pub async fn note(&self, entry: Entry) -> Result<(), VacuumError> {
        let shared = self.clone();
        let noted = tokio::task::spawn_blocking(move || shared.lock().note(entry)).await;
        noted.unwrap_or(Err(VacuumError::Stopped))
    }
}

/// What is to be done about an object.
pub(crate) enum Due {
    /// Nothing: it was taken.
    Known,
    /// It failed, and nobody said to try again.
    Failed(String),
    /// Another content than the one that was taken, or begun.
    Changed(Entry, String),
    /// It is to be read, from where the entry says.
    Take(Entry),
}

/// Takes what is new at a source.
pub async fn round(
    source: &Source,
    record: &Arc<Mutex<Record>>,
    context: &Context,
) -> Result<Report, VacuumError> {
    context.board.begin(&source.name, now_ms());
    let done = work(source, &Shared(record.clone()), context).await;
    let error = match &done {
        Ok(report) => report.later.first().map(|(key, why)| format!("{key}: {why}")),
        Err(VacuumError::Stopped) => None,
        Err(error) => Some(error.to_string()),
    };
    context.board.end(&source.name, error);
    done
}

async fn work(source: &Source, shared: &Shared, context: &Context) -> Result<Report, VacuumError> {
    let config = |why| VacuumError::Config { path: source.name.clone(), why };
    source.check().map_err(config)?;
    let place = Place::open(&source.from).map_err(config)?;
    let mut report = Report::default();
    let mut jobs = Vec::new();
    for (listed, kind) in found(source, &place, &mut report).await? {
        report.objects += 1;
        match due(source, &place, &listed, shared, &context.project).await? {
            Due::Known => report.known += 1,
            Due::Failed(why) => report.failed.push((listed.key, why)),
            Due::Changed(entry, version) => {
                if entry.changed.as_ref() != Some(&version) {
                    shared.note(Entry { changed: Some(version), at: now_ms(), ..entry }).await?;
                }
                report.changed.push(listed.key);
            }
            Due::Take(entry) => {
                jobs.push(Job { source: source.clone(), place: place.clone(), listed, kind, entry });
            }
        }
    }
    context.board.change(&source.name, |p| {
        (p.objects, p.done, p.unsettled) = (report.objects, report.known, report.unsettled);
        (p.round_objects, p.bytes) = (jobs.len() as u64, jobs.iter().map(|j| j.listed.bytes).sum());
        report.changed.iter().for_each(|key| SourceProgress::name(&mut p.changed, key.clone()));
        report.failed.iter().for_each(|one| SourceProgress::name(&mut p.failed, one.clone()));
        report.unknown.iter().for_each(|key| SourceProgress::name(&mut p.unknown, key.clone()));
    });
    let running = futures::stream::iter(jobs).map(|job| one(job, context, shared));
    let mut running = running.buffer_unordered(source.parallel);
    let mut failure = None;
    while let Some((key, ended)) = running.next().await {
        match ended {
            Ok(Ended::Done) => report.taken += 1,
            Ok(Ended::Changed) => report.changed.push(key),
            Ok(Ended::Failed(why)) => report.failed.push((key, why)),
            Ok(Ended::Later(why)) => report.later.push((key, why)),
            // What the others have under way is sent again next time, under the same ids.
            Err(error) => {
                failure.get_or_insert(error);
                break;
            }
        }
    }
    drop(running);
    if let Some(all) = context.board.all().get(&source.name) {
        (report.rows, report.rejected) = (all.rows, all.rejected);
    }
    failure.map_or(Ok(report), Err)
}

async fn one(job: Job, context: &Context, shared: &Shared) -> (String, Result<Ended, VacuumError>) {
    let (name, key) = (job.source.name.clone(), job.listed.key.clone());
    if context.stop.is_cancelled() {
        return (key, Err(VacuumError::Stopped));
    }
    context.board.change(&name, |p| {
        p.current.insert(key.clone());
    });
    let ended = take(job, context, shared).await;
    context.board.change(&name, |p| {
        p.current.remove(&key);
    });
    (key, ended)
}

/// The objects that match, with their kind.
pub(crate) async fn found(
    source: &Source,
    place: &Place,
    report: &mut Report,
) -> Result<Vec<(Listed, (Kind, Packing))>, VacuumError> {
    let config = |why: regex::Error| VacuumError::Config { path: source.name.clone(), why: why.to_string() };
    let pattern = source.pattern.as_deref().map(regex::Regex::new).transpose().map_err(config)?;
    let settled = i64::try_from(source.settle_s.saturating_mul(1_000_000_000)).unwrap_or(i64::MAX);
    let settled =
        i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX).saturating_sub(settled);
    let mut found = Vec::new();
    for listed in place.list().await? {
        if pattern.as_ref().is_some_and(|p| !p.is_match(&listed.key)) {
            continue;
        }
        if matches!(place, Place::Folder(_)) && source.settle_s > 0 && listed.modified > settled {
            report.unsettled += 1;
            continue;
        }
        match rows::by_name(&listed.key) {
            Some(kind) => found.push((listed, kind)),
            // Archives of messages have names of many kinds, and lines of one.
            None if source.format != Format::Events => found.push((listed, (Kind::Ndjson, Packing::Plain))),
            // The mark of a folder.
            None if listed.bytes == 0 => {}
            None => report.unknown.push(listed.key),
        }
    }
    Ok(found)
}

/// What is to be done about an object.
pub(crate) async fn due(
    source: &Source,
    place: &Place,
    listed: &Listed,
    shared: &Shared,
    project: &str,
) -> Result<Due, VacuumError> {
    let object = format!("{project} {}", listed.at);
    let known = shared.lock().get(&object).cloned();
    let same_stamp = known.as_ref().is_some_and(|e| (e.bytes, e.modified) == (listed.bytes, listed.modified));
    let version = match (&listed.etag, &known) {
        (Some(etag), _) => etag.clone(),
        // A local file that looks as it did is not read again to find out.
        (None, Some(entry)) if same_stamp => entry.version.clone(),
        (None, _) => version_of(place, listed).await?,
    };
    Ok(match known {
        None => Due::Take(Entry {
            object,
            version,
            source: source.name.clone(),
            bytes: listed.bytes,
            modified: listed.modified,
            line: 0,
            rows: 0,
            rejected: 0,
            state: State::Open,
            why: None,
            changed: None,
            at: now_ms(),
        }),
        Some(entry) if entry.version != version => Due::Changed(entry, version),
        Some(entry) => match entry.state {
            State::Done => Due::Known,
            State::Failed => Due::Failed(entry.why.unwrap_or_default()),
            State::Open => Due::Take(Entry { modified: listed.modified, ..entry }),
        },
    })
}

pub(crate) async fn version_of(place: &Place, listed: &Listed) -> Result<String, VacuumError> {
    let (owned, object) = (place.clone(), listed.clone());
    let read = tokio::task::spawn_blocking(move || owned.version(&object)).await;
    let fail = |why: String| VacuumError::Place { place: listed.at.clone(), why };
    match read {
        Ok(read) => read.map_err(|e| fail(e.to_string())),
        Err(panic) => Err(fail(panic.to_string())),
    }
}

/// Says that an object is to be taken as it is now: one that changed, or that failed. `rest`: only what comes after the
/// rows that were taken. False if there is no such object, or nothing to accept.
pub async fn accept(
    source: &Source,
    record: &Arc<Mutex<Record>>,
    project: &str,
    key: &str,
    rest: bool,
) -> Result<bool, VacuumError> {
    let config = |why| VacuumError::Config { path: source.name.clone(), why };
    let place = Place::open(&source.from).map_err(config)?;
    let shared = Shared(record.clone());
    let Some(listed) = place.list().await?.into_iter().find(|l| l.key == key) else { return Ok(false) };
    let entry = match due(source, &place, &listed, &shared, project).await? {
        Due::Changed(entry, version) => Entry { version, ..entry },
        Due::Failed(_) => match shared.lock().get(&format!("{project} {}", listed.at)).cloned() {
            Some(entry) => entry,
            None => return Ok(false),
        },
        Due::Known | Due::Take(_) => return Ok(false),
    };
    let line = if rest { entry.line } else { 0 };
    let (bytes, modified) = (listed.bytes, listed.modified);
    let entry =
        Entry { line, bytes, modified, state: State::Open, why: None, changed: None, at: now_ms(), ..entry };
    shared.note(entry).await?;
    Ok(true)
}
