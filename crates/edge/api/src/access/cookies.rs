//! The session cookie and the CSRF token that goes with it (S17).
//!
//! Guarantees: HttpOnly, SameSite=Lax, Secure unless the server is reached on loopback; the CSRF token is derived
//! from the session's secret, so it ends with it and needs no storage.
//! Deliberately not here: sessions themselves (the catalog).

use http::header::{COOKIE, HOST};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use std::time::Duration;

const NAME: &str = "tallymark_session";

/// A fresh session token: 256 random bits.
pub(crate) fn new_session_token() -> String {
    hex(&rand::random::<[u8; 32]>())
}

/// The CSRF token of a session.
pub(crate) fn csrf_of(token: &str) -> String {
    hex(&Sha256::new().chain_update("tallymark csrf\0").chain_update(token).finalize()[..16])
}

/// The session token of a request.
pub(super) fn session_token(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == NAME && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}

/// `Set-Cookie` that opens a session.
pub(crate) fn session_cookie(token: &str, age: Duration, headers: &HeaderMap) -> Option<HeaderValue> {
    cookie(token, age.as_secs(), headers)
}

/// `Set-Cookie` that ends it.
pub(crate) fn clear_cookie(headers: &HeaderMap) -> Option<HeaderValue> {
    cookie("", 0, headers)
}

fn cookie(value: &str, age_s: u64, headers: &HeaderMap) -> Option<HeaderValue> {
    let secure = if is_loopback_host(headers) { "" } else { "; Secure" };
    let text = format!("{NAME}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age_s}{secure}");
    HeaderValue::try_from(text).ok()
}

fn is_loopback_host(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|h| h.to_str().ok()) else { return false };
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_cookie_is_secure_except_on_loopback() {
        for (host, secure) in [
            ("localhost:8000", false),
            ("127.0.0.1", false),
            ("[::1]:8000", false),
            ("app.localhost", false),
            ("example.org", true),
            ("localhost.example.org", true),
            ("10.0.0.1:80", true),
        ] {
            let cookie = session_cookie("t", Duration::from_secs(9), &with(HOST, host)).unwrap();
            let text = cookie.to_str().unwrap();
            assert_eq!(text.contains("; Secure"), secure, "{host}");
            assert!(text.contains("HttpOnly") && text.contains("SameSite=Lax") && text.contains("Max-Age=9"));
        }
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        assert_eq!(session_token(&with(COOKIE, "a=b; tallymark_session=xyz; c=d")), Some("xyz".into()));
        assert_eq!(session_token(&with(COOKIE, "tallymark_session=; x=y")), None);
        assert_eq!(session_token(&with(COOKIE, "other_tallymark_session=1")), None);
        assert_eq!(session_token(&HeaderMap::new()), None);
    }

    #[test]
    fn tokens_differ_and_csrf_follows_the_session() {
        let (a, b) = (new_session_token(), new_session_token());
        assert_ne!(a, b);
        assert_eq!(csrf_of(&a), csrf_of(&a));
        assert_ne!(csrf_of(&a), csrf_of(&b));
        assert!(!a.contains(&csrf_of(&a)));
    }
}
