//! Our own protocol: `POST /api/v1/events`.
//!
//! ```json
//! {"events":[{"event":"order","time":"2026-11-21T00:22:11.377Z","user_id":"u1","device_id":"d1","insert_id":"i1",
//!   "session_id":"s1","properties":{},"user_properties":{},"groups":{"company":"acme"}}]}
//! ```
//! `time` is ISO 8601 or milliseconds; `user_properties` plain (= `$set`) or operations; `$identify $alias $merge
//! $reset` are operations, the other id of `$alias` and `$merge` in `properties.alias`. Members that this list
//! does not name become properties, so nothing that was sent is lost.
//!
//! The key comes as Bearer token, Basic user name, query `api_key` or `token`, or body member `api_key`, `token`
//! or `write_key`. `?lane=bulk` sends imports to the bulk lane.
//!
//! Limits: 20 MB decoded, 20,000 events; each event 1 MiB and 64 levels. Invalid events are rejected one by one.

mod decode;
mod read;

pub(crate) use decode::decode;
pub(crate) use read::read;
