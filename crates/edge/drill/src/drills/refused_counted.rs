//! H15-12: what was refused is counted, to the event.

use super::Drill;
use crate::error::Result;
use crate::figure::Figure;
use crate::instance::{Instance, WRITE_KEY, until};
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::json;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "h15-12-refused-counted",
    rows: &["H15-12"],
    title: "Events that are refused are counted by reason; the books say exactly how many.",
    story: "In 2015 it took a day to find out how much was lost. Here one request in ten carries events that must be\n\
            refused, beside good ones. The sender hears it at once, and the books must show exactly as many refused\n\
            events as the clients counted, beside an equation that closes over the good ones.",
    run: |stage| Box::pin(run(stage)),
};

const REQUESTS: usize = 40;

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    let load = stage.load(&shop, &Profile { rate: 500.0, ..Profile::default() }, &record);
    let (mut refused, mut taken) = (0, 0);
    for n in 0..REQUESTS {
        let (ok, bad) = half_good(&shop, n).await?;
        taken += ok;
        refused += bad;
        stage.pass(0.1).await;
    }
    load.stop().await;
    stage.note(format!(
        "{REQUESTS} requests with faulty events: {taken} taken, {refused} refused, told to the sender"
    ));
    stage.judge_beside(&shop, &record, taken..=taken).await?;
    let (counted, seconds) = until("refused events in the books", Duration::from_secs(90), async || {
        let ledger = shop.ledger().await.ok()?;
        let counted = ledger["held_back"]["refused"].as_u64()? as usize;
        (counted >= refused).then_some(counted)
    })
    .await?;
    stage.note(format!("the books count {counted} refused events after {seconds:.1} s"));
    stage.figure(
        Figure::of("refused in the books minus refused to clients", counted as f64 - refused as f64, "")
            .exactly(0.0)
            .objective("H15-12"),
    );
    stage.verify(&shop).await
}

/// One request of one good event and two that must be refused: (taken, refused) as answered.
async fn half_good(shop: &Instance, n: usize) -> Result<(usize, usize)> {
    let long = "x".repeat(5000);
    let events = json!({"events": [
        {"event": "fine", "user_id": "refuser", "insert_id": format!("fine-{n}")},
        {"user_id": "refuser", "insert_id": format!("nameless-{n}")},
        {"event": "long id", "user_id": "refuser", "insert_id": long},
    ]});
    let answer = shop.ask(reqwest::Method::POST, "/api/v1/events", WRITE_KEY, Some(&events)).await?.ok()?;
    let rejected = answer["rejected"].as_array().map_or(0, Vec::len);
    Ok((answer["accepted"].as_u64().unwrap_or(0) as usize, rejected))
}
