//! Segment's tracking API, which RudderStack's SDKs speak too, and the settings their browser SDKs ask for.
//!
//! Sources: segment-analytics-python 2.4.0, @segment/analytics-node 3.1.0, @segment/analytics-next 1.84.3,
//! rudder-sdk-python 2.1.9, rudder-sdk-node 3.0.13, @rudderstack/analytics-js 3.34.1 as observed; Segment's specification.
//!
//! | path | body | lane | limit |
//! |---|---|---|---|
//! | `/v1/batch`, `/v1/b`, `/beacon/v1/batch` | `{batch, writeKey?, sentAt?, context?, integrations?}` | live | 4 MB |
//! | `/v1/import` | the same | bulk | 20 MB |
//! | `/webhooks/segment`, `/webhooks/rudderstack` | one message, a list of them, or a batch, as the partner forwards them | live | 4 MB |
//! | `/v1/track`, `/v1/t` and identify, page, screen, group, alias | one message | live | 4 MB |
//!
//! Segment documents 500 KB, RudderStack's gateway 4000 KB on the same paths; the larger one holds.
//! The key: Basic user name, else `writeKey` of the body, else Bearer token, else query `writeKey`. Of a webhook: Basic
//! user name, Bearer token or query `key`, never the message, which names the partner's own source. What a partner
//! forwards has `receivedAt` and a corrected `timestamp`: it is not corrected again.
//!
//! | message | event |
//! |---|---|
//! | track | its name and properties |
//! | identify | `$identify`; traits are `$set` |
//! | page, screen | `Page Viewed`, `Screen Viewed` with `name` and `category` as properties |
//! | group | `$groupidentify` of group type `group`; traits change the group |
//! | alias | `$alias`: `previousId` becomes one more id of `userId`; of oneself, nothing |
//!
//! `context` becomes properties `context.page.url` and so on; `context.traits` are `$set`, `context.groupId` is a
//! group, `context.sessionId` the session. A batch's `context` stands in for what an item does not say.
//! A lone message that is invalid is answered 400; within a batch it becomes a dead letter.

mod decode;
mod read;
pub mod settings;
pub mod webhook;

pub(crate) use decode::decode;
pub(crate) use read::read;
