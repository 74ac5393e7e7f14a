//! Answers of `/v1/identify`, `/v1/login`, `/v1/logout`, `/v1/{mpid}/modify` as mParticle's browser SDK asks them, with the
//! header `x-mp-key`: it sends no event before it knows an mpid. (`/v1/identify` without it is Segment's.)
//!
//! The mpid follows from the key and the ids alone, so it needs no store and is the same for ever: of the user's id,
//! else of another known identity, else of the device. Who is who is decided from the events' own ids.

use crate::json::Doc;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The identity of a device, which every request has.
const DEVICE: &str = "device_application_stamp";

/// The answer to one such request.
pub fn answer(key: &str, body: &[u8]) -> Value {
    let known = Doc::parse(body).ok().map(|doc| doc.value());
    let known = known.as_ref().and_then(|body| body.get("known_identities")).and_then(Value::as_object);
    let of = |name: &str| known?.get(name)?.as_str().filter(|id| !id.is_empty());
    let named = ["customerid", "customer_id", "email"].into_iter().find_map(|name| Some((name, of(name)?)));
    let other = || {
        let mut others = known?.iter().filter(|(name, _)| *name != DEVICE);
        others.find_map(|(name, id)| Some((name.as_str(), id.as_str().filter(|id| !id.is_empty())?)))
    };
    let user = named.or_else(other);
    let (kind, id) = user.unwrap_or((DEVICE, of(DEVICE).unwrap_or_default()));
    // Both spellings are one identity.
    let kind = if kind == "customer_id" { "customerid" } else { kind };
    json!({
        "context": null, "mpid": mpid(key, kind, id), "matched_identities": {},
        "is_ephemeral": false, "is_logged_in": user.is_some(),
    })
}

/// The answer to `/v1/{mpid}/modify`: whoever changes an id is who it was. What changed is in the next batch.
pub fn modified(mpid: &str) -> Value {
    json!({"mpid": mpid, "change_results": [], "is_logged_in": true})
}

/// A positive 64-bit number, as text: JavaScript cannot hold it.
fn mpid(key: &str, kind: &str, id: &str) -> String {
    let digest = Sha256::digest(format!("{key}\n{kind}\n{id}").as_bytes());
    let mut head = [0u8; 8];
    head.copy_from_slice(&digest[..8]);
    ((u64::from_be_bytes(head) >> 1) | 1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(known: Value) -> (String, bool) {
        let answer = answer("k", json!({"known_identities": known}).to_string().as_bytes());
        (answer["mpid"].as_str().unwrap().to_owned(), answer["is_logged_in"].as_bool().unwrap())
    }

    #[test]
    fn the_mpid_follows_the_user_and_else_the_device() {
        let (user, is_logged_in) = of(json!({"customerid": "u1", DEVICE: "d1"}));
        assert!(is_logged_in && user.parse::<i64>().unwrap() > 0);
        assert_eq!(of(json!({"customer_id": "u1", DEVICE: "d2"})), (user.clone(), true));
        assert_ne!(of(json!({"customerid": "u2", DEVICE: "d1"})).0, user);
        let (device, is_logged_in) = of(json!({DEVICE: "d1"}));
        assert!(!is_logged_in && device != user);
        assert_eq!(of(json!({DEVICE: "d1"})).0, device);
        assert_eq!(answer("k", b"not JSON")["is_logged_in"], json!(false));
        assert_ne!(answer("k", b"")["mpid"], answer("l", b"")["mpid"]);
    }

    #[test]
    fn whoever_changes_an_id_keeps_the_mpid() {
        assert_eq!(modified("-7")["mpid"], json!("-7"));
    }
}
