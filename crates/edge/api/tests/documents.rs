//! Documents that are made from code: API description, error pages; headers and files of every answer.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use axum::body::Body;
use http::{Request, StatusCode};
use std::collections::BTreeSet;
use std::path::Path;
use tallymark_api::{codes, openapi_document, route_table};
use world::*;

const HINT: &str = "run `cargo run -p tallymark-api --example documents` and commit the result";

#[test]
fn the_committed_description_is_the_one_of_the_code() {
    let committed = include_str!("../openapi.json");
    let current = openapi_document().to_pretty_json().unwrap() + "\n";
    assert!(committed == current, "openapi.json is out of date: {HINT}");
    let errors = include_str!("../../../../docs/errors.md");
    assert!(errors == codes::markdown(), "docs/errors.md is out of date: {HINT}");
}

#[test]
fn the_description_and_the_route_table_name_the_same_operations() {
    let document: serde_json::Value = serde_json::from_str(&openapi_document().to_json().unwrap()).unwrap();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|m| (m.to_uppercase(), path.clone())))
        .collect();
    let mut served: BTreeSet<(String, String)> =
        route_table().into_iter().map(|r| (r.method.to_owned(), r.path.to_owned())).collect();
    // The collector serves this one.
    served.insert(("POST".to_owned(), "/api/v1/events".to_owned()));
    assert_eq!(described, served);
    for route in route_table() {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        assert_eq!(operation["security"].is_array(), !route.action.is_public(), "{}", route.path);
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{}", route.path);
    }
}

#[test]
fn no_two_operations_have_one_id() {
    let document: serde_json::Value = serde_json::from_str(&openapi_document().to_json().unwrap()).unwrap();
    let items =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let ids: Vec<&str> = items.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
}

#[test]
fn every_code_in_the_source_of_every_crate_is_documented() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = BTreeSet::new();
    let mut folders = vec![crates];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("api/src/codes.rs") {
                collect(&std::fs::read_to_string(&path).unwrap(), &mut found);
            }
        }
    }
    assert!(found.contains("TM0101") && found.contains("TM0301"), "the search finds nothing");
    let unknown: Vec<_> = found.iter().filter(|c| codes::find(c).is_none()).collect();
    assert!(unknown.is_empty(), "not in codes.rs: {unknown:?}");
}

/// Codes in quotes; `TM9999` stands for "no such code" in examples.
fn collect(source: &str, found: &mut BTreeSet<String>) {
    for (at, _) in source.match_indices("TM") {
        let code: String = source[at..].chars().take(6).collect();
        let digits = code.len() == 6 && code[2..].chars().all(|c| c.is_ascii_digit());
        if digits && code != "TM9999" {
            found.insert(code);
        }
    }
}

#[tokio::test]
async fn documents_are_served_without_a_credential() {
    let w = World::new().await;
    let description = w.get("/api/v1/openapi.json", "").await;
    assert!(description.text == include_str!("../openapi.json"), "{HINT}");
    let page = w.get("/api/docs", "").await;
    assert!(page.header("content-type").starts_with("text/html"));
    for route in route_table() {
        assert!(page.text.contains(route.path), "{}", route.path);
    }
    assert!(
        !page.text.contains("<script") && !page.text.contains("http://") && !page.text.contains("https://")
    );
    for code in codes::CODES {
        let one = w.get(&format!("/docs/errors/{}", code.code), "").await;
        assert!(one.status == StatusCode::OK && one.text.contains(code.code), "{}", code.code);
    }
    assert_eq!(w.get("/docs/errors/TM9999", "").await.code(), "TM0002");
    assert!(w.get("/docs/errors", "").await.text.contains("TM0401"));
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let w = World::new().await;
    for path in
        ["/", "/login", "/api/v1/session", "/api/v1/projects", "/api/docs", "/nothing/here", "/api/nothing"]
    {
        let answer = w.get(path, "").await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(
            !policy.contains("unsafe-eval") && policy.matches("unsafe-inline").count() == 1,
            "styles only"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.header("access-control-allow-origin").is_empty(), "{path}");
        if path.starts_with("/api/v1") {
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        }
    }
    let preflight = Request::builder()
        .method("OPTIONS")
        .uri("/api/v1/projects")
        .header("origin", "https://other.example");
    let answer = w.send(preflight.body(Body::empty()).unwrap()).await;
    assert!(answer.header("access-control-allow-origin").is_empty());
}

#[tokio::test]
async fn routes_of_the_app_get_its_index_and_missing_assets_do_not() {
    let w = World::new().await;
    let index = w.get("/", "").await;
    for path in ["/login", "/setup", "/p/alpha/events"] {
        let answer = w.get(path, "").await;
        assert_eq!((answer.status, &answer.text), (index.status, &index.text), "{path}");
        assert!(answer.header("content-type").starts_with("text/html"));
    }
    assert_eq!(w.get("/assets/missing.js", "").await.status, StatusCode::NOT_FOUND);
    let post = w.send(with_key("POST", "/login", "").body(Body::empty()).unwrap()).await;
    assert_eq!(post.status, StatusCode::METHOD_NOT_ALLOWED);
    let etag = index.header("etag");
    if !etag.is_empty() {
        let again = with_key("GET", "/", "").header("if-none-match", etag);
        let again = w.send(again.body(Body::empty()).unwrap()).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
        assert_eq!(index.header("cache-control"), "no-cache");
    }
}
