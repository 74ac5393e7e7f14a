//! A16-12: abusive devices are throttled by the collector alone, while processing is down and over restarts.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::{Instance, PROJECT, Signal, until};
use crate::load::Profile;
use crate::record::{Acceptance, Record, now_ms};
use crate::stage::Stage;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "a16-12-throttle",
    rows: &["A16-12"],
    title: "Processing is down and ten devices send a thousand times too much; they are held back, nobody else is.",
    story: "In 2016 throttling was driven by processing, so it was off when it was needed most: the backlog grew with\n\
            every abusive device. Here the processor hangs, ten devices flood the collector, which is killed in the\n\
            middle, while four hundred ordinary devices send as always. Only the ten may be answered 429; what was\n\
            held back must be in the books.",
    run: |stage| Box::pin(run(stage)),
};

const DEVICES: usize = 10;
/// Events per request of an abusive device.
const BATCH: usize = 200;

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let normal = Record::default();
    let shop = stage.start("shop").await?;
    let rules = json!({"version": 1, "rules": [
        {"name": "device", "per": "device", "events_per_second": 5, "burst": 400},
        {"name": "user", "per": "user", "events_per_second": 50, "burst": 2000}]});
    let put = shop
        .ask(reqwest::Method::PUT, "/api/v1/operations/throttle", crate::instance::ADMIN_KEY, Some(&rules))
        .await?;
    if put.status == 404 {
        return Err(DrillError::Missing("throttle rules".to_owned()));
    }
    put.ok()?;
    shop.freeze("process").await;
    stage.note("the processor hangs; each device may send 5 events a second, 400 at once");
    let profile = Profile { rate: 500.0, ..Profile::default() };
    let load = stage.load(&shop, &profile, &normal);
    let began = Instant::now();
    let seconds = stage.time(20.0);
    let mut flooded = flood(&shop, 0, began, seconds / 2).await;
    // State is saved every few seconds; a kill must not forgive anybody much.
    shop.signal("collect", Signal::Kill);
    let killed = now_ms();
    stage.note("kill -9 collect in the middle");
    tokio::time::sleep(Duration::from_secs(1)).await;
    flooded.add(flood(&shop, 1, began, seconds).await);
    load.stop().await;
    let spent = began.elapsed().as_secs_f64();
    let Flood { offered, passed, held, unsure } = flooded;
    stage.note(format!("abusive devices offered {offered} events: {passed} passed, {held} were held back, {unsure} had no answer"));
    // Twice the burst because the collector was killed once: at most one burst is forgiven.
    let allowed = DEVICES as f64 * (2.0 * 400.0 + 5.0 * spent);
    stage.figure(
        Figure::count(
            "events that passed beyond what the rules allow",
            (passed as f64 - allowed).max(0.0) as usize,
        )
        .exactly(0.0)
        .objective("A16-12"),
    );
    let normal_attempts: Vec<_> = normal
        .attempts(0, i64::MAX)
        .into_iter()
        .filter(|a| a.status == 200 || !(killed - 10_000..killed + 5_000).contains(&a.at) || a.status == 429)
        .collect();
    let mistaken = normal_attempts.iter().filter(|a| a.status == 429).count();
    stage.figure(
        Figure::count("requests of ordinary devices held back", mistaken).exactly(0.0).objective("A16-12"),
    );
    stage.acceptance("of ordinary devices", Acceptance::of(&normal_attempts));
    let growth = (normal.acknowledged_count() + passed) as f64 / normal.acknowledged_count().max(1) as f64;
    let without = (normal.acknowledged_count() + offered) as f64 / normal.acknowledged_count().max(1) as f64;
    stage.figure(Figure::of("backlog compared with ordinary load alone", growth, "x").at_most(2.0));
    stage.figure(Figure::of("backlog it would have been without throttling", without, "x"));
    shop.signal("process", Signal::Cont);
    stage.judge_beside(&shop, &normal, passed..=passed + unsure).await?;
    let books = settled_count(&shop).await?;
    stage.note(format!("the books count {books} throttled events"));
    // What a killed collector had counted in its last second goes with it: that much may be missing, none too many.
    let missing = 100.0 * (held as f64 - books as f64) / held.max(1) as f64;
    let figure = Figure::of("throttled events missing in the books, of all held back", missing, "%");
    stage.figure(figure.at_most(10.0).objective("A16-12"));
    let invented = books.saturating_sub(held + unsure);
    stage.figure(
        Figure::count("throttled events in the books that nobody was told of", invented).exactly(0.0),
    );
    stage.verify(&shop).await
}

/// Throttled events in the books, once the number rests.
async fn settled_count(shop: &Instance) -> Result<usize, DrillError> {
    let (mut last, mut still) = (None, 0);
    let (count, _) = until("throttled counts in the books to rest", Duration::from_secs(60), async || {
        let ledger = shop.get(&format!("/api/v1/projects/{PROJECT}/ledger")).await.ok()?.ok().ok()?;
        let now = ledger["held_back"]["throttled"].as_u64()?;
        still = if last == Some(now) && now > 0 { still + 1 } else { 0 };
        last = Some(now);
        (still > 16).then_some(now)
    })
    .await?;
    Ok(count as usize)
}

/// What became of the flood, in events.
#[derive(Debug, Default, Clone, Copy)]
struct Flood {
    offered: usize,
    passed: usize,
    held: usize,
    unsure: usize,
}

impl Flood {
    fn add(&mut self, other: Flood) {
        self.offered += other.offered;
        self.passed += other.passed;
        self.held += other.held;
        self.unsure += other.unsure;
    }
}

/// Every abusive device sends as fast as it is answered, until `until` after `began`.
async fn flood(shop: &Instance, part: usize, began: Instant, until: Duration) -> Flood {
    let senders = (0..DEVICES).map(|device| async move {
        let mut sum = Flood::default();
        for serial in 0.. {
            if began.elapsed() >= until {
                break;
            }
            sum.offered += BATCH;
            match shop.append("/api/v1/events", &abuse(device, part, serial)).await {
                Ok(answer) if answer.status == 429 => sum.held += BATCH,
                Ok(answer) => {
                    let accepted = answer.body["accepted"].as_u64().unwrap_or(0) as usize;
                    sum.passed += accepted;
                    sum.held += BATCH - accepted;
                }
                Err(_) => sum.unsure += BATCH,
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        sum
    });
    let mut all = Flood::default();
    futures::future::join_all(senders).await.into_iter().for_each(|one| all.add(one));
    all
}

/// One request of one abusive device.
fn abuse(device: usize, part: usize, serial: usize) -> Value {
    let event = |i: usize| {
        json!({"event": "loop", "device_id": format!("abuser-{device}"),
            "insert_id": format!("abuse-{part}-{device}-{serial}-{i}")})
    };
    json!({"events": (0..BATCH).map(event).collect::<Vec<_>>()})
}
