//! The incident of 2021 as a whole: processing stands still, somebody shortens the retention, a range is lost.

use super::{Drill, backlog, log_file_deleted, loss_report};
use crate::error::Result;
use crate::figure::Figure;
use crate::instance::{ADMIN_KEY, Signal, until};
use crate::judge::all_files;
use crate::load::{Batch, Profile, Script, feed};
use crate::record::{Record, now_ms};
use crate::stage::Stage;
use serde_json::json;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "amplitude-2021",
    rows: &["A21-2", "A21-4", "A21-6", "A21-12"],
    title: "Processing stands still and the retention is shortened; nothing is forgotten, and a lost range is re-sent.",
    story: "July 2021: a full sequence stopped the database, and with it processing; the batch queue's retention was 20\n\
            minutes instead of 7 days, so it forgot events that nobody had read. The status page said that no data\n\
            was lost. What could be recovered depended on the sender.\n\
            Here the processor hangs while both lanes fill, and somebody sets the retention to a minute; the log\n\
            keeps everything. Then a range is skipped, standing for what a queue forgot: no page may deny it,\n\
            the loss report counts it, clients send again exactly what their receipts say, and nothing is doubled.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    let mut script = Script::new(stage.seed, 1, 0, &Profile { vendors: 0, ..Profile::default() });
    let mut draw = |n: usize| (0..n).map(|_| script.batch(now_ms())).collect::<Vec<Batch>>();
    let first = draw(100);
    feed(&shop, &first, &record).await?;
    crate::judge::wait_visible(&shop, &record, Duration::from_secs(60)).await?;
    shop.freeze("process").await;
    stage.note("processing stands still");
    let second = draw(250);
    feed(&shop, &second, &record).await?;
    let files = all_files(&shop.data().join("log"))?.len();
    let minute = json!({"retention": {"days": 0.0007}});
    let path = "/api/v1/operations/settings";
    let answer = shop.ask(reqwest::Method::PUT, path, ADMIN_KEY, Some(&minute)).await?;
    stage.note(format!(
        "somebody sets the retention to a minute: {} {}",
        answer.status, answer.body["error"]["message"]
    ));
    stage.pass(10.0).await;
    let gone = files.saturating_sub(all_files(&shop.data().join("log"))?.len());
    stage.figure(
        Figure::count("log files gone while processing stands still", gone).exactly(0.0).objective("A21-2"),
    );

    let week = json!({"retention": {"days": 7}});
    shop.ask(reqwest::Method::PUT, path, ADMIN_KEY, Some(&week)).await?.ok()?;
    stage.note("set back to a week");
    let ranges = backlog::pending(&shop).await?;
    let skipped = backlog::skip_pending(stage, &shop).await?;
    let (summary, _) = until("the operator's summary", Duration::from_secs(20), async || {
        shop.known("/api/v1/operations/summary").await.ok()
    })
    .await?;
    stage.note(format!("the summary says: identity {}", summary["identity"]));
    let (_, turned) = until("the status page to speak of it", Duration::from_secs(130), async || {
        let page = shop.known("/status/api/v2/status.json").await.ok()?;
        (page["status"]["indicator"] != "none").then_some(())
    })
    .await?;
    let figure = Figure::seconds("until the status page spoke of it by itself", turned);
    stage.figure(figure.at_most(120.0).objective("O9"));
    let denials = log_file_deleted::denials(&shop).await?;
    if let Some(text) = denials.first() {
        stage.note(format!("denied: {text}"));
    }
    stage.figure(Figure::count("pages that deny the loss", denials.len()).exactly(0.0).objective("A21-4"));
    let (reported, _) = loss_report::reported(stage, &shop, &ranges).await?;
    stage.figure(
        Figure::of("events reported minus events lost", reported as f64 - skipped as f64, "")
            .exactly(0.0)
            .objective("A21-6"),
    );
    let batches: Vec<Batch> = first.into_iter().chain(second).collect();
    let again = loss_report::touched(&batches, &record, &ranges);
    stage.note(format!(
        "{} of {} requests touch the range: their clients send them again",
        again.len(),
        batches.len()
    ));
    feed(&shop, &again, &Record::default()).await?;
    stage.judge(&shop, &record).await?;
    shop.signal("process", Signal::Cont);
    stage.verify(&shop).await
}
