//! `type: "sessions"`.

use crate::agree::{cases, check, layouts, worlds};
use proptest::prelude::*;
use tallymark_model::IdentityAction;
use tallymark_testkit::reference::World;
use tallymark_testkit::streams::{self, WorldShape};

/// Two busy days around the end of summer time in America.
pub fn busy_worlds() -> impl Strategy<Value = World> {
    const LATER: i64 = 8 * 86_400_000;
    let shape = WorldShape { events: 120, users: 3, devices: 3, days: 2, tick_ms: 300_000, operations: true };
    streams::world(shape).prop_map(|mut w| {
        w.first_user_owns_device = false;
        w.events.iter_mut().for_each(|e| e.time += LATER);
        w.events.iter_mut().filter(|e| e.action == IdentityAction::Reset).for_each(|e| e.ops.clear());
        w
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn sessions_agree(world in prop_oneof![worlds().boxed(), busy_worlds().boxed()], query in streams::sessions(), layout in layouts()) {
        check(&world, &query, layout)?;
        // The project's timeout, where the query has none.
        let (mut world, mut query) = (world, query);
        world.session_timeout_min = query["timeout_min"].as_f64().unwrap_or(30.0) / 2.0;
        query["timeout_min"] = serde_json::Value::Null;
        check(&world, &query, layout)?;
    }
}
