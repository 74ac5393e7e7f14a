//! Text: a JSON object per line, or CSV with a header.

use super::{BadRow, LINE_MAX, NumberedRow, ReadOptions, shown};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tallymark_mapping::Row;

const BUFFER: usize = 1 << 20;

/// A JSON object per line. Empty lines count, and are no rows.
pub(super) struct Ndjson {
    reader: BufReader<Box<dyn Read + Send>>,
    line: u64,
    options: ReadOptions,
}

impl Ndjson {
    pub fn new(reader: Box<dyn Read + Send>, options: ReadOptions) -> Ndjson {
        Ndjson { reader: BufReader::with_capacity(BUFFER, reader), line: 0, options }
    }
}

impl Iterator for Ndjson {
    type Item = io::Result<NumberedRow>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut bytes = Vec::new();
            let got = self.reader.by_ref().take(LINE_MAX as u64 + 1).read_until(b'\n', &mut bytes);
            match got {
                Ok(0) => return None,
                Ok(_) => self.line += 1,
                Err(e) => return Some(Err(e)),
            }
            let line = self.line;
            let too_long = bytes.len() > LINE_MAX && bytes.last() != Some(&b'\n');
            if too_long && let Err(e) = self.reader.skip_until(b'\n') {
                return Some(Err(e));
            }
            let trimmed = bytes.trim_ascii();
            if trimmed.is_empty() || line <= self.options.after {
                continue;
            }
            let bad = |why: String| BadRow { why, text: shown(trimmed) };
            let row = if too_long {
                Err(bad(format!("the line has more than {LINE_MAX} bytes")))
            } else {
                serde_json::from_slice::<Map<String, Value>>(trimmed)
                    .map(|fields| Row { fields })
                    .map_err(|e| bad(format!("not a JSON object: {e}")))
            };
            let digest = if self.options.digests { digest([trimmed]) } else { [0; 16] };
            return Some(Ok(NumberedRow { line, row, digest }));
        }
    }
}

/// CSV with a header. A record that spans lines is counted where it begins.
pub(super) struct Csv {
    header: Vec<String>,
    records: csv::ByteRecordsIntoIter<Box<dyn Read + Send>>,
    since: Arc<AtomicUsize>,
    options: ReadOptions,
}

impl Csv {
    pub fn new(reader: Box<dyn Read + Send>, options: ReadOptions) -> io::Result<Csv> {
        let since = Arc::new(AtomicUsize::new(0));
        let bounded: Box<dyn Read + Send> = Box::new(ShortRecords { reader, since: since.clone() });
        let mut csv = csv::ReaderBuilder::new().flexible(true).buffer_capacity(BUFFER).from_reader(bounded);
        let mut header: Vec<String> = csv.byte_headers().map_err(told)?.iter().map(text).collect();
        if let Some(first) = header.first_mut() {
            // Excel writes a byte order mark.
            *first = first.trim_start_matches('\u{feff}').to_owned();
        }
        Ok(Csv { header, records: csv.into_byte_records(), since, options })
    }
}

impl Iterator for Csv {
    type Item = io::Result<NumberedRow>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = match self.records.next()? {
                Ok(record) => record,
                Err(e) => return Some(Err(told(e))),
            };
            self.since.store(0, Ordering::Relaxed);
            let line = record.position().map_or(0, csv::Position::line);
            if line <= self.options.after {
                continue;
            }
            let row = if record.len() == self.header.len() {
                let fields =
                    self.header.iter().zip(&record).map(|(h, v)| (h.clone(), Value::String(text(v))));
                Ok(Row { fields: fields.collect() })
            } else {
                let why = format!("{} fields where the header has {}", record.len(), self.header.len());
                Err(BadRow { why, text: shown(record.as_slice()) })
            };
            let digest = if self.options.digests { digest(record.iter()) } else { [0; 16] };
            return Some(Ok(NumberedRow { line, row, digest }));
        }
    }
}

fn told(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(e) => e,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// Fails where a field that is never closed, or no line end at all, would be collected in memory without end.
struct ShortRecords {
    reader: Box<dyn Read + Send>,
    /// Bytes since the last record came out.
    since: Arc<AtomicUsize>,
}

impl Read for ShortRecords {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        if self.since.fetch_add(n, Ordering::Relaxed) > LINE_MAX {
            return Err(io::Error::other(format!(
                "a record has more than {LINE_MAX} bytes: a quote that is never closed, or no line ends"
            )));
        }
        Ok(n)
    }
}

fn digest<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update((field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    let mut out = [0; 16];
    out.copy_from_slice(&hasher.finalize()[..16]);
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
