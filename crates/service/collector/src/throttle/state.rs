//! `throttle.state`: who has used how much, so that a restart forgives nobody.
//!
//! One JSON object, replaced as a whole: version, time, the buckets with a level or a quota, and the counts that the
//! log has not taken yet. Levels go on leaking while the process is away. Whoever was in the sketch only starts
//! anew: that is less than a quarter of a burst.
//! Deliberately not here: the rules (`files`).

use super::bucket::{Bucket, Now, Quota};
use super::counts::Rows;
use super::files;
use super::rules::{Lookup, Per, token_of_hex};
use super::table::{Subject, Table};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use tallymark_model::Millis;

const VERSION: u32 = 1;
/// Far above 8,192 rows with the longest ids: a larger file is not ours.
const BYTES_MAX: u64 = 64 << 20;

/// The file's content.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    version: u32,
    saved_at: Millis,
    rows: Vec<SavedRow>,
    /// They are in the log within a second, unless it takes nothing.
    #[serde(default)]
    unwritten: Vec<(super::counts::Key, u64)>,
}

#[derive(Serialize, Deserialize)]
struct SavedRow {
    rule: String,
    per: Per,
    token: String,
    id: String,
    level: f64,
    refused: u64,
    marked: u64,
    last_at: Millis,
    quota: Quota,
}

impl State {
    /// What is worth saving of a table, as of now.
    pub fn of(table: &mut Table, unwritten: Rows, now: Now) -> State {
        table.sweep(now);
        let row = |row: &super::table::Row| SavedRow {
            rule: row.subject.rule.clone(),
            per: row.subject.per,
            token: row.subject.token.to_string(),
            id: row.subject.id.clone(),
            level: row.bucket.level(),
            refused: row.refused,
            marked: row.marked,
            last_at: row.last_at,
            quota: row.bucket.quota().clone(),
        };
        State {
            version: VERSION,
            saved_at: now.wall_ms,
            rows: table.rows().iter().map(row).collect(),
            unwritten: unwritten.into_iter().collect(),
        }
    }

    pub fn write(&self, path: &Path) -> io::Result<()> {
        files::replace(path, &serde_json::to_vec(self)?)
    }

    /// `None` if there is no file yet.
    pub fn read(path: &Path) -> Result<Option<State>, String> {
        let length = match std::fs::metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(|e| e.to_string())?.len(),
        };
        if length > BYTES_MAX {
            return Err(format!("the file is larger than {BYTES_MAX} bytes"));
        }
        let text = std::fs::read(path).map_err(|e| e.to_string())?;
        let state: State = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
        if state.version != VERSION {
            return Err(format!("version {} is not {VERSION}", state.version));
        }
        Ok(Some(state))
    }

    /// True if it holds counts that the log does not have.
    pub fn has_counts(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.unwritten.is_empty()
    }

    /// Puts the rows back, as far as their rules still exist; returns the counts that were not in the log.
    pub fn restore(self, table: &mut Table, rules: &Lookup, now: Now) -> Rows {
        let elapsed_ms = u64::try_from(now.wall_ms - self.saved_at).unwrap_or(0);
        for saved in self.rows {
            let rule = rules.named(&saved.rule).filter(|rule| rule.per == saved.per);
            let (Some(rule), Ok(token)) = (rule, token_of_hex(&saved.token)) else { continue };
            let bucket = Bucket::restored(saved.level, saved.quota, rule.events_per_second, elapsed_ms, now);
            let subject = Subject { rule: saved.rule, per: saved.per, token, id: saved.id };
            if let Some(row) = table.restore(subject, bucket, rule) {
                (row.refused, row.marked, row.last_at) = (saved.refused, saved.marked, saved.last_at);
            }
        }
        self.unwritten.into_iter().collect()
    }
}
