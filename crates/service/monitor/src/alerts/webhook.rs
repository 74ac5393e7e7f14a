//! Alerts by HTTP: signed JSON, and Slack's form.
//!
//! Guarantees: the body is rendered once and signed as it is sent; the id is that of the delivery.
//! Deliberately not here: addresses (`outbound`), signatures (`signature`).

use super::{Notice, SigningKey, sign, slack};
use crate::MonitorError;
use crate::config::{SlackTarget, WebhookTarget};
use crate::outbound::{Outbound, SendError};
use crate::status::rfc3339;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use tallymark_model::{Millis, Value};

/// The body of a webhook.
pub fn body(notice: &Notice) -> Value {
    json!({"type": notice.kind, "timestamp": rfc3339(notice.at), "data": notice})
}

pub async fn send_webhook(
    outbound: &Outbound,
    target: &WebhookTarget,
    id: &str,
    notice: &Notice,
    now: Millis,
) -> Result<(), SendError> {
    let url = reveal(target.url.reveal())?;
    let keys = reveal(target.secrets.iter().map(SigningKey::new).collect::<Result<Vec<_>, _>>())?;
    let body = Bytes::from(body(notice).to_string());
    let seconds = now.div_euclid(1_000);
    let mut headers = json_headers();
    let signed = [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", sign(&keys, id, seconds, &body)),
    ];
    for (name, value) in signed {
        let value = HeaderValue::from_str(&value).map_err(|e| SendError::Refused(e.to_string()))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    outbound.post(&url, headers, body).await.map(|_| ())
}

pub async fn send_slack(outbound: &Outbound, target: &SlackTarget, notice: &Notice) -> Result<(), SendError> {
    let url = reveal(target.url.reveal())?;
    let body = Bytes::from(slack::message(notice).to_string());
    outbound.post(&url, json_headers(), body).await.map(|_| ())
}

fn json_headers() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))])
}

fn reveal<T>(secret: Result<T, MonitorError>) -> Result<T, SendError> {
    secret.map_err(|e| SendError::Refused(e.to_string()))
}
