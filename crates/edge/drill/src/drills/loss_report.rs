//! A21-6, A21-15: a range is lost on purpose; the report names who sent it, and re-sending exactly that repairs it.

use super::{Drill, backlog};
use crate::error::Result;
use crate::figure::Figure;
use crate::instance::Instance;
use crate::load::{Batch, Profile, Script, feed};
use crate::record::{Record, now_ms};
use crate::stage::Stage;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Instant;

pub const DRILL: Drill = Drill {
    name: "a21-6-loss-report",
    rows: &["A21-6", "A21-15"],
    title: "A range is skipped; the loss report counts it per sender, and the receipts tell clients what to send again.",
    story: "In 2021, what could be recovered depended on the sender, and nobody could say who had sent what. Here a\n\
            range is skipped by command and not replayed. The loss report must count exactly the events in it;\n\
            clients look up their receipts, send again exactly the requests that touch it, with the same insert ids;\n\
            nothing is missing and nothing doubled. A later replay of the range must change no number.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    let profile = Profile { vendors: 0, ..Profile::default() };
    let mut script = Script::new(stage.seed, 1, 0, &profile);
    let mut batches: Vec<Batch> = (0..100).map(|_| script.batch(now_ms())).collect();
    feed(&shop, &batches, &record).await?;
    crate::judge::wait_visible(&shop, &record, stage.time(60.0)).await?;
    shop.freeze("process").await;
    let lost: Vec<Batch> = (0..100).map(|_| script.batch(now_ms())).collect();
    feed(&shop, &lost, &record).await?;
    batches.extend(lost);
    let ranges = backlog::pending(&shop).await?;
    let skipped = backlog::skip_pending(stage, &shop).await?;

    let (reported, receipts) = reported(stage, &shop, &ranges).await?;
    stage.figure(
        Figure::of("events reported minus events lost", reported as f64 - skipped as f64, "")
            .exactly(0.0)
            .objective("A21-6"),
    );
    stage.figure(Figure::count("receipts in the report", receipts).at_least(1.0));

    let again = touched(&batches, &record, &ranges);
    stage.note(format!(
        "{} of {} requests touch the range: their clients send them again",
        again.len(),
        batches.len()
    ));
    // The same ids: the second record only notes the second delivery.
    feed(&shop, &again, &Record::default()).await?;
    stage.judge(&shop, &record).await?;
    let (done, _) = shop.run_job("replay", json!({}), stage.time(60.0)).await?;
    stage.note(format!("a replay of the range afterwards: {}", done["report"]["outcomes"]));
    // The originals take their places back from the later copies, whose rows stay in their files, masked, until
    // compaction takes them out: what counts is what charts and events show.
    let shown = shop.events(None).await?.len();
    let charted: usize = record
        .acknowledged_by_event()
        .iter()
        .filter(|(name, _)| !name.starts_with('$'))
        .map(|(_, n)| n)
        .sum();
    let more = shop.total("*").await?.abs_diff(charted) + shown.abs_diff(record.acknowledged_count());
    stage.figure(
        Figure::count("events more or fewer in charts and lists after a later replay", more)
            .exactly(0.0)
            .objective("A21-6"),
    );
    stage.verify(&shop).await
}

/// Events and receipts that the loss report names for these ranges.
pub async fn reported(stage: &mut Stage, shop: &Instance, ranges: &[Value]) -> Result<(u64, usize)> {
    let (asked, mut reported, mut receipts) = (Instant::now(), 0, 0);
    for range in ranges {
        let path = format!(
            "/api/v1/operations/loss-report?lane=live&partition={}&from={}&to={}",
            range["partition"], range["from"], range["to"]
        );
        let report = shop.known(&path).await?;
        let senders = report["senders"].as_array().cloned().unwrap_or_default();
        reported += senders.iter().filter_map(|s| s["events"].as_u64()).sum::<u64>();
        receipts += senders.iter().map(|s| s["receipts"].as_array().map_or(0, Vec::len)).sum::<usize>();
        if report["equation"]["balanced"] != true {
            stage.note(format!("the equation of {range} does not balance: {}", report["equation"]));
        }
    }
    let seconds = asked.elapsed().as_secs_f64();
    stage
        .figure(Figure::seconds("until the loss report was there", seconds).at_most(5.0).objective("A21-15"));
    Ok((reported, receipts))
}

/// The requests whose receipts touch one of the ranges.
pub fn touched(batches: &[Batch], record: &Record, ranges: &[Value]) -> Vec<Batch> {
    let receipts: HashMap<String, String> =
        record.sent().into_iter().filter_map(|s| Some((s.id, s.receipt?.to_string()))).collect();
    let touches = |batch: &&Batch| {
        let receipt = batch.events.first().and_then(|e| receipts.get(&e.id));
        receipt.is_some_and(|r| parts(r).iter().any(|part| ranges.iter().any(|range| overlap(part, range))))
    };
    batches.iter().filter(touches).cloned().collect()
}

/// A receipt is what its documentation says: base64url of `[[lane, partition, from, to]…]`, live being lane 0.
fn parts(receipt: &str) -> Vec<[u64; 4]> {
    let bytes = URL_SAFE_NO_PAD.decode(receipt).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn overlap(part: &[u64; 4], range: &Value) -> bool {
    let number = |k: &str| range[k].as_u64().unwrap_or(u64::MAX);
    part[0] == 0 && part[1] == number("partition") && part[2] < number("to") && number("from") < part[3]
}
