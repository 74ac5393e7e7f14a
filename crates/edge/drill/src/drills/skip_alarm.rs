//! A19-3, A19-9, A21-13: the processor silently skips; found within a minute, healed by one command.

use super::{Drill, hole};
use crate::error::DrillError;
use crate::figure::Figure;
use crate::stage::Stage;

pub const DRILL: Drill = Drill {
    name: "a19-3-skip-alarm",
    rows: &["A19-3", "A21-13"],
    title: "The processor skips a thousand events and lies about it; the auditor finds it, one command heals it.",
    story: "In 2019, processing jumped over 35 minutes of queued events and nobody noticed for most of a day. Here a\n\
            test switch makes the processor move over 1,000 offsets and write into the books that there was nothing.\n\
            The auditor derives the range again from the log and must raise an alarm that names it; the command that the alarm names must heal it, equal to an undisturbed twin.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let twins = hole::twins_with_hole(stage).await?;
    let (finding, seconds) = hole::alarm(stage, &twins.shop).await?;
    hole::judge_alarm(stage, &finding, seconds);
    let public = twins.shop.known("/status/api/v2/incidents/unresolved.json").await?;
    let incidents = public["incidents"].as_array().map_or(0, Vec::len);
    stage.figure(
        Figure::count("unresolved incidents on the status page", incidents).at_least(1.0).objective("O9"),
    );
    hole::note_gap(stage, &twins.shop).await?;
    let repair = hole::repair_as_told(stage, &twins.shop, &finding).await?;
    stage.figure(Figure::seconds("repair by the command that the alarm names", repair));
    twins.compare(stage, "after the repair").await?;
    stage.judge(&twins.shop, &twins.record).await?;
    let gone = hole::cleared(&twins.shop).await?;
    stage.figure(Figure::seconds("until the alarm went by itself", gone).at_most(60.0));
    let complete = hole::complete_again(&twins.shop).await?;
    stage.figure(
        Figure::seconds("until the chart is complete again", complete).at_most(5.0).objective("A19-9"),
    );
    stage.verify(&twins.shop).await
}
