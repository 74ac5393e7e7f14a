//! What the collector would say to a row, without asking it: the same code reads it.

use std::sync::Arc;
use tallymark_model::{Envelope, Lane, ProjectToken, RequestContext, WireFormat};

/// Why the collector would refuse this event, if it would.
pub(crate) fn check(event: &[u8]) -> Option<String> {
    let envelope = Envelope {
        token: ProjectToken([0; 16]),
        wire: WireFormat::NativeV1,
        lane: Lane::Bulk,
        key: String::new(),
        received_at: 0,
        context: Arc::new(RequestContext::default()),
        body: event.to_vec().into(),
    };
    let dead = tallymark_wire::decode(&envelope).err()?;
    Some(format!("{}: {}", dead.code, dead.message))
}
