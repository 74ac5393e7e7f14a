//! Damaged, torn and foreign files are errors that name the file: never a panic, never other rows.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use model::{CommitId, Epoch, Lane, LogId, Position, ProjectId, SubjectId};
use proptest::prelude::*;
use serde_json::json;
use tallymark_model as model;
use tallymark_store::{
    Encoded, EventRow, ObjectStore, SegmentReader, SegmentSpec, StoreError, encode_events, open,
    verify_segment,
};

fn segment() -> (Encoded, Vec<EventRow>) {
    let rows: Vec<EventRow> = (0..60)
        .map(|i| EventRow {
            position: Position { lane: Lane::Live, partition: (i % 3) as u16, offset: i },
            received_at: i as i64,
            time: i as i64 * 1000,
            event: ["open", "buy"][i as usize % 2].to_owned(),
            subject: SubjectId(i as u32),
            user_id: Some(format!("user {}", i % 7)),
            device_id: None,
            insert_id: Some(format!("id {i}")),
            session_id: None,
            properties: json!({"price": i, "tags": ["x", i]}).as_object().unwrap().clone(),
            groups: vec![("company".to_owned(), "acme".to_owned())],
            annotations: Vec::new(),
        })
        .collect();
    let id = uuid::Uuid::from_u128;
    let spec = SegmentSpec::new(ProjectId(1), LogId(id(1)), CommitId(id(2)), Epoch(3));
    (encode_events(&rows, &spec).unwrap(), rows)
}

fn put(store: &ObjectStore, key: &str, bytes: Vec<u8>) {
    futures::executor::block_on(store.put(key, Bytes::from(bytes))).unwrap();
}

fn read_all(store: &ObjectStore, key: &str) -> Result<Vec<EventRow>, StoreError> {
    SegmentReader::open_key(store, key)?.events().collect()
}

#[test]
fn every_flipped_byte_is_an_error_or_harmless_and_a_scrub_sees_all() {
    let (encoded, rows) = segment();
    for at in 0..encoded.bytes.len() {
        let store = open("memory:").unwrap();
        let mut bytes = encoded.bytes.to_vec();
        bytes[at] ^= 0x10;
        put(&store, &encoded.meta.key, bytes);
        match read_all(&store, &encoded.meta.key) {
            Ok(found) => assert_eq!(found, rows, "byte {at} changed the answer"),
            Err(StoreError::Corrupt { key, .. }) => assert_eq!(key, encoded.meta.key),
            Err(other) => panic!("byte {at}: {other}"),
        }
        let scrubbed = verify_segment(&store, &encoded.meta);
        assert!(
            matches!(scrubbed, Err(StoreError::Corrupt { .. })),
            "the scrub missed byte {at}: {scrubbed:?}"
        );
    }
}

#[test]
fn a_flipped_byte_in_a_page_that_a_single_row_needs_is_an_error() {
    let rows: Vec<EventRow> = (0..7_000u64)
        .map(|i| EventRow {
            position: Position { lane: Lane::Live, partition: 0, offset: i },
            received_at: i as i64,
            time: i as i64 * 1000,
            event: "open".to_owned(),
            subject: SubjectId(i as u32 / 3),
            user_id: Some(format!("user {}", i / 3)),
            device_id: None,
            insert_id: Some(format!("{:x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
            session_id: None,
            properties: json!({"price": i}).as_object().unwrap().clone(),
            groups: Vec::new(),
            annotations: Vec::new(),
        })
        .collect();
    let id = uuid::Uuid::from_u128;
    let spec = SegmentSpec::new(ProjectId(1), LogId(id(1)), CommitId(id(2)), Epoch(3));
    let encoded = encode_events(&rows, &spec).unwrap();
    let mut noticed = 0;
    for at in (0..encoded.bytes.len()).step_by(211) {
        let store = open("memory:").unwrap();
        let mut bytes = encoded.bytes.to_vec();
        bytes[at] ^= 0x10;
        put(&store, &encoded.meta.key, bytes);
        let found =
            SegmentReader::open_key(&store, &encoded.meta.key).and_then(|r| r.event_rows(0, &[4_321]));
        match found {
            Ok(found) => assert_eq!(found, rows[4_321..=4_321], "byte {at} changed the answer"),
            Err(StoreError::Corrupt { .. }) => noticed += 1,
            Err(other) => panic!("byte {at}: {other}"),
        }
        assert!(verify_segment(&store, &encoded.meta).is_err(), "the scrub missed byte {at}");
    }
    // One page of about four, and what says where it is: most of the file does not matter for one row.
    let looked_at = encoded.bytes.len() / 211 + 1;
    assert!(noticed > 0 && noticed < looked_at * 3 / 4, "{noticed} of {looked_at}");
}

#[test]
fn every_torn_file_is_an_error() {
    let (encoded, _) = segment();
    for length in (0..encoded.bytes.len()).step_by(7) {
        let store = open("memory:").unwrap();
        put(&store, "segments/torn", encoded.bytes[..length].to_vec());
        assert!(
            matches!(read_all(&store, "segments/torn"), Err(StoreError::Corrupt { .. })),
            "length {length}"
        );
    }
}

#[test]
fn a_truncated_file_on_disk_is_an_error_even_with_a_cached_footer() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&format!("file:{}", dir.path().display())).unwrap();
    let (encoded, rows) = segment();
    let key = encoded.meta.key.clone();
    put(&store, &key, encoded.bytes.to_vec());
    assert_eq!(read_all(&store, &key).unwrap(), rows);
    std::fs::write(dir.path().join(&key), &encoded.bytes[..100]).unwrap();
    let error = read_all(&store, &key).unwrap_err();
    assert!(error.to_string().contains(&key), "{error}");
    std::fs::remove_file(dir.path().join(&key)).unwrap();
    assert!(matches!(read_all(&store, &key), Err(StoreError::NotFound { .. })));
}

#[test]
fn a_file_that_is_not_the_one_of_the_catalog_is_refused() {
    let store = open("memory:").unwrap();
    let (encoded, _) = segment();
    let mut meta = futures::executor::block_on(encoded.store(&store)).unwrap();
    assert!(SegmentReader::open(&store, &meta).is_ok());
    meta.rows += 1;
    assert!(matches!(SegmentReader::open(&store, &meta), Err(StoreError::Corrupt { .. })));
    assert!(matches!(verify_segment(&store, &meta), Err(StoreError::Corrupt { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..400), dressed in any::<bool>()) {
        if dressed {
            bytes.splice(0..0, *b"PAR1");
            bytes.extend_from_slice(&(bytes.len() as u32 / 2).to_le_bytes());
            bytes.extend_from_slice(b"PAR1");
        }
        let store = open("memory:").unwrap();
        put(&store, "segments/garbage", bytes);
        let refused = matches!(read_all(&store, "segments/garbage"), Err(StoreError::Corrupt { .. }));
        prop_assert!(refused);
    }
}
