//! H15-3 and A19-2: kill -9 of any process, and of all, at random moments under load.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::{Instance, Signal};
use crate::load::Profile;
use crate::record::{Acceptance, Attempt, Record, now_ms};
use crate::stage::Stage;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "h15-3-kill-anything",
    rows: &["H15-3", "H15-8", "H15-10"],
    title: "Twenty times a process, or all of them, is killed with signal 9 under load; it comes back by itself.",
    story: "In 2015 the database went offline, hardware had to be replaced and collectors flapped for hours. Here\n\
            twenty kills hit the collector, the processor, the web process, the supervisor or everything at once,\n\
            at moments drawn from the seed, while clients keep sending and repeat what was not acknowledged.",
    run: |stage| Box::pin(run(stage)),
};

const KILLS: usize = 20;
/// After a kill of the collector, refusals are expected this long (ms).
const BACK_LIMIT_MS: i64 = 10_000;

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let mut dice = StdRng::seed_from_u64(stage.seed);
    let mut shop = stage.start("shop").await?;
    let profile = Profile { rate: 800.0, ..Profile::default() };
    let load = stage.load(&shop, &profile, &record);
    let mut collect_down: Vec<(i64, i64)> = Vec::new();
    let mut back: Vec<f64> = Vec::new();
    for _ in 0..KILLS {
        stage.pass(dice.random_range(0.2..2.4)).await;
        let targets = ["collect", "process", "process", "web", "serve", "everything"];
        let target = *targets.choose(&mut dice).unwrap_or(&"process");
        stage.note(format!("kill -9 {target}"));
        let (began, at) = (Instant::now(), now_ms());
        match target {
            "everything" => {
                shop.kill_all().await;
                shop.launch()?;
            }
            "serve" => {
                let old = shop.pid("collect");
                shop.kill_supervisor().await;
                shop.launch()?;
                // The old collector finishes what it has before the new one takes the port.
                successor(&shop, old).await?;
            }
            role => {
                shop.signal(role, Signal::Kill);
            }
        }
        if matches!(target, "collect" | "serve" | "everything") {
            acknowledged_again(&record, now_ms()).await?;
            collect_down.push((at, now_ms()));
            back.push(began.elapsed().as_secs_f64());
        } else if target == "process" {
            back.push(committed_again(&shop, began).await?);
        }
    }
    stage.pass(1.0).await;
    load.stop().await;
    shop.wait_ready(Duration::from_secs(30)).await?;
    let strangers: Vec<Attempt> = record
        .attempts(0, i64::MAX)
        .into_iter()
        .filter(|a| {
            // A request that was under way when the collector was killed began a little earlier.
            !collect_down.iter().any(|(from, to)| (from - BACK_LIMIT_MS..*to).contains(&a.at))
                || a.status == 200
        })
        .collect();
    let outside = Acceptance::of(&strangers);
    stage.acceptance("while the collector was up", outside);
    let slowest = back.iter().copied().fold(0.0, f64::max);
    stage.figure(Figure::count("kills", KILLS));
    stage.figure(Figure::seconds("slowest return after a kill", slowest).at_most(10.0).objective("O7"));
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}

/// Waits until another collector than this one runs.
async fn successor(shop: &Instance, old: Option<u32>) -> Result<(), DrillError> {
    for _ in 0..300 {
        let new = shop.pid("collect");
        if new.is_some() && new != old {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(DrillError::TimedOut { what: "a new collector".to_owned(), seconds: 30.0 })
}

/// Waits until a request begun after `from` was acknowledged.
async fn acknowledged_again(record: &Record, from: i64) -> Result<(), DrillError> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        if record.attempts(from, i64::MAX).iter().any(|a| a.status == 200) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(DrillError::TimedOut { what: "the collector to come back".to_owned(), seconds: 30.0 })
}

/// Seconds until the books have moved since `began`.
async fn committed_again(shop: &Instance, began: Instant) -> Result<f64, DrillError> {
    let mut first = None;
    while began.elapsed() < Duration::from_secs(30) {
        if let Ok(ledger) = shop.ledger().await {
            let commit = ledger["commit"].as_u64().unwrap_or(0);
            match first {
                None => first = Some(commit),
                Some(first) if commit > first => return Ok(began.elapsed().as_secs_f64()),
                Some(_) => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(DrillError::TimedOut { what: "the processor to commit again".to_owned(), seconds: 30.0 })
}
