//! How far each source is, for people: a small file that is replaced every second while work goes on.
//!
//! Guarantees: a reader never sees half of it. Deliberately not here: what was taken (the record says so).

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Objects that are named.
const NAMED: usize = 20;

/// One source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceProgress {
    /// A round is under way.
    pub working: bool,
    /// When the last round began, ms UTC.
    pub round_at: i64,
    /// Objects that are there and match.
    pub objects: u64,
    /// Of these, taken.
    pub done: u64,
    /// To be taken in this round: at its begin, and what of them is finished.
    pub round_objects: u64,
    /// Finished in this round.
    pub round_done: u64,
    /// Their bytes, packed.
    pub bytes: u64,
    /// Of these, read.
    pub bytes_done: u64,
    /// Rows acknowledged durable in this round.
    pub rows: u64,
    /// Rows refused in this round.
    pub rejected: u64,
    /// Per second, over this round.
    pub rows_per_s: f64,
    /// Per second, over this round.
    pub bytes_per_s: f64,
    /// Until the end of this round.
    pub eta_s: Option<f64>,
    /// What is read now.
    pub current: BTreeSet<String>,
    /// Known objects whose content is another one now.
    pub changed: Vec<String>,
    /// Objects that cannot be read: key and reason.
    pub failed: Vec<(String, String)>,
    /// Objects whose name says nothing about their kind.
    pub unknown: Vec<String>,
    /// Files that were written too recently.
    pub unsettled: u64,
    /// Why the last round ended early.
    pub error: Option<String>,
    /// What the server says while it does not take rows.
    pub waiting: Option<String>,
}

impl SourceProgress {
    /// Adds a name to a list that stays short.
    pub(crate) fn name<T>(list: &mut Vec<T>, item: T) {
        if list.len() < NAMED {
            list.push(item);
        }
    }
}

/// By name; since when a round is under way.
type Shown = BTreeMap<String, (SourceProgress, Option<Instant>)>;

/// All sources; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Board {
    sources: Arc<Mutex<Shown>>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        // A poisoned lock still holds valid numbers.
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A round begins.
    pub(crate) fn begin(&self, source: &str, at: i64) {
        let fresh = SourceProgress { working: true, round_at: at, ..SourceProgress::default() };
        self.lock().insert(source.to_owned(), (fresh, Some(Instant::now())));
    }

    /// Something happened.
    pub(crate) fn change(&self, source: &str, change: impl FnOnce(&mut SourceProgress)) {
        let mut sources = self.lock();
        let (progress, began) = sources.entry(source.to_owned()).or_default();
        change(progress);
        let Some(seconds) = began.map(|b| b.elapsed().as_secs_f64()).filter(|s| *s > 0.0) else { return };
        progress.rows_per_s = (progress.rows as f64 / seconds * 10.0).round() / 10.0;
        progress.bytes_per_s = (progress.bytes_done as f64 / seconds).round();
        let left = progress.bytes.saturating_sub(progress.bytes_done) as f64;
        progress.eta_s = (progress.bytes_per_s > 0.0).then(|| (left / progress.bytes_per_s).round());
    }

    /// A round ended.
    pub(crate) fn end(&self, source: &str, error: Option<String>) {
        if let Some((progress, began)) = self.lock().get_mut(source) {
            (progress.working, progress.error, progress.eta_s, progress.waiting) = (false, error, None, None);
            progress.current.clear();
            *began = None;
        }
    }

    /// A round could not even begin.
    pub fn fail(&self, source: &str, error: String) {
        self.change(source, |p| p.error = Some(error));
    }

    /// What it says now.
    pub fn all(&self) -> BTreeMap<String, SourceProgress> {
        self.lock().iter().map(|(name, (progress, _))| (name.clone(), progress.clone())).collect()
    }

    /// Puts a source back to what a file of an earlier run says, unless it is known better.
    pub fn recall(&self, before: BTreeMap<String, SourceProgress>) {
        let mut sources = self.lock();
        for (name, mut progress) in before {
            progress.working = false;
            sources.entry(name).or_insert((progress, None));
        }
    }

    /// Forgets sources that are no longer watched.
    pub fn retain(&self, known: impl Fn(&str) -> bool) {
        self.lock().retain(|name, _| known(name));
    }

    /// Writes it down.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        let path = path(folder);
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec_pretty(&self.all()).unwrap_or_default())?;
        std::fs::rename(fresh, path)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("status.json")
}

/// What was written down last.
pub fn read_board(folder: &Path) -> BTreeMap<String, SourceProgress> {
    let text = std::fs::read_to_string(path(folder)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}
