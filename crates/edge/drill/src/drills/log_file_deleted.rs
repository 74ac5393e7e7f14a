//! A21-5, A21-4: a file of the log vanishes before it is processed: alarmed with range and count, never denied.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::{Instance, until};
use crate::judge::{Files, all_files};
use crate::load::Profile;
use crate::plant;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::Value;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a21-5-log-file-deleted",
    rows: &["A21-4", "A21-5", "P25-16"],
    title: "A log file that nobody has processed is deleted; the alarm counts the loss, and no page denies it.",
    story: "In 2021 customers found the loss, while the status page said that no data was lost. Here the processor\n\
            hangs, and a file of the log with unprocessed events is deleted. The alarm must come within a minute and\n\
            say how many events are gone; as long as it stands, no page of ours may claim that nothing is lost; and\n\
            everything that is not in that file must be counted.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let mut shop = stage.start("shop").await?;
    shop.findings().await?;
    shop.freeze("process").await;
    let burst = Profile { rate: 6000.0, batch: 50, vendors: 0, ..Profile::default() };
    stage.load_for(&shop, &burst, &record, 6.0).await;
    shop.stop().await;
    let files = all_files(&shop.data().join("log/live"))?;
    let Some(first) = files.iter().find(|p| p.extension().is_some_and(|e| e == "log")) else {
        return Err(DrillError::Missing("log file".to_owned()));
    };
    stage.note(format!(
        "vandal: {} of {} files deleted",
        first.file_name().unwrap_or_default().to_string_lossy(),
        files.len()
    ));
    plant::remove_file(first)?;
    shop.start().await?;
    let (finding, seconds) =
        until("an alarm about the vanished file", Duration::from_secs(100), async || {
            let findings = shop.findings().await.ok()?;
            findings
                .into_iter()
                .find(|f| f["severity"] == "critical" && f["affected"][0]["count"].as_u64() > Some(0))
        })
        .await?;
    stage.note(format!("alarm: {} — {}", finding["title"], finding["detail"]));
    stage.figure(Figure::seconds("until the alarm", seconds).at_most(60.0).objective("O3"));
    let denials = denials(&shop).await?;
    if let Some(text) = denials.first() {
        stage.note(format!("denied: {text}"));
    }
    stage.figure(Figure::count("pages that deny the loss", denials.len()).exactly(0.0).objective("A21-4"));
    // The rest is processed meanwhile.
    until("the rest to be processed", Duration::from_secs(60), async || {
        let shards = shop.shards("live").await.ok()?;
        shards.iter().all(|(_, cursor, end)| cursor == end).then_some(())
    })
    .await?;
    let stored = Files::read(shop.data()).await?;
    let acknowledged = record.acknowledged();
    let missing = acknowledged.iter().filter(|s| !stored.rows.contains_key(&s.id)).count();
    let claimed: u64 = lost_claimed(&shop).await?;
    stage.note(format!(
        "{missing} of {} events are in no file; the books call {claimed} lost",
        acknowledged.len()
    ));
    stage.figure(
        Figure::of("events lost minus events reported lost", missing as f64 - claimed as f64, "")
            .exactly(0.0)
            .objective("A21-5"),
    );
    Ok(())
}

/// Events that the books call lost.
async fn lost_claimed(shop: &Instance) -> Result<u64, DrillError> {
    let ledger = shop.ledger().await?;
    let gaps = ledger["gaps"].as_array().cloned().unwrap_or_default();
    let length = |g: &Value| Some(g["to"].as_u64()?.saturating_sub(g["from"].as_u64()?));
    let lost = gaps.iter().filter(|g| g.to_string().contains("lost") || g.to_string().contains("missing"));
    Ok(lost.filter_map(length).sum())
}

/// Sentences on public pages and in the operator's summary that claim that nothing is lost.
pub async fn denials(shop: &Instance) -> Result<Vec<String>, DrillError> {
    let mut found = Vec::new();
    for path in [
        "/status/api/v2/summary.json",
        "/status/api/v2/status.json",
        "/status/api/v2/incidents/unresolved.json",
    ] {
        let body: Value = shop.known(path).await?;
        let text = body.to_string().to_lowercase();
        for claim in [
            "no data was lost",
            "no data is lost",
            "nothing is lost",
            "nothing was lost",
            "no events were lost",
            "0 lost",
            "all systems operational",
        ] {
            if text.contains(claim) {
                found.push(format!("{path}: {claim}"));
            }
        }
    }
    Ok(found)
}
