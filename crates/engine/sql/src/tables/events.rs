//! `events`: every event of the range, one row each.
//!
//! Guarantees: the rows are those of the scan that all analyses use; only the columns asked for are read, and of
//! files and row groups only those that conditions on name and time leave.

use super::{Scene, leaf, projected};
use crate::cells::{Filler, PersonTexts};
use crate::error::unclear;
use crate::pushdown::{self, Wanted};
use crate::source::{BATCH_ROWS, Out, Rows};
use crate::virtuals::{Filled, Virtual, What, filled, instant_type};
use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tallymark_predicate::PropertyRef;
use tallymark_query::{Actor, Names, QueryError, RowText, SELECTORS_MAX, Scan, Selector};

/// Columns that every event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fixed {
    Event,
    Time,
    LocalTime,
    ReceivedAt,
    Seq,
    Position,
    Person,
    Properties,
    Groups,
    Annotations,
}

/// What fills a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    Fixed(Fixed),
    Text(RowText),
    /// The nth value that the scan reads.
    Value(usize, Filled),
    /// Whether the row matches this selector of the scan.
    Selected(usize),
}

/// What a column is before a scan is made for it.
#[derive(Debug, Clone)]
enum Meant {
    Fixed(Fixed),
    Text(RowText),
    Property(PropertyRef, Filled),
    IsEvent(String),
}

/// The table.
#[derive(Debug)]
pub(crate) struct Events {
    scene: Arc<Scene>,
    schema: SchemaRef,
    columns: Vec<Meant>,
}

fn fixed(zone: &str) -> Vec<(&'static str, DataType, Meant)> {
    use Fixed::*;
    let time = || instant_type("UTC");
    vec![
        ("event", DataType::Utf8, Meant::Fixed(Event)),
        ("time", time(), Meant::Fixed(Time)),
        ("local_time", instant_type(zone), Meant::Fixed(LocalTime)),
        ("received_at", time(), Meant::Fixed(ReceivedAt)),
        ("seq", DataType::Utf8, Meant::Fixed(Seq)),
        ("position", DataType::UInt64, Meant::Fixed(Position)),
        ("person", DataType::Utf8, Meant::Fixed(Person)),
        ("user_id", DataType::Utf8, Meant::Text(RowText::UserId)),
        ("device_id", DataType::Utf8, Meant::Text(RowText::DeviceId)),
        ("session_id", DataType::Utf8, Meant::Text(RowText::SessionId)),
        ("insert_id", DataType::Utf8, Meant::Text(RowText::InsertId)),
        ("properties", DataType::Utf8, Meant::Fixed(Properties)),
        ("groups", DataType::Utf8, Meant::Fixed(Groups)),
        ("annotations", DataType::Utf8, Meant::Fixed(Annotations)),
    ]
}

impl Events {
    /// With the columns that a statement makes up.
    pub fn new(scene: Arc<Scene>, virtuals: &BTreeSet<Virtual>) -> Result<Events, QueryError> {
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (name, data_type, meant) in fixed(&scene.snapshot.project.timezone) {
            fields.push(Field::new(
                name,
                data_type,
                !matches!(name, "event" | "time" | "local_time" | "received_at"),
            ));
            columns.push(meant);
        }
        let mut selectors = 0;
        for made_up in virtuals {
            let (data_type, meant) = match &made_up.what {
                What::Property(property, form) => {
                    let filled = filled(property, *form, &scene.question.stats);
                    (filled.data_type(), Meant::Property(property.clone(), filled))
                }
                What::Group(kind) => (DataType::Utf8, Meant::Text(RowText::Group(kind.as_str().into()))),
                What::IsEvent(name) => {
                    selectors += 1;
                    (DataType::Boolean, Meant::IsEvent(name.clone()))
                }
            };
            fields.push(Field::new(&made_up.name, data_type, true));
            columns.push(meant);
        }
        if selectors >= SELECTORS_MAX {
            return Err(unclear(format!("sql: at most {} different is_event(…)", SELECTORS_MAX - 1)));
        }
        Ok(Events { scene, schema: Arc::new(Schema::new(fields)), columns })
    }

    /// Which selector a name means.
    fn selector(&self, name: &str) -> Selector {
        let project = &self.scene.snapshot.project;
        let (names, filter) = match name {
            "$active" => (Names::Except(project.sent_inactive()), None),
            "*" => (Names::Any, None),
            name => project.vocabulary.meant(&BTreeSet::from([name.to_owned()])),
        };
        Selector { names, filter, nth: None }
    }

    /// The events that conditions leave.
    fn base(&self, wanted: &Wanted) -> Selector {
        let vocabulary = &self.scene.snapshot.project.vocabulary;
        let names = match &wanted.names {
            None => Names::Any,
            // Virtual events are no names of rows.
            Some(names) => Names::Of(vocabulary.sent_names(names)),
        };
        let plain = Selector { names, filter: None, nth: None };
        match (&wanted.names, wanted.selected.as_deref()) {
            (None, Some(name)) => self.selector(name),
            _ => plain,
        }
    }

    fn rows(&self, chosen: &[usize], wanted: &Wanted) -> EventRows {
        let question = &self.scene.question;
        let mut scan = Scan {
            selectors: vec![self.base(wanted)],
            filter: question.segment.clone(),
            from: question.from.max(wanted.from),
            to: question.to.min(wanted.to),
            actor: Actor::Person,
            as_of: question.as_of,
            ..Scan::default()
        };
        let mut outputs = Vec::new();
        for column in chosen.iter().map(|i| &self.columns[*i]) {
            outputs.push(match column {
                Meant::Fixed(fixed) => {
                    scan.named |= *fixed == Fixed::Event;
                    scan.order |= matches!(fixed, Fixed::ReceivedAt | Fixed::Seq | Fixed::Position);
                    scan.located |= matches!(fixed, Fixed::Properties | Fixed::Groups | Fixed::Annotations);
                    Output::Fixed(*fixed)
                }
                Meant::Text(text) => {
                    scan.located = true;
                    Output::Text(text.clone())
                }
                Meant::Property(property, filled) => {
                    let known = scan.columns.iter().position(|p| p == property);
                    let nth = known.unwrap_or(scan.columns.len());
                    if known.is_none() {
                        scan.columns.push(property.clone());
                    }
                    Output::Value(nth, *filled)
                }
                Meant::IsEvent(name) => {
                    scan.selectors.push(self.selector(name));
                    Output::Selected(scan.selectors.len() - 1)
                }
            });
        }
        let names = chosen.iter().map(|i| self.schema.field(*i).name().clone()).collect();
        EventRows { scene: Arc::clone(&self.scene), scan, outputs, names }
    }
}

#[async_trait]
impl TableProvider for Events {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn table_type(&self) -> TableType {
        TableType::Base
    }
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // The plan tests every row again: what is read is never fewer rows than needed.
        Ok(filters
            .iter()
            .map(|f| match Wanted::of(f) {
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
        let rows = self.rows(&chosen, &pushdown::all(filters));
        Ok(leaf(rows, schema, &self.scene.first))
    }
}

/// Rows of one scan.
#[derive(Debug)]
struct EventRows {
    scene: Arc<Scene>,
    scan: Scan,
    outputs: Vec<Output>,
    names: Vec<String>,
}

impl Rows for EventRows {
    fn describe(&self) -> String {
        let names = match &self.scan.selectors[0].names {
            Names::Any | Names::Rows => "*".to_owned(),
            Names::Except(_) => "$active".to_owned(),
            Names::Of(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
        };
        let (from, to) = (iso(self.scan.from), iso(self.scan.to));
        format!("events: columns=[{}], events=[{names}], time=[{from}, {to})", self.names.join(", "))
    }

    fn send(&self, out: &Out) -> Result<(), QueryError> {
        let Scene { snapshot, question, context, .. } = &*self.scene;
        let prepared = self.scan.prepare(snapshot, context)?;
        let of_persons = self.outputs.contains(&Output::Fixed(Fixed::Person));
        let persons = if of_persons { snapshot.identity.bound() } else { 0 };
        let _held = context.budget.reserve(u64::from(persons) * 24)?;
        let keys = PersonTexts::new(snapshot, persons);
        let zone = snapshot.project.timezone.as_str();
        let texts = self.outputs.iter().filter_map(|o| match o {
            Output::Text(text) => Some(text.clone()),
            _ => None,
        });
        let texts: BTreeSet<RowText> = texts.collect();
        prepared.run(question.threads, Vec::new, |names: &mut Vec<String>, batch| {
            if batch.names.iter().any(|code| *code as usize >= names.len()) {
                *names = prepared.event_names();
            }
            let read = |text: &RowText| match &batch.located {
                Some(located) => Ok((text.clone(), located.texts(text)?)),
                None => Err(QueryError::damaged("a table", "does not know its rows")),
            };
            let texts = texts.iter().map(read).collect::<Result<Vec<_>, QueryError>>()?;
            let filler = Filler { batch: &batch, names, persons: &keys, texts, zone };
            let mut start = 0;
            while start < batch.len() {
                context.cancel.check()?;
                let end = batch.len().min(start + BATCH_ROWS);
                let rows: Vec<usize> = (start..end).filter(|r| batch.masks[*r] & 1 != 0).collect();
                if !rows.is_empty() {
                    let columns = self.outputs.iter().map(|o| filler.column(o, &rows, start..end));
                    out.send(columns.collect::<Result<_, _>>()?, rows.len())?;
                }
                start = end;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn explain(&self) -> Result<Value, QueryError> {
        let plan = self.scan.plan(&self.scene.snapshot, &self.scene.context)?;
        Ok(json!({
            "table": "events",
            "columns": self.names,
            "events": match &self.scan.selectors[0].names {
                Names::Of(names) => json!(names),
                Names::Except(_) => json!("$active"),
                Names::Any | Names::Rows => json!("*"),
            },
            "from": iso(self.scan.from),
            "to": iso(self.scan.to),
            "scan": plan,
        }))
    }
}

/// An instant as ISO-8601 with milliseconds, UTC.
pub(crate) fn iso(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(t) => format!("{t:.3}"),
        Err(_) => ms.to_string(),
    }
}
