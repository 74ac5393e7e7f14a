//! A21-2: no setting makes the log forget what is not processed.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::Signal;
use crate::judge::all_files;
use crate::load::Profile;
use crate::record::{Acceptance, Record};
use crate::stage::Stage;
use serde_json::json;
use std::path::PathBuf;

pub const DRILL: Drill = Drill {
    name: "a21-2-retention",
    rows: &["A21-2", "A21-12"],
    title: "Retention is set to a minute while processing is down: refused, and the log keeps every unprocessed event.",
    story: "In 2021 the batch queue's retention was 20 minutes instead of 7 days: while processing was stuck, it\n\
            forgot events that nobody had read. Here somebody sets the retention to a minute. That must be refused;\n\
            and whatever the settings say, files of the log that hold unprocessed events must stay while the\n\
            processor hangs and the log grows.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let mut shop = stage.start("shop").await?;
    let minute = json!({"retention": {"days": 0.0007}});
    let path = "/api/v1/operations/settings";
    let answer = shop.ask(reqwest::Method::PUT, path, crate::instance::ADMIN_KEY, Some(&minute)).await?;
    if answer.status == 404 {
        return Err(DrillError::Missing("instance settings".to_owned()));
    }
    stage.note(format!("retention of a minute: {} {}", answer.status, answer.body["error"]["message"]));
    let mut refused = answer.status >= 400;
    if !refused {
        // The setting is in the catalog: the start is the place to refuse it.
        shop.stop().await;
        shop.start().await?;
        stage.load_for(&shop, &Profile { rate: 300.0, ..Profile::default() }, &record, 3.0).await;
        stage.pass(4.0).await;
        refused = shop.starts("process") > 1 || shop.pid("process").is_none();
        let why = shop.tail();
        let why = why.lines().rev().find(|l| l.contains("retention")).unwrap_or_default();
        stage.note(format!(
            "a start with it: {}; {why}",
            if refused { "the processor refuses" } else { "goes through" }
        ));
        let week = json!({"retention": {"days": 7}});
        shop.ask(reqwest::Method::PUT, path, crate::instance::ADMIN_KEY, Some(&week)).await?.ok()?;
        stage.note("set back to a week");
        crate::judge::wait_visible(&shop, &record, stage.time(30.0)).await?;
    }
    stage.figure(Figure::must("a retention of a minute is refused", refused).objective("A21-2"));
    shop.freeze("process").await;
    stage.note("the processor hangs while the log grows over several files");
    let burst = Profile { rate: 8000.0, batch: 50, ..Profile::default() };
    let taken = stage.load_for(&shop, &burst, &record, 8.0).await;
    stage.acceptance("while the processor hangs", Acceptance { ..taken });
    let before = log_files(&shop)?;
    stage.pass(12.0).await;
    let after = log_files(&shop)?;
    let gone = before.iter().filter(|f| !after.contains(f)).count();
    stage.figure(Figure::count("files of the log", before.len()).at_least(2.0));
    stage.figure(
        Figure::count("files of the log gone with unprocessed events", gone).exactly(0.0).objective("A21-2"),
    );
    shop.signal("process", Signal::Cont);
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}

fn log_files(shop: &crate::instance::Instance) -> Result<Vec<PathBuf>, DrillError> {
    let files = all_files(&shop.data().join("log"))?;
    Ok(files.into_iter().filter(|p| p.extension().is_some_and(|e| e == "log")).collect())
}
