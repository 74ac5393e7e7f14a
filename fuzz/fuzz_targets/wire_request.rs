//! A whole request of any protocol: the first byte chooses the path, the rest is the body.
//! Found faults: any panic, and an accepted native event that does not decode.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tallymark_wire::body::{Packing, decode as unpack};
use tallymark_wire::{Call, Request, decode, read};

const PATHS: [&str; 24] = [
    "/api/v1/events",
    "/batch",
    "/2/httpapi",
    "/httpapi",
    "/",
    "/identify",
    "/groupidentify",
    "/e",
    "/engage",
    "/v1/batch",
    "/v1/track",
    "/v1/identify",
    "/v1/page",
    "/v1/group",
    "/v1/alias",
    "/v1/import",
    "/track",
    "/groups",
    "/import",
    "/api/track",
    "/api/v1/identify",
    "/api/add_user_properties",
    "/api/add_account_properties",
    "/h",
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let path = PATHS[usize::from(*choice) % PATHS.len()];
    let Some(call) = Call::of_path(path) else { return };
    let Ok(decoded) = unpack(Bytes::copy_from_slice(body), Packing::default(), call.decoded_limit()) else {
        return;
    };
    let request = Request {
        call,
        path,
        query: "",
        authorization: Some("Bearer key-1"),
        sent_at: None,
        user_agent: None,
        headers: &[],
        form_key: decoded.form_key,
        form: decoded.form,
        ip: None,
        body: decoded.body,
        received_at: 1_795_220_540_000,
    };
    match read(&request) {
        Ok(parsed) => {
            for envelope in &parsed.envelopes {
                let event = decode(envelope);
                assert!(call != Call::Native || event.is_ok(), "accepted, but {event:?}");
            }
            let _ = parsed.answer(parsed.envelopes.len(), "receipt", None, 0);
        }
        Err(refusal) => assert!(refusal.answer().status >= 400),
    }
});
