//! Health, and the small answers that SDKs need before they send anything.

use crate::support::{KEY, config, json, start};
use serde_json::json as j;
use tallymark_log::AppendError;

#[tokio::test]
async fn health() {
    let running = start(config()).await;
    assert_eq!(json(running.get("/health/live").send().await.unwrap()).await, (200, j!({"status":"ok"})));
    let (status, body) = json(running.get("/health/ready").send().await.unwrap()).await;
    assert_eq!(
        (status, &body["ready"], &body["web"], &body["process"]),
        (200, &j!(true), &j!("unknown"), &j!("unknown"))
    );
    assert_eq!(body["log"]["partitions"], j!(4));
    running.log.fail_with(Some(AppendError::Full { free_bytes: 0, needed_bytes: 1 }));
    let (status, body) = json(running.get("/health/ready").send().await.unwrap()).await;
    assert_eq!((status, &body["ready"], &body["log"]["admission"]), (503, &j!(false), &j!("full")));
    assert_eq!(running.get("/health/live").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn ready_tells_which_parts_listen() {
    let folder = tempfile::tempdir().unwrap();
    let (web, process) = (folder.path().join("web.sock"), folder.path().join("process.sock"));
    let _listening = tokio::net::UnixListener::bind(&process).unwrap();
    let running = start(tallymark_collector::CollectorConfig {
        web_socket: Some(web),
        process_socket: Some(process),
        ..config()
    })
    .await;
    let (status, body) = json(running.get("/health/ready").send().await.unwrap()).await;
    assert_eq!((status, &body["web"], &body["process"]), (200, &j!("down"), &j!("up")));
}

#[tokio::test]
async fn flags_are_empty_and_valid_in_every_version() {
    let running = start(config()).await;
    let body = j!({"token":KEY,"distinct_id":"u"}).to_string();
    for path in ["/flags/?v=2", "/flags?v=4", "/flags/?v=2&config=true"] {
        let (status, answer) = json(running.post(path).body(body.clone()).send().await.unwrap()).await;
        assert_eq!(
            (status, &answer["flags"], &answer["errorsWhileComputingFlags"]),
            (200, &j!({}), &j!(false)),
            "{path}"
        );
        assert_eq!(answer["requestId"].as_str().unwrap().len(), 36);
        assert_eq!(answer.get("supportedCompression").is_some(), path.contains("config"), "{path}");
    }
    for path in ["/decide/?v=3", "/flags/"] {
        let (status, answer) = json(running.post(path).body(body.clone()).send().await.unwrap()).await;
        assert_eq!((status, &answer["featureFlags"], &answer["token"]), (200, &j!({}), &j!(KEY)), "{path}");
        assert_eq!(answer["autocapture_opt_out"], j!(false));
    }
    // Flags answer whatever arrives, and while the log is closed.
    running.log.fail_with(Some(AppendError::Poisoned { cause: "x".into() }));
    assert_eq!(running.post("/flags/?v=2").body("junk").send().await.unwrap().status(), 200);
    assert_eq!(running.get("/flags/?v=2").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn configurations_and_settings() {
    let running = start(config()).await;
    let (status, answer) = json(running.get(&format!("/array/{KEY}/config")).send().await.unwrap()).await;
    assert_eq!((status, &answer["token"], &answer["sessionRecording"]), (200, &j!(KEY), &j!(false)));
    let response = running.get(&format!("/array/{KEY}/config.js")).send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/javascript"));
    assert!(response.text().await.unwrap().contains("_POSTHOG_REMOTE_CONFIG"));
    let (status, answer) =
        json(running.get(&format!("/v1/projects/{KEY}/settings")).send().await.unwrap()).await;
    let io = &answer["integrations"]["Segment.io"];
    assert_eq!((status, &io["apiKey"]), (200, &j!(KEY)));
    assert_eq!(io["apiHost"], j!(format!("{}/v1", running.address)));
    let (status, answer) =
        json(running.get(&format!("/config/{KEY}?config_group=browser")).send().await.unwrap()).await;
    assert_eq!((status, answer["configs"].get("sessionReplay")), (200, None));
    for (path, list) in [
        ("/api/surveys/?token=k", "surveys"),
        ("/api/early_access_features/?token=k", "earlyAccessFeatures"),
        ("/api/product_tours/?token=k", "product_tours"),
        ("/api/web_experiments/?token=k", "experiments"),
        ("/flags/definitions?token=k&send_cohorts", "flags"),
    ] {
        let (status, answer) = json(running.get(path).send().await.unwrap()).await;
        assert_eq!((status, &answer[list]), (200, &j!([])), "{path}");
    }
    assert!(running.records().await.is_empty());
}
