//! The CLI's way to a running server: where it is, which key to show, and patience.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to reach the server.
#[derive(Debug, Clone, clap::Args)]
pub struct ConnectArgs {
    /// URL of the server. Default: read from the data folder of a server on this machine.
    #[arg(long, env = "TALLYMARK_URL", global = true)]
    pub url: Option<String>,
    /// Write, secret or admin key. Default: the admin key of the server on this machine.
    #[arg(long, env = "TALLYMARK_KEY", hide_env_values = true, global = true)]
    pub key: Option<String>,
    /// Data folder of a server on this machine.
    #[arg(long, env = "TALLYMARK_DATA", default_value = "./tallymark-data", global = true)]
    pub data: PathBuf,
}

/// What can go wrong on the way to the server.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No server was named and none is known on this machine.
    #[error(
        "no server to talk to: {path} does not exist. Start one with `tallymark serve --data {data}`, or name one with --url and --key"
    )]
    Unknown {
        /// The file looked for.
        path: String,
        /// The data folder.
        data: String,
    },
    /// The file that names the local server is damaged.
    #[error("{path} is not readable as connection details: {why}")]
    Details {
        /// The file.
        path: String,
        /// The parser's word.
        why: String,
    },
    /// No answer.
    #[error("no answer from {url}: {why}")]
    Unreachable {
        /// The address asked.
        url: String,
        /// The last failure.
        why: String,
    },
    /// The server said no.
    #[error("{url} answered {status}: {message}")]
    Refused {
        /// The address asked.
        url: String,
        /// HTTP status.
        status: u16,
        /// The server's message.
        message: String,
    },
}

/// A connection to one server.
#[derive(Debug, Clone)]
pub struct Client {
    url: String,
    key: String,
    http: reqwest::Client,
}

/// Attempts for one request that fails for reasons that pass.
const ATTEMPTS: u32 = 12;

impl Client {
    /// Resolves address and key.
    pub fn connect(args: &ConnectArgs) -> Result<Client, ClientError> {
        let (url, key) = match (&args.url, &args.key) {
            (Some(url), Some(key)) => (url.clone(), key.clone()),
            (url, key) => {
                let (local_url, local_key) = local_details(&args.data)?;
                (url.clone().unwrap_or(local_url), key.clone().unwrap_or(local_key))
            }
        };
        Ok(Client { url: url.trim_end_matches('/').to_owned(), key, http: reqwest::Client::new() })
    }

    /// Where it is, and the key shown there.
    pub fn at(&self) -> (&str, &str) {
        (&self.url, &self.key)
    }

    /// The same server with another key.
    pub fn with_key(&self, key: &str) -> Client {
        Client { key: key.to_owned(), ..self.clone() }
    }

    /// Sends events and returns once they are durable. Overload and lost connections are retried: the events
    /// carry insert ids, so a repeated batch adds nothing.
    pub async fn send_events(&self, events: &[&Value], lane: Option<&str>) -> Result<Value, ClientError> {
        let path = match lane {
            Some(lane) => format!("/api/v1/events?lane={lane}"),
            None => "/api/v1/events".to_owned(),
        };
        let body = serde_json::to_vec(&json!({ "events": events })).unwrap_or_default();
        self.patiently(reqwest::Method::POST, &path, Some(body)).await
    }

    /// GET of a JSON resource.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.patiently(reqwest::Method::GET, path, None).await
    }

    /// POST of a JSON document.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.patiently(reqwest::Method::POST, path, Some(body.to_string().into_bytes())).await
    }

    /// POST that is not repeated: what it starts must not be started twice.
    pub async fn post_once(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.once(reqwest::Method::POST, path, Some(body.to_string().into_bytes())).await
    }

    /// PUT of a JSON document, not repeated.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.once(reqwest::Method::PUT, path, Some(body.to_string().into_bytes())).await
    }

    /// DELETE, not repeated.
    pub async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        self.once(reqwest::Method::DELETE, path, None).await
    }

    /// Whether a server answers there now.
    pub async fn answers(&self) -> bool {
        self.once(reqwest::Method::GET, "/health/live", None).await.is_ok()
    }

    /// The write key of a project, by id or name.
    pub async fn write_key(&self, project: &str) -> Result<String, ClientError> {
        let found = self.get(&format!("/api/v1/projects/{}", path_segment(project))).await?;
        Ok(found["write_key"].as_str().unwrap_or_default().to_owned())
    }

    async fn patiently(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Value, ClientError> {
        let mut wait = Duration::from_millis(100);
        let mut attempt = 1;
        loop {
            let outcome = self.once(method.clone(), path, body.clone()).await;
            let passing = match &outcome {
                Err(ClientError::Unreachable { .. }) => true,
                Err(ClientError::Refused { status, .. }) => matches!(status, 429 | 502 | 503 | 504),
                _ => false,
            };
            if !passing || attempt == ATTEMPTS {
                return outcome;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(5));
            attempt += 1;
        }
    }

    async fn once(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Value, ClientError> {
        let url = format!("{}{path}", self.url);
        let unreachable =
            |e: reqwest::Error| ClientError::Unreachable { url: url.clone(), why: root_cause(&e) };
        let mut request = self.http.request(method, &url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        let parsed: Option<Value> = serde_json::from_str(&text).ok();
        if status.is_success() {
            return Ok(parsed.unwrap_or(Value::String(text)));
        }
        let error = parsed.as_ref().map(|p| &p["error"]);
        let message = match error {
            Some(Value::Object(e)) => {
                let part = |k: &str| e.get(k).and_then(Value::as_str).unwrap_or_default();
                format!("{} {} {}", part("code"), part("message"), part("hint")).trim().to_owned()
            }
            Some(Value::String(s)) => s.clone(),
            _ => text.chars().take(300).collect(),
        };
        Err(ClientError::Refused { url, status: status.as_u16(), message })
    }
}

/// A path segment with everything but unreserved characters escaped.
pub fn path_segment(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(b).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn local_details(data: &Path) -> Result<(String, String), ClientError> {
    let path = data.join("run").join("local.json");
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(&path)
        .map_err(|_| ClientError::Unknown { path: shown.clone(), data: data.display().to_string() })?;
    let found: Value = serde_json::from_str(&text)
        .map_err(|e| ClientError::Details { path: shown.clone(), why: e.to_string() })?;
    match (found["url"].as_str(), found["admin_key"].as_str()) {
        (Some(url), Some(key)) => Ok((url.to_owned(), key.to_owned())),
        _ => Err(ClientError::Details { path: shown, why: "url or admin_key is missing".to_owned() }),
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_segments_are_escaped() {
        assert_eq!(path_segment("a b/c"), "a%20b%2Fc");
    }

    #[test]
    fn an_unknown_server_says_what_to_do() {
        let args = ConnectArgs { url: None, key: None, data: "/nowhere/at/all".into() };
        let message = Client::connect(&args).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains("tallymark serve"), "{message}");
    }
}
