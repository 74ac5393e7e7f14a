//! How far each bucket or folder is whose files become events.
//!
//! Guarantees: read from what the vacuum writes, so it answers while the vacuum is down; its record is read again only
//! when it has changed.
//! Deliberately not here: taking files (`vacuum`).

use super::log_handle::port;
use crate::Layout;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tallymark_api::{FailedObjectBody, FileSourceBody, PortError};
use tallymark_monitor::status::rfc3339;
use tallymark_vacuum::{Record, Source, SourceProgress, Sources, State, read_board};

const WHAT: &str = "the record of files";

/// Sums of the record, by source.
type Sums = Arc<BTreeMap<String, Sum>>;
/// Length and time of a file: what tells one state of it from the next.
type Mark = Option<(u64, SystemTime)>;

#[derive(Debug, Default, Clone)]
struct Sum {
    rows: u64,
    rejected: u64,
    last: Option<(i64, String)>,
}

/// Reads the vacuum's folder.
pub struct Files {
    layout: Layout,
    sums: Mutex<Option<(Mark, Sums)>>,
}

impl Files {
    /// Of this folder, which may not exist yet.
    pub fn new(layout: &Layout) -> Files {
        Files { layout: layout.clone(), sums: Mutex::default() }
    }

    /// Sources into a project of one of these names.
    pub fn of(&self, names: &[String]) -> Result<Vec<FileSourceBody>, PortError> {
        let sources = Sources::load(&self.layout.vacuum_sources()).map_err(|e| port(WHAT, e))?;
        let mine: Vec<Source> = sources.source.into_iter().filter(|s| names.contains(&s.project)).collect();
        if mine.is_empty() {
            return Ok(Vec::new());
        }
        let (board, sums) = (read_board(&self.layout.vacuum()), self.sums()?);
        let body = |s: &Source| body(s, board.get(&s.name), sums.get(&s.name).cloned().unwrap_or_default());
        Ok(mine.iter().map(body).collect())
    }

    fn sums(&self) -> Result<Sums, PortError> {
        let folder = self.layout.vacuum();
        let mark = mark(&Record::path(&folder));
        let mut held = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, sums)) = held.as_ref()
            && *known == mark
        {
            return Ok(sums.clone());
        }
        let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
        for entry in Record::view(&folder).map_err(|e| port(WHAT, e))?.entries() {
            let sum = sums.entry(entry.source.clone()).or_default();
            sum.rows += entry.rows;
            sum.rejected += entry.rejected;
            if entry.state == State::Done && sum.last.as_ref().is_none_or(|(at, _)| *at < entry.at) {
                // `PROJECT s3://BUCKET/KEY`
                let place = entry.object.split_once(' ').map_or(entry.object.as_str(), |(_, place)| place);
                sum.last = Some((entry.at, place.to_owned()));
            }
        }
        let sums = Arc::new(sums);
        *held = Some((mark, sums.clone()));
        Ok(sums)
    }
}

fn mark(path: &Path) -> Mark {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.len(), meta.modified().ok()?))
}

fn body(source: &Source, now: Option<&SourceProgress>, sum: Sum) -> FileSourceBody {
    let known = now.is_some();
    let now = now.cloned().unwrap_or_default();
    let state = match (now.working, &now.waiting, &now.error) {
        (true, Some(_), _) => "waiting",
        (true, None, _) => "working",
        (false, _, Some(_)) => "failing",
        _ if known => "idle",
        _ => "new",
    };
    let failed = now.failed.into_iter().map(|(object, reason)| FailedObjectBody { object, reason });
    FileSourceBody {
        name: source.name.clone(),
        from: source.from.clone(),
        format: if source.map.is_some() { "mapped" } else { source.format.name() }.to_owned(),
        state: state.to_owned(),
        objects: now.objects,
        done: now.done,
        failed: failed.collect(),
        changed: now.changed,
        unknown: now.unknown,
        rows: sum.rows,
        rejected: sum.rejected,
        rows_per_second: now.working.then_some(now.rows_per_s),
        seconds_left: now.eta_s,
        last_object_at: sum.last.as_ref().map(|(at, _)| rfc3339(*at)),
        last_object: sum.last.map(|(_, object)| object),
        looked_at: (now.round_at > 0).then(|| rfc3339(now.round_at)),
        reason: now.waiting.or(now.error),
    }
}
