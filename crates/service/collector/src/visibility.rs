//! `?wait=visible`: asks whether the events of a receipt can be seen by queries yet.

use crate::proxy::Proxy;
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Answers whether everything of a receipt is accounted for.
#[async_trait]
pub trait VisibilityProbe: Send + Sync {
    /// `Some(true)` once all of it is; `None` if nobody can tell now.
    async fn visible(&self, receipt: &str, authorization: Option<&str>) -> Option<bool>;
}

/// Asks the web process.
#[async_trait]
impl VisibilityProbe for Proxy {
    async fn visible(&self, receipt: &str, authorization: Option<&str>) -> Option<bool> {
        let path = format!("/api/v1/receipts/{receipt}");
        let answer = self.get_json(&path, authorization).await?;
        answer.get("visible")?.as_bool()
    }
}

/// Asks until the answer is yes or `bound` is over.
pub(crate) async fn wait(
    probe: &dyn VisibilityProbe,
    receipt: &str,
    authorization: Option<&str>,
    bound: Duration,
) -> bool {
    let deadline = Instant::now() + bound;
    let mut pause = Duration::from_millis(20);
    loop {
        let asked = tokio::time::timeout_at(deadline, probe.visible(receipt, authorization)).await;
        match asked {
            Err(_) => return false,
            Ok(Some(true)) => return true,
            Ok(Some(false) | None) => {}
        }
        if Instant::now() + pause >= deadline {
            return false;
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}
