//! Where SDKs put the project's key, and the hash that stands for it in the log.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use tallymark_model::ProjectToken;

/// Longest credential; a longer one is malformed.
const MAX_BYTES: usize = 512;

/// The token of a credential: the first 16 bytes of its SHA-256.
pub fn token_of(credential: &str) -> ProjectToken {
    let digest = Sha256::digest(credential.as_bytes());
    let mut token = [0u8; 16];
    token.copy_from_slice(&digest[..16]);
    ProjectToken(token)
}

/// The credential without white space around it; `None` if blank or malformed.
pub(crate) fn clean(credential: &str) -> Option<&str> {
    let credential = credential.trim();
    let fine = !credential.is_empty()
        && credential.len() <= MAX_BYTES
        && !credential.chars().any(|c| c.is_control() || c.is_whitespace());
    fine.then_some(credential)
}

/// The credential of an `Authorization` header: Bearer token or Basic user name.
pub(crate) fn of_authorization(header: Option<&str>) -> Option<String> {
    let (scheme, rest) = header?.trim().split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return clean(rest).map(str::to_owned);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
    clean(decoded.split(':').next()?).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_head_of_sha256() {
        // sha256("abc") = ba7816bf8f01cfea414140de5dae2223b00361a3...
        assert_eq!(token_of("abc").to_string(), "ba7816bf8f01cfea414140de5dae2223");
    }

    #[test]
    fn headers_give_the_key() {
        assert_eq!(of_authorization(Some("Bearer  key_1 ")).as_deref(), Some("key_1"));
        assert_eq!(of_authorization(Some("basic a2V5XzE6")).as_deref(), Some("key_1"));
        for bad in [None, Some(""), Some("Bearer"), Some("Bearer a b"), Some("Basic ???"), Some("Digest x")] {
            assert_eq!(of_authorization(bad), None, "{bad:?}");
        }
    }
}
