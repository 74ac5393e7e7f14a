//! Small answers that SDKs ask for before or beside events: flags, remote configuration, settings.
//!
//! They are the same for every project and touch no store, so browsers keep working while everything but this
//! process is down. They say that nothing is configured; they never fail.

use crate::admission::Place;
use crate::prefix::Reached;
use crate::route::Collector;
use crate::{body, cors, reply};
use axum::body::Body;
use axum::response::Response;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode};
use serde_json::json;
use tallymark_wire::answer::Problem;
use tallymark_wire::body::{self as packed, Packing};
use tallymark_wire::mparticle::{identity, settings as mparticle};
use tallymark_wire::posthog::flags::{self, Nothing};
use tallymark_wire::{Dialect, Refusal, amplitude, mixpanel, segment};

/// Largest body of a flags request, packed or not.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A path that is answered here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Extra {
    /// PostHog `/flags`.
    Flags,
    /// PostHog `/decide`.
    Decide,
    /// PostHog `/array/{token}/config`.
    PosthogConfig(String),
    /// PostHog `/array/{token}/config.js`.
    PosthogConfigScript(String),
    /// PostHog's lists of what is shown to visitors, and its flags for servers: all empty.
    PosthogNothing(Nothing),
    /// mParticle's identity calls.
    MparticleIdentity,
    /// mParticle `/v1/{mpid}/modify`: other ids of whom it knows.
    MparticleModify(String),
    /// mParticle `/v1/identity/{key}/Alias`: two of its ids are one person, which events say themselves.
    MparticleAlias,
    /// mParticle `/JS/v2/{key}/config`.
    MparticleConfig,
    /// Mixpanel `/settings`.
    MixpanelSettings,
    /// Mixpanel `/record`: recordings, which are not kept.
    MixpanelRecord,
    /// RudderStack `/sourceConfig`.
    RudderConfig,
    /// Segment `/v1/projects/{key}/settings`.
    SegmentSettings(String),
    /// Segment `/v1/m`: the SDK's own metrics.
    SegmentMetrics,
    /// Amplitude `/config/{key}`.
    AmplitudeConfig,
}

impl Extra {
    /// The answer that belongs to this path.
    pub fn of(path: &str) -> Option<Extra> {
        let path = path.strip_suffix('/').unwrap_or(path);
        match path {
            "/flags" => return Some(Extra::Flags),
            "/decide" => return Some(Extra::Decide),
            // Segment's path too; this one comes with a header of mParticle's.
            "/v1/identify" | "/v1/login" | "/v1/logout" | "/v1/modify" => {
                return Some(Extra::MparticleIdentity);
            }
            "/v1/m" => return Some(Extra::SegmentMetrics),
            "/settings" => return Some(Extra::MixpanelSettings),
            "/record" => return Some(Extra::MixpanelRecord),
            "/sourceConfig" => return Some(Extra::RudderConfig),
            _ => {}
        }
        if let Some(nothing) = Nothing::of(path) {
            return Some(Extra::PosthogNothing(nothing));
        }
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts.as_slice() {
            ["array", token, "config"] => Some(Extra::PosthogConfig((*token).to_owned())),
            ["array", token, "config.js"] => Some(Extra::PosthogConfigScript((*token).to_owned())),
            ["v1", "projects", key, "settings"] => Some(Extra::SegmentSettings((*key).to_owned())),
            ["config", key] if !key.is_empty() => Some(Extra::AmplitudeConfig),
            _ => Extra::of_mparticle(&parts),
        }
    }

    /// mParticle's: each also in the folder where its SDK asks below a `domain` of the customer's own.
    fn of_mparticle(parts: &[&str]) -> Option<Extra> {
        match parts {
            ["identity", "v1", "identify" | "login" | "logout"] => Some(Extra::MparticleIdentity),
            ["v1", mpid, "modify"] | ["identity", "v1", mpid, "modify"] => {
                Some(Extra::MparticleModify((*mpid).to_owned()))
            }
            ["v1", "identity", _, "Alias"] | ["webevents", "v1", "identity", _, "Alias"] => {
                Some(Extra::MparticleAlias)
            }
            ["JS", "v2", _, "config"] | ["tags", "JS", "v2", _, "config"] => Some(Extra::MparticleConfig),
            _ => None,
        }
    }
}

/// Answers one such request.
pub(crate) async fn handle(
    collector: &Collector,
    extra: Extra,
    reached: Reached,
    request: Request<Body>,
) -> Response {
    if cors::is_preflight(request.method(), request.headers()) {
        return cors::preflight(request.headers());
    }
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or("");
    let response = match extra {
        Extra::Flags | Extra::Decide => {
            let raw = if parts.method == Method::GET {
                Ok(query.as_bytes().to_vec().into())
            } else {
                read(collector, body).await
            };
            match raw {
                Ok(raw) => {
                    let token = token_of(raw, &parts.headers, query);
                    flags_answer(collector, extra == Extra::Flags, query, &token)
                }
                Err(problem) => reply::of_answer(Refusal::new(Dialect::Posthog, problem).answer()),
            }
        }
        Extra::MparticleModify(mpid) => {
            body::discard(body, collector.config.body_timeout).await;
            reply::json(StatusCode::OK, &identity::modified(&mpid))
        }
        Extra::MparticleAlias => {
            body::discard(body, collector.config.body_timeout).await;
            reply::json(StatusCode::ACCEPTED, &json!({}))
        }
        Extra::MparticleConfig => reply::json(StatusCode::OK, &mparticle::config()),
        Extra::MixpanelSettings => reply::json(StatusCode::OK, &mixpanel::settings::settings()),
        Extra::MixpanelRecord => {
            body::discard(body, collector.config.body_timeout).await;
            reply::json(StatusCode::OK, &mixpanel::settings::recorded())
        }
        Extra::RudderConfig => reply::json(StatusCode::OK, &segment::settings::source_config()),
        Extra::PosthogConfig(token) => reply::json(StatusCode::OK, &flags::config(&token)),
        Extra::PosthogConfigScript(token) => script(flags::config_script(&token)),
        Extra::PosthogNothing(nothing) => reply::json(StatusCode::OK, &nothing.answer()),
        Extra::MparticleIdentity => match read(collector, body).await {
            Ok(raw) => {
                let content_encoding =
                    parts.headers.get(header::CONTENT_ENCODING).and_then(|v| v.to_str().ok());
                let known = packed::decode(raw, Packing { content_encoding, query }, BODY_BYTES_MAX)
                    .map(|decoded| decoded.body)
                    .unwrap_or_default();
                let key = parts.headers.get("x-mp-key").and_then(|v| v.to_str().ok()).unwrap_or_default();
                reply::json(StatusCode::OK, &identity::answer(key, &known))
            }
            Err(problem) => reply::of_answer(Refusal::new(Dialect::Mparticle, problem).answer()),
        },
        Extra::SegmentSettings(key) => {
            let Reached { scheme, base } = reached;
            reply::json(StatusCode::OK, &segment::settings::settings(&key, scheme, &base))
        }
        Extra::SegmentMetrics => {
            body::discard(body, collector.config.body_timeout).await;
            reply::json(StatusCode::OK, &json!({"success": true}))
        }
        Extra::AmplitudeConfig => reply::json(StatusCode::OK, &amplitude::remote_config()),
    };
    cors::allow(&parts.headers, response)
}

async fn read(collector: &Collector, body: Body) -> Result<bytes::Bytes, Problem> {
    let mut place: Place = collector.admission.enter_beside_the_log()?;
    let time = collector.config.body_timeout;
    body::read(body, BODY_BYTES_MAX, time, &collector.admission, &mut place)
        .await
        .map_err(|(problem, _)| problem)
}

/// The token of a flags request; empty if it has none, because flags must not fail.
fn token_of(raw: bytes::Bytes, headers: &HeaderMap, query: &str) -> String {
    let content_encoding = headers.get(header::CONTENT_ENCODING).and_then(|v| v.to_str().ok());
    let decoded = packed::decode(raw, Packing { content_encoding, query }, BODY_BYTES_MAX);
    decoded.ok().and_then(|decoded| flags::token(&decoded.body).or(decoded.form_key)).unwrap_or_default()
}

fn flags_answer(collector: &Collector, is_flags: bool, query: &str, token: &str) -> Response {
    let parameter = |name: &str| query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
    let version = parameter("v").and_then(|v| v.parse().ok());
    let request_id = uuid::Uuid::new_v4().to_string();
    let body = if is_flags && parameter("mp_lib").is_some() {
        mixpanel::settings::flags()
    } else if is_flags {
        let with_config = parameter("config").is_some_and(|v| v != "false" && v != "0");
        flags::flags(version, with_config, token, &request_id, collector.clock.now())
    } else {
        flags::decide(version, token, &request_id)
    };
    reply::json(StatusCode::OK, &body)
}

fn script(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/javascript; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(Extra::of("/flags/"), Some(Extra::Flags));
        assert_eq!(Extra::of("/decide"), Some(Extra::Decide));
        assert_eq!(Extra::of("/array/k/config"), Some(Extra::PosthogConfig("k".into())));
        assert_eq!(Extra::of("/array/k/config.js"), Some(Extra::PosthogConfigScript("k".into())));
        assert_eq!(Extra::of("/v1/projects/k/settings"), Some(Extra::SegmentSettings("k".into())));
        assert_eq!(Extra::of("/config/k"), Some(Extra::AmplitudeConfig));
        assert_eq!(Extra::of("/v1/login"), Some(Extra::MparticleIdentity));
        assert_eq!(Extra::of("/api/surveys/"), Some(Extra::PosthogNothing(Nothing::Surveys)));
        assert_eq!(Extra::of("/sourceConfig/"), Some(Extra::RudderConfig));
        for folder in ["", "/identity"] {
            let modify = Extra::of(&format!("{folder}/v1/-7/modify"));
            assert_eq!(modify, Some(Extra::MparticleModify("-7".into())));
            assert_eq!(Extra::of(&format!("{folder}/v1/logout")), Some(Extra::MparticleIdentity));
        }
        assert_eq!(Extra::of("/tags/JS/v2/k/config"), Some(Extra::MparticleConfig));
        assert_eq!(Extra::of("/webevents/v1/identity/k/Alias"), Some(Extra::MparticleAlias));
        for path in [
            "/",
            "/config",
            "/config/",
            "/config/a/b",
            "/array/k",
            "/api/v1/projects",
            "/flagship",
            "/identity",
        ] {
            assert_eq!(Extra::of(path), None, "{path}");
        }
    }
}
