//! Fuzzes the rooms on any toolchain: `cargo run -p tallymark-wire --example fuzz -- <room|all> <minutes> [seed]`.
//!
//! Golden requests are the seeds; their bytes, structure, packing and path are mutated. It ends with 1 at the first
//! request that panics or breaks a promise, and shows it as a golden case.
#![allow(clippy::expect_used)]

#[path = "../tests/fuzzing/mod.rs"]
mod fuzzing;

use fuzzing::Fuzzer;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let room = arguments.next().unwrap_or_else(|| "all".to_owned());
    let minutes: f64 = arguments.next().and_then(|m| m.parse().ok()).unwrap_or(1.0);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
    let seed = arguments.next().and_then(|s| s.parse().ok()).unwrap_or(clock);
    let mut fuzzer = Fuzzer::new(&room, seed);
    if fuzzer.is_empty() {
        eprintln!("no room '{room}'; there are: all {}", Fuzzer::rooms().join(" "));
        return ExitCode::from(2);
    }
    println!("fuzzing {room} for {minutes} minutes, seed {seed}");
    let end = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    let mut runs = 0u64;
    while Instant::now() < end {
        if let Err(finding) = fuzzer.step() {
            println!("{} requests, then: {}\n{}", runs, finding.why, finding.case.shown());
            return ExitCode::FAILURE;
        }
        runs += 1;
    }
    println!("{runs} requests, nothing found");
    ExitCode::SUCCESS
}
