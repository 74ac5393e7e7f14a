//! Reading credentials off a request.
//!
//! Guarantees: keys come in the `Authorization` header only (never in a URL, where logs would keep them), sessions
//! in their cookie only; an invalid header is an error, not a fall-back to the cookie.
//! Deliberately not here: what the principal may do (`policy`).

use super::cookies::session_token;
use crate::{ApiError, ApiState, PEER_HEADER, codes};
use base64::Engine as _;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use std::net::IpAddr;
use tallymark_catalog::{Session, Verified};
use tallymark_model::ProjectId;

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Principal {
    /// Nobody known.
    Anonymous,
    /// The holder of a key.
    Key(Verified),
    /// A person with a session.
    User {
        /// Their session.
        session: Session,
        /// Its token, for the CSRF check and for ending it.
        token: String,
    },
}

impl Principal {
    /// Name in the audit trail.
    pub fn actor(&self) -> String {
        match self {
            Principal::Anonymous => "anonymous".to_owned(),
            Principal::Key(key) => format!("key:{}", key.key),
            Principal::User { session, .. } => format!("user:{}", session.user.email),
        }
    }

    /// The one project a key is confined to.
    pub fn confined_to(&self) -> Option<ProjectId> {
        match self {
            Principal::Key(key) => key.project,
            _ => None,
        }
    }

    /// True for people and admin keys, who see the whole instance.
    pub fn sees_instance(&self) -> bool {
        match self {
            Principal::Anonymous => false,
            Principal::Key(key) => key.project.is_none(),
            Principal::User { .. } => true,
        }
    }
}

/// The client's address, as told by the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub Option<IpAddr>);

impl Peer {
    pub fn of(headers: &HeaderMap) -> Peer {
        let address = headers.get(PEER_HEADER).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        Peer(address)
    }

    /// True if the client runs on this machine.
    pub fn is_this_machine(self) -> bool {
        self.0.is_some_and(|a| a.to_canonical().is_loopback())
    }

    /// Key for limits: an IPv6 customer has a whole /64.
    pub fn network(self) -> String {
        match self.0.map(|a| a.to_canonical()) {
            Some(IpAddr::V4(v4)) => v4.to_string(),
            Some(IpAddr::V6(v6)) => {
                let s = v6.segments();
                format!("{:x}:{:x}:{:x}:{:x}", s[0], s[1], s[2], s[3])
            }
            None => "unknown".to_owned(),
        }
    }
}

/// Parameters in which people put keys by mistake; URLs end up in logs and histories.
const KEY_PARAMETERS: [&str; 6] =
    ["api_key", "apikey", "access_token", "secret_key", "admin_key", "authorization"];

/// Finds out who asks.
pub(crate) async fn principal_of(state: &ApiState, parts: &Parts) -> Result<Principal, ApiError> {
    let query = parts.uri.query().unwrap_or_default().to_ascii_lowercase();
    let in_url = |name: &&str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    if let Some(name) = KEY_PARAMETERS.iter().find(|n| in_url(n)) {
        return Err(ApiError::new(
            &codes::KEY_IN_URL,
            format!("the key is in the URL (parameter `{name}`), where logs and histories keep it"),
        ));
    }
    if parts.headers.contains_key(AUTHORIZATION) {
        let credential = credential(&parts.headers).ok_or_else(|| {
            ApiError::new(
                &codes::BAD_CREDENTIAL,
                "the Authorization header is neither `Bearer KEY` nor `Basic`",
            )
        })?;
        let verified = match state.parts.catalog.verify_key(&credential).await {
            Ok(verified) => {
                state.standby.confirm_key(&credential, verified.as_ref());
                verified
            }
            Err(error) => Some(state.standby.key(&credential).ok_or(error)?),
        };
        return verified.map(Principal::Key).ok_or_else(|| {
            ApiError::new(&codes::BAD_CREDENTIAL, "the key in the Authorization header is not valid")
        });
    }
    let Some(token) = session_token(&parts.headers) else { return Ok(Principal::Anonymous) };
    let limits = &state.parts.limits;
    let session = match state.parts.catalog.session(&token, limits.session_idle, limits.session_max).await {
        Ok(session) => {
            state.standby.confirm_session(&token, session.as_ref());
            session
        }
        Err(error) => Some(state.standby.session(&token).ok_or(error)?),
    };
    Ok(session.map_or(Principal::Anonymous, |session| Principal::User { session, token }))
}

fn credential(headers: &HeaderMap) -> Option<String> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(rest.trim().to_owned()),
        "basic" => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
            // The key is the user name; vendors' clients leave the password empty.
            Some(String::from_utf8(decoded).ok()?.split(':').next()?.to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn keys_come_as_bearer_or_as_basic_user_name() {
        assert_eq!(credential(&headers("Bearer abc")), Some("abc".into()));
        assert_eq!(credential(&headers("bearer  abc ")), Some("abc".into()));
        assert_eq!(credential(&headers("Basic YWJjOg==")), Some("abc".into()));
        assert_eq!(credential(&headers("Basic YWJj")), Some("abc".into()));
        for bad in ["abc", "Digest x", "Basic !!!", "Bearer"] {
            assert_eq!(credential(&headers(bad)), None, "{bad}");
        }
    }

    #[test]
    fn addresses_are_grouped_by_network() {
        let peer = |text: &str| Peer(Some(text.parse().unwrap()));
        assert!(peer("127.0.0.1").is_this_machine() && peer("::ffff:127.0.0.1").is_this_machine());
        assert!(!peer("10.0.0.1").is_this_machine() && !Peer(None).is_this_machine());
        assert_eq!(peer("2001:db8::1").network(), peer("2001:db8::2").network());
        assert_ne!(peer("10.0.0.1").network(), peer("10.0.0.2").network());
        assert_eq!(peer("::ffff:10.0.0.1").network(), "10.0.0.1");
    }
}
