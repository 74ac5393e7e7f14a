//! A16-10: data that is not fresh says so, at once.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::{Instance, Signal};
use crate::load::Profile;
use crate::record::{Record, now_ms};
use crate::stage::Stage;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a16-10-freshness-shown",
    rows: &["A16-10", "P25-7"],
    title: "The processor hangs; every answer says until when it is complete, and the age is right.",
    story: "In 2016 dashboards showed data as of 20:22 for a week. In 2025 recent results were wrong by different\n\
            amounts per project. Here the processor is frozen under load: the answer to a chart must say through\n\
            which instant it is complete, and that instant must be true: everything received before it is in.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    let load = stage.load(&shop, &Profile::default(), &record);
    stage.pass(5.0).await;
    let (fresh, _) = age(&shop).await?;
    stage.figure(Figure::seconds("age of the data in normal work", fresh).at_most(10.0).objective("O4"));
    shop.freeze("process").await;
    let frozen = now_ms();
    stage.note("the processor is frozen");
    stage.pass(12.0).await;
    let (shown, through) = age(&shop).await?;
    let truth = (now_ms() - frozen) as f64 / 1000.0;
    stage.note(format!("it has been frozen for {truth:.1} s; the answer calls itself {shown:.1} s old"));
    stage.figure(Figure::seconds("shown age minus time frozen", shown - truth).at_least(-1.0));
    stage.figure(
        Figure::seconds("shown age beyond time frozen and normal lag", shown - truth - fresh).at_most(3.0),
    );
    // The claim must be true: everything acknowledged well before that instant is in the chart.
    let claimed = record.sent().iter().filter(|s| s.acked_at.is_some_and(|at| at < through)).count();
    let shown: usize = shop.events(None).await?.len();
    stage.figure(
        Figure::count(
            "events older than the claimed instant that are missing",
            claimed.saturating_sub(shown),
        )
        .exactly(0.0),
    );
    shop.signal("process", Signal::Cont);
    stage.pass(2.0).await;
    load.stop().await;
    stage.judge(&shop, &record).await?;
    let (after, _) = age(&shop).await?;
    stage.figure(Figure::seconds("age of the data after it thawed", after).at_most(10.0).objective("O4"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(())
}

/// Age in seconds and instant through which a chart calls itself complete.
async fn age(shop: &Instance) -> Result<(f64, i64), DrillError> {
    let query = serde_json::json!({"type": "segmentation", "series": [{"event": "view", "measure": "totals"}],
        "range": {"last": 1, "unit": "day"}, "interval": "none"});
    let answer = shop.query(&query).await?;
    let through: Option<jiff::Timestamp> = answer["complete_through"].as_str().and_then(|t| t.parse().ok());
    let Some(through) = through else {
        return Err(DrillError::Answer { what: "complete_through".to_owned(), answer: answer.to_string() });
    };
    let through = through.as_millisecond();
    Ok(((now_ms() - through) as f64 / 1000.0, through))
}
