//! Arithmetic over series: `+ - * / ( )`, numbers, letters of series, functions (chapter 2).
//!
//! Guarantees: null in gives null out; what is no finite number (a division by zero, the logarithm of nothing) is
//! null; length and depth are bounded. Letters are upper case, names of functions any case.
//! `LOG` is to base 10, or to the base that is its second argument. `TRENDLINE` is the straight line of least
//! squares through the buckets that have a value; through a total alone it is that total.

mod parse;

use parse::Parser;

/// A formula, ready to evaluate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Formula {
    /// As written.
    pub text: String,
    root: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Number(f64),
    Series(usize),
    Negated(Box<Node>),
    Binary(Box<Node>, char, Box<Node>),
    Call(Function, Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Abs,
    Exp,
    Ln,
    Log,
    Power,
    Sqrt,
    Trendline,
}

/// One value per bucket.
type Values = Vec<Option<f64>>;

impl Formula {
    /// Parses a formula over this many series; the error is one sentence.
    pub fn parse(text: &str, series: usize) -> Result<Formula, String> {
        Ok(Formula { text: text.to_owned(), root: Parser::parse(text, series)? })
    }

    /// Its values in this many buckets, where series `i` has `values(i, bucket)`; with `div_zero` a division by
    /// zero gives 0.
    pub fn line(
        &self,
        buckets: usize,
        div_zero: bool,
        values: &impl Fn(usize, usize) -> Option<f64>,
    ) -> Values {
        self.root.line(buckets, div_zero, values)
    }

    /// Its value where series `i` has `values(i)`.
    pub fn value(&self, div_zero: bool, values: &impl Fn(usize) -> Option<f64>) -> Option<f64> {
        self.line(1, div_zero, &|series, _| values(series)).pop().flatten()
    }

    /// The series it names.
    pub fn series(&self) -> Vec<usize> {
        let mut found = Vec::new();
        self.root.collect(&mut found);
        found
    }
}

impl Node {
    fn line(&self, buckets: usize, div_zero: bool, values: &impl Fn(usize, usize) -> Option<f64>) -> Values {
        let of = |node: &Node| node.line(buckets, div_zero, values);
        let found: Values = match self {
            Node::Number(n) => vec![Some(*n); buckets],
            Node::Series(i) => (0..buckets).map(|bucket| values(*i, bucket)).collect(),
            Node::Negated(inner) => of(inner).into_iter().map(|v| v.map(|v| -v)).collect(),
            Node::Binary(left, op, right) => {
                let pairs = of(left).into_iter().zip(of(right));
                pairs.map(|(l, r)| arithmetic(l?, *op, r?, div_zero)).collect()
            }
            Node::Call(Function::Trendline, of_what) => of_what.iter().flat_map(|n| trend(of(n))).collect(),
            Node::Call(function, arguments) => {
                let arguments: Vec<Values> = arguments.iter().map(of).collect();
                let at = |bucket: usize| {
                    let given: Option<Vec<f64>> = arguments.iter().map(|a| a[bucket]).collect();
                    given.and_then(|given| function.value(&given))
                };
                (0..buckets).map(at).collect()
            }
        };
        found.into_iter().map(|v| v.filter(|v| v.is_finite())).collect()
    }

    fn collect(&self, series: &mut Vec<usize>) {
        match self {
            Node::Number(_) => {}
            Node::Series(i) => series.push(*i),
            Node::Negated(inner) => inner.collect(series),
            Node::Binary(left, _, right) => {
                left.collect(series);
                right.collect(series);
            }
            Node::Call(_, arguments) => arguments.iter().for_each(|a| a.collect(series)),
        }
    }
}

impl Function {
    const ALL: [(&'static str, Function, std::ops::RangeInclusive<usize>); 7] = [
        ("ABS", Function::Abs, 1..=1),
        ("EXP", Function::Exp, 1..=1),
        ("LN", Function::Ln, 1..=1),
        ("LOG", Function::Log, 1..=2),
        ("POWER", Function::Power, 2..=2),
        ("SQRT", Function::Sqrt, 1..=1),
        ("TRENDLINE", Function::Trendline, 1..=1),
    ];

    /// Of one bucket's arguments, as many as the parser let through.
    fn value(self, given: &[f64]) -> Option<f64> {
        Some(match (self, given) {
            (Function::Abs, [x]) => x.abs(),
            (Function::Exp, [x]) => x.exp(),
            (Function::Ln, [x]) => x.ln(),
            (Function::Log, [x]) => x.log10(),
            (Function::Log, [x, base]) => x.ln() / base.ln(),
            (Function::Power, [x, y]) => x.powf(*y),
            (Function::Sqrt, [x]) => x.sqrt(),
            _ => return None,
        })
    }
}

fn arithmetic(l: f64, op: char, r: f64, div_zero: bool) -> Option<f64> {
    match op {
        '+' => Some(l + r),
        '-' => Some(l - r),
        '*' => Some(l * r),
        _ if r != 0.0 => Some(l / r),
        _ => div_zero.then_some(0.0),
    }
}

/// The straight line of least squares through the values there are, where they are.
fn trend(values: Values) -> Values {
    let points: Vec<(f64, f64)> =
        values.iter().enumerate().filter_map(|(i, v)| Some((i as f64, (*v)?))).collect();
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let spread: f64 = points.iter().map(|p| (p.0 - x) * (p.0 - x)).sum();
    let rise: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let slope = if spread == 0.0 { 0.0 } else { rise / spread };
    values.iter().enumerate().map(|(i, v)| v.map(|_| y + slope * (i as f64 - x))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<f64> {
        let series = [Some(6.0), Some(3.0), None, Some(0.0)];
        Formula::parse(text, 4).unwrap().value(false, &|i| series[i])
    }

    #[test]
    fn arithmetic_binds_as_usual_and_nulls_spread() {
        assert_eq!(value("A + B * 2"), Some(12.0));
        assert_eq!(value("(A + B) * 2"), Some(18.0));
        assert_eq!(value("A - B - 1"), Some(2.0));
        assert_eq!(value("A / B / 2"), Some(1.0));
        assert_eq!(value("-A + .5"), Some(-5.5));
        assert_eq!(value("A / D"), None);
        assert_eq!(value("A + C"), None);
        assert_eq!(
            Formula::parse("A / D", 4).unwrap().value(true, &|i| [6.0, 3.0, 1.0, 0.0].get(i).copied()),
            Some(0.0)
        );
    }

    #[test]
    fn functions_take_what_they_need_and_give_null_where_they_have_no_value() {
        let near = |text: &str, wanted: f64| {
            let found = value(text).unwrap();
            assert!((found - wanted).abs() < 1e-12, "{text} = {found}");
        };
        near("EXP(D)", 1.0);
        near("LN(EXP(B))", 3.0);
        near("log(100)", 2.0);
        near("LOG(A + 2, 2)", 3.0);
        near("sqrt(B * 3) + POWER(B, 2)", 12.0);
        near("ABS(B - A)", 3.0);
        near("TRENDLINE(A)", 6.0);
        for undefined in
            ["LN(D)", "LN(-A)", "SQRT(-1)", "POWER(D, -1)", "EXP(1000)", "1 / EXP(1000)", "LN(C)"]
        {
            assert_eq!(value(undefined), None, "{undefined}");
        }
    }

    #[test]
    fn a_trend_line_goes_through_what_there_is() {
        let formula = Formula::parse("TRENDLINE(A) * 2", 1).unwrap();
        // Through (0, 1), (2, 2), (3, 6): slope 1.5, through the mean point (5/3, 3), so 0.5 at 0.
        let values = [Some(1.0), None, Some(2.0), Some(6.0)];
        let line = formula.line(4, false, &|_, bucket| values[bucket]);
        let rounded: Vec<Option<i64>> = line.iter().map(|v| v.map(|v| (v * 1000.0).round() as i64)).collect();
        assert_eq!(rounded, [Some(1000), None, Some(7000), Some(10000)]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("A + E", "E"),
            ("A +", "missing"),
            ("(A", "parenthesis"),
            ("A B", "\"B\""),
            ("MEDIAN(A)", "MEDIAN"),
            ("LN A", "parenthesis"),
            ("LN(A, B)", "argument"),
            ("POWER(A)", "argument"),
            ("TRENDLINE(A", "parenthesis"),
            ("", "missing"),
        ] {
            let error = Formula::parse(text, 2).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(Formula::parse(&"(".repeat(100_000), 1).is_err());
        assert!(Formula::parse(&"-".repeat(100_000), 1).is_err());
        assert!(Formula::parse(&"A+".repeat(100_000), 1).unwrap_err().contains("longer"));
    }
}
