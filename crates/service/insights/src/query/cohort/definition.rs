//! Cohort definitions as written (chapter 9): a tree of clauses.
//!
//! Guarantees: every key is taken, wrong, or unknown. Deliberately not here: what clauses are true for
//! (`cohorts`), where stored definitions come from.

use super::clause::Performed;
use crate::Error;
use crate::query::parts::{self, NamesSpec, SelectorSpec};
use crate::query::reader::{Reader, kind};
use serde_json::{Map, Value};
use tallymark_predicate::{Condition, Expr, Leaf, Scope};

const HINT: &str = r#"one of all, any, not, performed, property, ids, cohort; such as {"performed":{"event":"buy"},"last":{"n":30,"unit":"day"},"count":["gte",3]}"#;

/// A cohort.
#[derive(Debug, Clone)]
pub(crate) enum Definition {
    /// Every one holds; a plain list means this.
    All(Vec<Definition>),
    /// At least one holds.
    Any(Vec<Definition>),
    /// It does not hold.
    Not(Box<Definition>),
    /// Events in a window.
    Performed(Box<Performed>),
    /// The current value of a property of the person.
    Current(Leaf),
    /// Persons by id: person ids, user ids or device ids.
    Ids(Vec<String>),
    /// A cohort that the project keeps.
    Stored(String),
}

impl Definition {
    /// Parses a definition, or the id of a stored one, at this path of the query.
    pub fn parse(value: &Value, at: &str) -> Result<Definition, Error> {
        match value {
            Value::String(id) if !id.is_empty() => Ok(Definition::Stored(id.clone())),
            Value::Number(id) => Ok(Definition::Stored(id.to_string())),
            Value::Array(list) => Ok(Definition::All(parse_list(list, at)?)),
            Value::Object(map) => object(value, map, at),
            other => {
                Err(Error::malformed(at, format!("must be a definition or an id, not {}", kind(other)), HINT))
            }
        }
    }
}

fn parse_list(list: &[Value], at: &str) -> Result<Vec<Definition>, Error> {
    list.iter().enumerate().map(|(i, v)| Definition::parse(v, &format!("{at}[{i}]"))).collect()
}

fn object(value: &Value, map: &Map<String, Value>, at: &str) -> Result<Definition, Error> {
    const FORMS: [&str; 7] = ["all", "any", "not", "performed", "property", "ids", "cohort"];
    let mut forms = FORMS.iter().filter(|form| map.contains_key(**form));
    let Some(form) = forms.next() else {
        return Err(Error::malformed(at, "has no clause", HINT));
    };
    if let Some(second) = forms.next() {
        let problem = format!("`{form}` and `{second}` cannot stand in one clause");
        return Err(Error::malformed(at, problem, "wrap them in `all` or `any`"));
    }
    let from = Reader::new(value, at)?;
    let inner = |key: &'static str| {
        let value = from.get(key).ok_or_else(|| from.missing(key, HINT))?;
        Ok::<_, Error>((value, from.at(key)))
    };
    let list = |key: &'static str| {
        let list = from.list(key)?.ok_or_else(|| from.missing(key, HINT))?;
        parse_list(list, &from.at(key))
    };
    let found = match *form {
        "all" => Definition::All(list("all")?),
        "any" => Definition::Any(list("any")?),
        "not" => {
            let (value, at) = inner("not")?;
            Definition::Not(Box::new(Definition::parse(value, &at)?))
        }
        "cohort" => {
            let (value, at) = inner("cohort")?;
            Definition::parse(value, &at)?
        }
        "ids" => Definition::Ids(ids(&from)?),
        "property" => property(&from, map)?,
        _ => Definition::Performed(Box::new(Performed::read(&from)?)),
    };
    from.finish()?;
    Ok(found)
}

fn ids(from: &Reader<'_>) -> Result<Vec<String>, Error> {
    let list = from.list("ids")?.unwrap_or_default();
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let ids: Option<Vec<String>> = list.iter().map(text).collect();
    ids.ok_or_else(|| from.wrong("ids", "must list texts", "person ids, user ids or device ids"))
}

/// A condition on a property: now, or carried by any event in a window.
fn property(from: &Reader<'_>, map: &Map<String, Value>) -> Result<Definition, Error> {
    let mut condition = Map::new();
    for key in ["scope", "property", "op", "value", "empty_string"] {
        from.get(key);
        if let Some(value) = map.get(key) {
            condition.insert(key.to_owned(), value.clone());
        }
    }
    let scope = condition.entry("scope").or_insert_with(|| "user".into()).clone();
    let current = from.choice("when", &[("current", true), ("any_time", false)])?.unwrap_or(true);
    let parsed = parts::parse_condition(&Value::Object(condition), &from.at("property"))?;
    let Expr::Leaf(leaf) = parsed else {
        return Err(from.wrong("property", "must be the name of a property", HINT));
    };
    match (current, &leaf.property.scope) {
        (true, Scope::User | Scope::Person) => Ok(Definition::Current(leaf)),
        (true, _) => Err(from.wrong(
            "when",
            format!("a property in scope {scope} has no current value"),
            "use \"when\":\"any_time\", or scope user",
        )),
        (false, _) => {
            let filter = Some(Expr::Leaf(leaf));
            let selector = SelectorSpec { names: NamesSpec::Any, filter, nth: None };
            Ok(Definition::Performed(Box::new(Performed::once(selector, from)?)))
        }
    }
}

/// Checks a cohort that stands in a condition; stored ones are looked up when the query runs.
pub(crate) fn check(condition: &Condition) -> Result<(), Error> {
    match condition {
        Condition::All(list) | Condition::Any(list) => list.iter().try_for_each(check),
        Condition::Not(inner) => check(inner),
        Condition::Cohort { cohort, path, .. } => {
            Definition::parse(cohort, &format!("{path}.cohort")).map(drop)
        }
        Condition::Property { .. } => Ok(()),
    }
}
