//! A16-8, A16-5, P25-3, P25-4: the identity state is wiped; it is rebuilt beside live load, killed on the way.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::{Signal, until};
use crate::judge::ask_all;
use crate::load::Profile;
use crate::plant;
use crate::record::{Acceptance, Record, now_ms};
use crate::stage::Stage;
use serde_json::json;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a16-8-rebuild-identity",
    rows: &["A16-5", "A16-8", "P25-3", "P25-4"],
    title: "Identity state is wiped and a delta destroyed; it comes back from the files, killed five times on the way.",
    story: "In 2016 the tables that tell people apart were gone and rebuilding them from history took days; in 2025\n\
            the persons store had to be moved under load, and reads gave wrong persons meanwhile. Here the state\n\
            folder is deleted and the processor killed: it must come back by itself. Then `rebuild identity` folds a\n\
            second state beside the running one under load and is killed five times. People in charts never change.",
    run: |stage| Box::pin(run(stage)),
};

const KILLS: usize = 5;

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    let people = Profile { identify: 10, people: 300, ..Profile::default() };
    stage.load_for(&shop, &people, &record, 10.0).await;
    stage.judge(&shop, &record).await?;
    let before = ask_all(&shop).await?;
    let wiped = now_ms();
    let load = stage.load(&shop, &people.clone().outside_charts(), &record);
    plant::remove_folder(&shop.data().join("state"))?;
    shop.signal("process", Signal::Kill);
    stage.note("the state folder is deleted and the processor killed, under load");
    let commit = shop.ledger().await?["commit"].as_u64().unwrap_or(0);
    let (_, seconds) = until("the processor to commit again", Duration::from_secs(60), async || {
        let now = shop.ledger().await.ok()?["commit"].as_u64()?;
        (now > commit + 1).then_some(())
    })
    .await?;
    stage.figure(
        Figure::seconds("until the processor works again without its state", seconds)
            .at_most(10.0)
            .objective("O7")
            .speed(),
    );
    let mut mixed = 0;
    let job = shop.start_job("rebuild_identity", json!({"switch": "always"})).await?;
    stage.note("rebuild identity, beside the load");
    for n in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(150 + 200 * n as u64)).await;
        shop.signal("process", Signal::Kill);
        tokio::time::sleep(Duration::from_millis(600)).await;
        if let Ok(now) = ask_all(&shop).await {
            mixed += crate::judge::differences(&before, &now).len();
        }
    }
    let (done, seconds) = shop.wait_job(&job, Duration::from_secs(120)).await?;
    let report = &done["report"];
    stage.note(format!("rebuilt {seconds:.1} s after the last kill: {report}"));
    load.stop().await;
    stage.acceptance("meanwhile", Acceptance::of(&record.attempts(wiped, i64::MAX)));
    stage.figure(Figure::count("kills", KILLS));
    stage.figure(
        Figure::must("the rebuilt identity equals the running one", report["equal"] == true)
            .objective("A16-8"),
    );
    stage.figure(
        Figure::count("answers that differed while it was rebuilt", mixed).exactly(0.0).objective("P25-4"),
    );
    stage.judge(&shop, &record).await?;
    stage.compare_with(&shop, &before).await?;
    stage.verify(&shop).await
}
