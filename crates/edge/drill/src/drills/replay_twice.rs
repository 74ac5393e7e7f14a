//! A19-5: a replay killed ten times, and run again over what is already stored, counts nothing twice.

use super::{Drill, backlog};
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::{Instance, Signal};
use crate::stage::Stage;
use crate::twins::Twins;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "a19-5-replay-twice",
    rows: &["A19-5"],
    title: "A replay is killed again and again and repeated over stored events; nothing is counted twice.",
    story: "In 2019 a rewind had to cover events that were processed already. Here a part of the log is skipped by\n\
            command; the replay is killed with signal 9 at random moments, taken up by the next processor, and then\n\
            asked for once more over the whole log, most of which is stored. Every chart must equal the undisturbed\n\
            twin's, and every insert id must be stored once.",
    run: |stage| Box::pin(run(stage)),
};

const KILLS: usize = 10;

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let mut dice = StdRng::seed_from_u64(stage.seed);
    let mut twins = Twins::start(stage, |_| {}).await?;
    twins.feed(400).await?;
    twins.shop.freeze("process").await;
    twins.feed(2500).await?;
    let skipped = backlog::skip_pending(stage, &twins.shop).await?;
    stage.figure(Figure::count("records skipped", skipped as usize).at_least(1000.0));
    let whole: Vec<_> = twins.shop.shards("live").await?;
    let job = twins.shop.start_job("replay", json!({})).await?;
    let mut hits = 0;
    for _ in 0..KILLS {
        // As soon as a processor works on it, a moment later it is killed.
        let state = under_way(&twins.shop, &job).await?;
        if state["state"] == "done" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..60))).await;
        if twins.shop.signal("process", Signal::Kill) {
            let now = twins.shop.job(&job).await?;
            hits += usize::from(now["state"] != "done");
            stage.note(format!(
                "kill -9 process; the replay is {} at {}",
                now["state"], now["progress"]["done"]
            ));
        }
    }
    let (done, seconds) = twins.shop.wait_job(&job, Duration::from_secs(90)).await?;
    stage.note(format!("replay done {seconds:.1} s after the last kill: {}", done["report"]));
    let ranges: Vec<_> = whole
        .iter()
        .filter(|(_, _, end)| *end > 0)
        .map(|(p, _, end)| json!({"lane": "live", "partition": p, "from": 0, "to": end}))
        .collect();
    let again = twins.shop.start_job("replay", json!({"ranges": ranges})).await;
    match again {
        Ok(job) => {
            let (done, _) = twins.shop.wait_job(&job, Duration::from_secs(60)).await?;
            let replayed = done["report"]["replayed"].as_u64().unwrap_or(0);
            stage.figure(
                Figure::count("records that a second replay touched", replayed as usize).exactly(0.0),
            );
        }
        Err(DrillError::Answer { answer, .. }) => stage.note(format!("a second replay is refused: {answer}")),
        Err(other) => return Err(other),
    }
    stage.figure(Figure::count("kills while the replay was under way", hits).at_least(1.0));
    twins.compare(stage, "after the replays").await?;
    stage.judge(&twins.shop, &twins.record).await?;
    stage.verify(&twins.shop).await
}

/// Waits until a processor works on the job or has done it.
async fn under_way(shop: &Instance, job: &Value) -> Result<Value, DrillError> {
    let began = Instant::now();
    let mut seen = Value::Null;
    while began.elapsed() < Duration::from_secs(20) {
        let now = shop.job(job).await?;
        let progress = now["progress"]["done"].clone();
        // Progress that moves is a processor at work; one that stands is what a dead one left.
        if now["state"] == "done" || (now["state"] == "running" && !seen.is_null() && progress != seen) {
            return Ok(now);
        }
        if seen.is_null() || now["state"] == "running" {
            seen = progress;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(DrillError::TimedOut { what: "the replay to go on".to_owned(), seconds: 20.0 })
}
