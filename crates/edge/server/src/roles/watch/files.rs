//! Sources of files: what the vacuum publishes, and since when it says so.

use crate::Layout;
use std::collections::BTreeMap;
use tallymark_model::Millis;
use tallymark_monitor::facts::{FileSourceFacts, ProjectFacts};
use tallymark_vacuum::{SourceProgress, Sources, read_board};

/// What was published last, and when it last changed.
#[derive(Default)]
pub struct Files {
    seen: BTreeMap<String, Seen>,
}

struct Seen {
    progress: SourceProgress,
    changed: Millis,
    failing: Option<Millis>,
}

impl Files {
    /// Sources that `vacuum.toml` names. One that is not there is not asked about.
    pub fn observe(
        &mut self,
        layout: &Layout,
        projects: &[ProjectFacts],
        now: Millis,
    ) -> Vec<FileSourceFacts> {
        // A file that cannot be used is the vacuum's to complain about.
        let sources = Sources::load(&layout.vacuum_sources()).unwrap_or_default();
        let mut board = read_board(&layout.vacuum());
        self.seen.retain(|name, _| sources.find(name).is_some());
        let mut facts = Vec::new();
        for source in &sources.source {
            let Some(progress) = board.remove(&source.name) else { continue };
            let of = |p: &&ProjectFacts| p.name == source.project || p.project.to_string() == source.project;
            let project = projects.iter().find(of).map(|p| p.project);
            let seen = self.seen.entry(source.name.clone()).or_insert_with(|| Seen {
                progress: progress.clone(),
                changed: now,
                failing: None,
            });
            if figures(&seen.progress) != figures(&progress) {
                seen.changed = now;
            }
            // While a round is under way, nobody knows yet whether this one fails too.
            seen.failing = match (&progress.error, progress.working) {
                (Some(_), _) => Some(seen.failing.unwrap_or(now)),
                (None, true) => seen.failing,
                (None, false) => None,
            };
            let why = progress.error.clone().or_else(|| seen.progress.error.clone());
            facts.push(FileSourceFacts {
                name: source.name.clone(),
                project,
                working: progress.working,
                progressed: seen.changed,
                failing: seen.failing.map(|since| (since, why.clone().unwrap_or_default())),
                waiting: progress.waiting.clone(),
                unreadable: progress.failed.clone(),
                changed: progress.changed.clone(),
            });
            seen.progress = SourceProgress { error: why.filter(|_| seen.failing.is_some()), ..progress };
        }
        facts
    }
}

/// What changes as long as work goes on.
fn figures(p: &SourceProgress) -> (bool, i64, u64, u64, u64, u64) {
    (p.working, p.round_at, p.round_done, p.bytes_done, p.rows, p.rejected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_model::ProjectId;

    #[test]
    fn trouble_is_dated_and_ends_with_a_round_that_ends_well() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let shop = ProjectFacts {
            project: ProjectId(1),
            name: "shop".to_owned(),
            watermark: 0,
            pending: None,
            oldest_pending: None,
        };
        let mut files = Files::default();
        assert_eq!(files.observe(&layout, std::slice::from_ref(&shop), 1), []);
        let toml = "[[source]]\nname = \"in\"\nfrom = \"file:/in\"\nproject = \"shop\"\n";
        std::fs::write(layout.vacuum_sources(), toml).unwrap();
        std::fs::create_dir_all(layout.vacuum()).unwrap();
        let mut look = |at, rows, working, error: Option<&str>| {
            let p = SourceProgress {
                rows,
                working,
                error: error.map(str::to_owned),
                ..SourceProgress::default()
            };
            let text = serde_json::to_string(&BTreeMap::from([("in", &p), ("gone", &p)])).unwrap();
            std::fs::write(layout.vacuum().join("status.json"), text).unwrap();
            let mut all = files.observe(&layout, std::slice::from_ref(&shop), at);
            assert_eq!((all.len(), all[0].project), (1, Some(ProjectId(1))));
            let f = all.remove(0);
            (f.progressed, f.failing)
        };
        assert_eq!(look(10, 0, true, None), (10, None));
        assert_eq!(look(20, 0, true, None), (10, None), "it stands still");
        assert_eq!(look(30, 5, true, None), (30, None));
        let failing = Some((40, "no bucket".to_owned()));
        assert_eq!(look(40, 5, false, Some("no bucket")), (40, failing.clone()));
        assert_eq!(look(50, 0, true, None), (50, failing.clone()), "the next round has not ended");
        assert_eq!(look(60, 0, false, Some("no bucket")), (60, failing));
        assert_eq!(look(70, 9, false, None), (70, None));
    }
}
