//! Every route with every kind of credential, generated from the route table; twin projects; CSRF (S1, S3, S4,
//! S17, R32).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use axum::body::Body;
use http::{Request, StatusCode};
use tallymark_api::{Action, RouteInfo, route_table};
use tallymark_catalog::{Accounts, KeyKind, NewKey, Settings, Tombstones};
use world::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Credential {
    Nothing,
    Garbage,
    Revoked,
    Write,
    Secret,
    ForeignSecret,
    Admin,
    Session,
    DeadSession,
}

const ALL: [Credential; 9] = {
    use Credential::*;
    [Nothing, Garbage, Revoked, Write, Secret, ForeignSecret, Admin, Session, DeadSession]
};

/// What is right, stated apart from the code: 0 = may pass.
fn expected(action: Action, credential: Credential) -> u16 {
    use Action::*;
    use Credential::*;
    match (action, credential) {
        (ReadPublic | Enter, _) => 0,
        (_, Nothing | Garbage | Revoked | DeadSession) => 401,
        (LogOut, Session) => 0,
        (LogOut, _) => 403,
        (ReadReceipt, Write) => 0,
        (_, Write) => 403,
        (_, Admin | Session) => 0,
        (ListProjects | ReadReceipt, Secret | ForeignSecret) => 0,
        (ReadProject | ReadData | ReadBooks | ManageKeys, Secret) => 0,
        (ManageDefinitions | ManageRules | MendBooks | ErasePersons | ExportPerson, Secret) => 0,
        (ReadProject | ReadData | ReadBooks | ManageKeys, ForeignSecret) => 404,
        (ManageDefinitions | ManageRules | MendBooks | ErasePersons | ExportPerson, ForeignSecret) => 404,
        // What only operators may do with a project is still hidden from those who may not know of it.
        (DeleteProject | RestoreProject, Secret) => 403,
        (DeleteProject | RestoreProject, ForeignSecret) => 404,
        (CreateProject | Administer | ReadOperations | Operate | ReadMetrics, _) => 403,
    }
}

fn fill(path: &str) -> String {
    path.replace("{project}", "alpha")
        .replace("{person}", "ann")
        .replace("{key}", "999")
        .replace("{receipt}", "W1swLDAsMCwxXV0")
        .replace("{code}", "TM0201")
        .replace("{job}", "999")
        .replace("{rule}", "999")
        .replace("{cohort}", "999")
        .replace("{kind}", "rename")
        .replace("{name}", "x")
        .replace("{incident}", "inc9")
        .replace("{erasure}", "999")
        .replace("{alert}", "inc9")
        .replace("{maintenance}", "m9")
        .replace("{source}", "none")
}

async fn call(w: &World, route: RouteInfo, credential: Credential, person: &Person, revoked: &str) -> Answer {
    let mut request =
        Request::builder().method(route.method).uri(fill(route.path)).header("host", "localhost");
    let key = match credential {
        Credential::Garbage => Some("tms_not_a_key_at_all"),
        Credential::Revoked => Some(revoked),
        Credential::Write => Some(w.a.write_key.as_str()),
        Credential::Secret => Some(w.a.secret_key.as_str()),
        Credential::ForeignSecret => Some(w.b.secret_key.as_str()),
        Credential::Admin => Some(w.admin.as_str()),
        _ => None,
    };
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    match credential {
        Credential::Session => {
            request = request.header("cookie", &person.cookie).header("x-csrf-token", &person.csrf);
        }
        Credential::DeadSession => request = request.header("cookie", "tallymark_session=0123456789abcdef"),
        _ => {}
    }
    w.send(request.header("content-type", "application/json").body(Body::from("{}")).unwrap()).await
}

#[tokio::test]
async fn every_route_admits_exactly_whom_it_should() {
    let w = World::new().await;
    let revoked =
        NewKey { kind: KeyKind::Secret, project: Some(w.a.project.id), name: "old".into(), value: None };
    let revoked = w.catalog.create_key(revoked).await.unwrap();
    w.catalog.revoke_key(Some(w.a.project.id), revoked.info.id).await.unwrap();
    let mut person = w.person().await;
    let mut wrong = Vec::new();
    for route in route_table() {
        for credential in ALL {
            if route.action == Action::RestoreProject {
                w.catalog.delete_project(w.a.project.id, i64::MAX).await.unwrap();
            }
            let answer = call(&w, route, credential, &person, &revoked.value).await;
            w.catalog.undelete_project(w.a.project.id).await.unwrap();
            let want = expected(route.action, credential);
            let got = answer.status.as_u16();
            // A route that lets the caller pass may still answer 404 or 401 for what the placeholders name.
            let own_code = [
                "TM0407", "TM0208", "TM0803", "TM0806", "TM0808", "TM0812", "TM0813", "TM0815", "TM0816",
                "TM0818", "TM0820",
            ]
            .contains(&answer.code());
            let fits = if want == 0 { own_code || ![401, 403, 404].contains(&got) } else { got == want };
            if !fits {
                wrong.push(format!(
                    "{} {} with {credential:?}: {got}, expected {want}",
                    route.method, route.path
                ));
            }
            if got == want {
                assert!(!answer.text.contains("canary"), "a refusal says too much: {}", answer.text);
            }
            if route.action == Action::LogOut && credential == Credential::Session {
                let form =
                    serde_json::json!({"email": "ann@example.org", "password": "correct horse battery"});
                person = Person::of(&w.browse("POST", "/api/v1/login", None, Some(form)).await);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_is_not_in_the_table_does_not_exist() {
    let w = World::new().await;
    for path in [
        "/api",
        "/api/",
        "/api/v2/projects",
        "/api/v1/projects/alpha/secrets",
        "/api/v1/%2e%2e/metrics",
        "/health/x",
    ] {
        let answer = w.get(path, &w.admin).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "TM0002"), "{path}");
    }
    let answer = w.send(with_key("PATCH", "/api/v1/projects", &w.admin).body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::METHOD_NOT_ALLOWED, "TM0003"));
    assert!(answer.header("allow").contains("POST"), "{:?}", answer.headers);
}

#[tokio::test]
async fn one_project_never_sees_another() {
    let w = World::new().await;
    let theirs = canary(w.b.project.id);
    // Every way of naming the other project, in every place.
    let names = [
        "2",
        "beta",
        "02",
        "2%20",
        "+2",
        "beta%00",
        "BETA",
        "alpha%2f..%2fbeta",
        "2;1",
        "1%2c2",
        "*",
        "%25",
        "-1",
        "0",
    ];
    for route in route_table().into_iter().filter(|r| r.path.contains("{project}") && r.method == "GET") {
        for name in names {
            let path = fill(&route.path.replace("{project}", name));
            let answer = w.get(&format!("{path}?q=%7B%7D"), &w.a.secret_key).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            let missing = w
                .get(
                    &format!("{}?q=%7B%7D", fill(&route.path.replace("{project}", "gamma"))),
                    &w.a.secret_key,
                )
                .await;
            assert_eq!(answer.text, missing.text, "the answer tells whether the project exists");
        }
        let own = fill(route.path);
        for parameter in [
            "project=2",
            "project_id=beta",
            "person=2",
            "cursor=beta",
            "event=%5B%22beta%22%5D",
            "q=%7B%22project%22:2%7D",
        ] {
            let answer = w.get(&format!("{own}?{parameter}"), &w.a.secret_key).await;
            assert!(!answer.text.contains(&theirs), "{own}?{parameter}: {}", answer.text);
        }
    }
    let listed = w.get("/api/v1/projects", &w.a.secret_key).await;
    assert_eq!(listed.json["projects"].as_array().unwrap().len(), 1);
    assert!(!listed.text.contains("beta"));
    let ledger = w.get("/api/v1/projects/alpha/ledger", &w.a.secret_key).await;
    assert!(ledger.json.get("instance").is_none(), "the whole is not for one project's key");
    assert!(w.get("/api/v1/projects/alpha/ledger", &w.admin).await.json["instance"].is_object());
    // Keys of another project cannot be ended by number.
    let other = &w.catalog.keys(Some(w.b.project.id)).await.unwrap()[0];
    let path = format!("/api/v1/projects/alpha/keys/{}", other.id);
    let answer = w.send(with_key("DELETE", &path, &w.a.secret_key).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.code(), "TM0407");
    assert_eq!(w.get("/api/v1/projects/beta", &w.b.secret_key).await.status, StatusCode::OK);
}

#[tokio::test]
async fn keys_are_refused_in_urls_and_never_repeated() {
    let w = World::new().await;
    for parameter in ["api_key", "ACCESS_TOKEN", "secret_key", "admin_key"] {
        let path = format!("/api/v1/projects/alpha/schema?x=1&{parameter}={}", w.a.secret_key);
        let answer = w.get(&path, "").await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "TM0207"));
        assert!(!answer.text.contains(&w.a.secret_key));
    }
    let basic = "Basic ".to_owned()
        + &base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{}:", w.a.secret_key));
    let request = Request::builder().uri("/api/v1/projects/alpha").header("authorization", basic);
    assert_eq!(w.send(request.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
    let project = w.get("/api/v1/projects/alpha", &w.a.secret_key).await;
    assert!(!project.text.contains(&w.a.secret_key) && project.json.get("secret_key").is_none());
}

#[tokio::test]
async fn a_bad_header_is_not_overridden_by_a_good_cookie() {
    let w = World::new().await;
    let person = w.person().await;
    let request = Request::builder()
        .uri("/api/v1/projects")
        .header("cookie", &person.cookie)
        .header("authorization", "Bearer tms_wrong_wrong_wrong");
    assert_eq!(w.send(request.body(Body::empty()).unwrap()).await.code(), "TM0202");
}

#[tokio::test]
async fn writes_with_a_cookie_need_the_csrf_token() {
    let w = World::new().await;
    let person = w.person().await;
    let body = || Body::from(r#"{"name":"x"}"#);
    let base = || {
        Request::builder()
            .method("POST")
            .uri("/api/v1/projects")
            .header("cookie", &person.cookie)
            .header("content-type", "application/json")
    };
    assert_eq!(w.send(base().body(body()).unwrap()).await.code(), "TM0205");
    assert_eq!(w.send(base().header("x-csrf-token", "guess").body(body()).unwrap()).await.code(), "TM0205");
    let good = || base().header("x-csrf-token", &person.csrf);
    let crossed = good().header("sec-fetch-site", "cross-site");
    assert_eq!(w.send(crossed.body(body()).unwrap()).await.code(), "TM0206");
    assert_eq!(w.send(good().body(body()).unwrap()).await.status, StatusCode::CREATED);
    // A plain form of another site cannot declare JSON.
    let form = Request::builder().method("POST").uri("/api/v1/login").header("content-type", "text/plain");
    assert_eq!(w.send(form.body(body()).unwrap()).await.code(), "TM0008");
    // Reading needs no token.
    assert_eq!(w.browse("GET", "/api/v1/projects", Some(&person), None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_for_the_machine_itself_and_admins() {
    let w = World::new().await;
    for (address, status) in [("127.0.0.1", 200), ("::1", 200), ("203.0.113.9", 401), ("junk", 401)] {
        let answer = w.send(from_address("GET", "/metrics", address).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{address}");
    }
    let answer = w.get("/metrics", &w.admin).await;
    assert_eq!(answer.text, "tallymark_events_total 7\n");
    assert_eq!(
        w.get("/metrics", "").await.status,
        StatusCode::UNAUTHORIZED,
        "an unknown address is not local"
    );
}

#[tokio::test]
async fn a_session_ends_everywhere_at_once() {
    let w = World::new().await;
    let person = w.person().await;
    let (user, _) = w.catalog.user_by_email("ann@example.org").await.unwrap().unwrap();
    assert_eq!(w.browse("GET", "/api/v1/projects", Some(&person), None).await.status, StatusCode::OK);
    w.catalog.close_sessions(user.id).await.unwrap();
    assert_eq!(w.browse("GET", "/api/v1/projects", Some(&person), None).await.code(), "TM0201");
}
