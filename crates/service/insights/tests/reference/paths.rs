//! `type: "paths"`.

use crate::agree::{cases, check, layouts, worlds};
use crate::sessions::busy_worlds;
use proptest::prelude::*;
use tallymark_testkit::streams;

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn paths_agree(world in prop_oneof![worlds().boxed(), busy_worlds().boxed()], query in streams::paths(), layout in layouts()) {
        check(&world, &query, layout)?;
    }
}
