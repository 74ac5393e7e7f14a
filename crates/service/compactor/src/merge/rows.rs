//! The columns that decide where a row goes, of all inputs at once.
//!
//! Guarantees: rows and fingerprint of every input are recomputed from its positions and compared with what the
//! catalog says, before anything is written.

use crate::leave::{ErasedRow, LeaveOut, Reason};
use crate::{CompactError, Result};
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type, UInt32Type, UInt64Type};
use model::{Position, Seq};
use tallymark_catalog::LeftOut;
use tallymark_ledger::{Fingerprint, SegmentKind};
use tallymark_model as model;
use tallymark_store::{Column, Interner, SegmentReader};

/// One row group of one input, and the number of its first row among all rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub input: usize,
    pub group: usize,
    pub start: usize,
    pub rows: usize,
}

/// All rows, numbered through inputs and row groups in order.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub parts: Vec<Part>,
    pub names: Vec<String>,
    pub name_keys: Vec<u32>,
    pub subjects: Vec<u32>,
    pub times: Vec<i64>,
    pub received: Vec<i64>,
    pub positions: Vec<u64>,
    /// Order within a record; only for property operations.
    pub index: Vec<u32>,
    /// Which rows come into the output; `None`: all.
    kept: Option<Vec<bool>>,
    /// What does not, per input.
    pub left_out: Vec<LeftOut>,
    /// Events among it that leave the books.
    pub erased: Vec<ErasedRow>,
}

impl Rows {
    /// Reads them.
    pub fn load(inputs: &[SegmentReader], kind: SegmentKind, leave: &LeaveOut) -> Result<Rows> {
        let total: usize = inputs.iter().map(|i| i.meta().rows as usize).sum();
        let mut rows = Rows::default();
        for list in [&mut rows.name_keys, &mut rows.subjects] {
            list.reserve(total);
        }
        let mut names = Interner::default();
        for (input, reader) in inputs.iter().enumerate() {
            let start = rows.positions.len();
            for group in 0..reader.row_groups().len() {
                rows.add(reader, kind, input, group, &mut names)?;
            }
            check(reader, &rows.positions[start..])?;
            rows.leave(reader, start, leave);
        }
        rows.names = names.words();
        Ok(rows)
    }

    fn add(
        &mut self,
        reader: &SegmentReader,
        kind: SegmentKind,
        input: usize,
        group: usize,
        names: &mut Interner,
    ) -> Result<()> {
        let name = match kind {
            SegmentKind::Events => Column::Event,
            SegmentKind::Properties => Column::Name,
        };
        let mut columns = vec![name, Column::Subject, Column::Time, Column::ReceivedAt, Column::Position];
        if kind == SegmentKind::Properties {
            columns.push(Column::Index);
        }
        let batch = reader.read(group, &columns)?;
        self.parts.push(Part { input, group, start: self.positions.len(), rows: batch.num_rows() });
        intern_keys(&batch, 0, names, &mut self.name_keys)?;
        let fail = |nth: usize| mistyped(&batch, nth);
        let column = |nth: usize| batch.column(nth);
        self.subjects
            .extend_from_slice(column(1).as_primitive_opt::<UInt32Type>().ok_or_else(|| fail(1))?.values());
        self.times
            .extend_from_slice(column(2).as_primitive_opt::<Int64Type>().ok_or_else(|| fail(2))?.values());
        self.received
            .extend_from_slice(column(3).as_primitive_opt::<Int64Type>().ok_or_else(|| fail(3))?.values());
        self.positions
            .extend_from_slice(column(4).as_primitive_opt::<UInt64Type>().ok_or_else(|| fail(4))?.values());
        if kind == SegmentKind::Properties {
            self.index.extend_from_slice(
                column(5).as_primitive_opt::<UInt32Type>().ok_or_else(|| fail(5))?.values(),
            );
        }
        Ok(())
    }

    /// Marks the rows of one input, from number `start` on, that do not come along.
    fn leave(&mut self, reader: &SegmentReader, start: usize, leave: &LeaveOut) {
        let meta = reader.meta();
        if leave.spares(meta.id) {
            return;
        }
        let mut out = LeftOut { segment: meta.id, rows: 0, fingerprint: Fingerprint::default() };
        for row in start..self.len() {
            let position = self.position(row as u32);
            let seq = Seq { received_at: self.received[row], position: self.positions[row] };
            let Some(reason) = leave.reason(meta.id, self.subjects[row], seq) else { continue };
            self.kept.get_or_insert_default().resize(row, true);
            self.kept.get_or_insert_default().push(false);
            out.rows += 1;
            out.fingerprint += Fingerprint::of(reader.log(), position);
            if reason == Reason::Erased && meta.kind == SegmentKind::Events {
                self.erased.push(ErasedRow { position, received_at: self.received[row] });
            }
        }
        if out.rows > 0 {
            self.left_out.push(out);
        }
    }

    /// True if a row comes into the output.
    pub fn keeps(&self, row: usize) -> bool {
        self.kept.as_ref().is_none_or(|kept| kept.get(row).copied().unwrap_or(true))
    }

    /// The rows that come into the output.
    pub fn kept(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.len() as u32).filter(|row| self.keeps(*row as usize))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Place of every name in alphabetical order.
    pub fn name_ranks(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.names.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| self.names[a as usize].cmp(&self.names[b as usize]));
        let mut ranks = vec![0; order.len()];
        for (rank, &name) in order.iter().enumerate() {
            ranks[name as usize] = rank as u32;
        }
        ranks
    }

    /// Where a row stands in the log. Checked when the rows were loaded.
    pub fn position(&self, row: u32) -> Position {
        Position::unpack(self.positions[row as usize]).unwrap_or(Position {
            lane: model::Lane::Live,
            partition: 0,
            offset: 0,
        })
    }
}

/// Subject and place in the log of every row of a batch of these three columns.
pub(crate) fn subjects_of(batch: &RecordBatch) -> Result<impl Iterator<Item = (u32, Seq)>> {
    let subjects = batch.column(0).as_primitive_opt::<UInt32Type>().ok_or_else(|| mistyped(batch, 0))?;
    let received = batch.column(1).as_primitive_opt::<Int64Type>().ok_or_else(|| mistyped(batch, 1))?;
    let positions = batch.column(2).as_primitive_opt::<UInt64Type>().ok_or_else(|| mistyped(batch, 2))?;
    let rows = subjects.values().iter().zip(received.values()).zip(positions.values());
    Ok(rows.map(|((subject, at), packed)| (*subject, Seq { received_at: *at, position: *packed })))
}

/// Appends the keys of a dictionary column, renumbered.
fn intern_keys(batch: &RecordBatch, nth: usize, names: &mut Interner, out: &mut Vec<u32>) -> Result<()> {
    let (keys, words) = dictionary(batch, nth)?;
    let map: Vec<u32> = words.iter().map(|word| names.intern(word.unwrap_or_default())).collect();
    for &key in keys {
        out.push(*map.get(key as usize).ok_or_else(|| mistyped(batch, nth))?);
    }
    Ok(())
}

/// Keys and words of a dictionary column.
pub(crate) fn dictionary(batch: &RecordBatch, nth: usize) -> Result<(&[i32], &StringArray)> {
    let array = batch.column(nth).as_dictionary_opt::<Int32Type>().ok_or_else(|| mistyped(batch, nth))?;
    let words = array.values().as_string_opt::<i32>().ok_or_else(|| mistyped(batch, nth))?;
    Ok((array.keys().values(), words))
}

pub(crate) fn mistyped(batch: &RecordBatch, nth: usize) -> CompactError {
    let detail = format!("its type is {}", batch.column(nth).data_type());
    CompactError::Column { column: batch.schema().field(nth).name().clone(), detail }
}

fn check(reader: &SegmentReader, positions: &[u64]) -> Result<()> {
    let meta = reader.meta();
    let damaged = || CompactError::Damaged { id: meta.id };
    let mut sum = Fingerprint::default();
    for &packed in positions {
        sum += Fingerprint::of(reader.log(), Position::unpack(packed).ok_or_else(damaged)?);
    }
    if sum != meta.fingerprint || positions.len() as u64 != meta.rows { Err(damaged()) } else { Ok(()) }
}
