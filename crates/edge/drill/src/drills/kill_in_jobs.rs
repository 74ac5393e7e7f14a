//! Kill -9 at every step of every job: skip, replay, reprocess, repair of segments, rebuild of state.

use super::{Drill, backlog};
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::instance::{ADMIN_KEY, Instance, PROJECT, until};
use crate::judge::ask_all;
use crate::load::Profile;
use crate::plant;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a19-5-kill-in-every-job",
    rows: &["A19-2", "A19-5", "P25-3"],
    title: "Skip, replay, reprocess, repair and rebuild are killed with signal 9 at every step between two writes.",
    story: "In 2019 and 2016 the repairs themselves were the danger: a rewind that might count twice, a rebuild that\n\
            nobody had ever interrupted. Here each kind of job is brought to each of its steps, where it stands\n\
            still; there everything is killed with signal 9 and started again, and the job must go on by itself to\n\
            its end. At the end every event has exactly one outcome and every chart is as before.",
    run: |stage| Box::pin(run(stage)),
};

/// Places within a job's commit, and after it, as the processor names them.
const COMMIT: [&str; 8] = [
    "before_segment",
    "after_segment",
    "after_delta",
    "after_commit",
    "before_apply",
    "after_apply",
    "progress",
    "end",
];
/// A rebuild of state commits nothing: it folds, compares and switches.
const FOLD: [&str; 5] = ["after_delta", "before_apply", "after_apply", "progress", "end"];
const REACHED: Duration = Duration::from_secs(20);
const JOB: Duration = Duration::from_secs(60);

/// What was visited.
#[derive(Default)]
struct Visits {
    steps: usize,
    missed: Vec<String>,
}

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let orders = stage.folder().join("stand");
    let mut shop = stage.instance("shop")?;
    shop.set("TALLYMARK_FAILPOINT", format!("@{}", orders.display()));
    shop.start().await?;
    let people = Profile { rate: 600.0, connections: 2, people: 60, identify: 8, ..Profile::default() };
    stage.load_for(&shop, &people, &record, 3.0).await;
    stage.judge(&shop, &record).await?;
    let mut visits = Visits::default();
    for step in COMMIT {
        skip_and_replay(stage, &mut shop, &record, step, &orders, &mut visits).await?;
    }
    stage.judge(&shop, &record).await?;
    stage.note("every skipped record is replayed; from here on nothing arrives any more");
    let before = ask_all(&shop).await?;
    reprocess(stage, &mut shop, &orders, &mut visits).await?;
    stage.compare_with(&shop, &before).await?;
    for step in COMMIT {
        // All of them: which are live and which only wait to be cleared away is the system's business.
        for segment in plant::segments(shop.data())? {
            plant::remove_file(&segment)?;
        }
        let name = format!("repair_{step}");
        kill_at(&mut shop, "rebuild_segments", json!({}), &name, &orders, &mut visits).await?;
    }
    stage.note("every segment was deleted before each of the repairs");
    for step in FOLD {
        let spec = json!({"switch": "always"});
        kill_at(&mut shop, "rebuild_state", spec, &format!("rebuild_{step}"), &orders, &mut visits).await?;
    }
    let all = 4 * COMMIT.len() + FOLD.len();
    stage.figure(
        Figure::count("steps at which everything was killed with signal 9", visits.steps).exactly(all as f64),
    );
    if !visits.missed.is_empty() {
        stage.note(format!("never reached: {}", visits.missed.join(", ")));
    }
    stage.judge(&shop, &record).await?;
    stage.compare_with(&shop, &before).await?;
    stage.verify(&shop).await
}

/// Some records are skipped, and then replayed; both jobs die at the step.
async fn skip_and_replay(
    stage: &mut Stage,
    shop: &mut Instance,
    record: &Record,
    step: &str,
    orders: &Path,
    visits: &mut Visits,
) -> Result<()> {
    shop.freeze("process").await;
    let profile = Profile { rate: 1000.0, connections: 2, people: 40, ..Profile::default() };
    stage.load_for(shop, &profile, record, 0.7).await;
    let ranges = backlog::pending(shop).await?;
    order(orders, &format!("skip_{step}"))?;
    let job = shop.start_job("skip", json!({"ranges": ranges})).await?;
    shop.signal("process", crate::instance::Signal::Cont);
    die_and_go_on(shop, &job, &format!("skip_{step}"), orders, visits).await?;
    kill_at(shop, "replay", json!({}), &format!("replay_{step}"), orders, visits).await?;
    Ok(())
}

/// A drop filter comes and goes, so that each reprocess has something to decide anew; after an even number of times
/// everything is as it was.
async fn reprocess(stage: &mut Stage, shop: &mut Instance, orders: &Path, visits: &mut Visits) -> Result<()> {
    let action = json!({"type": "drop", "events": ["search"], "conditions": []});
    let mut rule = Value::Null;
    for (nth, step) in COMMIT.into_iter().enumerate() {
        let body =
            json!({"name": "no searches", "enabled": nth % 2 == 0, "reason": "drill", "action": action});
        let path = format!("/api/v1/projects/{PROJECT}/rules");
        rule = if nth == 0 {
            shop.post(&path, &body).await?.ok()?
        } else {
            let path = format!("{path}/{}", rule["id"]);
            shop.ask(reqwest::Method::PUT, &path, ADMIN_KEY, Some(&body)).await?.ok()?
        };
        super::drop_filter::in_force(shop, &rule).await?;
        let name = format!("reprocess_{step}");
        let done = kill_at(shop, "reprocess", json!({}), &name, orders, visits).await?;
        if nth == 0 {
            stage.note(format!(
                "a filter comes and goes, reprocessed each time: {}",
                done["report"]["changes"]
            ));
        }
    }
    Ok(())
}

/// Asks for a job, kills everything at the step, starts again and waits for the job's end.
async fn kill_at(
    shop: &mut Instance,
    kind: &str,
    spec: Value,
    step: &str,
    orders: &Path,
    visits: &mut Visits,
) -> Result<Value> {
    order(orders, step)?;
    let job = shop.start_job(kind, spec).await?;
    die_and_go_on(shop, &job, step, orders, visits).await
}

async fn die_and_go_on(
    shop: &mut Instance,
    job: &Value,
    step: &str,
    orders: &Path,
    visits: &mut Visits,
) -> Result<Value> {
    let reached = reached(orders);
    let ended =
        async || shop.job(job).await.is_ok_and(|j| matches!(j["state"].as_str(), Some("done" | "failed")));
    let stands = until("the job to stand at its step", REACHED, async || {
        if reached.exists() {
            return Some(true);
        }
        ended().await.then_some(false)
    });
    match stands.await {
        Ok((true, _)) => visits.steps += 1,
        Ok((false, _)) | Err(_) => visits.missed.push(step.to_owned()),
    }
    shop.kill_all().await;
    for path in [orders, reached.as_path()] {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(DrillError::io("orders")(e)),
            _ => {}
        }
    }
    shop.start().await?;
    Ok(shop.wait_job(job, JOB).await?.0)
}

/// Where the processor shall stand still.
fn order(orders: &Path, step: &str) -> Result<()> {
    let draft = orders.with_extension("draft");
    std::fs::write(&draft, step).map_err(DrillError::io("orders"))?;
    std::fs::rename(&draft, orders).map_err(DrillError::io("orders"))
}

fn reached(orders: &Path) -> PathBuf {
    orders.with_extension("reached")
}
