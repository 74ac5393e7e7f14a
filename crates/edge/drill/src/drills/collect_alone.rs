//! A16-22: collection stays up with every other process gone.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a16-22-collect-alone",
    rows: &["A16-22", "H15-11"],
    title: "Every process but the collector is gone; collection goes on, and what it took appears afterwards.",
    story: "In 2016 four metadata tables were dropped; processing and dashboards were down for a week, collection\n\
            stayed up and saved the data. Here everything is stopped, then the collector alone is started, without\n\
            supervisor, and takes a full load. Then the whole instance starts again and must show every event.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let profile = Profile::default();
    let mut shop = stage.start("shop").await?;
    stage.load_for(&shop, &profile, &record, 3.0).await;
    shop.stop().await;
    stage.note("everything stopped; now the collector alone");
    shop.start_role("collect")?;
    shop.wait_collecting(Duration::from_secs(20)).await?;
    let alone = stage.load_for(&shop, &profile, &record, 20.0).await;
    stage.acceptance("by the collector alone", alone);
    let ready = shop.get("/health/ready").await?.ok()?;
    stage.note(format!("ready says: web {}, process {}", ready["web"], ready["process"]));
    let honest = ready["ready"] == true && ready["web"] != "up" && ready["process"] != "up";
    stage.figure(Figure::must("readiness is true and names the parts that are down", honest));
    stage.figure(Figure::must("free disk is shown", ready["log"]["disk_free_bytes"].as_u64() > Some(0)));
    shop.stop().await;
    let seconds = shop.start().await?;
    stage.note(format!("everything started again in {seconds:.1} s"));
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}
