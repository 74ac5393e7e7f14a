//! Shapes of answers, for the handlers that make them and for the API description of those that pass them on.
//!
//! Guarantees: what a handler makes itself is made of these types; the shapes that the query engine makes are
//! written down here too, because clients take their types from the description.
//! Deliberately not here: query objects (their language is described in the documents).
#![allow(missing_docs, reason = "the fields are the wire format; meanings stand in the type's comment")]

mod books;
mod operations;
mod rules;

pub(crate) use books::*;
pub(crate) use operations::*;
pub(crate) use rules::*;

use serde::{Deserialize, Serialize};
use tallymark_model::Properties;
use utoipa::ToSchema;

/// Every error.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ErrorBody {
    pub error: ErrorDetail,
}

/// What is wrong, where, what to do, and where to read more.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ErrorDetail {
    pub code: String,
    pub message: String,
    pub hint: String,
    pub docs: String,
}

/// Who is logged in. `csrf` goes into the header `x-csrf-token` of writes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SessionBody {
    pub user: Option<UserBody>,
    pub setup_required: bool,
    pub csrf: Option<String>,
    pub demo: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct UserBody {
    pub email: String,
    pub name: String,
}

/// A project. Instants are ISO-8601 with `Z`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProjectBody {
    pub id: String,
    pub name: String,
    pub timezone: String,
    pub week_start: String,
    pub write_key: String,
    pub created_at: String,
    /// Further settings such as `identity` and `inactive_events`.
    #[serde(default, skip_serializing_if = "Properties::is_empty")]
    #[schema(value_type = Object)]
    pub settings: Properties,
    /// Only in the answer to its creation; it is not shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProjectsBody {
    pub projects: Vec<ProjectBody>,
}

/// A key. `value` is shown once for secret and admin keys, always for write keys.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct KeyBody {
    pub id: String,
    pub kind: String,
    pub name: String,
    pub prefix: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    pub created_at: String,
    pub revoked_at: Option<String>,
    pub last_used_at: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct KeysBody {
    pub keys: Vec<KeyBody>,
}

/// One stored event. `seq` orders the events of an instance; `person` is null if no usable id came with it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct EventBody {
    pub event: String,
    pub time: String,
    pub seq: String,
    pub person: Option<String>,
    pub user_id: Option<String>,
    pub device_id: Option<String>,
    pub session_id: Option<String>,
    pub insert_id: Option<String>,
    #[schema(value_type = Object)]
    pub properties: Properties,
    #[schema(value_type = Object)]
    pub groups: Properties,
    pub received_at: String,
    pub annotations: Vec<String>,
}

/// A page of events; `next` is the `cursor` of the following page.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct EventsBody {
    pub events: Vec<EventBody>,
    pub next: Option<String>,
}

/// A person with all ids that belong to them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PersonBody {
    pub person: String,
    pub user_ids: Vec<String>,
    pub device_ids: Vec<String>,
    #[schema(value_type = Object)]
    pub properties: Properties,
    pub first_seen: Option<String>,
    pub last_seen: Option<String>,
    pub events: u64,
    /// How the ids came together; only when one person is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merges: Option<Vec<MergeBody>>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct MergeBody {
    pub at: String,
    pub kind: String,
    pub detail: serde_json::Value,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PersonsBody {
    pub persons: Vec<PersonBody>,
    pub next: Option<String>,
}

/// Names that occur in the project's events.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SchemaBody {
    pub events: Vec<SchemaEventBody>,
    pub properties: Vec<SchemaPropertyBody>,
}

/// `operation`: the name changes identity or properties and is never counted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SchemaEventBody {
    pub name: String,
    pub count: u64,
    pub first_seen: Option<String>,
    pub last_seen: Option<String>,
    pub operation: bool,
}

/// `scope`: `event` or `user`; `types`: `string`, `number`, `boolean`, `list`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SchemaPropertyBody {
    pub name: String,
    pub scope: String,
    pub types: Vec<String>,
    pub count: u64,
    pub examples: Vec<serde_json::Value>,
    pub events: Vec<String>,
}

/// What became of the events of one request.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReceiptBody {
    pub positions: u64,
    pub outcomes: ReceiptOutcomes,
    pub durable: bool,
    /// True once nothing is pending.
    pub visible: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReceiptOutcomes {
    pub visible: u64,
    pub duplicate: u64,
    pub filtered: u64,
    pub dead: u64,
    pub pending: u64,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusBody {
    pub components: Vec<crate::Component>,
    pub commit: u64,
    pub version: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AuditBody {
    pub entries: Vec<AuditEntryBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AuditEntryBody {
    pub at: String,
    pub actor: String,
    pub action: String,
    pub subject: String,
}

/// Events to append. Members that are not named here become properties.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NewEventsBody {
    pub events: Vec<NewEventBody>,
}

/// `time` is ISO-8601 or milliseconds, default now; `insert_id` makes resending harmless; `user_properties` is an
/// object to set, or operations such as `{"$add":{"logins":1}}`. `$identify`, `$alias`, `$merge` and `$reset` are
/// operations; `$alias` and `$merge` carry the other id in `properties.alias`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NewEventBody {
    pub event: String,
    pub time: Option<serde_json::Value>,
    pub user_id: Option<String>,
    pub device_id: Option<String>,
    pub insert_id: Option<String>,
    pub session_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub properties: Option<Properties>,
    #[schema(value_type = Option<Object>)]
    pub user_properties: Option<Properties>,
    #[schema(value_type = Option<Object>)]
    pub groups: Option<Properties>,
    /// Changes of the properties of every group of the event, as in `user_properties`.
    #[schema(value_type = Option<Object>)]
    pub group_properties: Option<Properties>,
}

/// What was made durable. Valid events are kept although others beside them are not. `durable` and `visible` are
/// told with `?wait=visible`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AcceptedBody {
    pub accepted: u64,
    pub rejected: Vec<RejectedBody>,
    pub receipt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible: Option<bool>,
}

/// An event that was not taken.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RejectedBody {
    pub index: u64,
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}
