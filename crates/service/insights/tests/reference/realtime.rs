//! `type: "realtime"`.

use crate::agree::{cases, check, layouts, worlds};
use proptest::prelude::*;
use tallymark_testkit::reference::World;
use tallymark_testkit::streams;

/// 2025-10-24T00:00:00Z, when random worlds begin.
const BEGIN: i64 = 1_761_264_000_000;

/// Events of the two weeks before, received within the half hour after: at most one per second, now two minutes.
fn received_now() -> impl Strategy<Value = World> {
    worlds().prop_map(|mut w| {
        for event in &mut w.events {
            event.time = BEGIN - (event.time - BEGIN);
            event.seq.received_at = BEGIN + (event.seq.received_at - BEGIN) * 90;
        }
        w
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_last_half_hour_agrees(world in received_now(), query in streams::realtime(), layout in layouts()) {
        check(&world, &query, layout)?;
    }
}
