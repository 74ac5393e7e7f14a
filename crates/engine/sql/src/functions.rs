//! Which functions statements may call.
//!
//! Guarantees: only what is listed here; nothing listed tells about the machine, reads files, or makes more of
//! its arguments than is counted (`texts`). Functions that later versions of the library bring are not there until
//! they are listed.
//! Deliberately not here: functions over lists (`lists`), forms of properties (`virtuals`).

use crate::texts::TextAllowance;
use crate::{lists, texts};
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use std::sync::Arc;

const SCALARS: &[&str] = &[
    // Choosing values.
    "nullif",
    "nvl",
    "nvl2",
    "coalesce",
    "greatest",
    "least",
    "arrow_cast",
    "arrow_typeof",
    "get_field",
    // Dates and times; the clock is the query's `as_of`.
    "current_date",
    "current_time",
    "now",
    "date_bin",
    "date_part",
    "date_trunc",
    "from_unixtime",
    "make_date",
    "make_time",
    "to_date",
    "to_local_time",
    "to_time",
    "to_unixtime",
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_timestamp_nanos",
    // Numbers.
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "cot",
    "degrees",
    "exp",
    "factorial",
    "floor",
    "gcd",
    "isnan",
    "iszero",
    "lcm",
    "ln",
    "log",
    "log2",
    "log10",
    "nanvl",
    "pi",
    "power",
    "radians",
    "signum",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "round",
    "trunc",
    // Texts that are no longer than their arguments.
    "ascii",
    "bit_length",
    "btrim",
    "chr",
    "ends_with",
    "lower",
    "ltrim",
    "octet_length",
    "rtrim",
    "split_part",
    "starts_with",
    "to_hex",
    "upper",
    "contains",
    "character_length",
    "find_in_set",
    "initcap",
    "left",
    "reverse",
    "right",
    "strpos",
    "substr",
    "substr_index",
    "translate",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    // Lists that are no longer than their arguments.
    "array_compact",
    "cardinality",
    "array_dims",
    "array_ndims",
    "array_except",
    "array_element",
    "array_pop_back",
    "array_pop_front",
    "array_slice",
    "array_any_value",
    "array_has",
    "array_has_all",
    "array_has_any",
    "empty",
    "array_length",
    "flatten",
    "array_max",
    "array_min",
    "array_sort",
    "array_reverse",
    "array_distinct",
    "array_intersect",
    "array_position",
    "array_positions",
    "array_remove",
    "array_remove_all",
    "array_remove_n",
];

/// Functions whose results may be longer than their arguments.
const COUNTED: &[&str] = &[
    "concat",
    "concat_ws",
    "replace",
    "regexp_replace",
    "overlay",
    "to_char",
    "array_to_string",
    "make_array",
    "string_to_array",
    "array_append",
    "array_prepend",
    "array_concat",
    "array_union",
];

const AGGREGATES: &[&str] = &[
    "any_value",
    "array_agg",
    "first_value",
    "last_value",
    "covar_samp",
    "covar_pop",
    "corr",
    "sum",
    "max",
    "min",
    "median",
    "count",
    "regr_slope",
    "regr_intercept",
    "regr_count",
    "regr_r2",
    "regr_avgx",
    "regr_avgy",
    "regr_sxx",
    "regr_syy",
    "regr_sxy",
    "var",
    "var_pop",
    "stddev",
    "stddev_pop",
    "approx_median",
    "approx_distinct",
    "approx_percentile_cont",
    "percentile_cont",
    "string_agg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "avg",
    "grouping",
    "nth_value",
];

/// What every session has, made once.
#[derive(Debug, Clone)]
pub(crate) struct Functions {
    scalars: Vec<Arc<ScalarUDF>>,
    counted: Vec<Arc<ScalarUDF>>,
    aggregates: Vec<Arc<AggregateUDF>>,
    windows: Vec<Arc<WindowUDF>>,
}

impl Functions {
    /// From the library's, as far as they are listed.
    pub fn new() -> Functions {
        let all = SessionStateDefaults::default_scalar_functions();
        let named = |list: &[&str]| -> Vec<Arc<ScalarUDF>> {
            all.iter().filter(|f| list.contains(&f.name())).cloned().collect()
        };
        let aggregates = SessionStateDefaults::default_aggregate_functions();
        Functions {
            scalars: named(SCALARS),
            counted: named(COUNTED),
            aggregates: aggregates.into_iter().filter(|f| AGGREGATES.contains(&f.name())).collect(),
            windows: SessionStateDefaults::default_window_functions(),
        }
    }

    /// Puts them into a session, with this allowance for texts.
    pub fn install(
        &self,
        builder: SessionStateBuilder,
        allowance: &Arc<TextAllowance>,
    ) -> SessionStateBuilder {
        let mut scalars = self.scalars.clone();
        scalars.extend(self.counted.iter().map(|f| texts::counted(f, allowance)));
        scalars.push(texts::append(allowance));
        scalars.extend(lists::functions());
        builder
            .with_expr_planners(SessionStateDefaults::default_expr_planners())
            .with_scalar_functions(scalars)
            .with_aggregate_functions(self.aggregates.clone())
            .with_window_functions(self.windows.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_function_is_there() {
        let all = SessionStateDefaults::default_scalar_functions();
        let has = |name: &str| all.iter().any(|f| f.name() == name);
        let missing: Vec<&&str> = SCALARS.iter().chain(COUNTED).filter(|n| !has(n)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let all = SessionStateDefaults::default_aggregate_functions();
        let missing: Vec<&&str> =
            AGGREGATES.iter().filter(|n| !all.iter().any(|f| f.name() == **n)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        for never in
            ["version", "repeat", "range", "generate_series", "array_repeat", "input_file_name", "lpad"]
        {
            assert!(!SCALARS.contains(&never) && !COUNTED.contains(&never), "{never}");
        }
    }
}
