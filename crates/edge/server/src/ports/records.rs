//! Single records of the log: what they are, who sent them.
//!
//! Guarantees: bounded reading; what was not read is counted.
//! Deliberately not here: what became of them.

use super::log_handle::{LogHandle, port};
use async_trait::async_trait;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tallymark_api::{PortError, RecordHead, Records, SenderRow, Senders};
use tallymark_catalog::Settings;
use tallymark_ledger::Interval;
use tallymark_log::{Item, LogReader, ReadLimit};
use tallymark_model::{
    DeadReason, Envelope, Lane, Millis, Position, ProjectId, ProjectToken, Record, RequestContext, Shard,
    WireFormat,
};

/// Most records that one report reads.
const READ_MAX: u64 = 500_000;
/// Newest records of each shard among which an insert id is searched.
const SEARCHED_MAX: u64 = 100_000;
const RANGES_MAX: usize = 100;
const MINUTE: Millis = 60_000;

/// Reads records from the log.
pub struct LogRecords {
    /// The log.
    pub log: Arc<LogHandle>,
    /// Whose token is whose.
    pub settings: Arc<dyn Settings>,
}

/// Owners of tokens, each asked for once.
#[derive(Default)]
struct Owners(HashMap<ProjectToken, ProjectId>);

impl Owners {
    async fn of(&mut self, settings: &dyn Settings, token: ProjectToken) -> Result<ProjectId, PortError> {
        if let Some(known) = self.0.get(&token) {
            return Ok(*known);
        }
        let found = settings.resolve(token).await.map_err(|e| port("resolving a key", e))?;
        let project = found.map_or(ProjectId::UNKNOWN, |(project, _)| project);
        self.0.insert(token, project);
        Ok(project)
    }
}

#[async_trait]
impl Records for LogRecords {
    async fn head(&self, position: Position) -> Result<Option<RecordHead>, PortError> {
        let log = self.log.get().await?;
        if position.partition >= log.partitions() {
            return Ok(None);
        }
        let bounds = log.bounds(position.shard()).await.map_err(|e| port("reading the log", e))?;
        if position.offset < bounds.start || position.offset >= bounds.end {
            return Ok(None);
        }
        let limit = ReadLimit { records: 1, ..ReadLimit::default() };
        let items = log.read(position, limit).await.map_err(|e| port("reading the log", e))?;
        for (at, record) in records(items) {
            if at == position {
                return Ok(Some(self.describe(at, &record, &mut Owners::default()).await?));
            }
        }
        Ok(None)
    }

    async fn find(
        &self,
        project: ProjectId,
        insert_id: &str,
        limit: usize,
    ) -> Result<Vec<RecordHead>, PortError> {
        let log = self.log.get().await?;
        let (mut owners, mut found) = (Owners::default(), Vec::new());
        for lane in Lane::ALL {
            for partition in 0..log.partitions() {
                let shard = Shard { lane, partition };
                let bounds = log.bounds(shard).await.map_err(|e| port("reading the log", e))?;
                let from = bounds.start.max(bounds.end.saturating_sub(SEARCHED_MAX));
                let mut reading = Reading::of(Interval::new(shard, from, bounds.end));
                while let Some(run) = reading.next(log).await? {
                    for (at, record) in run {
                        let Record::Event(envelope) = &record else { continue };
                        // Looking for the bytes first spares decoding almost all of them.
                        if !contains(&envelope.body, insert_id.as_bytes()) {
                            continue;
                        }
                        let head = self.describe(at, &record, &mut owners).await?;
                        let may_be_its =
                            head.project.is_some_and(|p| p == project || p == ProjectId::UNKNOWN);
                        if may_be_its && head.insert_id.as_deref() == Some(insert_id) {
                            found.push(head);
                        }
                    }
                }
            }
        }
        found.sort_by_key(|h| std::cmp::Reverse((h.project == Some(project), h.received_at, h.position)));
        found.truncate(limit);
        Ok(found)
    }

    async fn senders(&self, intervals: &[Interval]) -> Result<Senders, PortError> {
        let log = self.log.get().await?;
        let mut owners = Owners::default();
        let mut groups: BTreeMap<Group, Gathered> = BTreeMap::new();
        let mut senders = Senders::default();
        let (mut read, wanted) = (0, intervals.iter().map(Interval::len).sum::<u64>());
        'all: for interval in intervals {
            let bounds = log.bounds(interval.shard).await.map_err(|e| port("reading the log", e))?;
            let held = Interval { from: interval.from.max(bounds.start), ..*interval };
            let mut reading = Reading::of(held);
            while let Some(run) = reading.next(log).await? {
                for (at, record) in run {
                    if read == READ_MAX {
                        break 'all;
                    }
                    read += 1;
                    let Record::Event(envelope) = record else {
                        senders.control += 1;
                        continue;
                    };
                    senders.events += 1;
                    let project = owners.of(self.settings.as_ref(), envelope.token).await?;
                    let minute = envelope.received_at.div_euclid(MINUTE) * MINUTE;
                    let group = (project, envelope.token, envelope.wire as u8, minute);
                    groups.entry(group).or_default().add(at, &envelope);
                }
            }
        }
        senders.unread = wanted.saturating_sub(read);
        senders.rows = groups.into_iter().map(|(group, gathered)| gathered.row(group)).collect();
        Ok(senders)
    }

    fn decode(&self, wire: WireFormat, body: &str) -> Result<String, DeadReason> {
        let envelope = Envelope {
            token: ProjectToken([0; 16]),
            wire,
            lane: Lane::Live,
            key: String::new(),
            received_at: jiff::Timestamp::now().as_millisecond(),
            context: Arc::new(RequestContext::default()),
            body: body.to_owned().into(),
        };
        tallymark_wire::decode(&envelope).map(|event| event.name)
    }
}

impl LogRecords {
    async fn describe(
        &self,
        position: Position,
        record: &Record,
        owners: &mut Owners,
    ) -> Result<RecordHead, PortError> {
        let mut head = RecordHead {
            position,
            received_at: 0,
            project: None,
            event: None,
            insert_id: None,
            control: None,
        };
        match record {
            Record::Event(envelope) => {
                head.received_at = envelope.received_at;
                head.project = Some(owners.of(self.settings.as_ref(), envelope.token).await?);
                if let Ok(event) = tallymark_wire::decode(envelope) {
                    head.event = Some(event.name);
                    head.insert_id = event.insert_id;
                }
            }
            Record::Control { control, .. } => {
                let kind =
                    serde_json::to_value(control).ok().and_then(|c| c["kind"].as_str().map(str::to_owned));
                head.control = Some(kind.unwrap_or_default());
            }
        }
        Ok(head)
    }
}

/// Reads an interval run by run.
struct Reading {
    at: Position,
    to: u64,
}

impl Reading {
    fn of(interval: Interval) -> Reading {
        let Interval { shard, from, to } = interval;
        Reading { at: Position { lane: shard.lane, partition: shard.partition, offset: from }, to }
    }

    /// The next records; `None` at the end. A run may be empty, where the log has a gap.
    async fn next(&mut self, log: &dyn LogReader) -> Result<Option<Vec<(Position, Record)>>, PortError> {
        if self.at.offset >= self.to {
            return Ok(None);
        }
        let items = log.read(self.at, ReadLimit::default()).await.map_err(|e| port("reading the log", e))?;
        let Some(next) = items.iter().filter_map(end).next_back() else { return Ok(None) };
        self.at.offset = next;
        let to = self.to;
        Ok(Some(records(items).filter(|(p, _)| p.offset < to).collect()))
    }
}

fn end(item: &Item) -> Option<u64> {
    match item {
        Item::Records(records) => records.last().map(|(p, _)| p.offset + 1),
        Item::Gap { to, .. } => Some(*to),
    }
}

fn records(items: Vec<Item>) -> impl Iterator<Item = (Position, Record)> {
    items.into_iter().flat_map(|item| match item {
        Item::Records(records) => records,
        Item::Gap { .. } => Vec::new(),
    })
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    !wanted.is_empty() && body.windows(wanted.len()).any(|w| w == wanted)
}

/// Project, token, protocol, minute.
type Group = (ProjectId, ProjectToken, u8, Millis);

#[derive(Default)]
struct Gathered {
    events: u64,
    requests: u64,
    last: Option<(Millis, Arc<RequestContext>)>,
    ranges: Vec<Interval>,
}

impl Gathered {
    fn add(&mut self, at: Position, envelope: &Envelope) {
        self.events += 1;
        // The events of one request arrived at one time and share what the request said once.
        let same = self
            .last
            .as_ref()
            .is_some_and(|(time, context)| *time == envelope.received_at && *context == envelope.context);
        if !same {
            self.requests += 1;
            self.last = Some((envelope.received_at, envelope.context.clone()));
        }
        let next = Interval::new(at.shard(), at.offset, at.offset + 1);
        let room = self.ranges.len() < RANGES_MAX;
        match self.ranges.last_mut() {
            Some(last) if last.shard == next.shard && last.to == next.from => last.to = next.to,
            _ if room => self.ranges.push(next),
            _ => {}
        }
    }

    fn row(self, (project, token, wire, minute): Group) -> SenderRow {
        let wire = WireFormat::from_u8(wire)
            .and_then(|w| serde_json::to_value(w).ok())
            .and_then(|w| w.as_str().map(str::to_owned));
        SenderRow {
            project,
            token: token.to_string(),
            wire: wire.unwrap_or_default(),
            minute,
            events: self.events,
            requests: self.requests,
            ranges: self.ranges,
        }
    }
}
