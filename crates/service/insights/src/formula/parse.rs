//! From text to the tree of a formula.

use super::{Function, Node};

const DEPTH_MAX: usize = 64;
/// Trees of long chains are as deep as the text is long.
const LENGTH_MAX: usize = 1000;

/// Reads from left to right; operators of one rank bind to the left.
pub(super) struct Parser<'a> {
    rest: &'a str,
    series: usize,
}

impl Parser<'_> {
    /// The whole text, over this many series.
    pub fn parse(text: &str, series: usize) -> Result<Node, String> {
        if text.len() > LENGTH_MAX {
            return Err(format!("is longer than {LENGTH_MAX} characters"));
        }
        let mut parser = Parser { rest: text.trim_start(), series };
        let root = parser.sum(0)?;
        match parser.rest {
            "" => Ok(root),
            rest => Err(format!("{rest:?} was not expected")),
        }
    }

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
            return self.close().map(|()| inner);
        }
        let word: String = self.rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
        self.rest = self.rest[word.len()..].trim_start();
        if let Ok(number) = word.parse::<f64>()
            && word.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        {
            return Ok(Node::Number(number));
        }
        if let Some((name, function, counts)) =
            Function::ALL.into_iter().find(|(n, ..)| n.eq_ignore_ascii_case(&word))
        {
            let arguments = self.arguments(depth)?;
            if !counts.contains(&arguments.len()) {
                return Err(format!("{name} was given {} arguments", arguments.len()));
            }
            return Ok(Node::Call(function, arguments));
        }
        match word.as_bytes() {
            [letter] if letter.is_ascii_uppercase() => match usize::from(letter - b'A') {
                i if i < self.series => Ok(Node::Series(i)),
                _ => Err(format!("there is no series {word}")),
            },
            [] => Err("a number, a letter or a parenthesis is missing".to_owned()),
            _ => Err(format!("{word:?} is not a number, the letter of a series or a function")),
        }
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Node>, String> {
        if self.take(|c| c == '(').is_none() {
            return Err("an opening parenthesis is missing after a function".to_owned());
        }
        let mut arguments = vec![self.sum(depth + 1)?];
        while self.take(|c| c == ',').is_some() {
            arguments.push(self.sum(depth + 1)?);
        }
        self.close().map(|()| arguments)
    }

    fn close(&mut self) -> Result<(), String> {
        match self.take(|c| c == ')') {
            Some(_) => Ok(()),
            None => Err("a closing parenthesis is missing".to_owned()),
        }
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let next = self.rest.chars().next().filter(|c| wanted(*c))?;
        self.rest = self.rest[next.len_utf8()..].trim_start();
        Some(next)
    }
}
