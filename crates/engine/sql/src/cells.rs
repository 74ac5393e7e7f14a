//! Rows of a scan as columns of the library.
//!
//! Guarantees: every column says what the same key says in the API's lists, or is null; a value that is not of the
//! column's type is null.

use crate::tables::events::{Fixed, Output};
use crate::virtuals::Filled;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, BooleanBuilder, Float64Builder, ListBuilder, StringArray, StringBuilder,
    TimestampMillisecondArray, UInt64Array,
};
use serde_json::{Map, Value, json};
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use tallymark_model::{Millis, Position};
use tallymark_predicate::instant_of;
use tallymark_query::{Batch, Located, QueryError, RowText, Snapshot, ValueColumn, ValueRef, person_key};

/// Texts of persons, each made once.
#[derive(Debug)]
pub(crate) struct PersonTexts {
    snapshot: Snapshot,
    known: Vec<OnceLock<Option<[u8; 16]>>>,
}

impl PersonTexts {
    /// For persons of a snapshot with numbers below `bound`.
    pub fn new(snapshot: &Snapshot, bound: u32) -> PersonTexts {
        let known = (0..bound).map(|_| OnceLock::new()).collect();
        PersonTexts { snapshot: snapshot.clone(), known }
    }

    /// The id that people see; none for nobody.
    pub fn get(&self, person: u32) -> Option<String> {
        let bytes = (*self.known.get(person as usize)?.get_or_init(|| {
            let founder = self.snapshot.identity.founder(person)?;
            let (_, raw) = self.snapshot.names.get(founder.subject)?;
            Some(person_key(self.snapshot.project.id, founder.kind, raw, founder.life).into_bytes())
        }))?;
        Some(hyphenated(bytes))
    }
}

fn hyphenated(bytes: [u8; 16]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(HEX[usize::from(byte >> 4)] as char);
        text.push(HEX[usize::from(byte & 15)] as char);
    }
    text
}

/// What all rows of a batch share.
pub(crate) struct Filler<'a> {
    pub batch: &'a Batch,
    /// Event names by code.
    pub names: &'a [String],
    pub persons: &'a PersonTexts,
    /// Texts that were read, in the order of the outputs that ask for some.
    pub texts: Vec<(RowText, StringArray)>,
    pub zone: &'a str,
}

impl Filler<'_> {
    /// One column of these rows.
    pub fn column(
        &self,
        output: &Output,
        rows: &[usize],
        range: Range<usize>,
    ) -> Result<ArrayRef, QueryError> {
        Ok(match output {
            Output::Fixed(fixed) => self.fixed(*fixed, rows, range)?,
            Output::Text(text) => self.text(text, rows),
            Output::Value(nth, filled) => values(&self.batch.columns[*nth], rows, *filled),
            Output::Selected(bit) => Arc::new(
                rows.iter().map(|r| Some(self.batch.masks[*r] & (1 << bit) != 0)).collect::<BooleanArray>(),
            ),
        })
    }

    fn fixed(&self, fixed: Fixed, rows: &[usize], range: Range<usize>) -> Result<ArrayRef, QueryError> {
        let batch = self.batch;
        let times = |all: &[Millis], zone: &str| -> ArrayRef {
            let picked = TimestampMillisecondArray::from_iter_values(rows.iter().map(|r| all[*r]));
            Arc::new(picked.with_timezone(zone))
        };
        Ok(match fixed {
            Fixed::Event => {
                let name = |r: &usize| self.names.get(batch.names[*r] as usize).map_or("", String::as_str);
                Arc::new(StringArray::from_iter_values(rows.iter().map(name)))
            }
            Fixed::Time => times(&batch.times, "UTC"),
            Fixed::LocalTime => times(&batch.times, self.zone),
            Fixed::ReceivedAt => times(&batch.received, "UTC"),
            Fixed::Seq => {
                let text = |r: &usize| Position::unpack(batch.positions[*r]).map(|p| p.to_string());
                Arc::new(rows.iter().map(text).collect::<StringArray>())
            }
            Fixed::Position => {
                Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| batch.positions[*r])))
            }
            Fixed::Person => {
                Arc::new(rows.iter().map(|r| self.persons.get(batch.actors[*r])).collect::<StringArray>())
            }
            Fixed::Properties | Fixed::Groups | Fixed::Annotations => {
                Arc::new(self.whole(fixed, rows, range)?)
            }
        })
    }

    fn text(&self, text: &RowText, rows: &[usize]) -> ArrayRef {
        let all = self.texts.iter().find(|(of, _)| of == text).map(|(_, all)| all);
        let cell = |r: &usize| {
            all.filter(|all| datafusion::arrow::array::Array::is_valid(all, *r)).map(|all| all.value(*r))
        };
        Arc::new(rows.iter().map(cell).collect::<StringArray>())
    }

    /// Columns that need whole rows, which are read for this range of the batch only.
    fn whole(&self, fixed: Fixed, rows: &[usize], range: Range<usize>) -> Result<StringArray, QueryError> {
        let located: &Located = self
            .batch
            .located
            .as_ref()
            .ok_or_else(|| QueryError::damaged("a table", "does not know its rows"))?;
        let (start, read) = (range.start, located.rows(range)?);
        let text = |r: &usize| {
            let row = read.get(*r - start)?;
            Some(match fixed {
                Fixed::Properties => {
                    let mut properties = row.properties.clone();
                    properties.sort_keys();
                    Value::Object(properties).to_string()
                }
                Fixed::Annotations => json!(row.annotations).to_string(),
                _ => groups(&row.groups).to_string(),
            })
        };
        Ok(rows.iter().map(text).collect())
    }
}

/// One name as text; several of a type as a list.
fn groups(of: &[(String, String)]) -> Value {
    let mut groups: Map<String, Value> = Map::new();
    for (kind, name) in of {
        match groups.get_mut(kind) {
            None => drop(groups.insert(kind.clone(), json!(name))),
            Some(Value::Array(list)) => list.push(json!(name)),
            Some(single) => *single = json!([single.take(), name]),
        }
    }
    Value::Object(groups)
}

/// Values of a property.
pub(crate) fn values(column: &ValueColumn, rows: &[usize], filled: Filled) -> ArrayRef {
    let all = rows.iter().map(|r| column.value(*r));
    match filled {
        Filled::Number => {
            let mut out = Float64Builder::with_capacity(rows.len());
            all.for_each(|v| out.append_option(v.number()));
            Arc::new(out.finish())
        }
        Filled::Bool => {
            let mut out = BooleanBuilder::with_capacity(rows.len());
            all.for_each(|v| match v {
                ValueRef::Bool(b) => out.append_value(b),
                _ => out.append_null(),
            });
            Arc::new(out.finish())
        }
        Filled::Text => {
            let mut out = StringBuilder::new();
            all.for_each(|v| match v.with_text(|text| out.append_value(text)) {
                Some(()) => {}
                None => out.append_null(),
            });
            Arc::new(out.finish())
        }
        Filled::Json => {
            let mut out = StringBuilder::new();
            all.for_each(|v| match v {
                ValueRef::None => out.append_null(),
                v => out.append_value(v.to_json().to_string()),
            });
            Arc::new(out.finish())
        }
        Filled::Instant => {
            let instants =
                all.map(|v| instant_of(&v.to_json()).filter(|t| t.abs() < 1e15).map(|t| t.floor() as Millis));
            Arc::new(instants.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
        }
        Filled::Texts => {
            let mut out = ListBuilder::new(StringBuilder::new());
            all.for_each(|v| {
                elements(v, |e| {
                    e.with_text(|text| out.values().append_value(text));
                });
                out.append(v != ValueRef::None);
            });
            Arc::new(out.finish())
        }
        Filled::Numbers => list_of(all, |v| v.number()),
        Filled::Instants => list_of(all, |v| instant_of(&v.to_json())),
    }
}

/// Calls `each` with every element of a list that is not none, or with the value itself if it is no list.
fn elements(value: ValueRef<'_>, mut each: impl FnMut(ValueRef<'_>)) {
    match value {
        ValueRef::None => {}
        ValueRef::Json(Value::Array(items)) => {
            items.iter().map(ValueRef::of).filter(|v| *v != ValueRef::None).for_each(each);
        }
        other => each(other),
    }
}

fn list_of<'a>(
    all: impl Iterator<Item = ValueRef<'a>>,
    of: impl Fn(ValueRef<'_>) -> Option<f64>,
) -> ArrayRef {
    let mut out = ListBuilder::new(Float64Builder::new());
    all.for_each(|v| {
        elements(v, |e| {
            if let Some(number) = of(e) {
                out.values().append_value(number);
            }
        });
        out.append(v != ValueRef::None);
    });
    Arc::new(out.finish())
}
