//! A19-4: a whole day is replayed beside live load: freshness, drain factor, and the announced end.

use super::eta::{Announced, judge};
use super::{Drill, backlog};
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::instance::{Instance, until};
use crate::load::Profile;
use crate::record::{Record, now_ms};
use crate::stage::Stage;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a19-4-day-replayed",
    rows: &["A19-4", "A19-6", "A19-13"],
    title: "A day of events is replayed beside live load: live stays fresh, and the replay ends when it said it would.",
    story: "In 2019 a day of events was to be reprocessed in 4 hours; it took 14, and live processing had to stop.\n\
            Here a day at the reference rate is skipped and replayed, 144 times compressed: the events of 24 hours\n\
            lie in the log as if they had come in 600 s, and 1000 more arrive every second meanwhile. The replay may\n\
            do 8000 a second, so that it is long enough to have a minute 5. Canaries measure how fresh live is; what\n\
            the job announces is noted as it comes, and held against its true end.",
    run: |stage| Box::pin(run(stage)),
};

/// Reference rate, events per second.
const RATE: f64 = 1_000.0;
/// A day, compressed.
const DAY_S: f64 = 600.0;
/// The day is sent so much faster than it would have come.
const FASTER: f64 = 12.0;
const DAY_MS: i64 = 86_400_000;
/// More than a day is sent: a few groups may be processed before the processor, awake again, hears of the skip.
const FIRST_GROUPS: usize = 40_000;

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let mut shop = stage.instance("shop")?;
    // A machine of a known speed, and chunks as small as the story is short.
    shop.set("TALLYMARK_TEST_GROUP", "4000");
    shop.set("TALLYMARK_TEST_PACE", "8000");
    shop.start().await?;
    shop.freeze("process").await;
    let sent_in = DAY_S / FASTER;
    let day = Profile {
        rate: RATE * FASTER,
        batch: 50,
        ago_ms: DAY_MS,
        // Slower than would fit: a slow machine must not reach the future, which charts do not show.
        stretch: 0.5 * DAY_MS as f64 / 1000.0 / sent_in,
        ..Profile::default()
    };
    stage.note("the processor is frozen while the day arrives");
    let load = stage.load(&shop, &day, &record);
    let whole = (RATE * DAY_S) as usize;
    let sent = until("the day to be sent", Duration::from_secs(90), async || {
        (record.acknowledged_count() >= whole + FIRST_GROUPS).then_some(())
    });
    sent.await?;
    load.stop().await;
    let skipped = backlog::skip_pending(stage, &shop).await?;
    stage.figure(Figure::count("records of the day", skipped as usize).at_least(whole as f64));
    let load = stage.load(&shop, &Profile { rate: RATE, ..Profile::default() }, &record);
    stage.pass(3.0).await;
    let job = shop.start_job("replay", json!({})).await?;
    let began = now_ms();
    let (announced, ended, samples) = follow(&shop, &job).await?;
    let done = shop.job(&job).await?;
    load.stop().await;
    stage.note(format!("replay: {}", done["report"]));
    let seconds = (ended - began) as f64 / 1000.0;
    let replayed = done["report"]["replayed"].as_f64().unwrap_or(0.0);
    stage.figure(Figure::seconds("the replay of the day took", seconds).at_least(60.0));
    stage.figure(
        Figure::of(
            "drain factor: a day of arrivals over the time to replay them",
            replayed / seconds / RATE,
            "x",
        )
        .at_least(6.0)
        .objective("O5"),
    );
    backlog::judge_freshness(stage, &samples, "while the day was replayed", 60.0);
    judge(stage, &announced, began, ended);
    let canaries = shop.events(Some("canary")).await?.len();
    stage.judge_beside(&shop, &record, canaries..=canaries).await?;
    stage.verify(&shop).await
}

/// Follows the replay to its end: what it announced, when it was over, how fresh live was meanwhile (sorted).
async fn follow(shop: &Instance, job: &Value) -> Result<(Vec<Announced>, i64, Vec<f64>)> {
    let ended: Mutex<Option<i64>> = Mutex::new(None);
    let over = || ended.lock().map_or(Some(0), |e| *e);
    let watching = async {
        let mut announced: Vec<Announced> = Vec::new();
        let watched = until("the replay to end", Duration::from_secs(200), async || {
            let now = shop.job(job).await.ok()?;
            let (at, end) = (now_ms(), time(&now["progress"]["eta"]));
            if let Some(end) = end.filter(|end| announced.last().is_none_or(|last| last.end != *end)) {
                announced.push(Announced { at, end, range: None });
            }
            match now["state"].as_str() {
                Some("done") => Some(Ok(at)),
                Some("failed" | "cancelled") => Some(Err(now["error"].to_string())),
                _ => None,
            }
        })
        .await;
        let end = match watched {
            Ok((Ok(at), _)) => Ok(at),
            Ok((Err(why), _)) => Err(DrillError::Answer { what: "replay".to_owned(), answer: why }),
            Err(late) => Err(late),
        };
        if let Ok(mut ended) = ended.lock() {
            *ended = Some(*end.as_ref().unwrap_or(&0));
        }
        end.map(|at| (announced, at))
    };
    let canaries = backlog::freshness(shop, 0, async || over().is_some());
    let (watched, samples) = tokio::join!(watching, canaries);
    let (announced, at) = watched?;
    Ok((announced, at, samples?))
}

/// Unix milliseconds of a time in an answer.
fn time(value: &Value) -> Option<i64> {
    Some(value.as_str()?.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}
