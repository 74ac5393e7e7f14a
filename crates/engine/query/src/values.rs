//! The values of one property for the rows of a batch, whatever typed columns hold them.
//!
//! Guarantees: a row has one value or none (chapter 1.3); every distinct text or JSON value of a batch is looked
//! at once, however many rows carry it.

use arrow::array::{Array, BooleanArray, Float64Array, StringArray};
use std::sync::Arc;
use tallymark_model::{Value, canonical_text, is_none, number_of};
use tallymark_predicate::Matcher;
use tallymark_store::properties::{PropertyArrays, TextArray};

/// A borrowed value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// None: absent, null, empty text or empty list.
    None,
    /// Non-empty text.
    Text(&'a str),
    /// A number that a float holds exactly.
    Number(f64),
    /// A boolean.
    Bool(bool),
    /// A list, an object, or an integer beyond ±2^53.
    Json(&'a Value),
}

impl<'a> ValueRef<'a> {
    /// A JSON value.
    pub fn of(value: &'a Value) -> ValueRef<'a> {
        match value {
            v if is_none(v) => ValueRef::None,
            Value::String(text) => ValueRef::Text(text),
            Value::Bool(b) => ValueRef::Bool(*b),
            Value::Number(n) => match (n.as_f64(), n.as_i64()) {
                (Some(f), _) if n.is_f64() => ValueRef::Number(f),
                (_, Some(i)) if i.unsigned_abs() < 1 << 53 => ValueRef::Number(i as f64),
                _ => ValueRef::Json(value),
            },
            other => ValueRef::Json(other),
        }
    }

    /// The same; empty text is a value like others if `empty` says so.
    fn kept(value: &'a Value, empty: bool) -> ValueRef<'a> {
        match value {
            Value::String(text) if empty => ValueRef::Text(text),
            other => ValueRef::of(other),
        }
    }

    /// Its number, by the rules of chapter 1.3.
    pub fn number(self) -> Option<f64> {
        match self {
            ValueRef::Number(n) => Some(n).filter(|n| n.is_finite()),
            ValueRef::Text(text) => number_of(&Value::from(text)),
            ValueRef::Json(value) => number_of(value),
            ValueRef::None | ValueRef::Bool(_) => None,
        }
    }

    /// Calls `with` with its canonical text; not called for none.
    pub fn with_text<R>(self, with: impl FnOnce(&str) -> R) -> Option<R> {
        match self {
            ValueRef::None => None,
            ValueRef::Text(text) => Some(with(text)),
            ValueRef::Bool(b) => Some(with(if b { "true" } else { "false" })),
            ValueRef::Number(n) => Some(with(&canonical_text(&Value::from(n)))),
            ValueRef::Json(value) => Some(with(&canonical_text(value))),
        }
    }

    /// Calls `each` with every non-none element of a list, or with the value itself if it is no list; `empty` as
    /// [`ValueColumn::keeps_empty`] of its column says.
    pub fn elements(self, empty: bool, mut each: impl FnMut(ValueRef<'_>)) {
        match self {
            ValueRef::None => {}
            ValueRef::Json(Value::Array(items)) => {
                items
                    .iter()
                    .map(|v| ValueRef::kept(v, empty))
                    .filter(|v| *v != ValueRef::None)
                    .for_each(each);
            }
            other => each(other),
        }
    }

    /// Whether it passes a test.
    pub fn passes(self, matcher: &Matcher) -> bool {
        match self {
            ValueRef::None => matcher.eval_none(),
            ValueRef::Text(text) => matcher.eval_str(text),
            ValueRef::Number(n) => matcher.eval_num(n),
            ValueRef::Bool(b) => matcher.eval_bool(b),
            ValueRef::Json(value) => matcher.eval_json(value),
        }
    }

    /// As JSON; null for none.
    pub fn to_json(self) -> Value {
        match self {
            ValueRef::None => Value::Null,
            ValueRef::Text(text) => Value::from(text),
            ValueRef::Number(n) => tallymark_store::number_value(n),
            ValueRef::Bool(b) => Value::from(b),
            ValueRef::Json(value) => value.clone(),
        }
    }
}

/// Values by code: 0 none, 1 false, 2 true, then texts, then JSON values, then numbers.
#[derive(Debug, Clone)]
struct Table {
    texts: Option<StringArray>,
    json: Vec<Value>,
    numbers: Option<Float64Array>,
    json_from: u32,
    numbers_from: u32,
}

const NONE: u32 = 0;
const FALSE: u32 = 1;
const TEXTS_FROM: u32 = 3;

impl Table {
    fn new(texts: Option<StringArray>, json: Vec<Value>, numbers: Option<Float64Array>) -> Table {
        let json_from = TEXTS_FROM + texts.as_ref().map_or(0, |t| t.len() as u32);
        let numbers_from = json_from + json.len() as u32;
        Table { texts, json, numbers, json_from, numbers_from }
    }

    fn get(&self, code: u32, empty: bool) -> ValueRef<'_> {
        match (code, &self.texts, &self.numbers) {
            (NONE, ..) => ValueRef::None,
            (FALSE, ..) => ValueRef::Bool(false),
            (code, ..) if code < TEXTS_FROM => ValueRef::Bool(true),
            (code, Some(texts), _) if code < self.json_from => {
                match texts.value((code - TEXTS_FROM) as usize) {
                    "" if !empty => ValueRef::None,
                    text => ValueRef::Text(text),
                }
            }
            (code, ..) if code < self.numbers_from => {
                let value = self.json.get((code - self.json_from) as usize);
                value.map_or(ValueRef::None, |v| ValueRef::kept(v, empty))
            }
            (code, _, Some(numbers)) => ValueRef::Number(numbers.value((code - self.numbers_from) as usize)),
            _ => ValueRef::None,
        }
    }
}

/// One property of the rows of a batch.
#[derive(Debug, Clone)]
pub struct ValueColumn {
    codes: Vec<u32>,
    table: Arc<Table>,
    /// Empty text is a value like others.
    empty: bool,
}

impl ValueColumn {
    /// A column without values.
    pub fn none(rows: usize) -> ValueColumn {
        ValueColumn {
            codes: vec![NONE; rows],
            table: Arc::new(Table::new(None, Vec::new(), None)),
            empty: false,
        }
    }

    /// From a table of JSON values: `codes[row]` = 0 for none, else 1 + index.
    pub fn of_json(codes: Vec<u32>, table: &SharedValues) -> ValueColumn {
        let shift = table.0.json_from - 1;
        let codes = codes.into_iter().map(|c| if c == 0 { NONE } else { c + shift }).collect();
        ValueColumn { codes, table: Arc::clone(&table.0), empty: false }
    }

    /// The property `literal` in these rows of a file; where it is absent, what the path `inner` leads to inside
    /// the lists and objects of another property.
    pub(crate) fn of_arrays(
        rows: &Rows,
        literal: PropertyArrays,
        inner: Option<(PropertyArrays, &str)>,
    ) -> ValueColumn {
        let mut json = Vec::new();
        let literal_json = literal.json.as_ref().map(|a| parse_dictionary(a, &mut json, None));
        let inner = inner
            .and_then(|(arrays, path)| arrays.json.map(|a| (parse_dictionary(&a, &mut json, Some(path)), a)));
        let texts =
            literal.text.as_ref().and_then(|a| a.values().as_any().downcast_ref::<StringArray>().cloned());
        let table = Table::new(texts, json, literal.number.clone());
        let mut codes = vec![NONE; rows.len()];
        if let (Some(array), Some(parsed)) = (&literal.json, &literal_json) {
            fill_keys(rows, array, &mut codes, |key| parsed[key].map(|i| table.json_from + i));
        }
        if let Some(array) = &literal.text {
            fill_keys(rows, array, &mut codes, |key| Some(TEXTS_FROM + key as u32));
        }
        if let Some(array) = &literal.boolean {
            fill_bools(rows, array, &mut codes);
        }
        if let Some(array) = &literal.number {
            fill_numbers(rows, array, table.numbers_from, &mut codes);
        }
        if let Some((parsed, array)) = &inner {
            let mut found = vec![NONE; rows.len()];
            fill_keys(rows, array, &mut found, |key| parsed[key].map(|i| table.json_from + i));
            codes.iter_mut().zip(found).filter(|(code, _)| **code == NONE).for_each(|(code, f)| *code = f);
        }
        ValueColumn { codes, table: Arc::new(table), empty: false }
    }

    /// The column with empty text as a value like others (`empty_string: "value"`).
    pub(crate) fn keeping_empty(self) -> ValueColumn {
        ValueColumn { empty: true, ..self }
    }
    /// Whether empty text is a value like others.
    pub fn keeps_empty(&self) -> bool {
        self.empty
    }
    /// The value of an element of one of its lists.
    pub fn element<'v>(&self, item: &'v Value) -> ValueRef<'v> {
        ValueRef::kept(item, self.empty)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.codes.len()
    }
    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
    /// A number that stands for the value of a row: equal within this column only if the values are.
    pub(crate) fn code(&self, row: usize) -> u32 {
        self.codes[row]
    }
    /// The value of a row.
    pub fn value(&self, row: usize) -> ValueRef<'_> {
        self.table.get(self.codes[row], self.empty)
    }

    /// Calls `of` once per distinct value (numbers: once per row) and `out` with its answer for every row.
    pub fn each<T: Copy>(&self, of: impl FnMut(ValueRef<'_>) -> T, out: impl FnMut(usize, T)) {
        self.each_kept(self.empty, of, out);
    }

    fn each_kept<T: Copy>(
        &self,
        empty: bool,
        mut of: impl FnMut(ValueRef<'_>) -> T,
        mut out: impl FnMut(usize, T),
    ) {
        let mut known: Vec<Option<T>> = vec![None; self.table.numbers_from as usize];
        for (row, &code) in self.codes.iter().enumerate() {
            let answer = match known.get_mut(code as usize) {
                Some(Some(answer)) => *answer,
                Some(slot) => *slot.insert(of(self.table.get(code, empty))),
                None => of(self.table.get(code, empty)),
            };
            out(row, answer);
        }
    }

    /// Which rows pass a test.
    pub fn passes(&self, matcher: &Matcher) -> Vec<bool> {
        let mut hits = vec![false; self.codes.len()];
        // What empty text is, the test says.
        self.each_kept(true, |v| v.passes(matcher), |row, hit| hits[row] = hit);
        hits
    }

    /// Where this column has no value: what `path` leads to inside the objects of another.
    pub(crate) fn or_inside(&self, outer: &ValueColumn, path: &str) -> ValueColumn {
        let mut list: Vec<Value> = Vec::new();
        let mut codes = vec![0u32; self.codes.len()];
        let inside = |value: ValueRef<'_>| match value {
            ValueRef::Json(v) => path.split('.').try_fold(v, |v, key| v.as_object()?.get(key)).cloned(),
            _ => None,
        };
        let mut add = |value: Value| {
            list.push(value);
            list.len() as u32
        };
        outer.each(|v| inside(v).map_or(0, &mut add), |row, code| codes[row] = code);
        for (row, code) in self.codes.iter().enumerate().filter(|(_, code)| **code != NONE) {
            // Literal keys with dots are rare; copying their values keeps one table per column.
            codes[row] = add(self.table.get(*code, true).to_json());
        }
        ValueColumn::of_json(codes, &SharedValues::new(list))
    }

    /// The column for a choice of its rows.
    pub fn take(&self, rows: &[u32]) -> ValueColumn {
        let codes = rows.iter().map(|r| self.codes[*r as usize]).collect();
        ValueColumn { codes, table: Arc::clone(&self.table), empty: self.empty }
    }
}

/// JSON values that many batches refer to.
#[derive(Debug, Clone)]
pub struct SharedValues(Arc<Table>);

impl SharedValues {
    /// These values, numbered from 0.
    pub fn new(values: Vec<Value>) -> SharedValues {
        SharedValues(Arc::new(Table::new(None, values, None)))
    }
    /// The value with a number.
    pub fn get(&self, index: u32) -> ValueRef<'_> {
        self.0.get(self.0.json_from + index, false)
    }
}

/// Which rows of a row group a batch holds.
#[derive(Debug, Clone)]
pub(crate) enum Rows {
    /// All of them.
    All(usize),
    /// These, ascending.
    Some(Vec<u32>),
}

impl Rows {
    pub fn len(&self) -> usize {
        match self {
            Rows::All(n) => *n,
            Rows::Some(rows) => rows.len(),
        }
    }

    /// The row of the row group that is the `i`th here.
    pub fn get(&self, i: usize) -> usize {
        match self {
            Rows::All(_) => i,
            Rows::Some(rows) => rows[i] as usize,
        }
    }

    pub fn each(&self, mut f: impl FnMut(usize, usize)) {
        match self {
            Rows::All(n) => (0..*n).for_each(|i| f(i, i)),
            Rows::Some(rows) => rows.iter().enumerate().for_each(|(i, r)| f(i, *r as usize)),
        }
    }
}

/// Parses the distinct JSON texts; the answer maps keys to indexes in `json`.
fn parse_dictionary(array: &TextArray, json: &mut Vec<Value>, path: Option<&str>) -> Vec<Option<u32>> {
    let Some(texts) = array.values().as_any().downcast_ref::<StringArray>() else { return Vec::new() };
    let mut parsed = Vec::with_capacity(texts.len());
    for key in 0..texts.len() {
        let value = tallymark_store::json_value(texts.value(key));
        let value = match path {
            None => Some(value),
            Some(path) => path.split('.').try_fold(&value, |v, k| v.as_object()?.get(k)).cloned(),
        };
        parsed.push(value.filter(|v| !v.is_null()).map(|value| {
            json.push(value);
            json.len() as u32 - 1
        }));
    }
    parsed
}

fn fill_keys(rows: &Rows, array: &TextArray, codes: &mut [u32], code: impl Fn(usize) -> Option<u32>) {
    let keys = array.keys();
    rows.each(|i, row| {
        if keys.is_valid(row)
            && let Some(c) = code(keys.value(row) as usize)
        {
            codes[i] = c;
        }
    });
}

fn fill_bools(rows: &Rows, array: &BooleanArray, codes: &mut [u32]) {
    rows.each(|i, row| {
        if array.is_valid(row) {
            codes[i] = FALSE + u32::from(array.value(row));
        }
    });
}

fn fill_numbers(rows: &Rows, array: &Float64Array, from: u32, codes: &mut [u32]) {
    rows.each(|i, row| {
        if array.is_valid(row) {
            codes[i] = from + row as u32;
        }
    });
}
