//! How often, and how much of a processor core.

use std::time::Duration;

/// Settings of the auditor. The defaults find what is new within seconds and cost about a tenth of one core.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditorConfig {
    /// Pause between two rounds.
    pub round: Duration,
    /// Pause between two looks at the books as a whole and at the presence of every file.
    pub books: Duration,
    /// Share of the time that goes into reading old files and old commits again.
    pub share: f64,
    /// Pause between two full readings of all files, at least.
    pub full: Duration,
    /// Time per round for new commits.
    pub news: Duration,
    /// Originals of duplicates looked up per commit.
    pub witnesses: usize,
    /// Commits that are looked at as news after a start; older ones follow in turns.
    pub first: u64,
}

impl Default for AuditorConfig {
    fn default() -> AuditorConfig {
        AuditorConfig {
            round: Duration::from_secs(2),
            books: Duration::from_secs(10),
            share: 0.1,
            full: Duration::from_secs(20),
            news: Duration::from_secs(1),
            witnesses: 8,
            first: 100,
        }
    }
}
