//! Jobs, rules, erasures, settings and tombstones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use serde_json::json;
use tallymark_catalog::{
    Accounts, Instance, JobKind, JobProgress, JobState, JobWish, Jobs, NewJob, NewProject, Rules, Settings,
    Tombstones,
};
use tallymark_model::{Erasure, Millis, ProjectId, Rule, RuleAction, SubjectKind};
use world::*;

fn asked(kind: JobKind) -> NewJob {
    NewJob {
        kind,
        project: None,
        spec: json!({"ranges": []}),
        dry_run: false,
        by: "ops".into(),
        reason: "test".into(),
    }
}

#[tokio::test]
async fn a_job_is_worked_on_steered_and_ended() {
    let w = World::new().await;
    let c = &w.catalog;
    let first = c.create_job(asked(JobKind::Replay)).await.unwrap();
    let second = c.create_job(asked(JobKind::Skip)).await.unwrap();
    assert_eq!((first.state, first.wish), (JobState::Queued, JobWish::Run));
    assert_eq!(c.claim_job(&[JobKind::Backup]).await.unwrap(), None);
    let kinds = [JobKind::Skip, JobKind::Replay];
    assert_eq!(c.claim_job(&kinds).await.unwrap().unwrap().id, first.id);
    // Whoever claims again gets the one that is running: its worker has died.
    assert_eq!(c.claim_job(&kinds).await.unwrap().unwrap().id, first.id);
    let progress = JobProgress { done: 5, total: 10, unit: "records".into(), ..JobProgress::default() };
    assert_eq!(c.report_job(first.id, &progress).await.unwrap(), JobWish::Run);
    assert_eq!(c.steer_job(first.id, JobWish::Pause).await.unwrap().unwrap().state, JobState::Running);
    assert_eq!(c.report_job(first.id, &progress).await.unwrap(), JobWish::Pause);
    c.end_job(first.id, JobState::Paused, json!(null), None).await.unwrap();
    // A paused job leaves its place to the next one.
    assert_eq!(c.claim_job(&kinds).await.unwrap().unwrap().id, second.id);
    c.end_job(second.id, JobState::Failed, json!({"done": 1}), Some("no such shard")).await.unwrap();
    assert_eq!(c.steer_job(second.id, JobWish::Run).await.unwrap(), None, "what is over stays over");
    assert_eq!(c.steer_job(first.id, JobWish::Run).await.unwrap().unwrap().state, JobState::Queued);
    let again = c.claim_job(&kinds).await.unwrap().unwrap();
    assert_eq!((again.id, again.progress.done), (first.id, 5));
    c.end_job(first.id, JobState::Done, json!({"replayed": 10}), None).await.unwrap();
    let all = c.jobs(10).await.unwrap();
    assert_eq!(all.iter().map(|j| j.state).collect::<Vec<_>>(), [JobState::Failed, JobState::Done]);
    assert!(all[0].finished_at.is_some() && all[0].error.as_deref() == Some("no such shard"));
    let third = c.create_job(asked(JobKind::Backup)).await.unwrap();
    assert_eq!(c.steer_job(third.id, JobWish::Cancel).await.unwrap().unwrap().state, JobState::Cancelled);
    assert!(c.audit_log(9).await.unwrap().iter().any(|e| e.action == "job.asked"));
}

#[tokio::test]
async fn rules_have_versions_and_wait_for_the_log() {
    let w = World::new().await;
    let c = &w.catalog;
    let drop = RuleAction::Drop { events: vec!["debug".into()], conditions: vec![] };
    let rule = Rule {
        id: 0,
        project: ProjectId(1),
        version: 0,
        name: "no debug".into(),
        enabled: true,
        by: "ops".into(),
        reason: String::new(),
        made_at: 0,
        action: drop,
    };
    let one = c.put_rule(rule.clone()).await.unwrap().rule;
    let other = c.put_rule(Rule { name: "other".into(), ..rule.clone() }).await.unwrap().rule;
    assert_eq!((one.id, one.version, other.id), (1, 1, 2));
    let off = c.put_rule(Rule { enabled: false, ..one.clone() }).await.unwrap().rule;
    assert_eq!((off.id, off.version), (1, 2));
    assert!(c.put_rule(Rule { id: 9, ..rule.clone() }).await.is_err());
    assert!(
        c.put_rule(Rule { project: ProjectId(2), ..one.clone() }).await.is_err(),
        "not another project's"
    );
    assert_eq!(
        c.rules(ProjectId(1)).await.unwrap().iter().map(|d| d.rule.version).collect::<Vec<_>>(),
        [2, 1]
    );
    assert_eq!(c.unpublished_rules().await.unwrap().len(), 3);
    c.rule_published(1, 1).await.unwrap();
    let waiting: Vec<_> = c.unpublished_rules().await.unwrap().iter().map(|r| (r.id, r.version)).collect();
    assert!(!waiting.contains(&(1, 1)) && waiting.len() == 2);
    assert!(c.rule_versions(1).await.unwrap()[0].published_at.is_some());
}

#[tokio::test]
async fn erasures_can_be_taken_back_until_they_are_complete() {
    let w = World::new().await;
    let c = &w.catalog;
    let wish = Erasure {
        id: 0,
        project: ProjectId(1),
        subjects: vec![(SubjectKind::User, "u1".into())],
        by: "dpo".into(),
        reason: "art. 17".into(),
        made_at: 0,
        undo_until: 86_400_000,
        undone: false,
    };
    let first = c.put_erasure(wish.clone()).await.unwrap().erasure;
    assert_eq!(first.undo_until - first.made_at, 86_400_000, "as long as was asked, by the catalog's clock");
    assert_eq!(c.put_erasure(wish).await.unwrap().erasure.id, first.id + 1);
    c.erasure_published(first.id).await.unwrap();
    c.put_erasure(Erasure { undone: true, ..first.clone() }).await.unwrap();
    let held = c.erasures(Some(ProjectId(1))).await.unwrap().pop().unwrap();
    assert!(held.erasure.undone && held.published_at.is_none(), "the change has to be published too");
    c.erasure_completed(first.id).await.unwrap();
    assert!(c.put_erasure(first).await.is_err());
    assert!(c.erasures(Some(ProjectId(2))).await.unwrap().is_empty());
}

#[tokio::test]
async fn settings_and_tombstones() {
    let w = World::new().await;
    let c = &w.catalog;
    assert_eq!(c.setting("environment").await.unwrap(), None);
    c.set_setting("environment", &json!("production")).await.unwrap();
    c.set_setting("environment", &json!("staging")).await.unwrap();
    assert_eq!(Instance::settings(c).await.unwrap(), [("environment".to_owned(), json!("staging"))]);
    let made = c.create_project(NewProject { name: "web".into(), ..NewProject::default() }).await.unwrap();
    let id = made.project.id;
    assert!(c.delete_project(id, Millis::MAX).await.unwrap());
    assert!(!c.delete_project(id, Millis::MAX).await.unwrap());
    assert!(c.projects().await.unwrap().is_empty() && c.project("web").await.unwrap().is_none());
    assert_eq!(c.deleted_projects().await.unwrap()[0].0.name, "web");
    assert!(c.undelete_project(id).await.unwrap());
    assert_eq!(c.projects().await.unwrap().len(), 1);
    assert!(c.delete_project(id, 1).await.unwrap());
    assert!(!c.undelete_project(id).await.unwrap(), "too late");
}

#[tokio::test]
async fn definitions_have_versions_and_a_deletion_is_one() {
    use tallymark_catalog::{DefinitionKind, Definitions};
    let w = World::new().await;
    let c = &w.catalog;
    let (project, kind) = (ProjectId(1), DefinitionKind::VirtualEvent);
    let body = serde_json::json!({"any": [{"event": "view"}]});
    let mark = c.definitions_mark(project).await.unwrap();
    assert_eq!(c.define(project, kind, "seen", Some(&body), "ann").await.unwrap().version, 1);
    assert_eq!(c.define(project, kind, "seen", Some(&body), "bob").await.unwrap().version, 2);
    assert_eq!(
        c.define(project, DefinitionKind::Rename, "seen", Some(&body), "bob").await.unwrap().version,
        1
    );
    let newest = c.definitions(project).await.unwrap();
    let seen: Vec<_> = newest.iter().map(|d| (d.kind, d.version, d.by.as_str())).collect();
    assert_eq!(seen, [(DefinitionKind::Rename, 1, "bob"), (kind, 2, "bob")]);
    assert_eq!(newest[1].body, Some(body));
    assert!(c.definitions(ProjectId(2)).await.unwrap().is_empty());
    assert_eq!(c.define(project, kind, "seen", None, "ann").await.unwrap().version, 3);
    assert_eq!(c.definitions(project).await.unwrap().len(), 1);
    assert_eq!(c.definition_versions(project, kind, "seen").await.unwrap().len(), 3);
    assert!(c.definitions_mark(project).await.unwrap() > mark + 3);
}
