//! A16-9, A16-3, H15-6, P25-6: each part is taken away in turn; what still works is what the documentation publishes.

use super::Drill;
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::instance::{Instance, PROJECT, Signal, until};
use crate::load::Profile;
use crate::plant;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::{Value, json};
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a16-9-without-what",
    rows: &["A16-3", "A16-9", "A16-20", "H15-6", "P25-6"],
    title: "Each process and each store is taken away in turn; what works and what does not is as published.",
    story: "In 2016 everything went dark with four tables, in 2015 the dashboard died with a database that it shared,\n\
            and nobody had written down what depends on what. Here each process is frozen and each store deleted in\n\
            turn, and every feature is tried: collecting, charts, logging in, people, the public status documents.\n\
            The answers are compared with the table that docs/operating.md publishes.",
    run: |stage| Box::pin(run(stage)),
};

/// What is published, with this build.
const PUBLISHED: &str = include_str!("../../../../../docs/operating.md");
const PASSWORD: &str = "a drill has no secrets";
const EMAIL: &str = "ann@example.com";
/// A request may take this long before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(6);

/// A feature, and the word for it in the published table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feature {
    Collecting,
    Charts,
    LogIn,
    StatusPage,
}

impl Feature {
    const ALL: [Feature; 4] = [Feature::Collecting, Feature::Charts, Feature::LogIn, Feature::StatusPage];

    fn word(self) -> &'static str {
        match self {
            Feature::Collecting => "collecting",
            Feature::Charts => "charts",
            Feature::LogIn => "log-in",
            Feature::StatusPage => "status",
        }
    }

    /// True if it works now.
    async fn works(self, shop: &Instance) -> bool {
        let tried = async {
            match self {
                Feature::Collecting => {
                    // Nobody counts it: a repetition of one insert id, outside the record.
                    let event = json!({"event": "canary", "user_id": "canary", "insert_id": "canary"});
                    shop.append("/api/v1/events", &json!({"events": [event]})).await?.ok()
                }
                Feature::Charts => {
                    shop.query(&json!({"type": "segmentation", "interval": "none",
                        "series": [{"event": "view", "measure": "totals"}], "range": {"last": 7, "unit": "day"}}))
                        .await
                }
                Feature::LogIn => {
                    let form = json!({"email": EMAIL, "password": PASSWORD});
                    shop.post("/api/v1/login", &form).await?.ok()
                }
                Feature::StatusPage => shop.get("/status/api/v2/summary.json").await?.ok(),
            }
        };
        matches!(tokio::time::timeout(PATIENCE, tried).await, Ok(Ok(_)))
    }
}

/// What the table publishes for a thing that is gone; `None`: nothing about this feature.
fn published(gone: &str, feature: Feature) -> Option<bool> {
    let row = PUBLISHED.lines().find(|l| {
        let first = l.strip_prefix('|').and_then(|l| l.split('|').next()).unwrap_or_default();
        l.starts_with("| ") && first.split(',').any(|name| name.trim().trim_matches('`') == gone)
    })?;
    let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
    let (works, does_not) = (cells.get(1)?.to_lowercase(), cells.get(2)?.to_lowercase());
    let word = feature.word();
    match (says(&works, word), says(&does_not, word)) {
        (true, _) => Some(true),
        // For a moment it is off, then it works without its history: both are right.
        (false, true) if does_not.contains("a new file is made") => None,
        (false, true) => Some(false),
        (false, false) => works.contains("everything").then_some(true),
    }
}

/// "new events in charts" is not "charts".
fn says(cell: &str, word: &str) -> bool {
    cell.replace("in charts", "").contains(word)
}

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let mut shop = stage.start("shop").await?;
    set_up(&shop).await?;
    stage.load_for(&shop, &Profile { rate: 500.0, ..Profile::default() }, &record, 3.0).await;
    stage.judge(&shop, &record).await?;
    let mut wrong = Vec::new();
    let mut compared = try_all(stage, &shop, "nothing", &mut wrong).await;
    for role in ["process", "web", "audit", "watch"] {
        shop.freeze(role).await;
        compared += try_all(stage, &shop, role, &mut wrong).await;
        shop.signal(role, Signal::Cont);
    }
    plant::remove_folder(&shop.data().join("state"))?;
    shop.signal("process", Signal::Kill);
    stage.pass(1.0).await;
    compared += try_all(stage, &shop, "state folder", &mut wrong).await;
    for name in ["watch.db", "watch.db-wal", "watch.db-shm"] {
        let _ = std::fs::remove_file(shop.data().join(name));
    }
    stage.pass(1.0).await;
    compared += try_all(stage, &shop, "watch.db", &mut wrong).await;
    for role in ["watch", "audit", "web"] {
        shop.signal(role, Signal::Kill);
    }
    let (_, back) = until("the status page to be back", Duration::from_secs(60), async || {
        Feature::StatusPage.works(&shop).await.then_some(())
    })
    .await?;
    stage.figure(Figure::seconds("until the status page was back after a restart without its file", back));
    plant::remove_catalog(shop.data())?;
    stage.note("the catalog is deleted under the running processes");
    stage.pass(8.0).await;
    compared += try_all(stage, &shop, "catalog", &mut wrong).await;
    how_it_is_said(stage, &shop).await?;
    shop.signal("web", Signal::Kill);
    stage.pass(4.0).await;
    try_all(stage, &shop, "catalog, and the web process started anew", &mut wrong).await;
    shop.kill_all().await;
    let data = shop.data().display().to_string();
    let arguments = ["rebuild", "catalog", "--data", &data, "--environment", crate::instance::ENVIRONMENT];
    shop.command(&arguments).await?.ok()?;
    shop.start().await?;
    stage.figure(
        Figure::count("pairs of what is gone and a feature, compared with the published table", compared)
            .at_least(20.0),
    );
    stage.figure(
        Figure::count("pairs published as working that do not work", wrong.len())
            .exactly(0.0)
            .objective("A16-9"),
    );
    if !wrong.is_empty() {
        stage.note(format!("not as published: {}", wrong.join("; ")));
    }
    let unlisted = stores_not_listed(&shop)?;
    if !unlisted.is_empty() {
        stage.note(format!("not in the table of files: {}", unlisted.join(", ")));
    }
    stage.figure(
        Figure::count("files and processes at run time that no page names", unlisted.len())
            .exactly(0.0)
            .objective("A16-20"),
    );
    let canaries = shop.events(Some("canary")).await?.len();
    stage.judge_beside(&shop, &record, canaries..=1).await?;
    stage.verify(&shop).await
}

/// Tries every feature; how many the table speaks of.
async fn try_all(stage: &mut Stage, shop: &Instance, gone: &str, wrong: &mut Vec<String>) -> usize {
    let (mut compared, mut seen) = (0, Vec::new());
    for feature in Feature::ALL {
        let works = feature.works(shop).await;
        seen.push(format!("{} {}", feature.word(), if works { "works" } else { "off" }));
        let expected = if gone == "nothing" { Some(true) } else { published(gone, feature) };
        compared += usize::from(expected.is_some());
        match expected {
            Some(true) if !works => wrong.push(format!("without {gone}: {} is off", feature.word())),
            Some(false) if works => seen.push(format!("({} better than published)", feature.word())),
            _ => {}
        }
    }
    stage.note(format!("without {gone}: {}", seen.join(", ")));
    compared
}

/// Where something is refused, the refusal has a code; where something is shown from a copy, the answer says so.
async fn how_it_is_said(stage: &mut Stage, shop: &Instance) -> Result<()> {
    let path = format!("/api/v1/projects/{PROJECT}/query");
    let query = json!({"type": "segmentation", "interval": "none", "range": {"last": 7, "unit": "day"},
        "series": [{"event": "view", "measure": "totals"}]});
    let mut good = 0;
    let mut said = 0;
    for _ in 0..10 {
        let answer = shop.post(&path, &query).await?;
        let refused = answer.body["error"]["code"].as_str().is_some_and(|c| c.starts_with("TM"));
        good += usize::from(answer.status == 200);
        said += usize::from(if answer.status == 200 { is_marked(&answer.body) } else { refused });
    }
    stage.figure(Figure::share("charts that answered without the catalog", good, 10).objective("A16-3"));
    stage.figure(
        Figure::share("answers without the catalog that say what is the matter", said, 10)
            .exactly(100.0)
            .objective("H15-6"),
    );
    Ok(())
}

/// An answer out of a copy is marked as such.
fn is_marked(body: &Value) -> bool {
    let text = body.to_string();
    ["stale", "\"complete\":false", "catalog"].iter().any(|mark| text.contains(mark))
}

/// Entries of the data folder and roles that docs/operating.md does not name.
fn stores_not_listed(shop: &Instance) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(shop.data()).map_err(DrillError::io("the data folder"))?;
    let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    let roles = shop.roles().into_iter().map(|(role, _)| role);
    let listed = |name: &str| {
        let stem = name.trim_end_matches("-wal").trim_end_matches("-shm");
        PUBLISHED.contains(&format!("DIR/{stem}")) || PUBLISHED.contains(&format!("`{stem}`"))
    };
    Ok(names.chain(roles).filter(|n| !listed(n)).collect())
}

/// Makes the first person with the code on the operator's console.
async fn set_up(shop: &Instance) -> Result<()> {
    let console = shop.tail();
    let code = console.split("Set-up code: ").nth(1).and_then(|t| t.split_whitespace().next());
    let Some(code) = code else { return Err(DrillError::Missing("set-up code on the console".to_owned())) };
    let form = json!({"code": code, "email": EMAIL, "password": PASSWORD, "name": "Ann"});
    shop.post("/api/v1/setup", &form).await?.ok().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_table_can_be_read() {
        assert_eq!(published("process", Feature::Collecting), Some(true));
        assert_eq!(published("process", Feature::Charts), Some(true));
        assert_eq!(published("web", Feature::Charts), Some(false));
        assert_eq!(published("watch", Feature::Charts), Some(true));
        assert!(published("catalog", Feature::LogIn).is_some());
        assert_eq!(published("no such thing", Feature::Charts), None);
    }
}
