//! The way in: the collector's native endpoint, bulk lane.
//!
//! Guarantees: an [`Answer`] means that what it does not name as refused is on the log's disk.
//! Deliberately not here: patience ([`crate::take`]).

use crate::VacuumError;
use async_trait::async_trait;
use serde_json::Value;
use std::time::Duration;

/// Longest wait for an answer; a collector that is that slow has not answered.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Longest wait that is taken from a `Retry-After`.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What became of a batch that was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Rows that were not taken.
    pub refused: Vec<Refused>,
}

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its index in the batch.
    pub index: usize,
    /// Why.
    pub why: String,
}

/// Why a batch was not taken.
#[derive(Debug, Clone)]
pub enum DoorError {
    /// Overload, or nobody there: the same batch later.
    Later {
        /// What was said.
        why: String,
        /// When to ask again, if it says so.
        after: Option<Duration>,
    },
    /// Smaller batches would be taken.
    TooLarge,
    /// It will not be taken: a key that is not valid, a project that is gone.
    Never(String),
}

/// Takes batches of events.
#[async_trait]
pub trait Door: Send + Sync {
    /// Sends `{"events": […]}`, once.
    async fn send(&self, body: Vec<u8>) -> Result<Answer, DoorError>;
}

/// A server.
pub struct HttpDoor {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl HttpDoor {
    /// The server at this address, with a write key.
    pub fn new(url: &str, key: &str) -> HttpDoor {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().unwrap_or_default();
        let url = format!("{}/api/v1/events?lane=bulk", url.trim_end_matches('/'));
        HttpDoor { http, url, key: key.to_owned() }
    }
}

/// What is known of a project: a way in, its id, and its name.
pub struct Entrance {
    /// Where rows go.
    pub door: HttpDoor,
    /// The project's id.
    pub project: String,
}

impl HttpDoor {
    /// The way into a project, by id or name. `key` is an admin or secret key: what is recorded names the project by
    /// its id, which a write key may not ask for.
    pub async fn of_project(url: &str, key: &str, project: &str) -> Result<Entrance, VacuumError> {
        let url = url.trim_end_matches('/');
        let escaped: String = project
            .bytes()
            .map(|b| match b {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(b).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect();
        let refused = |why: String| VacuumError::Refused(format!("project `{project}`: {why}"));
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().unwrap_or_default();
        let asked = http.get(format!("{url}/api/v1/projects/{escaped}")).bearer_auth(key).send().await;
        let answered = asked.map_err(|e| refused(root_cause(&e)))?;
        let status = answered.status().as_u16();
        let text = answered.text().await.map_err(|e| refused(root_cause(&e)))?;
        match status {
            200 => {
                let found: Value = serde_json::from_str(&text).map_err(|e| refused(e.to_string()))?;
                match (found["id"].as_str(), found["write_key"].as_str()) {
                    (Some(id), Some(write)) => {
                        Ok(Entrance { door: HttpDoor::new(url, write), project: id.to_owned() })
                    }
                    _ => Err(refused("an answer of another server".to_owned())),
                }
            }
            401 | 403 => Err(refused("the key may not ask about it; use an admin or secret key".to_owned())),
            _ => Err(refused(format!("{status} {}", brief(&text)))),
        }
    }
}

#[async_trait]
impl Door for HttpDoor {
    async fn send(&self, body: Vec<u8>) -> Result<Answer, DoorError> {
        let later = |e: reqwest::Error| DoorError::Later { why: root_cause(&e), after: None };
        let request = self.http.post(&self.url).bearer_auth(&self.key);
        let response =
            request.header("content-type", "application/json").body(body).send().await.map_err(later)?;
        let status = response.status().as_u16();
        let after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
        let after = after.map(|s| Duration::from_secs(s).min(WAIT_MAX));
        let text = response.text().await.map_err(later)?;
        match status {
            200 => answer(&text)
                .ok_or_else(|| DoorError::Never(format!("an answer of another server: {}", brief(&text)))),
            413 => Err(DoorError::TooLarge),
            408 | 429 | 500..=599 => {
                Err(DoorError::Later { why: format!("{status} {}", brief(&text)), after })
            }
            _ => Err(DoorError::Never(format!("{status} {}", brief(&text)))),
        }
    }
}

fn answer(text: &str) -> Option<Answer> {
    let parsed: Value = serde_json::from_str(text).ok()?;
    parsed["accepted"].as_u64()?;
    let refused = parsed["rejected"].as_array().cloned().unwrap_or_default();
    let refused = refused.iter().map(|r| {
        let part = |name: &str| r[name].as_str().unwrap_or_default();
        Some(Refused {
            index: usize::try_from(r["index"].as_u64()?).ok()?,
            why: format!("{}: {}", part("code"), part("message")),
        })
    });
    Some(Answer { refused: refused.collect::<Option<_>>()? })
}

fn brief(text: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    let message = parsed.as_ref().and_then(|p| p["error"]["message"].as_str());
    message.unwrap_or(text).chars().take(300).collect()
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
