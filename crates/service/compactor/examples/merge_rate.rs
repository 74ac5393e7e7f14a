//! Rows per second of writing fresh segments and of dividing them by day, on one thread.
//!
//! `cargo run --release -p tallymark-compactor --example merge_rate -- [ROWS]`

#![allow(clippy::unwrap_used, clippy::expect_used)]

use model::{CommitId, CommitSeq, Epoch, Lane, LogId, Position, ProjectId, SubjectId, SubjectKind};
use std::time::Instant;
use tallymark_compactor::{MergeRequest, Order, merge};
use tallymark_identity::Graph;
use tallymark_model as model;
use tallymark_store::{EventRow, SegmentReader, SegmentSpec, encode_events, open};
use tokio_util::sync::CancellationToken;

const SEGMENT_ROWS: u64 = 50_000;
const DAY_MS: i64 = 86_400_000;

fn row(offset: u64) -> EventRow {
    let dice = offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let user = dice % 20_000 + 1;
    let page =
        format!("https://example.com/{}/{}", ["pricing", "docs", "blog"][dice as usize % 3], dice % 500);
    let of = |words: &[&'static str]| words[dice as usize % words.len()];
    let properties = serde_json::json!({
        "page_url": page, "referrer": of(&["", "google", "direct"]), "duration": dice % 3000,
        "country": of(&["DE", "FR", "US", "BR"]), "city": format!("city {}", user % 200),
        "browser": of(&["Chrome", "Firefox", "Safari"]), "app_version": "1.2.3", "mobile": dice & 1 == 0,
        "price": (dice % 10_000) as f64 / 100.0, "plan": if user & 1 == 0 { "free" } else { "pro" },
    });
    EventRow {
        position: Position { lane: Lane::Live, partition: 0, offset },
        received_at: offset as i64,
        time: (dice % 10) as i64 * DAY_MS + (dice % DAY_MS as u64) as i64,
        event: ["page view", "click", "sign up", "buy", "search"][dice as usize % 5].to_owned(),
        subject: SubjectId(user as u32),
        user_id: Some(format!("user-{user}")),
        device_id: Some(format!("device-{user}")),
        insert_id: Some(format!("{:032x}", u128::from(dice) * u128::from(offset + 1))),
        session_id: Some((1_600_000_000_000 + dice % 100_000).to_string()),
        properties: properties.as_object().unwrap().clone(),
        groups: Vec::new(),
        annotations: Vec::new(),
    }
}

fn main() {
    let rows: u64 = std::env::args().nth(1).map_or(1_000_000, |n| n.parse().expect("ROWS is a number"));
    let store = open("memory:").unwrap();
    let (log, commit) = (LogId(uuid::Uuid::from_u128(1)), CommitId(uuid::Uuid::from_u128(2)));
    let mut inputs = Vec::new();
    let mut encoding = 0.0;
    for from in (0..rows).step_by(SEGMENT_ROWS as usize) {
        let some: Vec<EventRow> = (from..rows.min(from + SEGMENT_ROWS)).map(row).collect();
        let started = Instant::now();
        let encoded = encode_events(&some, &SegmentSpec::new(ProjectId(1), log, commit, Epoch(1))).unwrap();
        encoding += started.elapsed().as_secs_f64();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let meta = runtime.block_on(encoded.store(&store)).unwrap();
        inputs.push(SegmentReader::open(&store, &meta).unwrap());
    }
    println!("fresh segments: {:.3} M rows/s", rows as f64 / encoding / 1e6);

    let mut graph = Graph::default();
    for subject in 1..=20_000 {
        graph.add_subject(SubjectId(subject), SubjectKind::User, model::Seq::MIN);
    }
    let view = graph.view();
    for (name, order) in [
        ("arrival order", Order::Arrival),
        ("by day and event", Order::Days { view: &view, seq: CommitSeq(1), min_rows: 1 }),
    ] {
        let request = MergeRequest { order, max_file_rows: 2_000_000, commit, parent: None, epoch: Epoch(1) };
        let started = Instant::now();
        let outputs = merge(&inputs, &request, &CancellationToken::new()).unwrap();
        let seconds = started.elapsed().as_secs_f64();
        let bytes: u64 = outputs.iter().map(|o| o.meta.bytes).sum();
        println!(
            "{name}: {:.3} M rows/s, {} files, {:.1} bytes/row",
            rows as f64 / seconds / 1e6,
            outputs.len(),
            bytes as f64 / rows as f64
        );
    }
}
