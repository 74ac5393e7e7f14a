//! A16-9 in part, and the fourth thing to be seen: a damaged and a deleted segment come back from the log.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::until;
use crate::judge::ask_all;
use crate::load::Profile;
use crate::plant;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::json;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "p25-12-reconcile",
    rows: &["P25-12"],
    title: "One segment is damaged, one deleted, one delta deleted: found within a minute, derived again from the log.",
    story: "In 2025 minor discrepancies were cleaned up later, by hand. Here a bit is flipped in one segment, another\n\
            segment and a delta are deleted under the running instance. The auditor must find them within a minute,\n\
            `rebuild segments` and `rebuild state` must derive them again from the log, charts must be as before,\n\
            and a second run must find nothing to do.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let mut shop = stage.start("shop").await?;
    stage.load_for(&shop, &Profile { rate: 2000.0, ..Profile::default() }, &record, 6.0).await;
    stage.judge(&shop, &record).await?;
    let before = ask_all(&shop).await?;
    // Compaction would clear away what was planted.
    until("compaction to rest", Duration::from_secs(30), async || {
        let one = plant::segments(shop.data()).ok()?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        (one == plant::segments(shop.data()).ok()?).then_some(())
    })
    .await?;
    let segments = plant::segments(shop.data())?;
    let Some(largest) = segments.first() else { return Err(DrillError::Missing("segment".to_owned())) };
    plant::flip_bit(largest)?;
    let mut planted = 1;
    if let Some(other) = segments.get(1) {
        plant::remove_file(other)?;
        planted += 1;
    }
    if let Some(delta) = plant::deltas(shop.data())?.into_iter().next() {
        plant::remove_file(&delta)?;
        planted += 1;
    }
    stage.note(format!("{planted} of {} segments and deltas spoiled", segments.len()));
    let (findings, seconds) = until("findings about damage", Duration::from_secs(90), async || {
        let found = shop.findings().await.ok()?;
        let damage = found
            .into_iter()
            .filter(|f| f["monitor"].as_str().is_some_and(|m| m.contains("audit")))
            .collect::<Vec<_>>();
        (!damage.is_empty()).then_some(damage)
    })
    .await?;
    for finding in &findings {
        stage.note(format!("finding: {}", finding["title"].as_str().unwrap_or_default()));
    }
    stage.figure(Figure::seconds("until the alarm", seconds).at_most(60.0).objective("O3"));
    let (state, took) = shop.run_job("rebuild_state", json!({}), Duration::from_secs(90)).await?;
    stage.note(format!("rebuild state: {}", state["report"]));
    let (done, more) = shop.run_job("rebuild_segments", json!({}), Duration::from_secs(90)).await?;
    stage.note(format!("rebuild segments: {}", done["report"]));
    stage.figure(Figure::seconds("repair", took + more));
    let (again, _) = shop.run_job("rebuild_segments", json!({}), Duration::from_secs(90)).await?;
    let left = again["report"]["damaged"].as_array().map_or(0, Vec::len);
    stage.figure(Figure::count("things a second run still had to repair", left).exactly(0.0));
    // A process that had the good file open must not hide the damage.
    shop.stop().await;
    shop.start().await?;
    stage.judge(&shop, &record).await?;
    stage.compare_with(&shop, &before).await?;
    stage.verify(&shop).await
}
