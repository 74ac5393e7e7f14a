//! The verbs of the books: jobs and their guard, rules, outcomes, redrive, erasure, deletion with undo.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use http::StatusCode;
use serde_json::{Value, json};
use tallymark_api::{RuleInForce, Verdict};
use tallymark_catalog::{Jobs, Origin, Rules};
use tallymark_model::{CommitSeq, Control, DeadReason, Lane, Outcome, Position, ProjectId, SubjectKind};
use world::*;

const JOBS: &str = "/api/v1/operations/jobs";

fn range(from: u64, to: u64) -> Value {
    json!([{"lane": "live", "partition": 0, "from": from, "to": to}])
}

fn skip(from: u64, to: u64) -> Value {
    json!({"kind": "skip", "spec": {"ranges": range(from, to)}, "reason": "poison"})
}

fn at(offset: u64) -> Position {
    Position { lane: Lane::Live, partition: 0, offset }
}

#[tokio::test]
async fn jobs_are_started_shown_and_steered() {
    let w = World::new().await;
    let made = w.post(JOBS, &w.admin, skip(5, 9)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!((&made.json["state"], &made.json["spec"]["ranges"]), (&json!("queued"), &range(5, 9)));
    assert!(made.json["by"].as_str().unwrap().starts_with("key:"));
    // Workers read intervals.
    let id: i64 = made.json["id"].as_str().unwrap().parse().unwrap();
    let stored = w.catalog.job(id).await.unwrap().unwrap();
    let interval = json!([{"shard": {"lane": "live", "partition": 0}, "from": 5, "to": 9}]);
    assert_eq!(stored.spec, json!({"ranges": interval}));
    let path = format!("{JOBS}/{id}");
    for (verb, state) in [("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")] {
        let steered = w.post(&format!("{path}/{verb}"), &w.admin, json!({})).await;
        assert_eq!(steered.json["state"], state, "{}", steered.text);
    }
    assert_eq!(w.post(&format!("{path}/pause"), &w.admin, json!({})).await.code(), "TM0804");
    assert_eq!(w.get(&path, &w.admin).await.json["state"], "cancelled");
    assert_eq!(w.get(JOBS, &w.admin).await.json["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(w.get(&format!("{JOBS}/77"), &w.admin).await.code(), "TM0803");
}

#[tokio::test]
async fn jobs_that_cannot_work_are_refused_with_the_place() {
    let w = World::new().await;
    w.commit(7).await;
    for (body, word) in [
        (json!({"kind": "skp"}), "kind"),
        (json!({"kind": "skip", "reason": "x"}), "ranges"),
        (skip(5, 5), "ranges[0]"),
        (skip(5, 21), "ends at 20"),
        (skip(0, 8), "processed already"),
        (json!({"kind": "skip", "spec": {"ranges": range(9, 12)}}), "reason"),
        (json!({"kind": "replay"}), "nothing is skipped"),
        (json!({"kind": "replay", "spec": {"received_from": 0}}), "received_from"),
        (
            json!({"kind": "reprocess", "spec": {"received_from": "2030-01-01"}, "reason": "x"}),
            "nothing was processed",
        ),
        (json!({"kind": "reprocess", "spec": {"received_from": "soon"}, "reason": "x"}), "received_from"),
        (json!({"kind": "backup", "spec": {"where": "/"}}), "where"),
    ] {
        let answer = w.post(JOBS, &w.admin, body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {}", answer.text);
        assert!(answer.text.contains(word), "{body}: {}", answer.text);
    }
    let foreign = json!({"kind": "replay", "project": "gamma"});
    assert_eq!(w.post(JOBS, &w.admin, foreign).await.code(), "TM0204");
    assert_eq!(w.get(JOBS, &w.admin).await.json["jobs"], json!([]), "nothing was started");
}

#[tokio::test]
async fn the_scope_of_a_job_is_told_before_it_starts() {
    let w = World::new().await;
    w.commit(7).await;
    w.environment("production").await;
    let scope = w.post(&format!("{JOBS}/scope"), &w.admin, skip(4, 12)).await.json;
    assert_eq!(
        scope,
        json!({"environment": "production", "protected": true, "destructive": true, "projects": ["alpha", "beta"],
               "events": 4, "ranges": range(4, 12), "problem": null})
    );
    let one = json!({"kind": "reprocess", "project": "alpha"});
    let scope = w.post(&format!("{JOBS}/scope"), &w.admin, one).await.json;
    assert_eq!((&scope["projects"], &scope["events"]), (&json!(["alpha"]), &json!(7)));
    let none = w.post(&format!("{JOBS}/scope"), &w.admin, json!({"kind": "replay"})).await.json;
    assert!(none["problem"].as_str().unwrap().contains("nothing"));
    assert_eq!(w.get(JOBS, &w.admin).await.json["jobs"], json!([]));
}

#[tokio::test]
async fn destructive_requests_name_a_protected_environment() {
    let w = World::new().await;
    w.environment("production").await;
    let with = |mut body: Value, confirm: &str| {
        body["confirm"] = confirm.into();
        body
    };
    let erase = "/api/v1/projects/alpha/persons/ann/erase";
    let why = json!({"reason": "art. 17"});
    for (path, body) in [(JOBS, skip(5, 9)), (erase, why)] {
        let unnamed = w.post(path, &w.admin, body.clone()).await;
        assert_eq!((unnamed.status.as_u16(), unnamed.code()), (428, "TM0801"), "{}", unnamed.text);
        let wrong = w.post(path, &w.admin, with(body.clone(), "staging")).await;
        assert_eq!((wrong.status.as_u16(), wrong.code()), (409, "TM0802"));
        let named = w.post(path, &w.admin, with(body, "production")).await;
        assert!(named.status.is_success(), "{}", named.text);
    }
    let project = "/api/v1/projects/beta";
    assert_eq!(w.delete(project, &w.admin).await.code(), "TM0801");
    assert_eq!(w.delete(&format!("{project}?confirm=beta"), &w.admin).await.code(), "TM0802");
    // Trying, and what takes nothing away, asks for no name.
    let mut tried = skip(5, 9);
    tried["dry_run"] = true.into();
    assert_eq!(w.post(JOBS, &w.admin, tried).await.status, StatusCode::CREATED);
    assert_eq!(w.post(JOBS, &w.admin, json!({"kind": "rebuild_state"})).await.status, StatusCode::CREATED);
    // A name that is wrong stops everything, also where nothing is protected.
    w.environment("development").await;
    assert_eq!(w.post(JOBS, &w.admin, with(skip(5, 9), "production")).await.code(), "TM0802");
    assert_eq!(w.post(JOBS, &w.admin, skip(5, 9)).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn rules_have_versions_and_say_since_when_they_decide() {
    let w = World::new().await;
    let (key, rules) = (&w.a.secret_key, "/api/v1/projects/alpha/rules");
    let drop = |enabled: bool| {
        json!({"name": "no bots", "enabled": enabled, "reason": "ticket 7",
               "action": {"type": "drop", "events": ["Play"], "conditions": [{"property": "bot", "op": "is", "value": true}]}})
    };
    let made = w.post(rules, key, drop(true)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!((&made.json["version"], &made.json["state"]), (&json!(1), &json!("unpublished")));
    let id = made.json["id"].as_u64().unwrap() as u32;
    w.catalog.rule_published(id, 1).await.unwrap();
    assert_eq!(w.get(rules, key).await.json["rules"][0]["state"], "published");
    let other = Position { lane: Lane::Bulk, partition: 1, offset: 0 };
    let held = RuleInForce { rule: id, version: 1, since: vec![at(4), other], broken: None };
    *w.fold.rules.lock().unwrap() = vec![held];
    let listed = w.get(rules, key).await.json["rules"][0].clone();
    assert_eq!(
        (&listed["state"], &listed["in_force"][0]["position"]),
        (&json!("in_force"), &json!("live/0@4"))
    );
    let changed = w.put(&format!("{rules}/{id}"), key, drop(false)).await;
    assert_eq!((&changed.json["version"], &changed.json["enabled"]), (&json!(2), &json!(false)));
    let versions = w.get(&format!("{rules}/{id}/versions"), key).await.json;
    let states: Vec<_> = versions["rules"].as_array().unwrap().iter().map(|r| r["state"].clone()).collect();
    assert_eq!(states, ["in_force", "unpublished"]);
    // Another project's rule is none.
    let theirs = format!("/api/v1/projects/beta/rules/{id}");
    assert_eq!(w.put(&theirs, &w.b.secret_key, drop(true)).await.code(), "TM0806");
    assert_eq!(w.get(&format!("{theirs}/versions"), &w.b.secret_key).await.code(), "TM0806");
    for bad in [
        json!({"name": "", "action": {"type": "block", "users": ["u"]}}),
        json!({"name": "x", "action": {"type": "drop"}}),
        json!({"name": "x", "action": {"type": "drop", "conditions": [{"scope": "user", "property": "p", "op": "is_set"}]}}),
    ] {
        assert_eq!(w.post(rules, key, bad.clone()).await.code(), "TM0807", "{bad}");
    }
}

#[tokio::test]
async fn a_rule_is_tried_by_a_job_before_it_is_switched_on() {
    let w = World::new().await;
    let body = json!({"action": {"type": "block", "users": ["u"]}, "from": "2023-11-14", "to": "2023-11-14", "wait_ms": 0});
    let answer = w.post("/api/v1/projects/alpha/rules/preview", &w.a.secret_key, body).await;
    assert_eq!(
        (answer.status, &answer.json["ready"]),
        (StatusCode::ACCEPTED, &json!(false)),
        "{}",
        answer.text
    );
    let id: i64 = answer.json["job"]["id"].as_str().unwrap().parse().unwrap();
    let job = w.catalog.job(id).await.unwrap().unwrap();
    assert!(job.dry_run && job.project == Some(w.a.project.id));
    assert_eq!(job.spec["rule"]["action"]["users"], json!(["u"]));
    let span = job.spec["received_to"].as_i64().unwrap() - job.spec["received_from"].as_i64().unwrap();
    assert_eq!(span, 86_400_000, "the local day of the project");
    assert_eq!(w.get("/api/v1/projects/alpha/rules", &w.a.secret_key).await.json["rules"], json!([]));
}

fn verdict(offset: u64, outcome: Outcome, project: u32) -> Verdict {
    Verdict {
        position: at(offset),
        outcome,
        project: Some(ProjectId(project)),
        received_at: Some(NOON),
        commit: CommitSeq(3),
        decided_at: NOON + 1_000,
        origin: Origin::Live,
        decisions: 1,
    }
}

#[tokio::test]
async fn what_filtered_an_event_and_since_when_is_answered() {
    let w = World::new().await;
    let key = &w.a.secret_key;
    let rules = "/api/v1/projects/alpha/rules";
    let body = |name: &str| json!({"name": name, "action": {"type": "block", "users": ["u"]}});
    let id = w.post(rules, key, body("first")).await.json["id"].as_u64().unwrap() as u32;
    w.put(&format!("{rules}/{id}"), key, body("second")).await;
    let held = |version, offset| RuleInForce { rule: id, version, since: vec![at(offset)], broken: None };
    *w.fold.rules.lock().unwrap() = vec![held(1, 1), held(2, 7)];
    let filtered = Outcome::Filtered { rule: id };
    let again = Verdict {
        origin: Origin::Reprocess { job: 4 },
        decided_at: i64::MAX,
        ..verdict(3, filtered.clone(), 1)
    };
    let dead = Outcome::Dead { reason: DeadReason::new("invalid_json", "at byte 3") };
    *w.log.verdicts.lock().unwrap() = vec![
        verdict(2, filtered.clone(), 1),
        again,
        verdict(8, filtered, 1),
        verdict(4, dead, 1),
        verdict(12, Outcome::Duplicate { witness: at(1) }, 2),
    ];
    let ask = async |query: &str| w.get(&format!("/api/v1/projects/alpha/outcomes?{query}"), key).await;
    for (offset, version, name, since) in
        [(2, 1, "first", "live/0@1"), (8, 2, "second", "live/0@7"), (3, 2, "second", "live/0@7")]
    {
        let found = ask(&format!("position=live/0@{offset}")).await.json["outcomes"][0].clone();
        assert_eq!(found["outcome"], "filtered");
        assert_eq!(
            (&found["rule"]["version"], &found["rule"]["name"]),
            (&json!(version), &json!(name)),
            "{found}"
        );
        assert_eq!((&found["rule"]["since"], &found["commit"]), (&json!(since), &json!(3)));
    }
    assert_eq!(ask("insert_id=i4").await.json["outcomes"][0]["reason"]["code"], "invalid_json");
    assert_eq!(ask("insert_id=i6").await.json["outcomes"][0]["outcome"], "pending");
    // Another project's record, a record that is not there, and a control record are nothing to this key.
    for query in ["position=live/0@12", "position=live/0@99", "position=live/0@5", "insert_id=i12"] {
        let answer = ask(query).await;
        assert_eq!(answer.code(), "TM0810", "{query}: {}", answer.text);
    }
    for query in ["", "position=12", "position=live/0@1&insert_id=x"] {
        assert_eq!(ask(query).await.code(), "TM0005", "{query}");
    }
    let theirs = w.get("/api/v1/projects/beta/outcomes?position=live/0@12", &w.b.secret_key).await;
    assert_eq!(theirs.json["outcomes"][0]["witness"], "live/0@1");
}

#[tokio::test]
async fn dead_letters_are_redriven_by_hand_and_by_mapping() {
    let w = World::new().await;
    let (key, path) = (&w.a.secret_key, "/api/v1/projects/alpha/dead-letters/redrive");
    let by_hand = json!({"items": [
        {"position": "live/0@3", "body": {"event": "mended"}},
        {"position": "live/0@4", "body": {"event": "not a letter"}},
    ]});
    let mut tried = by_hand.clone();
    tried["dry_run"] = true.into();
    let answer = w.post(path, key, tried).await;
    assert_eq!(
        (&answer.json["redriven"], &answer.json["refused"]),
        (&json!(1), &json!(1)),
        "{}",
        answer.text
    );
    assert!(w.door.orders.lock().unwrap().is_empty(), "a try hands nothing over");
    let answer = w.post(path, key, by_hand).await;
    assert_eq!(answer.json["letters"][0]["event"], "mended");
    assert!(answer.json["letters"][1]["error"].as_str().unwrap().contains("no dead letter"));
    let order = w.door.orders.lock().unwrap()[0].clone();
    let (shard, Control::Redrive(redrive)) = &order.at[0] else { panic!("{order:?}") };
    assert_eq!((*shard, redrive.position, redrive.body.as_str()), (SHARD, at(3), r#"{"event":"mended"}"#));
    assert_eq!(order.at.len(), 1);

    let mapping =
        json!({"mapping": {"time": "null", "properties.was": "row.time"}, "reason": "invalid_field"});
    let answer = w.post(path, key, mapping).await;
    let body: Value = serde_json::from_str(answer.json["letters"][0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"event": canary(w.a.project.id), "properties": {"was": "soon"}}));
    for (bad, code) in [
        (json!({}), "TM0004"),
        (json!({"mapping": {"time": "null"}}), "TM0004"),
        (json!({"reason": "x", "items": [{"position": "live/0@3"}]}), "TM0004"),
        (json!({"reason": "x", "project": "beta"}), "TM0004"),
        (json!({"mapping": {"time": "row."}, "reason": "x"}), "TM0811"),
        (json!({"items": [{"position": "3", "body": {}}]}), "TM0005"),
    ] {
        assert_eq!(w.post(path, key, bad.clone()).await.code(), code, "{bad}");
    }
    // What still is no event is refused with the reason.
    let still = json!({"items": [{"position": "live/0@3", "body": "{"}]});
    let answer = w.post(path, key, still).await;
    assert!(answer.json["letters"][0]["error"].is_string() && answer.json["redriven"] == 0);
    let theirs = json!({"items": [{"position": "live/0@3", "body": {"event": "x"}}]});
    let answer = w.post("/api/v1/projects/beta/dead-letters/redrive", &w.b.secret_key, theirs).await;
    assert_eq!(answer.json["redriven"], 0, "another project's letter is none");
}

#[tokio::test]
async fn letters_of_nobody_are_given_to_a_project_by_operators() {
    let w = World::new().await;
    let path = "/api/v1/operations/dead-letters";
    assert_eq!(w.get(path, &w.admin).await.json["dead"][0]["position"], "live/0@100");
    let body = json!({"reason": "invalid_field", "project": "beta"});
    let done = w.post(&format!("{path}/redrive"), &w.admin, body).await;
    assert_eq!(done.json["redriven"], 1, "{}", done.text);
    let order = w.door.orders.lock().unwrap()[0].clone();
    let (_, Control::Redrive(redrive)) = &order.at[0] else { panic!("{order:?}") };
    assert_eq!(redrive.project, Some(w.b.project.id));
    assert!(redrive.body.contains("soon"), "as they were sent");
    for (body, code) in
        [(json!({"reason": "x"}), "TM0004"), (json!({"reason": "x", "project": "gamma"}), "TM0204")]
    {
        assert_eq!(w.post(&format!("{path}/redrive"), &w.admin, body.clone()).await.code(), code, "{body}");
    }
    assert_eq!(w.get(path, &w.a.secret_key).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_person_is_forgotten_and_it_can_be_taken_back() {
    let w = World::new().await;
    let key = &w.a.secret_key;
    let why = json!({"reason": "art. 17"});
    let made = w.post("/api/v1/projects/alpha/persons/ann/erase", key, why.clone()).await;
    assert_eq!(
        (made.status, &made.json["state"]),
        (StatusCode::ACCEPTED, &json!("unpublished")),
        "{}",
        made.text
    );
    let wish = w.catalog.erasures(None).await.unwrap()[0].erasure.clone();
    let ids = vec![(SubjectKind::User, "ann".to_owned()), (SubjectKind::Device, "d1".to_owned())];
    assert_eq!((wish.subjects, wish.undo_until - wish.made_at), (ids, 7 * 86_400_000));
    w.catalog.erasure_published(wish.id).await.unwrap();
    let list = "/api/v1/projects/alpha/erasures";
    assert_eq!(w.get(list, key).await.json["erasures"][0]["state"], "hidden");
    let undo = format!("{list}/{}/undo", wish.id);
    assert_eq!(w.post(&undo, key, json!({})).await.json["state"], "undone");
    assert_eq!(w.post(&undo, key, json!({})).await.status, StatusCode::OK, "again is no error");
    let foreign = format!("/api/v1/projects/beta/erasures/{}/undo", wish.id);
    assert_eq!(w.post(&foreign, &w.b.secret_key, json!({})).await.code(), "TM0808");
    assert_eq!(w.post("/api/v1/projects/alpha/persons/nobody/erase", key, why).await.code(), "TM0304");
    // Too late.
    let late = tallymark_model::Erasure {
        id: 0,
        undone: false,
        undo_until: 1,
        ..w.catalog.erasures(None).await.unwrap()[0].erasure.clone()
    };
    let late = w.catalog.put_erasure(late).await.unwrap().erasure.id;
    assert_eq!(w.post(&format!("{list}/{late}/undo"), key, json!({})).await.code(), "TM0809");
}

#[tokio::test]
async fn an_export_is_everything_with_an_end() {
    let w = World::new().await;
    let answer = w.get("/api/v1/projects/alpha/persons/ann/export", &w.a.secret_key).await;
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> = answer.text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let types: Vec<_> = lines.iter().map(|l| l["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["person", "event", "event", "end"], "two pages of one event");
    assert_eq!(lines[3]["events"], 2);
    assert!(
        !w.get("/api/v1/audit?limit=1", &w.admin).await.text.contains("ann"),
        "the trail would outlive an erasure"
    );
}

#[tokio::test]
async fn a_deleted_project_is_gone_and_comes_back_whole() {
    let w = World::new().await;
    let gone = w.delete("/api/v1/projects/beta?reason=closed", &w.admin).await;
    assert!(gone.status.is_success() && gone.json["undo_until"].is_string(), "{}", gone.text);
    assert_eq!(w.get("/api/v1/projects/beta", &w.admin).await.code(), "TM0204");
    assert_eq!(w.delete("/api/v1/projects/beta", &w.admin).await.code(), "TM0204");
    assert!(!w.get("/api/v1/projects", &w.admin).await.text.contains("beta"));
    let summary = w.get("/api/v1/operations/summary", &w.admin).await.json;
    assert_eq!(summary["deleted_projects"][0]["name"], "beta");
    let back = w.post("/api/v1/projects/beta/restore", &w.admin, json!({})).await;
    assert_eq!(back.json["name"], "beta", "{}", back.text);
    assert_eq!(w.get("/api/v1/projects/beta", &w.b.secret_key).await.status, StatusCode::OK);
    assert_eq!(w.post("/api/v1/projects/beta/restore", &w.admin, json!({})).await.code(), "TM0204");
    let own = w.delete("/api/v1/projects/alpha", &w.a.secret_key).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN, "a project's key cannot delete the project");
}
