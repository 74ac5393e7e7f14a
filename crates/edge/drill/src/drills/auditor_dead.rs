//! A19-10: the monitor is monitored: a dead or frozen auditor is alarmed.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::until;
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "a19-10-auditor-dead",
    rows: &["A19-10"],
    title: "The auditor hangs; within two minutes there is an alarm that says so.",
    story: "Monitors that nobody monitors fail in silence. Here the auditor is frozen under load. The watch, which is\n\
            another process, must say within 120 s that nobody checks the books; events are counted as always.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    if shop.pid("audit").is_none() || shop.pid("watch").is_none() {
        return Err(DrillError::Missing("role `audit` or `watch`".to_owned()));
    }
    let load = stage.load(&shop, &Profile { rate: 300.0, ..Profile::default() }, &record);
    stage.pass(6.0).await;
    shop.wait_calm().await?;
    shop.freeze("audit").await;
    stage.note("the auditor is frozen");
    let speaks_of_auditor = |f: &serde_json::Value| {
        let text = f.to_string().to_lowercase();
        f["severity"] == "critical" && text.contains("audit")
    };
    let (finding, seconds) = until("an alarm about the auditor", Duration::from_secs(150), async || {
        shop.findings().await.ok()?.into_iter().find(speaks_of_auditor)
    })
    .await?;
    stage.note(format!("alarm: {} — {}", finding["title"], finding["detail"]));
    stage.figure(Figure::seconds("until the dead-man alarm", seconds).at_most(120.0).objective("A19-10"));
    shop.signal("audit", crate::instance::Signal::Cont);
    let (_, seconds) = until("the alarm to go", Duration::from_secs(60), async || {
        let left = shop.findings().await.ok()?;
        (!left.iter().any(speaks_of_auditor)).then_some(())
    })
    .await?;
    stage.figure(Figure::seconds("until the alarm went after the auditor thawed", seconds).at_most(60.0));
    load.stop().await;
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}
