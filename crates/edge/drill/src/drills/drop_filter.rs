//! A21-8: a drop filter is tried first, then switched on, applied to the past, and taken back.

use super::Drill;
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::instance::{Instance, PROJECT, until};
use crate::judge::ask_all;
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::{Value, json};
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a21-8-drop-filter-undo",
    rows: &["A21-8"],
    title: "A drop filter hits exactly what its preview said, and undoing it restores every chart.",
    story: "In 2021 events that were sent again without insert ids had to be taken out by hand. Here a filter for one\n\
            event name is tried over the stored log, switched on, and applied to what is stored by reprocess: exactly\n\
            the previewed events must go. Then it is switched off and the range reprocessed: everything must be back.",
    run: |stage| Box::pin(run(stage)),
};

const JOB: Duration = Duration::from_secs(90);

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    stage.load_for(&shop, &Profile::default(), &record, 6.0).await;
    stage.judge(&shop, &record).await?;
    let before = ask_all(&shop).await?;
    let searches = shop.total("search").await?;
    let action = json!({"type": "drop", "events": ["search"], "conditions": []});
    let previewed = preview(&shop, &action).await?;
    stage.note(format!(
        "the preview says {previewed} of the stored events; the charts show {searches} searches"
    ));
    stage.figure(
        Figure::of("previewed minus stored", previewed as f64 - searches as f64, "")
            .exactly(0.0)
            .objective("A21-8"),
    );

    let rule = json!({"name": "no searches", "enabled": true, "reason": "sent by mistake", "action": action});
    let made = shop.post(&format!("/api/v1/projects/{PROJECT}/rules"), &rule).await?.ok()?;
    in_force(&shop, &made).await?;
    let (done, _) = shop.run_job("reprocess", json!({}), JOB).await?;
    stage.note(format!("filter on, reprocessed: {}", done["report"]["changes"]));
    let left = shop.total("search").await?;
    let gone: usize = record.acknowledged_by_event().values().sum::<usize>() - shop.events(None).await?.len();
    stage.figure(Figure::count("searches left in the charts", left).exactly(0.0));
    stage.figure(
        Figure::of("events gone minus previewed", gone as f64 - previewed as f64, "")
            .exactly(0.0)
            .objective("A21-8"),
    );

    let path = format!("/api/v1/projects/{PROJECT}/rules/{}", made["id"]);
    let off = json!({"name": "no searches", "enabled": false, "reason": "taken back", "action": action});
    let off = shop.ask(reqwest::Method::PUT, &path, crate::instance::ADMIN_KEY, Some(&off)).await?.ok()?;
    in_force(&shop, &off).await?;
    let (done, _) = shop.run_job("reprocess", json!({}), JOB).await?;
    stage.note(format!("filter off, reprocessed: {}", done["report"]["changes"]));
    stage.judge(&shop, &record).await?;
    stage.compare_with(&shop, &before).await?;
    stage.verify(&shop).await
}

/// How many stored events the rule would filter.
async fn preview(shop: &Instance, action: &Value) -> Result<u64> {
    let path = format!("/api/v1/projects/{PROJECT}/rules/preview");
    let answer = shop.post(&path, &json!({"action": action, "wait_ms": 20000})).await?;
    if answer.status == 404 {
        return Err(DrillError::Missing("rules".to_owned()));
    }
    let body = answer.ok()?;
    let job =
        if body["ready"] == true { body["job"].clone() } else { shop.wait_job(&body["job"], JOB).await?.0 };
    job["report"]["filtered"]
        .as_u64()
        .ok_or_else(|| DrillError::Answer { what: path, answer: job.to_string() })
}

/// Waits until a version of a rule decides in every shard.
pub async fn in_force(shop: &Instance, rule: &Value) -> Result<()> {
    until("the rule to be in force", Duration::from_secs(30), async || {
        let path = format!("/api/v1/projects/{PROJECT}/rules");
        let rules = shop.get(&path).await.ok()?.ok().ok()?;
        let found = rules["rules"].as_array()?.iter().find(|r| r["id"] == rule["id"])?.clone();
        let everywhere = found["in_force"].as_array().is_some_and(|shards| shards.len() >= 8);
        (found["version"] == rule["version"] && everywhere).then_some(())
    })
    .await
    .map(drop)
}
