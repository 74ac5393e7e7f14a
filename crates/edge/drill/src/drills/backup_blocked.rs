//! A16-7, A16-18: backups that stop are noticed; so is a place for them that is blocked.

use super::Drill;
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::instance::{ADMIN_KEY, until};
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::json;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a16-7-backup-blocked",
    rows: &["A16-7", "A16-18"],
    title: "Scheduled backups are made by themselves; when their place is blocked, an alarm says so; then it goes.",
    story: "In 2016 some tables had never been backed up, and nobody knew. Here backups are scheduled every four\n\
            seconds (for a day); after the first good one, their place is blocked. The alarm has to come by itself\n\
            well within the period after which a backup counts as missing, and has to go when backups are made\n\
            again. That a table without a rule for backups fails the build is a test of the catalog.",
    run: |stage| Box::pin(run(stage)),
};

const EVERY_S: f64 = 4.0;

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let mut shop = stage.instance("shop")?;
    std::fs::create_dir_all(shop.data()).map_err(DrillError::io("the data folder"))?;
    std::fs::write(shop.data().join("watch.toml"), "every_seconds = 1\n")
        .map_err(DrillError::io("watch.toml"))?;
    shop.start().await?;
    let place = stage.folder().join("backups");
    let plan = json!({"backup": {"to": format!("file:{}", place.display()), "every_hours": EVERY_S / 3600.0,
        "rehearse_every_hours": 24}});
    shop.ask(reqwest::Method::PUT, "/api/v1/operations/settings", ADMIN_KEY, Some(&plan)).await?.ok()?;
    let load = stage.load(&shop, &Profile { rate: 200.0, ..Profile::default() }, &record);
    let good = async || {
        let body = shop.known("/api/v1/operations/backups").await.ok()?;
        body["newest_backup"].is_string().then_some(())
    };
    let (_, first) = until("the first scheduled backup", Duration::from_secs(60), good).await?;
    stage.figure(Figure::seconds("until the first scheduled backup", first));
    let about_backups = async || {
        let found = shop.findings().await.ok()?;
        found.into_iter().find(|f| f["monitor"] == "backup-age")
    };
    until("no alarm about backups", Duration::from_secs(40), async || match about_backups().await {
        None => Some(()),
        Some(_) => None,
    })
    .await?;
    let aside = stage.folder().join("backups.away");
    std::fs::rename(&place, &aside).map_err(DrillError::io("the place of backups"))?;
    std::fs::write(&place, b"").map_err(DrillError::io("the place of backups"))?;
    stage.note("the place of backups is blocked");
    let (finding, seconds) = until("an alarm about backups", Duration::from_secs(90), about_backups).await?;
    stage.note(format!("alarm: {} — {}", finding["title"], finding["detail"]));
    stage.figure(Figure::seconds("until the alarm", seconds).at_most(60.0).objective("A16-7"));
    stage.figure(Figure::of("until the alarm, in periods of the schedule", seconds / EVERY_S, "x"));
    std::fs::remove_file(&place).map_err(DrillError::io("the place of backups"))?;
    std::fs::rename(&aside, &place).map_err(DrillError::io("the place of backups"))?;
    let (_, seconds) =
        until("the alarm to go", Duration::from_secs(90), async || match about_backups().await {
            None => Some(()),
            Some(_) => None,
        })
        .await?;
    stage.figure(Figure::seconds("until the alarm went when backups were made again", seconds).at_most(60.0));
    load.stop().await;
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}
