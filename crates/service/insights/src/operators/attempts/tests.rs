//! Any order with anchors against every assignment there is.

use super::*;
use proptest::prelude::*;

fn rules(steps: usize, anchors: u32, window: Millis) -> Rules {
    let mut blocks: Vec<u32> = Vec::new();
    for k in 0..steps {
        if k == 0 || anchors & (1 << k) != 0 || anchors & (1 << (k - 1)) != 0 {
            blocks.push(0);
        }
        *blocks.last_mut().unwrap() |= 1 << k;
    }
    Rules {
        order: Order::Any,
        steps,
        window,
        within: vec![None; steps],
        tolerance: 0,
        strict: false,
        required: (0..steps).collect(),
        blocks,
        first_listed: false,
        allow_repeats: false,
        exclusions: Vec::new(),
        remove: false,
        active: 31,
        choice: Choice::Best,
    }
}

/// The most steps that distinct events can fill: any subset of a block, once all blocks before are full and over.
fn most(
    events: &[(Millis, u32)],
    blocks: &[u32],
    filled: usize,
    used: &mut Vec<usize>,
    since: Millis,
) -> usize {
    let Some(&block) = blocks.first() else { return filled };
    fn fill(
        events: &[(Millis, u32)],
        blocks: &[u32],
        left: u32,
        count: usize,
        used: &mut Vec<usize>,
        span: (Millis, Millis),
    ) -> usize {
        if left == 0 {
            return most(events, &blocks[1..], count, used, span.1);
        }
        let step = left & left.wrapping_neg();
        // Only a whole block leads on.
        let mut best = partial(events, left & !step, count, used, span.0);
        for (i, (time, mask)) in events.iter().enumerate() {
            if mask & step == 0 || *time < span.0 || used.contains(&i) {
                continue;
            }
            used.push(i);
            best = best.max(fill(events, blocks, left & !step, count + 1, used, (span.0, span.1.max(*time))));
            used.pop();
        }
        best
    }
    fn partial(
        events: &[(Millis, u32)],
        left: u32,
        count: usize,
        used: &mut Vec<usize>,
        since: Millis,
    ) -> usize {
        if left == 0 {
            return count;
        }
        let step = left & left.wrapping_neg();
        let mut best = partial(events, left & !step, count, used, since);
        for (i, (time, mask)) in events.iter().enumerate() {
            if mask & step != 0 && *time >= since && !used.contains(&i) {
                used.push(i);
                best = best.max(partial(events, left & !step, count + 1, used, since));
                used.pop();
            }
        }
        best
    }
    fill(events, blocks, block, filled, used, (since, since))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_order_finds_the_largest_matching(
        mut events in prop::collection::vec((0i64..6, 1u32..16), 0..6),
        steps in 1usize..5,
        anchors in 0u32..16,
    ) {
        events.sort_by_key(|e| e.0);
        let events: Vec<(Millis, u32)> = events.into_iter().map(|(t, m)| (t, m & ((1 << steps) - 1))).collect();
        let rules = rules(steps, anchors, 100);
        let mut stream = Stream::default();
        stream.fill(events.iter().map(|&(time, mask)| Event { time, mask }));
        for entry in 0..events.len() as u32 {
            let found = any_order::attempt(&rules, &stream, entry, &Cancel::default()).unwrap();
            let from = events.iter().filter(|e| e.0 >= events[entry as usize].0).copied().collect::<Vec<_>>();
            prop_assert_eq!(found.depth, most(&from, &rules.blocks, 0, &mut Vec::new(), Millis::MIN));
        }
    }
}
