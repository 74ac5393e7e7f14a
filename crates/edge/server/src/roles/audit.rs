//! `audit`: checks the books against log and files, independently of whoever wrote them.
//!
//! Guarantees: it can neither commit nor delete; it lives on while the catalog is gone, and says so; its findings
//! are in the watch's database, where the monitors see them within a round.
//! Deliberately not here: the checks (`auditor`), what is made of findings (`monitor`).

use super::open;
use crate::{Layout, ServerError, layout};
use async_trait::async_trait;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tallymark_auditor::{AuditorConfig, Deps, Finding, FindingKind, FindingSink, Opener, Progress};
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog, WebCatalog};
use tallymark_model::{CommitSeq, Millis, ProjectId};
use tallymark_monitor::WatchStore;
use tallymark_monitor::facts::{AuditFinding, AuditKind};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Audits until told to stop.
pub async fn run(layout: &Layout, stop: CancellationToken) -> Result<(), ServerError> {
    let Some(_) = open::log_when_there(layout, &stop).await else { return Ok(()) };
    let opener = Instance { layout: layout.clone(), opened: Mutex::default() };
    let sink = Arc::new(Watch { layout: layout.clone(), store: OnceCell::new(), checked: Mutex::default() });
    tallymark_auditor::run(AuditorConfig::default(), &opener, sink, stop)
        .await
        .map_err(|e| ServerError::Role { role: "audit", why: e.to_string() })
}

/// Opens this instance for reading.
struct Instance {
    layout: Layout,
    /// Which catalog file was opened.
    opened: Mutex<Option<(u64, u64)>>,
}

impl Instance {
    fn file(&self) -> Result<(u64, u64), String> {
        let path = self.layout.catalog();
        let found = std::fs::metadata(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok((found.dev(), found.ino()))
    }
}

#[async_trait]
impl Opener for Instance {
    async fn open(&self) -> Result<Deps, String> {
        let file = self.file()?;
        let catalog = SqliteCatalog::open(&self.layout.catalog(), OpenMode::Existing).await;
        let catalog = WebCatalog::from(catalog.map_err(|e| e.to_string())?);
        let log = open::log(&self.layout).map_err(|e| e.to_string())?;
        let store = open::store(&self.layout).map_err(|e| e.to_string())?;
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(Deps { catalog: Arc::new(catalog), log, store })
    }

    async fn still_there(&self) -> Result<(), String> {
        let opened = *self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if Some(self.file()?) == opened { Ok(()) } else { Err("the catalog was replaced".to_owned()) }
    }
}

/// Hands findings to the watch.
struct Watch {
    layout: Layout,
    store: OnceCell<WatchStore>,
    /// What had been checked at the last heartbeat: books, commits, segments.
    checked: Mutex<(u64, u64, u64)>,
}

impl Watch {
    async fn store(&self) -> Result<&WatchStore, String> {
        let opened = self.store.get_or_try_init(|| async { WatchStore::open(&self.layout.watch()).await });
        opened.await.map_err(|e| e.to_string())
    }

    /// True if something was checked since the last heartbeat: rounds in which nothing could be are none.
    fn moved(&self, progress: &Progress) -> bool {
        let now = (progress.books, progress.commits, progress.segments);
        let mut known = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        // A life begins at zero; what it checks first moves on as well.
        now != std::mem::replace(&mut *known, now) && now != (0, 0, 0)
    }
}

#[async_trait]
impl FindingSink for Watch {
    async fn report(&self, finding: &Finding) -> Result<(), String> {
        self.store().await?.report_finding(&told(finding)).await.map_err(|e| e.to_string())
    }

    async fn resolve(&self, key: &str) -> Result<(), String> {
        self.store().await?.resolve_finding(key).await.map(|_| ()).map_err(|e| e.to_string())
    }

    async fn open(&self) -> Result<Vec<String>, String> {
        let standing = self.store().await?.reported().await.map_err(|e| e.to_string())?;
        Ok(standing.into_iter().map(|f| f.key).collect())
    }

    async fn conflicts(&self, commit: CommitSeq, found: &[(ProjectId, Millis, u64)]) -> Result<(), String> {
        self.store().await?.note_conflicts(commit.0, found).await.map_err(|e| e.to_string())
    }

    async fn heartbeat(&self, progress: &Progress) -> Result<(), String> {
        let now = now().to_string();
        if self.moved(progress) {
            layout::write_private(&self.layout.progress("audit"), &now).map_err(|e| e.to_string())?;
        }
        layout::write_private(&self.layout.beat("audit"), &now).map_err(|e| e.to_string())
    }
}

fn told(finding: &Finding) -> AuditFinding {
    AuditFinding {
        key: finding.key.clone(),
        kind: match finding.kind {
            FindingKind::Skipped | FindingKind::Hole => AuditKind::Hole,
            FindingKind::Lost => AuditKind::Lost,
            FindingKind::WrongSum | FindingKind::WrongRows => AuditKind::WrongSum,
            FindingKind::MissingWitness => AuditKind::MissingWitness,
            FindingKind::MissingObject | FindingKind::DamagedObject | FindingKind::DamagedLog => {
                AuditKind::Damaged
            }
            FindingKind::LogMismatch | FindingKind::CatalogUnreadable => AuditKind::Violation,
        },
        projects: finding.projects.clone(),
        interval: finding.interval,
        received: finding.received,
        count: finding.count,
        evidence: format!("{}. Repair: `{}`", finding.evidence.trim_end_matches('.'), finding.repair),
        found: now(),
    }
}

/// Wall clock, ms UTC: for people and for the watch, which judges the age.
fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_auditor_that_only_beats_makes_no_progress() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        layout.create().unwrap();
        let watch = Watch { layout: layout.clone(), store: OnceCell::new(), checked: Mutex::default() };
        watch.heartbeat(&Progress { rounds: 1, ..Progress::default() }).await.unwrap();
        assert!(layout.beat("audit").exists() && !layout.progress("audit").exists());
        let checked = Progress { rounds: 2, books: 1, ..Progress::default() };
        watch.heartbeat(&checked).await.unwrap();
        assert!(layout.progress("audit").exists());
        layout::write_private(&layout.progress("audit"), "1").unwrap();
        watch.heartbeat(&Progress { rounds: 3, ..checked }).await.unwrap();
        assert_eq!(std::fs::read_to_string(layout.progress("audit")).unwrap().trim(), "1");
    }
}
