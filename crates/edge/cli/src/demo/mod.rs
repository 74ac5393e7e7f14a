//! `tallymark demo`: a believable product (a music service) of any size, by seed, with a live trickle.
//!
//! Guarantees: the same seed, size and end day give the same events with the same insert ids, so running it
//! twice adds nothing. Sends through the front door only (`POST /api/v1/events`), like any client.

mod chance;
mod day;
mod people;

use crate::client::{Client, ClientError};
use chance::Chance;
use day::{DemoEvent, Visit, events_of_day};
use indicatif::ProgressBar;
use people::World;
use serde_json::Value;
use std::time::Duration;

/// Events of one request.
const BATCH: usize = 2_000;
const DAY_MS: i64 = 86_400_000;

/// What to generate.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// About how many events of history.
    #[arg(long, default_value_t = 200_000)]
    pub events: u64,
    /// Days of history, the last one being today.
    #[arg(long, default_value_t = 90)]
    pub days: u32,
    /// Seed of the product; the same seed gives the same events.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Keep sending this many events per second afterwards, until stopped. 0 = stop after the history.
    #[arg(long, default_value_t = 0.0)]
    pub live: f64,
    /// Stop the trickle after this many seconds.
    #[arg(long)]
    pub live_for: Option<u64>,
    /// Write the history as NDJSON to this file instead of sending it.
    #[arg(long)]
    pub out: Option<std::path::PathBuf>,
    /// Last instant of the history, ms UTC (default: now). For repeatable files.
    #[arg(long)]
    pub until: Option<i64>,
}

/// Generates and sends (or writes) the demo.
pub async fn run(args: &DemoArgs, client: Option<&Client>, bar: ProgressBar) -> Result<u64, DemoError> {
    let now = args.until.unwrap_or_else(now_ms);
    let world = World::sized(args.seed, args.days.clamp(1, 3650), args.events);
    let first_day = now.div_euclid(DAY_MS) - i64::from(world.days) + 1;
    bar.set_length(u64::from(world.days));
    let sent = match (&args.out, client) {
        (Some(path), _) => write_history(&world, first_day, now, path, &bar)?,
        (None, Some(client)) => send_history(&world, first_day, now, client, &bar).await?,
        (None, None) => return Err(DemoError::Nowhere),
    };
    bar.finish_with_message(format!("{sent} events of {} people", world.people));
    if let (Some(client), true) = (client, args.live > 0.0) {
        trickle(&world, client, args.live, args.live_for).await?;
    }
    Ok(sent)
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The server did not take the events.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The file could not be written.
    #[error("cannot write the demo file: {0}")]
    Write(#[from] std::io::Error),
    /// The generator's thread died.
    #[error("the generator stopped unexpectedly: {0}")]
    Generator(#[from] tokio::task::JoinError),
    /// Neither a server nor a file was named.
    #[error("nowhere to send the demo to: name a server (--url and --key, or --data) or a file (--out)")]
    Nowhere,
}

async fn send_history(
    world: &World,
    first_day: i64,
    now: i64,
    client: &Client,
    bar: &ProgressBar,
) -> Result<u64, DemoError> {
    // Generating and sending overlap; two days of look-ahead bound the memory.
    let (tx, mut rx) = tokio::sync::mpsc::channel::<Vec<DemoEvent>>(2);
    let generator = {
        let world = *world;
        tokio::task::spawn_blocking(move || {
            for day in 0..world.days {
                let events = until(now, events_of_day(&world, day, (first_day + i64::from(day)) * DAY_MS));
                if tx.blocking_send(events).is_err() {
                    return;
                }
            }
        })
    };
    let mut sent = 0;
    while let Some(events) = rx.recv().await {
        for batch in events.chunks(BATCH) {
            let bodies: Vec<&Value> = batch.iter().map(|e| &e.body).collect();
            client.send_events(&bodies, Some("bulk")).await?;
            sent += batch.len() as u64;
        }
        bar.inc(1);
        bar.set_message(format!("{sent} events"));
    }
    generator.await?;
    Ok(sent)
}

fn write_history(
    world: &World,
    first_day: i64,
    now: i64,
    path: &std::path::Path,
    bar: &ProgressBar,
) -> Result<u64, DemoError> {
    use std::io::Write;
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut written = 0;
    for day in 0..world.days {
        for event in until(now, events_of_day(world, day, (first_day + i64::from(day)) * DAY_MS)) {
            serde_json::to_writer(&mut file, &event.body).map_err(std::io::Error::from)?;
            file.write_all(b"\n")?;
            written += 1;
        }
        bar.inc(1);
    }
    file.flush()?;
    Ok(written)
}

/// Visits that happen while you watch: a random regular starts a visit every few seconds.
async fn trickle(
    world: &World,
    client: &Client,
    rate: f64,
    stop_after: Option<u64>,
) -> Result<(), DemoError> {
    let started = std::time::Instant::now();
    let mut chance = Chance::new(&[world.seed, now_ms() as u64]);
    let mut queue: Vec<DemoEvent> = Vec::new();
    loop {
        if stop_after.is_some_and(|s| started.elapsed() >= Duration::from_secs(s)) {
            return Ok(());
        }
        while (queue.len() as f64) < rate * 30.0 + 1.0 {
            let person = world.person(chance.below(world.people));
            let key = format!("live-{}", chance.next());
            let at = now_ms() + chance.below(20_000) as i64;
            let visit_chance = Chance::new(&[chance.next()]);
            Visit::at(world, &person, world.days - 1, at, visit_chance, key).play(&mut queue);
        }
        // The queue is spread over real time by rate, not by its own gaps, which are minutes long.
        queue.sort_by_key(|e| e.time);
        let due = (rate.max(1.0) as usize).min(queue.len());
        let now = now_ms();
        let mut bodies: Vec<Value> = queue.drain(..due).map(|e| e.body).collect();
        for body in &mut bodies {
            body["time"] = now.into();
        }
        client.send_events(&bodies.iter().collect::<Vec<_>>(), None).await?;
        tokio::time::sleep(Duration::from_secs_f64(due as f64 / rate)).await;
    }
}

fn until(now: i64, mut events: Vec<DemoEvent>) -> Vec<DemoEvent> {
    events.retain(|e| e.time <= now);
    events
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
