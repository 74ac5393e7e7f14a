//! `any_is`, `any_contains`, `any_gt` and their like: whether any element of a list passes a test.
//!
//! They are what conditions of the query language become in SQL (`form`), where a value that is a list passes if
//! one of its elements does.
//!
//! Guarantees: never null, so that NOT is the exact complement; texts compare as conditions do (chapter 1.3).

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::cast::{as_float64_array, as_list_array, as_string_array};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::collections::HashSet;
use std::sync::Arc;

/// A test of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Test {
    Is,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Gt,
    Gte,
    Lt,
    Lte,
    Between,
}

const ALL: [(&str, Test); 10] = [
    ("any_is", Test::Is),
    ("any_contains", Test::Contains),
    ("any_starts_with", Test::StartsWith),
    ("any_ends_with", Test::EndsWith),
    ("any_matches", Test::Matches),
    ("any_gt", Test::Gt),
    ("any_gte", Test::Gte),
    ("any_lt", Test::Lt),
    ("any_lte", Test::Lte),
    ("any_between", Test::Between),
];

#[derive(Debug, PartialEq, Eq, Hash)]
struct AnyElement {
    name: &'static str,
    test: Test,
    signature: Signature,
}

/// The functions.
pub(crate) fn functions() -> Vec<Arc<ScalarUDF>> {
    let one =
        |(name, test)| AnyElement { name, test, signature: Signature::user_defined(Volatility::Immutable) };
    ALL.into_iter().map(|f| Arc::new(ScalarUDF::new_from_impl(one(f)))).collect()
}

impl Test {
    fn element(self) -> DataType {
        match self {
            Test::Is | Test::Contains | Test::StartsWith | Test::EndsWith | Test::Matches => DataType::Utf8,
            Test::Gt | Test::Gte | Test::Lt | Test::Lte | Test::Between => DataType::Float64,
        }
    }
    /// Fewest and most operands.
    fn operands(self) -> (usize, usize) {
        match self {
            Test::Is | Test::Contains | Test::StartsWith | Test::EndsWith => (1, usize::MAX),
            Test::Between => (2, 2),
            _ => (1, 1),
        }
    }
}

impl ScalarUDFImpl for AnyElement {
    fn name(&self) -> &str {
        self.name
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (fewest, most) = self.test.operands();
        let (count, element) = (types.len().saturating_sub(1), self.test.element());
        if types.is_empty() || count < fewest || count > most {
            let text = format!("{}(list, …) takes {fewest} or more values after the list", self.name);
            return Err(DataFusionError::Plan(text));
        }
        let list = DataType::List(Arc::new(Field::new_list_field(element.clone(), true)));
        Ok(std::iter::once(list).chain(std::iter::repeat_n(element, count)).collect())
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((list, operands)) = args.args.split_first() else {
            return Err(DataFusionError::Internal("no list".to_owned()));
        };
        let whole = matches!(list, ColumnarValue::Scalar(_));
        let list = list.to_array(if whole { 1 } else { args.number_rows })?;
        let hits = self.hits(&list, operands)?;
        if whole {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(hits.value(0)))));
        }
        Ok(ColumnarValue::Array(Arc::new(hits)))
    }
}

impl AnyElement {
    fn hits(&self, list: &ArrayRef, operands: &[ColumnarValue]) -> Result<BooleanArray> {
        match self.test.element() {
            DataType::Utf8 => {
                let operands =
                    constants(self.name, operands)?.into_iter().map(text).collect::<Result<Vec<_>>>()?;
                let test = self.text_test(operands.into_iter().flatten().collect())?;
                any(list, |values| Ok(strings(as_string_array(values)?, &test)))
            }
            _ => {
                let operands =
                    constants(self.name, operands)?.into_iter().map(number).collect::<Result<Vec<_>>>()?;
                let test = self.number_test(&operands);
                any(list, |values| Ok(numbers(as_float64_array(values)?, &test)))
            }
        }
    }

    fn text_test(&self, operands: Vec<String>) -> Result<Box<dyn Fn(&str) -> bool>> {
        let folded =
            |operands: Vec<String>| -> Vec<String> { operands.iter().map(|o| o.to_lowercase()).collect() };
        Ok(match self.test {
            Test::Contains => {
                let needles = folded(operands);
                Box::new(move |text| fold(text, |t| needles.iter().any(|n| t.contains(n.as_str()))))
            }
            Test::StartsWith => {
                let needles = folded(operands);
                Box::new(move |text| fold(text, |t| needles.iter().any(|n| t.starts_with(n.as_str()))))
            }
            Test::EndsWith => {
                let needles = folded(operands);
                Box::new(move |text| fold(text, |t| needles.iter().any(|n| t.ends_with(n.as_str()))))
            }
            Test::Matches => match operands.first() {
                None => Box::new(|_| false),
                Some(pattern) => {
                    let regex = tallymark_predicate::compile_pattern(pattern).map_err(|why| {
                        DataFusionError::Execution(format!("{}: {pattern:?} is no pattern: {why}", self.name))
                    })?;
                    Box::new(move |text| regex.is_match(text))
                }
            },
            _ => {
                let set: HashSet<String> = operands.into_iter().collect();
                Box::new(move |text| set.contains(text))
            }
        })
    }

    fn number_test(&self, operands: &[Option<f64>]) -> Box<dyn Fn(f64) -> bool> {
        // Nothing compares with null.
        let Some(operands) = operands.iter().copied().collect::<Option<Vec<f64>>>() else {
            return Box::new(|_| false);
        };
        let first = operands.first().copied().unwrap_or(f64::NAN);
        let second = operands.get(1).copied().unwrap_or(f64::NAN);
        match self.test {
            Test::Gt => Box::new(move |n| n > first),
            Test::Gte => Box::new(move |n| n >= first),
            Test::Lt => Box::new(move |n| n < first),
            Test::Lte => Box::new(move |n| n <= first),
            _ => Box::new(move |n| first <= n && n <= second),
        }
    }
}

fn fold(text: &str, test: impl Fn(&str) -> bool) -> bool {
    test(&text.to_lowercase())
}

fn constants<'v>(name: &str, operands: &'v [ColumnarValue]) -> Result<Vec<&'v ScalarValue>> {
    let one = |value: &'v ColumnarValue| match value {
        ColumnarValue::Scalar(scalar) => Ok(scalar),
        ColumnarValue::Array(_) => Err(DataFusionError::Execution(format!(
            "{name}(list, …): what follows the list must be constant"
        ))),
    };
    operands.iter().map(one).collect()
}

fn text(scalar: &ScalarValue) -> Result<Option<String>> {
    match scalar {
        ScalarValue::Utf8(text) => Ok(text.clone()),
        other => Err(DataFusionError::Internal(format!("{other} is no text"))),
    }
}

fn number(scalar: &ScalarValue) -> Result<Option<f64>> {
    match scalar {
        ScalarValue::Float64(number) => Ok(*number),
        other => Err(DataFusionError::Internal(format!("{other} is no number"))),
    }
}

/// Per row: whether `of` holds for any of its elements.
fn any(list: &ArrayRef, of: impl Fn(&ArrayRef) -> Result<Vec<bool>>) -> Result<BooleanArray> {
    let list = as_list_array(list)?;
    let passing = of(list.values())?;
    let offsets = list.value_offsets();
    let row = |i: usize| {
        list.is_valid(i) && passing[offsets[i] as usize..offsets[i + 1] as usize].iter().any(|hit| *hit)
    };
    Ok((0..list.len()).map(|i| Some(row(i))).collect())
}

fn strings(values: &StringArray, test: &dyn Fn(&str) -> bool) -> Vec<bool> {
    (0..values.len()).map(|i| values.is_valid(i) && test(values.value(i))).collect()
}

fn numbers(values: &Float64Array, test: &dyn Fn(f64) -> bool) -> Vec<bool> {
    (0..values.len()).map(|i| values.is_valid(i) && test(values.value(i))).collect()
}
