//! A16-15: the status page turns by itself, subscribers are told, and an alert that nobody answers escalates.

use super::Drill;
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::instance::{Instance, until};
use crate::load::Profile;
use crate::receiver::Receiver;
use crate::record::Record;
use crate::stage::Stage;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "a16-15-escalation",
    rows: &["A16-15", "A21-14", "P25-15"],
    title: "Processing hangs and nobody answers the page: status page, subscribers and the second level are told.",
    story: "In 2016 nothing escalated and customers were told the next day. Here the processor hangs for good. The\n\
            status page must turn by itself, the first receiver must be told, and because nobody acknowledges, the\n\
            second level too. Times are compressed: lag is critical after 5 s and escalation comes after 6 s of\n\
            silence; what is measured is how much longer it takes than configured.",
    run: |stage| Box::pin(run(stage)),
};

/// As configured below.
const LAG_S: f64 = 5.0;
const ESCALATE_S: f64 = 6.0;

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let receiver = Receiver::start().await?;
    let mut shop = stage.instance("shop")?;
    configure(&shop, &receiver)?;
    shop.start().await?;
    if shop.pid("watch").is_none() {
        return Err(DrillError::Missing("role `watch`".to_owned()));
    }
    let load = stage.load(&shop, &Profile { rate: 300.0, ..Profile::default() }, &record);
    stage.pass(5.0).await;
    shop.wait_calm().await?;
    let beforehand = receiver.count("/first");
    shop.freeze("process").await;
    let began = Instant::now();
    stage.note("the processor hangs");
    let (_, turned) = until("the status page to turn", Duration::from_secs(130), async || {
        let page = shop.known("/status/api/v2/status.json").await.ok()?;
        let indicator = page["status"]["indicator"].as_str()?.to_owned();
        (indicator != "none").then_some(indicator)
    })
    .await?;
    stage.note(format!("the status page has turned after {turned:.1} s"));
    stage.figure(
        Figure::seconds("until the status page turned by itself", turned).at_most(120.0).objective("O9"),
    );
    let told = arrival(&receiver, "/first", beforehand, began, 60).await?;
    stage.figure(Figure::seconds("until the first notice", told).at_most(300.0).objective("O9"));
    let escalated = arrival(&receiver, "/second", 0, began, 90).await?;
    stage
        .figure(Figure::seconds("until the second level was told", escalated).at_most(600.0).objective("O9"));
    let late = escalated - told - ESCALATE_S;
    stage.figure(Figure::seconds("escalation later than configured", late).at_most(30.0));
    stage.note(format!(
        "lag was critical from {LAG_S} s on; {} notices at the first level",
        receiver.count("/first")
    ));
    shop.signal("process", crate::instance::Signal::Cont);
    load.stop().await;
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}

/// Seconds from `began` to the first arrival at a path.
async fn arrival(
    receiver: &Receiver,
    path: &str,
    beforehand: usize,
    began: Instant,
    limit: u64,
) -> Result<f64> {
    let what = format!("a notice at {path}");
    let ((at, _), _) =
        until(&what, Duration::from_secs(limit), async || receiver.nth(path, beforehand)).await?;
    Ok(at.duration_since(began).as_secs_f64())
}

fn configure(shop: &Instance, receiver: &Receiver) -> Result<()> {
    let (first, second) = (receiver.url("/first"), receiver.url("/second"));
    let config = format!(
        "every_seconds = 1\n\
         [thresholds]\nfreshness_warning_s = 3\nfreshness_critical_s = {LAG_S}\nlag_warning_s = 3\nlag_critical_s = {LAG_S}\n\
         [alerts]\nescalate_after_minutes = {}\nallow_networks = [\"127.0.0.0/8\"]\n\
         [[alerts.channels]]\nname = \"first\"\nlevel = 0\n\
         [alerts.channels.target.webhook]\nurl = \"{first}\"\nsecrets = [\"a drill has no secrets\"]\n\
         [[alerts.channels]]\nname = \"second\"\nlevel = 1\n\
         [alerts.channels.target.webhook]\nurl = \"{second}\"\nsecrets = [\"a drill has no secrets\"]\n",
        ESCALATE_S / 60.0
    );
    std::fs::create_dir_all(shop.data()).map_err(DrillError::io("the data folder"))?;
    std::fs::write(shop.data().join("watch.toml"), config).map_err(DrillError::io("watch.toml"))
}
