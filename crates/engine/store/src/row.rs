//! Rows as the processor hands them over and as compaction, verification and export get them back.

use crate::{Result, StoreError};
use ledger::{Fingerprint, Interval, SegmentKind, SegmentMeta, Source};
use model::{
    Annotation, CommitId, CommitSeq, Epoch, LogId, Millis, Position, ProjectId, Properties, PropertyOpKind,
    SegmentId, SubjectId,
};
use tallymark_ledger as ledger;
use tallymark_model as model;

/// One visible event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Where it stands in the log.
    pub position: Position,
    /// When the server received it, ms UTC.
    pub received_at: Millis,
    /// When it happened, ms UTC.
    pub time: Millis,
    /// Event name.
    pub event: String,
    /// The user if there is one, else the device; never the person.
    pub subject: SubjectId,
    /// User id as sent.
    pub user_id: Option<String>,
    /// Device id as sent.
    pub device_id: Option<String>,
    /// Insert id as sent.
    pub insert_id: Option<String>,
    /// Session id as sent.
    pub session_id: Option<String>,
    /// Event properties. Numbers are kept as numbers, but 1.0 reads back as 1: both have one canonical text.
    pub properties: Properties,
    /// Groups: (type, name). The order across types is not kept.
    pub groups: Vec<(String, String)>,
    /// Remarks made while decoding.
    pub annotations: Vec<Annotation>,
}

/// One operation on one property of a person.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyRow {
    /// Whose.
    pub subject: SubjectId,
    /// Property name; empty for `ClearAll`.
    pub name: String,
    /// What to do.
    pub op: PropertyOpKind,
    /// Operand as JSON text; `null` where the operation has none.
    pub value_json: String,
    /// Time of the event that carried it, ms UTC.
    pub time: Millis,
    /// Where that event stands in the log.
    pub position: Position,
    /// When the server received it, ms UTC.
    pub received_at: Millis,
    /// Order among the operations of the same record, from 0: they apply in this order.
    pub index: u32,
}

/// What the writer of a segment knows besides the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentSpec {
    /// Identity of the file, chosen by the caller.
    pub id: SegmentId,
    /// Whose rows.
    pub project: ProjectId,
    /// 0 = as committed, 1 = merged, 2 = event-major day file (rows must come sorted by event name first).
    pub level: u8,
    /// The log whose positions the rows carry.
    pub log: LogId,
    /// Intervals the rows come from; empty = the smallest intervals that hold the rows, one per shard.
    pub sources: Vec<Interval>,
    /// For level 2: day of all rows, days since the epoch, UTC.
    pub day: Option<i32>,
    /// Identity whose order the rows are sorted by; 0 = none.
    pub identity: CommitSeq,
    /// The commit that will add the file.
    pub commit: CommitId,
    /// The committer's previous commit.
    pub parent: Option<CommitId>,
    /// The committer's epoch.
    pub epoch: Epoch,
}

impl SegmentSpec {
    /// A level 0 segment with a fresh id and sources taken from the rows.
    pub fn new(project: ProjectId, log: LogId, commit: CommitId, epoch: Epoch) -> SegmentSpec {
        SegmentSpec {
            id: SegmentId(uuid::Uuid::now_v7()),
            project,
            level: 0,
            log,
            sources: Vec::new(),
            day: None,
            identity: CommitSeq(0),
            commit,
            parent: None,
            epoch,
        }
    }

    /// Object key of the file.
    pub fn key(&self) -> String {
        segment_key(self.project, self.level, self.id)
    }

    /// The meta data of a file with these rows; `bytes` is still 0.
    pub fn meta(&self, kind: SegmentKind, span: RowSpan, sources: Vec<Source>) -> SegmentMeta {
        SegmentMeta {
            id: self.id,
            project: self.project,
            kind,
            level: self.level,
            key: self.key(),
            bytes: 0,
            rows: span.rows,
            fingerprint: sources.iter().fold(Fingerprint::default(), |sum, s| sum + s.fingerprint),
            sources,
            time_min: span.time.0,
            time_max: span.time.1,
            received_min: span.received.0,
            received_max: span.received.1,
            day: self.day,
            identity: self.identity,
            commit: self.commit,
            parent: self.parent,
            epoch: self.epoch,
        }
    }
}

/// Object key of a segment file.
pub fn segment_key(project: ProjectId, level: u8, id: SegmentId) -> String {
    format!("{SEGMENTS}/{project}/{level}/{id}.parquet")
}

/// Prefix of all segment files.
pub const SEGMENTS: &str = "segments";

/// Number of rows and range of their times.
#[derive(Debug, Clone, Copy)]
pub struct RowSpan {
    /// How many.
    pub rows: u64,
    /// Smallest and largest time.
    pub time: (Millis, Millis),
    /// Smallest and largest receive time.
    pub received: (Millis, Millis),
}

impl RowSpan {
    /// Of these (time, receive time).
    pub fn of(rows: impl Iterator<Item = (Millis, Millis)>) -> RowSpan {
        let mut span =
            RowSpan { rows: 0, time: (Millis::MAX, Millis::MIN), received: (Millis::MAX, Millis::MIN) };
        for (time, received) in rows {
            span.rows += 1;
            span.time = (span.time.0.min(time), span.time.1.max(time));
            span.received = (span.received.0.min(received), span.received.1.max(received));
        }
        span
    }
}

/// Adds up rows and fingerprints per interval of origin.
///
/// With intervals given, a row outside all of them is an error; without, the smallest interval per shard grows
/// around the rows.
#[derive(Debug)]
pub struct SourceTally {
    log: LogId,
    fixed: bool,
    sources: Vec<Source>,
    last: usize,
}

impl SourceTally {
    /// Starts with these intervals, or with none to let them grow.
    pub fn new(log: LogId, intervals: &[Interval]) -> SourceTally {
        let sources = intervals.iter().map(|&interval| Source {
            interval,
            rows: 0,
            fingerprint: Fingerprint::default(),
        });
        SourceTally { log, fixed: !intervals.is_empty(), sources: sources.collect(), last: 0 }
    }

    /// Counts one row.
    pub fn add(&mut self, position: Position) -> Result<()> {
        let term = Fingerprint::of(self.log, position);
        let source = self.source_of(position)?;
        source.rows += 1;
        source.fingerprint += term;
        Ok(())
    }

    fn source_of(&mut self, position: Position) -> Result<&mut Source> {
        let inside = |s: &Source| s.interval.contains(position);
        let same_shard = |s: &Source| s.interval.shard == position.shard();
        if !self.sources.get(self.last).is_some_and(inside) {
            self.last = match self
                .sources
                .iter()
                .position(|s| if self.fixed { inside(s) } else { same_shard(s) })
            {
                Some(at) => at,
                None if self.fixed => return Err(StoreError::Outside { position }),
                None => {
                    let interval =
                        Interval { shard: position.shard(), from: position.offset, to: position.offset + 1 };
                    self.sources.push(Source { interval, rows: 0, fingerprint: Fingerprint::default() });
                    self.sources.len() - 1
                }
            };
        }
        let source = &mut self.sources[self.last];
        source.interval.from = source.interval.from.min(position.offset);
        source.interval.to = source.interval.to.max(position.offset + 1);
        Ok(source)
    }

    /// The sums, in order of shard and offset; intervals without rows are kept only if they were given.
    pub fn finish(mut self) -> Vec<Source> {
        self.sources.sort_by_key(|s| s.interval);
        self.sources
    }
}
