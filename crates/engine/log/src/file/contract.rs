//! How fast the log grows, and when the volume is full at that rate.
//!
//! Guarantees: counts what was made durable, not what files occupy, so trimming does not make growth look smaller.
//! Deliberately not here: alarms.

use super::disk::Disk;
use super::files::Trouble;
use super::format::FIRST_BATCH;
use super::lane_reader::LaneReader;
use super::mark::Mark;
use super::reader::FileLogReader;
use crate::{Headroom, LogContract, LogReader, LogTerms, ReadError};
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use tallymark_model::{Lane, Position};

/// Measurements older than this count no more.
const WINDOW: Duration = Duration::from_secs(600);
/// A rate over less than this says nothing.
const SPAN_MIN: Duration = Duration::from_millis(200);
const MEASUREMENTS_MAX: usize = 1_000;

/// Bytes that one lane was seen to grow by.
pub(crate) struct Written {
    bytes: u64,
    place: (u64, u64),
}

impl From<&Mark> for Written {
    fn from(mark: &Mark) -> Written {
        Written { bytes: 0, place: mark.place() }
    }
}

impl Written {
    /// Counts up to where the lane is durable now.
    fn count(&mut self, lane: &mut LaneReader) -> Result<u64, ReadError> {
        lane.refresh()?;
        lane.files.refresh()?;
        let (file, position) = self.place;
        let now = lane.durable.place();
        if now.0 == file {
            self.bytes += now.1.saturating_sub(position);
        } else {
            for number in lane.files.numbers().into_iter().filter(|n| (file..now.0).contains(n)) {
                let from = if number == file { position } else { FIRST_BATCH };
                match lane.files.end_of_sealed(number) {
                    Ok(end) => self.bytes += end.saturating_sub(from),
                    Err(Trouble::Vanished) => {}
                    Err(Trouble::Error(e)) => return Err(e),
                }
            }
            self.bytes += now.1.saturating_sub(FIRST_BATCH);
        }
        self.place = now;
        Ok(self.bytes)
    }
}

/// Growth over the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    /// Notes how much was written by now; bytes per second since the oldest measurement that counts.
    fn note(&mut self, at: Instant, bytes: u64) -> Option<f64> {
        let old = |first: &(Instant, u64)| at.duration_since(first.0) > WINDOW;
        while self.0.len() > MEASUREMENTS_MAX || (self.0.len() > 1 && self.0.front().is_some_and(old)) {
            self.0.pop_front();
        }
        self.0.push_back((at, bytes));
        let (first, before) = *self.0.front()?;
        let span = at.duration_since(first);
        (span >= SPAN_MIN).then(|| bytes.saturating_sub(before) as f64 / span.as_secs_f64())
    }
}

pub(crate) async fn measure(
    log: &FileLogReader,
    terms: &LogTerms,
    cursors: &[Position],
) -> Result<LogContract, ReadError> {
    let mut written = 0;
    for lane in Lane::ALL {
        written += log.on_lane(lane, |_, lane| lane.written.count(&mut lane.reader), |e| e).await?;
    }
    let rate = log.shared.rate.lock().unwrap_or_else(PoisonError::into_inner).note(Instant::now(), written);
    let usage = log.usage().await?;
    let root = &log.shared.layout.root;
    let disk: &dyn Disk = log.shared.disk.as_ref();
    let total = disk.total_bytes(root).map_err(|e| super::files::read_error(root, e))?;
    let floor = log.shared.floor_bytes.min(total.unwrap_or(u64::MAX) / 20);
    let room = usage.disk_free_bytes.map(|free| free.saturating_sub(floor));
    let mut headroom = Vec::with_capacity(cursors.len());
    for cursor in cursors {
        headroom.push(Headroom::of(*cursor, log.bounds(cursor.shard()).await?));
    }
    Ok(LogContract {
        log: log.id(),
        partitions: log.partitions(),
        terms: *terms,
        forgets_unprocessed: false,
        log_bytes: usage.log_bytes,
        disk_total_bytes: total,
        disk_free_bytes: usage.disk_free_bytes,
        written_bytes_per_s: rate,
        full_in_s: room.zip(rate.filter(|r| *r > 0.0)).map(|(room, rate)| room as f64 / rate),
        headroom,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_forgets_what_is_long_ago() {
        let start = Instant::now();
        let mut rate = Rate::default();
        assert_eq!(rate.note(start, 0), None, "one measurement is no rate");
        assert_eq!(rate.note(start + Duration::from_secs(10), 1_000), Some(100.0));
        // An hour of silence later, the old measurements are gone.
        let later = start + Duration::from_secs(3_600);
        let after_silence = rate.note(later, 1_000).unwrap();
        assert!(after_silence < 1.0, "{after_silence}");
        assert_eq!(rate.note(later + Duration::from_secs(10), 2_000), Some(100.0));
    }
}
