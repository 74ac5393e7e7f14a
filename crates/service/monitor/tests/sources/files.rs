//! Files that are not taken, at the borders of the thresholds.

use crate::MINUTE;
use tallymark_model::{Millis, ProjectId};
use tallymark_monitor::config::Thresholds;
use tallymark_monitor::facts::{FileSourceFacts, ProjectFacts};
use tallymark_monitor::{Facts, Finding, Monitor, check};

const NOW: Millis = 1_795_240_800_000;

fn found(source: FileSourceFacts) -> Vec<Finding> {
    let shop = ProjectFacts {
        project: ProjectId(3),
        name: "shop".to_owned(),
        watermark: NOW,
        pending: Some(0),
        oldest_pending: None,
    };
    let facts = Facts { at: NOW, projects: vec![shop], files: vec![source], ..Facts::default() };
    let all = check(&facts, &Thresholds::default());
    assert!(all.iter().all(|f| f.monitor == Monitor::Vacuum && f.projects == [ProjectId(3)]), "{all:?}");
    assert!(all.iter().all(|f| !f.title.contains("orders")), "titles may become public");
    all
}

fn source() -> FileSourceFacts {
    FileSourceFacts {
        name: "orders".to_owned(),
        project: Some(ProjectId(3)),
        progressed: NOW,
        ..FileSourceFacts::default()
    }
}

#[test]
fn a_source_whose_rounds_end_early_is_told_after_a_while() {
    let failing = |since| FileSourceFacts { failing: Some((since, "no such bucket".into())), ..source() };
    assert_eq!(found(failing(NOW - 5 * MINUTE + 1)), []);
    let told = found(failing(NOW - 5 * MINUTE));
    assert_eq!((told.len(), told[0].since, told[0].group()), (1, NOW - 5 * MINUTE, "sources"));
    let detail = &told[0].detail;
    assert!(
        detail.contains("\"orders\" of project shop (3)") && detail.contains("no such bucket"),
        "{detail}"
    );
}

#[test]
fn a_round_that_stands_still_is_told_and_one_that_is_over_is_not() {
    let still = |ms, working| FileSourceFacts { progressed: NOW - ms, working, ..source() };
    assert_eq!(found(still(15 * MINUTE - 1, true)), []);
    assert_eq!(found(still(15 * MINUTE, false)), []);
    let waiting = FileSourceFacts { waiting: Some("503 disk full".into()), ..still(15 * MINUTE, true) };
    let told = found(waiting);
    assert!(told.len() == 1 && told[0].detail.contains("503 disk full"), "{told:?}");
}

#[test]
fn objects_that_changed_or_cannot_be_read_are_named_a_few_of_many() {
    let changed = (0..7).map(|n| format!("day-{n}.csv")).collect();
    let unreadable = vec![("broken.gz".to_owned(), "not gzip".to_owned())];
    let told = found(FileSourceFacts { changed, unreadable, ..source() });
    assert_eq!(told.len(), 2);
    let all: String = told.iter().map(|f| f.detail.as_str()).collect();
    for name in ["broken.gz (not gzip)", "day-0.csv", "day-4.csv and 2 more"] {
        assert!(all.contains(name), "{name:?} is not in {all}");
    }
    assert!(!all.contains("day-5"), "{all}");
}
