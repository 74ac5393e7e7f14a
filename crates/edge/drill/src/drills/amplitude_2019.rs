//! The incident of 2019 as a whole: a skip, an alarm, a replay beside live load that is killed, equal charts.

use super::{Drill, hole};
use crate::error::Result;
use crate::figure::Figure;
use crate::instance::Signal;
use crate::stage::Stage;
use std::time::Instant;

pub const DRILL: Drill = Drill {
    name: "amplitude-2019",
    rows: &["A19-3", "A19-5", "A19-8"],
    title: "Processing silently skips a range; alarm, repair beside live events, equal to a twin.",
    story: "14 March 2019: after a network fault, processing jumped over 35 minutes of queued events. It was noticed a\n\
            day later. To reprocess, live processing had to be stopped and rewound; the estimate of 4 hours became\n\
            14, events were counted in danger of doubling, and late events got the latest user properties.\n\
            Here the processor is made to skip 1,000 events and to write into the books that there were none. The\n\
            alarm must name the range within 60 s. More events arrive, with changed\n\
            user properties; then the command that the alarm names repairs the range while the processor is killed\n\
            twice. Every chart must equal the charts of a twin that was never disturbed.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<()> {
    let mut twins = hole::twins_with_hole(stage).await?;
    let began = Instant::now();
    let (finding, seconds) = hole::alarm(stage, &twins.shop).await?;
    hole::judge_alarm(stage, &finding, seconds);
    hole::note_gap(stage, &twins.shop).await?;
    // A restarted processor must not skip again: the switch is for one life.
    twins.shop.stop().await;
    twins.shop.unset("TALLYMARK_TEST_SKIP");
    twins.shop.start().await?;
    twins.feed(100).await?;
    stage.note("more events arrived on both, with changed user properties");
    let told = hole::command_of(&finding)?;
    let repair = hole::start_repair(stage, &twins.shop, &told)?;
    for _ in 0..2 {
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        let killed = twins.shop.signal("process", Signal::Kill);
        stage.note(format!("kill -9 process during the repair ({killed})"));
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let done = repair.finish().await?.ok()?;
    stage.figure(Figure::seconds(
        "repair by the command that the alarm names, two kills included",
        done.seconds,
    ));
    twins.compare(stage, "after the repair").await?;
    stage.judge(&twins.shop, &twins.record).await?;
    let total = began.elapsed().as_secs_f64();
    stage.figure(Figure::seconds("from the skip to everything proved", total).at_most(900.0));
    stage.verify(&twins.shop).await
}
