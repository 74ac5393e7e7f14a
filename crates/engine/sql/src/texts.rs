//! Functions whose results may be longer than their arguments, made to count what they write.
//!
//! Operators count what they keep, but a function's result is nobody's until it is kept: nested calls that double
//! a text would use up the process's memory before anybody looked.
//!
//! Guarantees: one call writes at most [`CALL_MAX`] bytes, and all large calls of a query together at most
//! [`QUERY_MAX`]; beyond that the query ends with an error before anything is written.

use datafusion::arrow::array::{Array, ArrayRef, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::cast::as_string_array;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bytes that one call may write for one batch of rows.
const CALL_MAX: usize = 32 << 20;
/// Calls up to this are not counted: a batch of ordinary texts.
const CALL_FREE: usize = 1 << 20;
/// Most bytes of all other calls of a query.
const QUERY_MAX: usize = 1 << 30;

/// What the calls of one query have written.
#[derive(Debug, Default)]
pub(crate) struct TextAllowance(AtomicUsize);

impl TextAllowance {
    fn take(&self, function: &str, bytes: usize) -> Result<()> {
        let too_much = |limit: usize| {
            let text = format!(
                "{function}(…) would write more than {} MiB of text; shorten its arguments",
                limit >> 20
            );
            Err(DataFusionError::Execution(text))
        };
        if bytes > CALL_MAX {
            return too_much(CALL_MAX);
        }
        if bytes > CALL_FREE && self.0.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > QUERY_MAX {
            return too_much(QUERY_MAX);
        }
        Ok(())
    }
}

/// A function of the library that is asked first how much it would write.
#[derive(Debug)]
struct Counted {
    inner: Arc<ScalarUDF>,
    allowance: Arc<TextAllowance>,
}

impl PartialEq for Counted {
    fn eq(&self, other: &Counted) -> bool {
        self.inner == other.inner
    }
}
impl Eq for Counted {}
impl Hash for Counted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

/// The function, counted.
pub(crate) fn counted(inner: &Arc<ScalarUDF>, allowance: &Arc<TextAllowance>) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Counted { inner: Arc::clone(inner), allowance: Arc::clone(allowance) }))
}

impl ScalarUDFImpl for Counted {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }
    fn signature(&self) -> &Signature {
        self.inner.signature()
    }
    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.allowance.take(self.name(), longest(self.name(), &args))?;
        self.inner.invoke_with_args(args)
    }
}

/// At most how many bytes a call writes.
fn longest(function: &str, args: &ScalarFunctionArgs) -> usize {
    let rows = args.number_rows.max(1);
    let size = |i: usize| args.args.get(i).map_or(0, |arg| bytes_of(arg, rows));
    let longest_of = |i: usize| args.args.get(i).map_or(0, longest_text);
    let all = || (0..args.args.len()).map(size).fold(0usize, usize::saturating_add);
    match function {
        // Between any two characters the replacement may come in, and again what it refers to.
        "replace" => size(0).saturating_add((size(0) + rows).saturating_mul(longest_of(2))),
        "regexp_replace" => {
            let (text, new) = (size(0), longest_of(2));
            text.saturating_add((text + rows).saturating_mul(new))
                .saturating_add(text.saturating_mul(new / 2))
        }
        "concat_ws" => all().saturating_add((args.args.len() * rows).saturating_mul(longest_of(0))),
        "array_to_string" => size(0).saturating_mul(1 + longest_of(1) + longest_of(2)),
        // One letter of a pattern becomes a name of a month at most.
        "to_char" => rows.saturating_mul(longest_of(1)).saturating_mul(16),
        // An offset for every part.
        "string_to_array" => size(0).saturating_mul(5),
        _ => all(),
    }
}

fn bytes_of(value: &ColumnarValue, rows: usize) -> usize {
    match value {
        ColumnarValue::Array(array) => array.get_array_memory_size(),
        ColumnarValue::Scalar(scalar) => scalar.size().saturating_mul(rows),
    }
}

/// The longest text among the values, or an upper bound of it.
fn longest_text(value: &ColumnarValue) -> usize {
    match value {
        ColumnarValue::Scalar(scalar) => scalar.size(),
        ColumnarValue::Array(array) => match as_string_array(array) {
            Ok(texts) => (0..texts.len()).map(|i| texts.value_length(i) as usize).max().unwrap_or(0),
            Err(_) => array.get_array_memory_size(),
        },
    }
}

/// `a || b`: null if either is.
#[derive(Debug)]
struct Append {
    signature: Signature,
    allowance: Arc<TextAllowance>,
}

impl PartialEq for Append {
    fn eq(&self, _: &Append) -> bool {
        true
    }
}
impl Eq for Append {}
impl Hash for Append {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// What `||` becomes.
pub(crate) fn append(allowance: &Arc<TextAllowance>) -> Arc<ScalarUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Append { signature, allowance: Arc::clone(allowance) }))
}

impl ScalarUDFImpl for Append {
    fn name(&self) -> &str {
        "text_append"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [a, b] if !a.is_nested() && !b.is_nested() => Ok(vec![DataType::Utf8, DataType::Utf8]),
            _ => Err(DataFusionError::Plan("|| joins two texts; for lists use array_concat".to_owned())),
        }
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.allowance.take("||", longest(self.name(), &args))?;
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let arrays: Vec<ArrayRef> = ColumnarValue::values_to_arrays(&args.args)?;
        let [a, b] = arrays.as_slice() else {
            return Err(DataFusionError::Internal("|| has two sides".to_owned()));
        };
        let joined = join(as_string_array(a)?, as_string_array(b)?);
        if scalar {
            return Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&joined, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(joined)))
    }
}

fn join(a: &StringArray, b: &StringArray) -> StringArray {
    let mut out = StringBuilder::new();
    for i in 0..a.len() {
        if a.is_null(i) || b.is_null(i) {
            out.append_null();
        } else {
            out.append_value(format!("{}{}", a.value(i), b.value(i)));
        }
    }
    out.finish()
}
