//! The encoding of records: round trips, and hostile bytes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;
use tallymark_log::record::{Decoder, encode};
use tallymark_model::{
    Control, Envelope, Lane, Millis, ProjectToken, Record, RequestContext, Shard, WireFormat,
};

fn context() -> impl Strategy<Value = Arc<RequestContext>> {
    let text = || proptest::option::of(".{0,20}");
    (
        proptest::option::of(any::<Millis>()),
        text(),
        text(),
        proptest::option::of(any::<u32>()),
        text(),
        text(),
    )
        .prop_map(|(sent_at, ip, user_agent, min_id_length, call, shared)| {
            Arc::new(RequestContext { sent_at, ip, user_agent, min_id_length, call, shared })
        })
}

fn record() -> impl Strategy<Value = (Vec<Arc<RequestContext>>, Vec<(u16, Record)>)> {
    proptest::collection::vec(context(), 1..12).prop_flat_map(|contexts| {
        let shared = contexts.clone();
        let event = (
            any::<[u8; 16]>(),
            1u8..=6,
            0..contexts.len(),
            ".{0,30}",
            any::<Millis>(),
            proptest::collection::vec(any::<u8>(), 0..300),
            any::<bool>(),
        )
            .prop_map(move |(token, wire, context, key, received_at, body, copied)| {
                let context = &shared[context];
                // Equal contexts need not be one allocation.
                let context = if copied { Arc::new(context.as_ref().clone()) } else { Arc::clone(context) };
                Record::Event(Envelope {
                    token: ProjectToken(token),
                    wire: WireFormat::from_u8(wire).unwrap(),
                    lane: Lane::Bulk,
                    key,
                    received_at,
                    context,
                    body: body.into(),
                })
            });
        let control = (".{0,40}", any::<Millis>(), any::<u64>(), ".{0,40}").prop_map(
            |(token, minute, count, reason)| {
                let shard = Shard { lane: Lane::Bulk, partition: 0 };
                Record::Control { shard, control: Control::Refused { token, minute, count, reason } }
            },
        );
        let records = proptest::collection::vec((0u16..5, prop_oneof![8 => event, 1 => control]), 0..40);
        // A control record says itself in which partition it stands.
        let records = records.prop_map(|mut records| {
            for (p, record) in &mut records {
                if let Record::Control { shard, .. } = record {
                    shard.partition = *p;
                }
            }
            records
        });
        (Just(contexts), records)
    })
}

fn bytes_of(records: &[(u16, Record)]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out, records.iter().map(|(p, r)| (*p, r)));
    out
}

fn decode_all(bytes: Vec<u8>) -> Option<Vec<(u16, Option<Record>)>> {
    let mut decoder = Decoder::new(Bytes::from(bytes), Lane::Bulk).ok()?;
    let mut records = Vec::new();
    while let Some(next) = decoder.next_if(|_| true).ok()? {
        records.push(next);
    }
    Some(records)
}

proptest! {
    #[test]
    fn what_is_encoded_comes_back((_, records) in record()) {
        let decoded = decode_all(bytes_of(&records)).unwrap();
        let expected: Vec<_> = records.into_iter().map(|(p, r)| (p, Some(r))).collect();
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn one_partition_can_be_read_alone((_, records) in record(), partition in 0u16..5) {
        let mut decoder = Decoder::new(Bytes::from(bytes_of(&records)), Lane::Bulk).unwrap();
        let mut mine = Vec::new();
        while let Some((p, record)) = decoder.next_if(|p| p == partition).unwrap() {
            prop_assert_eq!(p == partition, record.is_some());
            mine.extend(record);
        }
        let expected: Vec<Record> = records.into_iter().filter(|(p, _)| *p == partition).map(|(_, r)| r).collect();
        prop_assert_eq!(mine, expected);
    }

    #[test]
    fn mutated_bytes_never_panic((_, records) in record(), changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6), cut in any::<usize>()) {
        let mut bytes = bytes_of(&records);
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(1 + cut % bytes.len());
        // Whatever comes out came from these bytes: no more records than bytes.
        prop_assert!(decode_all(bytes.clone()).is_none_or(|records| records.len() <= bytes.len()));
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_all(bytes.clone());
        if let Some(first) = bytes.first_mut() {
            *first = tallymark_log::record::VERSION;
        }
        prop_assert!(decode_all(bytes.clone()).is_none_or(|records| records.len() <= bytes.len()));
    }
}

#[test]
fn a_context_is_written_once_for_all_its_events() {
    let context =
        Arc::new(RequestContext { user_agent: Some("long ".repeat(100)), ..RequestContext::default() });
    let event = |n: usize| {
        Record::Event(Envelope {
            token: ProjectToken([0; 16]),
            wire: WireFormat::NativeV1,
            lane: Lane::Bulk,
            key: n.to_string(),
            received_at: 1,
            context: Arc::clone(&context),
            body: Bytes::from_static(b"{}"),
        })
    };
    let records: Vec<(u16, Record)> = (0..100).map(|n| (0, event(n))).collect();
    let bytes = bytes_of(&records);
    assert!(bytes.len() < 500 + 100 * 30, "{} bytes", bytes.len());
    let Record::Event(first) = decode_all(bytes).unwrap()[99].1.clone().unwrap() else { panic!() };
    assert_eq!(first.context, context);
}

/// Bytes written by the first version. A later version must still read them: never change this fixture.
#[test]
fn the_first_version_stays_readable() {
    let hex = concat!(
        "01010e7b2273656e745f6174223a31327d0202180103030303030303030303030303030303010014016b7b7d01",
        "3f027b226b696e64223a2272656675736564222c22746f6b656e223a22222c226d696e757465223a302c22636f",
        "756e74223a312c22726561736f6e223a22227d",
    );
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
    let records = decode_all(bytes).unwrap();
    let event = Record::Event(Envelope {
        token: ProjectToken([3; 16]),
        wire: WireFormat::NativeV1,
        lane: Lane::Bulk,
        key: "k".to_owned(),
        received_at: 10,
        context: Arc::new(RequestContext { sent_at: Some(12), ..RequestContext::default() }),
        body: Bytes::from_static(b"{}"),
    });
    let control = Control::Refused { token: String::new(), minute: 0, count: 1, reason: String::new() };
    assert_eq!(
        records,
        [
            (2, Some(event)),
            (1, Some(Record::Control { shard: Shard { lane: Lane::Bulk, partition: 1 }, control }))
        ]
    );
}
