//! The tables of one project as of one snapshot.
//!
//! Guarantees: a table's columns are the fixed ones and those that the statement makes up; there is no other table
//! and no way to make one.

pub(crate) mod changes;
pub(crate) mod events;
pub(crate) mod persons;

use crate::error::FirstError;
use crate::source::{Rows, SourceExec};
use crate::virtuals::{Virtual, What, check};
use async_trait::async_trait;
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::Result;
use datafusion::physical_plan::ExecutionPlan;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use tallymark_query::{Context, QueryError, Snapshot, SqlQuestion};

/// What all tables of a statement share.
#[derive(Clone)]
pub(crate) struct Scene {
    pub snapshot: Snapshot,
    pub question: SqlQuestion,
    pub context: Context,
    pub first: FirstError,
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scene").field("project", &self.snapshot.project.id).finish_non_exhaustive()
    }
}

/// The schema that holds the tables.
#[derive(Debug)]
pub(crate) struct Tables {
    events: Arc<events::Events>,
    persons: Arc<persons::Persons>,
    changes: Arc<changes::Changes>,
}

impl Tables {
    /// With the columns that a statement makes up. Fails for properties that nobody sent.
    pub fn new(scene: Scene, virtuals: &BTreeSet<Virtual>) -> Result<Tables, QueryError> {
        let scene = Arc::new(scene);
        for made_up in virtuals {
            if let What::Property(property, _) = &made_up.what {
                let (stats, vocabulary) = (&scene.question.stats, &scene.snapshot.project.vocabulary);
                let of_persons = persons::as_of_persons(property);
                // The same words mean a person's property in `persons`: it is enough that one of them was sent.
                let known = check(property, stats, vocabulary);
                match of_persons {
                    Some(other) if known.is_err() && check(&other, stats, vocabulary).is_ok() => {}
                    _ => known?,
                }
            }
        }
        Ok(Tables {
            events: Arc::new(events::Events::new(Arc::clone(&scene), virtuals)?),
            persons: Arc::new(persons::Persons::new(Arc::clone(&scene), virtuals)),
            changes: Arc::new(changes::Changes::new(scene)),
        })
    }
}

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        crate::rewrite::TABLES.map(str::to_owned).to_vec()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(match name {
            "events" => Some(Arc::clone(&self.events) as Arc<dyn TableProvider>),
            "persons" => Some(Arc::clone(&self.persons) as Arc<dyn TableProvider>),
            "person_properties" => Some(Arc::clone(&self.changes) as Arc<dyn TableProvider>),
            _ => None,
        })
    }

    fn table_exist(&self, name: &str) -> bool {
        crate::rewrite::TABLES.contains(&name)
    }
}

/// The columns of a schema that a plan asks for.
pub(crate) fn projected(schema: &SchemaRef, projection: Option<&Vec<usize>>) -> (SchemaRef, Vec<usize>) {
    let chosen: Vec<usize> = match projection {
        Some(chosen) => chosen.clone(),
        None => (0..schema.fields().len()).collect(),
    };
    let fields: Vec<_> = chosen.iter().map(|i| Arc::clone(&schema.fields()[*i])).collect();
    (Arc::new(Schema::new(fields)), chosen)
}

/// A leaf over these rows.
pub(crate) fn leaf(
    rows: impl Rows + 'static,
    schema: SchemaRef,
    first: &FirstError,
) -> Arc<dyn ExecutionPlan> {
    Arc::new(SourceExec::new(Arc::new(rows), schema, first.clone()))
}

/// Sends all rows of these columns in pieces.
pub(crate) fn send_in_pieces(
    out: &crate::source::Out,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<(), QueryError> {
    let mut start = 0;
    while start < rows {
        let length = crate::source::BATCH_ROWS.min(rows - start);
        out.send(columns.iter().map(|c| c.slice(start, length)).collect(), length)?;
        start += length;
    }
    Ok(())
}
