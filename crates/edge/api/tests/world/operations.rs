//! Stand-ins for log records, the control socket, the fold and the watch.

use super::{NOON, SHARD, canary};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Mutex;
use tallymark_api::{
    AlertBody, CareBody, ControlDoor, ControlOrder, EstimateBody, FileSourceBody, FindingBody, HeldBack,
    InForce, Maintenance, MaintenanceBody, PortError, RecordHead, Records, RuleInForce, SenderRow, Senders,
    SourceBody, SourcesReading, StatusDocument, Watch,
};
use tallymark_ledger::Interval;
use tallymark_model::{DeadReason, Lane, Position, ProjectId, WireFormat};

/// Records 0 to 9 of `live/0` are project 1's, 10 to 19 project 2's; record 5 is a control record.
pub struct LogBook;

fn head(position: Position) -> Option<RecordHead> {
    if position.shard() != SHARD || position.offset >= 20 {
        return None;
    }
    let control = (position.offset == 5).then(|| "rule".to_owned());
    let project = if position.offset < 10 { ProjectId(1) } else { ProjectId(2) };
    Some(RecordHead {
        position,
        received_at: if control.is_some() { 0 } else { NOON },
        project: control.is_none().then_some(project),
        event: control.is_none().then(|| canary(project)),
        insert_id: control.is_none().then(|| format!("i{}", position.offset)),
        control,
    })
}

#[async_trait]
impl Records for LogBook {
    async fn head(&self, position: Position) -> Result<Option<RecordHead>, PortError> {
        Ok(head(position))
    }
    async fn find(
        &self,
        project: ProjectId,
        insert_id: &str,
        _: usize,
    ) -> Result<Vec<RecordHead>, PortError> {
        let all = (0..20).filter_map(|offset| head(Position { lane: Lane::Live, partition: 0, offset }));
        Ok(all.filter(|h| h.project == Some(project) && h.insert_id.as_deref() == Some(insert_id)).collect())
    }
    async fn senders(&self, intervals: &[Interval]) -> Result<Senders, PortError> {
        let events: u64 = intervals.iter().map(Interval::len).sum();
        let row = SenderRow {
            project: ProjectId(1),
            token: "00".into(),
            wire: "native_v1".into(),
            minute: NOON,
            events,
            requests: 1,
            ranges: intervals.to_vec(),
        };
        Ok(Senders { rows: vec![row], events, control: 0, unread: 0 })
    }
    fn decode(&self, _: WireFormat, body: &str) -> Result<String, DeadReason> {
        let parsed: Value =
            serde_json::from_str(body).map_err(|e| DeadReason::new("invalid_json", e.to_string()))?;
        parsed["event"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| DeadReason::new("missing_field", "no event"))
    }
}

/// Keeps what is handed over.
#[derive(Default)]
pub struct Door {
    pub orders: Mutex<Vec<ControlOrder>>,
    pub throttle: Mutex<Value>,
}

#[async_trait]
impl ControlDoor for Door {
    async fn append(&self, order: ControlOrder) -> Result<Vec<Position>, PortError> {
        let positions = order.at.iter().map(|(shard, _)| Position {
            lane: shard.lane,
            partition: shard.partition,
            offset: 99,
        });
        let positions = positions.collect();
        self.orders.lock().unwrap().push(order);
        Ok(positions)
    }
    async fn throttle_rules(&self) -> Result<Value, PortError> {
        Ok(json!({"rules": *self.throttle.lock().unwrap()}))
    }
    async fn set_throttle_rules(&self, rules: &Value) -> Result<Result<(), String>, PortError> {
        if rules["version"] != 1 {
            return Ok(Err("version: expected 1".to_owned()));
        }
        *self.throttle.lock().unwrap() = rules.clone();
        Ok(Ok(()))
    }
}

/// Rules that some shards have passed; set by tests.
#[derive(Default)]
pub struct Fold {
    pub broken: std::sync::atomic::AtomicBool,
    pub rules: Mutex<Vec<RuleInForce>>,
}

#[async_trait]
impl InForce for Fold {
    async fn rules(&self, _: ProjectId) -> Result<Vec<RuleInForce>, PortError> {
        Ok(self.rules.lock().unwrap().clone())
    }
    async fn held_back(&self, project: ProjectId) -> Result<Vec<HeldBack>, PortError> {
        if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(PortError { what: "the fold", detail: "a delta is damaged".into() });
        }
        let row = |throttled, reason: &str, count| HeldBack {
            hour: NOON - NOON % 3_600_000,
            throttled,
            reason: reason.to_owned(),
            count,
        };
        let rows = vec![row(true, "device", 7), row(false, "too_large", 3)];
        Ok(if project == ProjectId(1) { rows } else { Vec::new() })
    }
}

/// One open incident `inc1`; windows as announced.
#[derive(Default)]
pub struct Watcher {
    pub acknowledged: Mutex<Option<String>>,
    pub windows: Mutex<Vec<MaintenanceBody>>,
    pub ended_sources: Mutex<Vec<String>>,
    pub broken: std::sync::atomic::AtomicBool,
}

impl Watcher {
    fn works(&self) -> Result<(), PortError> {
        if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(PortError { what: "the watch", detail: "/secret/watch.db".into() });
        }
        Ok(())
    }
}

#[async_trait]
impl Watch for Watcher {
    async fn document(&self, document: StatusDocument) -> Result<String, PortError> {
        self.works()?;
        Ok(json!({"document": format!("{document:?}")}).to_string())
    }
    fn check(&self, setting: &str, value: &Value) -> Result<(), String> {
        match (setting, value.get("nonsense")) {
            ("alerts", Some(_)) => Err("unknown field `nonsense`".to_owned()),
            _ => Ok(()),
        }
    }
    async fn findings(&self) -> Result<Vec<FindingBody>, PortError> {
        self.works()?;
        Ok(vec![FindingBody {
            id: "auditor-findings/hole".into(),
            monitor: "auditor-findings".into(),
            severity: "critical".into(),
            impact: "minor".into(),
            title: "Events without an outcome".into(),
            detail: "live/0 5 to 9".into(),
            component: "processing".into(),
            projects: vec!["1".into()],
            affected: vec![],
            since: "2026-01-01T00:00:00.000Z".into(),
            runbook: "runbooks/auditor-findings.md".into(),
        }])
    }
    async fn sources(&self, project: ProjectId) -> Result<SourcesReading, PortError> {
        self.works()?;
        let at = "2026-01-01T00:00:00.000Z".to_owned();
        let ended = self.ended_sources.lock().unwrap();
        let mine = |id: &str| project == ProjectId(1) && !ended.contains(&id.to_owned());
        let source = SourceBody {
            id: "ab12".into(),
            key: "default (wk_12345…)".into(),
            protocol: "PostHog".into(),
            library: Some("posthog-python".into()),
            library_version: None,
            lane: "live".into(),
            state: "silent".into(),
            watched: true,
            first_event: at.clone(),
            last_event: at.clone(),
            rate: 0.0,
            usual_rate: 12.5,
            other_days: Some(vec![10.0, 15.0]),
            minutes: vec![0; 60],
        };
        let sources = if mine("ab12") { vec![source] } else { vec![] };
        Ok(SourcesReading { sources, watched_at: Some(at) })
    }
    async fn files(&self, project: &[String]) -> Result<Vec<FileSourceBody>, PortError> {
        self.works()?;
        let orders =
            FileSourceBody { name: "orders".into(), state: "idle".into(), ..FileSourceBody::default() };
        Ok(if project == ["1", "alpha"] { vec![orders] } else { vec![] })
    }
    async fn watch_source(&self, project: ProjectId, id: &str, _: bool, _: &str) -> Result<bool, PortError> {
        Ok(self.sources(project).await?.sources.iter().any(|s| s.id == id))
    }
    async fn end_source(&self, project: ProjectId, id: &str, _: &str) -> Result<bool, PortError> {
        let known = self.watch_source(project, id, true, "").await?;
        self.ended_sources.lock().unwrap().extend(known.then(|| id.to_owned()));
        Ok(known)
    }
    async fn alerts(&self, _: usize) -> Result<Vec<AlertBody>, PortError> {
        self.works()?;
        let acknowledged = self.acknowledged.lock().unwrap().clone();
        Ok(vec![AlertBody {
            id: "inc1".into(),
            title: "Events without an outcome".into(),
            severity: "critical".into(),
            impact: "minor".into(),
            status: "investigating".into(),
            opened_at: "2026-01-01T00:00:00.000Z".into(),
            resolved_at: None,
            acknowledged_at: acknowledged.as_ref().map(|_| "2026-01-01T00:01:00.000Z".to_owned()),
            acknowledged_by: acknowledged,
            findings: vec![],
            deliveries: vec![],
        }])
    }
    async fn conflicts(&self, project: ProjectId) -> Result<(u64, Vec<(i64, u64)>), PortError> {
        self.works()?;
        Ok(if project == ProjectId(1) { (2, vec![(NOON - NOON % 3_600_000, 2)]) } else { (0, Vec::new()) })
    }
    async fn report(&self, id: &str) -> Result<Option<(AlertBody, String)>, PortError> {
        let known = self.alerts(1).await?.into_iter().find(|a| a.id == id);
        Ok(known.map(|a| (a, "# Events without an outcome\n".to_owned())))
    }
    async fn acknowledge(&self, id: &str, by: &str) -> Result<bool, PortError> {
        if id != "inc1" {
            return Ok(false);
        }
        *self.acknowledged.lock().unwrap() = Some(by.to_owned());
        Ok(true)
    }
    async fn estimates(&self, _: usize) -> Result<Vec<EstimateBody>, PortError> {
        Ok(Vec::new())
    }
    async fn care(&self, _: usize) -> Result<Vec<CareBody>, PortError> {
        Ok(Vec::new())
    }
    async fn maintenances(&self) -> Result<Vec<MaintenanceBody>, PortError> {
        Ok(self.windows.lock().unwrap().clone())
    }
    async fn put_maintenance(
        &self,
        id: Option<&str>,
        window: &Maintenance,
        _: &str,
    ) -> Result<Option<MaintenanceBody>, PortError> {
        let mut windows = self.windows.lock().unwrap();
        let made = MaintenanceBody {
            id: id.map_or_else(|| format!("m{}", windows.len()), str::to_owned),
            name: window.name.clone(),
            message: window.message.clone(),
            components: window.components.clone(),
            starts_at: window.starts_at.to_string(),
            ends_at: window.ends_at.to_string(),
            status: "scheduled".into(),
        };
        match id {
            None => windows.push(made.clone()),
            Some(id) => match windows.iter_mut().find(|w| w.id == id) {
                Some(window) => *window = made.clone(),
                None => return Ok(None),
            },
        }
        Ok(Some(made))
    }
    async fn drop_maintenance(&self, id: &str) -> Result<bool, PortError> {
        let mut windows = self.windows.lock().unwrap();
        let before = windows.len();
        windows.retain(|w| w.id != id);
        Ok(windows.len() < before)
    }
}
