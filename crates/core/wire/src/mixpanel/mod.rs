//! Mixpanel: events, imports, and changes of persons and groups.
//!
//! Sources: mixpanel (Python) 5.4.1, mixpanel (Node) 0.24.0 and mixpanel-browser 2.83.0 as observed; Mixpanel's documentation.
//!
//! | path | body | lane | limit |
//! |---|---|---|---|
//! | `/track` | an event or a list of events | live | 2000, 6 MB |
//! | `/import` | the same, or one event per line | bulk | 2000, 10 MB |
//! | `/engage` | an item or a list of items: changes of a person | live | 2000, 6 MB |
//! | `/groups` | the same for a group | live | 2000, 6 MB |
//!
//! Each as JSON, as a form with `data` (JSON or base64, whose `+` a form took away), or as `GET ?data=`.
//! `/track` and `/engage` are PostHog's too (see `is_track`, `is_engage`).
//! The key: `properties.token` (items: `$token`), which must agree in all of them; without one, Basic user name
//! (as Mixpanel documents for its project token), else Bearer token, query `token` or `api_key`, form `api_key`.
//!
//! | asked by | answer | error |
//! |---|---|---|
//! | nothing, or `verbose=0` | `1` | `0` |
//! | `verbose=1` | `{"status":1,"error":null}` | the same with 0 and the reason |
//! | `img=1` | a GIF | JSON |
//! | `/import` with a JSON body | `{"code":200,"num_records_imported":n,"status":"OK"}` | `code`, `error`, `status` |
//!
//! `/import` checks `time`, `$insert_id` and `distinct_id` of each event unless `strict=0` or a form asks: faulty
//! events are named in `failed_records` of a 400, the others are taken. Elsewhere a fault of one event among
//! others makes it a dead letter, and a lone faulty event is answered 400.
//!
//! | wire | event |
//! |---|---|
//! | `distinct_id` after `$device:`, or equal to `$device_id` | device |
//! | any other `distinct_id`, `$user_id` | user |
//! | `$identify` | user = `$identified_id`, device = `$anon_id` or `$anon_distinct_id` |
//! | `$create_alias` | `alias` is one more id of `distinct_id`; of a generated one, the other way round |
//! | `$merge` | the two `$distinct_ids` become one person |
//! | `time` | seconds, or milliseconds above 1e11, as sent |
//! | `$insert_id` | insert id |
//! | `$amount` | property `revenue` too, unless there is one |
//! | `/engage` | `$identify` with `$set`, `$set_once`, `$add`, `$append`, `$union`, `$remove`, `$unset`; `$delete` clears |
//! | `/groups` | `$groupidentify` of group type `$group_key`, the same operations |
//!
//! Differences: old events are taken by `/track` too; two events with one `$insert_id` count once even if their
//! names differ; a group is what `/groups` names, events do not join it by a property; the sender's address is
//! kept only with `ip=1`; `redirect` and `callback` are ignored.

mod event;
mod ids;
mod profile;
mod read;
pub mod settings;

pub(crate) use event::decode as decode_event;
pub(crate) use profile::decode as decode_profile;
pub(crate) use read::{is_engage, is_track, read};
