//! H15-1: a disk that fills at a steady rate is told of long before it is full.

use super::Drill;
use super::disk_budget::SmallDisk;
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::instance::until;
use crate::load::Profile;
use crate::record::{Acceptance, Record};
use crate::stage::Stage;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "h15-1-forecast",
    rows: &["H15-1"],
    title: "The disk fills at a steady rate; the forecast speaks while most of it is free, with the time that is left.",
    story: "In 2015 the alarm about a resource came two hours before its end. Here the instance lives on a small\n\
            file system (which the drill mounts and unmounts) and a steady load fills it. The forecast of when it is\n\
            full must come while most of it is still free, and long before the end at the rate that is measured.",
    run: |stage| Box::pin(run(stage)),
};

const DISK_MB: u64 = 256;

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let disk = SmallDisk::mount(&stage.folder().join("small"), DISK_MB)?;
    let mut shop = stage.instance("shop")?;
    shop.use_data(&disk.path.join("data"));
    std::fs::create_dir_all(shop.data()).map_err(DrillError::io("the data folder"))?;
    std::fs::write(shop.data().join("watch.toml"), "every_seconds = 1\n")
        .map_err(DrillError::io("watch.toml"))?;
    shop.start().await?;
    let load = stage.load(&shop, &Profile { rate: 600.0, ..Profile::default() }, &record);
    let (finding, seconds) = until("a forecast", Duration::from_secs(90), async || {
        let found = shop.findings().await.ok()?;
        found.into_iter().find(|f| f["monitor"] == "disk-days-left")
    })
    .await?;
    let used = disk.used_share()?;
    stage.note(format!("after {seconds:.1} s: {}", finding["detail"].as_str().unwrap_or_default()));
    stage.figure(Figure::seconds("until the forecast spoke", seconds).at_most(60.0).objective("O11"));
    stage.figure(Figure::of("disk in use when it spoke", used, "%").at_most(50.0).objective("H15-1"));
    let before = disk.used_share()?;
    stage.pass(15.0).await;
    let per_s = (disk.used_share()? - before) / 15.0;
    let left = if per_s > 0.0 { (100.0 - before) / per_s } else { f64::INFINITY };
    stage.note(format!("at the rate of the next 15 s the disk is full in {left:.0} s"));
    stage.figure(
        Figure::must("there was time left: at least ten times what the alarm took", left >= 10.0 * seconds)
            .objective("H15-1"),
    );
    load.stop().await;
    let all = Acceptance::of(&record.attempts(0, i64::MAX));
    stage.figure(Figure::count("requests refused", all.requests - all.accepted).exactly(0.0));
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await?;
    shop.stop().await;
    Ok(())
}
