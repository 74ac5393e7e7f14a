//! A16-1: a destructive command meant for development does nothing in production.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::Signal;
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::json;

pub const DRILL: Drill = Drill {
    name: "a16-1-wrong-environment",
    rows: &["A16-1"],
    title: "A destructive command is run against production in six careless ways; none of them does anything.",
    story: "In 2016 a script meant for development ran against production. Here the instance is marked production,\n\
            and `skip` is asked for without a name, with --yes, with another environment's name, with an empty\n\
            one, through the API without confirmation and with a wrong one; always in a pipe, without a terminal.\n\
            Only the name, given in full, may count.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    let settings = shop
        .ask(
            reqwest::Method::PUT,
            "/api/v1/operations/settings",
            crate::instance::ADMIN_KEY,
            Some(&json!({"environment": "production"})),
        )
        .await?;
    if settings.status == 404 {
        return Err(DrillError::Missing("instance settings".to_owned()));
    }
    settings.ok()?;
    stage.note("the instance is marked production");
    shop.freeze("process").await;
    stage.load_for(&shop, &Profile::default(), &record, 3.0).await;
    let end = shop.shards("live").await?.iter().find(|s| s.0 == 0).map_or(0, |s| s.2).to_string();
    let range =
        ["skip", "--lane", "live", "--partition", "0", "--from", "0", "--to", &end, "--reason", "clean up"];
    let careless: [&[&str]; 4] = [&[], &["--yes"], &["--environment", "development"], &["--environment", ""]];
    let mut done_by_accident = 0;
    let mut first_words = String::new();
    for extra in careless {
        let arguments: Vec<&str> = range.iter().chain(extra).copied().collect();
        let answer = shop.command(&arguments).await?;
        if answer.err.contains("unrecognized subcommand") {
            return Err(DrillError::Missing("`tallymark skip`".to_owned()));
        }
        done_by_accident += usize::from(answer.code == 0);
        if first_words.is_empty() {
            first_words = format!("{}{}", answer.out, answer.err);
        }
    }
    stage.note(format!("it says: {}", super::catalog_deleted::one_line(&first_words)));
    for confirm in [None, Some("development")] {
        let spec = json!({"ranges": [{"lane": "live", "partition": 0, "from": 0, "to": end.parse::<u64>().unwrap_or(1)}]});
        let body = json!({"kind": "skip", "spec": spec, "reason": "clean up", "confirm": confirm});
        let answer = shop.post("/api/v1/operations/jobs", &body).await?;
        stage.note(format!(
            "API with confirm {confirm:?}: {} {}",
            answer.status, answer.body["error"]["code"]
        ));
        done_by_accident += usize::from((200..300).contains(&answer.status));
    }
    stage.figure(Figure::count("careless attempts", careless.len() + 2));
    stage.figure(Figure::count("accidental executions", done_by_accident).exactly(0.0).objective("A16-1"));
    stage.figure(Figure::must(
        "the command names environment and project first",
        first_words.contains("production") && first_words.contains("shop"),
    ));
    shop.signal("process", Signal::Cont);
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}
