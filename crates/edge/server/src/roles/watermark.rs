//! Up to which receive time everything acknowledged is visible: the end of the log against the cursors.
//!
//! Guarantees: what is received and not in the log yet is asked of the collector; what waits is asked for itself, so a
//! shard that never had an event (a rule was published to it) holds nothing back; what is not known is not claimed, and
//! never becomes the beginning of time.
//! Deliberately not here: how often it is measured.

use super::open;
use crate::Layout;
use crate::ports::ControlSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tallymark_catalog::sqlite::WebCatalog;
use tallymark_catalog::{Cursor, Snapshots};
use tallymark_log::{Item, LogReader, ReadLimit};
use tallymark_model::{Lane, Millis, Position, Record, Shard};
use tallymark_query::Watermark;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_millis(500);
/// Waiting records that are looked at per shard: requests that arrive together need not be in order of time.
const LOOKED_AT: usize = 200;

/// The watermark, measured in the background.
pub fn keep(layout: &Layout, catalog: Arc<WebCatalog>, stop: CancellationToken) -> Watermark {
    let known = Arc::new(AtomicI64::new(Millis::MIN));
    let measured = known.clone();
    let layout = layout.clone();
    tokio::spawn(async move {
        let Some(log) = open::log_when_there(&layout, &stop).await else { return };
        let door = ControlSocket { path: layout.control_socket() };
        while !stop.is_cancelled() {
            match measure(&door, log.as_ref(), catalog.as_ref()).await {
                Ok(at) => measured.store(at, Ordering::Relaxed),
                Err(error) => tracing::debug!(error, "watermark not measured"),
            }
            tokio::time::sleep(EVERY).await;
        }
    });
    Arc::new(move || Some(known.load(Ordering::Relaxed)).filter(|at| *at != Millis::MIN))
}

async fn measure(
    door: &ControlSocket,
    log: &dyn LogReader,
    catalog: &dyn Snapshots,
) -> Result<Millis, String> {
    // The clock first: what arrives later is not claimed. Then what is on its way: it is in no file yet.
    let now = jiff::Timestamp::now().as_millisecond();
    let received = door.received_through().await.map_err(|e| e.to_string())?;
    let now = received.map_or(now, |through| through.min(now));
    let mut ends = Vec::new();
    for lane in Lane::ALL {
        for partition in 0..log.partitions() {
            let shard = Shard { lane, partition };
            ends.push((shard, log.bounds(shard).await.map_err(|e| e.to_string())?.end));
        }
    }
    let cursors = catalog.cursors().await.map_err(|e| e.to_string())?;
    through(log, &ends, &cursors, now).await
}

/// Everything received before this instant is processed.
async fn through(
    log: &dyn LogReader,
    ends: &[(Shard, u64)],
    cursors: &[Cursor],
    now: Millis,
) -> Result<Millis, String> {
    let mut at = now;
    for (shard, end) in ends {
        let cursor = cursors.iter().find(|c| c.shard == *shard);
        let from = cursor.map_or(0, |c| c.position);
        if from < *end {
            let waiting = oldest(log, *shard, from, *end).await?;
            match (waiting, cursor.map(|c| c.received_to).filter(|to| *to > 0)) {
                (Waiting::Since(since), _) => at = at.min(since),
                (Waiting::Unknown, Some(received)) => at = at.min(received),
                (Waiting::Unknown, None) => return Err(format!("what waits in {shard} cannot be read")),
                (Waiting::NoEvent, _) => {}
            }
        }
    }
    Ok(at)
}

/// What waits in a shard.
enum Waiting {
    /// Events, the oldest received then.
    Since(Millis),
    /// Control records only: they were not received from anybody.
    NoEvent,
    /// Something that cannot be read, or a great many control records.
    Unknown,
}

async fn oldest(log: &dyn LogReader, shard: Shard, from: u64, end: u64) -> Result<Waiting, String> {
    let at = Position { lane: shard.lane, partition: shard.partition, offset: from };
    let limit = ReadLimit { records: LOOKED_AT, bytes: 1 << 20 };
    let items = log.read(at, limit).await.map_err(|e| e.to_string())?;
    let (mut oldest, mut read) = (None::<Millis>, from);
    for item in items {
        let Item::Records(records) = item else { return Ok(Waiting::Unknown) };
        for (position, record) in records {
            read = position.offset + 1;
            if let Record::Event(event) = record {
                oldest = Some(oldest.map_or(event.received_at, |o| o.min(event.received_at)));
            }
        }
    }
    Ok(match oldest {
        Some(since) => Waiting::Since(since),
        None if read >= end => Waiting::NoEvent,
        None => Waiting::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tallymark_log::LogWriter;
    use tallymark_log::memory::MemoryLog;
    use tallymark_model::{Control, Envelope, ProjectToken, RequestContext, WireFormat};

    const NOW: Millis = 1_800_000_000_000;

    fn event(received_at: Millis) -> Record {
        Record::Event(Envelope {
            token: ProjectToken([1; 16]),
            wire: WireFormat::NativeV1,
            lane: Lane::Live,
            key: "k".into(),
            received_at,
            context: Arc::new(RequestContext::default()),
            body: "{}".to_owned().into(),
        })
    }

    fn rule(lane: Lane) -> Record {
        let control =
            Control::Refused { token: "00".into(), minute: 60_000, count: 1, reason: "too_large".into() };
        Record::Control { shard: Shard { lane, partition: 0 }, control }
    }

    async fn at(log: &MemoryLog, cursors: &[(Lane, u64, Millis)]) -> Result<Millis, String> {
        let mut ends = Vec::new();
        for lane in Lane::ALL {
            let shard = Shard { lane, partition: 0 };
            ends.push((shard, log.bounds(shard).await.unwrap().end));
        }
        let cursor = |(lane, position, received_to): &(Lane, u64, Millis)| Cursor {
            shard: Shard { lane: *lane, partition: 0 },
            position: *position,
            received_to: *received_to,
        };
        through(log, &ends, &cursors.iter().map(cursor).collect::<Vec<_>>(), NOW).await
    }

    #[tokio::test]
    async fn a_rule_that_waits_in_a_shard_without_events_holds_nothing_back() {
        let log = MemoryLog::new(1);
        log.append(vec![event(NOW - 9_000), rule(Lane::Live), rule(Lane::Bulk)]).await.unwrap();
        assert_eq!(at(&log, &[(Lane::Live, 1, NOW - 9_000)]).await, Ok(NOW));
        assert_eq!(at(&log, &[(Lane::Live, 2, NOW - 9_000), (Lane::Bulk, 1, 0)]).await, Ok(NOW));
    }

    #[tokio::test]
    async fn the_oldest_event_that_waits_is_where_it_ends() {
        let log = MemoryLog::new(1);
        // The second request was received first, and was later in the queue.
        log.append(vec![event(NOW - 9_000), rule(Lane::Live), event(NOW - 5_000)]).await.unwrap();
        log.append(vec![event(NOW - 5_100)]).await.unwrap();
        assert_eq!(at(&log, &[]).await, Ok(NOW - 9_000));
        assert_eq!(at(&log, &[(Lane::Live, 1, NOW - 9_000)]).await, Ok(NOW - 5_100));
        assert_eq!(at(&log, &[(Lane::Live, 4, NOW - 5_000)]).await, Ok(NOW));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_not_claimed() {
        let log = MemoryLog::new(1);
        log.append(vec![event(NOW - 9_000), event(NOW - 5_000)]).await.unwrap();
        let shard = Shard { lane: Lane::Live, partition: 0 };
        log.lose(tallymark_ledger::Interval::new(shard, 1, 2));
        assert_eq!(at(&log, &[(Lane::Live, 1, NOW - 9_000)]).await, Ok(NOW - 9_000));
        log.lose(tallymark_ledger::Interval::new(shard, 0, 1));
        assert!(at(&log, &[]).await.is_err());
    }
}
