//! What was found.

use std::fmt;

/// Most violations that are listed; all are counted.
const LISTED_MAX: usize = 100;

/// The result of a verification.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Report {
    /// Commits read.
    pub commits: u64,
    /// Segment files read in full.
    pub segments: u64,
    /// Records in the log that count as acknowledged events (control records do not).
    pub acknowledged: u64,
    /// Rows found in segments.
    pub visible: u64,
    /// Duplicates found in deltas.
    pub duplicate: u64,
    /// Filtered records found in deltas.
    pub filtered: u64,
    /// Dead letters found in deltas.
    pub dead: u64,
    /// Control records.
    pub control: u64,
    /// Offsets recorded as lost or skipped.
    pub lost: u64,
    /// Events behind the cursors.
    pub pending: u64,
    /// How many things do not add up.
    pub violation_count: u64,
    /// The first of them.
    pub violations: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl Report {
    /// Notes something that does not add up.
    pub fn violation(&mut self, what: String) {
        self.violation_count += 1;
        if self.violations.len() < LISTED_MAX {
            self.violations.push(what);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "acknowledged {} = visible {} + duplicate {} + filtered {} + dead {} + lost {} + pending {}",
            self.acknowledged,
            self.visible,
            self.duplicate,
            self.filtered,
            self.dead,
            self.lost,
            self.pending
        )?;
        writeln!(f, "read {} commits and {} segments in {:.1} s", self.commits, self.segments, self.seconds)?;
        if self.violations.is_empty() {
            return write!(f, "balanced: every record has exactly one outcome");
        }
        write!(f, "DOES NOT BALANCE: {} violations", self.violation_count)?;
        self.violations.iter().try_for_each(|v| write!(f, "\n  {v}"))
    }
}

/// Why the verification could not be done at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The folder holds no server's data.
    #[error("{0} holds no Tallymark data; name the folder with --data")]
    NothingThere(String),
    /// The catalog.
    #[error("catalog: {0}")]
    Catalog(#[from] tallymark_catalog::CatalogError),
    /// The object store as a whole; a damaged segment is a violation instead.
    #[error("object store: {0}")]
    Store(#[from] tallymark_store::StoreError),
    /// Commits came faster than the books could be read.
    #[error("commits came in faster than the books could be read; try again, or stop the server first")]
    Restless,
    /// The log cannot be opened.
    #[error("log: {0}")]
    Log(#[from] tallymark_log::OpenError),
    /// The log cannot be read.
    #[error("log: {0}")]
    Read(#[from] tallymark_log::ReadError),
}
