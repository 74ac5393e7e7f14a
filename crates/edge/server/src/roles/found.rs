//! What the auditor found and the catalog does not know: charts over it say so.
//!
//! Guarantees: read in the background from the watch's own file; if that is missing or unreadable, queries answer as
//! if nothing had been found since. The file is never made here.
//! Deliberately not here: finding it (`auditor`), what answers make of it (`query`, `insights`).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tallymark_model::ProjectId;
use tallymark_monitor::WatchStore;
use tallymark_monitor::facts::AuditFinding;
use tallymark_query::Gap;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(1);
/// Findings that make no gap of their own. `damaged-log`: only what is stored counts in charts, whether or not the log
/// could give it again. `skipped`: the books say so themselves, and say at once when it is replayed.
const NO_GAP: [&str; 2] = ["damaged-log", "skipped"];

/// Gaps of a project, as far as they are known.
pub type FoundGaps = Arc<dyn Fn(ProjectId) -> Vec<Gap> + Send + Sync>;

/// Findings as gaps, kept up to date in the background.
pub fn keep(path: PathBuf, stop: CancellationToken) -> FoundGaps {
    let known = Arc::new(RwLock::new(Vec::new()));
    let written = known.clone();
    tokio::spawn(async move {
        let mut reader = Reader { path, opened: None };
        while !stop.is_cancelled() {
            match reader.read().await {
                Ok(found) => *written.write().unwrap_or_else(PoisonError::into_inner) = found,
                Err(error) => tracing::debug!(error, "the auditor's findings could not be read"),
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    });
    Arc::new(move |project| {
        let found = known.read().unwrap_or_else(PoisonError::into_inner);
        found.iter().filter_map(|finding| gap(finding, project)).collect()
    })
}

struct Reader {
    path: PathBuf,
    opened: Option<((u64, u64), WatchStore)>,
}

impl Reader {
    async fn read(&mut self) -> Result<Vec<AuditFinding>, String> {
        let Some(file) = inode(&self.path) else {
            self.opened = None;
            return Ok(Vec::new());
        };
        let store = match &self.opened {
            Some((known, store)) if *known == file => store.clone(),
            _ => {
                let store = WatchStore::open(&self.path).await.map_err(|e| e.to_string())?;
                self.opened = Some((file, store.clone()));
                store
            }
        };
        store.reported().await.map_err(|e| e.to_string())
    }
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

/// A finding as a gap of this project's charts. One that names nobody may concern everybody.
fn gap(finding: &AuditFinding, project: ProjectId) -> Option<Gap> {
    let concerned = finding.projects.is_empty() || finding.projects.contains(&project);
    let none = finding.key.split(['/', ' ']).any(|part| NO_GAP.contains(&part));
    let interval = finding.interval.filter(|_| concerned && !none)?;
    // Received at a time that nobody knows: any time until it was found.
    let received = finding.received.unwrap_or((0, finding.found));
    Some(Gap::found(interval, finding.count, received, format!("the auditor: {}", finding.evidence)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_ledger::Interval;
    use tallymark_model::{Lane, Shard};
    use tallymark_monitor::facts::AuditKind;

    fn finding(key: &str, projects: &[u32]) -> AuditFinding {
        AuditFinding {
            key: key.to_owned(),
            kind: AuditKind::Hole,
            projects: projects.iter().copied().map(ProjectId).collect(),
            interval: Some(Interval::new(Shard { lane: Lane::Live, partition: 0 }, 3, 7)),
            received: Some((10, 20)),
            count: Some(4),
            evidence: "no outcome".to_owned(),
            found: 99,
        }
    }

    #[test]
    fn a_finding_is_a_gap_of_the_projects_it_names() {
        let told = gap(&finding("books/hole/live/0/3-7", &[1]), ProjectId(1)).unwrap();
        assert_eq!(
            (told.interval.from, told.count, told.received, told.state.name()),
            (3, 4, (10, 20), "unaccounted")
        );
        assert_eq!(gap(&finding("books/hole/live/0/3-7", &[1]), ProjectId(2)), None);
        let nobody = AuditFinding { received: None, ..finding("commit/7/wrong-rows", &[]) };
        assert_eq!(gap(&nobody, ProjectId(2)).unwrap().received, (0, 99), "when is not known either");
        assert_eq!(gap(&finding("commit/7/damaged-log/live/0/3-7", &[1]), ProjectId(1)), None);
        assert_eq!(
            gap(&finding("skipped/skipped/live/0/3-7", &[1]), ProjectId(1)),
            None,
            "the books know that themselves"
        );
    }

    #[tokio::test]
    async fn findings_come_and_go_and_a_missing_file_is_no_finding() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watch.db");
        let mut reader = Reader { path: path.clone(), opened: None };
        assert_eq!(reader.read().await, Ok(vec![]));
        assert!(!path.exists(), "reading makes no file");
        let store = WatchStore::open(&path).await.unwrap();
        store.report_finding(&finding("books/hole", &[1])).await.unwrap();
        assert_eq!(reader.read().await.unwrap().len(), 1);
        store.resolve_finding("books/hole").await.unwrap();
        assert_eq!(reader.read().await, Ok(vec![]));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(reader.read().await, Ok(vec![]));
    }
}
