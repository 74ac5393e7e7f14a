//! The judge: the load generator's record against what charts, events and files show.
//!
//! Guarantees: never asks the system whether it lost anything. An event is lost if it was acknowledged and any
//! witness lacks it; it is doubled if any witness has it twice.
//! Deliberately not here: the ledger's own opinion.

mod charts;
mod files;

pub use charts::{ask_all, differences};
pub use files::{Files, all_files};

use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::instance::Instance;
use crate::record::Record;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(250);
/// Polls without change after which what is pending stays so.
const STILL: usize = 8;

/// What the witnesses say.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// Events acknowledged.
    pub acknowledged: usize,
    /// Acknowledged, but a witness lacks it.
    pub lost: Vec<String>,
    /// A witness has it twice.
    pub doubled: Vec<String>,
    /// Stored, but nobody sent it.
    pub strangers: usize,
    /// Charts whose total is not what was acknowledged: name, shown, acknowledged.
    pub wrong_charts: Vec<(String, usize, usize)>,
    /// Events that were sent and never acknowledged, and are stored all the same (allowed).
    pub unacknowledged_stored: usize,
    /// Segment files that cannot be read.
    pub damaged: Vec<String>,
}

impl Judgement {
    /// Nothing lost, doubled, invented or miscounted.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty()
            && self.doubled.is_empty()
            && self.strangers == 0
            && self.wrong_charts.is_empty()
            && self.damaged.is_empty()
    }

    /// The figures of O1.
    pub fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::count("events acknowledged", self.acknowledged),
            Figure::count("acknowledged events lost", self.lost.len()).exactly(0.0).objective("O1"),
            Figure::count("events doubled", self.doubled.len()).exactly(0.0).objective("O1"),
            Figure::count("events stored that nobody sent", self.strangers).exactly(0.0),
            Figure::count("charts whose total differs from the record", self.wrong_charts.len()).exactly(0.0),
        ]
    }

    /// Examples of what is wrong, for the timeline.
    pub fn examples(&self) -> Option<String> {
        (!self.is_clean()).then(|| {
            let some = |ids: &[String]| ids.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            format!(
                "lost: {}; doubled: {}; charts: {:?}; damaged: {:?}",
                some(&self.lost),
                some(&self.doubled),
                self.wrong_charts,
                self.damaged.iter().take(2).collect::<Vec<_>>()
            )
        })
    }
}

/// Waits until the charts hold at least everything acknowledged; seconds waited.
pub async fn wait_visible(instance: &Instance, record: &Record, limit: Duration) -> Result<f64> {
    let began = Instant::now();
    // Calls such as `$identify` are operations: stored, but in no chart.
    let by_event = record.acknowledged_by_event();
    let wanted: usize = by_event.iter().filter(|(name, _)| is_charted(name)).map(|(_, n)| n).sum();
    let (mut seen, mut waiting, mut still) = (0, serde_json::Value::Null, 0);
    while began.elapsed() < limit {
        if let (Ok(total), Ok(books)) = (instance.total("*").await, instance.ledger().await) {
            seen = total;
            // What the books call pending is a hint when to look, not evidence; what is skipped stays pending.
            let pending = books["identity"]["pending"].clone();
            still = if pending == waiting { still + 1 } else { 0 };
            waiting = pending;
            if total >= wanted && (waiting == 0 || still >= STILL) {
                return Ok(began.elapsed().as_secs_f64());
            }
        }
        tokio::time::sleep(POLL).await;
    }
    Err(DrillError::TimedOut {
        what: format!("the charts of {} to show {wanted} events; they show {seen}", instance.name()),
        seconds: limit.as_secs_f64(),
    })
}

fn is_charted(event: &str) -> bool {
    !event.starts_with('$')
}

/// Compares the record with events, charts and files.
pub async fn judge(instance: &Instance, record: &Record) -> Result<Judgement> {
    let files = Files::read(instance.data()).await?;
    let mut shown: HashMap<String, usize> = HashMap::new();
    for event in instance.events(None).await? {
        let id = event["insert_id"].as_str().unwrap_or_default().to_owned();
        *shown.entry(id).or_default() += 1;
    }
    let sent = record.sent();
    let mut judgement = Judgement {
        doubled: shown.iter().filter(|(_, n)| **n > 1).map(|(id, _)| id.clone()).collect(),
        damaged: files.damaged.clone(),
        ..Judgement::default()
    };
    let known: HashSet<&str> = sent.iter().map(|s| s.id.as_str()).collect();
    judgement.strangers = shown.keys().filter(|id| !known.contains(id.as_str())).count();
    for sent in &sent {
        let stored = files.rows.get(&sent.id).map_or(0, std::collections::BTreeSet::len);
        let visible = shown.get(&sent.id).copied().unwrap_or(0);
        match sent.acked_at {
            Some(_) if stored == 0 || visible == 0 => judgement.lost.push(sent.id.clone()),
            None if visible > 0 => judgement.unacknowledged_stored += 1,
            _ => {}
        }
        if stored > 1 && visible <= 1 {
            judgement.doubled.push(sent.id.clone());
        }
        judgement.acknowledged += usize::from(sent.acked_at.is_some());
    }
    for (event, acknowledged) in record.acknowledged_by_event() {
        if !is_charted(&event) {
            continue;
        }
        let total = instance.total(&event).await?;
        let unsure = sent.iter().filter(|s| s.acked_at.is_none() && s.event == event).count();
        if total < acknowledged || total > acknowledged + unsure {
            judgement.wrong_charts.push((event, total, acknowledged));
        }
    }
    Ok(judgement)
}
