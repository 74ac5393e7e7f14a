//! A19-6 and its like: a backlog drains beside live load; the estimate of its end is right, and its error is kept.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::{Instance, Signal};
use crate::load::Profile;
use crate::record::{Record, now_ms};
use crate::stage::Stage;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "a19-6-estimate",
    rows: &["A19-6", "A19-14", "A16-11", "A16-16", "A21-16", "P25-10"],
    title: "A backlog drains beside live load on a slow machine; the estimated end is within 20 % of the true one.",
    story: "Every incident announced an end and missed it: 4 hours became 14, two days became four. Here the\n\
            processor hangs while events arrive, then works at a fraction of its speed (it is frozen most of the\n\
            time) beside live load. The watch's estimates are noted as they come; when the backlog is gone, each is\n\
            compared with the true end.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let mut shop = stage.instance("shop")?;
    std::fs::create_dir_all(shop.data()).map_err(DrillError::io("the data folder"))?;
    // Catching up counts from a few seconds on here, not from five minutes: the story is time-compressed.
    let config = "every_seconds = 1\n[thresholds]\ncatch_up_after_s = 5\n";
    std::fs::write(shop.data().join("watch.toml"), config).map_err(DrillError::io("watch.toml"))?;
    shop.start().await?;
    shop.freeze("process").await;
    let burst = Profile { rate: 8000.0, batch: 100, ..Profile::default() };
    let arrival = stage.load_for(&shop, &burst, &record, 10.0).await;
    let backlog: u64 = shop.shards("live").await?.iter().map(|(_, cursor, end)| end - cursor).sum();
    stage.note(format!("backlog of {backlog} records after {} requests", arrival.requests));
    stage.note("an estimate is made for backlogs older than a minute: the processor hangs that long");
    tokio::time::sleep(Duration::from_secs(52)).await;
    let load = stage.load(&shop, &Profile { rate: 400.0, ..Profile::default() }, &record);
    let (mut estimates, began) = (Vec::new(), now_ms());
    let clock = Instant::now();
    let mut asked = Instant::now();
    let mut drained = None;
    while clock.elapsed() < Duration::from_secs(120) {
        breathe(&shop).await;
        if asked.elapsed() < Duration::from_millis(700) {
            continue;
        }
        asked = Instant::now();
        if let Some((eta, earliest, latest)) = estimate(&shop).await? {
            estimates.push((now_ms(), eta, Some(earliest), Some(latest)));
        }
        let behind: u64 = shop.shards("live").await?.iter().map(|(_, cursor, end)| end - cursor).sum();
        if behind < 1000 {
            drained = Some(now_ms());
            break;
        }
    }
    shop.signal("process", Signal::Cont);
    load.stop().await;
    let Some(end) = drained else {
        return Err(DrillError::TimedOut { what: "the backlog to drain".to_owned(), seconds: 120.0 });
    };
    let took = (end - began) as f64 / 1000.0;
    stage.note(format!("drained in {took:.1} s; {} estimates were noted", estimates.len()));
    let factor = backlog as f64 / took / 400.0;
    stage.figure(
        Figure::of("drain factor (work per second over arrivals per second)", factor, "x")
            .at_least(6.0)
            .objective("O5")
            .speed(),
    );
    if estimates.is_empty() {
        let what = "estimate for a backlog that drains in this compressed time";
        return Err(DrillError::Missing(what.to_owned()));
    }
    judge_estimates(stage, &estimates, began, end);
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}

type Estimate = (i64, i64, Option<i64>, Option<i64>);

/// From the first third of the drain on, which stands for minute 5.
fn judge_estimates(stage: &mut Stage, estimates: &[Estimate], began: i64, end: i64) {
    let total = (end - began).max(1) as f64;
    let settled: Vec<&Estimate> = estimates.iter().filter(|e| (e.0 - began) as f64 > total / 3.0).collect();
    let errors: Vec<f64> = settled.iter().map(|e| 100.0 * (e.1 - end).abs() as f64 / total).collect();
    let worst = errors.iter().copied().fold(0.0, f64::max);
    let mean = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
    stage.figure(Figure::count("estimates in the last two thirds", settled.len()).at_least(1.0));
    stage.figure(
        Figure::of("mean error of the announced end, of the whole drain", mean, "%")
            .at_most(20.0)
            .objective("O6"),
    );
    stage.figure(Figure::of("largest announced slip, of the whole drain", worst, "%").objective("A19-14"));
    let inside = settled.iter().filter(|e| {
        e.2.is_some_and(|earliest| earliest <= end + 1000) && e.3.is_some_and(|latest| end <= latest + 1000)
    });
    stage.figure(Figure::share("estimates whose range holds the true end", inside.count(), settled.len()));
}

/// The processor works 12 ms of 600.
async fn breathe(shop: &Instance) {
    shop.signal("process", Signal::Cont);
    tokio::time::sleep(Duration::from_millis(12)).await;
    shop.freeze("process").await;
    tokio::time::sleep(Duration::from_millis(588)).await;
}

/// The end of the backlog as the status page shows it now: probable, earliest, latest.
async fn estimate(shop: &Instance) -> Result<Option<(i64, i64, i64)>, DrillError> {
    let page = shop.known("/status/page.json").await?;
    let shown = page["eta"].as_array().into_iter().flatten().filter(|e| e["lane"] == "live");
    let ends = shown.filter_map(|e| {
        let at = |n: usize| e["ends_at"][n].as_i64();
        Some((at(1)?, at(0)?, at(2)?))
    });
    Ok(ends.max_by_key(|e| e.0))
}
