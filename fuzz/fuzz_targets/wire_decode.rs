//! One envelope with arbitrary bytes, as a damaged or old log could hold it: the first byte chooses the format.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use tallymark_model::{Envelope, Lane, RequestContext, WireFormat};
use tallymark_wire::{decode, token_of};

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let Some(wire) = WireFormat::from_u8(choice % 6 + 1) else { return };
    let call = ["engage", "groupidentify", "track", "alias", "group"]
        .get(usize::from(choice / 6))
        .map(|c| (*c).to_owned());
    let context =
        RequestContext { sent_at: Some(i64::from(*choice) << 40), call, ..RequestContext::default() };
    let envelope = Envelope {
        token: token_of("key-1"),
        wire,
        lane: Lane::Live,
        key: String::new(),
        received_at: 1_795_220_540_000,
        context: Arc::new(context),
        body: Bytes::copy_from_slice(body),
    };
    if let Err(reason) = decode(&envelope) {
        assert!(!reason.code.is_empty() && !reason.message.is_empty());
    }
});
