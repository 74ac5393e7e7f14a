//! First-run set-up, login, logout, limits (S17-S19, S21).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use axum::body::Body;
use http::StatusCode;
use serde_json::json;
use tallymark_catalog::Accounts;
use world::*;

const PASSWORD: &str = "correct horse battery";

async fn log_in(w: &World, email: &str, password: &str, address: &str) -> Answer {
    let body = json!({"email": email, "password": password}).to_string();
    let request = from_address("POST", "/api/v1/login", address).header("content-type", "application/json");
    w.send(request.header("host", "localhost").body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn set_up_takes_the_code_once_and_logs_the_first_person_in() {
    let w = World::new().await;
    w.catalog.offer_setup("ABCD-EFGH-JKLM").await.unwrap();
    let session = w.browse("GET", "/api/v1/session", None, None).await;
    assert_eq!(session.json, json!({"user": null, "setup_required": true, "csrf": null, "demo": false}));

    let form = |code: &str, password: &str| {
        json!({"code": code, "email": "Ann@example.org", "password": password, "name": "Ann",
               "project": {"name": "gamma", "timezone": "Europe/Paris"}})
    };
    for (code, password, expected) in [("WRONG", PASSWORD, "TM0212"), ("ABCD-EFGH-JKLM", "short", "TM0210")] {
        let answer = w.browse("POST", "/api/v1/setup", None, Some(form(code, password))).await;
        assert_eq!(answer.code(), expected, "{}", answer.text);
    }
    let mut bad_zone = form("ABCD-EFGH-JKLM", PASSWORD);
    bad_zone["project"]["timezone"] = json!("Mars/Olympus");
    assert_eq!(w.browse("POST", "/api/v1/setup", None, Some(bad_zone)).await.code(), "TM0405");
    let mut bad_email = form("ABCD-EFGH-JKLM", PASSWORD);
    bad_email["email"] = json!("not an address");
    assert_eq!(w.browse("POST", "/api/v1/setup", None, Some(bad_email)).await.code(), "TM0211");

    let done = w.browse("POST", "/api/v1/setup", None, Some(form("abcd-efgh-jklm", PASSWORD))).await;
    let person = Person::of(&done);
    assert_eq!(done.json["project"]["name"], "gamma");
    assert!(done.json["project"]["secret_key"].as_str().unwrap().starts_with("tms_"));
    let session = w.browse("GET", "/api/v1/session", Some(&person), None).await;
    assert_eq!(session.json["user"], json!({"email": "Ann@example.org", "name": "Ann"}));
    assert_eq!(
        (session.json["csrf"].as_str().unwrap(), &session.json["setup_required"]),
        (person.csrf.as_str(), &json!(false))
    );

    let again = w.browse("POST", "/api/v1/setup", None, Some(form("ABCD-EFGH-JKLM", PASSWORD))).await;
    assert_eq!((again.status, again.code()), (StatusCode::GONE, "TM0213"));
    assert!(!w.catalog.offer_setup("NEXT").await.unwrap());
}

#[tokio::test]
async fn guesses_at_the_set_up_code_are_limited() {
    let w = World::new().await;
    w.catalog.offer_setup("ABCD-EFGH-JKLM").await.unwrap();
    let mut evaluated = 0;
    for guess in 0..30 {
        let form = json!({"code": format!("GUESS-{guess}"), "email": "a@b.c", "password": PASSWORD});
        match w.browse("POST", "/api/v1/setup", None, Some(form)).await.code() {
            "TM0212" => evaluated += 1,
            other => assert_eq!(other, "TM0209"),
        }
    }
    assert!(evaluated < 20, "{evaluated}");
}

#[tokio::test]
async fn login_opens_a_new_session_and_logout_ends_it() {
    let w = World::new().await;
    let first = w.person().await;
    let body = json!({"email": " ANN@EXAMPLE.ORG ", "password": PASSWORD});
    let answer = w.browse("POST", "/api/v1/login", Some(&first), Some(body)).await;
    let cookie = answer.header("set-cookie").to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let second = Person::of(&answer);
    assert_ne!(first.cookie, second.cookie);
    // The session that the login came with is gone: a planted one is worth nothing.
    assert_eq!(
        w.browse("GET", "/api/v1/projects", Some(&first), None).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(w.browse("GET", "/api/v1/projects", Some(&second), None).await.status, StatusCode::OK);
    let out = w.browse("POST", "/api/v1/logout", Some(&second), Some(json!({}))).await;
    assert_eq!((out.status, &out.json["user"]), (StatusCode::OK, &json!(null)));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(
        w.browse("GET", "/api/v1/projects", Some(&second), None).await.status,
        StatusCode::UNAUTHORIZED
    );
    let log = w.catalog.audit_log(10).await.unwrap();
    assert!(log.iter().any(|l| l.action == "session.open" && l.actor == "user:ann@example.org"));
}

#[tokio::test]
async fn wrong_passwords_and_unknown_people_get_the_same_answer() {
    let w = World::new().await;
    w.person().await;
    let known = log_in(&w, "ann@example.org", "wrong password", "203.0.113.1").await;
    let unknown = log_in(&w, "bob@example.org", "wrong password", "203.0.113.2").await;
    assert_eq!((known.status, known.code()), (StatusCode::UNAUTHORIZED, "TM0208"));
    assert_eq!(known.text, unknown.text);
    assert!(known.header("set-cookie").is_empty());
}

#[tokio::test]
async fn brute_force_stops_and_the_owner_still_gets_in() {
    let w = World::new().await;
    w.person().await;
    assert_eq!(log_in(&w, "ann@example.org", PASSWORD, "198.51.100.7").await.status, StatusCode::OK);
    let mut evaluated = 0;
    for i in 0..60u8 {
        let answer = log_in(&w, "ann@example.org", "guess guess guess", &format!("203.0.113.{i}")).await;
        match answer.code() {
            "TM0208" => evaluated += 1,
            other => {
                assert_eq!((other, answer.status), ("TM0209", StatusCode::TOO_MANY_REQUESTS));
                assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
            }
        }
    }
    assert!((1..=20).contains(&evaluated), "{evaluated}");
    assert_eq!(log_in(&w, "ann@example.org", PASSWORD, "198.51.100.7").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_old_hash_is_renewed_at_login() {
    let w = World::new().await;
    w.person().await;
    let (user, hash) = w.catalog.user_by_email("ann@example.org").await.unwrap().unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    // The same password under weaker parameters, as an older version might have stored it.
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
    let old = weak.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    w.catalog.set_password(user.id, &old).await.unwrap();
    assert_eq!(log_in(&w, "ann@example.org", PASSWORD, "127.0.0.1").await.status, StatusCode::OK);
    let (_, renewed) = w.catalog.user_by_email("ann@example.org").await.unwrap().unwrap();
    assert!(renewed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{renewed}");
}
