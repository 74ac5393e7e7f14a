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

#[tokio::test]
async fn browser_sdks_hear_that_nothing_is_configured() {
    let running = start(config()).await;
    let get = async |path: &str| json(running.get(path).send().await.unwrap()).await;
    let post = |path: &str| running.post(path).body("{}").send();
    let (status, answer) = get("/sourceConfig/?p=npm&v=3.34.1&build=modern&writeKey=k").await;
    assert_eq!((status, &answer["source"]["destinations"]), (200, &j!([])));
    assert_eq!(get("/settings/?mp_lib=web&sdk_config=1").await, (200, j!({})));
    assert_eq!(get("/flags/?context=%7B%7D&token=k&mp_lib=web").await, (200, j!({"flags": {}})));
    let (status, answer) = json(post("/record/?mp_lib=web&seq=0").await.unwrap()).await;
    assert_eq!((status, &answer["code"]), (200, &j!(200)));
    for folder in ["", "/tags"] {
        let (status, answer) = get(&format!("{folder}/JS/v2/{KEY}/config?env=0")).await;
        assert_eq!((status, &answer["kitConfigs"]), (200, &j!([])), "{folder}");
    }
    for folder in ["", "/identity"] {
        let (status, answer) = json(post(&format!("{folder}/v1/-42/modify")).await.unwrap()).await;
        assert_eq!((status, &answer["mpid"]), (200, &j!("-42")), "{folder}");
    }
    for folder in ["", "/webevents"] {
        let alias = post(&format!("{folder}/v1/identity/{KEY}/Alias")).await.unwrap();
        assert_eq!(alias.status(), 202, "{folder}");
    }
    assert!(running.records().await.is_empty());
}

#[tokio::test]
async fn beacons_and_folders_are_ingestion() {
    let running = start(config()).await;
    let beacon = r#"{"batch":[{"type":"track","event":"by beacon","anonymousId":"a","messageId":"m"}]}"#;
    let path = format!("/beacon/v1/batch?writeKey={KEY}");
    assert_eq!(running.post(&path).body(beacon).send().await.unwrap().status(), 200);
    let batch =
        r#"{"mp_deviceid":"d","events":[{"event_type":"custom_event","data":{"event_name":"played"}}]}"#;
    let path = format!("/webevents/v3/JS/{KEY}/events");
    assert_eq!(running.post(&path).body(batch).send().await.unwrap().status(), 202);
    assert_eq!(running.names().await, ["by beacon", "played"]);
}
