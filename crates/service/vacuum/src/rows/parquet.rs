//! Parquet: a row at a time, as JSON.
//!
//! Times become ISO 8601 in UTC (what carries no zone is taken as UTC), bytes become text where they are UTF-8, decimals
//! text. Guarantees: only needed pages are in memory; a panic of the decoder on a hostile file is caught by whoever runs
//! this on a thread of its own.

use super::{BadRow, NumberedRow, ReadOptions};
use parquet::basic::{LogicalType, TimeUnit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::File;
use std::io;
use tallymark_mapping::Row;

/// Rows of a Parquet file.
pub(super) struct ParquetRows {
    rows: RowIter<'static>,
    /// Columns that hold nanoseconds, which the reader gives as plain numbers.
    nanos: HashSet<String>,
    line: u64,
    options: ReadOptions,
}

impl ParquetRows {
    pub fn open(file: File, options: ReadOptions) -> io::Result<ParquetRows> {
        let reader = SerializedFileReader::new(file).map_err(io::Error::other)?;
        let schema = reader.metadata().file_metadata().schema();
        let nanos = schema
            .get_fields()
            .iter()
            .filter(|f| {
                let nanos =
                    |t: &LogicalType| matches!(t, LogicalType::Timestamp(t) if t.unit == TimeUnit::NANOS);
                f.get_basic_info().logical_type_ref().is_some_and(nanos)
            })
            .map(|f| f.name().to_owned())
            .collect();
        Ok(ParquetRows { rows: RowIter::from_file_into(Box::new(reader)), nanos, line: 0, options })
    }
}

impl Iterator for ParquetRows {
    type Item = io::Result<NumberedRow>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = match self.rows.next()? {
                Ok(row) => row,
                Err(e) => return Some(Err(io::Error::other(e))),
            };
            self.line += 1;
            if self.line <= self.options.after {
                continue;
            }
            let mut fields = Map::new();
            for (name, field) in row.into_columns() {
                let value = match field {
                    Field::Long(n) if self.nanos.contains(&name) => iso(i128::from(n)),
                    field => json(field),
                };
                fields.insert(name, value);
            }
            let digest = if self.options.digests {
                let mut out = [0; 16];
                let text = serde_json::to_vec(&fields).unwrap_or_default();
                out.copy_from_slice(&Sha256::digest(text)[..16]);
                out
            } else {
                [0; 16]
            };
            let row: Result<Row, BadRow> = Ok(Row { fields });
            return Some(Ok(NumberedRow { line: self.line, row, digest }));
        }
    }
}

fn json(field: Field) -> Value {
    let float = |n: f64| Number::from_f64(n).map_or(Value::Null, Value::Number);
    match field {
        Field::Null => Value::Null,
        Field::Bool(b) => b.into(),
        Field::Byte(n) => n.into(),
        Field::Short(n) => n.into(),
        Field::Int(n) => n.into(),
        Field::Long(n) => n.into(),
        Field::UByte(n) => n.into(),
        Field::UShort(n) => n.into(),
        Field::UInt(n) => n.into(),
        Field::ULong(n) => n.into(),
        Field::Float16(n) => float(f64::from(f32::from(n))),
        // By way of its text: 0.1 stays 0.1.
        Field::Float(n) => n.to_string().parse().map_or(Value::Null, float),
        Field::Double(n) => float(n),
        Field::Str(s) => s.into(),
        Field::Bytes(b) => match std::str::from_utf8(b.data()) {
            Ok(text) => text.into(),
            Err(_) => b.data().iter().map(|b| format!("{b:02x}")).collect::<String>().into(),
        },
        Field::Date(days) => {
            let date = jiff::civil::date(1970, 1, 1)
                .checked_add(jiff::Span::new().try_days(days).unwrap_or_default());
            date.map_or(Value::Null, |d| d.to_string().into())
        }
        Field::TimestampMillis(n) => iso(i128::from(n) * 1_000_000),
        Field::TimestampMicros(n) => iso(i128::from(n) * 1_000),
        Field::TimeMillis(n) => n.into(),
        Field::TimeMicros(n) => n.into(),
        decimal @ Field::Decimal(_) => decimal.to_string().into(),
        Field::Group(row) => {
            Value::Object(row.into_columns().into_iter().map(|(k, v)| (k, json(v))).collect())
        }
        Field::ListInternal(list) => list.elements().iter().cloned().map(json).collect::<Vec<_>>().into(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter().map(|(k, v)| {
                let key = match k {
                    Field::Str(s) => s.clone(),
                    other => other.to_string(),
                };
                (key, json(v.clone()))
            });
            Value::Object(entries.collect())
        }
    }
}

fn iso(nanos: i128) -> Value {
    jiff::Timestamp::from_nanosecond(nanos).map_or(Value::Null, |t| t.to_string().into())
}
