//! What the drills about a skipped range share: making the processor skip, waiting for the alarm, repairing.

use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::instance::{ENVIRONMENT, Instance, Running, Signal, until};
use crate::stage::Stage;
use crate::twins::Twins;
use serde_json::{Value, json};
use std::time::Duration;

/// Events that the test switch makes the processor pass by.
pub const SKIPPED: u64 = 1000;
/// Longer than the objective, to measure by how much it is missed.
const ALARM_LIMIT: Duration = Duration::from_secs(100);

/// Twins of which one processor skips `SKIPPED` offsets of live/0 and says that there were none.
pub async fn twins_with_hole(stage: &mut Stage) -> Result<Twins> {
    let switch = format!("live/0:{SKIPPED}");
    let mut twins = Twins::start(stage, |shop| shop.set("TALLYMARK_TEST_SKIP", switch)).await?;
    // Some history, then a backlog large enough to hold the range.
    twins.feed(20).await?;
    twins.shop.freeze("process").await;
    twins.feed(400).await?;
    twins.shop.signal("process", Signal::Cont);
    stage.note(format!(
        "both twins are fed; `shop` passes {SKIPPED} offsets of live/0 by and says there were none"
    ));
    Ok(twins)
}

/// The alarm about the hole, and after how many seconds it came.
pub async fn alarm(stage: &mut Stage, shop: &Instance) -> Result<(Value, f64)> {
    shop.findings().await?;
    let (finding, seconds) = until("a finding that names the range", ALARM_LIMIT, async || {
        let findings = shop.findings().await.ok()?;
        findings.into_iter().find(|f| range(f).is_some_and(|r| r.1 - r.0 >= SKIPPED))
    })
    .await?;
    stage.note(format!("alarm after {seconds:.1} s: {}", finding["title"].as_str().unwrap_or_default()));
    stage.note(finding["detail"].as_str().unwrap_or_default().to_owned());
    Ok((finding, seconds))
}

/// Keeps what O3 asks of an alarm: when, and what it names.
pub fn judge_alarm(stage: &mut Stage, finding: &Value, seconds: f64) {
    stage.figure(Figure::seconds("until the alarm", seconds).at_most(60.0).objective("O3"));
    let affected = &finding["affected"][0];
    let names = [
        ("lane", affected["lane"] == "live"),
        ("partition", affected["partition"] == 0),
        ("range", range(finding).is_some_and(|(from, to)| to > from)),
        ("wall-clock range", affected["received_from"].is_string() && affected["received_to"].is_string()),
        ("count", affected["count"].as_u64().is_some_and(|n| n >= SKIPPED)),
        ("project", finding["projects"].as_array().is_some_and(|p| !p.is_empty())),
    ];
    let missing: Vec<&str> = names.iter().filter(|(_, named)| !named).map(|(name, _)| *name).collect();
    if !missing.is_empty() {
        stage.note(format!("the alarm does not name: {}; it says {finding}", missing.join(", ")));
    }
    let figure = Figure::count("of project, lane, partition, range, time, count not named", missing.len());
    stage.figure(figure.exactly(0.0).objective("O3"));
}

/// Offsets of live/0 that a finding names.
pub fn range(finding: &Value) -> Option<(u64, u64)> {
    let affected =
        finding["affected"].as_array()?.iter().find(|a| a["lane"] == "live" && a["partition"] == 0)?;
    Some((affected["from"].as_u64()?, affected["to"].as_u64()?))
}

/// True if the answer to a chart says that something is missing.
pub async fn gap_is_shown(shop: &Instance) -> Result<bool> {
    let query = json!({"type": "segmentation", "series": [{"event": "view", "measure": "totals"}],
        "range": {"last": 7, "unit": "day"}, "interval": "none"});
    let answer = shop.query(&query).await?;
    let gaps = answer["gaps"].as_array().ok_or(DrillError::Missing("`gaps` in answers".to_owned()))?;
    Ok(!gaps.is_empty())
}

/// Waits until a chart does not say any more that something is missing; seconds. What only the auditor knows reaches
/// charts within a second or two of its finding, and leaves them as late: rather too often than too seldom.
pub async fn complete_again(shop: &Instance) -> Result<f64> {
    let (_, seconds) = until("the chart to be complete again", ALARM_LIMIT, async || {
        (!gap_is_shown(shop).await.ok()?).then_some(())
    })
    .await?;
    Ok(seconds)
}

/// Notes whether charts say that something is missing. Where the books themselves were forged only the auditor
/// knows; whether answers take up what it knows is told, not judged. What is skipped by command is judged
/// (`a19-4-replay-beside-live`).
pub async fn note_gap(stage: &mut Stage, shop: &Instance) -> Result<()> {
    let shown = gap_is_shown(shop).await?;
    let words = if shown { "says" } else { "does not say" };
    stage.note(format!("with forged books, the answer to a chart {words} that something is missing"));
    Ok(())
}

/// The command that the alarm recommends.
pub fn command_of(finding: &Value) -> Result<Vec<String>> {
    let detail = finding["detail"].as_str().unwrap_or_default();
    let told = detail.split('`').find_map(|part| part.strip_prefix("tallymark "));
    let Some(command) = told else {
        return Err(DrillError::Answer {
            what: "repair command in the alarm".to_owned(),
            answer: detail.to_owned(),
        });
    };
    Ok(command.split_whitespace().map(str::to_owned).collect())
}

/// Starts the command as an operator of a development instance would.
pub fn start_repair(stage: &mut Stage, shop: &Instance, command: &[String]) -> Result<Running> {
    stage.note(format!("the operator runs: tallymark {}", command.join(" ")));
    let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    // What changes stored events asks for the environment's name where nobody can be asked.
    arguments.extend(["--environment", ENVIRONMENT, "--json"]);
    shop.start_command(&arguments)
}

/// Carries out the command that the alarm recommends; seconds.
pub async fn repair_as_told(stage: &mut Stage, shop: &Instance, finding: &Value) -> Result<f64> {
    let command = command_of(finding)?;
    let done = start_repair(stage, shop, &command)?.finish().await?.ok()?;
    let report: Value = serde_json::from_str(&done.out).unwrap_or_default();
    stage.note(format!("done in {:.1} s: {}", done.seconds, report["report"]));
    Ok(done.seconds)
}

/// Waits until no finding names the range any more; seconds.
pub async fn cleared(shop: &Instance) -> Result<f64> {
    let (_, seconds) = until("the alarm to go", ALARM_LIMIT, async || {
        let findings = shop.findings().await.ok()?;
        findings.iter().all(|f| range(f).is_none_or(|r| r.1 - r.0 < SKIPPED)).then_some(())
    })
    .await?;
    Ok(seconds)
}
