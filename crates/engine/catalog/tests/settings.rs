//! Projects, keys, people, sessions, first-run set-up.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::time::Duration;
use tallymark_catalog::sqlite::WebCatalog;
use tallymark_catalog::{
    Accounts, CatalogError, KeyKind, NewKey, NewProject, NewUser, Settings, SetupAnswer, Verified, WeekStart,
    token_of,
};
use tallymark_model::ProjectId;
use world::*;

fn named(name: &str) -> NewProject {
    NewProject { name: name.to_owned(), ..NewProject::default() }
}

fn ann() -> NewUser {
    NewUser { email: "Ann@Example.org".into(), name: "Ann".into(), password: "$argon2id$x".into() }
}

#[tokio::test]
async fn projects_come_with_keys_and_are_found_by_id_and_name() {
    let w = World::new().await;
    let new =
        NewProject { timezone: "Europe/Berlin".into(), week_start: WeekStart::Sunday, ..named(" shop ") };
    let created = w.catalog.create_project(new).await.unwrap();
    let project = created.project.clone();
    assert_eq!((project.id, project.name.as_str()), (ProjectId(1), "shop"));
    assert_eq!(project.write_key, created.write_key);
    assert_ne!(created.write_key, created.secret_key);
    let other = w.catalog.create_project(named("Ünïcode 2")).await.unwrap();
    assert_eq!(other.project.timezone, "UTC");
    for (asked, found) in
        [("1", Some(1)), ("shop", Some(1)), ("Ünïcode 2", Some(2)), ("3", None), ("Shop", None), ("", None)]
    {
        let project = w.catalog.project(asked).await.unwrap();
        assert_eq!(project.map(|p| p.id.0), found, "{asked}");
    }
    assert_eq!(w.catalog.projects().await.unwrap(), [project, other.project]);
}

#[tokio::test]
async fn unusable_names_and_keys_are_refused_and_nothing_is_left_behind() {
    let w = World::new().await;
    for name in ["", "  ", "42", "a/b", "a\nb", &"x".repeat(101)] {
        assert!(
            matches!(w.catalog.create_project(named(name)).await, Err(CatalogError::BadName { .. })),
            "{name:?}"
        );
    }
    for key in ["short", "has spaces in the middle", "YOUR_API_KEY_GOES_HERE", "with:colon-0f8a7b6c5d"] {
        let new = NewProject { secret_key: Some(key.into()), ..named("p") };
        assert!(
            matches!(w.catalog.create_project(new).await, Err(CatalogError::WeakKey { kind: "secret", .. })),
            "{key}"
        );
    }
    assert!(w.catalog.projects().await.unwrap().is_empty());
    w.catalog.create_project(named("p")).await.unwrap();
    assert!(matches!(w.catalog.create_project(named("p")).await, Err(CatalogError::NameTaken(_))));
    let taken = w.catalog.projects().await.unwrap()[0].write_key.clone();
    let new = NewProject { write_key: Some(taken), ..named("q") };
    assert!(matches!(w.catalog.create_project(new).await, Err(CatalogError::KeyTaken { kind: "write" })));
    assert_eq!(w.catalog.projects().await.unwrap().len(), 1);
}

#[tokio::test]
async fn keys_resolve_verify_and_end() {
    let w = World::new().await;
    let p = w.catalog.create_project(named("p")).await.unwrap();
    let admin = NewKey { kind: KeyKind::Admin, project: None, name: "ops".into(), value: None };
    let admin = w.catalog.create_key(admin).await.unwrap();

    let resolve = |key: &str| w.catalog.resolve(token_of(key));
    assert_eq!(resolve(&p.write_key).await.unwrap(), Some((ProjectId(1), KeyKind::Write)));
    assert_eq!(resolve(&p.secret_key).await.unwrap(), Some((ProjectId(1), KeyKind::Secret)));
    assert_eq!(resolve(&admin.value).await.unwrap(), None, "an admin key owns no events");
    assert_eq!(resolve("no such key").await.unwrap(), None);

    let verified = w.catalog.verify_key(&p.secret_key).await.unwrap().unwrap();
    assert_eq!((verified.kind, verified.project), (KeyKind::Secret, Some(ProjectId(1))));
    let is_admin = w.catalog.verify_key(&admin.value).await.unwrap();
    assert_eq!(is_admin, Some(Verified { key: admin.info.id, kind: KeyKind::Admin, project: None }));

    let keys = w.catalog.keys(Some(ProjectId(1))).await.unwrap();
    assert_eq!(keys.iter().map(|k| k.kind).collect::<Vec<_>>(), [KeyKind::Secret, KeyKind::Write]);
    assert!(keys[0].clear.is_none() && keys[0].last_used_at.is_some());
    assert_eq!(keys[1].clear.as_ref(), Some(&p.write_key));

    assert!(!w.catalog.revoke_key(None, keys[0].id).await.unwrap(), "not by way of another owner");
    assert!(w.catalog.revoke_key(Some(ProjectId(1)), keys[0].id).await.unwrap());
    assert!(!w.catalog.revoke_key(Some(ProjectId(1)), keys[0].id).await.unwrap());
    assert_eq!(w.catalog.verify_key(&p.secret_key).await.unwrap(), None);
    assert_eq!(resolve(&p.secret_key).await.unwrap(), None);
    // An ended key is never given out again.
    let again = NewKey {
        kind: KeyKind::Secret,
        project: Some(ProjectId(1)),
        name: String::new(),
        value: Some(p.secret_key),
    };
    assert!(matches!(w.catalog.create_key(again).await, Err(CatalogError::KeyTaken { .. })));
    let wrong =
        NewKey { kind: KeyKind::Admin, project: Some(ProjectId(1)), name: String::new(), value: None };
    assert!(matches!(w.catalog.create_key(wrong).await, Err(CatalogError::Invalid { .. })));
}

#[tokio::test]
async fn secrets_are_not_in_the_file() {
    let w = World::new().await;
    let p = w.catalog.create_project(named("p")).await.unwrap();
    let user = w.catalog.create_user(ann()).await.unwrap();
    w.catalog.open_session(user.id, "session-token-in-clear").await.unwrap();
    let fresh = World::new().await;
    fresh.catalog.offer_setup("setup-code-in-clear").await.unwrap();
    for (world, secrets) in
        [(w, vec![p.secret_key.as_str(), "session-token-in-clear"]), (fresh, vec!["setup-code-in-clear"])]
    {
        world.catalog.close().await;
        for file in std::fs::read_dir(world.dir.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            for secret in &secrets {
                let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                assert!(!found, "{secret} is stored in clear");
            }
        }
    }
}

#[tokio::test]
async fn sessions_end_by_idleness_age_and_will() {
    let w = World::new().await;
    let user = w.catalog.create_user(ann()).await.unwrap();
    let (day, none) = (Duration::from_secs(86_400), Duration::ZERO);
    w.catalog.open_session(user.id, "a").await.unwrap();
    assert_eq!(w.catalog.session("a", day, day).await.unwrap().unwrap().user, user);
    assert_eq!(w.catalog.session("b", day, day).await.unwrap(), None);
    assert_eq!(w.catalog.session("a", none, day).await.unwrap(), None, "idle too long");
    assert_eq!(w.catalog.session("a", day, day).await.unwrap(), None, "and gone");
    w.catalog.open_session(user.id, "b").await.unwrap();
    assert_eq!(w.catalog.session("b", day, none).await.unwrap(), None, "too old");
    for token in ["c", "d", "e"] {
        w.catalog.open_session(user.id, token).await.unwrap();
    }
    w.catalog.close_session("c").await.unwrap();
    assert_eq!(w.catalog.session("c", day, day).await.unwrap(), None);
    w.catalog.close_sessions(user.id).await.unwrap();
    assert_eq!(w.catalog.session("d", day, day).await.unwrap(), None);
}

#[tokio::test]
async fn people_are_found_whatever_the_case_of_their_address() {
    let w = World::new().await;
    let user = w.catalog.create_user(ann()).await.unwrap();
    let (found, password) = w.catalog.user_by_email("ann@example.ORG").await.unwrap().unwrap();
    assert_eq!((found, password.as_str()), (user.clone(), "$argon2id$x"));
    w.catalog.set_password(user.id, "$argon2id$y").await.unwrap();
    assert_eq!(w.catalog.user_by_email("ann@example.org").await.unwrap().unwrap().1, "$argon2id$y");
    let twice = NewUser { email: "ANN@example.org".into(), ..ann() };
    assert!(matches!(w.catalog.create_user(twice).await, Err(CatalogError::EmailTaken(_))));
    assert_eq!(w.catalog.user_by_email("bob@example.org").await.unwrap(), None);
}

#[tokio::test]
async fn set_up_needs_the_newest_code_works_once_and_stays_closed() {
    let w = World::new().await;
    assert!(w.catalog.setup_required().await.unwrap());
    let none = w.catalog.complete_setup("x", ann(), None).await.unwrap();
    assert_eq!(none, SetupAnswer::WrongCode, "no code was offered yet");
    assert!(w.catalog.offer_setup("old").await.unwrap());
    assert!(w.catalog.offer_setup("new").await.unwrap());
    assert_eq!(w.catalog.complete_setup("old", ann(), None).await.unwrap(), SetupAnswer::WrongCode);
    // A project that cannot be created leaves the code usable: all or nothing.
    let refused = w.catalog.complete_setup("new", ann(), Some(named("42"))).await;
    assert!(matches!(refused, Err(CatalogError::BadName { .. })));
    let done = w.catalog.complete_setup("new", ann(), Some(named("shop"))).await.unwrap();
    let SetupAnswer::Done { user, project: Some(project) } = done else { panic!("{done:?}") };
    assert_eq!((user.name.as_str(), project.project.name.as_str()), ("Ann", "shop"));
    assert_eq!(w.catalog.complete_setup("new", ann(), None).await.unwrap(), SetupAnswer::Gone);
    assert!(!w.catalog.setup_required().await.unwrap());
    let reopened = open(w.dir.path()).await;
    assert!(!reopened.offer_setup("another").await.unwrap(), "also after a restart");
    assert_eq!(reopened.complete_setup("another", ann(), None).await.unwrap(), SetupAnswer::Gone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_racing_set_ups_one_wins() {
    let w = World::new().await;
    w.catalog.offer_setup("code").await.unwrap();
    let other = open(w.dir.path()).await;
    let bob = NewUser { email: "bob@example.org".into(), ..ann() };
    let (a, b) =
        tokio::join!(w.catalog.complete_setup("code", ann(), None), other.complete_setup("code", bob, None));
    let done = [a.unwrap(), b.unwrap()];
    assert_eq!(done.iter().filter(|d| matches!(d, SetupAnswer::Done { .. })).count(), 1);
    assert_eq!(done.iter().filter(|d| matches!(d, SetupAnswer::Gone)).count(), 1);
}

#[tokio::test]
async fn the_web_s_catalog_serves_settings_and_audit() {
    let w = World::new().await;
    let web = WebCatalog::from(w.catalog.clone());
    let created = web.create_project(named("p")).await.unwrap();
    assert_eq!(w.catalog.project("p").await.unwrap(), Some(created.project));
    web.audit("user:ann", "project.create", "p").await.unwrap();
    web.audit("user:ann", "key.revoke", "3").await.unwrap();
    let log = web.audit_log(1).await.unwrap();
    assert_eq!((log.len(), log[0].action.as_str()), (1, "key.revoke"));
}
