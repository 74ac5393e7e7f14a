//! What conditions of a statement say about names and times of events.
//!
//! Guarantees: never narrower than the conditions; the plan tests them again in any case.

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use std::collections::BTreeSet;
use tallymark_model::Millis;

/// Names and times of the rows that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Names as they are shown; none = any.
    pub names: Option<BTreeSet<String>>,
    /// Rows that a selector of this name means.
    pub selected: Option<String>,
    /// First instant.
    pub from: Millis,
    /// First instant after.
    pub to: Millis,
}

impl Wanted {
    const ANY: Wanted = Wanted { names: None, selected: None, from: Millis::MIN, to: Millis::MAX };

    /// What one condition says; none if that is nothing.
    pub fn of(condition: &Expr) -> Option<Wanted> {
        match condition {
            Expr::Alias(alias) => Wanted::of(&alias.expr),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                match (Wanted::of(left), Wanted::of(right)) {
                    (Some(a), Some(b)) => Some(a.and(b)),
                    (a, b) => a.or(b),
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                Some(Wanted::of(left)?.or_else(Wanted::of(right)?))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                compared(left, *op, right).or_else(|| compared(right, op.swap()?, left))
            }
            Expr::Between(b) if !b.negated => {
                let low = compared(&b.expr, Operator::GtEq, &b.low);
                let high = compared(&b.expr, Operator::LtEq, &b.high);
                Some(low?.and(high?))
            }
            Expr::InList(list) if !list.negated && named(&list.expr) == Some("event") => {
                let names: Option<BTreeSet<String>> = list.list.iter().map(text).collect();
                Some(Wanted { names: Some(names?), ..Wanted::ANY })
            }
            Expr::Column(column) => {
                let name = column.name.strip_prefix("is_event(")?.strip_suffix(')')?;
                Some(Wanted { selected: Some(name.to_owned()), ..Wanted::ANY })
            }
            _ => None,
        }
    }

    fn and(self, other: Wanted) -> Wanted {
        let names = match (self.names, other.names) {
            (Some(a), Some(b)) => Some(a.intersection(&b).cloned().collect()),
            (a, b) => a.or(b),
        };
        Wanted {
            names,
            selected: self.selected.or(other.selected),
            from: self.from.max(other.from),
            to: self.to.min(other.to),
        }
    }

    fn or_else(self, other: Wanted) -> Wanted {
        let names = match (self.names, other.names) {
            (Some(a), Some(b)) => Some(a.into_iter().chain(b).collect()),
            _ => None,
        };
        let selected = if self.selected == other.selected { self.selected } else { None };
        Wanted { names, selected, from: self.from.min(other.from), to: self.to.max(other.to) }
    }
}

/// What all conditions say together.
pub(crate) fn all(conditions: &[Expr]) -> Wanted {
    conditions.iter().filter_map(Wanted::of).fold(Wanted::ANY, Wanted::and)
}

fn compared(column: &Expr, op: Operator, value: &Expr) -> Option<Wanted> {
    match (named(column)?, op) {
        ("event", Operator::Eq) => {
            Some(Wanted { names: Some(BTreeSet::from([text(value)?])), ..Wanted::ANY })
        }
        ("time" | "local_time", op) => {
            let (floor, ceiling) = instant(value)?;
            // Rows have whole milliseconds.
            let any = Wanted::ANY;
            match op {
                Operator::Eq => Some(Wanted { from: floor, to: ceiling.saturating_add(1), ..any }),
                Operator::Gt | Operator::GtEq => Some(Wanted { from: floor, ..any }),
                Operator::Lt => Some(Wanted { to: ceiling, ..any }),
                Operator::LtEq => Some(Wanted { to: ceiling.saturating_add(1), ..any }),
                _ => None,
            }
        }
        _ => None,
    }
}

fn named(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(Column { name, .. }) => Some(name.as_str()),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(
            ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text),
            _,
        ) => text.clone(),
        _ => None,
    }
}

/// The milliseconds at or before an instant, and at or after it.
fn instant(expr: &Expr) -> Option<(Millis, Millis)> {
    let Expr::Literal(value, _) = expr else { return None };
    let (value, per_ms) = match value {
        ScalarValue::TimestampSecond(Some(v), Some(_)) => (v.checked_mul(1000)?, 1),
        ScalarValue::TimestampMillisecond(Some(v), Some(_)) => (*v, 1),
        ScalarValue::TimestampMicrosecond(Some(v), Some(_)) => (*v, 1_000),
        ScalarValue::TimestampNanosecond(Some(v), Some(_)) => (*v, 1_000_000),
        _ => return None,
    };
    let floor = value.div_euclid(per_ms);
    Some((floor, floor + i64::from(value.rem_euclid(per_ms) != 0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::{col, lit};

    fn at(ms: i64) -> Expr {
        lit(ScalarValue::TimestampMillisecond(Some(ms), Some("UTC".into())))
    }

    #[test]
    fn names_and_times_are_understood() {
        let names = |list: &[&str]| Some(list.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>());
        let found = |e: Expr| Wanted::of(&e).map(|w| (w.names, w.from, w.to));
        let (min, max) = (Millis::MIN, Millis::MAX);
        let is = |name: &str| col("event").eq(lit(name));
        assert_eq!(found(is("a")), Some((names(&["a"]), min, max)));
        assert_eq!(found(lit("a").eq(col("event"))), Some((names(&["a"]), min, max)));
        assert_eq!(found(is("a").or(is("b"))), Some((names(&["a", "b"]), min, max)));
        assert_eq!(found(is("a").or(col("x").eq(lit(1)))), None);
        assert_eq!(found(is("a").and(col("x").eq(lit(1)))), Some((names(&["a"]), min, max)));
        assert_eq!(found(col("event").in_list(vec![lit("a"), lit("b")], true)), None);
        assert_eq!(found(col("time").gt_eq(at(5)).and(col("time").lt(at(9)))), Some((None, 5, 9)));
        assert_eq!(found(at(5).lt_eq(col("time"))), Some((None, 5, max)));
        assert_eq!(found(col("time").between(at(5), at(9))), Some((None, 5, 10)));
        assert_eq!(found(col("time").gt(at(5)).or(col("time").eq(at(1)))), Some((None, 1, max)));
        let micro = lit(ScalarValue::TimestampMicrosecond(Some(-1), Some("UTC".into())));
        assert_eq!(found(col("time").eq(micro)), Some((None, -1, 1)));
        assert_eq!(found(col("time").not_eq(at(5))), None);
        // Without a zone it is not known which instant is meant.
        assert_eq!(found(col("time").gt(lit(ScalarValue::TimestampMillisecond(Some(5), None)))), None);
    }
}
