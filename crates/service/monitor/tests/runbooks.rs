//! Every monitor has its page, every page its monitor, and every page answers the four questions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tallymark_monitor::Monitor;

const SECTIONS: [&str; 4] = ["## What it means", "## How to look", "## What to do", "## What not to do"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/runbooks")
}

#[test]
fn monitors_and_pages_are_the_same_set() {
    let pages: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|slug| slug != "README")
        .collect();
    let monitors: BTreeSet<String> = Monitor::ALL.iter().map(|m| m.slug().to_owned()).collect();
    assert_eq!(pages, monitors, "pages in docs/runbooks (left) and monitors (right)");
}

#[test]
fn every_page_answers_the_four_questions_with_commands() {
    for monitor in Monitor::ALL {
        let text = std::fs::read_to_string(folder().join(format!("{monitor}.md"))).unwrap();
        assert!(text.starts_with(&format!("# {monitor}\n")), "{monitor}: the title is the slug");
        let places: Vec<usize> = SECTIONS
            .iter()
            .map(|s| text.find(s).unwrap_or_else(|| panic!("{monitor}.md has no `{s}`")))
            .collect();
        assert!(places.is_sorted(), "{monitor}.md: sections in another order");
        let looking = &text[places[1]..places[2]];
        assert!(looking.contains("\ntallymark "), "{monitor}.md: no command to look with");
    }
}

#[test]
fn the_index_lists_every_page() {
    let index = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for monitor in Monitor::ALL {
        assert!(index.contains(&format!("[{monitor}]({monitor}.md)")), "{monitor} is not in the index");
    }
}
