//! A19-4, A19-13: a replay runs beside live load; live stays fresh; the replay pauses, resumes and is cancelled.

use super::{Drill, backlog, hole};
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::until;
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::json;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a19-4-replay-beside-live",
    rows: &["A19-4", "A19-9", "A19-13"],
    title: "A replay of skipped events runs beside live load: live stays fresh, the replay obeys pause and cancel.",
    story: "In 2019 reprocessing meant stopping live processing and rewinding it. Here a backlog is skipped by\n\
            command (so that live is fresh at once) and replayed in its own lane while clients go on sending; the\n\
            replay is paused, resumed, cancelled and started again on the way. Freshness is measured by canaries\n\
            that are sent and looked for.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    let burst = Profile { rate: 6000.0, batch: 50, ..Profile::default() };
    shop.freeze("process").await;
    stage.note("the processor is frozen while a backlog builds up");
    stage.load_for(&shop, &burst, &record, 8.0).await;
    let skipped = backlog::skip_pending(stage, &shop).await?;
    stage.figure(Figure::count("records to replay", skipped as usize).at_least(10_000.0));
    let live = Profile { rate: 500.0, ..Profile::default() };
    let load = stage.load(&shop, &live, &record);
    let before = backlog::freshness(&shop, 0, count_down(5)).await?;
    backlog::judge_freshness(stage, &before, "with the backlog skipped", 10.0);

    let shown = hole::gap_is_shown(&shop).await?;
    stage.figure(
        Figure::must("charts over the skipped range say that something is missing", shown).objective("A19-9"),
    );
    let first = shop.start_job("replay", json!({})).await?;
    shop.steer(&first, "pause").await?;
    let (paused, _) = until("the replay to pause", Duration::from_secs(20), async || {
        let job = shop.job(&first).await.ok()?;
        (job["state"] == "paused" || job["wish"] == "pause").then_some(job)
    })
    .await?;
    stage.note(format!("paused at {}", paused["progress"]));
    stage.pass(2.0).await;
    let held = shop.job(&first).await?["progress"]["done"].clone();
    stage.pass(2.0).await;
    let still = shop.job(&first).await?["progress"]["done"].clone();
    stage.figure(Figure::must("a paused replay stands still", held == still).objective("A19-13"));
    shop.steer(&first, "resume").await?;
    stage.note("resumed, and cancelled half a second later");
    stage.pass(0.5).await;
    let cancelled = shop.steer(&first, "cancel").await;
    stage.note(format!("cancel: {}", cancelled.map_or_else(|e| e.to_string(), |j| j["state"].to_string())));
    until("the replay to end", Duration::from_secs(30), async || {
        let job = shop.job(&first).await.ok()?;
        matches!(job["state"].as_str(), Some("done" | "cancelled" | "failed")).then_some(())
    })
    .await?;
    let second = shop.start_job("replay", json!({})).await;
    if let Ok(second) = second {
        stage.note("started again");
        let samples = backlog::freshness(&shop, 1000, async || {
            let state = shop.job(&second).await.map(|j| j["state"].clone()).unwrap_or_default();
            matches!(state.as_str(), Some("done" | "failed" | "cancelled"))
        })
        .await?;
        let (done, _) = shop.wait_job(&second, Duration::from_secs(60)).await?;
        stage.note(format!("replay: {}", done["report"]));
        let rate = done["report"]["rate"].as_f64().unwrap_or(0.0);
        stage.figure(Figure::of("replay rate", rate, "events/s"));
        if !samples.is_empty() {
            backlog::judge_freshness(stage, &samples, "while the replay ran", 60.0);
        }
    }
    load.stop().await;
    crate::judge::wait_visible(&shop, &record, stage.time(60.0)).await?;
    let gone = hole::complete_again(&shop).await?;
    stage.figure(
        Figure::seconds("until the mark is gone after the replay", gone).at_most(5.0).objective("A19-9"),
    );
    // Canaries are the drill's own: they are in no record.
    let canaries = shop.events(Some("canary")).await?.len();
    let judgement = stage.judge_beside(&shop, &record, canaries..=canaries).await?;
    stage.note(format!("{} acknowledged events are there once", judgement.acknowledged));
    stage.verify(&shop).await
}

/// True after so many calls.
fn count_down(mut left: usize) -> impl AsyncFnMut() -> bool {
    async move || {
        left = left.saturating_sub(1);
        left == 0
    }
}
