//! wip
use crate::json::Doc;
use crate::*;
pub(crate) fn read(_: &Request<'_>) -> Result<Parsed, Refusal> {
    Err(Refusal::new(Dialect::Native, answer::Problem::Method))
}
pub(crate) fn decode(_: &Envelope, _: &Doc) -> Result<Event, DeadReason> {
    Err(DeadReason::new("wip", "wip"))
}
pub(crate) fn decode_identification(e: &Envelope, d: &Doc) -> Result<Event, DeadReason> {
    decode(e, d)
}
pub(crate) fn is_batch(_: &[u8]) -> bool {
    false
}
