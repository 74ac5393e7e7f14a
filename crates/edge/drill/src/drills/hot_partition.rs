//! P25-9: nine of ten events come from one device; the backlog drains nearly as fast, and is told.

use super::Drill;
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::instance::{Instance, Signal, until};
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::json;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "p25-9-hot-partition",
    rows: &["P25-9"],
    title: "Nine of ten events come from one device: the backlog drains nearly as fast as an even one.",
    story: "In 2025 hot partitions made the lag uneven: the peak rate could not be used, and the last partitions took\n\
            longest. Here a backlog of evenly spread events is drained against the clock, and then one of which nine\n\
            tenths belong to a single device. Nothing may be lost, and the hot one may not be much slower.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    // The hot device is meant to be hot here, not to be throttled.
    let rules = json!({"version": 1, "rules": [], "exempt": [{"device": "hot-device"}]});
    let path = "/api/v1/operations/throttle";
    shop.ask(reqwest::Method::PUT, path, crate::instance::ADMIN_KEY, Some(&rules)).await?;
    let even = Profile { rate: 6000.0, batch: 50, vendors: 0, ..Profile::default() };
    let hot = Profile { hot: 0.9, ..even.clone() };
    let even_rate = drain(stage, &shop, &even, &record).await?;
    let hot_rate = drain(stage, &shop, &hot, &record).await?;
    stage.figure(Figure::of("drain rate, evenly spread", even_rate, "events/s"));
    stage.figure(Figure::of("drain rate, nine tenths on one device", hot_rate, "events/s"));
    let factor = hot_rate / even_rate.max(1.0);
    stage.figure(Figure::of("hot over even", factor, "x").at_least(0.7).objective("P25-9").speed());
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}

/// Builds a backlog and drains it; records per second.
async fn drain(stage: &mut Stage, shop: &Instance, profile: &Profile, record: &Record) -> Result<f64> {
    shop.freeze("process").await;
    stage.load_for(shop, profile, record, 7.0).await;
    let shards = shop.shards("live").await?;
    let backlog: u64 = shards.iter().map(|(_, cursor, end)| end - cursor).sum();
    let largest = shards.iter().map(|(_, cursor, end)| end - cursor).max().unwrap_or(0);
    stage.note(format!("backlog {backlog}, of it {largest} in the largest partition"));
    let began = Instant::now();
    shop.signal("process", Signal::Cont);
    until("the backlog to drain", Duration::from_secs(90), async || {
        let shards = shop.shards("live").await.ok()?;
        shards.iter().all(|(_, cursor, end)| cursor == end).then_some(())
    })
    .await
    .map_err(|e| DrillError::Answer { what: "draining".to_owned(), answer: e.to_string() })?;
    Ok(backlog as f64 / began.elapsed().as_secs_f64())
}
