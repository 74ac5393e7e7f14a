//! H15-4: identify calls are accepted while catalog and identity are gone, and applied in order afterwards.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::{Instance, PROJECT};
use crate::judge::wait_visible;
use crate::load::{Batch, Event, Profile, Shape, feed};
use crate::record::{Record, now_ms};
use crate::stage::Stage;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "h15-4-identify-accepted",
    rows: &["H15-4"],
    title: "Catalog and identity are gone; every identify call is accepted, and applied in order afterwards.",
    story: "In 2015 the database behind identify was offline for six hours: every identify call failed. Here the\n\
            catalog and the state folder are taken away and only the collector runs, while clients send nothing\n\
            but identify calls that set a counter. Afterwards each person must have the last value sent, and each\n\
            device must have become part of the right person.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let profile = Profile { identify: 100, vendors: 0, people: 25, rate: 1000.0, ..Profile::default() };
    let mut shop = stage.start("shop").await?;
    shop.stop().await;
    let (data, away) = (shop.data().to_owned(), stage.folder().join("away"));
    let taken = take_away(&data, &away)?;
    stage.note(format!("taken away: {}", taken.join(", ")));
    shop.start_role("collect")?;
    shop.wait_collecting(Duration::from_secs(20)).await?;
    let calls = stage.load_for(&shop, &profile, &record, 20.0).await;
    stage.acceptance("(identify only) without catalog and identity", calls);
    shop.stop().await;
    bring_back(&away, &data)?;
    shop.start().await?;
    stage.note("catalog and state are back");
    stage.judge(&shop, &record).await?;
    let (people, wrong) = last_values(&shop, &record).await?;
    stage.figure(Figure::count("people whose identify calls were checked", people).at_least(50.0));
    stage.figure(
        Figure::count("people without the last value sent", wrong.len()).exactly(0.0).objective("H15-4"),
    );
    if let Some(example) = wrong.first() {
        stage.note(example.clone());
    }
    // One view by each device and one by each person: counted together only if they are one.
    let views = Record::default();
    let users: std::collections::BTreeSet<String> = record.sent().into_iter().map(|s| s.user).collect();
    let batches: Vec<Batch> = users.iter().enumerate().map(|(n, user)| both(n, user)).collect();
    feed(&shop, &batches, &views).await?;
    wait_visible(&shop, &views, Duration::from_secs(30)).await?;
    let query = serde_json::json!({"type": "segmentation", "range": {"last": 2, "unit": "day"},
        "series": [{"event": "view", "measure": "uniques"}], "interval": "none"});
    let shown = shop.query(&query).await?["series"][0]["total"].as_f64().unwrap_or(0.0);
    let off = (shown - people as f64).abs();
    stage.figure(Figure::of("people in the chart more or fewer than signed up", off, "").exactly(0.0));
    stage.verify(&shop).await
}

/// The device and the person look at the same page.
fn both(n: usize, user: &str) -> Batch {
    let view = |part: u8, user: Option<String>, device: Option<String>| Event {
        id: format!("ffffffff-{part:04x}-4000-8000-{n:012x}"),
        name: "view".to_owned(),
        user,
        device,
        time: now_ms(),
        properties: serde_json::json!({}),
        sets: serde_json::Value::Null,
    };
    let device = user.replace("person-", "device-");
    let events = vec![view(0, None, Some(device)), view(1, Some(user.to_owned()), None)];
    Batch { shape: Shape::Native, events }
}

/// Catalog and state.
const PARTS: [&str; 4] = ["catalog.db", "catalog.db-wal", "catalog.db-shm", "state"];

/// Takes catalog and state out of a data folder; what was there.
pub fn take_away(data: &Path, away: &Path) -> Result<Vec<String>, DrillError> {
    std::fs::create_dir_all(away).map_err(DrillError::io("a folder to put the catalog"))?;
    move_parts(data, away)
}

/// Puts them back.
pub fn bring_back(away: &Path, data: &Path) -> Result<Vec<String>, DrillError> {
    move_parts(away, data)
}

fn move_parts(from: &Path, to: &Path) -> Result<Vec<String>, DrillError> {
    let mut moved = Vec::new();
    for part in PARTS {
        let (from, to) = (from.join(part), to.join(part));
        if from.exists() {
            // The collector may have made an empty folder of the same name meanwhile.
            if to.is_dir() {
                crate::plant::remove_folder(&to)?;
            }
            std::fs::rename(&from, &to).map_err(DrillError::io(from.display().to_string()))?;
            moved.push(part.to_owned());
        }
    }
    Ok(moved)
}

/// The last step each person was told, by the record, against what the person page shows.
async fn last_values(shop: &Instance, record: &Record) -> Result<(usize, Vec<String>), DrillError> {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for sent in record.acknowledged() {
        // The last twelve digits of an id are the serial number, which is what the call set.
        let serial = sent.id.rsplit('-').next().and_then(|s| u64::from_str_radix(s, 16).ok()).unwrap_or(0);
        let known = last.entry(sent.user).or_default();
        *known = serial.max(*known);
    }
    let mut wrong = Vec::new();
    for (user, step) in &last {
        let person = shop.get(&format!("/api/v1/projects/{PROJECT}/persons/{user}")).await?.ok()?;
        let shown = &person["properties"]["step"];
        let device = user.replace("person-", "device-");
        let devices = person["device_ids"].as_array().map(Vec::as_slice).unwrap_or_default();
        if shown.as_f64() != Some(*step as f64) || !devices.iter().any(|d| d.as_str() == Some(&device)) {
            wrong.push(format!("{user}: step {shown} instead of {step}, devices {devices:?}"));
        }
    }
    Ok((last.len(), wrong))
}
