//! Rows of files: NDJSON, CSV and Parquet; plain, gzip, zstd, Brotli, or in a zip archive.
//!
//! Guarantees: one row in memory at a time (Parquet: one page per column); a row that is no row is reported with its
//! line and does not end the file; what ends it early is an error, never a silent end. Names inside archives are shown
//! to nobody and never become paths.
//! Deliberately not here: what a row means.

mod parquet;
mod text;
mod unpack;
mod zip;

use std::fs::File;
use std::io::{self, Read};
use tallymark_mapping::Row;

/// Longest accepted line, bytes.
pub const LINE_MAX: usize = 16 << 20;
/// What is kept of a row that is none, bytes.
const SHOWN: usize = 2_000;

/// How a file's rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A JSON object per line.
    Ndjson,
    /// With a header.
    Csv,
    /// Parquet.
    Parquet,
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// `.gz`.
    Gzip,
    /// `.zst`.
    Zstd,
    /// `.br`.
    Brotli,
    /// `.zip`, of files that are plain or `.gz`.
    Zip,
}

/// What the name of a file says; `None` if it says nothing that is known.
pub fn by_name(name: &str) -> Option<(Kind, Packing)> {
    let name = name.to_ascii_lowercase();
    let packed = [(".gz", Packing::Gzip), (".zst", Packing::Zstd), (".br", Packing::Brotli)];
    let found = packed.iter().find_map(|(end, packing)| Some((name.strip_suffix(end)?, *packing)));
    let (stem, packing) = found.unwrap_or((name.as_str(), Packing::Plain));
    if packing == Packing::Plain {
        if stem.ends_with(".parquet") {
            return Some((Kind::Parquet, Packing::Plain));
        }
        if let Some(inner) = stem.strip_suffix(".zip") {
            // Amplitude's export is a zip of `.json.gz`, whatever it is called.
            let kind = if inner.ends_with(".csv") { Kind::Csv } else { Kind::Ndjson };
            return Some((kind, Packing::Zip));
        }
    }
    if stem.ends_with(".csv") {
        return Some((Kind::Csv, packing));
    }
    let lines = [".ndjson", ".jsonl", ".json"].iter().any(|end| stem.ends_with(end));
    // Segment's archive has no more than `.gz`, its S3 keys no ending of their own.
    (lines || packing != Packing::Plain).then_some((Kind::Ndjson, packing))
}

/// One row, or why it is none.
#[derive(Debug)]
pub struct NumberedRow {
    /// Line where it begins (text, from 1), or number of the row (Parquet, from 1).
    pub line: u64,
    /// The row, or what is wrong with it.
    pub row: Result<Row, BadRow>,
    /// Of the row's bytes, if asked for.
    pub digest: [u8; 16],
}

/// A row that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// What is wrong.
    pub why: String,
    /// How it begins.
    pub text: String,
}

/// Rows of a file. After an error there are none.
pub struct Rows {
    source: Box<dyn Iterator<Item = io::Result<NumberedRow>> + Send>,
    ended: bool,
}

/// How to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// Rows up to this line were read before, and are passed over.
    pub after: u64,
    /// Digests are wanted.
    pub digests: bool,
}

impl Rows {
    /// Rows of a stream that is not Parquet and no archive.
    pub fn of_stream(
        reader: Box<dyn Read + Send>,
        kind: Kind,
        packing: Packing,
        options: ReadOptions,
    ) -> io::Result<Rows> {
        let reader = match packing {
            Packing::Plain => reader,
            packed => unpack::unpacked(reader, packed)?,
        };
        let source: Box<dyn Iterator<Item = io::Result<NumberedRow>> + Send> = match kind {
            Kind::Csv => Box::new(text::Csv::new(reader, options)?),
            Kind::Ndjson => Box::new(text::Ndjson::new(reader, options)),
            Kind::Parquet => return Err(io::Error::other("Parquet is read from a file")),
        };
        Ok(Rows { source, ended: false })
    }

    /// Rows of a file on a disk.
    pub fn of_file(file: File, kind: Kind, packing: Packing, options: ReadOptions) -> io::Result<Rows> {
        match (kind, packing) {
            (Kind::Parquet, _) => {
                Ok(Rows { source: Box::new(parquet::ParquetRows::open(file, options)?), ended: false })
            }
            (kind, Packing::Zip) => {
                Rows::of_stream(Box::new(zip::Members::open(file)?), kind, Packing::Plain, options)
            }
            (kind, packing) => Rows::of_stream(Box::new(file), kind, packing, options),
        }
    }

    /// True if this can only be read from a file on a disk.
    pub fn needs_file(kind: Kind, packing: Packing) -> bool {
        kind == Kind::Parquet || packing == Packing::Zip
    }
}

impl Iterator for Rows {
    type Item = io::Result<NumberedRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.source.next();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// How a row that is none begins.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned()
}

#[cfg(test)]
mod tests;
