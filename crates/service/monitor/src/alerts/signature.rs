//! Signatures of webhooks, as in Standard Webhooks.
//!
//! Headers: `webhook-id` (the same for every attempt), `webhook-timestamp` (Unix seconds), `webhook-signature`
//! (`v1,<base64>` per key, separated by spaces). Signed is `{id}.{timestamp}.{body}` by HMAC-SHA256.
//!
//! Guarantees: with two keys a request carries two signatures, so keys are exchanged without a gap; verification
//! compares in constant time and refuses what is older or newer than [`TOLERANCE`].
//! Deliberately not here: remembering ids (a receiver should, to see repetitions).

use crate::MonitorError;
use crate::config::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tallymark_model::Millis;

/// How far a request's time may be from the receiver's, ms.
pub const TOLERANCE: Millis = 5 * 60_000;
const KEY_BYTES_MIN: usize = 16;

/// Why a request is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The time is missing, not a number, or too far away.
    #[error("the timestamp is not within 5 minutes of now")]
    Stale,
    /// No signature fits.
    #[error("no signature fits")]
    Mismatch,
}

/// A key to sign with.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

impl SigningKey {
    /// From `whsec_<base64>`, or from any other text of 16 bytes or more.
    pub fn new(secret: &Secret) -> Result<SigningKey, MonitorError> {
        let text = secret.reveal()?;
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => STANDARD
                .decode(encoded)
                .map_err(|_| MonitorError::config("secrets", "what follows whsec_ is not base64"))?,
            None => text.into_bytes(),
        };
        if bytes.len() < KEY_BYTES_MIN {
            return Err(MonitorError::config("secrets", format!("a key has {KEY_BYTES_MIN} bytes or more")));
        }
        Ok(SigningKey(bytes))
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return Vec::new() };
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.finalize().into_bytes().to_vec()
    }
}

/// The value of `webhook-signature`: one signature per key.
pub fn sign(keys: &[SigningKey], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let timestamp = timestamp_s.to_string();
    let signatures = keys.iter().map(|k| format!("v1,{}", STANDARD.encode(k.mac(id, &timestamp, body))));
    signatures.collect::<Vec<_>>().join(" ")
}

/// What a receiver does with the three headers and the body as it came.
pub fn verify(
    keys: &[SigningKey],
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now: Millis,
) -> Result<(), SignatureError> {
    let seconds: i64 = timestamp.parse().map_err(|_| SignatureError::Stale)?;
    let at = seconds.checked_mul(1_000).ok_or(SignatureError::Stale)?;
    if now.abs_diff(at) > TOLERANCE.unsigned_abs() {
        return Err(SignatureError::Stale);
    }
    let given: Vec<Vec<u8>> = signatures
        .split(' ')
        .filter_map(|s| s.strip_prefix("v1,"))
        .filter_map(|s| STANDARD.decode(s).ok())
        .collect();
    let expected = keys.iter().map(|k| k.mac(id, timestamp, body));
    let fits = expected.into_iter().any(|e| given.iter().any(|g| !e.is_empty() && bool::from(e.ct_eq(g))));
    if fits { Ok(()) } else { Err(SignatureError::Mismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SigningKey {
        SigningKey::new(&Secret::new(text)).unwrap()
    }

    /// The example that the specification of Standard Webhooks gives.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signature = sign(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_keys_are_live_during_an_exchange() {
        let (old, new) = (key("an old key, long enough"), key("a new key, long enough"));
        let now = 1_700_000_000_000;
        let signature = sign(&[new.clone(), old.clone()], "msg_1", now / 1_000, b"{}");
        for receiver in [vec![old.clone()], vec![new.clone()], vec![old, new]] {
            assert_eq!(verify(&receiver, "msg_1", "1700000000", &signature, b"{}", now), Ok(()));
        }
        let other = [key("somebody else's key")];
        assert_eq!(
            verify(&other, "msg_1", "1700000000", &signature, b"{}", now),
            Err(SignatureError::Mismatch)
        );
    }

    #[test]
    fn what_was_changed_or_is_old_is_refused() {
        let keys = [key("a key that is long enough")];
        let now = 1_700_000_000_000;
        let signature = sign(&keys, "msg_1", now / 1_000, b"{}");
        let verify = |id, time, body, now| verify(&keys, id, time, &signature, body, now);
        assert_eq!(verify("msg_1", "1700000000", b"{} ", now), Err(SignatureError::Mismatch));
        assert_eq!(verify("msg_2", "1700000000", b"{}", now), Err(SignatureError::Mismatch));
        assert_eq!(verify("msg_1", "1700000001", b"{}", now), Err(SignatureError::Mismatch));
        assert_eq!(verify("msg_1", "1700000000", b"{}", now + TOLERANCE), Ok(()));
        assert_eq!(verify("msg_1", "1700000000", b"{}", now + TOLERANCE + 1), Err(SignatureError::Stale));
        assert_eq!(verify("msg_1", "1700000000", b"{}", now - TOLERANCE - 1), Err(SignatureError::Stale));
        assert_eq!(verify("msg_1", "soon", b"{}", now), Err(SignatureError::Stale));
        assert_eq!(verify("msg_1", "9223372036854775807", b"{}", now), Err(SignatureError::Stale));
    }

    #[test]
    fn short_keys_are_refused() {
        assert!(SigningKey::new(&Secret::new("short")).is_err());
        assert!(SigningKey::new(&Secret::new("whsec_not base64!")).is_err());
        assert!(SigningKey::new(&Secret::new("whsec_c2hvcnQ=")).is_err());
    }
}
