//! Operations on properties of groups, as rows of a properties segment.
//!
//! They are rows of nobody (subject 0), which no person can have. The name is group type and property, each after
//! a unit separator; the value is `[group, operand]`. So that group rows are sorted, pruned, compacted, replayed
//! and verified as all others. A separator in a group type is written as an escape and `0`, an escape as an escape
//! and `1`: types without either, which are all that people use, stand as they are.

use crate::PropertyRow;
use std::borrow::Cow;
use tallymark_model::{Event, Millis, Position, PropertyOp, SubjectId, Value};

const SEPARATOR: char = '\u{1f}';
const ESCAPE: char = '\u{1b}';

/// The name of rows about this property of groups of this type; an empty property for `ClearAll`.
pub fn group_row_name(kind: &str, property: &str) -> String {
    format!("{SEPARATOR}{}{SEPARATOR}{property}", escaped(kind))
}

fn escaped(kind: &str) -> Cow<'_, str> {
    if !kind.contains([SEPARATOR, ESCAPE]) {
        return Cow::Borrowed(kind);
    }
    let text = kind.replace(ESCAPE, &format!("{ESCAPE}1"));
    Cow::Owned(text.replace(SEPARATOR, &format!("{ESCAPE}0")))
}

fn unescaped(text: &str) -> String {
    let mut kind = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let meant = match (c, rest.peek()) {
            (ESCAPE, Some('0')) => Some(SEPARATOR),
            (ESCAPE, Some('1')) => Some(ESCAPE),
            _ => None,
        };
        kind.push(meant.unwrap_or(c));
        if meant.is_some() {
            rest.next();
        }
    }
    kind
}

/// Rows for what an event changes about groups.
pub fn group_rows(
    event: &Event,
    position: Position,
    received_at: Millis,
) -> impl Iterator<Item = PropertyRow> + '_ {
    (0..).zip(&event.group_ops).map(move |(index, (kind, group, op))| PropertyRow {
        subject: SubjectId::NONE,
        name: group_row_name(kind, &op.name),
        op: op.kind,
        value_json: Value::from(vec![Value::from(group.as_str()), op.value.clone()]).to_string(),
        time: event.time,
        position,
        received_at,
        index,
    })
}

/// The change that a row is about: (type, group, change); none if it is about a person.
pub fn group_op(row: &PropertyRow) -> Option<(String, String, PropertyOp)> {
    if !row.subject.is_none() {
        return None;
    }
    let (kind, property) = row.name.strip_prefix(SEPARATOR)?.split_once(SEPARATOR)?;
    let (group, value) = group_operand(&row.value_json)?;
    Some((unescaped(kind), group, PropertyOp { kind: row.op, name: property.to_owned(), value }))
}

/// Group and operand of a row's value.
pub fn group_operand(value_json: &str) -> Option<(String, Value)> {
    let (group, operand): (String, Value) = serde_json::from_str(value_json).ok()?;
    Some((group, operand))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tallymark_model::{Lane, PropertyOpKind};

    #[test]
    fn what_an_event_changes_about_groups_comes_back() {
        let op = |kind, name: &str, value| PropertyOp { kind, name: name.to_owned(), value };
        let changes = vec![
            ("team".to_owned(), "acme".to_owned(), op(PropertyOpKind::Set, "plan", json!({"a": [1, "x"]}))),
            ("a\"b".to_owned(), "".to_owned(), op(PropertyOpKind::ClearAll, "", Value::Null)),
            ("a\u{1f}b".to_owned(), "g".to_owned(), op(PropertyOpKind::Set, "c\u{1f}d", json!(1))),
            ("a".to_owned(), "g".to_owned(), op(PropertyOpKind::Set, "b\u{1f}c\u{1f}d", json!(2))),
            ("\u{1b}0\u{1b}".to_owned(), "g".to_owned(), op(PropertyOpKind::Set, "p", json!(3))),
        ];
        let event = Event { group_ops: changes.clone(), ..Event::default() };
        let at = Position { lane: Lane::Live, partition: 1, offset: 7 };
        let rows: Vec<PropertyRow> = group_rows(&event, at, 9).collect();
        assert_eq!(rows.iter().map(|r| group_op(r).unwrap()).collect::<Vec<_>>(), changes);
        assert_ne!(rows[2].name, rows[3].name);
        assert_eq!(rows[1].index, 1);
        assert_eq!(group_op(&PropertyRow { subject: SubjectId(1), ..rows[0].clone() }), None);
    }
}
