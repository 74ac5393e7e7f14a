//! What keepers of cohorts ask: is a definition sound, who is in it, what are members called, who is behind a
//! number.

use super::dynamic;
use super::expand::Directory;
use super::stored::{decode, encode};
use super::tree::{Instants, Tree};
use crate::analyses::{Crowd, name_of};
use crate::plan::Bound;
use crate::query::{Common, Definition, Reader, always};
use crate::services::key_of;
use crate::{Engine, Error, QueryContext};
use serde_json::{Value, json};
use tallymark_model::ProjectId;
use tallymark_query::QueryError;

/// Most persons that a static cohort is made of.
pub const STATIC_MAX: usize = 100_000;

/// Who was in a cohort at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMembers {
    /// The commit.
    pub seq: u64,
    /// How many.
    pub size: usize,
    /// Who, for [`Engine::members`].
    pub bytes: Vec<u8>,
}

impl Engine {
    /// Fails if a definition is wrong, names a cohort that there is not, or contains itself; `own` is the id that
    /// it will be kept under, if it has one already.
    pub fn check_cohort(
        &self,
        project: ProjectId,
        own: Option<&str>,
        definition: &Value,
    ) -> Result<(), Error> {
        let snapshot = self.pin(project, None)?;
        let parsed = Definition::parse(definition, "definition")?;
        self.directory().expand_as(&snapshot, own, &parsed).map(drop)
    }

    /// Who is in a cohort now.
    pub fn compute_cohort(
        &self,
        project: ProjectId,
        definition: &Value,
        context: &QueryContext,
    ) -> Result<StoredMembers, Error> {
        let snapshot = self.pin(project, None)?;
        let query = json!({});
        let common = Common::read_or(&Reader::new(&query, "")?, always())?;
        let bound = Bound::new(&snapshot, &common, context, self.threads())?;
        let parsed = Definition::parse(definition, "definition")?;
        let tree = Tree::new(&parsed, &bound, &self.directory(), Instants::AsOf)?;
        let members = tree.members(bound.as_of(), self.threads())?;
        let bytes = encode(&snapshot, &members)?;
        Ok(StoredMembers { seq: snapshot.seq.0, size: members.len(), bytes })
    }

    /// A page of stored members by name, as they are called now: `{size, members:[{person, name}], next}`.
    pub fn members(
        &self,
        project: ProjectId,
        bytes: &[u8],
        after: Option<&str>,
        limit: usize,
        context: &QueryContext,
    ) -> Result<Value, Error> {
        let snapshot = self.pin(project, None)?;
        let Directory { source, people, .. } = self.directory();
        let persons = decode(&*source, &people, &snapshot, bytes)?;
        let _held = context.budget.reserve(persons.len() as u64 * 96)?;
        // Names may be shared by a user and a device, so a page ends with the person too.
        let key = |person: u32| key_of(&snapshot, person).map(|k| k.to_string()).unwrap_or_default();
        let mut all: Vec<(String, u32)> = persons.iter().map(|p| (name_of(&snapshot, *p), *p)).collect();
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(&key(b.1))));
        let place = |(name, person): &(String, u32)| format!("{name}\u{0}{}", key(*person));
        let from = after.map_or(0, |after| all.partition_point(|member| place(member).as_str() <= after));
        let to = all.len().min(from + limit);
        let member = |(name, person): &(String, u32)| json!({"person": key(*person), "name": name});
        Ok(json!({
            "size": all.len(),
            "next": (to < all.len()).then(|| place(&all[to - 1])),
            "members": all[from..to].iter().map(member).collect::<Vec<_>>(),
        }))
    }

    /// A definition that means the actors behind a number, where there is one: of a cohort query, and of the
    /// uniques of a series over its whole range.
    pub fn as_definition(&self, query: &Value) -> Result<Value, Error> {
        dynamic::definition(query)
    }

    /// The person ids of everyone behind a number: `query` has a `microscope`.
    pub fn behind(
        &self,
        project: ProjectId,
        query: &Value,
        context: &QueryContext,
    ) -> Result<Vec<String>, Error> {
        let snapshot = self.pin(project, None)?;
        let Crowd::Persons(persons) = self.crowd_of(&snapshot, query, context)? else {
            let hint = "count persons, or use the number's query as it is";
            return Err(Error::malformed("count_by", "cohorts are made of persons", hint));
        };
        if persons.len() > STATIC_MAX {
            let text =
                format!("{} persons are more than {STATIC_MAX}; keep a definition instead", persons.len());
            return Err(Error::Query(QueryError::Invalid(text)));
        }
        let mut keys: Vec<String> =
            persons.iter().filter_map(|p| key_of(&snapshot, *p)).map(|key| key.to_string()).collect();
        keys.sort_unstable();
        Ok(keys)
    }
}
