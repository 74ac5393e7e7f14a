//! The instance as its operator sees it: findings, jobs, estimates, settings.

use super::{Instance, PROJECT};
use crate::error::{DrillError, Result};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(250);
/// The environment's name of a scratch instance.
pub const ENVIRONMENT: &str = "development";

impl Instance {
    /// What is wrong now, as the watch says.
    pub async fn findings(&self) -> Result<Vec<Value>> {
        let body = self.known("/api/v1/operations/findings").await?;
        Ok(body["findings"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until the watch has nothing critical to say: a start takes a moment to look healthy.
    pub async fn wait_calm(&self) -> Result<f64> {
        let (_, seconds) = until("the watch to have nothing to say", Duration::from_secs(60), async || {
            let findings = self.findings().await.ok()?;
            findings.iter().all(|f| f["severity"] != "critical").then_some(())
        })
        .await?;
        Ok(seconds)
    }

    /// GET of a resource that older builds do not have.
    pub async fn known(&self, path: &str) -> Result<Value> {
        let answer = self.get(path).await?;
        if answer.status == 404 && answer.body["error"]["code"] == "TM0001" {
            return Err(DrillError::Missing(format!("GET {path}")));
        }
        answer.ok()
    }

    /// Starts a job of the processor; its number.
    pub async fn start_job(&self, kind: &str, spec: Value) -> Result<Value> {
        let body = json!({"kind": kind, "spec": spec, "reason": "drill", "confirm": ENVIRONMENT});
        let answer = self.post("/api/v1/operations/jobs", &body).await?;
        if answer.status == 404 || answer.status == 405 {
            return Err(DrillError::Missing(format!("jobs ({kind})")));
        }
        answer.ok()
    }

    /// What a job says of itself now.
    pub async fn job(&self, job: &Value) -> Result<Value> {
        self.get(&format!("/api/v1/operations/jobs/{}", job_id(job))).await?.ok()
    }

    /// `pause`, `resume` or `cancel`.
    pub async fn steer(&self, job: &Value, verb: &str) -> Result<Value> {
        self.post(&format!("/api/v1/operations/jobs/{}/{verb}", job_id(job)), &json!({})).await?.ok()
    }

    /// Waits for a job's end; a job that failed is an error. Answers nobody gives count as "not yet".
    pub async fn wait_job(&self, job: &Value, limit: Duration) -> Result<(Value, f64)> {
        let what = format!("job {} ({})", job_id(job), job["kind"].as_str().unwrap_or_default());
        let (done, seconds) = until(&what, limit, async || {
            let now = self.job(job).await.ok()?;
            matches!(now["state"].as_str(), Some("done" | "failed" | "cancelled")).then_some(now)
        })
        .await?;
        if done["state"] != "done" {
            let answer = format!("{}: {}", done["state"], done["error"]);
            return Err(DrillError::Answer { what, answer });
        }
        Ok((done, seconds))
    }

    /// Runs a job to its end.
    pub async fn run_job(&self, kind: &str, spec: Value, limit: Duration) -> Result<(Value, f64)> {
        let job = self.start_job(kind, spec).await?;
        self.wait_job(&job, limit).await
    }

    /// End of each shard of a lane and where the cursor stands: (partition, cursor, end).
    pub async fn shards(&self, lane: &str) -> Result<Vec<(u64, u64, u64)>> {
        let ledger = self.ledger().await?;
        let lanes = ledger["lanes"].as_array().cloned().unwrap_or_default();
        let number = |v: &Value| v.as_u64().unwrap_or(0);
        Ok(lanes
            .iter()
            .filter(|l| l["lane"] == lane)
            .map(|l| (number(&l["partition"]), number(&l["cursor"]), number(&l["end"])))
            .collect())
    }

    /// Seconds until an event sent now is in the chart.
    pub async fn canary(&self, n: usize, limit: Duration) -> Result<f64> {
        let id = format!("canary-{n}");
        let event = json!({"event": "canary", "user_id": id, "insert_id": id});
        self.append("/api/v1/events", &json!({"events": [event]})).await?.ok()?;
        let (_, seconds) = until("a canary to be visible", limit, async || {
            let path = format!("/api/v1/projects/{PROJECT}/events?limit=1000&event=canary");
            let page = self.get(&path).await.ok()?.ok().ok()?;
            page["events"].as_array()?.iter().any(|e| e["insert_id"] == id.as_str()).then_some(())
        })
        .await?;
        Ok(seconds)
    }
}

fn job_id(job: &Value) -> String {
    job["id"].as_str().map_or_else(|| job["id"].to_string(), str::to_owned)
}

/// Asks again and again until there is an answer; with the seconds it took.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> Result<(T, f64)> {
    let began = Instant::now();
    while began.elapsed() < limit {
        if let Some(found) = ask().await {
            return Ok((found, began.elapsed().as_secs_f64()));
        }
        tokio::time::sleep(POLL).await;
    }
    Err(DrillError::TimedOut { what: what.to_owned(), seconds: limit.as_secs_f64() })
}
