//! The rule by example, and against its plainest reading.

use super::*;

fn depth(
    hits: &[(Millis, u32)],
    steps: usize,
    window: Millis,
    tolerance: Millis,
    strict: bool,
) -> (usize, usize) {
    let hits: Vec<Hit> = hits.iter().map(|&(time, mask)| Hit { time, mask }).collect();
    let rules = Rules { steps, window, tolerance, strict, choice: Choice::Best };
    let found = choose(&hits, &rules, &mut Workspace::default(), &Cancel::default()).unwrap();
    found.map_or((0, 0), |a| (a.depth, a.entry))
}

const A: u32 = 1;
const B: u32 = 2;
const C: u32 = 4;

#[test]
fn the_window_is_inclusive_and_measured_from_the_first_step() {
    assert_eq!(depth(&[(0, A), (100, B)], 2, 100, 0, false).0, 2);
    assert_eq!(depth(&[(0, A), (101, B)], 2, 100, 0, false).0, 1);
    assert_eq!(depth(&[(0, A), (60, B), (120, C)], 3, 100, 0, false).0, 2);
}

#[test]
fn the_deepest_attempt_wins_then_the_earliest_entry() {
    // The first entry's window closes too early; the second completes.
    assert_eq!(depth(&[(0, A), (150, A), (200, B)], 2, 100, 0, false), (2, 1));
    assert_eq!(depth(&[(0, A), (10, A), (20, B)], 2, 100, 0, false), (2, 0));
}

#[test]
fn other_choices_take_other_attempts() {
    let hits = [(0, A), (5, A), (7, B), (9, A), (10, B)].map(|(time, mask)| Hit { time, mask });
    let entry = |choice| {
        let rules = Rules { steps: 3, window: 100, tolerance: 0, strict: false, choice };
        let found = choose(&hits, &rules, &mut Workspace::default(), &Cancel::default()).unwrap();
        found.map(|a| (a.depth, a.entry)).unwrap()
    };
    assert_eq!(entry(Choice::Best), (2, 0));
    assert_eq!(entry(Choice::FirstEntry), (2, 0));
    // Entries 0 and 5 both end at 7; the later is tighter. Entry 9 ends later.
    assert_eq!(entry(Choice::Tightest), (2, 1));
}

#[test]
fn ties_accept_either_order_unless_steps_must_increase() {
    assert_eq!(depth(&[(5, B), (5, A)], 2, 100, 0, false).0, 2);
    assert_eq!(depth(&[(5, B), (5, A)], 2, 100, 0, true).0, 1);
    assert_eq!(depth(&[(3, B), (5, A)], 2, 100, 0, false).0, 1);
    assert_eq!(depth(&[(3, B), (5, A)], 2, 100, 2, false).0, 2);
    assert_eq!(depth(&[(3, B), (6, A)], 2, 100, 2, false).0, 1);
}

#[test]
fn one_event_never_fills_two_steps() {
    assert_eq!(depth(&[(0, A | B)], 2, 100, 0, false).0, 1);
    assert_eq!(depth(&[(0, A | B), (0, A | B)], 2, 100, 0, false).0, 2);
    assert_eq!(depth(&[(0, A | B), (7, A | B)], 2, 100, 0, false), (2, 0));
}

#[test]
fn among_simultaneous_candidates_the_one_that_leads_deepest_is_taken() {
    // Step 2 can be either event at 5; taking the one that only matches step 2 leaves the other for step 3.
    assert_eq!(depth(&[(0, A), (5, B | C), (5, B)], 3, 100, 0, false).0, 3);
    assert_eq!(depth(&[(0, A), (5, B), (5, B | C)], 3, 100, 0, false).0, 3);
}

#[test]
fn a_hopeless_tie_is_not_searched_for_ever() {
    // 19 steps match all of 30 simultaneous events, the last matches nothing.
    let masks: Vec<(Millis, u32)> = (0..30u32).map(|i| (5, ((1 << 19) - 1) & !(1 << (1 + i % 18)))).collect();
    assert_eq!(depth(&masks[..14], 20, 100, 0, false).0, 14);
}

/// The rule of the semantics, word for word, without any of the shortcuts.
fn reference(hits: &[Hit], rules: &Rules) -> Option<(usize, usize)> {
    fn go(
        hits: &[Hit],
        rules: &Rules,
        step: usize,
        start: Millis,
        previous: Millis,
        used: &mut Vec<usize>,
    ) -> usize {
        if step == rules.steps {
            return step;
        }
        let fits = |i: &usize| {
            let h = &hits[*i];
            let after = if rules.strict { h.time > previous } else { h.time >= previous - rules.tolerance };
            !used.contains(i) && h.mask & (1 << step) != 0 && after && h.time - start <= rules.window
        };
        let candidates: Vec<usize> = (0..hits.len()).filter(fits).collect();
        let Some(time) = candidates.iter().map(|i| hits[*i].time).min() else { return step };
        let mut deepest = step;
        for i in candidates.into_iter().filter(|i| hits[*i].time == time) {
            used.push(i);
            deepest = deepest.max(go(hits, rules, step + 1, start, time, used));
            used.pop();
        }
        deepest
    }
    let mut best: Option<(usize, usize)> = None;
    for (i, h) in hits.iter().enumerate().filter(|(_, h)| h.mask & 1 != 0) {
        let depth = go(hits, rules, 1, h.time, h.time, &mut vec![i]);
        if best.is_none_or(|b| depth > b.0) {
            best = Some((depth, i));
        }
    }
    best
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(3000))]
    #[test]
    fn it_agrees_with_the_rule(
        mut raw in proptest::collection::vec((0i64..12, 1u32..16), 0..9),
        single in proptest::bool::ANY,
        steps in 1usize..5,
        window in 0i64..12,
        tolerance in 0i64..3,
        strict in proptest::bool::ANY,
    ) {
        raw.sort_by_key(|r| r.0);
        let hits: Vec<Hit> = raw.iter().map(|&(time, mask)| {
            let mask = if single { 1 << (mask % 4) } else { mask } & ((1 << steps) - 1);
            Hit { time, mask }
        }).filter(|h| h.mask != 0).collect();
        let rules = Rules { steps, window, tolerance, strict, choice: Choice::Best };
        let found = choose(&hits, &rules, &mut Workspace::default(), &Cancel::default()).unwrap();
        proptest::prop_assert_eq!(found.map(|a| (a.depth, a.entry)), reference(&hits, &rules));
    }

    #[test]
    fn plain_rules_agree_with_the_others(
        mut hits in proptest::collection::vec((0i64..40, 0u32..4), 0..24), steps in 1usize..5, window in 0i64..40,
    ) {
        hits.retain(|(_, step)| (*step as usize) < steps);
        hits.sort_unstable();
        let rules = Rules { steps, window, tolerance: 0, strict: false, choice: Choice::Best };
        let all = |a: Attempt| (a.depth, a.entry, a.times[..a.depth].to_vec());
        let others = choose_apart(hits.iter().copied(), &rules, &mut Workspace::default());
        proptest::prop_assert_eq!(choose_deepest(hits.iter().copied(), &rules).map(all), others.map(all));
    }
}
