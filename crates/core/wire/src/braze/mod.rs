//! Braze: Currents to a custom HTTP endpoint, and the `/users/track` calls that products send to Braze.
//!
//! Sources: Braze's documentation of Currents and of `/users/track`.
//!
//! | path | body | lane | limit |
//! |---|---|---|---|
//! | `/webhooks/braze` | `{"events": […]}`, or a list | bulk | 20 MB |
//! | `/users/track` | `{attributes, events, purchases}` | live | 6 MB |
//!
//! The key: Bearer token (Currents' "bearer token", the REST API key of `/users/track`), Basic user name, query `key`.
//!
//! | Currents | event |
//! |---|---|
//! | `users.behaviors.CustomEvent` | `properties.name`, with `custom_properties` as properties |
//! | every other `event_type` | the type itself: `users.messages.email.Open`, `users.behaviors.app.SessionStart` ... |
//! | `users.behaviors.Purchase` | also `revenue` = `price` x `quantity` |
//! | `properties` | properties under their names: campaign, canvas, message variation, dispatch ... |
//! | `user.external_user_id` | user id |
//! | `user.device_id`, else Braze's own `user.user_id` | device id |
//! | `id` | insert id: Currents delivers at least once |
//! | `time` | seconds since 1970, as sent |
//!
//! | `/users/track` | event |
//! |---|---|
//! | an item of `attributes` | `$identify`: `$set`; null removes; `inc`, `add`, `remove` as Braze means them |
//! | an item of `events` | its name and properties |
//! | an item of `purchases` | `users.behaviors.Purchase` with `revenue` |
//! | `external_id`; else `braze_id` or `user_alias` | user id; device id |
//!
//! `/users/track` knows no insert ids: what is sent twice counts twice, as it does there. An item that cannot be used
//! becomes a dead letter with its reason.

mod decode;
mod read;
mod track;

pub(crate) use decode::decode;
pub(crate) use read::read;
