//! The incident of 2015 as a whole: everything behind the collector is gone for a while.

use super::{Drill, identify_accepted, no_flapping};
use crate::error::Result;
use crate::figure::Figure;
use crate::load::Profile;
use crate::record::{Acceptance, Record};
use crate::stage::Stage;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "heap-2015",
    rows: &["H15-4", "H15-5", "H15-7", "H15-11"],
    title: "The database behind identify and track is gone; every call is taken, and nothing has to be recovered.",
    story: "March 2015: the identify database ran out of a resource and went offline for six hours. Every identify call\n\
            failed; collectors shared the database and fell out of the load balancer in turn, so 54 % of track calls\n\
            were dropped; the dashboard died too; hardware had to be launched. The extent of the loss was known a day\n\
            later, and clients had not kept what was refused.\n\
            Here the whole instance is killed at once, catalog and identity are taken away, and only the collector is\n\
            there, for track and identify calls alike, with a load balancer asking for readiness. Then everything\n\
            comes back, and every call must have its effect.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let mixed = Profile { identify: 30, vendors: 30, people: 150, ..Profile::default() };
    let mut shop = stage.start("shop").await?;
    stage.load_for(&shop, &mixed, &record, 4.0).await;
    shop.kill_all().await;
    let (data, away) = (shop.data().to_owned(), stage.folder().join("away"));
    let taken = identify_accepted::take_away(&data, &away)?;
    stage.note(format!("kill -9 everything; taken away: {}", taken.join(", ")));
    shop.start_role("collect")?;
    shop.wait_collecting(Duration::from_secs(20)).await?;
    let from = crate::record::now_ms();
    let load = stage.load(&shop, &mixed, &record);
    let (asked, flaps, slowest) = no_flapping::probe(&shop, stage.time(15.0)).await;
    load.stop().await;
    stage.acceptance("with the database gone", Acceptance::of(&record.attempts(from, i64::MAX)));
    stage.figure(Figure::count("readiness probes", asked));
    stage.figure(Figure::count("readiness probes that failed", flaps).exactly(0.0).objective("H15-5"));
    stage.figure(Figure::of("slowest readiness probe", slowest, "ms"));
    let began = Instant::now();
    shop.stop().await;
    identify_accepted::bring_back(&away, &data)?;
    shop.start().await?;
    stage.judge(&shop, &record).await?;
    let seconds = began.elapsed().as_secs_f64();
    stage.figure(Figure::seconds("from the database's return to everything proved", seconds).at_most(900.0));
    stage.verify(&shop).await
}
