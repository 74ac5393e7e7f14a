//! `person_properties`: what persons' properties were when, one row per change.
//!
//! Guarantees: folded from the same operations in the same order as conditions on users; a value holds from
//! `since` until `until`, which is null while it still does; a row without a value says that there was none.

use super::{Scene, leaf, projected};
use crate::cells::PersonTexts;
use crate::pushdown;
use crate::source::{BATCH_ROWS, Out, Rows};
use crate::virtuals::instant_type;
use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Float64Array, StringArray, TimestampMillisecondArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tallymark_model::Millis;
use tallymark_query::{PropertyScope, PropertyTimeline, QueryError};

const COLUMNS: [&str; 7] = ["person", "property", "value", "number", "json", "since", "until"];

/// The table.
#[derive(Debug)]
pub(crate) struct Changes {
    scene: Arc<Scene>,
    schema: SchemaRef,
}

impl Changes {
    /// Over a snapshot.
    pub fn new(scene: Arc<Scene>) -> Changes {
        let of = |name: &str| match name {
            "number" => DataType::Float64,
            "since" | "until" => instant_type("UTC"),
            _ => DataType::Utf8,
        };
        let fields: Vec<Field> = COLUMNS.iter().map(|name| Field::new(*name, of(name), true)).collect();
        Changes { scene, schema: Arc::new(Schema::new(fields)) }
    }
}

/// The properties that a condition leaves; none if it says nothing about them.
fn named(condition: &Expr) -> Option<BTreeSet<String>> {
    // The same conditions as on names of events, on another column.
    let renamed = rename(condition)?;
    pushdown::Wanted::of(&renamed)?.names
}

fn rename(condition: &Expr) -> Option<Expr> {
    use datafusion::common::tree_node::{Transformed, TreeNode};
    let renamed = condition.clone().transform(|e| {
        Ok(match e {
            Expr::Column(Column { name, .. }) if name == "property" => {
                Transformed::yes(Expr::Column(Column::new_unqualified("event")))
            }
            Expr::Column(Column { name, .. }) if name == "event" || name == "time" => {
                Transformed::yes(Expr::Column(Column::new_unqualified("other")))
            }
            other => Transformed::no(other),
        })
    });
    renamed.ok().map(|t| t.data)
}

#[async_trait]
impl TableProvider for Changes {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn table_type(&self) -> TableType {
        TableType::Base
    }
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|f| match named(f) {
                Some(_) => TableProviderFilterPushDown::Inexact,
                None => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }
    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (schema, chosen) = projected(&self.schema, projection);
        let stats = &self.scene.question.stats;
        let mut properties: BTreeSet<String> = stats
            .properties
            .keys()
            .filter(|(scope, _)| *scope == PropertyScope::User)
            .map(|(_, name)| name.clone())
            .collect();
        for names in filters.iter().filter_map(named) {
            // A name beyond those that are kept may be asked for all the same.
            properties = match stats.unnamed {
                0 => properties.intersection(&names).cloned().collect(),
                _ => names,
            };
        }
        let rows = ChangeRows { scene: Arc::clone(&self.scene), columns: chosen, properties };
        Ok(leaf(rows, schema, &self.scene.first))
    }
}

#[derive(Debug)]
struct ChangeRows {
    scene: Arc<Scene>,
    columns: Vec<usize>,
    properties: BTreeSet<String>,
}

/// One row.
struct Change {
    person: u32,
    text: Option<String>,
    number: Option<f64>,
    json: Option<String>,
    since: Millis,
    until: Option<Millis>,
}

impl ChangeRows {
    fn flush(
        &self,
        keys: &PersonTexts,
        name: &str,
        rows: &mut Vec<Change>,
        out: &Out,
    ) -> Result<(), QueryError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.scene.context.cancel.check()?;
        let texts = |of: &dyn Fn(&Change) -> Option<String>| -> ArrayRef {
            Arc::new(rows.iter().map(of).collect::<StringArray>())
        };
        let instants = |of: &dyn Fn(&Change) -> Option<Millis>| -> ArrayRef {
            Arc::new(rows.iter().map(of).collect::<TimestampMillisecondArray>().with_timezone("UTC"))
        };
        let column = |i: &usize| match COLUMNS[*i] {
            "person" => texts(&|c| keys.get(c.person)),
            "property" => texts(&|_| Some(name.to_owned())),
            "value" => texts(&|c| c.text.clone()),
            "number" => Arc::new(rows.iter().map(|c| c.number).collect::<Float64Array>()),
            "json" => texts(&|c| c.json.clone()),
            "since" => instants(&|c| Some(c.since)),
            _ => instants(&|c| c.until),
        };
        out.send(self.columns.iter().map(column).collect(), rows.len())?;
        rows.clear();
        Ok(())
    }
}

impl Rows for ChangeRows {
    fn describe(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|i| COLUMNS[*i]).collect();
        let names: Vec<&str> = self.properties.iter().map(String::as_str).collect();
        format!("person_properties: columns=[{}], properties=[{}]", columns.join(", "), names.join(", "))
    }

    fn send(&self, out: &Out) -> Result<(), QueryError> {
        let Scene { snapshot, question, context, .. } = &*self.scene;
        let bound = snapshot.identity.bound();
        let _held = context.budget.reserve(u64::from(bound) * 24)?;
        let keys = PersonTexts::new(snapshot, bound);
        let mut rows: Vec<Change> = Vec::new();
        for name in &self.properties {
            context.cancel.check()?;
            let timeline = PropertyTimeline::load(snapshot, name, question.as_of, context)?;
            for person in 1..bound {
                let mut changes = timeline.changes(person).peekable();
                while let Some(((since, ..), value)) = changes.next() {
                    rows.push(Change {
                        person,
                        text: value.with_text(str::to_owned),
                        number: value.number(),
                        json: Some(value.to_json()).filter(|v| !v.is_null()).map(|v| v.to_string()),
                        since,
                        until: changes.peek().map(|((at, ..), _)| *at),
                    });
                }
                if rows.len() >= BATCH_ROWS {
                    self.flush(&keys, name, &mut rows, out)?;
                }
            }
            self.flush(&keys, name, &mut rows, out)?;
        }
        Ok(())
    }

    fn explain(&self) -> Result<Value, QueryError> {
        let columns: Vec<&str> = self.columns.iter().map(|i| COLUMNS[*i]).collect();
        Ok(json!({"table": "person_properties", "columns": columns, "properties": self.properties}))
    }
}
