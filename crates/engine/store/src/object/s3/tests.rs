//! What the store does when the remote one fails, refuses or answers in pieces.

use super::fake::Fake;
use crate::StoreError;
use crate::object::{ObjectStore, open_with};
use axum::http::StatusCode;
use bytes::Bytes;

fn store(address: &str, prefix: &str) -> ObjectStore {
    let keys = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let variables: Vec<_> = keys.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    open_with(&format!("s3://bucket{prefix}?endpoint={address}"), &variables).unwrap()
}

// The server of the test runs on other threads than the one that waits for a size.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_behaves_like_every_other_backend() {
    let (fake, address) = Fake::start().await;
    super::super::tests::behaviour(&store(&address, "/below/this")).await;
    fake.with(|inner| assert!(inner.objects.keys().all(|key| key.starts_with("below/this/a/"))));
    fake.with(|inner| inner.objects.clear());
    super::super::tests::behaviour(&store(&address, "")).await;
}

#[tokio::test]
async fn lists_that_come_in_pages_are_whole_and_end_at_their_prefix() {
    let (fake, address) = Fake::start().await;
    let store = store(&address, "/p");
    for n in 0..7 {
        store.put(&format!("a/{n}"), Bytes::from_static(b"x")).await.unwrap();
    }
    store.put("ab/other", Bytes::new()).await.unwrap();
    fake.with(|inner| inner.objects.insert("p2/a/foreign".to_owned(), Bytes::new()));
    let keys: Vec<String> = store.list("a").await.unwrap().into_iter().map(|o| o.key).collect();
    assert_eq!(keys, (0..7).map(|n| format!("a/{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_large_goes_in_parts_and_a_part_that_fails_leaves_nothing() {
    let (fake, address) = Fake::start().await;
    let store = store(&address, "");
    let large: Bytes = (0..(super::WHOLE_MAX + 1_000_003)).map(|i| (i / 7) as u8).collect();
    store.put("large", large.clone()).await.unwrap();
    assert_eq!(store.get("large").await.unwrap(), large);
    fake.with(|inner| assert_eq!(inner.asked.iter().filter(|a| *a == "PUT large").count(), 3));

    fake.with(|inner| {
        inner.always = Some(|_, query| {
            let third = query.get("partNumber").is_some_and(|n| n == "3");
            third.then_some((StatusCode::BAD_REQUEST, "BadDigest"))
        });
    });
    let error = store.put("other", large).await.unwrap_err();
    assert!(error.to_string().contains("as the test says"), "{error}");
    fake.with(|inner| {
        assert!(inner.uploads.is_empty(), "its parts are given up");
        assert!(!inner.objects.contains_key("other"));
    });
}

#[tokio::test]
async fn a_failing_store_is_tried_again_but_not_for_ever() {
    let (fake, address) = Fake::start().await;
    let store = store(&address, "");
    fake.with(|inner| inner.failures = vec![(StatusCode::SERVICE_UNAVAILABLE, "SlowDown"); 3]);
    store.put("key", Bytes::from_static(b"x")).await.unwrap();
    fake.with(|inner| inner.failures = vec![(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"); 2]);
    assert!(store.put_new("new", Bytes::from_static(b"x")).await.unwrap());

    fake.with(|inner| {
        inner.asked.clear();
        inner.always = Some(|_, _| Some((StatusCode::SERVICE_UNAVAILABLE, "SlowDown")));
    });
    let error = store.get("key").await.unwrap_err();
    assert!(error.retryable() && error.to_string().contains("the bucket `bucket`"), "{error}");
    fake.with(|inner| assert_eq!(inner.asked.len(), 7));

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let error = self::store(&address, "").get("key").await.unwrap_err();
    assert!(error.retryable() && error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_a_missing_bucket_is_not_a_missing_object() {
    let (fake, address) = Fake::start().await;
    let store = store(&address, "");
    let cases: [(fn() -> (StatusCode, &'static str), &str); 4] = [
        (|| (StatusCode::FORBIDDEN, "AccessDenied"), "s3:PutObject"),
        (|| (StatusCode::NOT_FOUND, "NoSuchBucket"), "create the bucket"),
        (|| (StatusCode::FORBIDDEN, "InvalidAccessKeyId"), "AWS_ACCESS_KEY_ID"),
        (|| (StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed"), "AWS_REGION"),
    ];
    for (failure, advice) in cases {
        for operation in ["put", "put_new", "get", "list", "delete"] {
            fake.with(|inner| inner.failures = vec![failure()]);
            let error = match operation {
                "put" => store.put("a/b", Bytes::new()).await.map(|_| ()),
                "put_new" => store.put_new("a/b", Bytes::new()).await.map(|_| ()),
                "get" => store.get("a/b").await.map(|_| ()),
                "list" => store.list("a").await.map(|_| ()),
                _ => store.delete("a/b").await,
            }
            .unwrap_err();
            assert!(matches!(error, StoreError::Refused { .. }), "{operation}: {error:?}");
            assert!(!error.retryable());
            let text = error.to_string();
            assert!(
                text.contains(advice) && text.contains("the bucket `bucket` at http"),
                "{operation}: {text}"
            );
            assert!(!text.contains("secret"), "{text}");
        }
    }
    assert!(matches!(store.get("a/b").await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn a_store_that_does_not_know_conditions_is_told_by_what_it_answers() {
    let (fake, address) = Fake::start().await;
    let store = store(&address, "");
    assert!(store.put_new("key", Bytes::from_static(b"1")).await.unwrap());
    assert!(!store.put_new("key", Bytes::from_static(b"2")).await.unwrap());
    fake.with(|inner| inner.forgetful = true);
    assert!(store.put_new("key", Bytes::from_static(b"2")).await.unwrap(), "who asks twice notices");
}
