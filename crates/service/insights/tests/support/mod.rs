//! A world of the reference as real segments, deltas and folds, as the processor and the compactor would leave
//! them, without a log.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use tallymark_identity::IdentityOp;
use tallymark_insights::{Engine, Error, QueryContext};
use tallymark_ledger::{Interval, SegmentKind, SegmentMeta};
use tallymark_model::{
    CommitId, CommitSeq, Control, Epoch, Erasure, IdentityAction, Lane, LogId, Millis, Position, ProjectId,
    Shard, SubjectId, SubjectKind, is_operation,
};
use tallymark_query::{
    Activity, Completeness, Definition, DefinitionKind, Hidden, ProjectInfo, QueryError, Snapshot, Source,
    Vocabulary, WeekStart,
};
use tallymark_state::{Delta, ProjectStats, State, StateConfig, StateReader, StatsBuilder};
use tallymark_store::{
    EventRow, ObjectStore, PropertyRow, SegmentSpec, encode_events, encode_properties, group_rows,
};
use tallymark_testkit::reference::{Definitions, RefEvent, World};

pub const PROJECT: ProjectId = ProjectId(1);

/// How a world's events are laid out in files.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Events per commit.
    pub commit: usize,
    /// Rows of the first half of the commits are rewritten as event-major files.
    pub compacted: bool,
    /// Commits arrive in another order than that of the log.
    pub late: bool,
    /// Rows that do not count lie among the others.
    pub clutter: Clutter,
    /// Most files of commits that were not rewritten.
    pub files: usize,
}

/// Rows in the files that no query may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clutter {
    None,
    /// Because their positions are masked.
    Masked,
    /// Because their subjects are erased up to there.
    Erased,
}

/// Where the clutter comes from: no event of a world does.
pub const CLUTTERED: Shard = Shard { lane: Lane::Bulk, partition: 7 };

impl Layout {
    pub const FRESH: Layout =
        Layout { commit: 7, compacted: false, late: false, clutter: Clutter::None, files: usize::MAX };
    pub const MIXED: Layout =
        Layout { commit: 5, compacted: true, late: true, clutter: Clutter::Masked, files: usize::MAX };
}

/// One commit's rows and delta.
pub struct Commit {
    pub id: CommitId,
    pub delta: Delta,
    pub events: Vec<EventRow>,
    pub properties: Vec<PropertyRow>,
}

/// A source over segments in memory.
pub struct MemorySource {
    pub project: ProjectInfo,
    pub segments: Vec<SegmentMeta>,
    pub store: ObjectStore,
    pub state: StateReader,
    pub complete_through: Option<Millis>,
    pub hidden: Arc<Hidden>,
    pub completeness: Arc<Completeness>,
    pub cohorts: std::collections::BTreeMap<String, serde_json::Value>,
}

impl Source for MemorySource {
    fn pin(&self, project: ProjectId) -> Result<Snapshot, QueryError> {
        if project != self.project.id {
            return Err(QueryError::NoProject(project));
        }
        let state = self.state.snapshot(project);
        let (info, store) = (self.project.clone(), self.store.clone());
        let mut snapshot =
            Snapshot::new(info, state.seq, self.segments.clone(), state.identity, state.names, store);
        snapshot.complete_through = self.complete_through;
        snapshot.hidden = Arc::clone(&self.hidden);
        snapshot.completeness = Arc::clone(&self.completeness);
        Ok(snapshot)
    }
    fn added(
        &self,
        _: ProjectId,
        after: CommitSeq,
        _: usize,
    ) -> Result<(Vec<SegmentMeta>, CommitSeq), QueryError> {
        let all = if after.0 == 0 { self.segments.clone() } else { Vec::new() };
        Ok((all.into_iter().filter(|s| s.kind == SegmentKind::Events).collect(), self.state.applied()))
    }
    fn latest(&self) -> Result<CommitSeq, QueryError> {
        Ok(self.state.applied())
    }
    fn find(&self, project: ProjectId, kind: SubjectKind, raw: &str) -> Option<SubjectId> {
        self.state.find(project, kind, raw)
    }
    fn activity(&self, project: ProjectId, subjects: &[SubjectId]) -> Activity {
        self.state.activity(project, subjects)
    }
    fn activities(&self, project: ProjectId) -> Vec<Activity> {
        self.state.activities(project)
    }
    fn stats(&self, project: ProjectId) -> ProjectStats {
        self.state.stats(project)
    }
    fn cohort(&self, _: ProjectId, id: &str) -> Result<Option<serde_json::Value>, QueryError> {
        Ok(self.cohorts.get(id).cloned())
    }
}

/// The engine's inputs for a world.
pub fn source(world: &World, layout: Layout) -> MemorySource {
    let store = tallymark_store::open("memory:").unwrap();
    let commits = commits(world, layout);
    let state = StateReader::default();
    for (i, commit) in commits.iter().enumerate() {
        state.apply(CommitSeq(i as u64 + 1), &commit.delta).unwrap();
    }
    let mut segments = Vec::new();
    let half = if layout.compacted { commits.len() / 2 } else { 0 };
    let (old, fresh) = commits.split_at(half);
    for commits in fresh.chunks(fresh.len().div_ceil(layout.files).max(1)) {
        let events: Vec<EventRow> = commits.iter().flat_map(|c| c.events.clone()).collect();
        let properties: Vec<PropertyRow> = commits.iter().flat_map(|c| c.properties.clone()).collect();
        let (events, properties) = cluttered(&events, &properties, layout.clutter);
        segments.extend(write(&store, 0, &events, &properties));
    }
    let events: Vec<EventRow> = old.iter().flat_map(|c| c.events.clone()).collect();
    let properties: Vec<PropertyRow> = old.iter().flat_map(|c| c.properties.clone()).collect();
    let (mut events, mut properties) = cluttered(&events, &properties, layout.clutter);
    events.sort_by(|a, b| {
        (&a.event, a.subject, a.time, a.position).cmp(&(&b.event, b.subject, b.time, b.position))
    });
    properties.sort_by(|a, b| {
        let key = |r: &PropertyRow| (r.name.clone(), r.subject, r.time, r.position, r.index);
        key(a).cmp(&key(b))
    });
    segments.extend(write(&store, 2, &events, &properties));
    let hidden = Arc::new(hidden(&segments, layout.clutter, &state));
    MemorySource {
        project: project(world),
        segments,
        store,
        state,
        complete_through: None,
        hidden,
        completeness: Arc::default(),
        cohorts: world.cohorts.clone(),
    }
}

/// The rows with others among them, of the same people at about the same times.
fn cluttered(
    events: &[EventRow],
    properties: &[PropertyRow],
    clutter: Clutter,
) -> (Vec<EventRow>, Vec<PropertyRow>) {
    let (rows, mut events, mut properties) = (events, events.to_vec(), properties.to_vec());
    if clutter == Clutter::None {
        return (events, properties);
    }
    let foreign =
        |position: Position| Position { lane: CLUTTERED.lane, partition: CLUTTERED.partition, ..position };
    // What belongs to nobody cannot be erased.
    let hideable = |subject: SubjectId| clutter != Clutter::Erased || !subject.is_none();
    for i in (0..events.len()).rev().step_by(2).filter(|i| hideable(rows[*i].subject)) {
        let row = EventRow { position: foreign(events[i].position), ..events[i].clone() };
        events.insert(i, row);
    }
    for i in (0..properties.len()).rev().step_by(2).collect::<Vec<_>>() {
        if !hideable(properties[i].subject) {
            continue;
        }
        let position = foreign(properties[i].position);
        let of_group = properties[i].subject.is_none();
        let value_json = if of_group { "[\"g0\",\"no\"]" } else { "\"no\"" }.to_owned();
        let row = PropertyRow { position, value_json, ..properties[i].clone() };
        properties.insert(i, row);
    }
    (events, properties)
}

fn hidden(segments: &[SegmentMeta], clutter: Clutter, state: &StateReader) -> Hidden {
    let all = Interval::new(CLUTTERED, 0, u64::from(u32::MAX));
    let masked = segments.iter().map(|s| (s.id, vec![all])).collect();
    match clutter {
        Clutter::None => Hidden::default(),
        Clutter::Masked => Hidden::new(&masked, Arc::default()),
        Clutter::Erased => {
            let ids = state.snapshot(PROJECT).names;
            let subjects = ids.iter().map(|(_, kind, raw)| (kind, raw.to_owned())).collect();
            // Shards that have not passed the wish go by receive time: nothing is older than this.
            let wish = Erasure { made_at: Millis::MIN, ..erasure(subjects) };
            let at = Position { lane: CLUTTERED.lane, partition: CLUTTERED.partition, offset: all.to };
            erase(state, at, wish);
            Hidden::new(&Default::default(), state.snapshot(PROJECT).erased)
        }
    }
}

/// A wish to forget these ids.
pub fn erasure(subjects: Vec<(SubjectKind, String)>) -> Erasure {
    Erasure {
        id: 1,
        project: PROJECT,
        subjects,
        by: "a test".to_owned(),
        reason: String::new(),
        made_at: 0,
        undo_until: 0,
        undone: false,
    }
}

/// Lets a fold pass a wish at this place of the log.
pub fn erase(state: &StateReader, at: Position, wish: Erasure) {
    let id = CommitId(uuid::Uuid::now_v7());
    let delta = Delta { controls: vec![(at, Control::Erase(wish))], ..Delta::empty(id) };
    state.apply(CommitSeq(state.applied().0 + 1), &delta).unwrap();
}

/// An engine over a world.
pub fn engine(world: &World, layout: Layout) -> Engine {
    Engine::new(Arc::new(source(world, layout)), 2)
}

/// Runs a query with the default limits.
pub fn run(engine: &Engine, query: &serde_json::Value) -> Result<serde_json::Value, Error> {
    engine.run(PROJECT, query, &QueryContext::default())
}

/// The definitions as the catalog would hand them over.
fn vocabulary(definitions: &Definitions) -> Vocabulary {
    let one = |kind, (name, body): (&String, serde_json::Value)| Definition {
        project: PROJECT,
        kind,
        name: name.clone(),
        version: 1,
        body: Some(body),
        by: "a test".to_owned(),
        made_at: 0,
    };
    let d = definitions;
    let renames = d.renames.iter().map(|(n, old)| (n, serde_json::json!({"events": old})));
    let custom = d.custom.iter().map(|(n, e, _)| (n, serde_json::json!({"expression": e})));
    let whole = |list: &'_ [(String, serde_json::Value)]| list.to_vec();
    let mut all: Vec<Definition> = renames.map(|d| one(DefinitionKind::Rename, d)).collect();
    all.extend(custom.map(|d| one(DefinitionKind::CustomProperty, d)));
    all.extend(
        whole(&d.virtual_events).iter().map(|(n, b)| one(DefinitionKind::VirtualEvent, (n, b.clone()))),
    );
    all.extend(whole(&d.lookups).iter().map(|(n, b)| one(DefinitionKind::Lookup, (n, b.clone()))));
    Vocabulary::of(&all)
}

pub fn project(world: &World) -> ProjectInfo {
    ProjectInfo {
        timezone: world.timezone.clone(),
        week_start: if world.sunday_weeks { WeekStart::Sunday } else { WeekStart::Monday },
        inactive_events: Arc::new(world.inactive.iter().cloned().collect()),
        vocabulary: Arc::new(vocabulary(&world.definitions)),
        session_timeout: (world.session_timeout_min * 60_000.0) as Millis,
        ..ProjectInfo::plain(PROJECT)
    }
}

pub fn write(
    store: &ObjectStore,
    level: u8,
    events: &[EventRow],
    properties: &[PropertyRow],
) -> Vec<SegmentMeta> {
    let spec = || SegmentSpec {
        level,
        ..SegmentSpec::new(PROJECT, log(), CommitId(uuid::Uuid::now_v7()), Epoch(1))
    };
    let mut segments = Vec::new();
    let put = |encoded: tallymark_store::Encoded| block_on(encoded.store(store)).unwrap();
    if !events.is_empty() {
        segments.push(put(encode_events(events, &spec()).unwrap()));
    }
    if !properties.is_empty() {
        segments.push(put(encode_properties(properties, &spec()).unwrap()));
    }
    segments
}

/// The in-memory store completes at once.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub fn log() -> LogId {
    LogId(uuid::Uuid::from_u128(7))
}

/// Visible events of a world in commits, with their deltas.
pub fn commits(world: &World, layout: Layout) -> Vec<Commit> {
    let mut kept = visible(world);
    kept.sort_by_key(|e| e.seq);
    let mut parts: Vec<Vec<&RefEvent>> = kept.chunks(layout.commit).map(<[_]>::to_vec).collect();
    if layout.late {
        // Every other pair of neighbours swapped: operations of the later commit are folded late.
        parts.chunks_mut(2).filter(|pair| pair.len() == 2).step_by(2).for_each(|pair| pair.swap(0, 1));
    }
    let mut state = State::empty(StateConfig::default());
    let mut commits = Vec::new();
    for part in parts {
        let mut commit = commit(&state, &part);
        if layout.late {
            // The filter of operations relies on a device's records arriving in order, so it must not be used.
            commit.1.sort_unstable();
            commit.0.delta.projects.iter_mut().for_each(|p| p.ops.clone_from(&commit.1));
        }
        let commit = commit.0;
        state.apply(CommitSeq(commits.len() as u64 + 1), &commit.delta).unwrap();
        commits.push(commit);
    }
    commits
}

/// Duplicates never become rows.
fn visible(world: &World) -> Vec<&RefEvent> {
    const WEEK_MS: Millis = 7 * 86_400_000;
    let mut log: Vec<&RefEvent> = world.events.iter().collect();
    log.sort_by_key(|e| e.seq);
    let mut first = std::collections::HashMap::new();
    log.retain(|e| {
        let Some(insert_id) = &e.insert_id else { return true };
        let who =
            (e.device_id.clone(), e.user_id.clone().filter(|_| e.device_id.is_none()), insert_id.clone());
        match first.get(&who) {
            Some(at) if e.seq.received_at - at <= WEEK_MS => false,
            _ => {
                first.insert(who, e.seq.received_at);
                true
            }
        }
    });
    log
}

/// What the processor decides for these events, and every operation they ask for.
fn commit(state: &State, events: &[&RefEvent]) -> (Commit, Vec<IdentityOp>) {
    let id = CommitId(uuid::Uuid::now_v7());
    let mut overlay = state.overlay();
    let mut stats = StatsBuilder::default();
    let (mut rows, mut properties, mut ops) = (Vec::new(), Vec::new(), Vec::new());
    let part = overlay.project(PROJECT);
    for e in events {
        let position = Position::unpack(e.seq.position).unwrap();
        let mut number = |kind, raw: &Option<String>| {
            raw.as_deref().map_or(SubjectId::NONE, |raw| part.subject(kind, raw, e.seq))
        };
        let device = number(SubjectKind::Device, &e.device_id);
        let user = number(SubjectKind::User, &e.user_id);
        let mut others =
            |raw: &str| (part.mention(SubjectKind::User, raw), part.mention(SubjectKind::Device, raw));
        let op = match &e.action {
            IdentityAction::None => IdentityOp::of_event(e.seq, device, user),
            IdentityAction::Reset => IdentityOp::reset(e.seq, device, user),
            IdentityAction::Alias { other } => IdentityOp::alias(e.seq, (device, user), others(other)),
            IdentityAction::Merge { other } => IdentityOp::merge(e.seq, (device, user), others(other)),
        };
        part.op(op);
        ops.push(op);
        let subject = if user.is_none() { device } else { user };
        if !subject.is_none() && !is_operation(&e.event) {
            part.active(subject, e.time);
        }
        stats.add(&e.to_event());
        for (index, op) in e.ops.iter().enumerate().filter(|_| !subject.is_none()) {
            properties.push(PropertyRow {
                subject,
                name: op.name.clone(),
                op: op.kind,
                value_json: op.value.to_string(),
                time: e.time,
                position,
                received_at: e.seq.received_at,
                index: index as u32,
            });
        }
        properties.extend(group_rows(&e.to_event(), position, e.seq.received_at));
        rows.push(EventRow {
            position,
            received_at: e.seq.received_at,
            time: e.time,
            event: e.event.clone(),
            subject,
            user_id: e.user_id.clone(),
            device_id: e.device_id.clone(),
            insert_id: e.insert_id.clone(),
            session_id: e.session_id.clone(),
            properties: e.properties.clone(),
            groups: e.groups.clone(),
            annotations: Vec::new(),
        });
    }
    part.stats(&stats.finish());
    (Commit { id, delta: overlay.finish(id), events: rows, properties }, ops)
}
