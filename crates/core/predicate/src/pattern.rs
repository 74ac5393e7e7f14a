//! Regular expressions in RE2 syntax, on an engine with the same guarantees but a slightly different dialect.
//!
//! Differences that would change matches are translated: `\d \w \s \b` are ASCII in RE2, `\Q…\E` quotes,
//! and `[`, `&&`, `--`, `~~` are ordinary characters inside a class.

use regex::Regex;
use std::iter::Peekable;
use std::str::Chars;

/// Compiled size that one pattern may take.
const MAX_BYTES: usize = 1 << 20;

/// Compiles a pattern of the operator `regex`; the error is one line of text.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(&translate(pattern)).size_limit(MAX_BYTES).build().map_err(|e| match e {
        regex::Error::CompiledTooBig(limit) => format!("it compiles to more than {limit} bytes"),
        other => {
            let text = other.to_string();
            text.lines().last().unwrap_or("syntax error").trim().trim_start_matches("error: ").to_owned()
        }
    })
}

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, &mut out, false),
            '[' => class(&mut chars, &mut out),
            c => out.push(c),
        }
    }
    out
}

fn escape(chars: &mut Peekable<Chars<'_>>, out: &mut String, in_class: bool) {
    match chars.next() {
        Some('d') => out.push_str("[0-9]"),
        Some('D') => out.push_str("[^0-9]"),
        Some('w') => out.push_str("[0-9A-Za-z_]"),
        Some('W') => out.push_str("[^0-9A-Za-z_]"),
        Some('s') => out.push_str(r"[\t\n\f\r ]"),
        Some('S') => out.push_str(r"[^\t\n\f\r ]"),
        Some('b') if !in_class => out.push_str(r"(?-u:\b)"),
        Some('B') if !in_class => out.push_str(r"(?-u:\B)"),
        Some('Q') if !in_class => quote(chars, out),
        Some(c) => {
            out.push('\\');
            out.push(c);
        }
        None => out.push('\\'),
    }
}

fn quote(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut literal = String::new();
    while let Some(c) = chars.next() {
        if c == '\\' && chars.peek() == Some(&'E') {
            chars.next();
            break;
        }
        literal.push(c);
    }
    out.push_str(&regex::escape(&literal));
}

fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    // A bracket that closes at once is an ordinary character.
    if chars.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    let mut before = None;
    while let Some(c) = chars.next() {
        match c {
            ']' => {
                out.push(']');
                return;
            }
            '\\' => escape(chars, out, true),
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' => out.push_str(r"\["),
            '&' | '~' | '-' if before == Some(c) => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        before = Some(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialect_is_that_of_re2() {
        for (pattern, text, matches) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "٣", false),
            (r"^\w$", "é", false),
            (r"^.$", "é", true),
            (r"^\s$", "\u{b}", false),
            (r"\bfoo\b", "éfoo", true),
            (r"^[\d.]+$", "1.2", true),
            (r"^[^\d]$", "x", true),
            (r"^[\W]$", "é", true),
            (r"^[[a]$", "[", true),
            (r"^[[:alpha:]]$", "a", true),
            (r"^[]a]+$", "]a", true),
            (r"^[a&&b]+$", "&", true),
            (r"a.c", "xxabcxx", true),
            (r"a", "A", false),
            (r"(?i)a", "A", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
        ] {
            assert_eq!(compile(pattern).expect(pattern).is_match(text), matches, "{pattern} on {text}");
        }
        for pattern in ["(", "a**(", "[z-a]", r"\", "(?=x)", r"(a)\1"] {
            let error = compile(pattern).expect_err(pattern);
            assert!(!error.is_empty() && !error.contains('\n'), "{pattern}: {error}");
        }
        assert!(compile("((a{1000}){1000}){1000}").expect_err("too big").contains("bytes"));
    }
}
