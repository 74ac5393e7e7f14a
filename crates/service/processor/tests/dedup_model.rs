//! Exhaustive model of the deduplication rules, over two lanes of one partition with group commits.
//!
//! Guarantees: every schedule of small logs (up to 5 events over 2 insert ids, spread over both lanes; the unsafe
//! designs fall with 4) with up to 3 faults is explored. A design is safe if no quiescent state shows two visible rows for one insert id, or a
//! duplicate without a visible row (I5). The outcomes of all candidate designs are asserted, the unsafe ones too:
//! if one of them became "safe", the model would have lost its teeth.
//! Deliberately not here: the processor itself (`tests/crash.rs` breaks the real one).

#[path = "dedup/world.rs"]
mod world;

use world::{Design, Found, Group, Index, Order, Rebuild, Reprocess, explore};

/// Every log of `n` events over the ids `a` and `b` that starts with `a`, split into the two lanes at `live`.
fn logs(n: usize, live: usize) -> Vec<(Vec<u8>, usize)> {
    (0..1u32 << (n - 1))
        .map(|bits| ((0..n).map(|i| (bits >> i & 1) as u8 * u8::from(i > 0)).collect(), live))
        .collect()
}

fn one_lane() -> Vec<(Vec<u8>, usize)> {
    (3..=5).flat_map(|n| logs(n, n)).collect()
}

fn two_lanes() -> Vec<(Vec<u8>, usize)> {
    (2..=4).flat_map(|n| (1..n).flat_map(move |live| logs(n, live))).collect()
}

fn verdict(design: Design, logs: &[(Vec<u8>, usize)], faults: u8) -> Found {
    let mut all = Found::default();
    for (log, live) in logs {
        all.merge(explore(design, log, *live, faults));
    }
    println!("{design:?}\n    {} states; {}", all.states, all.describe());
    all
}

/// The rule of the design: commit first, then apply the committed delta; duplicate iff the index holds another
/// position; rebuild from committed rows; orphans re-decided; a group is committed whole.
const SAFE: Design = Design {
    order: Order::CommitFirst,
    index: Index::Other,
    rebuild: Rebuild::Rows,
    orphans: true,
    group: Group::Whole,
    reprocess: Reprocess::Serial,
    yields: false,
};

const UNSAFE: [(&str, Design, bool, bool); 7] = [
    ("index first, present", Design { order: Order::IndexFirst, index: Index::Present, ..SAFE }, true, true),
    ("index first, less", Design { order: Order::IndexFirst, index: Index::Less, ..SAFE }, true, true),
    ("index first, log", Design { order: Order::IndexFirst, rebuild: Rebuild::Log, ..SAFE }, true, true),
    ("index first, rows", Design { order: Order::IndexFirst, ..SAFE }, true, true),
    ("commit first, less", Design { index: Index::Less, ..SAFE }, true, false),
    ("commit first, log", Design { rebuild: Rebuild::Log, ..SAFE }, true, false),
    ("orphans ignored", Design { orphans: false, ..SAFE }, false, true),
];

#[test]
fn the_rule_is_safe_in_one_lane() {
    let found = verdict(SAFE, &one_lane(), 3);
    assert!(found.is_safe(), "{}", found.describe());
    assert!(found.quiescent > 1_000, "the model did not get anywhere: {} quiescent states", found.quiescent);
}

#[test]
fn the_rule_is_safe_over_two_lanes_and_group_commits() {
    let mut all = two_lanes();
    all.extend((1..5).flat_map(|live| logs(5, live)));
    let found = verdict(SAFE, &all, 3);
    assert!(found.is_safe(), "{}", found.describe());
    assert!(found.quiescent > 3_000, "the model did not get anywhere: {} quiescent states", found.quiescent);
}

#[test]
fn a_replayed_original_may_take_its_place_back() {
    let design = Design { yields: true, ..SAFE };
    for logs in [one_lane(), two_lanes()] {
        let found = verdict(design, &logs, 3);
        assert!(found.is_safe(), "{}", found.describe());
        assert!(
            found.quiescent > 300,
            "the model did not get anywhere: {} quiescent states",
            found.quiescent
        );
    }
    // It does not make up for an index that points at rows which are gone.
    let log = verdict(Design { rebuild: Rebuild::Log, ..design }, &two_lanes(), 3);
    assert!(log.doubled.is_some(), "{}", log.describe());
}

#[test]
fn committing_the_group_up_to_any_point_of_decision_order_is_safe_too() {
    let found = verdict(Design { group: Group::Prefix, ..SAFE }, &two_lanes(), 3);
    assert!(found.is_safe(), "{}", found.describe());
}

#[test]
fn every_simpler_rule_fails_in_one_lane_as_the_design_says() {
    for (name, design, doubles, loses) in UNSAFE {
        let found = verdict(design, &one_lane(), 3);
        assert_eq!(
            (found.doubled.is_some(), found.lost.is_some()),
            (doubles, loses),
            "{name}: {}",
            found.describe()
        );
    }
}

#[test]
fn every_simpler_rule_fails_over_two_lanes() {
    for (name, design, doubles, loses) in UNSAFE {
        let found = verdict(design, &two_lanes(), 3);
        assert!(!doubles || found.doubled.is_some(), "{name} should count twice: {}", found.describe());
        assert!(!loses || found.lost.is_some(), "{name} should lose: {}", found.describe());
    }
}

/// Two findings that one lane cannot show, and that the processor is built around.
#[test]
fn decisions_that_lean_on_each_other_must_be_committed_together() {
    // Lane B decided "duplicate of what lane A is about to commit" and is committed alone; then A is decided again.
    let alone = verdict(Design { group: Group::LaneAlone, ..SAFE }, &two_lanes(), 3);
    assert!(alone.lost.is_some(), "{}", alone.describe());
    // A reprocess that commits beside a prepared group takes away a witness the group leans on.
    let beside = verdict(Design { reprocess: Reprocess::Beside, ..SAFE }, &two_lanes(), 3);
    assert!(beside.lost.is_some(), "{}", beside.describe());
}
