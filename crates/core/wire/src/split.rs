//! Finds where values begin and end in JSON text, without understanding them.
//!
//! Tolerant on purpose: a broken event between two good ones (`NaN`, a lone surrogate, a bad number) must not
//! take them with it, so only strings and brackets are read; the strict parser judges each piece later.
//! Iterative: nesting costs no stack, so it runs before any recursive parser.
//! Brackets that do not match are an error of the whole text: after one there is no telling whose comma is whose.

use crate::json::Doc;
use std::ops::Range;
use tallymark_model::Value;

/// Text whose outer structure cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    pub at: usize,
    pub why: &'static str,
}

/// One value inside the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where it is, without surrounding white space.
    pub range: Range<usize>,
    /// How deep it nests; a scalar is 0.
    pub depth: usize,
}

/// The members of a JSON object that is a whole request body.
pub(crate) struct Outer<'a> {
    pub text: &'a bytes::Bytes,
    members: Vec<(Range<usize>, Piece)>,
}

impl<'a> Outer<'a> {
    pub fn parse(text: &'a bytes::Bytes) -> Result<Outer<'a>, Broken> {
        Ok(Outer { text, members: members(text, 0..text.len())? })
    }

    /// The last member with this name.
    pub fn get(&self, name: &str) -> Option<&Piece> {
        let named = |key: &Range<usize>| &self.text[key.start + 1..key.end - 1] == name.as_bytes();
        self.members.iter().rev().find(|(key, _)| named(key)).map(|(_, piece)| piece)
    }

    /// The value of a small member; `None` if it is missing, null or not JSON.
    pub fn value(&self, name: &str) -> Option<Value> {
        let piece = self.get(name)?;
        let doc = Doc::parse(&self.text[piece.range.clone()]).ok()?;
        Some(doc.value()).filter(|v| !v.is_null())
    }

    /// The text of the first of these members that is a string.
    pub fn text_of(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| match self.value(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        })
    }
}

/// First byte that is not white space.
pub(crate) fn first_byte(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|b| !is_space(*b))
}

/// The elements of the array that `text[range]` is.
pub(crate) fn elements(text: &[u8], range: Range<usize>) -> Result<Vec<Piece>, Broken> {
    let mut cursor = Cursor { text, at: range.start, end: range.end };
    let mut out = Vec::new();
    cursor.expect(b'[', "expected a list")?;
    cursor.space();
    if cursor.peek() == Some(b']') {
        cursor.at += 1;
        return cursor.finish(out);
    }
    loop {
        out.push(cursor.piece()?);
        match cursor.peek() {
            Some(b',') => cursor.at += 1,
            Some(b']') => {
                cursor.at += 1;
                return cursor.finish(out);
            }
            _ => return Err(cursor.broken("the list is not closed")),
        }
    }
}

/// The first element if the text is a list, else the text itself; `None` for an empty or broken list.
pub(crate) fn first(text: &[u8]) -> Option<Range<usize>> {
    if first_byte(text) != Some(b'[') {
        return Some(0..text.len());
    }
    let mut cursor = Cursor { text, at: 0, end: text.len() };
    cursor.expect(b'[', "expected a list").ok()?;
    cursor.piece().ok().map(|piece| piece.range).filter(|range| !range.is_empty())
}

/// Members of the object that `text[range]` is: (key with its quotes, value), in order, duplicates included.
pub(crate) fn members(text: &[u8], range: Range<usize>) -> Result<Vec<(Range<usize>, Piece)>, Broken> {
    let mut cursor = Cursor { text, at: range.start, end: range.end };
    let mut out = Vec::new();
    cursor.expect(b'{', "expected an object")?;
    cursor.space();
    if cursor.peek() == Some(b'}') {
        cursor.at += 1;
        return cursor.finish(out);
    }
    loop {
        cursor.space();
        let key = cursor.at;
        if cursor.peek() != Some(b'"') {
            return Err(cursor.broken("expected a key in double quotes"));
        }
        cursor.string()?;
        let key = key..cursor.at;
        cursor.expect(b':', "expected a colon after the key")?;
        out.push((key, cursor.piece()?));
        match cursor.peek() {
            Some(b',') => cursor.at += 1,
            Some(b'}') => {
                cursor.at += 1;
                return cursor.finish(out);
            }
            _ => return Err(cursor.broken("the object is not closed")),
        }
    }
}

/// True if the text may nest deeper than `limit`. Counts brackets first: most events have fewer than `limit`.
pub(crate) fn deeper_than(text: &[u8], limit: usize) -> bool {
    let brackets = text.iter().filter(|b| matches!(b, b'{' | b'[')).count();
    brackets > limit && depth(text) > limit
}

/// How deep the text nests, as far as it can be followed.
fn depth(text: &[u8]) -> usize {
    let mut cursor = Cursor { text, at: 0, end: text.len() };
    let mut deepest = 0;
    while cursor.at < cursor.end {
        match cursor.skip() {
            Ok(depth) => deepest = deepest.max(depth),
            Err((_, depth)) => return deepest.max(depth),
        }
        cursor.at += 1;
    }
    deepest
}

/// The path of the innermost value around byte `at`, such as `properties.items[2].price`.
pub(crate) fn path_at(text: &[u8], at: usize) -> String {
    let mut path = String::new();
    let mut range = 0..text.len();
    for _ in 0..16 {
        let inner =
            match text[range.clone()].iter().position(|b| !is_space(*b)).map(|i| text[range.start + i]) {
                Some(b'{') => members(text, range).ok().and_then(|members| {
                    let (key, piece) =
                        members.into_iter().find(|(key, p)| key.start <= at && at <= p.range.end)?;
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&String::from_utf8_lossy(&text[key.start + 1..key.end - 1]));
                    Some(piece.range)
                }),
                Some(b'[') => elements(text, range).ok().and_then(|elements| {
                    let (i, piece) = elements
                        .into_iter()
                        .enumerate()
                        .find(|(_, p)| p.range.start <= at && at <= p.range.end)?;
                    path.push_str(&format!("[{i}]"));
                    Some(piece.range)
                }),
                _ => None,
            };
        match inner {
            Some(r) if !r.is_empty() => range = r,
            _ => break,
        }
    }
    path
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\n' | b'\r' | b'\t')
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    end: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        if self.at < self.end { self.text.get(self.at).copied() } else { None }
    }

    fn broken(&self, why: &'static str) -> Broken {
        Broken { at: self.at, why }
    }

    fn space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, why: &'static str) -> Result<(), Broken> {
        self.space();
        if self.peek() != Some(byte) {
            return Err(self.broken(why));
        }
        self.at += 1;
        Ok(())
    }

    fn finish<T>(mut self, out: T) -> Result<T, Broken> {
        self.space();
        if self.at < self.end {
            Err(self.broken("something follows the end of the JSON value"))
        } else {
            Ok(out)
        }
    }

    /// The value here, up to the comma or closing bracket after it.
    fn piece(&mut self) -> Result<Piece, Broken> {
        self.space();
        let start = self.at;
        let depth = self.skip().map_err(|(broken, _)| broken)?;
        let mut end = self.at;
        while end > start && is_space(self.text[end - 1]) {
            end -= 1;
        }
        Ok(Piece { range: start..end, depth })
    }

    /// Moves to the comma or closing bracket that ends the value here, or to the end of the text.
    /// Returns the deepest nesting seen, also beside an error.
    fn skip(&mut self) -> Result<usize, (Broken, usize)> {
        let (mut depth, mut deepest, mut objects) = (0usize, 0usize, 0u128);
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.string().map_err(|broken| (broken, deepest))?;
                    continue;
                }
                b'{' | b'[' => {
                    if depth < 128 {
                        let bit = 1u128 << depth;
                        objects = if byte == b'{' { objects | bit } else { objects & !bit };
                    }
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b'}' | b']' => {
                    if depth == 0 {
                        return Ok(deepest);
                    }
                    depth -= 1;
                    if depth < 128 && (objects >> depth & 1 == 1) != (byte == b'}') {
                        return Err((self.broken("a bracket is closed by one of another kind"), deepest));
                    }
                }
                b',' if depth == 0 => return Ok(deepest),
                _ => {}
            }
            self.at += 1;
        }
        if depth == 0 { Ok(deepest) } else { Err((self.broken("the text ends inside a value"), deepest)) }
    }

    /// Moves behind the string here.
    fn string(&mut self) -> Result<(), Broken> {
        let start = self.at;
        self.at += 1;
        loop {
            self.at = quote_or_backslash(&self.text[..self.end], self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => self.at += 2,
                None => return Err(Broken { at: start, why: "a string is not closed" }),
            }
        }
    }
}

/// Index of the next `"` or `\` from `at` on, or the length of the text. Eight bytes at a time.
fn quote_or_backslash(text: &[u8], mut at: usize) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero_byte = |w: u64| w.wrapping_sub(LOW) & !w & HIGH;
    while let Some(chunk) = text.get(at..at + 8) {
        let mut bytes = [0u8; 8];
        bytes.copy_from_slice(chunk);
        let word = u64::from_le_bytes(bytes);
        let hit = zero_byte(word ^ (LOW * u64::from(b'"'))) | zero_byte(word ^ (LOW * u64::from(b'\\')));
        if hit != 0 {
            return at + (hit.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < text.len() && !matches!(text[at], b'"' | b'\\') {
        at += 1;
    }
    at.min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Result<Vec<&str>, Broken> {
        Ok(elements(text.as_bytes(), 0..text.len())?.into_iter().map(|p| &text[p.range]).collect())
    }

    #[test]
    fn a_broken_element_leaves_its_neighbours_alone() {
        assert_eq!(
            split(r#" [ {"a":1}, {"b":NaN} ,"x,]\"", [1,[2]] , {"c":"\ud800"} ] "#).unwrap(),
            [r#"{"a":1}"#, r#"{"b":NaN}"#, r#""x,]\"""#, "[1,[2]]", r#"{"c":"\ud800"}"#]
        );
        assert_eq!(split("[]").unwrap(), Vec::<&str>::new());
        assert_eq!(split("[1,]").unwrap(), ["1", ""]);
    }

    #[test]
    fn what_cannot_be_followed_is_an_error_of_the_whole() {
        for text in ["[1", "[{]}", "[\"a]", "[1] 2", "{}", "", "[{\"a\":[}]", "[\"\\"] {
            assert!(split(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_counted_without_recursion() {
        for n in [1, 63, 64, 65, 127, 128, 129, 100_000] {
            let text = format!("{}{}", "[".repeat(n), "]".repeat(n));
            assert_eq!(deeper_than(text.as_bytes(), 64), n > 64, "{n}");
            let open = "{\"a\":".repeat(n);
            assert_eq!(deeper_than(open.as_bytes(), 64), n > 64, "{n} open");
        }
        assert!(!deeper_than(format!("[{}]", vec!["{}"; 500].join(",")).as_bytes(), 64));
    }

    #[test]
    fn paths_name_the_field_around_a_byte() {
        let text = br#"{"event":"a","properties":{"items":[{"price":1},{"price":NaN}]}}"#;
        let at = text.windows(3).position(|w| w == b"NaN").unwrap();
        assert_eq!(path_at(text, at), "properties.items[1].price");
    }

    #[test]
    fn members_keep_order_and_duplicates() {
        let text = r#"{"a":1,"b" : {"c":[]} , "a":2}"#;
        let got: Vec<(&str, &str)> = members(text.as_bytes(), 0..text.len())
            .unwrap()
            .into_iter()
            .map(|(k, p)| (&text[k], &text[p.range]))
            .collect();
        assert_eq!(got, [("\"a\"", "1"), ("\"b\"", "{\"c\":[]}"), ("\"a\"", "2")]);
    }
}
