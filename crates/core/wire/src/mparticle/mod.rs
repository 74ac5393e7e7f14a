//! mParticle: its Events API, its browser SDK, and batches that it forwards.
//!
//! Sources: mparticle (Python) 0.16.1 and @mparticle/web-sdk 2.68.0 as observed; mParticle's Events API documentation.
//!
//! | path | body | lane | limits |
//! |---|---|---|---|
//! | `/v2/events` | one batch | live | 6 MB |
//! | `/v2/bulkevents` | a list of batches | bulk | 20 MB, 100 batches |
//! | `/v3/JS/{key}/events`, `/webevents/v3/JS/{key}/events` | one batch of the browser SDK | live | 6 MB |
//! | `/webhooks/mparticle` | a batch or a list, as mParticle forwards them | bulk | 20 MB, 100 batches |
//!
//! The key: Basic user name (the secret is not looked at), Bearer token, the path, query `key`, `api_key` of the batch.
//! Success is 202 without a body; errors are `{"errors":[{code, message}]}`.
//!
//! | batch | event |
//! |---|---|
//! | `user_identities.customerid` (`customer_id`; also as a list of `identity_type`, `identity`) | user id |
//! | `mp_deviceid`, else `mpid` | device id |
//! | `user_attributes`, `deleted_user_attributes`, other identities | one `$identify` per batch: `$set`, `$unset`; an attribute without a value (a tag) is set to true |
//! | `device_info`, `application_info` and the rest | properties under their path |
//! | `data.source_message_id`, else `data.event_id`, else `source_request_id` or `message_id` of the batch and the event's place in it | insert id |
//!
//! | event_type | name |
//! |---|---|
//! | `custom_event` | its `event_name` |
//! | `screen_view` | its `screen_name` |
//! | `commerce_event` | the `action`; `purchase` and `refund` have `revenue` (a refund a negative one) |
//! | `user_attribute_change` | `$set`: sets or removes the attribute |
//! | every other one | the type itself |
//!
//! Times are taken as sent. An event that cannot be used becomes a dead letter with its reason; a request without any
//! usable event is answered 400.

mod decode;
pub mod identity;
mod read;
pub mod settings;

pub(crate) use decode::decode;
pub(crate) use read::read;
