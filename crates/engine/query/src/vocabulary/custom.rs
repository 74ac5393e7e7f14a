//! Custom properties: a CEL expression over one event.
//!
//! Expressions see `properties`, of which each must be named (`properties.price`, `properties["unit price"]`),
//! and `event`, the name. Numbers are doubles. What fails for an event (a property it lacks, a wrong type) has no
//! value there. Guarantees: pure; bounded by the expression's own size.

use super::virtual_event::only;
use cel::common::ast::{EntryExpr, Expr as Ast, IdedExpr, LiteralValue};
use cel::{Context, Program, Value as Cel};
use serde_json::Map;
use std::collections::BTreeSet;
use tallymark_model::Value;
use tallymark_predicate::{PropertyRef, Scope};

const EXPRESSION_MAX: usize = 4000;

/// `{"expression": "properties.price * properties.quantity"}`.
pub(crate) struct CustomProperty {
    program: Program,
    /// The properties it reads; the event's name has scope `name`.
    pub inputs: Vec<PropertyRef>,
}

impl CustomProperty {
    pub fn parse(body: &Value) -> Result<CustomProperty, String> {
        only(body, &["expression", "description"])?;
        let text = body["expression"].as_str().filter(|t| !t.trim().is_empty() && t.len() <= EXPRESSION_MAX);
        let text = text.ok_or_else(|| format!("`expression`: CEL of at most {EXPRESSION_MAX} bytes"))?;
        let program = Program::compile(text).map_err(|e| format!("`expression`: {e}"))?;
        let mut reads = Reads::default();
        reads.visit(program.expression(), &mut Vec::new())?;
        let property = |path: String| PropertyRef { scope: Scope::Event, path };
        let mut inputs: Vec<PropertyRef> = reads.properties.into_iter().map(property).collect();
        if reads.event {
            inputs.push(PropertyRef { scope: Scope::Name, path: String::new() });
        }
        Ok(CustomProperty { program, inputs })
    }

    /// The value for one event: `inputs` in order, null for none.
    pub fn value(&self, inputs: &[Value]) -> Option<Value> {
        let mut context = Context::default();
        let mut properties = Map::new();
        let mut event = Value::Null;
        for (property, value) in self.inputs.iter().zip(inputs) {
            match property.scope {
                Scope::Name => event = value.clone(),
                _ if value.is_null() => {}
                _ => drop(properties.insert(property.path.clone(), doubles(value))),
            }
        }
        context.add_variable("properties", properties).ok()?;
        context.add_variable("event", event).ok()?;
        json(&self.program.execute(&context).ok()?)
    }
}

impl std::fmt::Debug for CustomProperty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomProperty").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

/// What an expression reads.
#[derive(Default)]
struct Reads {
    properties: BTreeSet<String>,
    event: bool,
}

impl Reads {
    fn visit(&mut self, node: &IdedExpr, bound: &mut Vec<String>) -> Result<(), String> {
        match &node.expr {
            Ast::Select(select) if is_properties(&select.operand, bound) => {
                self.properties.insert(select.field.clone());
                Ok(())
            }
            Ast::Select(select) => self.visit(&select.operand, bound),
            Ast::Call(call) => {
                if call.func_name == "_[_]"
                    && let [of, key] = call.args.as_slice()
                    && is_properties(of, bound)
                {
                    return match &key.expr {
                        Ast::Literal(LiteralValue::String(name)) => {
                            self.properties.insert(name.inner().to_owned());
                            Ok(())
                        }
                        _ => Err(NAMED.to_owned()),
                    };
                }
                call.target.iter().try_for_each(|t| self.visit(t, bound))?;
                call.args.iter().try_for_each(|a| self.visit(a, bound))
            }
            Ast::Comprehension(c) => {
                self.visit(&c.iter_range, bound)?;
                self.visit(&c.accu_init, bound)?;
                let before = bound.len();
                bound.extend([c.iter_var.clone(), c.accu_var.clone()]);
                bound.extend(c.iter_var2.clone());
                [&c.loop_cond, &c.loop_step, &c.result].into_iter().try_for_each(|e| self.visit(e, bound))?;
                bound.truncate(before);
                Ok(())
            }
            Ast::Ident(name) if bound.contains(name) => Ok(()),
            Ast::Ident(name) => match name.as_str() {
                "event" => {
                    self.event = true;
                    Ok(())
                }
                "properties" => Err(NAMED.to_owned()),
                other => {
                    Err(format!("`expression`: `{other}` is not known; there are `properties` and `event`"))
                }
            },
            Ast::List(list) => list.elements.iter().try_for_each(|e| self.visit(e, bound)),
            Ast::Map(map) => map.entries.iter().try_for_each(|e| self.entry(&e.expr, bound)),
            Ast::Struct(s) => s.entries.iter().try_for_each(|e| self.entry(&e.expr, bound)),
            Ast::Literal(_) | Ast::Unspecified => Ok(()),
        }
    }

    fn entry(&mut self, entry: &EntryExpr, bound: &mut Vec<String>) -> Result<(), String> {
        match entry {
            EntryExpr::StructField(field) => self.visit(&field.value, bound),
            EntryExpr::MapEntry(entry) => {
                self.visit(&entry.key, bound)?;
                self.visit(&entry.value, bound)
            }
        }
    }
}

const NAMED: &str = "`expression`: name each property, as properties.price or properties[\"unit price\"]";

fn is_properties(node: &IdedExpr, bound: &[String]) -> bool {
    matches!(&node.expr, Ast::Ident(name) if name == "properties" && !bound.contains(name))
}

/// The same value with every number a double, so that 2 and 2.5 meet the same arithmetic.
fn doubles(value: &Value) -> Value {
    match value {
        Value::Number(n) => n.as_f64().map_or(Value::Null, Value::from),
        Value::Array(list) => list.iter().map(doubles).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), doubles(v))).collect(),
        other => other.clone(),
    }
}

fn json(value: &Cel) -> Option<Value> {
    Some(match value {
        Cel::Bool(b) => (*b).into(),
        Cel::Int(i) => (*i).into(),
        Cel::UInt(u) => (*u).into(),
        Cel::Float(f) => tallymark_store::number_value(Some(*f).filter(|f| f.is_finite())?),
        Cel::String(s) => s.as_str().into(),
        Cel::List(items) => items.iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        _ => return None,
    })
}
