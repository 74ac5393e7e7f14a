//! Shapes of the books: the ledger, dead letters, who sent what.
//!
//! Guarantees: instants are ISO-8601 with `Z`; counts are exact unless a field says otherwise.
//! Deliberately not here: arithmetic.
#![allow(missing_docs, reason = "the fields are the wire format; meanings stand in the type's comment")]

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What was acknowledged and what became of it:
/// `acknowledged = visible + duplicate + filtered + dead + pending`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct IdentityBody {
    pub acknowledged: u64,
    pub visible: u64,
    pub duplicate: u64,
    pub filtered: u64,
    pub dead: u64,
    pub pending: u64,
    /// False if the books of the instance do not add up to its log.
    pub balanced: bool,
    /// False if the backlog was too long to be read, so that `pending` of one project is a lower bound.
    pub pending_exact: bool,
}

/// One partition of one lane. `watermark`: everything received up to then is processed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct LaneBody {
    pub lane: String,
    pub partition: u16,
    pub start: u64,
    pub end: u64,
    pub cursor: u64,
    pub pending: u64,
    pub watermark: Option<String>,
}

/// Records by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct TallyBody {
    pub visible: u64,
    pub duplicate: u64,
    pub filtered: u64,
    pub dead: u64,
    pub control: u64,
    pub hole: u64,
}

/// A row of the ledger; the tally is the project's part. `status`: `accounted`, `skipped`, `lost`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct IntervalBody {
    pub lane: String,
    pub partition: u16,
    pub from: u64,
    pub to: u64,
    pub received_from: String,
    pub received_to: String,
    pub status: String,
    pub tally: TallyBody,
    pub fingerprint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A range of the log that could not be read.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct GapBody {
    pub lane: String,
    pub partition: u16,
    pub from: u64,
    pub to: u64,
    pub cause: String,
    pub evidence: String,
}

/// The books of a project. `complete_through`: everything received up to then is counted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct LedgerBody {
    pub log: Option<String>,
    pub commit: u64,
    pub as_of: String,
    pub complete_through: Option<String>,
    pub identity: IdentityBody,
    pub lanes: Vec<LaneBody>,
    /// Newest rows at the end; at most 2,000 unless a span is given.
    pub intervals: Vec<IntervalBody>,
    pub intervals_left_out: u64,
    pub gaps: Vec<GapBody>,
    /// Intervals passed by on purpose, whatever the span; they count as pending until they are replayed.
    pub skipped: Vec<SkippedBody>,
    /// Accounts that were replaced (replay, reprocess, redrive, erasure), newest first; at most 200.
    pub restatements: Vec<RestatementBody>,
    /// Events that never became records, beside the identity.
    pub held_back: HeldBackBody,
    /// Duplicates that say something else than their originals; `null` if the auditor's notes cannot be read.
    pub conflicts: Option<ConflictsBody>,
    /// The same over all projects; for people and admin keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<IdentityBody>,
}

/// Records with the insert id of another event. The first one counts; these are among the duplicates of the identity.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ConflictsBody {
    pub total: u64,
    /// By hour of receipt, newest first; at most 200.
    pub hours: Vec<ConflictHourBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ConflictHourBody {
    pub hour: String,
    pub count: u64,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReasonBody {
    pub code: String,
    pub message: String,
}

/// A record that could not be stored, with the bytes that were sent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DeadLetterBody {
    pub lane: String,
    pub partition: u16,
    pub offset: u64,
    /// `lane/partition@offset`, as redrive takes it.
    pub position: String,
    pub received_at: String,
    pub reason: ReasonBody,
    /// Protocol of `body`, such as `native_v1`.
    pub wire: String,
    pub body: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DeadLettersBody {
    pub dead: Vec<DeadLetterBody>,
    pub next: Option<String>,
}

/// A range of offsets `[from, to)` of one partition of one lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RangeBody {
    pub lane: String,
    #[serde(default)]
    pub partition: u16,
    pub from: u64,
    pub to: u64,
}

/// An interval that was passed by on purpose.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SkippedBody {
    pub lane: String,
    pub partition: u16,
    pub from: u64,
    pub to: u64,
    pub received_from: String,
    pub received_to: String,
    pub by: String,
    pub reason: String,
}

/// An account that was replaced. `origin`: `replay`, `reprocess`, `live` (a redrive), `compaction` (an erasure),
/// `repair`; `was` is null where the records had been skipped. Tallies are the project's part.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RestatementBody {
    pub commit: u64,
    pub at: String,
    pub origin: String,
    pub job: Option<i64>,
    pub lane: String,
    pub partition: u16,
    pub from: u64,
    pub to: u64,
    pub records: u64,
    pub was: Option<TallyBody>,
    pub now: TallyBody,
}

/// Events that were refused (the sender knows) or throttled, by hour and reason.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct HeldBackBody {
    /// False if they could not be read; the counts are 0 then.
    pub known: bool,
    pub throttled: u64,
    pub refused: u64,
    pub rows: Vec<HeldBackRowBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct HeldBackRowBody {
    pub hour: String,
    /// `throttled` or `refused`.
    pub kind: String,
    pub reason: String,
    pub count: u64,
}

/// A dead letter to decide again with other bytes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedriveItem {
    /// `lane/partition@offset`.
    pub position: String,
    /// The mended event: a JSON value, or its text. Left out: the bytes as they were sent.
    pub body: Option<serde_json::Value>,
    /// Protocol of `body` if it differs from the letter's.
    #[schema(value_type = Option<String>)]
    pub wire: Option<tallymark_model::WireFormat>,
}

/// Letters to mend: either one by one, or all with a reason, by a mapping or as they are. A mapping names fields of
/// the letter (`time`, `properties.price`) with the CEL expression of their new value, which sees the letter's fields
/// as `row` and those that are numbers as `num`; `null` takes a field out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedriveBody {
    #[serde(default)]
    pub items: Vec<RedriveItem>,
    #[serde(default)]
    #[schema(value_type = Object)]
    pub mapping: std::collections::BTreeMap<String, String>,
    /// All letters with this reason code, instead of `items`.
    pub reason: Option<String>,
    /// At most this many letters, default 1,000.
    pub limit: Option<usize>,
    /// Letters that belong to no project (under `/operations`): whose they are from now on, by id or name.
    pub project: Option<String>,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of each letter. `error` says why it was not redriven.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RedrivenBody {
    pub dry_run: bool,
    pub redriven: u64,
    pub refused: u64,
    pub letters: Vec<RedrivenLetterBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RedrivenLetterBody {
    pub position: String,
    /// Name of the mended event.
    pub event: Option<String>,
    pub body: Option<String>,
    pub error: Option<String>,
}

/// What became of one record, who decided it, and by which rule since when. `outcome`: `visible`, `duplicate`,
/// `filtered`, `dead`, `control`, `hole`, `pending`, `skipped`, `lost`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OutcomeBody {
    pub position: String,
    pub outcome: String,
    pub received_at: Option<String>,
    pub event: Option<String>,
    pub insert_id: Option<String>,
    /// Position of the visible event, for duplicates.
    pub witness: Option<String>,
    /// Why it is dead, or was skipped.
    pub reason: Option<ReasonBody>,
    pub rule: Option<FilteredByBody>,
    pub commit: Option<u64>,
    pub decided_at: Option<String>,
    /// `live`, `replay`, `reprocess`, …
    pub origin: Option<String>,
    pub decisions: u32,
}

/// The rule that filtered a record, as of the version that decided it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct FilteredByBody {
    pub id: u32,
    pub version: Option<u32>,
    pub name: String,
    pub by: Option<String>,
    pub reason: Option<String>,
    /// When this version was made.
    pub made_at: Option<String>,
    /// From which position of this shard on it is in force.
    pub since: Option<String>,
    pub enabled: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OutcomesBody {
    pub outcomes: Vec<OutcomeBody>,
}

/// Who is affected by a range: its equation, and who sent the records that the log still holds.
/// `offsets = visible + duplicate + filtered + dead + control + hole + skipped + lost + pending`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct LossReportBody {
    pub lane: String,
    pub partition: u16,
    pub from: u64,
    pub to: u64,
    pub equation: RangeEquationBody,
    pub received_from: Option<String>,
    pub received_to: Option<String>,
    pub gaps: Vec<GapBody>,
    pub senders: Vec<SenderBody>,
    /// Event records that were read from the log for `senders`.
    pub events_read: u64,
    /// Offsets the log no longer holds, or too many to read.
    pub offsets_unread: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct RangeEquationBody {
    pub offsets: u64,
    pub visible: u64,
    pub duplicate: u64,
    pub filtered: u64,
    pub dead: u64,
    pub control: u64,
    pub hole: u64,
    pub skipped: u64,
    pub lost: u64,
    pub pending: u64,
    pub balanced: bool,
}

/// Events of one key within one minute. `key` is null if the key was unknown; `receipts` name positions, as
/// `GET /api/v1/receipts/{receipt}` takes them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SenderBody {
    pub project: Option<String>,
    pub project_name: Option<String>,
    pub key: Option<String>,
    pub key_name: Option<String>,
    pub token: String,
    pub wire: String,
    pub minute: String,
    pub events: u64,
    pub requests: u64,
    pub receipts: Vec<String>,
}

/// Who sent what: events of a project by lane and hour, and by key as far as the log still holds them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AccountingBody {
    pub hours: Vec<AccountingHourBody>,
    pub senders: Vec<SenderBody>,
    pub events_read: u64,
    pub offsets_unread: u64,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AccountingHourBody {
    pub hour: String,
    pub lane: String,
    pub tally: TallyBody,
}
