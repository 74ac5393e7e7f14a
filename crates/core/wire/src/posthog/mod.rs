//! PostHog: v0 and v1 capture, and the empty answers of its flags and configuration endpoints.
//!
//! Sources: posthog (Python) 7.91.1, posthog-node 5.70.0, posthog-js 1.60 to 1.434 as observed; the sources of
//! PostHog's capture service and ingestion.
//!
//! | path | body | limits |
//! |---|---|---|
//! | `/e`, `/i/v0/e`, `/i/v0/ai/batch`, `/capture`, `/track` | one event, a list of events, or a batch object; `GET ?data=` too | 6 MB |
//! | `/batch` | `{api_key, batch, historical_migration?, sent_at?}` | 20 MB |
//! | `/engage` | an event without a name: changes of a person | 6 MB |
//! | `/i/v1/analytics/events` | `{batch, created_at, historical_migration?}`; see `v1` | 20 MB |
//! | `/s` | session recordings: counted as refused, not stored | 20 MB |
//!
//! The key: `api_key` or `token` of the batch, else of the form, query or header, else of each event
//! (`token`, `api_key`, `$token`, `properties.token`), which must then agree (401).
//!
//! A lone event without name or distinct id is answered 400. Within a batch such an event is taken and
//! becomes a dead letter with its reason: the SDKs would throw its neighbours away together with it.
//! A session recording (`$snapshot`), wherever it comes, is not stored: it is counted as refused, and the answer asks
//! for a pause (`quota_limited`). It costs neither log nor state.
//!
//! | wire | event |
//! |---|---|
//! | `$identify` | user = `distinct_id`, device = `$anon_distinct_id` |
//! | anonymous (see `identity`) | device = `distinct_id` |
//! | everything else | user = `distinct_id`, device = `$device_id` |
//! | `$create_alias`, `$merge_dangerously` | alias or merge of `properties.alias` into the user |
//! | `$groupidentify` | changes of a group, and nobody's event: SDKs invent a `distinct_id` for it |
//! | `$set`, `$set_once`, `$unset` at the top or in `properties` | changes of the person |
//! | `uuid` | insert id. `$insert_id` is not: new SDKs send it beside `uuid` with another meaning |

mod decode;
pub mod flags;
mod identity;
mod read;
mod v1;

pub(crate) use decode::decode;
pub use read::RECORDING;
pub(crate) use read::read;
pub(crate) use v1::read as read_v1;
