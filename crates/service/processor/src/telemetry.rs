//! Names of metrics and the one place that emits them.
//!
//! Deliberately not here: where metrics go.

use metrics::{counter, gauge, histogram};
use std::time::Instant;
use tallymark_ledger::{GapCause, Tally};
use tallymark_model::Shard;
use tallymark_state::Delta;

/// A group was committed.
pub(crate) fn committed(tally: &Tally, segments: usize, seconds: f64) {
    let outcomes = [
        ("visible", tally.visible),
        ("duplicate", tally.duplicate),
        ("filtered", tally.filtered),
        ("dead", tally.dead),
        ("control", tally.control),
        ("hole", tally.hole),
    ];
    for (outcome, count) in outcomes {
        counter!("tallymark_processor_records_total", "outcome" => outcome).increment(count);
    }
    counter!("tallymark_processor_commits_total").increment(1);
    counter!("tallymark_processor_segments_total").increment(segments as u64);
    histogram!("tallymark_processor_commit_seconds").record(seconds);
}

/// The last number that a project gave to a raw id; numbers are never given back.
pub(crate) fn numbered(delta: &Delta) {
    for part in &delta.projects {
        if let Some(last) = part.subjects.iter().map(|s| s.id.0).max() {
            gauge!("tallymark_subject_numbers", "project" => part.project.to_string()).set(f64::from(last));
        }
    }
}

/// How long the steps of one group took.
pub(crate) struct Laps {
    last: Instant,
    /// Step and seconds, in order.
    pub laps: Vec<(&'static str, f64)>,
}

impl Laps {
    /// Starts now.
    pub(crate) fn start() -> Laps {
        Laps { last: Instant::now(), laps: Vec::with_capacity(8) }
    }

    /// The step that just ended.
    pub(crate) fn lap(&mut self, step: &'static str) {
        let now = Instant::now();
        let seconds = (now - self.last).as_secs_f64();
        self.last = now;
        self.laps.push((step, seconds));
        histogram!("tallymark_processor_step_seconds", "step" => step).record(seconds);
    }
}

/// Part of the log is gone.
pub(crate) fn gap(shard: Shard, records: u64, cause: GapCause) {
    let cause = match cause {
        GapCause::Trimmed => "trimmed",
        GapCause::Corrupt => "corrupt",
        GapCause::Missing => "missing",
        GapCause::Hole => "hole",
    };
    counter!("tallymark_processor_lost_records_total", "lane" => shard.lane.name(), "cause" => cause)
        .increment(records);
}

/// Something failed and is tried again.
pub(crate) fn retried(what: &'static str) {
    counter!("tallymark_processor_retries_total", "what" => what).increment(1);
}

/// Shards that wait for an operator because of a gap.
pub(crate) fn blocked(shards: usize) {
    gauge!("tallymark_processor_blocked_shards").set(shards as f64);
}

/// A job's chunk was committed.
pub(crate) fn job_chunk(kind: &'static str, records: u64, seconds: f64) {
    counter!("tallymark_processor_job_records_total", "kind" => kind).increment(records);
    histogram!("tallymark_processor_job_chunk_seconds", "kind" => kind).record(seconds);
}

/// How long the oldest live record has been waiting, in seconds, and how many wait; as jobs see it.
pub(crate) fn live_lag(seconds: f64, records: u64) {
    gauge!("tallymark_processor_live_lag_seconds").set(seconds);
    gauge!("tallymark_processor_live_backlog_records").set(records as f64);
}

/// A delta was missing or damaged and was derived again.
pub(crate) fn delta_rederived() {
    counter!("tallymark_processor_deltas_rederived_total").increment(1);
}

/// A segment file was gone or damaged and was derived again.
pub(crate) fn segment_rebuilt() {
    counter!("tallymark_processor_segments_rebuilt_total").increment(1);
}

/// How much is read and not committed.
pub(crate) fn in_flight(bytes: usize) {
    gauge!("tallymark_processor_inflight_bytes").set(bytes as f64);
}

/// How long the processor has been unable to commit, in seconds; 0 = it is fine.
pub(crate) fn stuck(seconds: f64) {
    gauge!("tallymark_processor_stuck_seconds").set(seconds);
}

/// A checkpoint was written.
pub(crate) fn checkpointed(seconds: f64) {
    histogram!("tallymark_processor_checkpoint_seconds").record(seconds);
}
