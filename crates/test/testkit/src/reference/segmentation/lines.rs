//! A line: the measure per bucket with its modifiers, and over the range.

use super::At;
use super::measures::measure;
use crate::reference::calendar::Bucket;
use crate::reference::events::Prepared;
use serde_json::{Value, json};
use tallymark_model::Millis;

/// Values per bucket, and the measure over the range.
pub struct Line {
    pub values: Vec<Value>,
    pub total: Value,
}

/// The bucket `n` before this one.
fn before(prepared: &Prepared, bucket: &Bucket, n: usize, unit: &str) -> Result<Bucket, String> {
    let mut found = bucket.clone();
    for _ in 0..n {
        found = prepared.calendar.bucket(found.start - 1, unit)?;
    }
    Ok(found)
}

/// Mean of the last values, missing = 0.
fn mean_of(values: &[Value]) -> Value {
    let sum: f64 = values.iter().map(|v| v.as_f64().unwrap_or(0.0)).sum();
    json!(sum / values.len() as f64)
}

pub fn line(
    prepared: &Prepared,
    query: &Value,
    series: &Value,
    buckets: &[Bucket],
    events: &[At],
) -> Result<Line, String> {
    let unit = query["interval"].as_str().unwrap_or("day");
    let (from, to) = prepared.range;
    let measured = |from: Millis, to: Millis| {
        let inside = |e: &&At| from <= e.time && e.time < to;
        let part: Vec<At> = events.iter().filter(inside).copied().collect();
        measure(prepared, query, series, &part, (from, to))
    };
    // "only events inside the range count"
    let of_bucket = |b: &Bucket| measured(b.start.max(from), b.end.min(to));
    let range_only = series["lookback"] == "range_only";
    let n_of = |key: &str| series[key].as_u64().filter(|n| *n > 1).map(|n| n as usize);
    let mut values = Vec::new();
    if let Some(n) = n_of("rolling_window") {
        for (i, bucket) in buckets.iter().enumerate() {
            // Looking back, the bucket that the range begins in is whole.
            let earliest = before(prepared, bucket, n - 1, unit)?.start;
            let start = if range_only || i + 1 > n { earliest.max(from) } else { earliest };
            values.push(measured(start, bucket.end.min(to))?);
        }
    } else if let Some(n) = n_of("rolling_average") {
        let mut plain = Vec::new();
        if let (Some(first), false) = (buckets.first(), range_only) {
            for back in (1..n).rev() {
                let earlier = before(prepared, first, back, unit)?;
                plain.push(measured(earlier.start, earlier.end)?);
            }
        }
        let looked_back = plain.len();
        for (i, bucket) in buckets.iter().enumerate() {
            plain.push(of_bucket(bucket)?);
            let end = looked_back + i + 1;
            values.push(mean_of(&plain[end.saturating_sub(n)..]));
        }
    } else if series["cumulative"] == true && series["cumulative_uniques"] == "sum" {
        let mut sum = 0.0;
        for bucket in buckets {
            sum += of_bucket(bucket)?.as_f64().unwrap_or(0.0);
            values.push(json!(sum));
        }
    } else if series["cumulative"] == true {
        for bucket in buckets {
            values.push(measured(from, bucket.end.min(to))?);
        }
    } else {
        for bucket in buckets {
            values.push(of_bucket(bucket)?);
        }
    }
    Ok(Line { values, total: measured(from, to)? })
}
