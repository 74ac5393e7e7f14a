//! A16-13: verify proves the books in minutes, and finds what was planted.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::Instance;
use crate::load::Profile;
use crate::plant;
use crate::record::Record;
use crate::stage::Stage;
use std::path::Path;

pub const DRILL: Drill = Drill {
    name: "a16-13-verify-finds-planted",
    rows: &["A16-13"],
    title: "Verify proves the books, and finds a missing, an extra and an altered event.",
    story: "After the backlog of 2016 was drained, people checked by hand for hours. Here `tallymark verify` proves\n\
            a healthy instance, and then copies of it in which a segment is missing, stands in for another, or has\n\
            a flipped bit, or a delta is gone: it must find each.",
    run: |stage| Box::pin(run(stage)),
};

/// What is done to a copy of the data folder, in words and in deed.
type Fault = (&'static str, fn(&Path) -> Result<(), DrillError>);

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let mut shop = stage.start("shop").await?;
    // Few, large requests: several segments, none compacted away yet.
    let profile = Profile { rate: 1500.0, ..Profile::default() };
    stage.load_for(&shop, &profile, &record, 8.0).await;
    stage.judge(&shop, &record).await?;
    shop.stop().await;
    stage.verify(&shop).await?;
    let healthy = verify(&shop, shop.data()).await?;
    let events = healthy["visible"].as_f64().unwrap_or(1.0).max(1.0);
    let per_10m = healthy["seconds"].as_f64().unwrap_or(0.0) * 1e7 / events;
    stage.figure(
        Figure::seconds("verify, for 10 M events at this pace", per_10m)
            .at_most(60.0)
            .objective("O10")
            .speed(),
    );

    let faults: [Fault; 4] = [
        ("a segment is missing", |data| plant::remove_file(&first(plant::segments(data)?)?)),
        ("a segment has a flipped bit", |data| plant::flip_bit(&first(plant::segments(data)?)?)),
        ("a segment stands in for another", |data| {
            let segments = plant::segments(data)?;
            let (one, other) = (first(segments.clone())?, first(segments.into_iter().rev().collect())?);
            std::fs::copy(&one, &other).map(drop).map_err(DrillError::io("planting an extra segment"))
        }),
        ("a delta is missing", |data| plant::remove_file(&first(plant::deltas(data)?)?)),
    ];
    let (planted, mut found) = (faults.len(), 0);
    for (nth, (what, spoil)) in faults.into_iter().enumerate() {
        let copy = stage.folder().join(format!("planted-{nth}"));
        plant::copy_folder(shop.data(), &copy)?;
        spoil(&copy)?;
        let report = verify(&shop, &copy).await?;
        let violations = report["violation_count"].as_u64().unwrap_or(0);
        stage.note(format!("{what}: verify finds {violations}: {}", report["violations"][0]));
        found += usize::from(violations > 0);
        plant::remove_folder(&copy)?;
    }
    stage.figure(Figure::count("planted faults", planted));
    stage.figure(Figure::count("planted faults not found", planted - found).exactly(0.0).objective("A16-13"));
    Ok(())
}

async fn verify(shop: &Instance, data: &Path) -> Result<serde_json::Value, DrillError> {
    shop.command(&["verify", "--data", &data.display().to_string(), "--json"]).await?.json()
}

fn first(paths: Vec<std::path::PathBuf>) -> Result<std::path::PathBuf, DrillError> {
    paths.into_iter().next().ok_or(DrillError::Missing("file to spoil".to_owned()))
}
