//! Small JSON documents that say by themselves whether they are whole.
//!
//! ```text
//! {"format":1,"sha256":"<of the bytes of body>","body":{…}}
//! ```
//! Guarantees: a document that was changed in any byte of its body, or cut, does not open.
//! Deliberately not here: what they say.

use crate::RecoveryError;
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    format: u32,
    sha256: String,
    #[serde(borrow)]
    body: &'a RawValue,
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Writes a document.
pub(crate) fn seal<T: Serialize>(what: &'static str, body: &T) -> Result<Bytes, RecoveryError> {
    let fail = |e: serde_json::Error| RecoveryError::Encode { what, problem: e.to_string() };
    let body = serde_json::value::to_raw_value(body).map_err(fail)?;
    let sealed = Envelope { format: FORMAT, sha256: sha256(body.get().as_bytes()), body: &body };
    Ok(Bytes::from(serde_json::to_vec(&sealed).map_err(fail)?))
}

/// Reads a document.
pub(crate) fn open<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, RecoveryError> {
    let fail = |e: serde_json::Error| RecoveryError::damaged(what, e.to_string());
    // Of a newer format nothing else may be assumed.
    let version: Version = serde_json::from_slice(bytes).map_err(fail)?;
    if version.format > FORMAT {
        return Err(RecoveryError::Newer { what: what.to_owned(), found: version.format });
    }
    let sealed: Envelope = serde_json::from_slice(bytes).map_err(fail)?;
    if sealed.sha256 != sha256(sealed.body.get().as_bytes()) {
        return Err(RecoveryError::damaged(what, "its checksum does not match"));
    }
    serde_json::from_str(sealed.body.get()).map_err(fail)
}

/// SHA-256 in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_byte_is_seen() {
        let body = vec!["one".to_owned(), "zwei".to_owned()];
        let bytes = seal("test", &body).unwrap();
        assert_eq!(open::<Vec<String>>("test", &bytes).unwrap(), body);
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            let opened = open::<Vec<String>>("test", &damaged);
            assert!(opened.is_err() || opened.unwrap() == body, "byte {at} changed the body unseen");
            assert!(open::<Vec<String>>("test", &bytes[..at]).is_err(), "cut at {at}");
        }
        let newer = String::from_utf8(bytes.to_vec()).unwrap().replace("\"format\":1", "\"format\":9");
        assert!(matches!(
            open::<Vec<String>>("test", newer.as_bytes()),
            Err(RecoveryError::Newer { found: 9, .. })
        ));
    }
}
