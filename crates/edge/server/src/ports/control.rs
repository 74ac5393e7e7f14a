//! The collector's control socket: HTTP over a Unix socket in the run folder.
//!
//! Guarantees: one connection per request, so a collector that was started again is found; what it refuses and
//! what did not arrive are told apart.
//! Deliberately not here: appending (the collector).

use super::log_handle::port;
use async_trait::async_trait;
use axum::body::Body;
use futures::StreamExt;
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;
use tallymark_api::{ControlDoor, ControlOrder, PortError};
use tallymark_model::{Lane, Millis, Position};
use tokio::net::UnixStream;

const WHAT: &str = "the collector's control socket";
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Talks to the collector.
pub struct ControlSocket {
    /// Its socket.
    pub path: PathBuf,
}

impl ControlSocket {
    /// Everything received before this instant is in the log. `None`: no collector runs, so nothing is on its way.
    pub async fn received_through(&self) -> Result<Option<Millis>, PortError> {
        match UnixStream::connect(&self.path).await {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(e) => return Err(port(WHAT, e)),
            Ok(_) => {}
        }
        let (_, answer) = self.ask("GET", "/pressure", None).await?;
        let through = answer["received_through"].as_i64();
        through.map(Some).ok_or_else(|| port(WHAT, "it does not say what is on its way"))
    }

    /// Status and body of an answer.
    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), PortError> {
        let asked = self.ask_patiently(method, path, body);
        tokio::time::timeout(PATIENCE, asked).await.map_err(|_| port(WHAT, "no answer within 30 s"))?
    }

    async fn ask_patiently(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), PortError> {
        let stream = UnixStream::connect(&self.path).await.map_err(|e| port(WHAT, e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| port(WHAT, e))?;
        let driver = tokio::spawn(connection);
        let text = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "collector")
            .header("content-type", "application/json")
            .body(Body::from(text))
            .map_err(|e| port(WHAT, e))?;
        let response = sender.send_request(request).await.map_err(|e| port(WHAT, e))?;
        let status = response.status().as_u16();
        let mut stream = Body::new(response.into_body()).into_data_stream();
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(|e| port(WHAT, e))?);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(port(WHAT, "the answer is too long"));
            }
        }
        driver.abort();
        let answer = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok((status, answer))
    }
}

#[async_trait]
impl ControlDoor for ControlSocket {
    async fn append(&self, order: ControlOrder) -> Result<Vec<Position>, PortError> {
        let at: Vec<Value> =
            order.at.iter().map(|(shard, control)| json!({"shard": shard, "control": control})).collect();
        let body = json!({"everywhere": order.everywhere, "at": at});
        let (status, answer) = self.ask("POST", "/control", Some(&body)).await?;
        if status != 200 {
            return Err(port(WHAT, format!("{status}: {}", message(&answer))));
        }
        let positions = answer["positions"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(positions.iter().filter_map(|p| position(p.as_str()?)).collect())
    }

    async fn throttle_rules(&self) -> Result<Value, PortError> {
        let (status, answer) = self.ask("GET", "/throttle", None).await?;
        if status == 200 { Ok(answer) } else { Err(port(WHAT, format!("{status}: {}", message(&answer)))) }
    }

    async fn set_throttle_rules(&self, rules: &Value) -> Result<Result<(), String>, PortError> {
        let (status, answer) = self.ask("POST", "/throttle", Some(rules)).await?;
        match status {
            200 => Ok(Ok(())),
            400 | 413 => Ok(Err(message(&answer))),
            _ => Err(port(WHAT, format!("{status}: {}", message(&answer)))),
        }
    }
}

fn message(answer: &Value) -> String {
    answer["error"]["message"].as_str().unwrap_or("no reason given").to_owned()
}

/// `live/0@123`.
fn position(text: &str) -> Option<Position> {
    let (shard, offset) = text.split_once('@')?;
    let (lane, partition) = shard.split_once('/')?;
    let lane = Lane::from_name(lane)?;
    Some(Position { lane, partition: partition.parse().ok()?, offset: offset.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use tallymark_model::{Control, Rule, Shard};

    fn rule() -> Control {
        let action = serde_json::from_value(json!({"type": "drop", "events": ["x"]})).unwrap();
        Control::Rule(Rule {
            id: 1,
            project: tallymark_model::ProjectId(1),
            version: 1,
            name: "n".into(),
            enabled: true,
            by: "me".into(),
            reason: String::new(),
            made_at: 5,
            action,
        })
    }

    #[tokio::test]
    async fn a_collector_that_is_gone_has_nothing_on_its_way() {
        let dir = tempfile::tempdir().unwrap();
        let door = ControlSocket { path: dir.path().join("control.sock") };
        assert_eq!(door.received_through().await.unwrap(), None);
        let listener = tokio::net::UnixListener::bind(&door.path).unwrap();
        let app = Router::new().route("/pressure", get(|| async { Json(json!({"received_through": 7})) }));
        let served = tokio::spawn(async move { axum::serve(listener, app).await });
        assert_eq!(door.received_through().await.unwrap(), Some(7));
        served.abort();
        let _ = served.await;
        assert_eq!(door.received_through().await.unwrap(), None, "killed, and its socket left behind");
    }

    #[tokio::test]
    async fn orders_arrive_and_refusals_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let door = ControlSocket { path: dir.path().join("control.sock") };
        let order = ControlOrder {
            everywhere: vec![rule()],
            at: vec![(Shard { lane: Lane::Bulk, partition: 2 }, rule())],
        };
        assert!(door.append(order.clone()).await.is_err(), "nobody listens yet");
        let append = |Json(body): Json<Value>| async move {
            assert_eq!(body["at"][0]["shard"], json!({"lane": "bulk", "partition": 2}));
            assert_eq!(body["everywhere"][0]["kind"], "rule");
            Json(json!({"positions": ["live/0@7", "bulk/2@9"]}))
        };
        let refuse = |Json(body): Json<Value>| async move {
            let status = if body["version"] == 1 { 200 } else { 400 };
            let answer = Json(json!({"error": {"message": "line 3"}}));
            (axum::http::StatusCode::from_u16(status).unwrap(), answer)
        };
        let show = get(|| async { Json(json!({"rules": {}})) }).merge(post(refuse));
        let app = Router::new().route("/control", post(append)).route("/throttle", show);
        let listener = tokio::net::UnixListener::bind(&door.path).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let positions = door.append(order).await.unwrap();
        assert_eq!(positions.iter().map(ToString::to_string).collect::<Vec<_>>(), ["live/0@7", "bulk/2@9"]);
        assert_eq!(door.throttle_rules().await.unwrap(), json!({"rules": {}}));
        assert_eq!(door.set_throttle_rules(&json!({"version": 1})).await.unwrap(), Ok(()));
        assert_eq!(door.set_throttle_rules(&json!({})).await.unwrap(), Err("line 3".to_owned()));
    }
}
