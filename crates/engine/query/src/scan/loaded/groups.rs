//! Groups of rows, and their properties.
//!
//! Guarantees: of several groups of one type, the first the event named counts.

use super::Loaded;
use crate::scan::column;
use crate::{QueryError, ValueColumn};
use arrow::array::RecordBatch;
use arrow::datatypes::Int64Type;
use std::sync::Arc;
use tallymark_predicate::{PropertyRef, Scope, path_columns};
use tallymark_store::Column;

impl Loaded<'_> {
    /// Numbers the group of this type of each row.
    pub(super) fn number_groups(
        &self,
        batch: &RecordBatch,
        kind: &Arc<str>,
        found: &mut [u32],
        number: &dyn Fn(&str) -> Result<u32, QueryError>,
    ) -> Result<(), QueryError> {
        let single = Column::Group(kind.clone());
        self.number_texts(batch, &single, found, &|text| Some(text.to_owned()), number)?;
        let first = |text: &str| serde_json::from_str::<Vec<String>>(text).ok()?.into_iter().next();
        self.number_texts(batch, &Column::GroupList(kind.clone()), found, &first, number)?;
        let of_kind = |text: &str| {
            let groups: Vec<(String, String)> = serde_json::from_str(text).ok()?;
            groups.into_iter().find(|(k, _)| **k == **kind).map(|(_, name)| name)
        };
        self.number_texts(batch, &Column::GroupOverflow, found, &of_kind, number)
    }

    /// A property of the rows' groups: as of the event, or the latest.
    pub(super) fn group_values(
        &mut self,
        property: &PropertyRef,
        batch: Option<&RecordBatch>,
    ) -> Result<ValueColumn, QueryError> {
        let (Scope::Group(kind) | Scope::GroupLatest(kind), Some(batch)) = (&property.scope, batch) else {
            return Ok(ValueColumn::none(self.rows.len()));
        };
        let of_type: Arc<str> = kind.as_str().into();
        let mut columns = Vec::new();
        for name in path_columns(&property.path) {
            let key = (kind.clone(), name.to_owned());
            let Some(known) = self.prepared.of_groups.get(&key) else { continue };
            let mut owners = vec![0u32; self.rows.len()];
            let number = |group: &str| Ok(known.groups.get(group).copied().unwrap_or(0));
            self.number_groups(batch, &of_type, &mut owners, &number)?;
            columns.push(match property.scope {
                Scope::GroupLatest(_) => known.timeline.latest(&owners),
                _ => {
                    let (received, positions) = self.log_order()?;
                    let times = column::<Int64Type>(&self.batch, 1)?;
                    let rows = &self.rows;
                    known.timeline.as_of(&owners, |i| {
                        let row = rows.get(i);
                        (times[row], received[row], positions[row])
                    })
                }
            });
        }
        let mut columns = columns.into_iter();
        let literal = columns.next().unwrap_or_else(|| ValueColumn::none(self.rows.len()));
        Ok(match (columns.next(), property.path.split_once('.')) {
            (Some(outer), Some((_, rest))) => literal.or_inside(&outer, rest),
            _ => literal,
        })
    }
}
