//! How an answer of the engine is compared with that of the reference, over random worlds and file layouts.

use crate::support::{self, Clutter, Layout};
use proptest::prelude::*;
use serde_json::Value;
use tallymark_model::IdentityAction;
use tallymark_testkit::reference;
use tallymark_testkit::streams::{self, WorldShape};

/// Fresh files of a world. Writing them is most of what a case costs.
const FILES: usize = 4;

/// Numbers agree to the last digits that a mean of floats has; all else must be equal.
fn differ(ours: &Value, theirs: &Value, path: &str) -> Option<String> {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64()?, b.as_f64()?);
            ((a - b).abs() > 1e-9 * a.abs().max(b.abs()).max(1.0))
                .then(|| format!("{path}: {a} instead of {b}"))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(i, (a, b))| differ(a, b, &format!("{path}[{i}]")))
        }
        (Value::Object(_), Value::Object(b)) => b
            .iter()
            .filter(|(key, _)| *key != "as_of")
            .find_map(|(key, b)| differ(ours.get(key).unwrap_or(&Value::Null), b, &format!("{path}.{key}"))),
        (a, b) => (a != b).then(|| format!("{path}: {a} instead of {b}")),
    }
}

pub fn check(world: &reference::World, query: &Value, layout: Layout) -> Result<(), TestCaseError> {
    let theirs = reference::try_run(world, query).map_err(TestCaseError::fail)?;
    let ours = support::run(&support::engine(world, layout), query)
        .map_err(|e| TestCaseError::fail(format!("{e} for {query}")))?;
    match differ(&ours, &theirs, "answer") {
        None => Ok(()),
        Some(what) => {
            Err(TestCaseError::fail(format!("{what}\nquery {query}\nours {ours}\ntheirs {theirs}")))
        }
    }
}

pub fn worlds() -> impl Strategy<Value = reference::World> {
    // The fold of commits has one preset so far.
    let plain = |mut w: reference::World| {
        w.first_user_owns_device = false;
        // Whose properties a reset changes on a device that nobody owned yet, the semantics leave open.
        w.events.iter_mut().filter(|e| e.action == IdentityAction::Reset).for_each(|e| e.ops.clear());
        w
    };
    let coarse = streams::world(WorldShape::default()).prop_map(plain);
    let fine =
        streams::world(WorldShape { tick_ms: 60_000, events: 120, ..WorldShape::default() }).prop_map(plain);
    prop_oneof![coarse, fine]
}

pub fn layouts() -> impl Strategy<Value = Layout> {
    let clutter = prop_oneof![Just(Clutter::None), Just(Clutter::Masked), Just(Clutter::Erased)];
    (1usize..40, any::<bool>(), any::<bool>(), clutter).prop_map(|(commit, compacted, late, clutter)| {
        Layout { commit, compacted, late, clutter, files: FILES }
    })
}

/// Soak runs set `TALLYMARK_CASES`.
pub fn cases() -> u32 {
    std::env::var("TALLYMARK_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2000)
}
