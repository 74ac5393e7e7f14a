//! An API over a real catalog in a temporary folder, with a stand-in for the query engine that answers with the
//! project it was asked about, so that an answer of the wrong project is recognised.
#![allow(dead_code, reason = "each test file uses its part")]

mod operations;

pub use operations::{Door, Fold, LogBook, Watcher};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tallymark_api::{
    ApiParts, ApiState, Backlog, BacklogReading, Component, ComponentStatus, Components, DeadLetter,
    DeadPage, Keepsake, Limits, Outcomes, PEER_HEADER, PortError, Questions, ShardBounds, Verdict, router,
};
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog, WebCatalog};
use tallymark_catalog::{
    Advance, Commit, Commits, CreatedProject, KeyKind, LeaseAnswer, LeaseName, Leases, NewKey, NewProject,
    Settings,
};
use tallymark_insights::{
    Error, EventsRequest, PersonsRequest, QueryContext, StoredMembers, TimelineRequest,
};
use tallymark_ledger::{Account, Fingerprint, Interval, Tally};
use tallymark_model::{CommitId, DeadReason, Lane, Position, ProjectId, Shard, WireFormat};
use tallymark_query::QueryError;
use tower::ServiceExt;
use uuid::Uuid;

pub const SHARD: Shard = Shard { lane: Lane::Live, partition: 0 };
pub const OTHER: Shard = Shard { lane: Lane::Bulk, partition: 1 };
/// 2023-11-14T22:13:20Z
pub const NOON: i64 = 1_700_000_000_000;

pub struct World {
    pub dir: tempfile::TempDir,
    pub catalog: SqliteCatalog,
    pub engine: Arc<Engine>,
    pub log: Arc<Log>,
    pub door: Arc<Door>,
    pub fold: Arc<Fold>,
    pub watcher: Arc<Watcher>,
    /// Since when the catalog's file is gone; 0 = it is there.
    pub lost: Arc<AtomicI64>,
    pub keepsake: Arc<Kept>,
    pub app: Router,
    pub a: CreatedProject,
    pub b: CreatedProject,
    pub admin: String,
}

/// A text in memory.
#[derive(Default)]
pub struct Kept(pub Mutex<Option<String>>);

impl Keepsake for Kept {
    fn load(&self) -> Option<String> {
        self.0.lock().unwrap().clone()
    }
    fn keep(&self, text: &str) -> Result<(), String> {
        *self.0.lock().unwrap() = Some(text.to_owned());
        Ok(())
    }
}

impl World {
    pub async fn new() -> World {
        World::with(Limits { tail_interval: Duration::from_millis(20), ..Limits::default() }).await
    }

    pub async fn with(limits: Limits) -> World {
        let dir = tempfile::tempdir().unwrap();
        let catalog = SqliteCatalog::open(&dir.path().join("catalog.db"), OpenMode::Create).await.unwrap();
        let named = |name: &str| NewProject {
            name: name.to_owned(),
            timezone: "Europe/Berlin".to_owned(),
            ..NewProject::default()
        };
        let a = catalog.create_project(named("alpha")).await.unwrap();
        let b = catalog.create_project(named("beta")).await.unwrap();
        let admin = NewKey { kind: KeyKind::Admin, project: None, name: "ops".into(), value: None };
        let admin = catalog.create_key(admin).await.unwrap().value;
        let (engine, log) = (Arc::new(Engine::default()), Arc::new(Log::default()));
        let (door, fold) = (Arc::new(Door::default()), Arc::new(Fold::default()));
        let watcher = Arc::new(Watcher::default());
        let lost = Arc::new(AtomicI64::new(0));
        let asked = lost.clone();
        let keepsake = Arc::new(Kept::default());
        let state = ApiState::new(ApiParts {
            catalog: Arc::new(WebCatalog::from(catalog.clone())),
            questions: engine.clone(),
            backlog: log.clone(),
            outcomes: log.clone(),
            records: Arc::new(LogBook),
            control: door.clone(),
            in_force: fold.clone(),
            watch: watcher.clone(),
            catalog_lost: Arc::new(move || Some(asked.load(Ordering::SeqCst)).filter(|at| *at > 0)),
            keepsake: keepsake.clone(),
            components: Arc::new(Parts),
            metrics: Arc::new(|| "tallymark_events_total 7\n".to_owned()),
            demo: false,
            limits,
        });
        World {
            dir,
            catalog,
            engine,
            log,
            door,
            fold,
            watcher,
            lost,
            keepsake,
            app: router(state),
            a,
            b,
            admin,
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer {
            status: parts.status,
            headers: parts.headers,
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    pub async fn get(&self, path: &str, key: &str) -> Answer {
        self.send(with_key("GET", path, key).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        let request = with_key("POST", path, key).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub async fn put(&self, path: &str, key: &str, body: Value) -> Answer {
        let request = with_key("PUT", path, key).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub async fn patch(&self, path: &str, key: &str, body: Value) -> Answer {
        let request = with_key("PATCH", path, key).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub async fn delete(&self, path: &str, key: &str) -> Answer {
        self.send(with_key("DELETE", path, key).body(Body::empty()).unwrap()).await
    }

    /// Calls the environment something.
    pub async fn environment(&self, name: &str) {
        use tallymark_catalog::Instance;
        self.catalog.set_setting("environment", &json!(name)).await.unwrap();
    }

    /// Posts as a browser: with cookies and the CSRF token, if given.
    pub async fn browse(
        &self,
        method: &str,
        path: &str,
        person: Option<&Person>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8000");
        if let Some(person) = person {
            request = request.header("cookie", &person.cookie).header("x-csrf-token", &person.csrf);
        }
        let body = match body {
            Some(json) => {
                request = request.header("content-type", "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    /// Sets the instance up and returns the first person's session.
    pub async fn person(&self) -> Person {
        use tallymark_catalog::Accounts;
        self.catalog.offer_setup("ABCD-EFGH-JKLM").await.unwrap();
        let form = json!({"code": "abcd-efgh-jklm", "email": "ann@example.org", "password": "correct horse battery"});
        Person::of(&self.browse("POST", "/api/v1/setup", None, Some(form)).await)
    }

    /// Commits `n` visible and one dead record for project alpha on [`SHARD`].
    pub async fn commit(&self, n: u64) {
        let LeaseAnswer::Granted(lease) =
            self.catalog.acquire(LeaseName::Process, "test", Duration::from_secs(60)).await.unwrap()
        else {
            panic!("no lease")
        };
        let from = self.log.cursor.load(Ordering::SeqCst) as u64;
        let tally = Tally { dead: n, control: 1, ..Tally::default() };
        let part = Tally { dead: n, ..Tally::default() };
        let sum = Fingerprint::default();
        let account = Account::Accounted { tally, visible: sum };
        let projects = vec![(self.a.project.id, part, sum)];
        let advance = Advance {
            shard: SHARD,
            from,
            to: from + n + 1,
            account,
            received_from: NOON,
            received_to: NOON,
            projects,
        };
        let commit =
            Commit { advances: vec![advance], ..Commit::new(CommitId(Uuid::new_v4()), lease.epoch, NOON) };
        self.catalog.commit(&commit).await.unwrap();
        self.log.cursor.store((from + n + 1) as usize, Ordering::SeqCst);
    }
}

pub fn with_key(method: &str, path: &str, key: &str) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    if key.is_empty() { request } else { request.header("authorization", format!("Bearer {key}")) }
}

pub fn from_address(method: &str, path: &str, address: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header(PEER_HEADER, address)
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub json: Value,
    pub text: String,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
pub struct Person {
    pub cookie: String,
    pub csrf: String,
}

impl Person {
    pub fn of(answer: &Answer) -> Person {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        Person { cookie, csrf: answer.json["csrf"].as_str().unwrap().to_owned() }
    }
}

/// Answers every question with the project's name, after doing what the query asks for.
#[derive(Default)]
pub struct Engine {
    pub running: AtomicUsize,
    pub most_running: AtomicUsize,
    pub cancelled: AtomicUsize,
    /// True: whatever is asked, the files cannot be read.
    pub fail: AtomicBool,
    pub tail: Mutex<Vec<(ProjectId, Value)>>,
}

impl Engine {
    fn say(project: ProjectId) -> Value {
        json!({"canary": canary(project)})
    }

    /// Shows an event on the live tail with the next commit.
    pub fn show(&self, project: ProjectId, event: Value) {
        self.tail.lock().unwrap().push((project, event));
    }
}

pub fn canary(project: ProjectId) -> String {
    format!("canary-of-project-{project}")
}

impl Questions for Engine {
    fn check_cohort(&self, _: ProjectId, _: Option<&str>, definition: &Value) -> Result<(), Error> {
        match definition.get("wrong") {
            Some(_) => Err(Error::UnknownKey { path: "definition.wrong".into(), hint: "performed".into() }),
            None => Ok(()),
        }
    }
    fn compute_cohort(
        &self,
        project: ProjectId,
        _: &Value,
        _: &QueryContext,
    ) -> Result<StoredMembers, Error> {
        Ok(StoredMembers { seq: 7, size: 2, bytes: canary(project).into_bytes() })
    }
    fn members(
        &self,
        project: ProjectId,
        bytes: &[u8],
        after: Option<&str>,
        limit: usize,
        _: &QueryContext,
    ) -> Result<Value, Error> {
        assert_eq!(bytes, canary(project).as_bytes());
        let member = json!({"person": canary(project), "name": "=cmd()"});
        Ok(json!({"size": 2, "members": [member], "next": null, "after": after, "limit": limit}))
    }
    fn behind(&self, project: ProjectId, query: &Value, _: &QueryContext) -> Result<Vec<String>, Error> {
        match query.get("microscope") {
            Some(_) => Ok(vec![canary(project)]),
            None => Err(Error::UnknownKey { path: "query".into(), hint: "microscope".into() }),
        }
    }
    fn as_definition(&self, query: &Value) -> Result<Value, Error> {
        Ok(json!({"performed": query["event"]}))
    }
    fn run(&self, project: ProjectId, query: &Value, context: &QueryContext) -> Result<Value, Error> {
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(now, Ordering::SeqCst);
        let mut steps = query["steps"].as_u64().unwrap_or(0);
        context.progress.expect(steps);
        let mut result = Ok(Engine::say(project));
        while steps > 0 && result.is_ok() {
            std::thread::sleep(Duration::from_millis(5));
            context.progress.advance(10);
            steps -= 1;
            if context.cancel.check().is_err() {
                self.cancelled.fetch_add(1, Ordering::SeqCst);
                result = Err(context.cancel.check().unwrap_err().into());
            }
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        if self.fail.load(Ordering::SeqCst) {
            return Err(QueryError::storage("reading the catalog", "gone").into());
        }
        match query["type"].as_str() {
            Some("panic") => panic!("as asked"),
            Some("malformed") => {
                Err(Error::UnknownKey { path: "series[0].x".into(), hint: "event, where".into() })
            }
            Some("memory") => Err(context.budget.reserve(u64::MAX / 2).unwrap_err().into()),
            _ => result,
        }
    }
    fn explain(&self, project: ProjectId, _: &Value, _: &QueryContext) -> Result<Value, Error> {
        Ok(Engine::say(project))
    }
    fn events(&self, project: ProjectId, r: &EventsRequest, _: &QueryContext) -> Result<Value, Error> {
        let event = json!({"event": "=cmd()", "time": "t", "person": canary(project), "properties": {"limit": r.limit,
            "events": r.events, "person": r.person, "from": r.from, "to": r.to, "cursor": r.cursor}});
        Ok(json!({"events": [event], "next": null}))
    }
    fn tail(
        &self,
        project: ProjectId,
        after: Option<u64>,
        _: usize,
        _: &QueryContext,
    ) -> Result<(Vec<Value>, u64), Error> {
        let Some(after) = after else { return Ok((vec![], 0)) };
        let mut waiting = self.tail.lock().unwrap();
        let mine: Vec<Value> =
            waiting.iter().filter(|(p, _)| *p == project).map(|(_, e)| e.clone()).collect();
        waiting.retain(|(p, _)| *p != project);
        Ok((mine, after + 1))
    }
    fn persons(&self, project: ProjectId, r: &PersonsRequest, _: &QueryContext) -> Result<Value, Error> {
        Ok(
            json!({"persons": [{"person": canary(project), "user_ids": ["u"], "properties": {"q": r.search}}], "next": null}),
        )
    }
    fn person(&self, project: ProjectId, person: &str, _: &QueryContext) -> Result<Value, Error> {
        match person {
            "nobody" => Err(Error::NoPerson(person.to_owned())),
            _ => Ok(
                json!({"person": person, "user_ids": [person], "device_ids": ["d1"], "canary": canary(project)}),
            ),
        }
    }
    fn timeline(
        &self,
        project: ProjectId,
        person: &str,
        r: &TimelineRequest,
        _: &QueryContext,
    ) -> Result<Value, Error> {
        let next = if r.cursor.is_none() { json!("more") } else { Value::Null };
        let events = [json!({"event": "e", "of": canary(project)})];
        Ok(
            json!({"person": person, "limit": r.limit, "canary": canary(project), "events": events, "next": next}),
        )
    }
    fn schema(&self, project: ProjectId, _: &QueryContext) -> Result<Value, Error> {
        Ok(Engine::say(project))
    }
}

/// A log of two shards; `live/0` ends at 20, `bulk/1` at 5.
#[derive(Default)]
pub struct Log {
    pub cursor: AtomicUsize,
    pub verdicts: Mutex<Vec<Verdict>>,
}

#[async_trait]
impl Backlog for Log {
    async fn bounds(&self) -> Result<Vec<ShardBounds>, PortError> {
        Ok(vec![
            ShardBounds { shard: SHARD, start: 0, end: 20 },
            ShardBounds { shard: OTHER, start: 0, end: 5 },
        ])
    }
    async fn read(&self, cursors: &[(Shard, u64)], _: &[Interval]) -> Result<BacklogReading, PortError> {
        let at = cursors.iter().find(|(s, _)| *s == SHARD).map_or(0, |(_, at)| *at);
        let by_project = HashMap::from([(ProjectId(1), 20u64.saturating_sub(at)), (ProjectId(2), 5)]);
        Ok(BacklogReading { bounds: self.bounds().await?, by_project, exact: true })
    }
}

#[async_trait]
impl Outcomes for Log {
    async fn count(&self, ranges: &[Interval]) -> Result<Tally, PortError> {
        let all: u64 = ranges.iter().map(|r| r.len()).sum();
        Ok(Tally { visible: all - all.min(1), duplicate: all.min(1), ..Tally::default() })
    }
    async fn dead_letters(
        &self,
        project: ProjectId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<DeadPage, PortError> {
        if cursor == Some("broken") {
            return Err(PortError { what: "the object store", detail: "/secret/path: no such file".into() });
        }
        let reason = if limit < 500 { "invalid_json" } else { "invalid_field" };
        let letter = DeadLetter {
            position: Position { lane: Lane::Live, partition: 0, offset: limit as u64 },
            reason: DeadReason::new(reason, "at byte 3"),
            ..letter(project)
        };
        Ok(DeadPage { dead: vec![letter], next: None })
    }
    async fn of(&self, position: Position) -> Result<Option<Verdict>, PortError> {
        Ok(self.verdicts.lock().unwrap().iter().find(|v| v.position == position).cloned())
    }
    async fn dead_letter(
        &self,
        project: ProjectId,
        position: Position,
    ) -> Result<Option<DeadLetter>, PortError> {
        let letter = letter(project);
        Ok((project == ProjectId(1) && position == letter.position).then_some(letter))
    }
}

/// The dead letter at `live/0@3`.
fn letter(project: ProjectId) -> DeadLetter {
    DeadLetter {
        position: Position { lane: Lane::Live, partition: 0, offset: 3 },
        received_at: NOON,
        reason: DeadReason::new("invalid_json", "at byte 3"),
        wire: WireFormat::NativeV1,
        body: format!("{{\"event\":\"{}\",\"time\":\"soon\"}}", canary(project)).into(),
    }
}

pub struct Parts;

#[async_trait]
impl Components for Parts {
    async fn components(&self) -> Vec<Component> {
        vec![Component { name: "process".into(), status: ComponentStatus::Up, detail: String::new() }]
    }
}
