//! A21-10: a lane that is full does not slow the other; an object store that is away pauses, and drops nothing.

use super::{Drill, backlog};
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::load::{Event, Profile, Script, Shape};
use crate::record::{Acceptance, Attempt, Record, Sent, now_ms};
use crate::stage::Stage;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "a21-10-lanes-apart",
    rows: &["A21-10"],
    title: "The batch lane is full and live stays fresh; the object store is away and nothing is refused or lost.",
    story: "In 2021 one stuck dependency stopped both lanes. Here the batch lane gets sixty thousand events at\n\
            once while live events arrive: canaries measure how fresh live is until the batch is worked off. Then the\n\
            folder of the object store is taken away for some seconds under load: processing pauses, collecting goes\n\
            on, and when the store is back everything is there once.",
    run: |stage| Box::pin(run(stage)),
};

const IMPORT: usize = 60_000;
const BATCH: usize = 500;

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    let load = stage.load(&shop, &Profile { rate: 300.0, ..Profile::default() }, &record);
    stage.pass(2.0).await;
    let began = Instant::now();
    import(stage, &shop, &record).await?;
    stage.note(format!("{IMPORT} events in the batch lane after {:.1} s", began.elapsed().as_secs_f64()));
    let mut worked_off = None;
    let samples = backlog::freshness(&shop, 0, async || {
        let shards = shop.shards("bulk").await.unwrap_or_default();
        let behind: u64 = shards.iter().map(|(_, cursor, end)| end - cursor).sum();
        if behind == 0 && !shards.is_empty() {
            worked_off.get_or_insert(began.elapsed());
        }
        behind == 0 && began.elapsed() > Duration::from_secs(8)
    })
    .await?;
    backlog::judge_freshness(stage, &samples, "while the batch lane is worked off", 10.0);
    if let Some(took) = worked_off {
        stage.figure(Figure::seconds("until the batch lane was worked off", took.as_secs_f64()));
    }

    let objects = shop.data().join("objects");
    let aside = shop.data().join("objects.away");
    let from = now_ms();
    take_away(&objects, &aside)?;
    stage.note("the folder of the object store is away; a file has its name");
    stage.pass(6.0).await;
    let acceptance = Acceptance::of(&record.attempts(from, i64::MAX));
    std::fs::remove_file(&objects).map_err(DrillError::io("the store's folder"))?;
    std::fs::rename(&aside, &objects).map_err(DrillError::io("the store's folder"))?;
    stage.note("the store is back");
    stage.acceptance("with the object store away", acceptance);
    stage.pass(2.0).await;
    load.stop().await;
    let canaries = samples.len();
    stage.judge_beside(&shop, &record, canaries..=canaries).await?;
    stage.verify(&shop).await
}

fn take_away(objects: &std::path::Path, aside: &std::path::Path) -> Result<()> {
    std::fs::rename(objects, aside).map_err(DrillError::io("the store's folder"))?;
    std::fs::write(objects, b"").map_err(DrillError::io("the store's folder"))
}

/// Sends events to the batch lane and keeps them in the record.
async fn import(stage: &Stage, shop: &crate::instance::Instance, record: &Record) -> Result<()> {
    let profile = Profile { batch: BATCH, vendors: 0, identify: 0, people: 500, ..Profile::default() };
    let mut script = Script::new(stage.seed, 99, 9, &profile);
    for _ in 0..IMPORT / BATCH {
        // Some minutes ago: each event is a millisecond later than the one before, and charts show no future.
        let batch = script.batch(now_ms() - 300_000);
        let range = record.sending(&batch.events.iter().map(sent).collect::<Vec<_>>());
        let (at, began) = (now_ms(), Instant::now());
        let answer = shop.append("/api/v1/events?lane=bulk", &Shape::Native.body(&batch.events)).await?;
        let took_us = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
        let attempt = Attempt { at, took_us, status: answer.status, events: BATCH as u32 };
        record.answered(range, attempt, answer.status == 200, None);
        answer.ok()?;
    }
    Ok(())
}

fn sent(event: &Event) -> Sent {
    Sent {
        id: event.id.clone(),
        event: event.name.clone(),
        user: event.owner().to_owned(),
        sent_at: now_ms(),
        acked_at: None,
        receipt: None,
    }
}
