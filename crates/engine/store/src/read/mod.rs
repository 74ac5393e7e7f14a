//! Segment files in.
//!
//! Reading is synchronous and one row group at a time: query threads call it, and look for cancellation between
//! two calls. Every column chunk, or page if only some rows are read, is checked against its checksum before it is
//! decoded.

pub(crate) mod cache;
mod chunks;
pub(crate) mod footer;
pub(crate) mod pages;
pub(crate) mod rows;

use crate::columns::{Column, PropertyType};
use crate::object::ObjectStore;
use crate::write::RowGroup;
use crate::write::layout::PAGE_ROWS;
use crate::{EventRow, PropertyRow, Result, StoreError};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array, new_null_array};
use arrow::datatypes::Schema;
use chunks::Chunks;
use footer::Footer;
use ledger::SegmentMeta;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};
use std::sync::Arc;
use tallymark_ledger as ledger;
use tallymark_model::LogId;

/// One open segment file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SegmentReader {
    store: ObjectStore,
    footer: Arc<Footer>,
}

impl SegmentReader {
    /// Opens a segment of the catalog and checks that the file is the one the catalog means.
    pub fn open(store: &ObjectStore, meta: &SegmentMeta) -> Result<SegmentReader> {
        let reader = SegmentReader::open_key(store, &meta.key)?;
        let found = reader.meta();
        if (found.id, found.rows, found.fingerprint, found.bytes)
            != (meta.id, meta.rows, meta.fingerprint, meta.bytes)
        {
            return Err(StoreError::corrupt(&meta.key, "it is not the file that the catalog describes"));
        }
        Ok(reader)
    }

    /// Opens a segment file by its object key.
    pub fn open_key(store: &ObjectStore, key: &str) -> Result<SegmentReader> {
        Ok(SegmentReader { store: store.clone(), footer: Footer::load(store, key)? })
    }

    /// What the file says about itself, with its size.
    pub fn meta(&self) -> &SegmentMeta {
        &self.footer.meta
    }

    /// The log whose positions the rows carry.
    pub fn log(&self) -> LogId {
        self.footer.log
    }

    /// The row groups, in order.
    pub fn row_groups(&self) -> &[RowGroup] {
        &self.footer.groups
    }

    /// All columns of the file, in order.
    pub fn columns(&self) -> &[Column] {
        &self.footer.columns
    }

    /// True if the file has this column.
    pub fn has(&self, column: &Column) -> bool {
        self.footer.place.contains_key(column)
    }

    /// The properties that have columns, by name, and under which types.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &[PropertyType])> {
        self.footer.properties.iter().map(|(name, types)| (&**name, types.as_slice()))
    }

    /// The types under which a property has columns; empty if it has none.
    pub fn property_types(&self, name: &str) -> &[PropertyType] {
        self.footer.properties.get(name).map_or(&[], Vec::as_slice)
    }

    /// False if certainly no row has this property in `_overflow`.
    pub fn overflow_may_contain(&self, name: &str) -> bool {
        self.has(&Column::Overflow) && self.footer.overflow.as_ref().is_none_or(|names| names.contains(name))
    }

    /// Names of the properties that occur in `_overflow`; `None` if there are too many to list.
    pub fn overflow_names(&self) -> Option<impl Iterator<Item = &str>> {
        self.footer.overflow.as_ref().map(|names| names.iter().map(String::as_str))
    }

    /// Group types that occur in the file's own group columns.
    pub fn group_types(&self) -> impl Iterator<Item = &str> {
        let mut last: Option<&str> = None;
        self.footer.columns.iter().filter_map(move |column| match column {
            Column::Group(t) | Column::GroupList(t) if last != Some(&**t) => {
                last = Some(t);
                Some(&**t)
            }
            _ => None,
        })
    }

    /// The row groups in which any of these subjects (ascending) has rows; `None` if the file is of a version that
    /// did not note them.
    pub fn groups_of(&self, subjects: &[u32]) -> Result<Option<Vec<usize>>> {
        self.footer.groups_of(&self.store, subjects)
    }

    /// True if a segment's footer is in memory, so that opening it costs nothing.
    pub fn known(store: &ObjectStore, meta: &SegmentMeta) -> bool {
        store.footers().get(&meta.key).is_some()
    }

    /// Bytes on disk of these columns in a row group: the cost of reading them.
    pub fn cost(&self, group: usize, columns: &[Column]) -> u64 {
        let place = |c: &Column| self.footer.place.get(c).copied();
        let size = |at: usize| self.footer.chunk(group, at).map_or(0, |(range, _)| range.end - range.start);
        columns.iter().filter_map(place).map(size).sum()
    }

    /// Size of all columns in memory, about.
    pub fn uncompressed_bytes(&self) -> u64 {
        self.footer.parquet().row_groups().iter().map(|g| g.total_byte_size().max(0) as u64).sum()
    }

    /// Reads columns of one row group, in the order asked. A column that the file lacks reads as all null.
    /// Text columns keep their dictionaries.
    pub fn read(&self, group: usize, columns: &[Column]) -> Result<RecordBatch> {
        let rows = self.group_rows(group)?;
        self.read_selected(group, columns, rows, None)
    }

    /// Reads columns of some rows of a row group. `rows` = their numbers within the group, strictly ascending.
    /// Pages without any of them are not decoded, so few rows cost little even in a large group.
    pub fn read_rows(&self, group: usize, columns: &[Column], rows: &[u32]) -> Result<RecordBatch> {
        let total = self.group_rows(group)?;
        let ascending = rows.windows(2).all(|w| w[0] < w[1]);
        if !ascending || rows.last().is_some_and(|&last| last as usize >= total) {
            return Err(self.corrupt(format!("row numbers beyond row group {group} were asked for")));
        }
        self.read_selected(group, columns, rows.len(), Some(rows))
    }

    /// Some rows of a row group of an events segment; see [`SegmentReader::read_rows`].
    pub fn event_rows(&self, group: usize, rows: &[u32]) -> Result<Vec<EventRow>> {
        self.event_rows_without(group, rows, &[])
    }

    /// The same without what these columns hold; those that every row needs are read nevertheless.
    pub fn event_rows_without(
        &self,
        group: usize,
        rows: &[u32],
        without: &[Column],
    ) -> Result<Vec<EventRow>> {
        let wanted = |c: &&Column| !without.contains(c) || rows::NEEDED.contains(c);
        let columns: Vec<Column> = self.columns().iter().filter(wanted).cloned().collect();
        rows::events(self, &columns, &self.read_rows(group, &columns, rows)?)
    }

    fn read_selected(
        &self,
        group: usize,
        columns: &[Column],
        rows: usize,
        selected: Option<&[u32]>,
    ) -> Result<RecordBatch> {
        let mut places: Vec<usize> =
            columns.iter().filter_map(|c| self.footer.place.get(c).copied()).collect();
        places.sort_unstable();
        places.dedup();
        let found = self.decode(group, rows, &places, selected)?;
        let array = |column: &Column| match self.footer.place.get(column) {
            Some(place) => match places.binary_search(place) {
                Ok(nth) => Arc::clone(&found[nth]),
                Err(_) => new_null_array(&column.data_type(), rows),
            },
            None => new_null_array(&column.data_type(), rows),
        };
        let fields: Vec<_> =
            columns.iter().map(|c| c.field().with_nullable(c.nullable() || !self.has(c))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(
            Arc::new(Schema::new(fields)),
            columns.iter().map(array).collect(),
            &options,
        )
        .map_err(|e| StoreError::corrupt(&self.footer.key, e))
    }

    /// Rows of an events segment, in file order; one row group is in memory at a time.
    pub fn events(&self) -> impl Iterator<Item = Result<EventRow>> + '_ {
        (0..self.row_groups().len()).flat_map(move |group| flatten(self.group_events(group)))
    }

    /// Rows of one row group of an events segment.
    pub fn group_events(&self, group: usize) -> Result<Vec<EventRow>> {
        rows::events(self, self.columns(), &self.read(group, self.columns())?)
    }

    /// Rows of a properties segment, in file order; one row group is in memory at a time.
    pub fn property_rows(&self) -> impl Iterator<Item = Result<PropertyRow>> + '_ {
        (0..self.row_groups().len()).flat_map(move |group| flatten(rows::properties(self, group)))
    }

    pub(crate) fn of(store: &ObjectStore, footer: Arc<Footer>) -> SegmentReader {
        SegmentReader { store: store.clone(), footer }
    }

    pub(crate) fn corrupt(&self, detail: impl std::fmt::Display) -> StoreError {
        StoreError::corrupt(&self.footer.key, detail)
    }

    pub(crate) fn store(&self) -> &ObjectStore {
        &self.store
    }

    pub(crate) fn footer(&self) -> &Footer {
        &self.footer
    }

    fn group_rows(&self, group: usize) -> Result<usize> {
        let info = self
            .footer
            .groups
            .get(group)
            .ok_or_else(|| self.corrupt(format!("it has no row group {group}")))?;
        Ok(info.rows as usize)
    }

    fn decode(
        &self,
        group: usize,
        rows: usize,
        places: &[usize],
        selected: Option<&[u32]>,
    ) -> Result<Vec<ArrayRef>> {
        let fields = self.footer.arrow.schema().fields();
        if rows == 0 {
            return Ok(places.iter().map(|&place| new_empty_array(fields[place].data_type())).collect());
        }
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let corrupt = |e: &dyn std::fmt::Display| self.corrupt(e);
        let mask = ProjectionMask::roots(self.footer.arrow.parquet_schema(), places.iter().copied());
        // A row group of one page has no pages to leave out.
        let pages = match selected {
            Some(_) if self.group_rows(group)? > PAGE_ROWS => self.footer.pages(&self.store)?,
            _ => None,
        };
        let (chunks, metadata) = match (&pages, selected) {
            (Some(pages), Some(rows)) => {
                (pages.of_rows(&self.store, &self.footer, group, places, rows)?, pages.arrow.clone())
            }
            _ => (Chunks::read(&self.store, &self.footer, group, places)?, self.footer.arrow.clone()),
        };
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata)
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(rows);
        if let Some(selected) = selected {
            let runs = selected.chunk_by(|a, b| a + 1 == *b);
            let ranges = runs.map(|run| run[0] as usize..run[0] as usize + run.len());
            let total = self.group_rows(group)?;
            builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(ranges, total));
        }
        let mut batches = builder.build().map_err(|e| corrupt(&e))?;
        let batch =
            batches.next().ok_or_else(|| corrupt(&"a row group is empty"))?.map_err(|e| corrupt(&e))?;
        if batch.num_rows() != rows {
            return Err(corrupt(&"a row group is shorter than announced"));
        }
        Ok(batch.columns().to_vec())
    }
}

fn flatten<T>(rows: Result<Vec<T>>) -> Box<dyn Iterator<Item = Result<T>>>
where
    T: 'static,
{
    match rows {
        Ok(rows) => Box::new(rows.into_iter().map(Ok)),
        Err(error) => Box::new(std::iter::once(Err(error))),
    }
}
