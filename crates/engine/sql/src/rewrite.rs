//! Names in a statement: which tables there are, and what `properties.price` and its like mean.
//!
//! Guarantees: a statement that passes names only the project's tables and its own WITH; the columns it makes up
//! are collected with the names under which the tables will have them.
//! Deliberately not here: types of columns (`virtuals`), anything that needs a plan (`session`).

use crate::error::{not_allowed, too_large, unclear};
use crate::virtuals::{Form, Virtual, What};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};
use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use tallymark_predicate::{PropertyRef, Scope};
use tallymark_query::QueryError;

/// Tables of a project.
pub(crate) const TABLES: [&str; 3] = ["events", "persons", "person_properties"];
/// Most tables that one statement reads, each time it names one.
const RELATIONS_MAX: usize = 32;
/// How deep queries may stand one inside the other: planning takes twice as long for every level.
const QUERIES_DEEP: usize = 8;

/// What a statement uses.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// Columns it makes up.
    pub virtuals: BTreeSet<Virtual>,
    /// The highest parameter.
    pub params: usize,
}

/// Checks names and gives made-up columns theirs.
pub(crate) fn rewrite(statement: &mut Statement) -> Result<Uses, QueryError> {
    let mut rewriter = Rewriter::default();
    match statement.visit(&mut rewriter) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(rewriter.uses),
    }
}

#[derive(Default)]
struct Rewriter {
    uses: Uses,
    with: HashSet<String>,
    relations: usize,
    depth: usize,
}

type Flow = ControlFlow<QueryError>;

fn stop(error: QueryError) -> Flow {
    ControlFlow::Break(error)
}

impl VisitorMut for Rewriter {
    type Break = QueryError;

    fn post_visit_query(&mut self, _: &mut Query) -> Flow {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> Flow {
        self.depth += 1;
        if self.depth > QUERIES_DEEP {
            return stop(too_large(format!(
                "sql: more than {QUERIES_DEEP} queries one inside the other; use WITH"
            )));
        }
        if let Some(with) = &query.with {
            if with.recursive {
                return stop(not_allowed("sql: WITH RECURSIVE is not allowed"));
            }
            self.with.extend(with.cte_tables.iter().map(|cte| name_of(&cte.alias.name)));
        }
        let plain = query.locks.is_empty()
            && query.for_clause.is_none()
            && query.settings.is_none()
            && query.format_clause.is_none()
            && query.pipe_operators.is_empty();
        if !plain {
            return stop(not_allowed("sql: FOR, SETTINGS, FORMAT and |> are not allowed"));
        }
        body(&query.body)
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> Flow {
        if select.into.is_some() {
            return stop(not_allowed("sql: SELECT INTO is not allowed"));
        }
        name_columns(&mut select.projection);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        match factor {
            TableFactor::Table { args: None, .. }
            | TableFactor::Derived { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => {
                stop(not_allowed(format!("sql: {name}(…): there are no table functions")))
            }
            _ => stop(not_allowed("sql: only tables, subqueries and UNNEST can stand in FROM")),
        }
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> Flow {
        self.relations += 1;
        if self.relations > RELATIONS_MAX {
            return stop(too_large(format!("sql: more than {RELATIONS_MAX} tables in one statement")));
        }
        let single = match relation.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => Some(name_of(name)),
            _ => None,
        };
        match single.filter(|name| TABLES.contains(&name.as_str()) || self.with.contains(name)) {
            Some(_) => ControlFlow::Continue(()),
            None => {
                stop(unclear(format!("sql: there is no table {relation}; there are {}", TABLES.join(", "))))
            }
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        let rewritten = match expr {
            Expr::Identifier(name) if name.value.starts_with('@') => {
                return stop(not_allowed(format!("sql: {name}: there are no variables")));
            }
            Expr::CompoundIdentifier(parts) => property(parts).map(|(table, what)| {
                let name = parts_text(&parts[usize::from(table.is_some())..]);
                self.column(table, name, what)
            }),
            Expr::Function(function) => match self.function(function) {
                Ok(rewritten) => rewritten,
                Err(error) => return stop(error),
            },
            Expr::Array(list) => Some(call("make_array", list.elem.clone())),
            Expr::Overlay { .. }
            | Expr::Struct { .. }
            | Expr::Dictionary(_)
            | Expr::Map(_)
            | Expr::Named { .. } => {
                return stop(not_allowed("sql: OVERLAY, structs and maps are not available"));
            }
            // Texts grow by it, so it is a function that counts.
            Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
                Some(call("text_append", vec![(**left).clone(), (**right).clone()]))
            }
            _ => None,
        };
        if let Some(rewritten) = rewritten {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> Flow {
        let Value::Placeholder(text) = &value.value else { return ControlFlow::Continue(()) };
        match text.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()).filter(|n| (1..=1000).contains(n))
        {
            Some(n) => self.uses.params = self.uses.params.max(n),
            None => return stop(unclear(format!("sql: {text}: parameters are written $1, $2, …"))),
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter {
    /// The identifier under which a table will have this column.
    fn column(&mut self, table: Option<Ident>, name: String, what: What) -> Expr {
        self.uses.virtuals.insert(Virtual { name: name.clone(), what });
        let column = Ident::with_quote('"', name);
        match table {
            Some(table) => Expr::CompoundIdentifier(vec![table, column]),
            None => Expr::Identifier(column),
        }
    }

    fn function(&mut self, function: &Function) -> Result<Option<Expr>, QueryError> {
        let mut parts: Vec<&Ident> = function.name.0.iter().filter_map(ObjectNamePart::as_ident).collect();
        let Some(name) = parts.pop().map(name_of) else { return Ok(None) };
        let table = parts.pop().cloned();
        let arguments = plain_arguments(&function.args);
        match (name.as_str(), arguments.as_deref()) {
            (
                "is_event",
                Some([Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(event), .. })]),
            ) => {
                let what = What::IsEvent(event.clone());
                Ok(Some(self.column(table, format!("is_event({event})"), what)))
            }
            ("is_active", Some([])) => {
                Ok(Some(self.column(table, "is_active()".to_owned(), What::IsEvent("$active".to_owned()))))
            }
            ("is_event" | "is_active", _) => {
                Err(unclear("sql: write is_event('name of an event') or is_active()"))
            }
            (name, Some([Expr::CompoundIdentifier(parts)])) => {
                let form = Form::FUNCTIONS.iter().find(|(n, _)| *n == name).map(|(_, form)| *form);
                match (form, property(parts)) {
                    (Some(form), Some((table, What::Property(property, _)))) => {
                        let path = parts_text(&parts[usize::from(table.is_some())..]);
                        Ok(Some(self.column(
                            table,
                            format!("{name}({path})"),
                            What::Property(property, form),
                        )))
                    }
                    (Some(_), _) => Err(of_property(name)),
                    (None, _) => Ok(None),
                }
            }
            (name, _) if Form::FUNCTIONS.iter().any(|(n, _)| *n == name) => Err(of_property(name)),
            _ => Ok(None),
        }
    }
}

/// Gives names to columns that have none of their own, or the same as one before: a plan wants each name once.
fn name_columns(items: &mut [SelectItem]) {
    const LONGEST: usize = 60;
    let mut used = HashSet::new();
    for item in items.iter_mut() {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            continue;
        }
        let nameless =
            matches!(expr, Expr::Cast { .. } | Expr::Subquery(_) | Expr::AtTimeZone { .. } | Expr::Nested(_));
        let text: String = expr.to_string().to_lowercase().chars().take(LONGEST).collect();
        let again = (2..).map(|n| format!("{text} {n}"));
        let name =
            std::iter::once(text.clone()).chain(again).find(|name| !used.contains(name)).unwrap_or_default();
        used.insert(name.clone());
        if nameless || name != text {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
        }
    }
}

fn of_property(function: &str) -> QueryError {
    unclear(format!("sql: {function}(…) chooses the type of a property: write {function}(properties.name)"))
}

fn body(expr: &SetExpr) -> Flow {
    match expr {
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
        SetExpr::SetOperation { left, right, .. } => {
            // A chain is as long as the operators that were counted.
            body(left)?;
            body(right)
        }
        _ => stop(not_allowed("sql: only SELECT and VALUES can stand in a query")),
    }
}

/// A table alias, and the property or group that a compound name means.
fn property(parts: &[Ident]) -> Option<(Option<Ident>, What)> {
    if let Some(what) = what(parts) {
        return Some((None, what));
    }
    let (table, rest) = parts.split_first()?;
    Some((Some(table.clone()), what(rest)?))
}

fn what(parts: &[Ident]) -> Option<What> {
    let (first, rest) = parts.split_first()?;
    let joined = |parts: &[Ident]| parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".");
    let of = |scope, path: &[Ident]| {
        let found = PropertyRef { scope, path: joined(path) };
        (!path.is_empty()).then_some(What::Property(found, Form::Natural))
    };
    match (name_of(first).as_str(), rest) {
        ("properties", _) => of(Scope::Event, rest),
        ("user_properties", _) => of(Scope::User, rest),
        ("latest_properties", _) => of(Scope::Person, rest),
        ("custom_properties", _) => of(Scope::Custom, rest),
        ("group_properties", [kind, path @ ..]) => of(Scope::Group(kind.value.clone()), path),
        ("latest_group_properties", [kind, path @ ..]) => of(Scope::GroupLatest(kind.value.clone()), path),
        ("lookup_properties", [table, path @ ..]) => of(Scope::Lookup(table.value.clone()), path),
        ("groups", [kind]) => Some(What::Group(kind.value.clone())),
        _ => None,
    }
}

fn name_of(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn parts_text(parts: &[Ident]) -> String {
    let first = parts.first().map(name_of).into_iter();
    first.chain(parts.iter().skip(1).map(|p| p.value.clone())).collect::<Vec<_>>().join(".")
}

fn plain_arguments(arguments: &FunctionArguments) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = arguments else { return None };
    let plain = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().map(plain).collect()
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect();
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
