//! Shares of outcomes and answers over the last minutes: differences of what books and processes count.

use crate::Layout;
use std::collections::VecDeque;
use tallymark_catalog::Snapshots;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_ledger::Tally;
use tallymark_model::Millis;
use tallymark_monitor::WatchStore;
use tallymark_monitor::facts::RateFacts;

const WINDOW: Millis = 300_000;

/// Counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    at: Millis,
    tally: Tally,
    requests: u64,
    refused: u64,
    server_errors: u64,
    throttled: u64,
    conflicts: u64,
}

/// Counters of the last minutes.
#[derive(Default)]
pub struct Rates {
    seen: VecDeque<Counted>,
}

impl Rates {
    pub async fn observe(
        &mut self,
        catalog: &SqliteCatalog,
        store: &WatchStore,
        layout: &Layout,
        now: Millis,
    ) -> Vec<RateFacts> {
        let Ok(tally) = catalog.tally(None).await else { return Vec::new() };
        let page = std::fs::read_to_string(layout.run().join("metrics-collect.prom")).unwrap_or_default();
        let mut latest = count(&page, tally, now);
        // A file that was made anew counts from zero: less than before is none.
        latest.conflicts = store.conflicts_in_all(None).await.unwrap_or_default();
        // A process that was started again counts from zero: forget what was before.
        if self.seen.back().is_some_and(|last| last.requests > latest.requests) {
            self.seen.clear();
        }
        self.seen.push_back(latest);
        while self.seen.front().is_some_and(|c| now - c.at > WINDOW) {
            self.seen.pop_front();
        }
        let Some(first) = self.seen.front() else { return Vec::new() };
        let less = |a: u64, b: u64| a.saturating_sub(b);
        vec![RateFacts {
            project: None,
            name: String::new(),
            window_s: ((now - first.at) / 1000).max(0) as u64,
            records: less(latest.tally.total(), first.tally.total()),
            dead: less(latest.tally.dead, first.tally.dead),
            duplicates: less(latest.tally.duplicate, first.tally.duplicate),
            conflicts: less(latest.conflicts, first.conflicts),
            usual_duplicate_share: None,
            requests: less(latest.requests, first.requests),
            refused: less(latest.refused, first.refused),
            server_errors: less(latest.server_errors, first.server_errors),
            throttled: less(latest.throttled, first.throttled),
        }]
    }
}

fn count(page: &str, tally: Tally, at: Millis) -> Counted {
    let mut counted = Counted { at, tally, ..Counted::default() };
    for line in page.lines().filter(|l| l.starts_with("tallymark_collector_requests_total")) {
        let Some(value) = line.rsplit(' ').next().and_then(|v| v.parse::<f64>().ok()) else { continue };
        let value = value as u64;
        counted.requests += value;
        let status = line.split("status=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("");
        match status.as_bytes() {
            b"429" => counted.throttled += value,
            [b'4', ..] => counted.refused += value,
            [b'5', ..] => counted.server_errors += value,
            _ => {}
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_class() {
        let page = "# TYPE tallymark_collector_requests_total counter\n\
            tallymark_collector_requests_total{role=\"collect\",protocol=\"native\",status=\"200\"} 7\n\
            tallymark_collector_requests_total{role=\"collect\",protocol=\"native\",status=\"429\"} 2\n\
            tallymark_collector_requests_total{role=\"collect\",protocol=\"segment\",status=\"400\"} 1\n\
            tallymark_collector_requests_total{role=\"collect\",protocol=\"segment\",status=\"503\"} 3\n";
        let c = count(page, Tally::default(), 1);
        assert_eq!((c.requests, c.throttled, c.refused, c.server_errors), (13, 2, 1, 3));
    }
}
