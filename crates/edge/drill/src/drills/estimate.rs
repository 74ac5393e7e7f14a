//! A19-6 and its like: a backlog drains beside live load; the estimate of its end is right, and its error is kept.

use super::Drill;
use super::eta::{Announced, judge};
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
    title: "A backlog drains beside live load on a slow machine; the announced end is within 20 % from minute 5 on.",
    story: "Every incident announced an end and missed it: 4 hours became 14, two days became four. Here the\n\
            processor hangs for a minute while events arrive, and then works beside live load as a machine that can\n\
            do 1150 events a second. What the status page announces is noted as it comes, and held against the true\n\
            end, when nothing that waits is older than half a minute. An hour is told in two or three minutes, so\n\
            minute 5 is a twelfth of the drain.",
    run: |stage| Box::pin(run(stage)),
};

/// Events per second that keep arriving.
const ARRIVAL: f64 = 150.0;
/// Records per second that the processor can work off.
const CAPACITY: u32 = 1_150;
/// Seconds that the processor hangs; an estimate is made for backlogs older than a minute.
const HANG_S: f64 = 62.0;
/// A backlog is over when nothing that waits is older than this.
const OVER_MS: i64 = 30_000;
const DRAIN_LIMIT: Duration = Duration::from_secs(300);
const SLOT: Duration = Duration::from_millis(400);

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let mut shop = stage.instance("shop")?;
    std::fs::create_dir_all(shop.data()).map_err(DrillError::io("the data folder"))?;
    std::fs::write(shop.data().join("watch.toml"), "every_seconds = 1\n")
        .map_err(DrillError::io("watch.toml"))?;
    // Commits as small as the story is short.
    shop.set("TALLYMARK_TEST_GROUP", "600");
    shop.set("TALLYMARK_TEST_PACE", CAPACITY.to_string());
    shop.start().await?;
    shop.freeze("process").await;
    let burst = Profile { rate: 2300.0, batch: 50, ..Profile::default() };
    stage.load_for(&shop, &burst, &record, HANG_S).await;
    let backlog: u64 = shop.shards("live").await?.iter().map(|(_, cursor, end)| end - cursor).sum();
    stage.note(format!("{backlog} records wait; the processor goes on with {CAPACITY} a second"));
    let load = stage.load(&shop, &Profile { rate: ARRIVAL, batch: 10, ..Profile::default() }, &record);
    let began = now_ms();
    shop.signal("process", Signal::Cont);
    let (announced, ended) = drain(&shop).await?;
    load.stop().await;
    let Some(ended) = ended else {
        let (what, seconds) = ("the backlog to drain".to_owned(), DRAIN_LIMIT.as_secs_f64());
        return Err(DrillError::TimedOut { what, seconds });
    };
    let took = (ended - began) as f64 / 1000.0;
    stage.note(format!("over after {took:.1} s; {} announcements were noted", announced.len()));
    stage.figure(Figure::seconds("the drain took", took).at_least(60.0));
    judge(stage, &announced, began, ended);
    history(stage, &shop).await?;
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}

/// Watches until the backlog is over; what was announced, and when it was over.
async fn drain(shop: &Instance) -> Result<(Vec<Announced>, Option<i64>), DrillError> {
    let mut announced: Vec<Announced> = Vec::new();
    let clock = Instant::now();
    while clock.elapsed() < DRAIN_LIMIT {
        if is_over(shop).await? {
            return Ok((announced, Some(now_ms())));
        }
        if let Some(now) = announcement(shop).await?
            && announced.last().is_none_or(|last| last.at < now.at)
        {
            announced.push(now);
        }
        tokio::time::sleep(SLOT).await;
    }
    Ok((announced, None))
}

/// True if no partition lacks anything that was received longer ago than what ends a backlog.
async fn is_over(shop: &Instance) -> Result<bool, DrillError> {
    let ledger = shop.ledger().await?;
    let live = ledger["lanes"].as_array().into_iter().flatten().filter(|l| l["lane"] == "live");
    let mut waiting = live.filter(|l| l["pending"].as_u64() != Some(0));
    let since = now_ms() - OVER_MS;
    Ok(waiting.all(|l| {
        let complete = l["watermark"].as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok());
        complete.is_some_and(|t| t.as_millisecond() >= since)
    }))
}

/// The end of the backlog as the status page shows it now.
async fn announcement(shop: &Instance) -> Result<Option<Announced>, DrillError> {
    let page = shop.known("/status/page.json").await?;
    let shown = page["eta"].as_array().into_iter().flatten().filter(|e| e["lane"] == "live");
    let announced = shown.filter_map(|e| {
        let end = |n: usize| e["ends_at"][n].as_i64();
        Some(Announced { at: e["at"].as_i64()?, end: end(1)?, range: Some((end(0)?, end(2)?)) })
    });
    Ok(announced.max_by_key(|a| a.end))
}

/// The history that the system keeps and publishes: it must be there, with the errors filled in.
async fn history(stage: &mut Stage, shop: &Instance) -> Result<(), DrillError> {
    let kept = crate::instance::until(
        "the history of estimates to be closed",
        Duration::from_secs(30),
        async || {
            let body = shop.known("/api/v1/operations/estimates?limit=1000").await.ok()?;
            let all = body["estimates"].as_array()?.clone();
            all.iter().any(|e| e["actual"].is_string()).then_some(all)
        },
    );
    let (all, _) = kept.await?;
    let judged = all.iter().filter(|e| e["error"].is_number()).count();
    stage.figure(
        Figure::count("estimates in the published history, with their errors", judged)
            .at_least(5.0)
            .objective("A19-14"),
    );
    Ok(())
}
