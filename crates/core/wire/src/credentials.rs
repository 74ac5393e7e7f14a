//! Where SDKs put the project's key, and the hash that stands for it in the log.

use crate::Call;
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

/// The token of a request whose body is not read yet, where header or query decide whose it is: on other paths, and
/// without them, the body has the last word.
pub fn token_before_body(call: Call, query: &str, authorization: Option<&str>) -> Option<ProjectToken> {
    let key = match call {
        Call::Native => of_authorization(authorization).or_else(|| {
            ["api_key", "token", "write_key"].iter().find_map(|name| {
                form_urlencoded::parse(query.as_bytes())
                    .filter(|(key, _)| key == name)
                    .last()
                    .map(|(_, value)| value.into_owned())
            })
        }),
        Call::Segment(_) if is_basic(authorization) => of_authorization(authorization),
        _ => None,
    }?;
    clean(&key).map(token_of)
}

/// True if the header names the `Basic` scheme, which wins over a key in a Segment body.
pub(crate) fn is_basic(authorization: Option<&str>) -> bool {
    let scheme = authorization.and_then(|header| header.trim_start().get(..5));
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic"))
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
    fn a_key_is_known_before_the_body_only_where_the_body_cannot_say_otherwise() {
        let segment = Call::of_path("/v1/batch").unwrap();
        let of = |call, query, header| token_before_body(call, query, header);
        assert_eq!(of(Call::Native, "", Some("Bearer k")), Some(token_of("k")));
        assert_eq!(of(Call::Native, "lane=bulk&write_key=k%31", None), Some(token_of("k1")));
        assert_eq!(of(segment, "", Some("Basic a2V5XzE6")), Some(token_of("key_1")));
        for (call, query, header) in [
            (Call::Native, "", None),
            (Call::Native, "", Some("Bearer a b")),
            (segment, "writeKey=k", Some("Bearer k")),
            (Call::of_path("/e/").unwrap(), "token=k", Some("Bearer k")),
            (Call::of_path("/2/httpapi").unwrap(), "", Some("Bearer k")),
        ] {
            assert_eq!(of(call, query, header), None, "{call:?} {query} {header:?}");
        }
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
