//! A19-2: the processor dies between any two of its writes; no position moves without an outcome.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "a19-2-no-commit-after-error",
    rows: &["A19-2"],
    title: "The processor dies at every step between two writes, again and again; no offset is passed over.",
    story: "In 2019 the code that handled a failure committed the position after the error, and 35 minutes of\n\
            events were skipped. Here the processor aborts at each step of its commit, at the second time it gets\n\
            there, whenever it starts; then it runs undisturbed. Every offset must have exactly one outcome.",
    run: |stage| Box::pin(run(stage)),
};

/// The steps, as `TALLYMARK_FAILPOINT` names them.
const STEPS: [&str; 6] =
    ["before_segment", "after_segment", "after_delta", "after_commit", "before_apply", "after_apply"];

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let mut shop = stage.instance("shop")?;
    let profile = Profile { rate: 600.0, connections: 2, ..Profile::default() };
    let (mut crashes, mut covered) = (0, 0);
    for step in STEPS {
        shop.set("TALLYMARK_FAILPOINT", format!("{step}:2"));
        shop.start().await?;
        stage.note(format!("the processor aborts at {step}"));
        let load = stage.load(&shop, &profile, &record);
        let seen = crashes_within(&shop, stage.time(4.0)).await;
        load.stop().await;
        shop.kill_all().await;
        crashes += seen;
        covered += usize::from(seen > 0);
    }
    shop.unset("TALLYMARK_FAILPOINT");
    shop.start().await?;
    stage.note("no failpoint any more");
    stage.figure(Figure::count("steps at which the processor died", covered).exactly(STEPS.len() as f64));
    stage.figure(Figure::count("times it died", crashes));
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}

/// Watches how often the supervisor had to start the processor again.
async fn crashes_within(shop: &crate::instance::Instance, time: Duration) -> usize {
    let began = Instant::now();
    while began.elapsed() < time {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    shop.starts("process").saturating_sub(1)
}
