//! How long the analyses take over generated events on this machine: `speed [events] [days] [users] [name]`.
//!
//! Writes event-major day files into a temporary folder (as the compactor leaves them), and the same rows once
//! more as small fresh files, and prints the median of five warm runs of each query (or of those whose names contain a text) over
//! both.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use support::{MemorySource, PROJECT, block_on, log};
use tallymark_insights::{Engine, QueryContext, TimelineRequest};
use tallymark_ledger::SegmentMeta;
use tallymark_model::{CommitId, CommitSeq, Epoch, Lane, Position, Seq, SubjectId, SubjectKind};
use tallymark_query::ProjectInfo;
use tallymark_state::{Delta, DeltaProject, NewSubject, StateReader};
use tallymark_store::{EventRow, ObjectStore, SegmentSpec, encode_events};

const RUNS: usize = 5;
const DAY_MS: i64 = 86_400_000;
/// 2025-01-01.
const BEGIN: i64 = 1_735_689_600_000;
const NAMES: [&str; 12] = [
    "page_view",
    "play",
    "search",
    "add_to_cart",
    "like",
    "share",
    "signup",
    "checkout",
    "purchase",
    "cancel",
    "open",
    "close",
];

fn main() {
    let named = std::env::args().nth(4).unwrap_or_default();
    let mut args = std::env::args().skip(1).filter_map(|a| a.parse::<u64>().ok());
    let (events, days) = (args.next().unwrap_or(1_000_000), args.next().unwrap_or(90));
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = tallymark_store::open(&format!("file:{}", dir.path().display())).expect("a store");
    let users = args.next().unwrap_or(events / 12).max(10) as u32;
    let began = Instant::now();
    let (mut sealed, mut fresh) = (Vec::new(), Vec::new());
    let mut random = Random(42);
    for day in 0..days {
        let mut rows: Vec<EventRow> =
            (0..events / days).map(|i| row(&mut random, day, i, events / days, users)).collect();
        for part in rows.chunks(20_000) {
            fresh.push(write(&store, 0, part));
        }
        rows.sort_by(|a, b| (&a.event, a.subject, a.time).cmp(&(&b.event, b.subject, b.time)));
        sealed.push(write(&store, 2, &rows));
    }
    let bytes =
        |segments: &[SegmentMeta]| segments.iter().map(|s| s.bytes).sum::<u64>() as f64 / events as f64;
    println!(
        "{events} events, {users} users, {days} days; written in {:.1} s; bytes per event {:.1} sealed, {:.1} fresh",
        began.elapsed().as_secs_f64(),
        bytes(&sealed),
        bytes(&fresh)
    );
    let engine = |segments: Vec<SegmentMeta>| {
        let source = MemorySource {
            project: ProjectInfo::plain(PROJECT),
            segments,
            store: store.clone(),
            state: people(users),
            complete_through: None,
            hidden: Default::default(),
            completeness: Default::default(),
            cohorts: Default::default(),
        };
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        // Answers that are kept would be given again.
        Engine::new(Arc::new(source), threads).keeping(0)
    };
    let (sealed, fresh) = (engine(sealed), engine(fresh));
    println!("{:<34}{:>12}{:>12}", format!("median of {RUNS}, ms"), "sealed", "fresh");
    for (name, query) in queries(days).into_iter().filter(|(name, _)| name.contains(&named)) {
        let ask =
            |engine: &Engine| drop(engine.run(PROJECT, &query, &QueryContext::default()).expect("an answer"));
        println!("{name:<34}{:>12.1}{:>12.1}", median_ms(|| ask(&sealed)), median_ms(|| ask(&fresh)));
    }
    let name = "timeline of a person, 100 events";
    if name.contains(&named) {
        let request = TimelineRequest { limit: 100, ..TimelineRequest::default() };
        let ask = |engine: &Engine| {
            let context = QueryContext::default();
            drop(engine.timeline(PROJECT, "user-77", &request, &context).expect("events"));
        };
        println!("{name:<34}{:>12.1}{:>12.1}", median_ms(|| ask(&sealed)), median_ms(|| ask(&fresh)));
    }
}

fn queries(days: u64) -> Vec<(&'static str, Value)> {
    let to = tallymark_query::Calendar::utc()
        .label(tallymark_query::Unit::Day, BEGIN + (days as i64 - 1) * DAY_MS);
    let range = json!({"from": "2025-01-01", "to": to.expect("a date")});
    let with = |mut query: Value| {
        query["range"] = range.clone();
        query["as_of"] = json!("2026-01-01T00:00:00Z");
        query
    };
    let steps = json!([{"event": "page_view"}, {"event": "add_to_cart"}, {"event": "purchase"}]);
    let day = json!({"n": 1, "unit": "day"});
    vec![
        (
            "daily uniques, one event",
            with(json!({"type": "segmentation", "series": [{"event": "page_view"}]})),
        ),
        ("daily uniques, any event", with(json!({"type": "segmentation", "series": [{"event": "*"}]}))),
        (
            "totals by property",
            with(
                json!({"type": "segmentation", "series": [{"event": "page_view", "measure": "totals"}], "breakdown": [{"property": "country"}]}),
            ),
        ),
        (
            "uniques where property",
            with(
                json!({"type": "segmentation", "series": [{"event": "*", "where": [{"property": "country", "op": "is", "value": "DE"}]}]}),
            ),
        ),
        (
            "median of a number",
            with(
                json!({"type": "segmentation", "series": [{"event": "purchase", "measure": "median", "property": "amount"}]}),
            ),
        ),
        ("funnel of 3, window 1 day", with(json!({"type": "funnel", "steps": steps, "window": day}))),
        (
            "funnel of 3, 7 days, by country",
            with(
                json!({"type": "funnel", "steps": steps, "window": {"n": 7, "unit": "day"}, "breakdown": {"property": "country"}}),
            ),
        ),
        (
            "retention, calendar weeks",
            with(
                json!({"type": "retention", "start": {"event": "signup"}, "return": {"event": "play"}, "interval": "week", "periods": 8}),
            ),
        ),
    ]
}

fn median_ms(ask: impl Fn()) -> f64 {
    let mut times: Vec<f64> = (0..RUNS + 1)
        .map(|_| {
            let began = Instant::now();
            ask();
            began.elapsed().as_secs_f64() * 1000.0
        })
        .skip(1)
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn row(random: &mut Random, day: u64, nth: u64, of: u64, users: u32) -> EventRow {
    // Skewed: small numbers are frequent.
    let skewed = |random: &mut Random, n: u64| random.below(n).min(random.below(n));
    let subject = 1 + random.below(u64::from(users)) as u32;
    let name = NAMES[skewed(random, NAMES.len() as u64) as usize];
    let time = BEGIN + day as i64 * DAY_MS + (nth * DAY_MS as u64 / of) as i64;
    let country = ["DE", "US", "FR", "JP", "BR"][skewed(random, 5) as usize];
    let plan = ["free", "team", "business"][skewed(random, 3) as usize];
    let os = ["ios", "android", "web"][skewed(random, 3) as usize];
    let properties = json!({
        "country": country,
        "page": format!("/page/{}", skewed(random, 500)),
        "plan": plan,
        "version": format!("1.{}", skewed(random, 40)),
        "os": os,
        "seconds": random.below(3600),
        "amount": (random.below(10_000) as f64) / 100.0,
    });
    EventRow {
        position: Position { lane: Lane::Live, partition: 0, offset: day * of + nth },
        received_at: time + 500,
        time,
        event: name.to_owned(),
        subject: SubjectId(subject),
        user_id: Some(format!("user-{subject}")),
        device_id: None,
        insert_id: Some(format!("{:016x}{:016x}", random.below(u64::MAX), random.below(u64::MAX))),
        session_id: Some(format!("{subject}-{}", time / 1_800_000)),
        properties: properties.as_object().cloned().unwrap_or_default(),
        groups: Vec::new(),
        annotations: Vec::new(),
    }
}

fn write(store: &ObjectStore, level: u8, rows: &[EventRow]) -> SegmentMeta {
    let spec =
        SegmentSpec { level, ..SegmentSpec::new(PROJECT, log(), CommitId(uuid::Uuid::now_v7()), Epoch(1)) };
    block_on(encode_events(rows, &spec).expect("encodable rows").store(store)).expect("a stored segment")
}

fn people(users: u32) -> StateReader {
    let state = StateReader::default();
    let commit = CommitId(uuid::Uuid::now_v7());
    let subject = |n: u32| NewSubject {
        id: SubjectId(n),
        kind: SubjectKind::User,
        raw: format!("user-{n}"),
        first_seq: Seq { received_at: BEGIN, position: u64::from(n) },
    };
    let project =
        DeltaProject { subjects: (1..=users).map(subject).collect(), ..DeltaProject::empty(PROJECT) };
    let delta = Delta { projects: vec![project], ..Delta::empty(commit) };
    state.apply(CommitSeq(1), &delta).expect("a delta that fits");
    state
}
