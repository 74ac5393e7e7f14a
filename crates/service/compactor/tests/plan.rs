//! What gets merged when, and that planning comes to rest.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use std::collections::BTreeSet;
use tallymark_compactor::{Action, PlanConfig, Task, plan};
use tallymark_ledger::{Fingerprint, SegmentKind, SegmentMeta};
use tallymark_model::{CommitId, CommitSeq, Epoch, ProjectId, SegmentId};

const NOW: i64 = 1_000_000_000;

fn segment(kind: SegmentKind, level: u8, rows: u64, age_ms: i64) -> SegmentMeta {
    let id = SegmentId(uuid::Uuid::new_v4());
    SegmentMeta {
        id,
        project: ProjectId(1),
        kind,
        level,
        key: format!("segments/1/{level}/{id}.parquet"),
        bytes: rows,
        rows,
        fingerprint: Fingerprint(u128::from(rows)),
        sources: Vec::new(),
        time_min: 0,
        time_max: 0,
        received_min: NOW - age_ms,
        received_max: NOW - age_ms,
        day: (level == 2 && kind == SegmentKind::Events).then_some(3),
        identity: CommitSeq(u64::from(level == 2)),
        commit: CommitId(uuid::Uuid::nil()),
        parent: None,
        epoch: Epoch(1),
    }
}

fn events(level: u8, rows: u64, age_ms: i64) -> SegmentMeta {
    segment(SegmentKind::Events, level, rows, age_ms)
}

fn actions(live: &[SegmentMeta]) -> Vec<(Action, usize)> {
    plan(live, NOW, &PlanConfig::default()).into_iter().map(|t| (t.action, t.inputs.len())).collect()
}

fn many(count: usize, one: impl Fn() -> SegmentMeta) -> Vec<SegmentMeta> {
    (0..count).map(|_| one()).collect()
}

#[test]
fn fresh_segments_are_gathered_when_many_or_a_minute_old() {
    assert_eq!(actions(&many(30, || events(0, 10, 0))), []);
    assert_eq!(actions(&many(31, || events(0, 10, 0))), [(Action::Gather, 31)]);
    assert_eq!(actions(&many(2, || events(0, 10, 61_000))), [(Action::Gather, 2)]);
    assert_eq!(actions(&many(1, || events(0, 10, 61_000))), [], "one alone gains nothing");
}

#[test]
fn rows_are_divided_by_day_when_enough_or_quiet() {
    assert_eq!(actions(&many(4, || events(0, 125_000, 0))), [(Action::Split, 4)]);
    assert_eq!(actions(&many(31, || events(1, 10, 0))), [(Action::Split, 31)]);
    assert_eq!(actions(&[events(1, 10, 700_000), events(0, 10, 700_000)]), [(Action::Split, 2)]);
    let leftover = SegmentMeta { identity: CommitSeq(9), ..events(1, 3_000, 900_000) };
    assert_eq!(actions(std::slice::from_ref(&leftover)), [], "what was left over stays until there is news");
    assert_eq!(actions(&[leftover, events(0, 10, 700_000)]), [(Action::Split, 2)]);
}

#[test]
fn a_day_is_merged_again_when_the_late_part_is_worth_it() {
    assert_eq!(actions(&[events(2, 1_000_000, 0), events(2, 1_000, 0)]), []);
    assert_eq!(actions(&[events(2, 1_000_000, 0), events(2, 400_000, 0)]), [(Action::Day(3), 2)]);
    let crumbs = [events(2, 1_000_000, 0), events(2, 1, 0), events(2, 1, 0), events(2, 1, 0)];
    assert_eq!(actions(&crumbs), [(Action::Day(3), 4)]);
    assert_eq!(actions(&many(5, || events(2, 2_000_000, 0))), [], "full files stay as they are");
}

#[test]
fn operations_are_merged_into_sorted_files() {
    let operations = |level, rows| segment(SegmentKind::Properties, level, rows, 61_000);
    assert_eq!(actions(&many(3, || operations(0, 5))), [(Action::Names(1), 3)]);
    assert_eq!(actions(&many(2, || operations(1, 5))), [(Action::Names(2), 2)]);
    assert_eq!(actions(&[operations(2, 1_000), operations(1, 5), operations(1, 5)]), []);
    assert_eq!(
        actions(&[operations(2, 1_000), operations(1, 200), operations(1, 200)]),
        [(Action::Names(2), 3)]
    );
}

/// What carrying out a task leaves, with rows spread over days at random.
fn carried_out(task: &Task, days: u64, dice: &mut u64, config: &PlanConfig) -> Vec<SegmentMeta> {
    let rows: u64 = task.inputs.iter().map(|s| s.rows).sum();
    let age = NOW - task.inputs.iter().map(|s| s.received_max).max().unwrap();
    let cut = |level: u8, day: Option<i32>, mut left: u64, identity: u64| {
        let mut files = Vec::new();
        while left > 0 {
            let some = left.min(config.max_file_rows);
            left -= some;
            files.push(SegmentMeta {
                day,
                identity: CommitSeq(identity),
                ..segment(task.kind, level, some, age)
            });
        }
        files
    };
    match task.action {
        Action::Gather => cut(1, None, rows, 0),
        Action::Names(level) => cut(level, None, rows, 0),
        Action::Day(day) => cut(2, Some(day), rows, 5),
        Action::Split => {
            let (mut out, mut left, mut few) = (Vec::new(), rows, 0);
            for day in 0..days {
                *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(11);
                let some = if day + 1 == days { left } else { (*dice >> 33) % (left + 1) };
                left -= some;
                match some < config.min_day_rows as u64 {
                    true => few += some,
                    false => out.extend(cut(2, Some(day as i32), some, 5)),
                }
            }
            out.extend(cut(1, None, few, 5));
            out
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tasks_are_disjoint_and_planning_comes_to_rest(
        shapes in proptest::collection::vec((any::<bool>(), 0u8..3, 1u64..400, 0i64..2_000_000), 0..80),
        days in 1u64..6,
        mut dice in any::<u64>(),
    ) {
        let config = PlanConfig {
            max_fresh: 3, split_rows: 1_000, max_merged: 3, min_day_rows: 100, max_per_day: 2,
            max_task_rows: 2_000, max_file_rows: 500, ..PlanConfig::default()
        };
        let mut live: Vec<SegmentMeta> = shapes.into_iter().map(|(events, level, rows, age)| {
            segment(if events { SegmentKind::Events } else { SegmentKind::Properties }, level, rows, age)
        }).collect();
        let sum = |live: &[SegmentMeta]| live.iter().map(|s| s.rows).sum::<u64>();
        let before = sum(&live);
        let mut rounds = 0;
        loop {
            let tasks = plan(&live, NOW, &config);
            let mut seen = BTreeSet::new();
            for task in &tasks {
                prop_assert!(!task.inputs.is_empty());
                prop_assert!(task.input_ids().into_iter().all(|id| seen.insert(id)), "a segment is in two tasks");
                prop_assert!(task.inputs.iter().all(|s| s.kind == task.kind && s.project == task.project));
                prop_assert!(task.inputs.len() == 1 || task.inputs.iter().map(|s| s.rows).sum::<u64>() <= 2_000);
            }
            if tasks.is_empty() { break; }
            for task in &tasks {
                live.retain(|s| !task.input_ids().contains(&s.id));
                live.extend(carried_out(task, days, &mut dice, &config));
            }
            rounds += 1;
            prop_assert!(rounds < 500, "planning does not come to rest: {tasks:?}");
        }
        prop_assert_eq!(sum(&live), before);
    }
}
