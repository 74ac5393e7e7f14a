//! A message of Segment's or RudderStack's archive: one per line, as it was sent, with `receivedAt` and `timestamp`.
//!
//! `timestamp` is the corrected time where there is an `originalTimestamp` beside it.

use super::{millis, native};
use serde_json::{Map, Value};
use tallymark_model::WireFormat;

/// The event of a message.
pub(super) fn event(mut row: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let read = |row: &Map<String, Value>, field: &str| row.get(field).and_then(millis);
    let (original, sent) = (read(&row, "originalTimestamp"), read(&row, "sentAt"));
    let time = match (read(&row, "timestamp"), original, sent, read(&row, "receivedAt")) {
        (Some(time), _, _, _) => Some(time),
        (None, Some(original), Some(sent), Some(received)) => Some(received - (sent - original)),
        (None, original, _, received) => original.or(received),
    };
    let time = time.ok_or("timestamp: missing, or not a time")?;
    for field in ["timestamp", "originalTimestamp", "sentAt", "receivedAt", "request_ip", "rudderId"] {
        row.shift_remove(field);
    }
    // Written beside it in files of other destinations.
    row.retain(|_, value| !value.is_null());
    let decoded = native::decoded(WireFormat::SegmentV1, &row)?;
    Ok(native::encoded(decoded, Some(time)))
}
