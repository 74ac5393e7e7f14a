//! A16-12: abusive devices are throttled by the collector alone, while processing is down and over restarts.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::{Instance, PROJECT, Signal};
use crate::load::{Batch, Event, Profile, Shape, Target};
use crate::record::{Acceptance, Record, now_ms};
use crate::stage::Stage;
use serde_json::json;
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
    let (normal, abuse) = (Record::default(), Record::default());
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
    let from = now_ms();
    let profile = Profile { rate: 500.0, ..Profile::default() };
    let load = stage.load(&shop, &profile, &normal);
    let began = Instant::now();
    let seconds = stage.time(20.0);
    flood(&shop, &abuse, began, seconds / 2).await;
    // State is saved every few seconds; a kill must not forgive anybody much.
    shop.signal("collect", Signal::Kill);
    let killed = now_ms();
    stage.note("kill -9 collect in the middle");
    tokio::time::sleep(Duration::from_secs(1)).await;
    flood(&shop, &abuse, began, seconds).await;
    load.stop().await;
    let spent = began.elapsed().as_secs_f64();
    let attempts = abuse.attempts(from, i64::MAX);
    let (held, passed) =
        (attempts.iter().filter(|a| a.status == 429), attempts.iter().filter(|a| a.status == 200));
    let (held, passed) =
        (held.map(|a| a.events as usize).sum::<usize>(), passed.map(|a| a.events as usize).sum::<usize>());
    let offered = attempts.iter().filter(|a| a.status != 0).map(|a| a.events as usize).sum::<usize>();
    stage.note(format!("abusive devices offered {offered} events, {passed} passed, {held} were held back"));
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
    let sent = abuse.acknowledged().len();
    stage.judge_beside(&shop, &normal, sent).await?;
    let (books, seconds) =
        crate::instance::until("throttled counts in the books", Duration::from_secs(90), async || {
            let ledger = shop.get(&format!("/api/v1/projects/{PROJECT}/ledger")).await.ok()?.ok().ok()?;
            let counted = ledger["held_back"]["throttled"].as_u64()?;
            (counted as usize >= held).then_some(counted)
        })
        .await?;
    stage.note(format!("the books count {books} throttled events after {seconds:.1} s"));
    stage.figure(
        Figure::of("throttled in the books minus answered 429", books as f64 - held as f64, "")
            .exactly(0.0)
            .objective("A16-12"),
    );
    stage.verify(&shop).await
}

/// Every abusive device sends as fast as it is answered, until `until` after `began`.
async fn flood(shop: &Instance, record: &Record, began: Instant, until: Duration) {
    let senders = (0..DEVICES).map(|device| {
        let target = Target::of(shop);
        let record = record.clone();
        async move {
            while began.elapsed() < until {
                let batch = abuse_of(device, record.sent().len());
                target.send_once(&batch, &record).await;
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
        }
    });
    futures::future::join_all(senders).await;
}

fn abuse_of(device: usize, serial: usize) -> Batch {
    let event = |i: usize| Event {
        id: format!("abuse-{device}-{serial}-{i}"),
        name: "loop".to_owned(),
        user: None,
        device: Some(format!("abuser-{device}")),
        time: now_ms(),
        properties: json!({}),
        sets: serde_json::Value::Null,
    };
    Batch { shape: Shape::Native, events: (0..BATCH).map(event).collect() }
}
