//! Cohorts that projects keep, and their members.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use serde_json::json;
use tallymark_catalog::{Accounts, CatalogError, CohortKind, Cohorts, MembershipInfo, NewCohort};
use tallymark_model::{CommitSeq, ProjectId};
use world::*;

fn new(project: u32, name: &str) -> NewCohort {
    NewCohort {
        project: ProjectId(project),
        name: name.into(),
        kind: CohortKind::Dynamic,
        definition: json!({"performed": "buy"}),
        by: "ann".into(),
    }
}

#[tokio::test]
async fn cohorts_are_kept_by_name_changed_and_forgotten() {
    let w = World::new().await;
    let c = &w.catalog;
    let made = c.create_cohort(new(1, "buyers")).await.unwrap();
    assert_eq!((made.version, &made.membership), (1, &None));
    let taken = c.create_cohort(new(1, "buyers")).await.unwrap_err();
    assert!(matches!(taken, CatalogError::Invalid { field: "name", .. }), "{taken}");
    // Another project may use the name, and sees only its own.
    let other = c.create_cohort(new(2, "buyers")).await.unwrap();
    assert_eq!(c.cohorts(ProjectId(1)).await.unwrap(), [made.clone()]);
    assert!(c.cohort(ProjectId(1), other.id).await.unwrap().is_none());
    assert!(!c.change_cohort(ProjectId(1), other.id, Some("x"), None, "bob").await.unwrap());
    assert!(!c.delete_cohort(ProjectId(1), other.id, "bob").await.unwrap());

    // A name is no change of the definition.
    assert!(c.change_cohort(ProjectId(1), made.id, Some("shoppers"), None, "bob").await.unwrap());
    let body = json!({"performed": "pay"});
    assert!(c.change_cohort(ProjectId(1), made.id, None, Some(&body), "bob").await.unwrap());
    let now = c.cohort(ProjectId(1), made.id).await.unwrap().unwrap();
    assert_eq!((now.version, now.cohort.name.as_str(), &now.cohort.definition), (2, "shoppers", &body));
    let second = c.create_cohort(new(1, "buyers")).await.unwrap();
    assert!(c.change_cohort(ProjectId(1), second.id, Some("shoppers"), None, "bob").await.is_err());

    assert!(c.delete_cohort(ProjectId(1), made.id, "bob").await.unwrap());
    assert!(c.cohort(ProjectId(1), made.id).await.unwrap().is_none());
    let actions: Vec<String> = c.audit_log(10).await.unwrap().into_iter().map(|e| e.action).collect();
    assert!(actions.contains(&"cohort.deleted".to_owned()), "{actions:?}");
}

#[tokio::test]
async fn members_are_of_one_version_of_the_definition() {
    let w = World::new().await;
    let c = &w.catalog;
    let made = c.create_cohort(new(1, "buyers")).await.unwrap();
    let info = |version| MembershipInfo {
        version,
        seq: CommitSeq(5),
        computed_at: 10,
        took_ms: 3,
        size: 2,
        problem: None,
    };
    assert!(c.set_members(made.id, &info(1), b"ab").await.unwrap());
    assert_eq!(c.members(ProjectId(1), made.id).await.unwrap().unwrap(), b"ab");
    assert_eq!(c.members(ProjectId(2), made.id).await.unwrap(), None);
    let known = c.cohort(ProjectId(1), made.id).await.unwrap().unwrap();
    assert_eq!(known.membership, Some(info(1)));

    // What was computed for the definition before is not stored, and what was stored for it is not shown.
    c.change_cohort(ProjectId(1), made.id, None, Some(&json!({"performed": "pay"})), "bob").await.unwrap();
    assert_eq!(c.members(ProjectId(1), made.id).await.unwrap(), None);
    assert!(!c.set_members(made.id, &info(1), b"cd").await.unwrap());
    assert!(c.set_members(made.id, &info(2), b"cd").await.unwrap());
    let failed = MembershipInfo { problem: Some("too slow".into()), ..info(2) };
    assert!(c.set_members(made.id, &failed, b"").await.unwrap());
    assert_eq!(c.members(ProjectId(1), made.id).await.unwrap(), None);
    c.delete_cohort(ProjectId(1), made.id, "bob").await.unwrap();
    assert!(!c.set_members(made.id, &info(2), b"cd").await.unwrap());
}
