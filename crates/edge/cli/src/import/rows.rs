//! Reads rows from CSV and NDJSON files, plain, gzip or zstd, one at a time.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tallymark_mapping::Row;

/// Longest accepted NDJSON line, bytes.
const LINE_MAX: u64 = 16 << 20;

/// One row, or why it is none.
pub struct NumberedRow {
    /// 1-based line (NDJSON) or record (CSV, after the header).
    pub line: u64,
    /// The row, or what is wrong with it.
    pub row: Result<Row, String>,
    /// Stable dedup id: hash of the row's bytes and how often they occurred before in this file. Equal rows
    /// are real events, not retries.
    pub insert_id: String,
}

/// Rows of a file.
pub struct Rows {
    source: Source,
    line: u64,
    seen: HashMap<[u8; 16], u32>,
    read: Arc<AtomicU64>,
}

enum Source {
    Csv { header: Vec<String>, records: csv::ByteRecordsIntoIter<Box<dyn Read + Send>> },
    Ndjson(BufReader<Box<dyn Read + Send>>),
}

impl Rows {
    /// Opens a file by its name: `.csv` or `.ndjson`/`.jsonl`/`.json`, optionally followed by `.gz` or `.zst`.
    pub fn open(path: &Path) -> std::io::Result<Rows> {
        let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { file: File::open(path)?, read: read.clone() };
        let (plain, reader): (&str, Box<dyn Read + Send>) = if let Some(stem) = name.strip_suffix(".gz") {
            (stem, Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(1 << 20, counted))))
        } else if let Some(stem) = name.strip_suffix(".zst") {
            (stem, Box::new(zstd::stream::read::Decoder::new(counted)?))
        } else {
            (name.as_str(), Box::new(BufReader::with_capacity(1 << 20, counted)))
        };
        let source = if plain.ends_with(".csv") {
            let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
            let header = csv.byte_headers().map_err(std::io::Error::other)?.iter().map(text).collect();
            Source::Csv { header, records: csv.into_byte_records() }
        } else if [".ndjson", ".jsonl", ".json"].iter().any(|e| plain.ends_with(e)) {
            Source::Ndjson(BufReader::with_capacity(1 << 20, reader))
        } else {
            return Err(std::io::Error::other(format!(
                "{}: unknown kind of file; use .csv, .ndjson or .jsonl, optionally with .gz or .zst",
                path.display()
            )));
        };
        Ok(Rows { source, line: 0, seen: HashMap::new(), read })
    }

    /// Bytes of the file read so far, for a progress bar.
    pub fn bytes_read(&self) -> Arc<AtomicU64> {
        self.read.clone()
    }

    fn identify(&mut self, bytes: impl Iterator<Item = Vec<u8>>) -> String {
        let mut hasher = Sha256::new();
        for field in bytes {
            hasher.update((field.len() as u64).to_le_bytes());
            hasher.update(&field);
        }
        let digest = hasher.finalize();
        let mut key = [0u8; 16];
        key.copy_from_slice(&digest[..16]);
        let occurrence = self.seen.entry(key).or_insert(0);
        *occurrence += 1;
        let hex: String = key.iter().map(|b| format!("{b:02x}")).collect();
        format!("{hex}-{occurrence}")
    }
}

impl Iterator for Rows {
    type Item = NumberedRow;

    fn next(&mut self) -> Option<NumberedRow> {
        match &mut self.source {
            Source::Csv { header, records } => {
                let record = records.next()?;
                self.line += 1;
                let line = self.line;
                let record = match record {
                    Ok(record) => record,
                    Err(e) => {
                        return Some(NumberedRow { line, row: Err(e.to_string()), insert_id: String::new() });
                    }
                };
                let row = if record.len() == header.len() {
                    let fields = header.iter().zip(&record).map(|(h, v)| (h.clone(), Value::String(text(v))));
                    Ok(Row { fields: fields.collect() })
                } else {
                    Err(format!("{} fields where the header has {}", record.len(), header.len()))
                };
                let insert_id = self.identify(record.iter().map(<[u8]>::to_vec));
                Some(NumberedRow { line, row, insert_id })
            }
            Source::Ndjson(reader) => loop {
                let mut bytes = Vec::new();
                let got = reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut bytes);
                self.line += 1;
                let line = self.line;
                match got {
                    Ok(0) => return None,
                    Ok(_) => {}
                    Err(e) => {
                        return Some(NumberedRow { line, row: Err(e.to_string()), insert_id: String::new() });
                    }
                }
                let trimmed = bytes.trim_ascii();
                if trimmed.is_empty() {
                    continue;
                }
                let row = serde_json::from_slice::<Map<String, Value>>(trimmed)
                    .map(|fields| Row { fields })
                    .map_err(|e| format!("not a JSON object: {e}"));
                let owned = trimmed.to_vec();
                let insert_id = self.identify(std::iter::once(owned));
                return Some(NumberedRow { line, row, insert_id });
            },
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        File::create(&path).unwrap().write_all(content).unwrap();
        (dir, path)
    }

    #[test]
    fn equal_rows_get_different_ids_and_the_same_ones_again() {
        let (_dir, path) = file("a.csv", b"a,b\n1,2\n1,2\n3,4\n");
        let ids = |p| Rows::open(p).unwrap().map(|r| r.insert_id).collect::<Vec<_>>();
        let first = ids(&path);
        assert_eq!(first, ids(&path));
        assert_eq!(first.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    }

    #[test]
    fn bad_lines_are_named_and_the_good_beside_them_kept() {
        let (_dir, path) = file("a.ndjson", b"{\"a\":1}\n{oops\n\n[1]\n{\"a\":2}");
        let rows: Vec<_> = Rows::open(&path).unwrap().collect();
        let good: Vec<u64> = rows.iter().filter(|r| r.row.is_ok()).map(|r| r.line).collect();
        let bad: Vec<u64> = rows.iter().filter(|r| r.row.is_err()).map(|r| r.line).collect();
        assert_eq!((good, bad), (vec![1, 5], vec![2, 4]));
    }

    #[test]
    fn a_short_csv_row_is_refused_alone() {
        let (_dir, path) = file("a.csv", b"a,b\n1\n1,2\n");
        let rows: Vec<_> = Rows::open(&path).unwrap().map(|r| r.row.is_ok()).collect();
        assert_eq!(rows, [false, true]);
    }
}
