//! Lists and pages over a random world, against the world itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use support::{Layout, PROJECT};
use tallymark_insights::{Engine, ErrorKind, EventsRequest, PersonsRequest, QueryContext, TimelineRequest};
use tallymark_model::is_operation;
use tallymark_query::parse_instant;
use tallymark_testkit::reference::{RefEvent, World, replay};
use tallymark_testkit::streams::{WorldShape, seeded};

fn world() -> World {
    let mut world = seeded(5, WorldShape { events: 400, users: 30, devices: 25, ..WorldShape::default() });
    world.events.iter_mut().for_each(|e| e.insert_id = None);
    world
}

fn engine(world: &World) -> Engine {
    support::engine(world, Layout { commit: 37, compacted: true, late: false, ..Layout::FRESH })
}

fn all_pages(engine: &Engine, mut request: EventsRequest) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let page = engine.events(PROJECT, &request, &QueryContext::default()).unwrap();
        let events = page["events"].as_array().unwrap();
        assert!(events.len() <= request.limit);
        all.extend(events.iter().cloned());
        match page["next"].as_str() {
            Some(next) => request.cursor = Some(next.to_owned()),
            None => return all,
        }
    }
}

fn place(e: &RefEvent) -> (i64, i64, u64) {
    (e.time, e.seq.received_at, e.seq.position)
}

#[test]
fn pages_of_events_cover_everything_once_newest_first() {
    let world = world();
    let engine = engine(&world);
    let listed = all_pages(&engine, EventsRequest { limit: 7, ..EventsRequest::default() });
    let mut expected: Vec<&RefEvent> = world.events.iter().collect();
    expected.sort_by_key(|e| std::cmp::Reverse(place(e)));
    assert_eq!(listed.len(), expected.len());
    for (ours, theirs) in listed.iter().zip(expected) {
        assert_eq!(ours["event"], theirs.event.as_str());
        assert_eq!(parse_instant(ours["time"].as_str().unwrap()), Some(theirs.time));
        assert_eq!(ours["user_id"].as_str(), theirs.user_id.as_deref());
        assert_eq!(ours["device_id"].as_str(), theirs.device_id.as_deref());
        let count = |v: &Value| v.as_object().unwrap().len();
        assert_eq!(count(&ours["properties"]), theirs.properties.len());
    }
    let operations = EventsRequest { limit: 50, events: vec!["$merge".into()], ..EventsRequest::default() };
    let count = world.events.iter().filter(|e| e.event == "$merge").count();
    assert!(count > 0);
    assert_eq!(all_pages(&engine, operations).len(), count);
    let only = EventsRequest {
        limit: 50,
        events: vec!["buy".into(), "cart".into()],
        from: Some(1_761_400_000_000),
        to: Some(1_762_000_000_000),
        ..EventsRequest::default()
    };
    let wanted = |e: &&RefEvent| {
        ["buy", "cart"].contains(&e.event.as_str())
            && (1_761_400_000_000..1_762_000_000_000).contains(&e.time)
    };
    assert_eq!(all_pages(&engine, only).len(), world.events.iter().filter(wanted).count());
}

#[test]
fn persons_have_their_ids_events_and_timeline() {
    let world = world();
    let engine = engine(&world);
    let mut log: Vec<&RefEvent> = world.events.iter().collect();
    log.sort_by_key(|e| e.seq);
    let truth = replay(&log, false);
    let mut events_of: BTreeMap<usize, u64> = BTreeMap::new();
    for (event, person) in log.iter().zip(&truth.persons) {
        if let Some(person) = person.filter(|_| !is_operation(&event.event)) {
            *events_of.entry(person).or_default() += 1;
        }
    }
    let mut seen = BTreeMap::new();
    let mut request = PersonsRequest { limit: 9, ..PersonsRequest::default() };
    loop {
        let page = engine.persons(PROJECT, &request, &QueryContext::default()).unwrap();
        for person in page["persons"].as_array().unwrap() {
            let key = person["person"].as_str().unwrap().to_owned();
            assert!(seen.insert(key, person.clone()).is_none(), "{person} twice");
        }
        match page["next"].as_str() {
            Some(next) => request.cursor = Some(next.to_owned()),
            None => break,
        }
    }
    for (person, users) in &truth.user_ids {
        let Some(user) = users.first() else { continue };
        let page = engine.person(PROJECT, user, &QueryContext::default()).unwrap();
        let ids: BTreeSet<&str> =
            page["user_ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(ids, users.iter().map(String::as_str).collect::<BTreeSet<_>>(), "{page}");
        let events = events_of.get(person).copied().unwrap_or(0);
        assert_eq!(page["events"].as_u64(), Some(events), "{page}");
        let key = page["person"].as_str().unwrap();
        assert_eq!(seen[key]["events"], page["events"]);
        // The page by key is the same page, and the timeline holds every row of the person.
        assert_eq!(engine.person(PROJECT, key, &QueryContext::default()).unwrap(), page);
        let timeline = TimelineRequest { limit: 1000, cursor: None };
        let rows = engine.timeline(PROJECT, key, &timeline, &QueryContext::default()).unwrap();
        let rows = rows["events"].as_array().unwrap();
        assert!(rows.iter().all(|r| r["person"] == page["person"]));
        // Page by page: of many rows in one place only those of the page are read whole.
        let mut paged = Vec::new();
        let mut short = TimelineRequest { limit: 2, cursor: None };
        loop {
            let found = engine.timeline(PROJECT, key, &short, &QueryContext::default()).unwrap();
            paged.extend(found["events"].as_array().unwrap().iter().cloned());
            let Some(next) = found["next"].as_str() else { break };
            short.cursor = Some(next.to_owned());
        }
        assert_eq!(&paged, rows);
        let counted = rows.iter().filter(|r| !is_operation(r["event"].as_str().unwrap())).count();
        assert_eq!(counted as u64, events);
    }
}

#[test]
fn persons_are_found_by_part_of_an_id_ignoring_case() {
    let world = world();
    let engine = engine(&world);
    let search = |text: &str| {
        let request = PersonsRequest { search: Some(text.into()), limit: 1000, cursor: None };
        engine.persons(PROJECT, &request, &QueryContext::default()).unwrap()["persons"]
            .as_array()
            .unwrap()
            .clone()
    };
    let found = search("U1");
    assert!(!found.is_empty());
    for person in &found {
        let ids = format!("{}{}", person["user_ids"], person["device_ids"]);
        assert!(ids.contains("u1"), "{person}");
    }
    assert!(search("nobody has this").is_empty());
    let error = engine.person(PROJECT, "nobody", &QueryContext::default()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "TM0304"));
    let bad = EventsRequest { cursor: Some("x".into()), ..EventsRequest::default() };
    assert_eq!(
        engine.events(PROJECT, &bad, &QueryContext::default()).unwrap_err().kind(),
        ErrorKind::BadRequest
    );
}

#[test]
fn the_schema_counts_names_and_the_tail_shows_what_is_new() {
    let world = world();
    let engine = engine(&world);
    let schema = engine.schema(PROJECT, &QueryContext::default()).unwrap();
    for event in schema["events"].as_array().unwrap() {
        let name = event["name"].as_str().unwrap();
        let count = world.events.iter().filter(|e| e.event == name).count();
        assert_eq!(event["count"].as_u64(), Some(count as u64), "{name}");
        assert_eq!(event["operation"], is_operation(name));
    }
    let has = |scope: &str, name: &str| {
        schema["properties"].as_array().unwrap().iter().any(|p| p["scope"] == scope && p["name"] == name)
    };
    assert!(has("event", "colour") && has("user", "plan"));
    let (none, latest) = engine.tail(PROJECT, None, 10, &QueryContext::default()).unwrap();
    assert!(none.is_empty() && latest > 0);
    let (events, next) = engine.tail(PROJECT, Some(0), 1000, &QueryContext::default()).unwrap();
    assert_eq!((events.len(), next), (world.events.len(), latest));
    let (some, _) = engine.tail(PROJECT, Some(0), 10, &QueryContext::default()).unwrap();
    assert_eq!(some, events[events.len() - 10..]);
}

/// An engine over a fold that has passed a wish to forget somebody.
fn engine_after(world: &World, subjects: &[(tallymark_model::SubjectKind, String)], undone: bool) -> Engine {
    use tallymark_model::{Erasure, Lane, Position, Shard};
    let mut source = support::source(world, Layout { commit: 37, compacted: true, ..Layout::FRESH });
    let last = world.events.iter().map(|e| e.seq.received_at).max().unwrap();
    // No shard of the world has the record of the wish, so all go by receive time.
    let at = Position { lane: Lane::Bulk, partition: 9, offset: 0 };
    assert_ne!(at.shard(), Shard { lane: Lane::Live, partition: 9 });
    let wish = Erasure { made_at: last, ..support::erasure(subjects.to_vec()) };
    support::erase(&source.state, at, wish.clone());
    if undone {
        support::erase(&source.state, Position { offset: 1, ..at }, Erasure { undone: true, ..wish });
    }
    let erased = source.state.snapshot(PROJECT).erased;
    source.hidden = std::sync::Arc::new(tallymark_query::Hidden::new(&Default::default(), erased));
    Engine::new(std::sync::Arc::new(source), 2)
}

fn all_persons(engine: &Engine) -> Vec<Value> {
    let request = PersonsRequest { limit: 1000, ..PersonsRequest::default() };
    let page = engine.persons(PROJECT, &request, &QueryContext::default()).unwrap();
    page["persons"].as_array().unwrap().clone()
}

#[test]
fn an_erased_person_is_nowhere_and_back_everywhere_when_that_is_undone() {
    use tallymark_model::SubjectKind;
    let world = world();
    let before = engine(&world);
    let someone = all_persons(&before).into_iter().find(|p| p["events"].as_u64() > Some(3)).unwrap();
    let texts = |key: &str| -> Vec<String> {
        someone[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    let users = texts("user_ids").into_iter().map(|raw| (SubjectKind::User, raw));
    let devices = texts("device_ids").into_iter().map(|raw| (SubjectKind::Device, raw));
    let ids: Vec<(SubjectKind, String)> = users.chain(devices).collect();
    let key = someone["person"].as_str().unwrap();
    let context = QueryContext::default();
    let everything = EventsRequest { limit: 1000, ..EventsRequest::default() };
    let uniques = |engine: &Engine| {
        let query = serde_json::json!({
            "type": "segmentation", "series": [{"event": "*", "measure": "uniques"}, {"event": "*", "measure": "totals"}],
            "interval": "none", "range": {"from": "2020-01-01", "to": "2030-01-01"},
        });
        let answer = support::run(engine, &query).unwrap();
        (answer["series"][0]["total"].as_f64().unwrap(), answer["series"][1]["total"].as_f64().unwrap())
    };

    let gone = engine_after(&world, &ids, false);
    let back = engine_after(&world, &ids, true);
    assert_eq!(all_persons(&back), all_persons(&before), "undone: as before");
    assert_eq!(all_pages(&back, everything.clone()), all_pages(&before, everything.clone()));
    assert_eq!(uniques(&back), uniques(&before));

    assert!(all_persons(&gone).iter().all(|p| p["person"] != key));
    let not_found = |answer: Result<Value, tallymark_insights::Error>| {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::NotFound);
    };
    not_found(gone.person(PROJECT, key, &context));
    not_found(gone.person(PROJECT, &ids[0].1, &context));
    not_found(gone.timeline(PROJECT, key, &TimelineRequest::default(), &context));
    let left = all_pages(&gone, everything.clone());
    let all = all_pages(&before, everything);
    let mine = |e: &&Value| {
        let subject = match e["user_id"].as_str() {
            Some(user) => (SubjectKind::User, user.to_owned()),
            None => (SubjectKind::Device, e["device_id"].as_str().unwrap_or_default().to_owned()),
        };
        ids.contains(&subject)
    };
    let expected: Vec<&Value> = all.iter().filter(|e| !mine(e)).collect();
    assert!(expected.len() < all.len());
    assert_eq!(left.iter().collect::<Vec<_>>(), expected, "no event of theirs, every event of others");
    let ((people, events), (people_before, events_before)) = (uniques(&gone), uniques(&before));
    assert!(people < people_before && events < events_before, "{people} {events}");
    for (kind, raw) in &ids {
        let request = PersonsRequest { search: Some(raw.clone()), limit: 1000, ..PersonsRequest::default() };
        let found = gone.persons(PROJECT, &request, &context).unwrap();
        // The same text as an id of the other kind is another id.
        let list = if *kind == SubjectKind::User { "user_ids" } else { "device_ids" };
        for person in found["persons"].as_array().unwrap() {
            assert!(
                !person[list].as_array().unwrap().contains(&Value::from(raw.as_str())),
                "{raw}: {person}"
            );
        }
    }
}

#[test]
fn lists_show_events_by_the_names_that_the_project_gives_them() {
    let mut world = world();
    world.definitions.renames.push(("seen".into(), vec!["view".into(), "cart".into()]));
    let engine = engine(&world);
    let all = all_pages(&engine, EventsRequest { limit: 50, ..EventsRequest::default() });
    for event in &all {
        match event["sent_as"].as_str() {
            Some(sent) => assert!(event["event"] == "seen" && ["view", "cart"].contains(&sent), "{event}"),
            None => assert!(!["view", "cart"].contains(&event["event"].as_str().unwrap()), "{event}"),
        }
    }
    let sent = |name: &str| world.events.iter().filter(|e| e.event == name).count();
    let listed = |name: &str| {
        let request = EventsRequest { limit: 50, events: vec![name.to_owned()], ..EventsRequest::default() };
        all_pages(&engine, request).len()
    };
    assert_eq!(listed("seen"), sent("view") + sent("cart"));
    assert_eq!((listed("buy"), listed("view")), (sent("buy"), 0), "an old name is nobody's any more");
    let schema = engine.schema(PROJECT, &QueryContext::default()).unwrap();
    let view = schema["events"].as_array().unwrap().iter().find(|e| e["name"] == "view").unwrap();
    assert_eq!(view["shown_as"], "seen");
}
