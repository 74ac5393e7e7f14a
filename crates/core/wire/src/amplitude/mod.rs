//! Amplitude: HTTP V2, Batch, HTTP V1, Identify, Group Identify and the first SDKs' root path.
//!
//! Sources: Amplitude's HTTP V2, Batch, Identify and Group Identify documentation; amplitude-analytics (Python)
//! 1.3.0, analytics-node 1.5.73, analytics-browser 2.47.0, amplitude-js 8.21.10 as observed.
//!
//! | path | body | lane | limits |
//! |---|---|---|---|
//! | `/2/httpapi` | JSON `{api_key, events, options?, client_upload_time?}` | live | 1 MB, 2000 events |
//! | `/batch` | the same | bulk | 20 MB, 2000 events |
//! | `/httpapi` | form `api_key`, `event` (object or list); multipart too | live | 1 MB |
//! | `/identify`, `/groupidentify` | form `api_key`, `identification` (object or list), `options?`; `GET` too | live | 1 MB, 1024 items |
//! | `/usermap` | form or query `api_key`, `mapping` (object or list); `GET` too | live | 1 MB, 2000 items |
//! | `/` | form `client`, `e`, `v`, `upload_time`, `checksum` | live | 1 MB |
//!
//! All or nothing: if any event is invalid the answer is 400 with the indexes of all invalid ones, and nothing
//! of the request is taken; the SDKs drop the listed events and resend the others at once.
//!
//! Differences on purpose: a missing `device_id` is not invented from `user_id` (dedup then goes by user);
//! strings are not cut at 1024 characters; properties keep their language codes. A mapping of `/usermap` joins the two
//! ids into one person for good: properties are merged too, and `unmap` is refused (400). `/attribution` is not there:
//! it holds events for up to 72 hours until a user with the same advertising id appears.

mod check;
mod decode;
mod form;
mod read;

pub(crate) use decode::{decode, decode_identification};
pub(crate) use read::{read, read_events};

/// Answer of `GET /config/{key}`: nothing to configure; session replay stays off because its part is missing.
pub fn remote_config() -> serde_json::Value {
    serde_json::json!({"configs": {
        "analyticsSDK": {"browserSDK": {}},
        "diagnostics": {"browserSDK": {"sampleRate": 0, "enabled": false}},
    }})
}
