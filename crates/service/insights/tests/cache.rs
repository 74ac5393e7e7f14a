//! Kept answers are what a computation would find: commits of every kind with queries in between, and the same bytes
//! from an engine that keeps answers and from one that never does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use support::{Clutter, Commit, Layout, MemorySource, PROJECT};
use tallymark_insights::{Engine, QueryContext};
use tallymark_ledger::{Interval, SegmentMeta};
use tallymark_model::{
    CommitSeq, IdentityAction, Lane, Millis, Position, ProjectId, Shard, SubjectId, SubjectKind,
};
use tallymark_query::{Activity, Hidden, QueryError, Served, Snapshot, Source};
use tallymark_state::ProjectStats;
use tallymark_testkit::reference::World;
use tallymark_testkit::streams::{self, WorldShape};

/// A source that grows commit by commit.
struct Growing {
    now: Mutex<MemorySource>,
    commits: Vec<Commit>,
    done: Mutex<usize>,
}

impl Growing {
    fn new(world: &World, layout: Layout) -> Growing {
        let empty = World { events: Vec::new(), ..world.clone() };
        let now = Mutex::new(support::source(&empty, Layout { clutter: Clutter::None, ..layout }));
        Growing { now, commits: support::commits(world, layout), done: Mutex::new(0) }
    }

    /// The next commit; false if there is none.
    fn commit(&self) -> bool {
        let mut done = self.done.lock().unwrap();
        let Some(commit) = self.commits.get(*done) else { return false };
        *done += 1;
        let mut now = self.now.lock().unwrap();
        let next = CommitSeq(now.state.applied().0 + 1);
        now.state.apply(next, &commit.delta).unwrap();
        let fresh = support::write(&now.store, 0, &commit.events, &commit.properties);
        now.segments.extend(fresh);
        true
    }

    /// Everything so far in new files; the state does not move.
    fn compact(&self) {
        let done = *self.done.lock().unwrap();
        let mut now = self.now.lock().unwrap();
        let events: Vec<_> = self.commits[..done].iter().flat_map(|c| c.events.clone()).collect();
        let properties: Vec<_> = self.commits[..done].iter().flat_map(|c| c.properties.clone()).collect();
        now.segments = support::write(&now.store, 2, &events, &properties);
    }

    /// Masks every third position of a shard so far.
    fn mask(&self) {
        let mut now = self.now.lock().unwrap();
        let shard = Shard { lane: Lane::Live, partition: 0 };
        let masked: Vec<Interval> = (0..20).map(|i| Interval::new(shard, 3 * i, 3 * i + 1)).collect();
        let of: BTreeMap<_, _> = now.segments.iter().map(|s| (s.id, masked.clone())).collect();
        now.hidden = Arc::new(Hidden::new(&of, Arc::default()));
    }

    /// Erases users and devices.
    fn erase(&self) {
        let mut now = self.now.lock().unwrap();
        let wish = support::erasure(vec![
            (SubjectKind::User, "u0".to_owned()),
            (SubjectKind::Device, "d0".to_owned()),
            (SubjectKind::Device, "a".to_owned()),
            (SubjectKind::Device, "b".to_owned()),
        ]);
        // Everything that was received until then.
        let wish = tallymark_model::Erasure { made_at: BEGIN + 1000 * DAY, ..wish };
        let at = Position { lane: Lane::Bulk, partition: 0, offset: now.state.applied().0 };
        support::erase(&now.state, at, wish);
        let erased = now.state.snapshot(PROJECT).erased;
        now.hidden = Arc::new(Hidden::new(&BTreeMap::new(), erased));
    }

    fn with<T>(&self, with: impl FnOnce(&MemorySource) -> T) -> T {
        with(&self.now.lock().unwrap())
    }
}

impl Source for Growing {
    fn pin(&self, project: ProjectId) -> Result<Snapshot, QueryError> {
        self.with(|s| s.pin(project))
    }
    fn added(
        &self,
        project: ProjectId,
        after: CommitSeq,
        limit: usize,
    ) -> Result<(Vec<SegmentMeta>, CommitSeq), QueryError> {
        self.with(|s| s.added(project, after, limit))
    }
    fn latest(&self) -> Result<CommitSeq, QueryError> {
        self.with(MemorySource::latest)
    }
    fn find(&self, project: ProjectId, kind: SubjectKind, raw: &str) -> Option<SubjectId> {
        self.with(|s| s.find(project, kind, raw))
    }
    fn activity(&self, project: ProjectId, subjects: &[SubjectId]) -> Activity {
        self.with(|s| s.activity(project, subjects))
    }
    fn activities(&self, project: ProjectId) -> Vec<Activity> {
        self.with(|s| s.activities(project))
    }
    fn stats(&self, project: ProjectId) -> ProjectStats {
        self.with(|s| s.stats(project))
    }
}

fn worlds() -> impl Strategy<Value = World> {
    streams::world(WorldShape { events: 60, ..WorldShape::default() }).prop_map(|mut w| {
        w.first_user_owns_device = false;
        w.events.iter_mut().filter(|e| e.action == IdentityAction::Reset).for_each(|e| e.ops.clear());
        w
    })
}

fn queries() -> impl Strategy<Value = Value> {
    let one = prop_oneof![
        4 => streams::segmentation(),
        3 => streams::funnel(),
        2 => streams::retention(),
        1 => streams::lifecycle(),
        1 => streams::stickiness(),
        1 => streams::sessions(),
        1 => streams::paths(),
        1 => streams::composition(),
        1 => streams::ltv(),
        1 => streams::engagement(),
    ];
    // Half of them are asked as of now, which is another instant every time.
    (one, any::<bool>()).prop_map(|(mut query, now)| {
        let relative = query["range"].get("last").is_some();
        if now && !relative {
            query.as_object_mut().unwrap().remove("as_of");
        }
        query
    })
}

/// The answer without the clock.
fn text(answer: Result<Value, tallymark_insights::Error>, asked: &Value) -> String {
    match answer {
        Ok(mut answer) => {
            if asked["as_of"].is_null() {
                answer["as_of"] = Value::Null;
            }
            answer.to_string()
        }
        Err(error) => error.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn kept_answers_are_computed_answers(
        world in worlds(), asked in prop::collection::vec(queries(), 1..4), layout in (3usize..20, any::<bool>()),
        steps in prop::collection::vec(0u8..12, 4..16),
    ) {
        let layout = Layout { commit: layout.0, late: layout.1, ..Layout::FRESH };
        let source = Arc::new(Growing::new(&world, layout));
        let keeping = Engine::new(source.clone(), 2);
        let never = Engine::new(source.clone(), 2).keeping(0);
        for step in steps {
            match step {
                0..=6 => drop(source.commit()),
                7 => source.compact(),
                8 => source.mask(),
                9 => source.erase(),
                _ => {}
            }
            for query in &asked {
                let context = QueryContext::default();
                let kept = text(keeping.run(PROJECT, query, &context), query);
                let fresh = text(never.run(PROJECT, query, &QueryContext::default()), query);
                prop_assert_eq!(kept, fresh, "{} {:?}", query, context.reads.served());
            }
        }
    }
}

fn cases() -> u32 {
    std::env::var("TALLYMARK_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(120)
}

const DAY: Millis = 86_400_000;
const BEGIN: Millis = 1_761_264_000_000;

fn event(day: i64, n: i64, name: &str, device: &str) -> tallymark_testkit::reference::RefEvent {
    let position = Position { lane: Lane::Live, partition: 0, offset: (day * 10 + n) as u64 };
    let received_at = BEGIN + day * DAY + n * 1000;
    tallymark_testkit::reference::RefEvent {
        time: received_at,
        seq: tallymark_model::Seq { received_at, position: position.pack() },
        event: name.to_owned(),
        device_id: Some(device.to_owned()),
        ..Default::default()
    }
}

/// One commit per day, of two devices.
fn days(n: i64) -> World {
    let of_day = |day| [event(day, 0, "view", "a"), event(day, 1, "view", "b"), event(day, 2, "buy", "a")];
    World { events: (0..n).flat_map(of_day).collect(), ..World::default() }
}

fn served(engine: &Engine, query: &Value) -> (Value, Served) {
    let context = QueryContext::default();
    let answer = engine.run(PROJECT, query, &context).unwrap();
    (answer, context.reads.served())
}

#[test]
fn a_range_that_is_over_is_read_once_and_patched_ever_after() {
    let source = Arc::new(Growing::new(&days(6), Layout { commit: 3, ..Layout::FRESH }));
    let engine = Engine::new(source.clone(), 2);
    (0..3).for_each(|_| assert!(source.commit()));
    let closed = json!({"type": "segmentation", "series": [{"event": "view"}], "range": {"from": "2025-10-24", "to": "2025-10-25"}});
    let open = json!({"type": "segmentation", "series": [{"event": "view"}], "range": {"from": "2025-10-24", "to": "2025-10-29"}});
    let funnel = json!({"type": "funnel", "steps": [{"event": "view"}, {"event": "buy"}], "window": {"n": 1, "unit": "hour"},
        "range": {"from": "2025-10-24", "to": "2025-10-25"}});
    for query in [&closed, &open, &funnel] {
        assert_eq!(served(&engine, query).1, Served::Computed);
        assert_eq!(served(&engine, query).1, Served::Cached);
    }
    source.commit();
    let (answer, how) = served(&engine, &closed);
    assert_eq!(how, Served::Patched);
    assert_eq!((&answer["series"][0]["values"], &answer["identity_version"]), (&json!([2, 2]), &json!(4)));
    assert_eq!(served(&engine, &closed).1, Served::Cached, "it is this commit's now");
    assert_eq!(served(&engine, &funnel).1, Served::Patched);
    // The new day is in its range.
    let (answer, how) = served(&engine, &open);
    assert_eq!((how, &answer["series"][0]["values"]), (Served::Computed, &json!([2, 2, 2, 2, 0, 0])));
    // New files with the same rows: computed once more, and kept again.
    source.compact();
    assert_eq!(served(&engine, &closed).1, Served::Computed);
    source.commit();
    assert_eq!(served(&engine, &closed).1, Served::Patched);
}

#[test]
fn who_wants_it_computed_gets_it_computed() {
    let source = Arc::new(Growing::new(&days(4), Layout { commit: 3, ..Layout::FRESH }));
    while source.commit() {}
    let engine = Engine::new(source, 2);
    let query = json!({"type": "segmentation", "series": [{"event": "view"}], "range": {"from": "2025-10-24", "to": "2025-10-24"}});
    let kept = served(&engine, &query).0;
    let context = QueryContext { fresh: true, ..QueryContext::default() };
    assert_eq!(engine.run(PROJECT, &query, &context).unwrap()["series"], kept["series"]);
    assert_eq!(context.reads.served(), Served::Computed);
    assert_eq!(served(&engine, &query).1, Served::Cached);
}

#[test]
fn whoever_merges_or_is_erased_is_noticed() {
    let mut world = days(4);
    let mut merge = event(3, 5, "$identify", "a");
    merge.user_id = Some("u0".to_owned());
    let mut other = event(3, 6, "$identify", "b");
    other.user_id = Some("u0".to_owned());
    world.events.extend([merge, other]);
    let source = Arc::new(Growing::new(&world, Layout { commit: 3, ..Layout::FRESH }));
    let engine = Engine::new(source.clone(), 2);
    (0..3).for_each(|_| assert!(source.commit()));
    let uniques = json!({"type": "segmentation", "series": [{"event": "view"}], "range": {"from": "2025-10-24", "to": "2025-10-24"}});
    let mut devices = uniques.clone();
    devices["count_by"] = json!("device");
    assert_eq!(served(&engine, &uniques).0["series"][0]["total"], 2);
    assert_eq!(served(&engine, &devices).1, Served::Computed);
    while source.commit() {}
    let (answer, how) = served(&engine, &uniques);
    assert_eq!((how, &answer["series"][0]["total"]), (Served::Computed, &json!(1)));
    assert_eq!(served(&engine, &devices).1, Served::Patched, "devices do not merge");
    source.erase();
    let (answer, how) = served(&engine, &uniques);
    assert_eq!((how, &answer["series"][0]["total"]), (Served::Computed, &json!(0)));
}

#[test]
fn no_more_bytes_are_kept_than_there_is_room_for() {
    let source = Arc::new(Growing::new(&days(4), Layout { commit: 3, ..Layout::FRESH }));
    while source.commit() {}
    let engine = Engine::new(source, 2).keeping(20_000);
    let query = |n: u32| {
        json!({"type": "segmentation", "series": [{"event": "view"}], "limit": n,
            "range": {"from": "2025-10-24", "to": "2025-10-24"}})
    };
    (1..60).for_each(|n| drop(served(&engine, &query(n))));
    assert_eq!(served(&engine, &query(59)).1, Served::Cached);
    assert_eq!(served(&engine, &query(1)).1, Served::Computed, "the least recently used went first");
    let none = engine.keeping(0);
    assert_eq!(
        (served(&none, &query(1)).1, served(&none, &query(1)).1),
        (Served::Computed, Served::Computed)
    );
}
