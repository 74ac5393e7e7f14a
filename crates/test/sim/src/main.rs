//! Plays seeds for as long as wanted: `cargo run -p tallymark-sim -- --from 1 --seeds 5000`.
//!
//! Prints what each seed did. The first seed that fails ends the run with its number: put it into `tests/seeds.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|a| a == name);
        at.and_then(|i| arguments.get(i + 1)).and_then(|n| n.parse().ok()).unwrap_or(default)
    };
    // What the parts say of themselves, for a seed that failed: RUST_LOG=debug.
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let (from, seeds) = (number("--from", 1), number("--seeds", 100));
    for seed in from..from.saturating_add(seeds) {
        let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
        else {
            eprintln!("no runtime could be started");
            return ExitCode::FAILURE;
        };
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(tallymark_sim::run(seed))
        }));
        match played {
            Ok(story) => println!("seed {seed}: {story:?}"),
            Err(_) => {
                eprintln!(
                    "seed {seed} FAILED (its message is above); add it to crates/test/sim/tests/seeds.rs"
                );
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{seeds} seeds, no difference");
    ExitCode::SUCCESS
}
