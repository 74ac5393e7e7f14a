//! The incident of 2016 as a whole: the metadata is gone, identity is gone, and devices misbehave meanwhile.

use super::{Drill, catalog_deleted};
use crate::error::Result;
use crate::figure::Figure;
use crate::instance::{ADMIN_KEY, until};
use crate::judge::ask_all;
use crate::load::Profile;
use crate::plant;
use crate::record::{Acceptance, Record, now_ms};
use crate::stage::Stage;
use serde_json::json;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "amplitude-2016",
    rows: &["A16-2", "A16-4", "A16-5", "A16-8", "A16-10", "A16-13", "A16-22"],
    title: "Catalog and identity state are deleted in production under load; minutes later everything is as before.",
    story: "8 November 2016: a script meant for development dropped four metadata tables in production. Real-time\n\
            data, user timelines, cohorts and downloads were down; without the ID tables processing halted, and\n\
            rebuilding them from history, invented on the spot, took days; full recovery took a week. Collection\n\
            stayed up and saved the data.\n\
            Here the catalog's files and the identity state are deleted under load. Collection must take everything,\n\
            the alarm must come by itself, one command must rebuild the catalog, identity must come back from the\n\
            files, and then the books are proved and every chart compared with before.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let mut shop = stage.start("shop").await?;
    let people = Profile { identify: 8, people: 300, ..Profile::default() };
    stage.load_for(&shop, &people, &record, 8.0).await;
    stage.judge(&shop, &record).await?;
    stage.pass(3.0).await;
    let before = ask_all(&shop).await?;
    let production = json!({"environment": "production"});
    shop.ask(reqwest::Method::PUT, "/api/v1/operations/settings", ADMIN_KEY, Some(&production))
        .await?
        .ok()?;
    let careless = shop
        .post(
            "/api/v1/operations/jobs",
            &json!({"kind": "skip", "reason": "clean up",
        "spec": {"ranges": [{"lane": "live", "partition": 0, "from": 0, "to": 1}]}}),
        )
        .await?;
    stage.note(format!("a destructive request without the environment's name: {}", careless.status));
    stage.figure(
        Figure::must("refused without the environment's name", careless.status >= 400).objective("A16-1"),
    );
    stage.pass(3.0).await;

    let vandal = now_ms();
    let load = stage.load(&shop, &people.clone().outside_charts(), &record);
    let outage = Instant::now();
    catalog_deleted::delete_catalog(stage, &shop)?;
    plant::remove_folder(&shop.data().join("state"))?;
    stage.note("and the identity state with it");
    let alarmed =
        until("an alarm or a status that names what is down", Duration::from_secs(60), async || {
            let page = shop.get("/status/api/v2/status.json").await.ok();
            let turned = page.is_some_and(|p| p.status == 200 && p.body["status"]["indicator"] != "none");
            let ready = shop.get("/health/ready").await.ok()?;
            let down = ready.body["web"] != "up" || ready.body["process"] != "up";
            (turned || down).then_some(())
        })
        .await;
    match alarmed {
        Ok((_, seconds)) => stage.figure(
            Figure::seconds("until status or readiness said so", seconds).at_most(60.0).objective("A16-5"),
        ),
        Err(never) => stage.figure(Figure::must(format!("status or readiness said so ({never})"), false)),
    }
    stage.pass(8.0).await;
    load.stop().await;
    stage.acceptance("during the outage", Acceptance::of(&record.attempts(vandal, i64::MAX)));
    catalog_deleted::rebuild_catalog(stage, &mut shop, "production").await?;
    stage.judge(&shop, &record).await?;
    let seconds = outage.elapsed().as_secs_f64();
    stage.figure(
        Figure::seconds("from the deletion to everything proved", seconds).at_most(900.0).objective("A16-2"),
    );
    stage.compare_with(&shop, &before).await?;
    stage.verify(&shop).await
}
