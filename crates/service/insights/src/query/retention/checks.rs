//! Combinations of retention's options that mean nothing, refused by name.

use super::{RetentionKind, RetentionQuery};
use crate::Error;
use crate::query::Reader;

pub(super) fn check(query: &RetentionQuery, from: &Reader<'_>) -> Result<(), Error> {
    let bracket = query.kind == RetentionKind::Bracket;
    if bracket && query.brackets.is_empty() {
        return Err(from.missing("brackets", "[[0,0],[1,3],[4,7]]"));
    }
    if !bracket && !query.brackets.is_empty() {
        return no("brackets", "`brackets`", "are the columns of `kind: \"bracket\"`");
    }
    if query.measure.is_some() && query.dedup {
        return no("overall", "`dedup_actors`", "counts actors, while `measure` sums a property");
    }
    if query.kind == RetentionKind::UsageInterval {
        for (key, given) in [
            ("return", query.back.is_some()),
            ("measure", query.measure.is_some()),
            ("breakdown", !query.breakdown.is_empty()),
        ] {
            if given {
                return no(
                    key,
                    format!("`{key}`"),
                    "has no place in usage intervals, which look at the days of `start`",
                );
            }
        }
    }
    Ok(())
}

fn no(at: &str, what: impl Into<String>, why: &str) -> Result<(), Error> {
    Err(Error::combination(at, what, why))
}
