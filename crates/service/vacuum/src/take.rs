//! Takes one object: a thread reads and maps, batches go out in order, the record follows what is acknowledged.
//!
//! ```text
//! thread: object ──▶ rows ──▶ events ──▶ [channel of 2] ──▶ up to 2 requests ──▶ rejects file ──▶ record
//! ```
//! Guarantees: the record says only what the collector acknowledged; answers are noted in the order of rows, so that one
//! number says where to go on; 503 and 429 are waited for, for ever.

use crate::convert::{Converter, Lineage};
use crate::door::{DoorError, Refused};
use crate::failpoint::{Step, pass};
use crate::place::{Fault, Faults, Listed, Place};
use crate::rejects::{self, KEPT, Reject};
use crate::round::{Context, Shared};
use crate::rows::{Kind, Packing, ReadOptions, Rows};
use crate::{Entry, Source, SourceProgress, State, VacuumError};
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Rows of one request.
const BATCH_ROWS: usize = 2_000;
/// Bytes of one request; the collector takes 20 MB.
const BATCH_BYTES: usize = 4 << 20;
/// Requests under way per object.
const IN_FLIGHT: usize = 2;
const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(10);

/// An object to be taken.
pub(crate) struct Job {
    pub source: Source,
    pub place: Place,
    pub listed: Listed,
    pub kind: (Kind, Packing),
    /// Where to go on, with its version.
    pub entry: Entry,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Done,
    /// It is another one now.
    Changed,
    /// It cannot be read further, now or later.
    Failed(String),
    /// The bucket or the disk, for now.
    Later(String),
}

#[derive(Default)]
struct Batch {
    events: Vec<Vec<u8>>,
    lines: Vec<u64>,
    rejects: Vec<Reject>,
    last_line: u64,
    bytes: usize,
}

enum Piece {
    Batch(Batch),
    End(Ended),
}

/// Takes it.
pub(crate) async fn take(job: Job, context: &Context, shared: &Shared) -> Result<Ended, VacuumError> {
    let (name, key) = (job.source.name.clone(), job.listed.key.clone());
    let mut entry = job.entry.clone();
    let read = Arc::new(AtomicU64::new(0));
    let (send, mut pieces) = mpsc::channel(2);
    let (counter, spool) = (read.clone(), context.folder.clone());
    tokio::task::spawn_blocking(move || produce(&job, &counter, &spool, &send));
    let mut flying = FuturesOrdered::new();
    let (mut ended, mut told) = (None, 0u64);
    loop {
        let more = ended.is_none() && flying.len() < IN_FLIGHT && !context.stop.is_cancelled();
        tokio::select! {
            piece = pieces.recv(), if more => match piece {
                Some(Piece::Batch(batch)) => {
                    pass(context.failpoint.as_ref(), Step::Read)?;
                    flying.push_back(deliver(batch, context, name.as_str()));
                }
                Some(Piece::End(end)) => ended = Some(end),
                None => ended = Some(Ended::Failed("its decoder gave up: it is not what its name says".to_owned())),
            },
            Some(delivered) = flying.next(), if !flying.is_empty() => {
                let (batch, refused) = delivered?;
                pass(context.failpoint.as_ref(), Step::Acknowledged)?;
                entry = noted(entry, batch, refused, context, shared).await?;
                let now = read.load(Ordering::Relaxed);
                context.board.change(&name, |p| {
                    p.bytes_done += now - told;
                    p.waiting = None;
                });
                told = now;
            }
            else => break,
        }
    }
    let Some(ended) = ended else { return Err(VacuumError::Stopped) };
    pass(context.failpoint.as_ref(), Step::BeforeEnd)?;
    let state = match &ended {
        Ended::Done => State::Done,
        Ended::Failed(_) => State::Failed,
        Ended::Changed | Ended::Later(_) => State::Open,
    };
    if state != State::Open {
        let why = if let Ended::Failed(why) = &ended { Some(why.clone()) } else { None };
        context.board.change(&name, |p| {
            p.bytes_done += entry.bytes.saturating_sub(told);
            p.round_done += 1;
            p.done += u64::from(state == State::Done);
            if let Some(why) = &why {
                SourceProgress::name(&mut p.failed, (key.clone(), why.clone()));
            }
        });
        shared.note(Entry { state, why, at: now_ms(), ..entry }).await?;
    }
    Ok(ended)
}

async fn noted(
    mut entry: Entry,
    batch: Batch,
    refused: Vec<Refused>,
    context: &Context,
    shared: &Shared,
) -> Result<Entry, VacuumError> {
    let accepted = (batch.events.len() - refused.len()) as u64;
    let mut rejects = batch.rejects;
    for Refused { index, why } in refused {
        let text: String = batch.events.get(index).map(|e| brief(e)).unwrap_or_default();
        let row = batch.lines.get(index).copied().unwrap_or_default();
        let (object, version) = (entry.object.clone(), entry.version.clone());
        rejects.push(Reject { object, version, row, why, text });
    }
    rejects.sort_by_key(|r| r.row);
    let count = rejects.len() as u64;
    rejects::append(&context.folder, &entry.source, &rejects)?;
    pass(context.failpoint.as_ref(), Step::Rejected)?;
    entry.line = batch.last_line;
    entry.rows += accepted;
    entry.rejected += count;
    entry.at = now_ms();
    shared.note(entry.clone()).await?;
    pass(context.failpoint.as_ref(), Step::Noted)?;
    context.board.change(&entry.source, |p| {
        p.rows += accepted;
        p.rejected += count;
    });
    Ok(entry)
}

/// Sends a batch until it is taken.
async fn deliver(
    batch: Batch,
    context: &Context,
    source: &str,
) -> Result<(Batch, Vec<Refused>), VacuumError> {
    let mut refused = Vec::new();
    let mut parts = vec![(0, batch.events.len())];
    while let Some((start, end)) = parts.pop() {
        let part = start..end;
        if part.is_empty() {
            continue;
        }
        match patiently(context, source, &batch.events[part.clone()]).await? {
            Some(answer) => {
                refused.extend(answer.into_iter().map(|r| Refused { index: r.index + part.start, ..r }))
            }
            None if part.len() == 1 => {
                refused.push(Refused {
                    index: part.start,
                    why: "the server takes no event of this size".to_owned(),
                });
            }
            None => {
                let middle = part.start + part.len() / 2;
                parts.push((middle, part.end));
                parts.push((part.start, middle));
            }
        }
    }
    Ok((batch, refused))
}

/// `None`: it is too large.
async fn patiently(
    context: &Context,
    source: &str,
    events: &[Vec<u8>],
) -> Result<Option<Vec<Refused>>, VacuumError> {
    let mut wait = WAIT_MIN;
    loop {
        let (why, after) = match context.door.send(body(events)).await {
            Ok(answer) => return Ok(Some(answer.refused)),
            Err(DoorError::TooLarge) => return Ok(None),
            Err(DoorError::Never(why)) => return Err(VacuumError::Refused(why)),
            Err(DoorError::Later { why, after }) => (why, after),
        };
        context.board.change(source, |p| p.waiting = Some(why));
        tokio::select! {
            () = tokio::time::sleep(after.unwrap_or(wait)) => {}
            () = context.stop.cancelled() => return Err(VacuumError::Stopped),
        }
        wait = (wait * 2).min(WAIT_MAX);
    }
}

fn body(events: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::with_capacity(events.iter().map(|e| e.len() + 1).sum::<usize>() + 16);
    body.extend_from_slice(b"{\"events\":[");
    for (i, event) in events.iter().enumerate() {
        if i > 0 {
            body.push(b',');
        }
        body.extend_from_slice(event);
    }
    body.extend_from_slice(b"]}");
    body
}

fn produce(job: &Job, counter: &Arc<AtomicU64>, spool: &Path, send: &mpsc::Sender<Piece>) {
    let faults = Faults::default();
    let ended = match read(job, counter, spool, &faults, send) {
        Ok(()) => Ended::Done,
        Err(error) => match faults.get() {
            Some(Fault::Changed) => Ended::Changed,
            Some(Fault::Later(why)) => Ended::Later(why),
            None if error.kind() == io::ErrorKind::NotFound => Ended::Changed,
            None => Ended::Failed(error.to_string()),
        },
    };
    // Nobody waits any more if this fails.
    let _ = send.blocking_send(Piece::End(ended));
}

fn read(
    job: &Job,
    counter: &Arc<AtomicU64>,
    spool: &Path,
    faults: &Faults,
    send: &mpsc::Sender<Piece>,
) -> io::Result<()> {
    let lineage = Lineage {
        source: job.source.name.clone(),
        object: job.listed.at.clone(),
        key: job.listed.key.clone(),
        version: job.entry.version.clone(),
    };
    let converter =
        Converter::new(job.source.format, job.source.map.as_ref(), lineage).map_err(io::Error::other)?;
    let options = ReadOptions { after: job.entry.line, digests: false };
    let rows = open_rows(&job.place, &job.listed, job.kind, options, counter, spool, faults)?;
    let mut batch = Batch { last_line: job.entry.line, ..Batch::default() };
    for numbered in rows {
        let numbered = match numbered {
            Ok(numbered) => numbered,
            Err(error) => {
                // What came before the break counts.
                let _ = send.blocking_send(Piece::Batch(batch));
                return Err(error);
            }
        };
        batch.last_line = numbered.line;
        let line = numbered.line;
        let reject = |why: String, text: String| Reject {
            object: job.entry.object.clone(),
            version: job.entry.version.clone(),
            row: line,
            why,
            text,
        };
        match numbered.row {
            Err(bad) => batch.rejects.push(reject(bad.why, bad.text)),
            Ok(row) => {
                let shown = row.fields.clone();
                match converter.event(line, row) {
                    Err(why) => {
                        let text = serde_json::to_vec(&shown).unwrap_or_default();
                        batch.rejects.push(reject(why, brief(&text)));
                    }
                    Ok(event) => {
                        let text = serde_json::to_vec(&event).unwrap_or_default();
                        batch.bytes += text.len();
                        batch.events.push(text);
                        batch.lines.push(line);
                    }
                }
            }
        }
        let full = batch.events.len() + batch.rejects.len() >= BATCH_ROWS || batch.bytes >= BATCH_BYTES;
        if full {
            let next = Batch { last_line: batch.last_line, ..Batch::default() };
            if send.blocking_send(Piece::Batch(std::mem::replace(&mut batch, next))).is_err() {
                return Ok(());
            }
        }
    }
    if !batch.events.is_empty() || !batch.rejects.is_empty() {
        let _ = send.blocking_send(Piece::Batch(batch));
    }
    Ok(())
}

/// Rows of an object; archives and Parquet by way of a nameless file in the data folder.
pub(crate) fn open_rows(
    place: &Place,
    listed: &Listed,
    (kind, packing): (Kind, Packing),
    options: ReadOptions,
    counter: &Arc<AtomicU64>,
    spool: &Path,
    faults: &Faults,
) -> io::Result<Rows> {
    let reader = place.reader(listed, faults)?;
    let mut reader = Counted { reader, counter: counter.clone() };
    if !Rows::needs_file(kind, packing) {
        return Rows::of_stream(Box::new(reader), kind, packing, options);
    }
    std::fs::create_dir_all(spool)?;
    let mut file = tempfile::tempfile_in(spool)?;
    io::copy(&mut reader, &mut file)?;
    file.rewind()?;
    Rows::of_file(file, kind, packing, options)
}

struct Counted {
    reader: Box<dyn Read + Send>,
    counter: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.counter.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

pub(crate) fn brief(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(KEPT)]).into_owned()
}

pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
