//! Rows that came too late for an answer that was given before.

use super::{Scan, column, mistyped, storage};
use crate::{Context, QueryError, Snapshot};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, UInt32Type, UInt64Type};
use tallymark_model::Millis;
use tallymark_store::Column;

impl Scan {
    /// True if a row that a selector means by name was received when its bucket had already closed: `closing`
    /// gives the end of the closed bucket of an instant. Stops at the first such row; files that were complete
    /// in time are not opened.
    pub fn any_late(
        &self,
        snapshot: &Snapshot,
        context: &Context,
        closing: &dyn Fn(Millis) -> Option<Millis>,
    ) -> Result<bool, QueryError> {
        // Whether a row is late does not depend on the layout, so spans, which only skip whole row groups, do not count.
        let everything = Scan { spans: Vec::new(), ..self.clone() };
        let prepared = everything.choose(snapshot, context)?;
        prepared.note(&prepared.tasks.iter().collect::<Vec<_>>(), (Millis::MIN, Millis::MAX));
        for task in &prepared.tasks {
            context.cancel.check()?;
            let info = &task.reader.row_groups()[task.group];
            let first = closing(info.time_min.max(self.from));
            if first.is_none_or(|end| task.reader.meta().received_max < end) {
                continue;
            }
            let screen = snapshot.hidden.in_group(task.reader.meta(), info);
            let mut columns = vec![Column::Event, Column::Time, Column::ReceivedAt];
            columns.extend(
                screen.is_some().then_some([Column::Subject, Column::Position]).into_iter().flatten(),
            );
            let batch = task.reader.read(task.group, &columns).map_err(storage)?;
            let shown = match screen {
                None => None,
                Some(screen) => Some(screen.shown(
                    &column::<UInt32Type>(&batch, 3)?,
                    &column::<Int64Type>(&batch, 2)?,
                    &column::<UInt64Type>(&batch, 4)?,
                )),
            };
            let events = batch.column(0).as_dictionary_opt::<Int32Type>().ok_or_else(mistyped)?;
            let names = events.values().as_string_opt::<i32>().ok_or_else(mistyped)?;
            let meant: Vec<bool> = (0..names.len())
                .map(|i| names.is_valid(i) && prepared.mask_of(names.value(i)) != 0)
                .collect();
            let (times, received) = (column::<Int64Type>(&batch, 1)?, column::<Int64Type>(&batch, 2)?);
            let late = |row: usize| {
                let inside = self.from <= times[row] && times[row] < self.to;
                inside
                    && shown.as_ref().is_none_or(|shown| shown[row])
                    && meant[events.keys().value(row) as usize]
                    && closing(times[row]).is_some_and(|end| received[row] >= end)
            };
            if (0..batch.num_rows()).any(late) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
