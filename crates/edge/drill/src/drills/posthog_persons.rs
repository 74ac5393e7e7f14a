//! The incident of 2025 as a whole: the persons store is slow, then replaced under load; lag is uneven.

use super::Drill;
use crate::error::Result;
use crate::figure::Figure;
use crate::instance::{Signal, until};
use crate::judge::ask_all;
use crate::load::Profile;
use crate::plant;
use crate::record::{Acceptance, Record, now_ms};
use crate::stage::Stage;
use serde_json::json;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "posthog-persons",
    rows: &["P25-3", "P25-4", "P25-7", "P25-9", "P25-14"],
    title: "The persons state is slow, then lost, then rebuilt under load with a hot device; people never change.",
    story: "November 2025: the persons database got slow without failing (the ids of its large values were used up),\n\
            ingestion fell behind for up to two days, unevenly; the repair was to move to new tables under load, reads\n\
            gave wrong persons meanwhile, and the last hot partitions took longest.\n\
            Here the processor is slowed down (frozen most of the time) while half of all events come from one device,\n\
            every answer says until when it is complete, the state is deleted, and a new one is built beside it under\n\
            load and switched to. The answers about people must be the same before, during and after.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    let people = Profile { identify: 10, people: 300, ..Profile::default() };
    stage.load_for(&shop, &people, &record, 8.0).await;
    stage.judge(&shop, &record).await?;
    let before = ask_all(&shop).await?;
    let hot = Profile { hot: 0.5, ..people.clone() }.outside_charts();
    let slow = now_ms();
    let load = stage.load(&shop, &hot, &record);
    let until_then = Instant::now() + stage.time(8.0);
    while Instant::now() < until_then {
        shop.freeze("process").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        shop.signal("process", Signal::Cont);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    stage.note("the processor worked at a tenth of its speed");
    stage.acceptance("while persons are slow", Acceptance::of(&record.attempts(slow, i64::MAX)));
    plant::remove_folder(&shop.data().join("state"))?;
    shop.signal("process", Signal::Kill);
    stage.note(
        "the state is deleted, the processor killed; a new state is built beside the running one under load",
    );
    let job = shop.start_job("rebuild_state", json!({"switch": "always"})).await?;
    let (mut answers, mut wrong) = (0, 0);
    let (done, seconds) = until("the rebuild", Duration::from_secs(90), async || {
        if let Ok(now) = ask_all(&shop).await {
            answers += now.len();
            wrong += crate::judge::differences(&before, &now).len();
        }
        let job = shop.job(&job).await.ok()?;
        matches!(job["state"].as_str(), Some("done" | "failed")).then_some(job)
    })
    .await?;
    let report = &done["report"];
    stage.note(format!("rebuilt in {seconds:.1} s: {report} {}", done["error"]));
    stage
        .figure(Figure::must("the new state equals the old one", report["equal"] == true).objective("P25-3"));
    stage.figure(Figure::must("switched to the new state", report["switched"] == true).objective("P25-3"));
    stage.figure(Figure::count("answers about people during the switch", answers).at_least(1.0));
    stage.figure(Figure::count("answers from mixed states", wrong).exactly(0.0).objective("P25-4"));
    load.stop().await;
    let drained = Instant::now();
    stage.judge(&shop, &record).await?;
    stage.figure(Figure::seconds("until everything was in the charts", drained.elapsed().as_secs_f64()));
    stage.compare_with(&shop, &before).await?;
    stage.verify(&shop).await
}
