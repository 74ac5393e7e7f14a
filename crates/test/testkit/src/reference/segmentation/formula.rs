//! Formulas: "evaluated per bucket and on the totals; null in → null out".
//!
//! `LOG` is to base 10 or to its second argument; `TRENDLINE` is the line of least squares through the buckets
//! that have a value, of a total the total. What is no finite number is null.

use super::lines::Line;
use serde_json::{Value, json};

type Numbers = Vec<Option<f64>>;

/// The line of a formula over the lines of the series.
pub fn line(text: &str, lines: &[&Line], zero: bool) -> Result<Line, String> {
    let values = |of: &dyn Fn(&Line) -> Vec<Value>| {
        let series: Vec<Numbers> =
            lines.iter().map(|line| of(line).iter().map(Value::as_f64).collect()).collect();
        let mut reader =
            Reader { text: text.chars().filter(|c| !c.is_whitespace()).collect(), at: 0, series, zero };
        let found = reader.sum()?;
        if reader.at == reader.text.len() { Ok(found) } else { Err(format!("formula: {text}")) }
    };
    let buckets = values(&|line| line.values.clone())?;
    let total = values(&|line| vec![line.total.clone()])?;
    Ok(Line {
        values: buckets.iter().map(|v| json!(v)).collect(),
        total: json!(total.first().copied().flatten()),
    })
}

struct Reader {
    text: Vec<char>,
    at: usize,
    series: Vec<Numbers>,
    zero: bool,
}

impl Reader {
    fn next_is(&mut self, wanted: char) -> bool {
        let is = self.text.get(self.at) == Some(&wanted);
        self.at += usize::from(is);
        is
    }

    fn sum(&mut self) -> Result<Numbers, String> {
        let mut left = self.product()?;
        loop {
            if self.next_is('+') {
                left = each(&left, &self.product()?, |a, b| a + b);
            } else if self.next_is('-') {
                left = each(&left, &self.product()?, |a, b| a - b);
            } else {
                return Ok(left);
            }
        }
    }

    fn product(&mut self) -> Result<Numbers, String> {
        let mut left = self.factor()?;
        loop {
            let zero = self.zero;
            if self.next_is('*') {
                left = each(&left, &self.factor()?, |a, b| a * b);
            } else if self.next_is('/') {
                let divide = move |a: f64, b: f64| if b == 0.0 && zero { 0.0 } else { a / b };
                left = each(&left, &self.factor()?, divide);
            } else {
                return Ok(left);
            }
        }
    }

    fn factor(&mut self) -> Result<Numbers, String> {
        if self.next_is('-') {
            return Ok(self.factor()?.into_iter().map(|v| v.map(|v| -v)).collect());
        }
        if self.next_is('(') {
            let inner = self.sum()?;
            return if self.next_is(')') { Ok(inner) } else { Err("formula: )".into()) };
        }
        let start = self.at;
        while self.text.get(self.at).is_some_and(|c| c.is_alphanumeric() || *c == '.') {
            self.at += 1;
        }
        let word: String = self.text[start..self.at].iter().collect();
        if let Ok(number) = word.parse::<f64>() {
            let buckets = self.series.first().map_or(0, Vec::len);
            return Ok(vec![Some(number); buckets]);
        }
        if let &[letter] = word.as_bytes() {
            return self
                .series
                .get(usize::from(letter.wrapping_sub(b'A')))
                .cloned()
                .ok_or("formula: letter".into());
        }
        let mut given = Vec::new();
        if !self.next_is('(') {
            return Err(format!("formula: {word}"));
        }
        while !self.next_is(')') {
            given.push(self.sum()?);
            if !self.next_is(',') && self.text.get(self.at) != Some(&')') {
                return Err(format!("formula: {word}"));
            }
        }
        let one = |of: fn(f64) -> f64| each(&given[0], &given[0], |a, _| of(a));
        match (word.to_uppercase().as_str(), given.len()) {
            ("ABS", 1) => Ok(one(f64::abs)),
            ("EXP", 1) => Ok(one(f64::exp)),
            ("LN", 1) => Ok(one(f64::ln)),
            ("LOG", 1) => Ok(one(f64::log10)),
            ("SQRT", 1) => Ok(one(f64::sqrt)),
            ("LOG", 2) => Ok(each(&given[0], &given[1], |a, b| a.ln() / b.ln())),
            ("POWER", 2) => Ok(each(&given[0], &given[1], f64::powf)),
            ("TRENDLINE", 1) => Ok(trend(&given[0])),
            _ => Err(format!("formula: {word}")),
        }
    }
}

fn each(left: &Numbers, right: &Numbers, of: impl Fn(f64, f64) -> f64) -> Numbers {
    let one = |(l, r): (&Option<f64>, &Option<f64>)| Some(of((*l)?, (*r)?)).filter(|v| v.is_finite());
    left.iter().zip(right).map(one).collect()
}

/// y = a + b x with b = (n Σxy − Σx Σy) / (n Σx² − (Σx)²).
fn trend(values: &Numbers) -> Numbers {
    let points: Vec<(f64, f64)> =
        values.iter().enumerate().filter_map(|(x, y)| y.map(|y| (x as f64, y))).collect();
    let n = points.len() as f64;
    let sum = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
    let (x, y, xy, xx) = (sum(|p| p.0), sum(|p| p.1), sum(|p| p.0 * p.1), sum(|p| p.0 * p.0));
    let below = n * xx - x * x;
    let b = if below == 0.0 { 0.0 } else { (n * xy - x * y) / below };
    let a = (y - b * x) / n;
    values.iter().enumerate().map(|(x, v)| v.map(|_| a + b * x as f64)).collect()
}
