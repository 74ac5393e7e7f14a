//! Stored cohorts become their definitions, ids become persons.

use crate::Error;
use crate::query::Definition;
use crate::services::People;
use serde_json::Value;
use std::sync::Arc;
use tallymark_query::{QueryError, Snapshot, Source, Sql};

/// Most clauses of a definition, with those of the cohorts it names.
pub(crate) const CLAUSES_MAX: usize = 500;

/// Where stored definitions and persons' ids are looked up, and who answers SQL.
#[derive(Clone)]
pub(crate) struct Directory {
    pub source: Arc<dyn Source>,
    pub people: Arc<People>,
    pub sql: Option<Arc<dyn Sql>>,
}

impl Directory {
    /// The definition with every stored cohort in its place. A cohort that contains itself is refused.
    pub fn expand(&self, snapshot: &Snapshot, definition: &Definition) -> Result<Definition, Error> {
        self.expand_as(snapshot, None, definition)
    }

    /// The same of a definition that is or will be kept under this id.
    pub fn expand_as(
        &self,
        snapshot: &Snapshot,
        own: Option<&str>,
        definition: &Definition,
    ) -> Result<Definition, Error> {
        let mut left = CLAUSES_MAX;
        let mut path: Vec<String> = own.map(str::to_owned).into_iter().collect();
        self.inside(snapshot, definition, &mut path, &mut left)
    }

    fn inside(
        &self,
        snapshot: &Snapshot,
        definition: &Definition,
        path: &mut Vec<String>,
        left: &mut usize,
    ) -> Result<Definition, Error> {
        let too_many = || QueryError::Invalid(format!("a cohort has more than {CLAUSES_MAX} clauses"));
        *left = left.checked_sub(1).ok_or_else(too_many)?;
        let mut each = |list: &[Definition]| -> Result<Vec<Definition>, Error> {
            list.iter().map(|d| self.inside(snapshot, d, path, left)).collect()
        };
        Ok(match definition {
            Definition::All(list) => Definition::All(each(list)?),
            Definition::Any(list) => Definition::Any(each(list)?),
            Definition::Not(inner) => Definition::Not(Box::new(self.inside(snapshot, inner, path, left)?)),
            Definition::Stored(id) => {
                if path.contains(id) {
                    let circle = format!("{} → {id}", path.join(" → "));
                    return Err(invalid(format!("a cohort contains itself: {circle}")));
                }
                let stored = self.stored(snapshot, id)?;
                path.push(id.clone());
                let parsed = Definition::parse(&stored, &format!("cohort {id}"))?;
                let found = self.inside(snapshot, &parsed, path, left)?;
                path.pop();
                found
            }
            other => other.clone(),
        })
    }

    fn stored(&self, snapshot: &Snapshot, id: &str) -> Result<Value, Error> {
        let stored = self.source.cohort(snapshot.project.id, id)?;
        stored.ok_or_else(|| invalid(format!("there is no cohort {id:?} in this project")))
    }

    /// Persons of these ids, ascending; ids of nobody are left out.
    pub fn persons(&self, snapshot: &Snapshot, ids: &[String]) -> Result<Vec<u32>, Error> {
        let mut persons = Vec::with_capacity(ids.len());
        for id in ids {
            match self.people.find(&*self.source, snapshot, id) {
                Ok(person) => persons.push(person),
                Err(Error::NoPerson(_)) => {}
                Err(error) => return Err(error),
            }
        }
        persons.sort_unstable();
        persons.dedup();
        Ok(persons)
    }
}

fn invalid(text: String) -> Error {
    Error::Query(QueryError::Invalid(text))
}
