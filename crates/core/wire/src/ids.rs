//! Usable ids (chapter 12.1 of the insight semantics): an id that many clients send by mistake names nobody.
//!
//! A garbage id is treated as absent, never as an error: the event counts, it only belongs to no one.

use crate::limits;

/// What became of a raw id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Id {
    /// None was sent.
    Absent,
    /// It names somebody.
    Usable(String),
    /// It was sent, and is garbage.
    Garbage,
}

const GARBAGE: [&str; 18] = [
    "anonymous",
    "guest",
    "distinctid",
    "distinct_id",
    "id",
    "not_authenticated",
    "email",
    "undefined",
    "true",
    "false",
    "null",
    "none",
    "nil",
    "nan",
    "n/a",
    "na",
    "unknown",
    "[object object]",
];

/// True if this id names nobody, however it is quoted or spelled. `id` need not be trimmed.
pub fn is_garbage(id: &str) -> bool {
    let id = unquoted(id.trim()).trim();
    id.bytes().all(|b| matches!(b, b'0' | b'-'))
        || id == "-1"
        || id == "{}"
        || id == "[]"
        || (id.len() <= 15 && GARBAGE.iter().any(|g| id.eq_ignore_ascii_case(g)))
}

/// The usable part of a raw id with at least `min_length` characters.
pub fn usable(raw: Option<&str>, min_length: usize) -> Id {
    let Some(raw) = raw else { return Id::Absent };
    let id = raw.trim();
    let too_short = min_length > 1 && id.chars().take(min_length).count() < min_length;
    if is_garbage(id) || too_short || id.len() > limits::ID_BYTES {
        Id::Garbage
    } else {
        Id::Usable(id.to_owned())
    }
}

/// True for the ids that browsers' SDKs make up: UUIDs, and the older form with five hexadecimal parts that
/// posthog-js has from mixpanel-js.
pub(crate) fn is_generated(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    parts.len() == 5
        && id.len() >= 30
        && parts.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn unquoted(id: &str) -> &str {
    for quote in ['"', '\'', '`'] {
        if let Some(inner) = id.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_chapter_12_1() {
        for id in [
            "",
            " ",
            "anonymous",
            "Anonymous",
            "'guest'",
            "\"null\"",
            "NULL",
            "0",
            "000",
            "-",
            "-1",
            "n/a",
            "00000000-0000-0000-0000-000000000000",
            "[object Object]",
            "{}",
            "[]",
            "NaN",
            "''",
            " undefined ",
            "\" \"",
        ] {
            assert!(is_garbage(id), "{id:?}");
            assert_eq!(usable(Some(id), 1), Id::Garbage, "{id:?}");
        }
        for id in ["1", "a", "anonymous1", "01", "'", "null null", "-2", "Ünïcode"] {
            assert_eq!(usable(Some(&format!(" {id} ")), 1), Id::Usable(id.into()), "{id:?}");
        }
        assert_eq!(usable(None, 1), Id::Absent);
    }

    #[test]
    fn lengths_are_bounded_and_never_cut() {
        assert_eq!(usable(Some("abcd"), 5), Id::Garbage);
        assert_eq!(usable(Some("äöüßé"), 5), Id::Usable("äöüßé".into()));
        assert_eq!(usable(Some(&"x".repeat(1025)), 1), Id::Garbage);
    }
}
