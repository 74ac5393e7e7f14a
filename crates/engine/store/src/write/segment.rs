//! One segment file, column by column: only one column of one row group is in memory unencoded.

use super::index::{INDEX_KEY, INDEX_VERSION, Index, MAX_OVERFLOW_NAMES, RowGroup, SEGMENT_KEY};
use super::{Encoded, layout};
use crate::columns::Column;
use crate::{Result, StoreError};
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{Schema, SchemaRef};
use ledger::{SegmentKind, SegmentMeta};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
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

/// Writes one segment file into memory.
#[derive(Debug)]
pub struct SegmentWriter {
    columns: Vec<Column>,
    schema: SchemaRef,
    kind: SegmentKind,
    writer: SerializedFileWriter<Vec<u8>>,
    factory: ArrowRowGroupWriterFactory,
    groups: Vec<RowGroup>,
}

impl SegmentWriter {
    /// A file with these columns.
    pub fn new(kind: SegmentKind, columns: Vec<Column>) -> Result<SegmentWriter> {
        let fail = |e: ParquetError| StoreError::encode("(new)", e);
        let schema = Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Vec<_>>()));
        let parquet = ArrowSchemaConverter::new().convert(&schema).map_err(fail)?;
        let properties = Arc::new(layout::properties(&schema, &columns));
        let writer =
            SerializedFileWriter::new(Vec::new(), parquet.root_schema_ptr(), properties).map_err(fail)?;
        let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&schema));
        Ok(SegmentWriter { columns, schema, kind, writer, factory, groups: Vec::new() })
    }

    /// The columns, in file order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Appends a row group. `array` makes each column when it is needed; it must have `group.rows` rows and the
    /// type of the column.
    pub fn group(
        &mut self,
        group: RowGroup,
        mut array: impl FnMut(usize, &Column) -> Result<ArrayRef>,
    ) -> Result<()> {
        let fail = |e: ParquetError| StoreError::encode("(row group)", e);
        let writers = self.factory.create_column_writers(self.groups.len()).map_err(fail)?;
        let mut out = self.writer.next_row_group().map_err(fail)?;
        for (nth, mut writer) in writers.into_iter().enumerate() {
            let values = array(nth, &self.columns[nth])?;
            if values.len() as u64 != group.rows {
                let name = self.columns[nth].file_name();
                let detail =
                    format!("column `{name}` has {} rows, the row group {}", values.len(), group.rows);
                return Err(StoreError::encode("(row group)", detail));
            }
            for leaf in compute_leaves(self.schema.field(nth), &values).map_err(fail)? {
                writer.write(&leaf).map_err(fail)?;
            }
            writer.close().and_then(|chunk| chunk.append_to_row_group(&mut out)).map_err(fail)?;
        }
        out.close().map_err(fail)?;
        self.groups.push(group);
        Ok(())
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Completes the file. `overflow` = names of the properties that occur in `_overflow`.
    pub fn finish(
        mut self,
        mut meta: SegmentMeta,
        log: LogId,
        overflow: BTreeSet<String>,
    ) -> Result<Encoded> {
        let rows: u64 = self.groups.iter().map(|g| g.rows).sum();
        if rows == 0 {
            return Err(StoreError::Empty);
        }
        if rows != meta.rows || self.kind != meta.kind {
            let detail = format!("{rows} rows written, {} announced", meta.rows);
            return Err(StoreError::encode(&meta.key, detail));
        }
        meta.bytes = 0;
        let fail = |e: ParquetError| StoreError::encode(&meta.key, e);
        let data_end = self.flush(&meta.key)?;
        let index = Index {
            version: INDEX_VERSION,
            log,
            columns: self.columns.iter().map(Column::file_name).collect(),
            checks: self.checks(),
            groups: std::mem::take(&mut self.groups),
            overflow: (overflow.len() <= MAX_OVERFLOW_NAMES).then_some(overflow),
        };
        for (key, text) in [(SEGMENT_KEY, json(&meta.key, &meta)?), (INDEX_KEY, json(&meta.key, &index)?)] {
            self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), text));
        }
        let bytes = self.writer.into_inner().map_err(fail)?;
        let bytes =
            seal(bytes, data_end).ok_or_else(|| StoreError::encode(&meta.key, "the footer is malformed"))?;
        meta.bytes = bytes.len() as u64;
        Ok(Encoded { meta, bytes: bytes.into() })
    }

    fn flush(&mut self, key: &str) -> Result<usize> {
        self.writer.flush().map_err(|e| StoreError::encode(key, e))?;
        Ok(self.writer.bytes_written())
    }

    fn checks(&self) -> Vec<String> {
        let bytes = self.writer.inner();
        let chunk_crc = |column: &parquet::file::metadata::ColumnChunkMetaData| {
            let (from, len) = column.byte_range();
            format!("{:08x}", crc32c::crc32c(&bytes[from as usize..(from + len) as usize]))
        };
        self.writer.flushed_row_groups().iter().map(|g| g.columns().iter().map(chunk_crc).collect()).collect()
    }
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
