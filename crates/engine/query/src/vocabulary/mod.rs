//! What a project calls things (chapter 11): virtual events, custom properties, lookup tables, renames.
//!
//! Guarantees: read at query time, so every definition holds for all history; a definition that does not parse is
//! named, and costs nothing but itself. Deliberately not here: where definitions are kept (`catalog`).

mod custom;
mod lookup;
mod virtual_event;

pub(crate) use custom::CustomProperty;
pub(crate) use lookup::Lookup;
pub use virtual_event::Alternative;

use crate::Names;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use tallymark_catalog::{Definition, DefinitionKind};
use tallymark_model::Value;
use tallymark_predicate::{Expr, Leaf, PropertyRef, Scope};
use virtual_event::VirtualEvent;

/// Most virtual events, custom properties, lookup tables or renames of a project.
const DEFINITIONS_MAX: usize = 1000;

/// The definitions of a project, ready to use.
#[derive(Debug, Default)]
pub struct Vocabulary {
    virtual_events: BTreeMap<String, (u32, VirtualEvent)>,
    custom: BTreeMap<String, (u32, CustomProperty)>,
    lookups: BTreeMap<String, (u32, Lookup)>,
    /// New name to the names it stands for.
    renames: BTreeMap<String, (u32, BTreeSet<String>)>,
    /// Old name to new.
    renamed: BTreeMap<String, String>,
}

impl Vocabulary {
    /// From the catalog's newest definitions. Those that do not parse are left out: they were checked when they
    /// were made, so they are of another version of the program.
    pub fn of(definitions: &[Definition]) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        for d in definitions {
            if let Some(body) = &d.body
                && let Err(problem) = vocabulary.add(d.kind, &d.name, d.version, body)
            {
                tracing::warn!(project = %d.project, kind = d.kind.name(), name = %d.name, %problem, "a definition is left out");
            }
        }
        vocabulary
    }

    /// Whether a definition may be made beside the others; the error says what is wrong and where.
    pub fn check(&self, kind: DefinitionKind, name: &str, body: &Value) -> Result<(), String> {
        if name.is_empty() || name.len() > 200 || name.starts_with('$') || name == "*" {
            return Err("a name has 1 to 200 bytes, is not `*` and does not begin with `$`".to_owned());
        }
        let count = match kind {
            DefinitionKind::VirtualEvent => self.virtual_events.len(),
            DefinitionKind::CustomProperty => self.custom.len(),
            DefinitionKind::Lookup => self.lookups.len(),
            DefinitionKind::Rename => self.renames.len(),
        };
        if count >= DEFINITIONS_MAX {
            return Err(format!("a project has at most {DEFINITIONS_MAX} of each kind; delete one first"));
        }
        let mut others = self.without(kind, name);
        others.add(kind, name, 0, body)
    }

    fn without(&self, kind: DefinitionKind, name: &str) -> Vocabulary {
        let keys = |left: bool| if left { Some(name) } else { None };
        let events =
            self.virtual_events.keys().filter(|k| keys(kind == DefinitionKind::VirtualEvent) != Some(k));
        let renames = self.renames.iter().filter(|(k, _)| keys(kind == DefinitionKind::Rename) != Some(k));
        let renames: BTreeMap<_, _> = renames.map(|(k, v)| (k.clone(), v.clone())).collect();
        let old = |(new, (_, names)): (&String, &(u32, BTreeSet<String>))| {
            names.iter().map(|n| (n.clone(), new.clone())).collect::<Vec<_>>()
        };
        Vocabulary {
            virtual_events: events.map(|k| (k.clone(), (0, VirtualEvent::default()))).collect(),
            renamed: renames.iter().flat_map(old).collect(),
            renames,
            ..Vocabulary::default()
        }
    }

    fn add(&mut self, kind: DefinitionKind, name: &str, version: u32, body: &Value) -> Result<(), String> {
        match kind {
            DefinitionKind::VirtualEvent => {
                let event = VirtualEvent::parse(body)?;
                if let Some(inner) =
                    event.names().find(|n| *n == name || self.virtual_events.contains_key(*n))
                {
                    return Err(format!("{inner:?} is a virtual event; one may not contain another"));
                }
                self.virtual_events.insert(name.to_owned(), (version, event));
            }
            DefinitionKind::CustomProperty => {
                self.custom.insert(name.to_owned(), (version, CustomProperty::parse(body)?));
            }
            DefinitionKind::Lookup => {
                self.lookups.insert(name.to_owned(), (version, Lookup::parse(body)?));
            }
            DefinitionKind::Rename => {
                let names = names_of(&body["events"])?;
                if let Some(twice) = names.iter().find(|n| self.renamed.contains_key(*n)) {
                    return Err(format!("{twice:?} has another new name already"));
                }
                if names.contains(name) || self.renamed.contains_key(name) {
                    return Err("a new name cannot be renamed itself".to_owned());
                }
                self.renamed.extend(names.iter().map(|n| (n.clone(), name.to_owned())));
                self.renames.insert(name.to_owned(), (version, names));
            }
        }
        Ok(())
    }

    /// Names as they were sent that these names mean; virtual events are left out.
    pub fn sent_names<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> BTreeSet<String> {
        let mut sent = BTreeSet::new();
        for name in names.into_iter().filter(|n| !self.virtual_events.contains_key(*n)) {
            if let Some((_, old)) = self.renames.get(name) {
                sent.extend(old.iter().cloned());
            }
            if !self.renamed.contains_key(name) {
                sent.insert(name.clone());
            }
        }
        sent
    }

    /// Names as they were sent that are not active, given the project's list of inactive events.
    pub fn inactive(&self, inactive: &HashSet<String>) -> HashSet<String> {
        let mut sent: HashSet<String> =
            inactive.iter().filter(|n| !self.renamed.contains_key(*n)).cloned().collect();
        let renamed = self.renamed.iter().filter(|(_, new)| inactive.contains(*new));
        sent.extend(renamed.map(|(old, _)| old.clone()));
        sent
    }

    /// Names as they were sent that a list of names means, and the condition that virtual events among them add.
    /// One event may satisfy several virtual events.
    pub fn meant(&self, names: &BTreeSet<String>) -> (Names, Option<Expr>) {
        let plain: BTreeSet<String> =
            names.iter().filter(|n| self.virtual_event(n).is_none()).cloned().collect();
        if plain.len() == names.len() {
            return (Names::Of(self.sent_names(names)), None);
        }
        let called = |names: BTreeSet<String>| {
            let property = PropertyRef { scope: Scope::Name, path: String::new() };
            Expr::Leaf(Leaf::is_any(property, names))
        };
        let mut all = plain.clone();
        let mut any = vec![called(plain)];
        for alternative in names.iter().filter_map(|n| self.virtual_event(n)).flatten() {
            all.extend(alternative.names.iter().cloned());
            let parts = std::iter::once(called(alternative.names.clone())).chain(alternative.filter.clone());
            any.push(Expr::All(parts.collect()));
        }
        (Names::Of(self.sent_names(&all)), Some(Expr::Any(any)))
    }

    /// What a sent name is shown as.
    pub fn shown<'n>(&'n self, sent: &'n str) -> &'n str {
        self.renamed.get(sent).map_or(sent, String::as_str)
    }

    /// True if sent names are shown as they are.
    pub fn renames_nothing(&self) -> bool {
        self.renamed.is_empty()
    }

    /// The alternatives of a virtual event; none if the name is not one.
    pub fn virtual_event(&self, name: &str) -> Option<&[Alternative]> {
        self.virtual_events.get(name).map(|(_, event)| event.any.as_slice())
    }

    pub(crate) fn custom(&self, name: &str) -> Option<&CustomProperty> {
        self.custom.get(name).map(|(_, property)| property)
    }

    pub(crate) fn lookup(&self, table: &str) -> Option<&Lookup> {
        self.lookups.get(table).map(|(_, lookup)| lookup)
    }

    /// What must be read to compute a property; empty if it is read as it is.
    pub(crate) fn inputs(&self, property: &PropertyRef) -> Vec<PropertyRef> {
        match &property.scope {
            Scope::Custom => self.custom(&property.path).map(|c| c.inputs.clone()).unwrap_or_default(),
            Scope::Lookup(table) => self.lookup(table).map(|l| vec![l.on.clone()]).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// Why this property cannot be read, if it names a definition that there is not.
    pub fn missing(&self, property: &PropertyRef) -> Option<String> {
        match &property.scope {
            Scope::Custom if self.custom(&property.path).is_none() => {
                Some(format!("there is no custom property {:?}", property.path))
            }
            Scope::Lookup(table) => match self.lookup(table) {
                None => Some(format!("there is no lookup table {table:?}")),
                Some(lookup) if !lookup.has(&property.path) => {
                    Some(format!("lookup table {table:?} has no column {:?}", property.path))
                }
                Some(_) => None,
            },
            _ => None,
        }
    }

    /// The version of a definition, for answers that name what they used.
    pub fn version(&self, kind: DefinitionKind, name: &str) -> Option<u32> {
        match kind {
            DefinitionKind::VirtualEvent => self.virtual_events.get(name).map(|d| d.0),
            DefinitionKind::CustomProperty => self.custom.get(name).map(|d| d.0),
            DefinitionKind::Lookup => self.lookups.get(name).map(|d| d.0),
            DefinitionKind::Rename => self.renames.get(name).map(|d| d.0),
        }
    }
}

/// A name or a list of them.
fn names_of(value: &Value) -> Result<BTreeSet<String>, String> {
    const NAMES_MAX: usize = 1000;
    let list = match value {
        Value::Array(list) => list.as_slice(),
        single => std::slice::from_ref(single),
    };
    let names: Option<BTreeSet<String>> =
        list.iter().map(|v| v.as_str().filter(|s| !s.is_empty()).map(str::to_owned)).collect();
    match names {
        Some(names) if !names.is_empty() && names.len() <= NAMES_MAX => Ok(names),
        _ => Err(format!("event names: 1 to {NAMES_MAX} texts")),
    }
}

#[cfg(test)]
mod tests;
