//! The whole way: commits in a SQLite catalog, deltas and segments in a folder, the follower, the engine.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::{Commit, Layout, PROJECT, commits, log};
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{
    Advance, Commit as CatalogCommit, CommitAnswer, Commits, LeaseAnswer, LeaseName, Leases, NewProject,
    Settings,
};
use tallymark_insights::{Engine, QueryContext};
use tallymark_ledger::{Account, Fingerprint, SegmentMeta, Tally};
use tallymark_model::{Epoch, Lane, Millis, Position, Seq, Shard};
use tallymark_query::{CatalogSource, StateFollower};
use tallymark_store::{ObjectStore, SegmentSpec, encode_events, encode_properties};
use tallymark_testkit::reference::{self, World};
use tallymark_testkit::streams::{WorldShape, seeded};

/// One shard, dense offsets: what a log would hold.
fn world() -> World {
    let mut world = seeded(3, WorldShape { events: 300, users: 12, devices: 9, ..WorldShape::default() });
    world.inactive = vec!["push".into()];
    world.events.sort_by_key(|e| e.seq);
    for (offset, event) in world.events.iter_mut().enumerate() {
        let position = Position { lane: Lane::Live, partition: 0, offset: offset as u64 };
        event.seq = Seq::new(event.seq.received_at, position);
        event.insert_id = None;
    }
    world
}

async fn put(catalog: &SqliteCatalog, store: &ObjectStore, epoch: Epoch, commit: &Commit) {
    let spec = || SegmentSpec::new(PROJECT, log(), commit.id, epoch);
    let mut add: Vec<SegmentMeta> =
        vec![encode_events(&commit.events, &spec()).unwrap().store(store).await.unwrap()];
    if !commit.properties.is_empty() {
        add.push(encode_properties(&commit.properties, &spec()).unwrap().store(store).await.unwrap());
    }
    let key = format!("deltas/{}.delta", commit.id.0);
    store.put(&key, commit.delta.encode().unwrap().into()).await.unwrap();
    let offsets = || commit.events.iter().map(|e| e.position.offset);
    let received = || commit.events.iter().map(|e| e.received_at);
    let tally = Tally { visible: commit.events.len() as u64, ..Tally::default() };
    let visible = commit
        .events
        .iter()
        .map(|e| Fingerprint::of(log(), e.position))
        .fold(Fingerprint::default(), |a, b| a + b);
    let advance = Advance {
        shard: Shard { lane: Lane::Live, partition: 0 },
        from: offsets().min().unwrap(),
        to: offsets().max().unwrap() + 1,
        account: Account::Accounted { tally, visible },
        received_from: received().min().unwrap(),
        received_to: received().max().unwrap(),
        projects: vec![(PROJECT, tally, visible)],
    };
    let commit = CatalogCommit {
        advances: vec![advance],
        add,
        delta: Some(key),
        ..CatalogCommit::new(commit.id, epoch, 1)
    };
    let answer = catalog.commit(&commit).await.unwrap();
    assert!(matches!(answer, CommitAnswer::Applied(_)), "{answer:?}");
}

fn queries() -> Vec<Value> {
    let common =
        json!({"range": {"from": "2025-10-24", "to": "2025-11-07"}, "as_of": "2025-12-01T00:00:00Z"});
    let with = |mut query: Value| {
        common.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
        query
    };
    vec![
        with(
            json!({"type": "segmentation", "series": [{"event": "$active"}, {"event": "view", "measure": "totals"}],
            "breakdown": [{"scope": "user", "property": "plan"}]}),
        ),
        with(
            json!({"type": "funnel", "steps": [{"event": "view"}, {"event": "*"}], "window": {"n": 2, "unit": "day"}}),
        ),
        with(
            json!({"type": "retention", "start": {"event": "view"}, "return": {"event": "*"}, "periods": 3}),
        ),
    ]
}

#[test]
fn queries_follow_the_catalog_commit_by_commit() {
    let world = world();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = tallymark_store::open(&format!("file:{}", dir.path().join("objects").display())).unwrap();
    let path = dir.path().join("catalog.db");
    let (catalog, epoch) = runtime.block_on(async {
        let catalog = SqliteCatalog::open(&path, OpenMode::Create).await.unwrap();
        catalog.bind_log(log()).await.unwrap();
        let settings = json!({"inactive_events": ["push"]});
        let new = NewProject { name: "p".into(), timezone: "UTC".into(), settings, ..NewProject::default() };
        assert_eq!(catalog.create_project(new).await.unwrap().project.id, PROJECT);
        let answer = catalog.acquire(LeaseName::Process, "test", Duration::from_secs(600)).await.unwrap();
        let LeaseAnswer::Granted(lease) = answer else { panic!("{answer:?}") };
        (catalog, lease.epoch)
    });
    let shared = Arc::new(catalog.clone());
    let follower = runtime.block_on(StateFollower::open(shared.clone(), store.clone(), None)).unwrap();
    let source = CatalogSource::new(
        shared.clone(),
        shared,
        Arc::new(follower),
        store.clone(),
        runtime.handle().clone(),
    );
    let engine = Engine::new(Arc::new(source), 2);

    let layout = Layout { commit: 60, compacted: false, late: false, ..Layout::FRESH };
    let mut upto: Millis = 0;
    for (n, commit) in commits(&world, layout).iter().enumerate() {
        let (mut tail, at) = engine.tail(PROJECT, None, 0, &QueryContext::default()).unwrap();
        assert!(tail.is_empty());
        runtime.block_on(put(&catalog, &store, epoch, commit));
        upto += commit.events.len() as Millis;
        let seen = World { events: world.events[..upto as usize].to_vec(), ..world.clone() };
        for query in queries() {
            let ours = engine.run(PROJECT, &query, &QueryContext::default()).unwrap();
            let theirs = reference::run(&seen, &query);
            assert_eq!(ours["identity_version"], n as u64 + 1);
            for key in ["buckets", "counts", "cohorts"] {
                assert_eq!(ours[key], theirs[key], "{query} after commit {n}");
            }
            let rows = |v: &Value| {
                v["series"].as_array().map(|s| {
                    s.iter().map(|r| (r["breakdown"].clone(), r["values"].clone())).collect::<Vec<_>>()
                })
            };
            assert_eq!(rows(&ours), rows(&theirs), "{query} after commit {n}");
        }
        tail = engine.tail(PROJECT, Some(at), 1000, &QueryContext::default()).unwrap().0;
        assert_eq!(tail.len(), commit.events.len());
    }
    let schema = engine.schema(PROJECT, &QueryContext::default()).unwrap();
    let total: u64 = schema["events"].as_array().unwrap().iter().filter_map(|e| e["count"].as_u64()).sum();
    assert_eq!(total, 300);
}
