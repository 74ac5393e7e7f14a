//! Cross-origin requests: preflights, mirrored origins, errors that pages can read.

use crate::support::{KEY, config, start};
use http::Method;
use tallymark_collector::{CollectorConfig, PathPrefix};
use tallymark_log::AppendError;

#[tokio::test]
async fn preflights_are_answered_for_ingestion_only() {
    let running = start(config()).await;
    for path in [
        "/e/",
        "/2/httpapi",
        "/batch",
        "/v1/t",
        "/api/v1/events",
        "/flags/",
        "/v1/projects/k/settings",
        "/",
        "/sourceConfig/",
        "/settings/",
        "/record/",
        "/identity/v1/identify",
        "/v1/7/modify",
        "/tags/JS/v2/k/config",
        "/webevents/v3/JS/k/events",
    ] {
        let response = running
            .http
            .request(Method::OPTIONS, running.url(path))
            .header("origin", "https://shop.test")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,x-retry-count,anonymousid")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 204, "{path}");
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-origin"], "https://shop.test", "{path}");
        assert_eq!(headers["access-control-allow-credentials"], "true");
        assert_eq!(headers["access-control-allow-headers"], "authorization,x-retry-count,anonymousid");
        assert_eq!(headers["access-control-allow-methods"], "GET, POST, OPTIONS");
        let age: u32 = headers["access-control-max-age"].to_str().unwrap().parse().unwrap();
        assert!(age >= 900);
    }
    // The web app's paths carry cookies: no other origin may read them.
    let request = running.http.request(Method::OPTIONS, running.url("/api/v1/projects"));
    let response = request.header("origin", "https://evil.test").send().await.unwrap();
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn answers_and_errors_can_be_read_by_the_page() {
    let running = start(config()).await;
    let event = format!(r#"{{"api_key":"{KEY}","event":"a","distinct_id":"u"}}"#);
    let send = |body: String| running.post("/e/").header("origin", "https://shop.test").body(body).send();
    let ok = send(event.clone()).await.unwrap();
    assert_eq!(
        (ok.status().as_u16(), &ok.headers()["access-control-allow-origin"]),
        (200, &"https://shop.test".parse().unwrap())
    );
    let bad = send("{".into()).await.unwrap();
    assert_eq!(
        (bad.status().as_u16(), &bad.headers()["access-control-allow-origin"]),
        (400, &"https://shop.test".parse().unwrap())
    );
    running.log.fail_with(Some(AppendError::Full { free_bytes: 0, needed_bytes: 1 }));
    let busy = send(event).await.unwrap();
    assert_eq!(
        (busy.status().as_u16(), &busy.headers()["access-control-allow-origin"]),
        (503, &"https://shop.test".parse().unwrap())
    );
    assert!(busy.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn ingestion_is_served_below_the_prefix_and_nothing_else() {
    let prefix = PathPrefix::parse("/ingest/");
    let running = start(CollectorConfig { path_prefix: prefix, trusted_hops: 1, ..config() }).await;
    let event = format!(r#"{{"api_key":"{KEY}","event":"a","distinct_id":"u"}}"#);
    for path in ["/ingest/e/", "/ingest/i/v0/e", "/e/"] {
        let sent = running.post(path).header("origin", "https://shop.test").body(event.clone()).send();
        let sent = sent.await.unwrap();
        assert_eq!(
            (sent.status().as_u16(), sent.headers().contains_key("access-control-allow-origin")),
            (200, true)
        );
    }
    assert_eq!(running.events().await.len(), 3);
    for path in ["/ingest/api/v1/projects", "/ingest/health/live", "/ingestion/e/", "/ingest"] {
        let request = running.http.request(Method::OPTIONS, running.url(path));
        let answer = request.header("origin", "https://shop.test").send().await.unwrap();
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{path}");
    }

    let settings = async |path: &str, headers: &[(&str, &str)]| {
        let mut request = running.http.get(running.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        answer["integrations"]["Segment.io"]["apiHost"].as_str().unwrap().to_owned()
    };
    let host = running.url("").strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    assert_eq!(settings("/v1/projects/k/settings", &[]).await, format!("{host}/v1"));
    assert_eq!(settings("/ingest/v1/projects/k/settings", &[]).await, format!("{host}/ingest/v1"));
    let told = [("x-forwarded-host", "shop.test"), ("x-forwarded-prefix", "/t")];
    assert_eq!(settings("/v1/projects/k/settings", &told).await, "shop.test/t/v1");
}
