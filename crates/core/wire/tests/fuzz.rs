//! A bounded run of the fuzz program on every room. The long one is
//! `cargo run -p tallymark-wire --example fuzz -- all 10`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fuzzing;

use fuzzing::Fuzzer;

#[test]
fn every_room_stands_some_thousand_mutated_requests() {
    let rooms = Fuzzer::rooms();
    for room in ["amplitude", "heap", "mixpanel", "native", "posthog", "segment"] {
        assert!(rooms.iter().any(|r| r == room), "{room} has no golden requests");
    }
    for room in rooms {
        let mut fuzzer = Fuzzer::new(&room, 0x5eed);
        assert!(!fuzzer.is_empty(), "{room}");
        for _ in 0..2000 {
            if let Err(finding) = fuzzer.step() {
                panic!("{room}: {}\n{}", finding.why, finding.case.shown());
            }
        }
    }
}
