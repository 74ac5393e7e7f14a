//! A limit of the log could be reached before what it holds is accounted.
//!
//! Guarantees: what is already gone is told as gone, with its range; what could go, with the time until it goes.
//! Deliberately not here: refusing such settings at start (the log does).

use super::{age_text, finding, grade_down, place_text};
use crate::config::{HOUR, Thresholds};
use crate::facts::{Facts, ShardFacts};
use crate::status::duration_text;
use crate::{Affected, Component, Finding, Impact, Monitor, Severity};
use tallymark_ledger::Interval;
use tallymark_model::Millis;

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    facts.shards.iter().flat_map(|shard| [gone(shard, facts), going(shard, facts, t)]).flatten().collect()
}

/// Offsets that the log no longer holds although they were not accounted.
fn gone(shard: &ShardFacts, facts: &Facts) -> Option<Finding> {
    let missing = Interval::new(shard.shard, shard.cursor, shard.log_start.min(shard.log_end));
    if missing.is_empty() {
        return None;
    }
    let place = Affected { interval: Some(missing), received: None, count: Some(missing.len()) };
    let detail = format!(
        "The log no longer holds events that were not processed: {}. Look for them in the archive and in backups \
         of the log's folder before anything else.",
        place_text(&place)
    );
    let mut f = finding(
        Monitor::RetentionAgainstLag,
        format!("gone {}", shard.shard),
        Severity::Critical,
        Component::Lane(shard.shard.lane),
        "Events were removed before they were processed",
        detail,
        facts.at,
    );
    f.impact = Impact::Critical;
    f.affected = vec![place];
    Some(f)
}

/// The time until a limit reaches the oldest pending record.
fn going(shard: &ShardFacts, facts: &Facts, t: &Thresholds) -> Option<Finding> {
    let oldest = shard.oldest_pending.filter(|_| shard.pending() > 0)?;
    let by_age = shard.retention_ms.map(|limit| limit - (facts.at - oldest));
    let left = [by_age, by_size(shard)].into_iter().flatten().min()?;
    let hours = left as f64 / HOUR as f64;
    let severity = grade_down(hours, t.time_to_loss_warning_h, t.time_to_loss_critical_h)?;
    let left_text = if left <= 0 { "now".to_owned() } else { format!("in {}", duration_text(left)) };
    let (severity, title, what) = if shard.needs_permit {
        // Nothing can be lost: the log waits. It grows instead, so somebody should know.
        if left > 0 {
            return None;
        }
        let what = "The log would drop them by its limits, and keeps them because they are not accounted";
        (Severity::Warning, "The log holds more than its limits, waiting for processing", what)
    } else {
        (
            severity,
            "A limit of the log will forget unprocessed events",
            "The log's limits reach unprocessed events",
        )
    };
    let detail = format!(
        "Lane {}, partition {}: {what} {left_text}. The oldest has been pending {}; {} events wait.",
        shard.shard.lane,
        shard.shard.partition,
        age_text(oldest, facts.at),
        shard.pending()
    );
    let key = format!("limit {}", shard.shard);
    let component = Component::Lane(shard.shard.lane);
    Some(finding(Monitor::RetentionAgainstLag, key, severity, component, title, detail, facts.at))
}

/// Time until the log is larger than its limit by everything before the oldest pending record.
fn by_size(shard: &ShardFacts) -> Option<Millis> {
    let limit = shard.retention_bytes?;
    let records = shard.log_end.checked_sub(shard.log_start).filter(|n| *n > 0)?;
    let bytes_per_record = shard.log_bytes as f64 / records as f64;
    // What may still be written before the file with the oldest pending record is the oldest one over the limit.
    let held_from_pending = shard.pending() as f64 * bytes_per_record;
    let room = limit as f64 - held_from_pending;
    if room <= 0.0 {
        return Some(0);
    }
    // Processing frees room: only what arrives beyond what is worked off uses it up.
    let net = (shard.arrival_per_s? - shard.drain_per_s?) * bytes_per_record;
    (net > 0.0).then(|| (room / net * 1_000.0) as Millis)
}
