//! H15-5: collectors do not flap while everything behind them is broken.

use super::Drill;
use crate::error::DrillError;
use crate::figure::Figure;
use crate::instance::{Instance, Signal};
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "h15-5-no-flapping",
    rows: &["H15-5"],
    title: "Processor and web are frozen, then killed again and again; readiness never wavers, nothing is refused.",
    story: "In 2015 collectors shared the identify database: they failed their health checks in turn and the load\n\
            balancer dropped 54 % of track calls. Here the processor and the web process are frozen (a dependency\n\
            that hangs is worse than one that is gone), then killed over and over, while clients send and a load\n\
            balancer asks for readiness ten times a second.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let mut shop = stage.start("shop").await?;
    let load = stage.load(&shop, &Profile::default(), &record);
    stage.pass(3.0).await;
    let calm = shop.descriptors("collect").unwrap_or(0);
    for role in ["process", "web"] {
        shop.signal(role, Signal::Stop);
    }
    stage.note("processor and web are frozen");
    let mut probes = probe(&shop, stage.time(10.0)).await;
    for role in ["process", "web"] {
        shop.signal(role, Signal::Cont);
    }
    stage.note("processor and web thaw; now they are killed every half second");
    let until = Instant::now() + stage.time(8.0);
    while Instant::now() < until {
        for role in ["process", "web"] {
            shop.signal(role, Signal::Kill);
        }
        let (asked, refused, slowest) = probe(&shop, Duration::from_millis(500)).await;
        probes = (probes.0 + asked, probes.1 + refused, probes.2.max(slowest));
    }
    let busy = shop.descriptors("collect").unwrap_or(0);
    load.stop().await;
    let (asked, refused, slowest) = probes;
    stage.figure(Figure::count("readiness probes", asked));
    stage.figure(Figure::count("readiness probes that failed", refused).exactly(0.0).objective("H15-5"));
    stage.figure(Figure::of("slowest readiness probe", slowest, "ms"));
    let attempts = crate::record::Acceptance::of(&record.attempts(0, i64::MAX));
    stage.acceptance("with everything behind broken", attempts);
    stage.figure(Figure::count("file descriptors of the collector before", calm));
    let limit = (calm + 50) as f64;
    stage.figure(Figure::count("file descriptors of the collector after", busy).at_most(limit));
    shop.wait_ready(Duration::from_secs(30)).await?;
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}

/// Asks for readiness ten times a second: (asked, failed, slowest in ms).
pub async fn probe(shop: &Instance, time: Duration) -> (usize, usize, f64) {
    let (began, mut asked, mut failed, mut slowest) = (Instant::now(), 0, 0, 0.0f64);
    while began.elapsed() < time {
        let each = Instant::now();
        let answer = tokio::time::timeout(Duration::from_secs(2), shop.get("/health/ready")).await;
        asked += 1;
        failed += usize::from(!matches!(answer, Ok(Ok(a)) if a.status == 200));
        slowest = slowest.max(each.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(Duration::from_millis(100).saturating_sub(each.elapsed())).await;
    }
    (asked, failed, slowest)
}
