//! Heap: its server API, and the pixel of its browser script.
//!
//! Sources: heapapi (Python) 0.0.3 and heap-api (Node) 1.0.1 as observed; Heap's documentation of its server API.
//! The pixel is written from published samples of requests, not recorded from the script: names that this room
//! does not know become properties, so nothing that was sent is lost.
//!
//! | path | body | lane | limit |
//! |---|---|---|---|
//! | `/api/track` | `{app_id, identity or user_id, event, timestamp?, properties?, idempotency_key?, session_id?}` | live | 6 MB |
//! | `/api/track` | `{app_id, events: [...]}` | bulk | 1000, 6 MB |
//! | `/api/v1/identify` | `{app_id, identity, user_id, timestamp?}` | live | 6 MB |
//! | `/api/add_user_properties` | `{app_id, identity or user_id, properties}`, or `users: [...]` | live | 1000, 6 MB |
//! | `/api/add_account_properties` | `{app_id, account_id, properties}`, or `accounts: [...]` | live | 1000, 6 MB |
//! | `/h` | nothing, or the query as body: see `pixel` | live | 100 events, 64 KB |
//!
//! The key: `app_id` (text or number), else Basic user name or Bearer token; of the pixel, `a`.
//! The answer is 200 with `{}` (the pixel's: a GIF). No SDK of Heap's sends again, so overload is 503 and never
//! 429. A lone faulty item is answered 400; among others it becomes a dead letter.
//!
//! | wire | event |
//! |---|---|
//! | `identity` | user |
//! | `user_id` (made up by the browser script) | device |
//! | `event`, `properties` | name and properties; a list becomes text joined with two bars, at most 1024 characters |
//! | `timestamp` | ISO 8601 or milliseconds, as sent |
//! | `idempotency_key` | insert id |
//! | `session_id` | session |
//! | identify | `$identify`: from now on the device's events are the user's |
//! | add_user_properties | `$identify` with `$set` |
//! | add_account_properties | `$groupidentify` with `$set` of group type `account` |
//!
//! Differences: `identify` may be repeated as often as one likes; an event with both ids is taken (Heap refuses
//! it) and joins them; the address of a server is not kept, that of a browser is.

mod decode;
mod pixel;
mod read;

pub(crate) use decode::decode;
pub(crate) use pixel::decode as decode_pixel;
pub(crate) use read::read;
