//! The instance as its clients see it: HTTP answers, charts, events, books.

use super::{ADMIN_KEY, Instance, PROJECT, WRITE_KEY};
use crate::error::{DrillError, Result};
use serde_json::{Value, json};

/// Events per page of the events resource.
const PAGE: usize = 1000;
/// Pages that a drill reads at most.
const PAGES_MAX: usize = 2000;

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was asked.
    pub what: String,
    /// HTTP status.
    pub status: u16,
    /// The body; a string if it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The body of a success.
    pub fn ok(self) -> Result<Value> {
        match self.status {
            200..300 => Ok(self.body),
            status => Err(DrillError::Answer { what: self.what, answer: format!("{status} {}", self.body) }),
        }
    }
}

impl Instance {
    /// GET with the admin key.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.ask(reqwest::Method::GET, path, ADMIN_KEY, None).await
    }

    /// POST with the admin key.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.ask(reqwest::Method::POST, path, ADMIN_KEY, Some(body)).await
    }

    /// POST with the write key.
    pub async fn append(&self, path: &str, body: &Value) -> Result<Answer> {
        self.ask(reqwest::Method::POST, path, WRITE_KEY, Some(body)).await
    }

    /// Any request.
    pub async fn ask(
        &self,
        method: reqwest::Method,
        path: &str,
        key: &str,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let what = format!("{method} {path}");
        let fail = |e: reqwest::Error| DrillError::NoAnswer {
            instance: self.name().to_owned(),
            why: format!("{what}: {e:?}"),
        };
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url())).bearer_auth(key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(fail)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(fail)?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { what, status, body })
    }

    /// Asks a question about the project.
    pub async fn query(&self, query: &Value) -> Result<Value> {
        self.post(&format!("/api/v1/projects/{PROJECT}/query"), query).await?.ok()
    }

    /// The project's books.
    pub async fn ledger(&self) -> Result<Value> {
        self.get(&format!("/api/v1/projects/{PROJECT}/ledger")).await?.ok()
    }

    /// How often an event is in the chart over all time.
    pub async fn total(&self, event: &str) -> Result<usize> {
        let query = json!({
            "type": "segmentation", "series": [{"event": event, "measure": "totals"}], "interval": "none",
            "range": {"from": "2020-01-01", "to": "2035-01-01"},
        });
        let answer = self.query(&query).await?;
        let total = answer["series"][0]["total"].as_f64();
        total.map(|t| t as usize).ok_or_else(|| DrillError::Answer {
            what: format!("chart of {event}"),
            answer: answer.to_string(),
        })
    }

    /// Every event that the events resource shows, by paging.
    pub async fn events(&self, event: Option<&str>) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut path = format!("/api/v1/projects/{PROJECT}/events?limit={PAGE}");
            if let Some(event) = event {
                path.push_str(&format!("&event={event}"));
            }
            if let Some(cursor) = &cursor {
                path.push_str(&format!("&cursor={cursor}"));
            }
            let mut page = self.get(&path).await?.ok()?;
            if let Some(events) = page["events"].as_array_mut() {
                all.append(events);
            }
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(all),
            }
        }
        Err(DrillError::TimedOut { what: format!("{PAGES_MAX} pages of events"), seconds: 0.0 })
    }
}
