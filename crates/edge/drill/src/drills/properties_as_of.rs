//! A19-8: events processed late get the user properties that were valid then.

use super::{Drill, backlog};
use crate::error::DrillError;
use crate::figure::Figure;
use crate::load::{Batch, Event, Shape};
use crate::record::now_ms;
use crate::stage::Stage;
use crate::twins::Twins;
use serde_json::{Value, json};
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a19-8-properties-as-of",
    rows: &["A19-8"],
    title: "A hundred events per plan are replayed after the plan changed; each still counts under its own plan.",
    story: "In 2019 events that were processed a day late got the latest user properties instead of those valid\n\
            then. Here people are on plan free, send events, and change to pro; their events on free are skipped and\n\
            replayed only after the change. Broken down by plan, every chart must be as in the undisturbed twin.",
    run: |stage| Box::pin(run(stage)),
};

const PEOPLE: usize = 10;
const EVENTS: usize = 100;

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let mut twins = Twins::start(stage, |_| {}).await?;
    let mut hand = Hand { serial: 0, time: now_ms() - 7_200_000 };
    let free = hand.batches(1, "joined", json!({"plan": "free"}));
    twins.send(&free).await?;
    twins.compare(stage, "before").await?;
    twins.shop.freeze("process").await;
    let lost = hand.batches(EVENTS, "played", Value::Null);
    twins.send(&lost).await?;
    let skipped = backlog::skip_pending(stage, &twins.shop).await?;
    stage.figure(
        Figure::count("events on plan free that are skipped", skipped as usize)
            .exactly((PEOPLE * EVENTS) as f64),
    );
    let pro = hand.batches(1, "upgraded", json!({"plan": "pro"}));
    twins.send(&pro).await?;
    let after = hand.batches(EVENTS / 2, "played", Value::Null);
    twins.send(&after).await?;
    stage.note("everybody is on plan pro now; the skipped events are replayed");
    twins.shop.run_job("replay", json!({}), Duration::from_secs(60)).await?;
    twins.compare(stage, "after the replay").await?;
    let query = json!({"type": "segmentation", "series": [{"event": "played", "measure": "totals"}],
        "range": {"last": 7, "unit": "day"}, "interval": "none",
        "breakdown": [{"scope": "user", "property": "plan"}]});
    let (calm, shop) = (by_plan(&twins.calm.query(&query).await?), by_plan(&twins.shop.query(&query).await?));
    stage.note(format!("played by plan, undisturbed: {calm:?}; here: {shop:?}"));
    let off: f64 = calm
        .iter()
        .map(|(plan, n)| (n - shop.iter().find(|s| s.0 == *plan).map_or(0.0, |s| s.1)).abs())
        .sum();
    stage.figure(
        Figure::of("events whose plan differs from the undisturbed twin's", off, "")
            .exactly(0.0)
            .objective("A19-8"),
    );
    stage.judge(&twins.shop, &twins.record).await?;
    stage.verify(&twins.shop).await
}

fn by_plan(answer: &Value) -> Vec<(String, f64)> {
    let series = answer["series"].as_array().cloned().unwrap_or_default();
    series.iter().map(|s| (s["breakdown"].to_string(), s["total"].as_f64().unwrap_or(0.0))).collect()
}

/// Writes events by hand.
struct Hand {
    serial: u64,
    time: i64,
}

impl Hand {
    /// `each` events of every person, in batches of one event per person.
    fn batches(&mut self, each: usize, name: &str, sets: Value) -> Vec<Batch> {
        let mut batch = |_| Batch {
            shape: Shape::Native,
            events: (0..PEOPLE).map(|person| self.event(person, name, &sets)).collect(),
        };
        (0..each).map(&mut batch).collect()
    }

    fn event(&mut self, person: usize, name: &str, sets: &Value) -> Event {
        self.serial += 1;
        self.time += 10;
        Event {
            id: format!("00000000-0000-4000-9000-{:012x}", self.serial),
            name: name.to_owned(),
            user: Some(format!("member-{person}")),
            device: None,
            time: self.time,
            properties: json!({}),
            sets: sets.clone(),
        }
    }
}
