//! A16-2, A16-4: the catalog is deleted under the running instance; one command rebuilds it from the files.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::{ENVIRONMENT, Instance, Signal};
use crate::judge::ask_all;
use crate::load::Profile;
use crate::plant;
use crate::record::{Acceptance, Record, now_ms};
use crate::stage::Stage;

pub const DRILL: Drill = Drill {
    name: "a16-4-rebuild-catalog",
    rows: &["A16-2", "A16-4", "A16-14"],
    title: "The catalog's files are deleted under load; collection goes on, one command brings every chart back.",
    story: "In 2016 a script dropped four metadata tables: the query engine did not know where data lived, processing\n\
            halted, and the rebuild was invented during the outage. Here the catalog's files are deleted while\n\
            everything runs and clients send. `tallymark rebuild catalog` folds it together again from segment\n\
            footers, recorded commits and copied settings; then every chart must be as before.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let mut shop = stage.start("shop").await?;
    stage.load_for(&shop, &Profile::default(), &record, 10.0).await;
    stage.judge(&shop, &record).await?;
    // Copies of what commits do not carry are made in the background.
    stage.pass(3.0).await;
    let before = ask_all(&shop).await?;
    let vandal = now_ms();
    // What comes meanwhile happened long ago, outside the charts that are compared.
    let load = stage.load(&shop, &Profile::default().outside_charts(), &record);
    stage.pass(1.0).await;
    delete_catalog(stage, &shop)?;
    stage.pass(6.0).await;
    load.stop().await;
    let during = Acceptance::of(&record.attempts(vandal, i64::MAX));
    stage.acceptance("without a catalog", during);
    let seconds = rebuild_catalog(stage, &mut shop, ENVIRONMENT).await?;
    let per_million = seconds / 60.0 * 1e6 / record.acknowledged_count().max(1) as f64;
    stage.figure(Figure::of("minutes per million events", per_million, "min").objective("A16-4"));
    stage.judge(&shop, &record).await?;
    stage.compare_with(&shop, &before).await?;
    stage.verify(&shop).await
}

/// Removes the catalog while everything runs, and makes sure that nobody goes on with the deleted file.
pub fn delete_catalog(stage: &mut Stage, shop: &Instance) -> Result<(), DrillError> {
    let removed = plant::remove_catalog(shop.data())?;
    stage.note(format!("vandal: {removed} files of the catalog removed under the running processes"));
    for role in ["process", "web", "audit", "watch"] {
        shop.signal(role, Signal::Kill);
    }
    Ok(())
}

/// Stops, rebuilds the catalog by command, starts; seconds of the command.
pub async fn rebuild_catalog(
    stage: &mut Stage,
    shop: &mut Instance,
    environment: &str,
) -> Result<f64, DrillError> {
    shop.stop().await;
    let data = shop.data().display().to_string();
    let arguments = ["rebuild", "catalog", "--data", &data, "--environment", environment, "--json"];
    let done = shop.command(&arguments).await?.ok()?;
    stage.note(format!("tallymark rebuild catalog: {:.1} s; {}", done.seconds, one_line(&done.out)));
    stage.figure(Figure::seconds("rebuild of the catalog", done.seconds).at_most(900.0).objective("A16-2"));
    shop.start().await?;
    Ok(done.seconds)
}

/// The beginning of a text, on one line.
pub fn one_line(text: &str) -> String {
    let joined: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.chars().take(300).collect()
}
