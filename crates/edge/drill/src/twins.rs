//! Two instances fed the same events in the same order: one is disturbed, the other is not. Afterwards every chart
//! must be the same.

use crate::error::Result;
use crate::figure::Figure;
use crate::instance::Instance;
use crate::judge::{ask_all, differences, wait_visible};
use crate::load::{Batch, Profile, Script, feed};
use crate::record::{Record, now_ms};
use crate::stage::Stage;
use std::time::Duration;

const SETTLE: Duration = Duration::from_secs(20);
const DAY_MS: i64 = 86_400_000;

/// The pair.
#[derive(Debug)]
pub struct Twins {
    /// Undisturbed.
    pub calm: Instance,
    /// To be disturbed.
    pub shop: Instance,
    /// What was sent to `shop`.
    pub record: Record,
    calm_record: Record,
    script: Script,
    time: i64,
}

impl Twins {
    /// Starts both. `prepare` may set variables of the one to be disturbed.
    pub async fn start(stage: &mut Stage, prepare: impl FnOnce(&mut Instance)) -> Result<Twins> {
        let calm = stage.start("calm").await?;
        let mut shop = stage.instance("shop")?;
        prepare(&mut shop);
        shop.start().await?;
        stage.note(format!("its twin `shop` is up at {}", shop.url()));
        let profile = Profile { people: 200, identify: 5, ..Profile::default() };
        Ok(Twins {
            calm,
            shop,
            record: Record::default(),
            calm_record: Record::default(),
            script: Script::new(stage.seed, 1, 0, &profile),
            time: now_ms() - 3 * DAY_MS,
        })
    }

    /// Draws batches from the seed and sends them to both, in the same order; they span about a day of event time.
    pub async fn feed(&mut self, batches: usize) -> Result<()> {
        // Short enough that no event lies in the future, long enough to span days.
        let step = DAY_MS / 2000;
        let drawn: Vec<Batch> = (0..batches)
            .map(|_| {
                self.time += step;
                self.script.batch(self.time)
            })
            .collect();
        self.send(&drawn).await
    }

    /// Sends these batches to both.
    pub async fn send(&mut self, batches: &[Batch]) -> Result<()> {
        let (calm, shop) = tokio::join!(
            feed(&self.calm, batches, &self.calm_record),
            feed(&self.shop, batches, &self.record)
        );
        calm.and(shop)
    }

    /// Waits until both show everything, and keeps the figure of how many charts differ.
    pub async fn compare(&self, stage: &mut Stage, when: &str) -> Result<()> {
        wait_visible(&self.calm, &self.calm_record, SETTLE).await?;
        if let Err(late) = wait_visible(&self.shop, &self.record, SETTLE).await {
            stage.note(late.to_string());
        }
        let (calm, shop) = (ask_all(&self.calm).await?, ask_all(&self.shop).await?);
        let different = differences(&calm, &shop);
        if let Some(name) = different.first() {
            let of = |answers: &[(&'static str, serde_json::Value)]| {
                answers.iter().find(|(n, _)| n == name).map(|(_, a)| a.to_string()).unwrap_or_default()
            };
            stage.note(format!("`{name}` is {:.300} undisturbed, {:.300} here", of(&calm), of(&shop)));
        }
        stage.figure(Figure::count(format!("charts compared with the undisturbed twin {when}"), calm.len()));
        let figure =
            Figure::count(format!("charts that differ from the undisturbed twin {when}"), different.len());
        stage.figure(figure.exactly(0.0));
        Ok(())
    }
}
