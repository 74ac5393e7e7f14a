//! Values that no file holds: the name an event is shown by, custom properties, columns of lookup tables.
//!
//! Guarantees: computed once per combination of input values of a batch.

use super::Loaded;
use crate::scan::mistyped;
use crate::{QueryError, SharedValues, ValueColumn};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;
use rustc_hash::FxHashMap;
use tallymark_model::Value;
use tallymark_predicate::{PropertyRef, Scope};
use tallymark_store::Column;

impl Loaded<'_> {
    /// Names of the rows, after renames.
    pub(super) fn name_values(&self) -> Result<ValueColumn, QueryError> {
        let vocabulary = &self.prepared.snapshot.project.vocabulary;
        let text = |name: &str| Value::from(vocabulary.shown(name));
        let Some(array) = self.batch.column_by_name(&Column::Event.file_name()) else {
            let group = &self.task.reader.row_groups()[self.task.group];
            let Some([only]) = group.names.as_deref() else { return Err(mistyped()) };
            return Ok(ValueColumn::of_json(vec![1; self.rows.len()], &SharedValues::new(vec![text(only)])));
        };
        let array = array.as_dictionary_opt::<Int32Type>().ok_or_else(mistyped)?;
        let names = array.values().as_string_opt::<i32>().ok_or_else(mistyped)?;
        let values = (0..names.len()).map(|i| text(if names.is_valid(i) { names.value(i) } else { "" }));
        let mut codes = vec![0u32; self.rows.len()];
        self.rows.each(|i, row| codes[i] = array.keys().value(row) as u32 + 1);
        Ok(ValueColumn::of_json(codes, &SharedValues::new(values.collect())))
    }

    /// What the vocabulary computes from values that were read before.
    pub(super) fn derived_values(&self, property: &PropertyRef) -> Result<ValueColumn, QueryError> {
        let vocabulary = &self.prepared.snapshot.project.vocabulary;
        if let Some(problem) = vocabulary.missing(property) {
            return Err(QueryError::Invalid(problem));
        }
        let mut inputs = Vec::new();
        for input in vocabulary.inputs(property) {
            let known = self.values.iter().find(|(p, _)| *p == input).map(|(_, values)| values);
            inputs.push(known.ok_or_else(|| QueryError::damaged("a property", "its inputs were not read"))?);
        }
        let mut list: Vec<Value> = Vec::new();
        let mut known: FxHashMap<Vec<u32>, u32> = FxHashMap::default();
        let mut codes = Vec::with_capacity(self.rows.len());
        for row in 0..self.rows.len() {
            let key: Vec<u32> = inputs.iter().map(|column| column.code(row)).collect();
            let code = match known.get(&key) {
                Some(code) => *code,
                None => {
                    let code = match self.derive(property, &inputs, row) {
                        Some(value) => {
                            list.push(value);
                            list.len() as u32
                        }
                        None => 0,
                    };
                    known.insert(key, code);
                    code
                }
            };
            codes.push(code);
        }
        Ok(ValueColumn::of_json(codes, &SharedValues::new(list)))
    }

    fn derive(&self, property: &PropertyRef, inputs: &[&ValueColumn], row: usize) -> Option<Value> {
        let vocabulary = &self.prepared.snapshot.project.vocabulary;
        match &property.scope {
            Scope::Custom => {
                let values: Vec<Value> = inputs.iter().map(|column| column.value(row).to_json()).collect();
                vocabulary.custom(&property.path)?.value(&values)
            }
            Scope::Lookup(table) => {
                let lookup = vocabulary.lookup(table)?;
                let found = |key: &str| lookup.value(key, &property.path).cloned();
                inputs.first()?.value(row).with_text(found)?
            }
            _ => None,
        }
    }
}
