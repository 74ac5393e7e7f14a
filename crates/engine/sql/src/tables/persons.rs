//! `persons`: everybody the project knows, one row each, with properties as of the query.
//!
//! Guarantees: persons by the snapshot's identity; who was erased and sent nothing since is not there; first and
//! last seen are those of the events that count, and only read if asked for.

use super::{Scene, leaf, projected, send_in_pieces};
use crate::cells::{PersonTexts, values};
use crate::source::{Out, Rows};
use crate::virtuals::{Filled, Virtual, What, filled, instant_type};
use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, Int64Array, ListArray, ListBuilder, StringArray, StringBuilder, TimestampMillisecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tallymark_model::{Millis, SubjectKind};
use tallymark_predicate::{PropertyRef, Scope};
use tallymark_query::{
    Names, PersonProperty, QueryError, Scan, Selector, Snapshot, UNSEEN, properties_of_many,
};

#[derive(Debug, Clone, PartialEq)]
enum Meant {
    Person,
    Users,
    Devices,
    First,
    Last,
    Count,
    All,
    Property(PropertyRef, Filled),
}

/// The table.
#[derive(Debug)]
pub(crate) struct Persons {
    scene: Arc<Scene>,
    schema: SchemaRef,
    columns: Vec<Meant>,
}

/// In this table `properties` are those of the person.
pub(crate) fn as_of_persons(property: &PropertyRef) -> Option<PropertyRef> {
    match property.scope {
        Scope::Event | Scope::User | Scope::Person => {
            Some(PropertyRef { scope: Scope::Person, path: property.path.clone() })
        }
        _ => None,
    }
}

impl Persons {
    /// With the columns that a statement makes up.
    pub fn new(scene: Arc<Scene>, virtuals: &BTreeSet<Virtual>) -> Persons {
        let list = || Filled::Texts.data_type();
        let mut columns: Vec<(String, DataType, Meant)> = vec![
            ("person".to_owned(), DataType::Utf8, Meant::Person),
            ("user_ids".to_owned(), list(), Meant::Users),
            ("device_ids".to_owned(), list(), Meant::Devices),
            ("first_seen".to_owned(), instant_type("UTC"), Meant::First),
            ("last_seen".to_owned(), instant_type("UTC"), Meant::Last),
            ("events".to_owned(), DataType::Int64, Meant::Count),
            ("properties".to_owned(), DataType::Utf8, Meant::All),
        ];
        for made_up in virtuals {
            let own = match &made_up.what {
                What::Property(property, form) => as_of_persons(property).map(|p| (p, *form)),
                _ => None,
            };
            if let Some((property, form)) = own {
                let filled = filled(&property, form, &scene.question.stats);
                columns.push((made_up.name.clone(), filled.data_type(), Meant::Property(property, filled)));
            }
        }
        let fields: Vec<Field> = columns.iter().map(|(n, t, _)| Field::new(n, t.clone(), true)).collect();
        let columns = columns.into_iter().map(|(_, _, meant)| meant).collect();
        Persons { scene, schema: Arc::new(Schema::new(fields)), columns }
    }
}

#[async_trait]
impl TableProvider for Persons {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn table_type(&self) -> TableType {
        TableType::Base
    }
    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (schema, chosen) = projected(&self.schema, projection);
        let columns = chosen.iter().map(|i| self.columns[*i].clone()).collect();
        let names = schema.fields().iter().map(|f| f.name().clone()).collect();
        Ok(leaf(PersonRows { scene: Arc::clone(&self.scene), columns, names }, schema, &self.scene.first))
    }
}

#[derive(Debug)]
struct PersonRows {
    scene: Arc<Scene>,
    columns: Vec<Meant>,
    names: Vec<String>,
}

/// Events of a person: how many, first, last.
type Seen = (i64, Millis, Millis);

impl PersonRows {
    /// Per person what its events say.
    fn seen(&self) -> Result<Vec<Seen>, QueryError> {
        let Scene { snapshot, question, context, .. } = &*self.scene;
        let bound = snapshot.identity.bound() as usize;
        let _held = context.budget.reserve(bound as u64 * 24 * (question.threads as u64 + 1))?;
        let scan = self.scan();
        let none: Seen = (0, Millis::MAX, Millis::MIN);
        let prepared = scan.prepare(snapshot, context)?;
        let parts = prepared.run(
            question.threads,
            || vec![none; bound],
            |seen: &mut Vec<Seen>, batch| {
                for (row, actor) in batch.actors.iter().enumerate() {
                    if let Some(of) = seen.get_mut(*actor as usize) {
                        let time = batch.times[row];
                        *of = (of.0 + 1, of.1.min(time), of.2.max(time));
                    }
                }
                Ok(())
            },
        )?;
        let mut all = vec![none; bound];
        for part in parts {
            for (of, more) in all.iter_mut().zip(part) {
                *of = (of.0 + more.0, of.1.min(more.1), of.2.max(more.2));
            }
        }
        Ok(all)
    }

    fn scan(&self) -> Scan {
        let question = &self.scene.question;
        Scan {
            selectors: vec![Selector { names: Names::Any, filter: None, nth: None }],
            from: Millis::MIN,
            to: question.as_of.saturating_add(1),
            as_of: question.as_of,
            ..Scan::default()
        }
    }

    fn needs_events(&self) -> bool {
        let erased = !self.scene.snapshot.hidden.erased_subjects().is_empty();
        erased || self.columns.iter().any(|c| matches!(c, Meant::First | Meant::Last | Meant::Count))
    }

    /// Everybody who is to be shown.
    fn persons(&self, seen: Option<&Vec<Seen>>) -> Vec<u32> {
        let snapshot = &self.scene.snapshot;
        let known = |p: &u32| snapshot.identity.members(*p).iter().any(|s| !is_erased(snapshot, s.0));
        let has_events = |p: &u32| seen.is_some_and(|seen| seen[*p as usize].0 > 0);
        (1..snapshot.identity.bound()).filter(|p| known(p) || has_events(p)).collect()
    }

    fn column(
        &self,
        meant: &Meant,
        persons: &[u32],
        seen: Option<&Vec<Seen>>,
    ) -> Result<ArrayRef, QueryError> {
        let Scene { snapshot, question, context, .. } = &*self.scene;
        let of = |p: &u32| seen.map(|seen| seen[*p as usize]).filter(|s| s.0 > 0);
        // A person without events was seen when the log first named it.
        let named =
            |p: &u32| Some(snapshot.identity.first_seq(*p)).filter(|s| *s != UNSEEN).map(|s| s.received_at);
        Ok(match meant {
            Meant::Person => {
                let keys = PersonTexts::new(snapshot, snapshot.identity.bound());
                Arc::new(persons.iter().map(|p| keys.get(*p)).collect::<StringArray>())
            }
            Meant::Users => Arc::new(ids(snapshot, persons, SubjectKind::User)),
            Meant::Devices => Arc::new(ids(snapshot, persons, SubjectKind::Device)),
            Meant::First => instants(persons.iter().map(|p| of(p).map(|s| s.1).or_else(|| named(p)))),
            Meant::Last => instants(persons.iter().map(|p| of(p).map(|s| s.2).or_else(|| named(p)))),
            Meant::Count => {
                Arc::new(Int64Array::from_iter_values(persons.iter().map(|p| of(p).map_or(0, |s| s.0))))
            }
            Meant::All => {
                let all = properties_of_many(snapshot, persons, question.as_of, context)?;
                Arc::new(StringArray::from_iter_values(all.into_iter().map(|p| Value::Object(p).to_string())))
            }
            Meant::Property(property, filled) => {
                let timeline = PersonProperty::load(snapshot, &property.path, question.as_of, context)?;
                let column = timeline.at(persons, &|_| question.as_of);
                values(&column, &(0..persons.len()).collect::<Vec<_>>(), *filled)
            }
        })
    }
}

impl Rows for PersonRows {
    fn describe(&self) -> String {
        format!("persons: columns=[{}]", self.names.join(", "))
    }

    fn send(&self, out: &Out) -> Result<(), QueryError> {
        let context = &self.scene.context;
        let seen = if self.needs_events() { Some(self.seen()?) } else { None };
        let persons = self.persons(seen.as_ref());
        let _held = context.budget.reserve(persons.len() as u64 * 64 * (1 + self.columns.len() as u64))?;
        let mut columns = Vec::new();
        for meant in &self.columns {
            context.cancel.check()?;
            columns.push(self.column(meant, &persons, seen.as_ref())?);
        }
        send_in_pieces(out, &columns, persons.len())
    }

    fn explain(&self) -> Result<Value, QueryError> {
        let scan = match self.needs_events() {
            true => Some(self.scan().plan(&self.scene.snapshot, &self.scene.context)?),
            false => None,
        };
        Ok(json!({"table": "persons", "columns": self.names, "scan": scan}))
    }
}

fn instants(all: impl Iterator<Item = Option<Millis>>) -> ArrayRef {
    Arc::new(all.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

fn ids(snapshot: &Snapshot, persons: &[u32], kind: SubjectKind) -> ListArray {
    let mut out = ListBuilder::new(StringBuilder::new());
    for person in persons {
        let members = snapshot.identity.members(*person);
        // Whoever comes back after everything was erased is known by the old ids again.
        let back = members.iter().all(|s| is_erased(snapshot, s.0));
        let shown = members.into_iter().filter(|s| back || !is_erased(snapshot, s.0));
        let mut raw: Vec<&str> = shown
            .filter_map(|s| snapshot.names.get(s))
            .filter(|(of, _)| *of == kind)
            .map(|(_, raw)| raw)
            .collect();
        raw.sort_unstable();
        raw.iter().for_each(|raw| out.values().append_value(raw));
        out.append(true);
    }
    out.finish()
}

fn is_erased(snapshot: &Snapshot, subject: u32) -> bool {
    snapshot.hidden.erased_subjects().binary_search(&subject).is_ok()
}
