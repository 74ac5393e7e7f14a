//! Conditions of the query language as SQL over these tables.
//!
//! Guarantees: a row of `events` passes the SQL form iff it passes the condition, whatever the types of the values,
//! and never yields null; depth grows with the logarithm of the number of conditions, not with the number.
//! Deliberately not here: membership in cohorts, which no table tells.

use tallymark_model::{Value, canonical_text, is_none, number_of};
use tallymark_predicate::{Condition, Operator, PropertyRef, Scope, instant_of};

/// A condition that has no form in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSqlForm(pub String);

impl std::fmt::Display for NoSqlForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoSqlForm {}

/// The condition as an expression over `events`, or over `persons` for properties of persons.
pub fn sql_of(condition: &Condition) -> Result<String, NoSqlForm> {
    match condition {
        Condition::All(list) => Ok(tree(list.iter().map(sql_of).collect::<Result<_, _>>()?, "AND", "TRUE")),
        Condition::Any(list) => Ok(tree(list.iter().map(sql_of).collect::<Result<_, _>>()?, "OR", "FALSE")),
        Condition::Not(inner) => Ok(format!("(NOT {})", sql_of(inner)?)),
        Condition::Cohort { path, .. } => Err(NoSqlForm(format!("{path}: a cohort has no form in SQL"))),
        Condition::Property { property, op, value, .. } => {
            let name = name(property)?;
            Ok(match op.complement_of() {
                Some(positive) => format!("(NOT {})", test(&name, positive, value)),
                None => test(&name, *op, value),
            })
        }
    }
}

/// Joined two by two, so that a long list is not a deep expression.
fn tree(mut parts: Vec<String>, by: &str, none: &str) -> String {
    while parts.len() > 1 {
        parts = parts
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => format!("({a} {by} {b})"),
                rest => rest.concat(),
            })
            .collect();
    }
    parts.pop().unwrap_or_else(|| none.to_owned())
}

fn name(property: &PropertyRef) -> Result<String, NoSqlForm> {
    let path = quoted(&property.path);
    Ok(match &property.scope {
        Scope::Event => format!("properties.{path}"),
        Scope::User => format!("user_properties.{path}"),
        Scope::Person => format!("latest_properties.{path}"),
        Scope::Group(kind) => format!("group_properties.{}.{path}", quoted(kind)),
        Scope::GroupLatest(kind) => format!("latest_group_properties.{}.{path}", quoted(kind)),
        Scope::Custom => format!("custom_properties.{path}"),
        Scope::Lookup(table) => format!("lookup_properties.{}.{path}", quoted(table)),
        Scope::Name => return Err(NoSqlForm("the name of an event is the column `event`".to_owned())),
    })
}

fn test(name: &str, op: Operator, value: &Value) -> String {
    let operands = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    match op {
        Operator::Is => {
            let given: Vec<String> = operands.iter().filter(|v| !is_none(v)).map(canonical_text).collect();
            let mut parts = Vec::new();
            if !given.is_empty() {
                parts.push(on_texts("any_is", name, &given));
            }
            if operands.iter().any(is_none) {
                parts.push(format!("(json({name}) IS NULL)"));
            }
            tree(parts, "OR", "FALSE")
        }
        Operator::Contains => needles("any_contains", name, operands),
        Operator::StartsWith => needles("any_starts_with", name, operands),
        Operator::EndsWith => needles("any_ends_with", name, operands),
        Operator::Regex => on_texts("any_matches", name, &[value.as_str().unwrap_or_default().to_owned()]),
        Operator::Gt => on_numbers("any_gt", name, &[number_of(value)]),
        Operator::Gte => on_numbers("any_gte", name, &[number_of(value)]),
        Operator::Lt => on_numbers("any_lt", name, &[number_of(value)]),
        Operator::Lte => on_numbers("any_lte", name, &[number_of(value)]),
        Operator::Between => {
            let bound = |i: usize| value.get(i).and_then(number_of);
            on_numbers("any_between", name, &[bound(0), bound(1)])
        }
        Operator::Before => on_instants("any_lt", name, instant_of(value)),
        Operator::After => on_instants("any_gt", name, instant_of(value)),
        // The negatives do not occur: whoever calls has turned them round.
        Operator::IsSet
        | Operator::IsNot
        | Operator::NotContains
        | Operator::NotRegex
        | Operator::IsNotSet => {
            format!("(json({name}) IS NOT NULL)")
        }
    }
}

fn needles(function: &str, name: &str, operands: &[Value]) -> String {
    match operands.is_empty() {
        true => "FALSE".to_owned(),
        false => on_texts(function, name, &operands.iter().map(canonical_text).collect::<Vec<_>>()),
    }
}

fn on_texts(function: &str, name: &str, operands: &[String]) -> String {
    let operands: Vec<String> = operands.iter().map(|o| text(o)).collect();
    format!("{function}(texts({name}), {})", operands.join(", "))
}

/// An operand that is no number compares with nothing.
fn on_numbers(function: &str, name: &str, operands: &[Option<f64>]) -> String {
    match operands.iter().copied().collect::<Option<Vec<f64>>>() {
        None => "FALSE".to_owned(),
        Some(numbers) => {
            let numbers: Vec<String> = numbers.into_iter().map(number).collect();
            format!("{function}(numbers({name}), {})", numbers.join(", "))
        }
    }
}

fn on_instants(function: &str, name: &str, operand: Option<f64>) -> String {
    operand.map_or("FALSE".to_owned(), |at| format!("{function}(instants({name}), {})", number(at)))
}

fn number(n: f64) -> String {
    // As text, so that no digit is lost on the way.
    format!("CAST('{n:?}' AS DOUBLE)")
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn form(condition: Value) -> String {
        sql_of(&Condition::parse(&condition, "where").unwrap()).unwrap()
    }

    #[test]
    fn conditions_read_as_sql() {
        for (condition, sql) in [
            (
                json!({"property": "plan", "op": "is", "value": ["pro", "o'k"]}),
                r#"any_is(texts(properties."plan"), 'pro', 'o''k')"#,
            ),
            (
                json!({"scope": "user", "property": "a.b", "op": "is_not", "value": null}),
                r#"(NOT (json(user_properties."a.b") IS NULL))"#,
            ),
            (
                json!({"property": "price", "op": "gt", "value": "9.5"}),
                r#"any_gt(numbers(properties."price"), CAST('9.5' AS DOUBLE))"#,
            ),
            (json!({"property": "price", "op": "gt", "value": "cheap"}), "FALSE"),
            (json!({"all": []}), "TRUE"),
            (
                json!({"any": [{"property": "a", "op": "is_set"}, {"property": "b", "op": "is_not_set"}]}),
                r#"((json(properties."a") IS NOT NULL) OR (NOT (json(properties."b") IS NOT NULL)))"#,
            ),
        ] {
            assert_eq!(form(condition.clone()), sql, "{condition}");
        }
        let cohort = Condition::parse(&json!({"cohort": "1"}), "where").unwrap();
        assert!(sql_of(&cohort).is_err());
    }
}
