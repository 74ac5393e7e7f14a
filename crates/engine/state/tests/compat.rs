//! What earlier versions wrote is read for ever: deltas and checkpoints as the released binary of version 1 left them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use tallymark_model::{CommitSeq, Outcome, Position, ProjectId, SubjectId, SubjectKind};
use tallymark_state::{DedupEntry, Delta, State, StateConfig, StateReader};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/compat/v1").join(name)
}

fn delta(name: &str) -> Delta {
    Delta::decode(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

#[test]
fn deltas_of_version_1_say_what_they_said() {
    let (first, second) = (delta("1.delta"), delta("2.delta"));
    assert_eq!(first.projects.len(), 1);
    let project = &first.projects[0];
    let names: Vec<&str> = project.subjects.iter().map(|s| s.raw.as_str()).collect();
    assert_eq!(names, ["device-1", "user-1", "user-2", "user-3", "user-3"]);
    assert_eq!((project.stats.events["Play"].count, project.stats.events["Stop"].count), (2, 2));
    assert_eq!(project.sights, None, "not kept at the time");
    assert!(project.retracted.is_empty() && first.controls.is_empty() && first.restated.is_empty());
    assert_eq!((first.dedup.len(), first.dedup_gone.len()), (6, 0));
    let codes: Vec<String> = second
        .exceptions
        .iter()
        .map(|e| match &e.outcome {
            Outcome::Duplicate { witness } => format!("duplicate of {witness}"),
            Outcome::Dead { reason } => format!("{} {}", reason.code, e.body.len()),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(codes, ["duplicate of live/0@0", "unknown_project 29"]);
    // Written again, they are of this version, and say the same.
    let again = Delta::decode(&first.encode().unwrap()).unwrap();
    assert_eq!(again, first);
}

#[test]
fn a_checkpoint_of_version_1_is_the_fold_of_its_deltas() {
    let mut folded = State::empty(StateConfig::default());
    folded.apply(CommitSeq(1), &delta("1.delta")).unwrap();
    folded.apply(CommitSeq(2), &delta("2.delta")).unwrap();
    let opened = State::open(&fixture(""), StateConfig::default()).unwrap();
    assert_eq!(opened.applied(), CommitSeq(2));
    assert_eq!(opened.digest(), folded.digest());
    let project = opened.project(ProjectId(1)).unwrap();
    assert_eq!(project.subjects.find(SubjectKind::User, "user-2"), Some(SubjectId(3)));
    assert_eq!(project.latest(SubjectId(1)), tallymark_identity::UNSEEN, "anything may be late");

    // It goes on from there, and what it writes is read again.
    let dir = tempfile::tempdir().unwrap();
    opened.checkpoint(dir.path()).unwrap();
    assert_eq!(State::open(dir.path(), StateConfig::default()).unwrap().digest(), folded.digest());
    let reader = StateReader::open(dir.path()).unwrap();
    assert!(reader.snapshot(ProjectId(1)).erased.is_empty());
    assert_eq!(reader.activity(ProjectId(1), &[SubjectId(1)]).events, 2);
}

#[test]
fn an_entry_that_leaves_the_index_lets_an_older_one_answer() {
    let at = |offset| Position { lane: tallymark_model::Lane::Live, partition: 0, offset };
    let entry = |offset, day| DedupEntry { key: 7, position: at(offset).pack(), day };
    let mut state = State::empty(StateConfig { dedup_days: 2 });
    let id = |n: u128| tallymark_model::CommitId(uuid::Uuid::from_u128(n));
    let mut first = Delta::empty(id(1));
    first.dedup = vec![entry(1, 10), entry(2, 13)];
    state.apply(CommitSeq(1), &first).unwrap();
    let empty = State::empty(StateConfig { dedup_days: 2 }).dedup().len();
    assert_eq!(state.dedup().get(7, 12), Some(at(2)));
    assert_eq!(state.dedup().get_without(7, 12, |p| p == at(2)), Some(at(1)));
    let mut second = Delta::empty(id(2));
    second.dedup_gone = vec![entry(2, 13), entry(9, 13)];
    state.apply(CommitSeq(2), &second).unwrap();
    assert_eq!(state.dedup().get(7, 12), Some(at(1)));
    let mut third = Delta::empty(id(3));
    third.dedup_gone = vec![entry(1, 10)];
    state.apply(CommitSeq(3), &third).unwrap();
    assert_eq!((state.dedup().get(7, 10), state.dedup().len()), (None, empty));
}
