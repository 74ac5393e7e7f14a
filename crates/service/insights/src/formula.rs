//! Arithmetic over series: `+ - * / ( )`, numbers, letters of series (chapter 2).
//!
//! Guarantees: null in gives null out, a division by zero is null; depth is bounded.
//! Deliberately not here: functions such as `EXP` or `TRENDLINE`.

const DEPTH_MAX: usize = 64;

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
}

impl Formula {
    /// Parses a formula over this many series; the error is one sentence.
    pub fn parse(text: &str, series: usize) -> Result<Formula, String> {
        let mut parser = Parser { rest: text.trim_start(), series };
        let root = parser.sum(0)?;
        match parser.rest {
            "" => Ok(Formula { text: text.to_owned(), root }),
            rest => Err(format!("{rest:?} was not expected")),
        }
    }

    /// Its value where series `i` has `values(i)`.
    pub fn value(&self, values: &impl Fn(usize) -> Option<f64>) -> Option<f64> {
        self.root.value(values).filter(|v| v.is_finite())
    }
}

impl Node {
    fn value(&self, values: &impl Fn(usize) -> Option<f64>) -> Option<f64> {
        match self {
            Node::Number(n) => Some(*n),
            Node::Series(i) => values(*i),
            Node::Negated(inner) => inner.value(values).map(|v| -v),
            Node::Binary(left, op, right) => {
                let (l, r) = (left.value(values)?, right.value(values)?);
                match op {
                    '+' => Some(l + r),
                    '-' => Some(l - r),
                    '*' => Some(l * r),
                    _ => (r != 0.0).then(|| l / r),
                }
            }
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    series: usize,
}

impl Parser<'_> {
    fn sum(&mut self, depth: usize) -> Result<Node, String> {
        let mut left = self.product(depth)?;
        while let Some(op) = self.take(|c| matches!(c, '+' | '-')) {
            left = Node::Binary(Box::new(left), op, Box::new(self.product(depth)?));
        }
        Ok(left)
    }

    fn product(&mut self, depth: usize) -> Result<Node, String> {
        let mut left = self.factor(depth)?;
        while let Some(op) = self.take(|c| matches!(c, '*' | '/')) {
            left = Node::Binary(Box::new(left), op, Box::new(self.factor(depth)?));
        }
        Ok(left)
    }

    fn factor(&mut self, depth: usize) -> Result<Node, String> {
        if depth >= DEPTH_MAX {
            return Err(format!("nests deeper than {DEPTH_MAX}"));
        }
        if self.take(|c| c == '-').is_some() {
            return Ok(Node::Negated(Box::new(self.factor(depth + 1)?)));
        }
        if self.take(|c| c == '(').is_some() {
            let inner = self.sum(depth + 1)?;
            return match self.take(|c| c == ')') {
                Some(_) => Ok(inner),
                None => Err("a closing parenthesis is missing".to_owned()),
            };
        }
        let word: String = self.rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
        self.rest = self.rest[word.len()..].trim_start();
        if let Ok(number) = word.parse::<f64>()
            && word.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        {
            return Ok(Node::Number(number));
        }
        match word.as_bytes() {
            [letter] if letter.is_ascii_uppercase() => match usize::from(letter - b'A') {
                i if i < self.series => Ok(Node::Series(i)),
                _ => Err(format!("there is no series {word}")),
            },
            [] => Err("a number, a letter or a parenthesis is missing".to_owned()),
            _ => Err(format!("{word:?} is not a number or the letter of a series")),
        }
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let next = self.rest.chars().next().filter(|c| wanted(*c))?;
        self.rest = self.rest[next.len_utf8()..].trim_start();
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_binds_as_usual_and_nulls_spread() {
        let value = |text: &str| {
            let series = [Some(6.0), Some(3.0), None, Some(0.0)];
            Formula::parse(text, 4).unwrap().value(&|i| series[i])
        };
        assert_eq!(value("A + B * 2"), Some(12.0));
        assert_eq!(value("(A + B) * 2"), Some(18.0));
        assert_eq!(value("A - B - 1"), Some(2.0));
        assert_eq!(value("A / B / 2"), Some(1.0));
        assert_eq!(value("-A + .5"), Some(-5.5));
        assert_eq!(value("A / D"), None);
        assert_eq!(value("A + C"), None);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("A + E", "E"),
            ("A +", "missing"),
            ("(A", "parenthesis"),
            ("A B", "\"B\""),
            ("LN(A)", "LN"),
            ("", "missing"),
        ] {
            let error = Formula::parse(text, 2).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(Formula::parse(&"(".repeat(100_000), 1).is_err());
        assert!(Formula::parse(&"-".repeat(100_000), 1).is_err());
    }
}
