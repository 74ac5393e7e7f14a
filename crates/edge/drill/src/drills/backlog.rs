//! What the drills about a backlog share: skipping it by command, and measuring freshness beside a replay.

use crate::error::Result;
use crate::figure::Figure;
use crate::instance::{Instance, Signal};
use crate::stage::Stage;
use serde_json::{Value, json};
use std::time::Duration;

const JOB_LIMIT: Duration = Duration::from_secs(120);

/// Ranges of live that are behind the cursors, as a job takes them.
pub async fn pending(shop: &Instance) -> Result<Vec<Value>> {
    let shards = shop.shards("live").await?;
    let waiting = shards.into_iter().filter(|(_, cursor, end)| end > cursor);
    Ok(waiting
        .map(|(partition, cursor, end)| json!({"lane": "live", "partition": partition, "from": cursor, "to": end}))
        .collect())
}

/// With the processor frozen and a backlog in the log: skips all of it by command and thaws the processor.
pub async fn skip_pending(stage: &mut Stage, shop: &Instance) -> Result<u64> {
    let ranges = pending(shop).await?;
    let job = shop.start_job("skip", json!({"ranges": ranges})).await?;
    shop.signal("process", Signal::Cont);
    let (done, seconds) = shop.wait_job(&job, JOB_LIMIT).await?;
    let skipped = done["report"]["skipped"].as_u64().unwrap_or(0);
    stage.note(format!("{skipped} records skipped by command in {seconds:.1} s: {}", done["report"]));
    Ok(skipped)
}

/// Seconds from sending to seeing an event, measured again and again until `over`; sorted.
pub async fn freshness(
    shop: &Instance,
    from: usize,
    mut over: impl AsyncFnMut() -> bool,
) -> Result<Vec<f64>> {
    let mut samples = Vec::new();
    while !over().await && samples.len() < 500 {
        samples.push(shop.canary(from + samples.len(), Duration::from_secs(90)).await?);
    }
    samples.sort_by(f64::total_cmp);
    Ok(samples)
}

/// Median, 99th percentile and maximum, with O4's objective.
pub fn judge_freshness(stage: &mut Stage, samples: &[f64], when: &str, limit: f64) {
    let at = |q: f64| {
        samples.get(((samples.len() as f64 - 1.0).max(0.0) * q).ceil() as usize).copied().unwrap_or(0.0)
    };
    stage.figure(Figure::count(format!("freshness samples {when}"), samples.len()).at_least(1.0));
    stage.figure(Figure::seconds(format!("freshness p50 {when}"), at(0.5)));
    stage.figure(Figure::seconds(format!("freshness p99 {when}"), at(0.99)).at_most(limit).objective("O4"));
    stage.figure(Figure::seconds(format!("freshness maximum {when}"), at(1.0)));
}
