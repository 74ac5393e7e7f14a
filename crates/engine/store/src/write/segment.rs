//! One segment file, column by column.
//!
//! Columns are encoded one after the other, each for all row groups, and put together at the end. So only one
//! column is in memory unencoded, a merge decodes each input column once, and columns can be encoded on several
//! threads.

use super::index::{INDEX_KEY, INDEX_VERSION, Index, MAX_OVERFLOW_NAMES, PageChecks, RowGroup, SEGMENT_KEY};
use super::pages::{self, PageSizes};
use super::{Encoded, layout, occupants};
use crate::columns::Column;
use crate::{Result, StoreError};
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::Schema;
use ledger::SegmentMeta;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;
use std::collections::BTreeSet;
use std::sync::Arc;
use tallymark_ledger as ledger;
use tallymark_model::LogId;

/// Magic of the check block before the footer.
pub(crate) const CHECK_MAGIC: &[u8; 4] = b"TMK1";
/// Size of the check block.
pub(crate) const CHECK_LEN: usize = 16;
/// Size of the length and the magic at the end of a Parquet file.
pub(crate) const TAIL_LEN: usize = 8;

/// One column of all row groups, encoded.
#[derive(Debug)]
pub struct EncodedColumn {
    column: Column,
    chunks: Vec<ArrowColumnChunk>,
}

impl EncodedColumn {
    /// Encodes a column. `array` makes the values of each of the `groups` row groups, in order; they must have the
    /// column's type.
    pub fn encode(
        column: Column,
        groups: usize,
        mut array: impl FnMut(usize) -> Result<ArrayRef>,
    ) -> Result<EncodedColumn> {
        let name = column.file_name();
        let fail = |e: ParquetError| StoreError::encode(&name, e);
        let columns = [column];
        // The encoders of the library come from a file; these never get any content.
        let (_, compressing) = new_file(&columns, true).map_err(fail)?;
        let (_, plain) = new_file(&columns, false).map_err(fail)?;
        let mut chunks = Vec::with_capacity(groups);
        for group in 0..groups {
            let values = array(group)?;
            if *values.data_type() != columns[0].data_type() {
                return Err(StoreError::encode(
                    &name,
                    format!("{} is not the column's type", values.data_type()),
                ));
            }
            let factory = if layout::pays(&values) { &compressing } else { &plain };
            let mut encoders = factory.create_column_writers(group).map_err(fail)?;
            let mut encoder = encoders.pop().ok_or_else(|| StoreError::encode(&name, "no encoder"))?;
            for leaf in compute_leaves(&columns[0].field(), &values).map_err(fail)? {
                encoder.write(&leaf).map_err(fail)?;
            }
            chunks.push(encoder.close().map_err(fail)?);
        }
        let [column] = columns;
        Ok(EncodedColumn { column, chunks })
    }

    /// Which column.
    pub fn column(&self) -> &Column {
        &self.column
    }
}

/// Puts a segment file together. `meta.bytes` is filled in; `overflow` = names of the properties that occur in
/// `_overflow`, `None` = unknown; `subjects` = those of the rows of each row group, `None` = not to be looked up.
pub fn assemble(
    mut meta: SegmentMeta,
    log: LogId,
    groups: Vec<RowGroup>,
    encoded: Vec<EncodedColumn>,
    overflow: Option<BTreeSet<String>>,
    subjects: Option<&[Vec<u32>]>,
) -> Result<Encoded> {
    let rows: u64 = groups.iter().map(|g| g.rows).sum();
    if rows == 0 {
        return Err(StoreError::Empty);
    }
    if rows != meta.rows || encoded.iter().any(|c| c.chunks.len() != groups.len()) {
        return Err(StoreError::encode(&meta.key, format!("{rows} rows encoded, {} announced", meta.rows)));
    }
    meta.bytes = 0;
    let (columns, chunks): (Vec<Column>, Vec<_>) =
        encoded.into_iter().map(|c| (c.column, c.chunks.into_iter())).unzip();
    let fail = |e: ParquetError| StoreError::encode(&meta.key, e);
    let (mut writer, _) = new_file(&columns, true).map_err(fail)?;
    let sizes = append(&mut writer, &groups, chunks).map_err(fail)?;
    let occupants = match subjects {
        None => None,
        Some(subjects) => {
            let (occupants, bytes) = occupants::encode(subjects, writer.bytes_written() as u64);
            writer.write_all(&bytes).map_err(|e| StoreError::encode(&meta.key, e))?;
            Some(occupants)
        }
    };
    let pages = page_checks(&mut writer, sizes).map_err(|e| StoreError::encode(&meta.key, e))?;
    let data_end = writer.bytes_written();
    let index = Index {
        version: INDEX_VERSION,
        log,
        columns: columns.iter().map(Column::file_name).collect(),
        checks: checks(&writer),
        groups,
        overflow: overflow.filter(|names| names.len() <= MAX_OVERFLOW_NAMES),
        occupants,
        pages,
    };
    for (key, text) in [(SEGMENT_KEY, json(&meta.key, &meta)?), (INDEX_KEY, json(&meta.key, &index)?)] {
        writer.append_key_value_metadata(KeyValue::new(key.to_owned(), text));
    }
    let bytes = writer.into_inner().map_err(fail)?;
    let bytes =
        seal(bytes, data_end).ok_or_else(|| StoreError::encode(&meta.key, "the footer is malformed"))?;
    meta.bytes = bytes.len() as u64;
    Ok(Encoded { meta, bytes: bytes.into() })
}

type File = SerializedFileWriter<Vec<u8>>;

fn new_file(
    columns: &[Column],
    compressed: bool,
) -> parquet::errors::Result<(File, ArrowRowGroupWriterFactory)> {
    let schema = Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Vec<_>>()));
    let parquet = ArrowSchemaConverter::new().convert(&schema)?;
    let properties = Arc::new(layout::properties(&schema, columns, compressed));
    let writer = SerializedFileWriter::new(Vec::new(), parquet.root_schema_ptr(), properties)?;
    let factory = ArrowRowGroupWriterFactory::new(&writer, schema);
    Ok((writer, factory))
}

fn append(
    writer: &mut File,
    groups: &[RowGroup],
    mut columns: Vec<std::vec::IntoIter<ArrowColumnChunk>>,
) -> parquet::errors::Result<Vec<PageSizes>> {
    let mut sizes = Vec::new();
    for group in groups {
        let mut out = writer.next_row_group()?;
        for chunk in columns.iter_mut().filter_map(Iterator::next) {
            if chunk.close().rows_written != group.rows {
                let detail =
                    format!("a column has {} rows, its group {}", chunk.close().rows_written, group.rows);
                return Err(ParquetError::General(detail));
            }
            let pages = chunk.close().offset_index.iter().flat_map(|index| &index.page_locations);
            sizes.push(pages.map(|page| page.compressed_page_size as u32).collect());
            chunk.append_to_row_group(&mut out)?;
        }
        out.close()?;
    }
    Ok(sizes)
}

/// Writes the checksums of all pages; none if the library did not say where pages are.
fn page_checks(writer: &mut File, sizes: Vec<PageSizes>) -> std::io::Result<Option<PageChecks>> {
    writer.flush()?;
    let ranges = writer.flushed_row_groups().iter().flat_map(|group| group.columns()).map(|chunk| {
        let (from, len) = chunk.byte_range();
        from..from + len
    });
    let chunks: Vec<_> = ranges.zip(sizes).collect();
    let Some((checks, bytes)) = pages::encode(writer.inner(), &chunks) else { return Ok(None) };
    writer.write_all(&bytes)?;
    writer.flush()?;
    Ok(Some(checks))
}

fn checks(writer: &File) -> Vec<String> {
    let bytes = writer.inner();
    let chunk_crc = |column: &parquet::file::metadata::ColumnChunkMetaData| {
        let (from, len) = column.byte_range();
        format!("{:08x}", crc32c::crc32c(&bytes[from as usize..(from + len) as usize]))
    };
    writer.flushed_row_groups().iter().map(|g| g.columns().iter().map(chunk_crc).collect()).collect()
}

fn json<T: serde::Serialize>(key: &str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StoreError::encode(key, e))
}

/// Inserts the check block before the footer. Nothing in a Parquet file points at the footer or past it, so
/// moving it by a few bytes leaves the file valid for every reader.
fn seal(mut bytes: Vec<u8>, data_end: usize) -> Option<Vec<u8>> {
    let tail = bytes.len().checked_sub(TAIL_LEN)?;
    let length = u32::from_le_bytes(bytes.get(tail..tail + 4)?.try_into().ok()?) as usize;
    let footer = tail.checked_sub(length)?;
    let indexes = bytes.get(data_end..footer)?;
    let mut check = Vec::with_capacity(CHECK_LEN);
    check.extend_from_slice(CHECK_MAGIC);
    check.extend_from_slice(&crc32c::crc32c(indexes).to_le_bytes());
    check.extend_from_slice(&crc32c::crc32c(&bytes[footer..]).to_le_bytes());
    check.extend_from_slice(&u32::try_from(indexes.len()).ok()?.to_le_bytes());
    bytes.splice(footer..footer, check);
    Some(bytes)
}
