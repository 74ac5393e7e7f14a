//! Batches of the library as JSON.
//!
//! Guarantees: texts, numbers, booleans and nulls as themselves; instants as ISO-8601 with milliseconds, in UTC or
//! with the offset of their zone; integers beyond ±2^53 and decimals as text, because JSON readers would round
//! them; numbers that are none as null. What an answer holds counts in the budget.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Date64Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Value, json};
use tallymark_query::{Budget, QueryError, Reservation, SqlAnswer, SqlColumn, json_number};

/// The type of texts.
pub(crate) const TEXT: &str = "text";
/// Integers beyond are not exact in a float.
const EXACT: u64 = 1 << 53;

/// Rows gathered so far.
pub(crate) struct Page {
    columns: Vec<SqlColumn>,
    rows: Vec<Vec<Value>>,
    limit: usize,
    truncated: bool,
    held: Reservation,
}

impl Page {
    /// At most `limit` rows of this schema.
    pub fn new(schema: &SchemaRef, limit: usize, budget: &Budget) -> Page {
        let column = |f: &std::sync::Arc<datafusion::arrow::datatypes::Field>| SqlColumn {
            name: f.name().clone(),
            kind: kind(f.data_type()),
        };
        let columns = schema.fields().iter().map(column).collect();
        Page { columns, rows: Vec::new(), limit, truncated: false, held: budget.reservation() }
    }

    /// Adds rows; true if there are more than the answer may have.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<bool, QueryError> {
        let room = self.limit - self.rows.len();
        self.truncated |= batch.num_rows() > room;
        // As JSON, texts are copied and everything else grows.
        let bytes =
            batch.get_array_memory_size() as u64 + 64 * (batch.num_rows() * batch.num_columns()) as u64;
        self.held.grow(bytes)?;
        for row in 0..batch.num_rows().min(room) {
            let cells = batch.columns().iter().map(|column| cell(column.as_ref(), row));
            self.rows.push(cells.collect::<Result<_, _>>()?);
        }
        Ok(self.truncated)
    }

    /// The answer.
    pub fn finish(self) -> SqlAnswer {
        SqlAnswer { columns: self.columns, rows: self.rows, truncated: self.truncated }
    }
}

/// What a type is called.
fn kind(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        t if t.is_integer() => "integer",
        t if t.is_floating() => "number",
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Interval(_) | DataType::Duration(_) => "interval",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "list",
        _ => TEXT,
    }
}

fn cell(array: &dyn Array, row: usize) -> Result<Value, QueryError> {
    macro_rules! primitive {
        ($kind:ty) => {
            array.as_primitive::<$kind>().value(row)
        };
    }
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Int8 => json!(primitive!(Int8Type)),
        DataType::Int16 => json!(primitive!(Int16Type)),
        DataType::Int32 => json!(primitive!(Int32Type)),
        DataType::UInt8 => json!(primitive!(UInt8Type)),
        DataType::UInt16 => json!(primitive!(UInt16Type)),
        DataType::UInt32 => json!(primitive!(UInt32Type)),
        DataType::Int64 => signed(primitive!(Int64Type)),
        DataType::UInt64 => match primitive!(UInt64Type) {
            n if n <= EXACT => json!(n),
            n => json!(n.to_string()),
        },
        DataType::Float16 => float(primitive!(Float16Type).to_f64()),
        DataType::Float32 => float(f64::from(primitive!(Float32Type))),
        DataType::Float64 => float(primitive!(Float64Type)),
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => json!(array.as_string::<i64>().value(row)),
        DataType::Utf8View => json!(array.as_string_view().value(row)),
        DataType::Timestamp(unit, zone) => {
            let (value, per_second) = match unit {
                TimeUnit::Second => (primitive!(TimestampSecondType), 1),
                TimeUnit::Millisecond => (primitive!(TimestampMillisecondType), 1_000),
                TimeUnit::Microsecond => (primitive!(TimestampMicrosecondType), 1_000_000),
                TimeUnit::Nanosecond => (primitive!(TimestampNanosecondType), 1_000_000_000),
            };
            let nanos = i128::from(value) * i128::from(1_000_000_000 / per_second);
            instant(nanos, zone.as_deref())
        }
        DataType::Date32 => date(i64::from(primitive!(Date32Type))),
        DataType::Date64 => date(primitive!(Date64Type).div_euclid(86_400_000)),
        DataType::List(_) => list(array.as_list::<i32>().value(row).as_ref())?,
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row).as_ref())?,
        DataType::FixedSizeList(..) => list(array.as_fixed_size_list().value(row).as_ref())?,
        _ => {
            let formatter = ArrayFormatter::try_new(array, &FormatOptions::default());
            json!(formatter.map_err(|e| QueryError::damaged("writing an answer", e))?.value(row).to_string())
        }
    })
}

fn list(items: &dyn Array) -> Result<Value, QueryError> {
    Ok(Value::Array((0..items.len()).map(|i| cell(items, i)).collect::<Result<_, _>>()?))
}

fn signed(n: i64) -> Value {
    if n.unsigned_abs() <= EXACT { json!(n) } else { json!(n.to_string()) }
}

fn float(n: f64) -> Value {
    if n.is_finite() { json_number(n) } else { Value::Null }
}

fn date(days: i64) -> Value {
    let epoch = jiff::civil::date(1970, 1, 1);
    match jiff::Span::new().try_days(days).and_then(|span| epoch.checked_add(span)) {
        Ok(date) => json!(date.to_string()),
        Err(_) => json!(days),
    }
}

/// Without a zone it is a local time, and has no offset.
fn instant(nanos: i128, zone: Option<&str>) -> Value {
    let Ok(at) = jiff::Timestamp::from_nanosecond(nanos) else { return json!(nanos.to_string()) };
    let zone = match zone {
        None => {
            return json!(at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string());
        }
        Some("UTC" | "+00:00" | "Z") => return json!(format!("{at:.3}")),
        Some(zone) => zone,
    };
    let fixed = || {
        let parsed = jiff::fmt::strtime::parse("%:z", zone).ok()?;
        Some(jiff::tz::TimeZone::fixed(parsed.offset()?))
    };
    let found = jiff::tz::TimeZone::get(zone).ok().or_else(fixed);
    match found {
        Some(zone) => json!(at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()),
        None => json!(format!("{at:.3}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::*;
    use datafusion::arrow::datatypes::{Field, Schema};
    use std::sync::Arc;

    #[test]
    fn every_type_has_its_form() {
        let at = 1_735_689_600_123i64;
        let columns: Vec<(&str, ArrayRef, Value)> = vec![
            ("integer", Arc::new(Int64Array::from(vec![1i64 << 53])), json!(9007199254740992i64)),
            ("integer", Arc::new(Int64Array::from(vec![-(1i64 << 53) - 1])), json!("-9007199254740993")),
            ("integer", Arc::new(UInt64Array::from(vec![u64::MAX])), json!("18446744073709551615")),
            ("number", Arc::new(Float64Array::from(vec![2.0])), json!(2)),
            ("number", Arc::new(Float64Array::from(vec![2.5])), json!(2.5)),
            ("number", Arc::new(Float64Array::from(vec![f64::NAN])), json!(null)),
            ("text", Arc::new(StringArray::from(vec!["a"])), json!("a")),
            ("boolean", Arc::new(BooleanArray::from(vec![true])), json!(true)),
            ("boolean", Arc::new(BooleanArray::from(vec![None::<bool>])), json!(null)),
            (
                "timestamp",
                Arc::new(TimestampMillisecondArray::from(vec![at]).with_timezone("UTC")),
                json!("2025-01-01T00:00:00.123Z"),
            ),
            (
                "timestamp",
                Arc::new(TimestampNanosecondArray::from(vec![at * 1_000_000]).with_timezone("Europe/Berlin")),
                json!("2025-01-01T01:00:00.123+01:00"),
            ),
            ("timestamp", Arc::new(TimestampSecondArray::from(vec![0])), json!("1970-01-01T00:00:00.000")),
            ("date", Arc::new(Date32Array::from(vec![-1])), json!("1969-12-31")),
            (
                "list",
                Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None])])),
                json!([1, null]),
            ),
            ("null", Arc::new(NullArray::new(1)), json!(null)),
        ];
        for (name, array, expected) in columns {
            assert_eq!(kind(array.data_type()), name);
            assert_eq!(cell(array.as_ref(), 0).unwrap(), expected, "{:?}", array.data_type());
        }
    }

    #[test]
    fn rows_beyond_the_limit_are_cut_off_and_counted() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let batch = |n: i64| {
            RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from_iter_values(0..n))]).unwrap()
        };
        let mut page = Page::new(&schema, 5, &Budget::of(1 << 20));
        assert!(!page.add(&batch(3)).unwrap());
        assert!(!page.add(&batch(2)).unwrap());
        assert!(page.add(&batch(1)).unwrap());
        let answer = page.finish();
        assert_eq!((answer.rows.len(), answer.truncated), (5, true));
        let mut small = Page::new(&schema, 5, &Budget::of(64));
        assert!(matches!(small.add(&batch(3)), Err(QueryError::OutOfMemory { .. })));
    }
}
