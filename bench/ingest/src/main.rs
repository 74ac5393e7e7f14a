//! Measures the real binary from outside: events acknowledged durable per second (batches of 1, 10, 100), events
//! processed per second and per CPU-second, bytes per event on disk, and the same in every vendor's protocol.
//!
//! `cargo run --release -p tallymark-bench-ingest -- path/to/tallymark [seconds per step]`
//! The load generator shares the machine with the server; the figures say so.

mod load;
mod protocol;
mod server;

use server::Server;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let binary = arguments.next().unwrap_or_else(|| "target/release/tallymark".to_owned());
    let seconds: u64 = arguments.next().and_then(|s| s.parse().ok()).unwrap_or(10);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("machine: {cores} cores, {}", cpu_model());

    let mut server = Server::start(&binary).await?;
    println!(
        "\n| batch | connections | requests/s | events/s acknowledged durable | p50 ms | p99 ms |\n|---|---|---|---|---|---|"
    );
    for (batch, connections) in [(1, 128), (10, 64), (100, 32)] {
        let figures =
            load::run(&server, protocol::NATIVE, batch, connections, Duration::from_secs(seconds)).await?;
        println!(
            "| {batch} | {connections} | {:.0} | {:.0} | {:.2} | {:.2} |",
            figures.requests_per_s,
            figures.requests_per_s * batch as f64,
            figures.p50_ms,
            figures.p99_ms
        );
    }

    // Draining: the load has stopped, the processor works through what it has not seen yet.
    let (before, cpu_before, started) = (server.accounted().await?, server.process_cpu(), Instant::now());
    let after = server.drained().await?;
    let (done, wall) = ((after - before) as f64, started.elapsed().as_secs_f64());
    let cpu = server.process_cpu() - cpu_before;
    println!(
        "\nprocessed while draining: {done:.0} events in {wall:.1} s = {:.0} events/s on {cores} cores",
        done / wall
    );
    println!("per core: {:.0} events per CPU-second ({cpu:.1} CPU-seconds)", done / cpu.max(0.01));
    let (bytes, events) = (server.object_bytes(), after as f64);
    println!(
        "bytes per event on disk: {:.1} ({events:.0} events, before full compaction)",
        bytes as f64 / events
    );
    protocols(&server, Duration::from_secs(seconds)).await?;
    server.stop().await;
    Ok(())
}

/// The same events in every protocol, native first; what it costs the collector and the processor, each beside native.
async fn protocols(server: &Server, time: Duration) -> Result<(), Failure> {
    const BATCH: usize = 100;
    println!(
        "\n| protocol, batches of {BATCH} | events/s acknowledged durable | per CPU-second of the collector | ratio to native | processed per CPU-second of the processor | ratio to native |\n|---|---|---|---|---|---|"
    );
    let mut native = None;
    for protocol in std::iter::once(protocol::NATIVE).chain(protocol::VENDORS) {
        let cpu = || (server.cpu_of("collect"), server.cpu_of("process"));
        let (before, accounted) = (cpu(), server.accounted().await?);
        let figures = load::run(server, protocol, BATCH, 32, time).await?;
        // What one protocol left to do must not slow the next one down, and is part of what it costs.
        let processed = server.drained().await? - accounted;
        let after = cpu();
        let events = figures.requests_per_s * BATCH as f64;
        let collected = events * time.as_secs_f64() / (after.0 - before.0).max(0.01);
        let processed = processed as f64 / (after.1 - before.1).max(0.01);
        let (of_collecting, of_processing) = *native.get_or_insert((collected, processed));
        println!(
            "| {} | {events:.0} | {collected:.0} | {:.2} | {processed:.0} | {:.2} |",
            protocol.name,
            collected / of_collecting,
            processed / of_processing
        );
    }
    Ok(())
}

fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with("model name")).unwrap_or_default();
    line.split(':').nth(1).unwrap_or("unknown CPU").trim().to_owned()
}
