//! Encodings of each column, and where row groups are cut.
//!
//! Measured choices: hot columns (event, subject, time) are not compressed, because decompression doubles the time
//! of a scan for one per cent of the bytes; integers are delta-packed without a dictionary; strings are
//! dictionary-encoded with a large dictionary page, so that medium-cardinality columns keep it. Chunks are compressed
//! with zstd(1) where it pays: few values take a byte per row at most without it, and whoever reads a compressed chunk
//! makes two contexts for it first, which takes longer than decoding a few thousand rows.

use crate::columns::Column;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Schema};
use parquet::arrow::add_encoded_arrow_schema_to_metadata;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use rustc_hash::FxHashSet;
use std::hash::Hash;
use std::ops::Range;

/// Most rows of one row group.
pub const MAX_GROUP_ROWS: usize = 1_000_000;
/// A name with at least this many rows gets row groups of its own, if the file does not have too many columns for it.
pub const OWN_GROUP_ROWS: usize = 2_000;
/// Rows after which a group shared by small names is closed: what the rarest name costs to read.
const SHARED_GROUP_ROWS: usize = 20_000;
/// Most column chunks of one file: bounds the footer when there are many names and many properties.
const MAX_CHUNKS: usize = 60_000;
/// A column chunk costs about 250 bytes whatever it holds, so there is at most one for this many rows.
const ROWS_PER_CHUNK: usize = 40;
/// ... but a file may have this many in any case.
const MIN_CHUNKS: usize = 1_000;
/// Rows of one data page of the columns that nearly every question reads from end to end.
const SCANNED_PAGE_ROWS: usize = 20_000;
/// Rows of one data page of all other columns. A timeline wants one row of each, and reads and decodes its page.
pub(crate) const PAGE_ROWS: usize = 2_048;
const DICTIONARY_BYTES: usize = 8 << 20;
/// Chunks of fewer rows are not compressed.
const COMPRESSED_ROWS: usize = 512;
/// Chunks of no more distinct values are not compressed: their dictionary's numbers have eight bits.
const FEW_VALUES: usize = 256;
/// ... unless the values themselves are longer than this together.
const FEW_BYTES: usize = 32 << 10;

/// Whether compressing a column chunk with these values makes it enough smaller.
pub(crate) fn pays(values: &dyn Array) -> bool {
    let many = values.len() >= COMPRESSED_ROWS;
    if let Some(dictionary) = values.as_dictionary_opt::<Int32Type>() {
        let words = dictionary.values().as_string_opt::<i32>();
        let length = |key: &i32| words.map_or(0, |words| words.value_length(*key as usize) as usize);
        return !few(dictionary.keys().iter().flatten(), many, length);
    }
    if let Some(texts) = values.as_string_opt::<i32>() {
        let present = (0..texts.len()).filter(|row| texts.is_valid(*row));
        return !few(present, many, |row| texts.value_length(*row) as usize);
    }
    match values.as_primitive_opt::<Float64Type>() {
        Some(numbers) => many && !few(numbers.iter().flatten().map(f64::to_bits), many, |_| 0),
        None => false,
    }
}

/// Whether distinct values are few, which does not matter unless there are `many` rows, and short together.
fn few<T: Hash + Eq>(values: impl Iterator<Item = T>, many: bool, length: impl Fn(&T) -> usize) -> bool {
    let (mut distinct, mut bytes) = (FxHashSet::default(), 0);
    for value in values {
        let more = length(&value);
        if distinct.insert(value) {
            bytes += more;
            if bytes > FEW_BYTES || (many && distinct.len() > FEW_VALUES) {
                return false;
            }
        }
    }
    true
}

/// Writer properties of a file with these columns, whose chunks are compressed where that is ever done, or not at all.
pub(crate) fn properties(schema: &Schema, columns: &[Column], compressed: bool) -> WriterProperties {
    let compression = match compressed {
        true => Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default()),
        false => Compression::UNCOMPRESSED,
    };
    // Columns are encoded one by one, each with properties of its own.
    let scanned = |c: &Column| matches!(c, Column::Event | Column::Name | Column::Subject | Column::Time);
    let page_rows = if columns.iter().all(scanned) { SCANNED_PAGE_ROWS } else { PAGE_ROWS };
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("tallymark ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_data_page_row_count_limit(page_rows)
        .set_data_page_size_limit(4 << 20)
        .set_write_batch_size(page_rows.min(4096))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_max_row_group_row_count(Some(MAX_GROUP_ROWS))
        .set_compression(compression);
    for column in columns {
        // A path of one part: names may contain dots.
        let path = ColumnPath::new(vec![column.file_name()]);
        if matches!(column, Column::Event | Column::Name) {
            builder = builder.set_column_compression(path.clone(), Compression::UNCOMPRESSED);
        }
        if matches!(column, Column::Subject | Column::Time | Column::Position) {
            builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::Page);
        }
        match column.data_type() {
            DataType::UInt32 | DataType::UInt64 | DataType::Int64 | DataType::UInt8 => {
                builder = builder
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
                    .set_column_compression(path, Compression::UNCOMPRESSED);
            }
            DataType::Utf8 | DataType::Boolean => {
                builder = builder.set_column_dictionary_enabled(path, false);
            }
            _ => {}
        }
    }
    let mut properties = builder.build();
    add_encoded_arrow_schema_to_metadata(schema, &mut properties);
    properties
}

/// Where to cut row groups, given runs of equal names in row order (name-major files).
///
/// A large run gets groups of its own, so that choosing a name is choosing row groups; small runs share.
pub fn groups_by_name(runs: &[usize], columns: usize) -> Vec<Range<usize>> {
    let rows: usize = runs.iter().sum();
    let most = (rows / ROWS_PER_CHUNK).clamp(MIN_CHUNKS, MAX_CHUNKS);
    let mut own = OWN_GROUP_ROWS;
    loop {
        let groups = cut(runs, own);
        if groups.len() * columns.max(1) <= most || own >= MAX_GROUP_ROWS {
            return groups;
        }
        own *= 2;
    }
}

fn cut(runs: &[usize], own: usize) -> Vec<Range<usize>> {
    let shared = SHARED_GROUP_ROWS.max(own).min(MAX_GROUP_ROWS);
    let mut groups = Vec::new();
    let (mut open, mut at) = (0, 0);
    let close = |groups: &mut Vec<Range<usize>>, from: usize, to: usize| {
        let mut from = from;
        while from < to {
            let end = to.min(from + MAX_GROUP_ROWS);
            groups.push(from..end);
            from = end;
        }
    };
    for &run in runs {
        if run >= own {
            close(&mut groups, open, at);
            close(&mut groups, at, at + run);
            open = at + run;
        } else if at + run - open > shared {
            close(&mut groups, open, at);
            open = at;
        }
        at += run;
    }
    close(&mut groups, open, at);
    groups
}

/// Where to cut row groups of rows in no particular order.
pub fn groups_by_size(rows: usize) -> Vec<Range<usize>> {
    (0..rows).step_by(MAX_GROUP_ROWS).map(|from| from..rows.min(from + MAX_GROUP_ROWS)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn check(runs: &[usize], groups: &[Range<usize>]) {
        let total: usize = runs.iter().sum();
        assert_eq!(groups.iter().map(|g| g.len()).sum::<usize>(), total);
        assert!(groups.windows(2).all(|w| w[0].end == w[1].start));
        assert!(groups.iter().all(|g| !g.is_empty() && g.len() <= MAX_GROUP_ROWS));
    }

    #[test]
    fn large_names_stand_alone_and_small_ones_share() {
        let runs = [5, 10, 50_000, 7, 2_500_000, 3];
        let groups = groups_by_name(&runs, 20);
        check(&runs, &groups);
        assert_eq!(groups[0], 0..15);
        assert_eq!(groups[1], 15..50_015);
        assert_eq!(groups[2], 50_015..50_022);
        assert_eq!(groups[3].len(), MAX_GROUP_ROWS);
        assert_eq!(groups.len(), 7);
        check(&[1_999; 400], &groups_by_name(&[1_999; 400], 20));
        assert!(groups_by_name(&[1_999; 400], 20).iter().all(|g| g.len() <= SHARED_GROUP_ROWS));
    }

    #[test]
    fn few_values_and_few_rows_are_not_compressed() {
        use arrow::array::{ArrayRef, BooleanArray, DictionaryArray, Float64Array, StringArray};
        let numbers = |of: usize, distinct: usize| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values((0..of).map(|i| (i % distinct) as f64)))
        };
        assert!(!pays(&numbers(10_000, 256)) && pays(&numbers(10_000, 257)));
        assert!(!pays(&numbers(511, 511)) && pays(&numbers(512, 512)));
        let words = |of: usize, distinct: usize| -> DictionaryArray<Int32Type> {
            (0..of)
                .map(|i| (i % distinct).to_string())
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)
                .collect()
        };
        assert!(!pays(&words(10_000, 256)) && pays(&words(10_000, 257)));
        // The dictionary of a file is larger than what one of its row groups uses.
        assert!(!pays(&words(20_000, 10_000).slice(0, 0)));
        let some = DictionaryArray::<Int32Type>::new(vec![7; 1000].into(), words(300, 300).values().clone());
        assert!(!pays(&some));
        // Few of them, but a dictionary of 40 KB.
        let long = |of: usize| {
            DictionaryArray::<Int32Type>::from_iter(
                (0..of).map(|i| format!("{:04000}", i % 10)).collect::<Vec<_>>().iter().map(String::as_str),
            )
        };
        assert!(pays(&long(1000)) && pays(&long(20)) && !pays(&long(5)));
        assert!(!pays(&BooleanArray::from(vec![true; 10_000])));
        assert!(
            !pays(&StringArray::from(vec![None::<&str>; 10_000]))
                && pays(&StringArray::from(vec!["x"; 10_000]))
        );
    }

    #[test]
    fn the_footer_stays_bounded_with_many_names_and_columns() {
        let runs = [25_000; 200];
        let groups = groups_by_name(&runs, 2_010);
        check(&runs, &groups);
        assert!(groups.len() * 2_010 <= MAX_CHUNKS, "{} groups", groups.len());
        assert!(groups_by_name(&[], 5).is_empty());
        // Few rows and many columns: names share, because chunks cost more than what is in them.
        let groups = groups_by_name(&[4_000; 30], 500);
        check(&[4_000; 30], &groups);
        assert!(groups.len() * 500 <= 4_000 * 30 / ROWS_PER_CHUNK, "{} groups", groups.len());
        assert_eq!(groups_by_name(&[4_000; 30], 22).len(), 30);
    }
}
