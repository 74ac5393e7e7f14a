//! `type: "stickiness"`.

use crate::agree::{cases, check, layouts, worlds};
use proptest::prelude::*;
use tallymark_testkit::streams;

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn stickiness_agrees(world in worlds(), query in streams::stickiness(), layout in layouts()) {
        check(&world, &query, layout)?;
    }
}
