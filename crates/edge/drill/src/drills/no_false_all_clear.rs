//! H15-13: a fault that comes and goes is one incident; nobody is told that it is over while it is not.

use super::Drill;
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::instance::{Instance, Signal, until};
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::Value;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "h15-13-no-false-all-clear",
    rows: &["H15-13", "H15-8"],
    title: "Processing fails, recovers and fails again, three times; \"resolved\" is said once, and at the end.",
    story: "In 2015 \"back to normal\" was announced, and an hour later it failed again. Here processing hangs for\n\
            6 seconds and works for 6, three times. The page is read all the time: it may not call the incident\n\
            resolved before the last fault is over, and must do so afterwards. Times are compressed: an incident may\n\
            end after 12 quiet seconds, or after three times as long as it was going wrong.",
    run: |stage| Box::pin(run(stage)),
};

const TIMES: usize = 3;
const HANGS: Duration = Duration::from_secs(6);
const WORKS: Duration = Duration::from_secs(6);

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let mut shop = stage.instance("shop")?;
    let config = "every_seconds = 1\n\
         [thresholds]\nfreshness_warning_s = 2\nfreshness_critical_s = 3\nlag_warning_s = 2\nlag_critical_s = 3\n\
         [incidents]\nquiet_minutes = 0.2\nquiet_factor = 3.0\nquiet_minutes_max = 0.6\nreopen_minutes = 5.0\n";
    std::fs::create_dir_all(shop.data()).map_err(DrillError::io("the data folder"))?;
    std::fs::write(shop.data().join("watch.toml"), config).map_err(DrillError::io("watch.toml"))?;
    shop.start().await?;
    let load = stage.load(&shop, &Profile { rate: 300.0, ..Profile::default() }, &record);
    stage.pass(4.0).await;
    shop.wait_calm().await?;
    let known = incidents(&shop).await?.len();
    let (mut opened, mut too_early) = (false, 0);
    for nth in 1..=TIMES {
        shop.freeze("process").await;
        stage.note(format!("processing hangs, time {nth}"));
        let seen = look(&shop, known, HANGS).await?;
        (opened, too_early) = (opened || seen.0, too_early + seen.1);
        shop.signal("process", Signal::Cont);
        if nth < TIMES {
            let seen = look(&shop, known, WORKS).await?;
            (opened, too_early) = (opened || seen.0, too_early + seen.1);
        }
    }
    stage.note("processing works again for good");
    let (_, seconds) = until("the incident to be resolved", Duration::from_secs(120), async || {
        let all = incidents(&shop).await.ok()?;
        let ours = &all[..all.len().saturating_sub(known)];
        (!ours.is_empty() && ours.iter().all(is_resolved)).then_some(())
    })
    .await?;
    let all = incidents(&shop).await?;
    load.stop().await;
    let ours = &all[..all.len().saturating_sub(known)];
    let resolutions: usize = ours.iter().map(resolutions).sum();
    stage.figure(Figure::must("an incident was opened by itself", opened));
    stage.figure(Figure::count("false \"resolved\"", too_early).exactly(0.0).objective("H15-13"));
    stage.figure(Figure::count("incidents that the three faults made", ours.len()).at_least(1.0));
    stage.figure(
        Figure::count(
            "times that anybody was told \"resolved\", per incident",
            resolutions / ours.len().max(1),
        )
        .exactly(1.0),
    );
    stage.figure(Figure::seconds("from the end of the last fault to \"resolved\"", seconds).at_most(90.0));
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}

/// Reads the page for a while: whether an incident was open, and how often one of ours was called resolved.
async fn look(shop: &Instance, known: usize, time: Duration) -> Result<(bool, usize)> {
    let (began, mut opened, mut resolved) = (Instant::now(), false, 0);
    while began.elapsed() < time {
        let all = incidents(shop).await?;
        let ours = &all[..all.len().saturating_sub(known)];
        opened |= ours.iter().any(|i| !is_resolved(i));
        resolved += usize::from(ours.iter().any(|i| is_resolved(i)));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Ok((opened, resolved))
}

/// Incidents on the public page, newest first.
async fn incidents(shop: &Instance) -> Result<Vec<Value>> {
    let body = shop.known("/status/api/v2/incidents.json").await?;
    Ok(body["incidents"].as_array().cloned().unwrap_or_default())
}

fn is_resolved(incident: &Value) -> bool {
    matches!(incident["status"].as_str(), Some("resolved" | "postmortem"))
}

fn resolutions(incident: &Value) -> usize {
    let updates = incident["incident_updates"].as_array();
    updates.map_or(0, |all| all.iter().filter(|u| u["status"] == "resolved").count())
}
