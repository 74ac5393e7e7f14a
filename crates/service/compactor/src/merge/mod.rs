//! Segments in, segments out: the same rows in another order.
//!
//! Works on columns, never on rows: the order is decided from five columns, then each column is decoded once from
//! all inputs, gathered by row number and encoded for every output.
//! Guarantees: rows and fingerprint out, with those left out on purpose, equal those in (I13), checked against the inputs' own positions; memory is
//! bounded by the rows of the inputs times a few columns, plus the encoded output.
//! Deliberately not here: which segments to merge (`plan`), the commit (`execute`).

mod gather;
mod order;
mod rows;
mod surplus;

use crate::leave::{ErasedRow, LeaveOut};
use crate::{CompactError, Result};
use gather::Gathered;
use ledger::{SegmentKind, SegmentMeta, check_compaction};
use model::{CommitId, Epoch, LogId, SegmentId};
pub use order::Order;
use order::{Output, outputs};
use rows::Rows;
pub(crate) use rows::subjects_of;
use std::collections::BTreeSet;
use std::ops::Range;
use surplus::{Displaced, surplus};
use tallymark_catalog::LeftOut;
use tallymark_ledger as ledger;
use tallymark_model as model;
use tallymark_store::{
    Column, EVENT_COLUMNS, Encoded, EncodedColumn, PROPERTY_COLUMNS, RowGroup, RowSpan, SegmentReader,
    SegmentSpec, SourceTally, StoreError, assemble,
};
use tokio_util::sync::CancellationToken;

/// Values of columns held at once while columns are gathered.
const VALUES_AT_ONCE: usize = 16_000_000;

/// What to make of the inputs.
#[derive(Debug, Clone)]
pub struct MergeRequest<'a> {
    /// Order of the output.
    pub order: Order<'a>,
    /// Most rows of one output file.
    pub max_file_rows: usize,
    /// The commit that will add the files.
    pub commit: CommitId,
    /// The compactor's previous commit.
    pub parent: Option<CommitId>,
    /// The compactor's epoch.
    pub epoch: Epoch,
}

/// What a merge made.
#[derive(Debug, Default)]
pub struct Merged {
    /// The files.
    pub files: Vec<Encoded>,
    /// Rows that are in none of them, per input.
    pub left_out: Vec<LeftOut>,
    /// Events among those that leave the books.
    pub erased: Vec<ErasedRow>,
}

/// Merges segments of one project, one kind and one log.
pub fn merge(
    inputs: &[SegmentReader],
    request: &MergeRequest<'_>,
    cancel: &CancellationToken,
) -> Result<Vec<Encoded>> {
    merge_leaving(inputs, request, &LeaveOut::default(), cancel).map(|merged| merged.files)
}

/// The same without some of the rows.
pub fn merge_leaving(
    inputs: &[SegmentReader],
    request: &MergeRequest<'_>,
    leave: &LeaveOut,
    cancel: &CancellationToken,
) -> Result<Merged> {
    let Some(first) = inputs.first() else { return Ok(Merged::default()) };
    let (kind, log) = (first.meta().kind, first.log());
    if let Some(other) = inputs.iter().find(|i| i.log() != log) {
        return Err(CompactError::MixedLogs(log, other.log()));
    }
    let mut rows = Rows::load(inputs, kind, leave)?;
    let columns = union(inputs, kind);
    let outputs = outputs(&rows, &request.order, request.max_file_rows, columns.len());
    let mut files: Vec<File> = outputs.into_iter().map(File::new).collect();

    let (left_out, erased) = (std::mem::take(&mut rows.left_out), std::mem::take(&mut rows.erased));
    if files.is_empty() {
        prove(inputs, &[], &left_out)?;
        return Ok(Merged { files: Vec::new(), left_out, erased });
    }
    let at_once = (VALUES_AT_ONCE / rows.len().max(1)).clamp(1, 64);
    let (overflowing, ordinary): (Vec<Column>, Vec<Column>) =
        columns.into_iter().partition(|c| matches!(c, Column::Overflow | Column::GroupOverflow));
    for some in ordinary.chunks(at_once) {
        for column in gather::load(inputs, &rows, some)? {
            if cancel.is_cancelled() {
                return Err(CompactError::Cancelled);
            }
            files.iter_mut().try_for_each(|file| file.add(&column))?;
        }
    }
    make_room(inputs, &rows, &mut files)?;
    let mut spill = overflowing;
    for column in [Column::Overflow, Column::GroupOverflow] {
        if !spill.contains(&column) && files.iter().any(|f| f.displaced.fills(&column)) {
            spill.push(column);
        }
    }
    for column in gather::load(inputs, &rows, &spill)? {
        files.iter_mut().try_for_each(|file| file.add_overflow(&column))?;
    }

    let overflow = overflow_names(inputs);
    let done: Result<Vec<Encoded>> = files
        .into_iter()
        .map(|file| file.finish(&rows, first.meta(), log, request, overflow.clone()))
        .collect();
    let done = done?;
    prove(inputs, &done, &left_out)?;
    Ok(Merged { files: done, left_out, erased })
}

/// All columns of all inputs, in file order.
fn union(inputs: &[SegmentReader], kind: SegmentKind) -> Vec<Column> {
    let fixed: &[Column] = match kind {
        SegmentKind::Events => &EVENT_COLUMNS,
        SegmentKind::Properties => &PROPERTY_COLUMNS,
    };
    let more: BTreeSet<&Column> =
        inputs.iter().flat_map(|i| i.columns()).filter(|c| !fixed.contains(c)).collect();
    fixed.iter().chain(more).cloned().collect()
}

/// Names in the inputs' overflow columns; `None` as soon as one input does not know.
fn overflow_names(inputs: &[SegmentReader]) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for input in inputs {
        names.extend(input.overflow_names()?.map(str::to_owned));
    }
    Some(names)
}

/// Moves the values of surplus columns to the overflow columns.
fn make_room(inputs: &[SegmentReader], rows: &Rows, files: &mut [File]) -> Result<()> {
    let surplus: Vec<BTreeSet<Column>> = files.iter().map(|f| surplus(&f.filled)).collect();
    let all: BTreeSet<&Column> = surplus.iter().flatten().collect();
    for column in all {
        for gathered in gather::load(inputs, rows, std::slice::from_ref(column))? {
            for (file, surplus) in files.iter_mut().zip(&surplus) {
                if surplus.contains(column) {
                    file.displaced.add(&gathered, &file.output.rows);
                    file.columns.retain(|c| c.column() != column);
                }
            }
        }
    }
    Ok(())
}

/// I13, before anybody is asked to believe it.
fn prove(inputs: &[SegmentReader], outputs: &[Encoded], left_out: &[LeftOut]) -> Result<()> {
    let removed: Vec<SegmentMeta> = inputs.iter().map(|i| i.meta().clone()).collect();
    let added: Vec<SegmentMeta> = outputs.iter().map(|o| o.meta.clone()).collect();
    let left_out: Vec<_> = left_out.iter().map(|l| (l.segment, l.rows, l.fingerprint)).collect();
    let found = check_compaction(&removed, &added, &left_out);
    if found.is_empty() { Ok(()) } else { Err(CompactError::Unbalanced(found)) }
}

/// One output under construction.
#[derive(Debug)]
struct File {
    output: Output,
    columns: Vec<EncodedColumn>,
    /// Property and group columns with the number of their values.
    filled: Vec<(Column, usize)>,
    displaced: Displaced,
}

impl File {
    fn new(output: Output) -> File {
        File { output, columns: Vec::new(), filled: Vec::new(), displaced: Displaced::default() }
    }

    /// Encodes a column for this file, unless no row of it has a value.
    fn add(&mut self, column: &Gathered) -> Result<()> {
        if matches!(column.column, Column::Property(..) | Column::Group(_) | Column::GroupList(_)) {
            match column.filled(&self.output.rows) {
                0 => return Ok(()),
                count => self.filled.push((column.column.clone(), count)),
            }
        }
        let output = &self.output;
        let encoded = EncodedColumn::encode(column.column.clone(), output.groups.len(), |group| {
            column.take(&output.rows[output.groups[group].clone()]).map_err(into_store)
        })?;
        self.columns.push(encoded);
        Ok(())
    }

    fn add_overflow(&mut self, column: &Gathered) -> Result<()> {
        let output = &self.output;
        if column.filled(&output.rows) == 0 && !self.displaced.fills(&column.column) {
            return Ok(());
        }
        let encoded = EncodedColumn::encode(column.column.clone(), output.groups.len(), |group| {
            let range = output.groups[group].clone();
            Ok(self.displaced.array(column, &output.rows[range.clone()], range.start))
        })?;
        self.columns.push(encoded);
        Ok(())
    }

    fn finish(
        self,
        rows: &Rows,
        like: &SegmentMeta,
        log: LogId,
        request: &MergeRequest<'_>,
        overflow: Option<BTreeSet<String>>,
    ) -> Result<Encoded> {
        let File { output, columns, displaced, .. } = self;
        let mut tally = SourceTally::new(log, &[]);
        for &row in &output.rows {
            tally.add(rows.position(row))?;
        }
        let spec = SegmentSpec {
            id: SegmentId(uuid::Uuid::now_v7()),
            project: like.project,
            level: output.level,
            log,
            sources: Vec::new(),
            day: output.day,
            identity: output.identity,
            commit: request.commit,
            parent: request.parent,
            epoch: request.epoch,
        };
        let times = output.rows.iter().map(|&r| (rows.times[r as usize], rows.received[r as usize]));
        let meta = spec.meta(like.kind, RowSpan::of(times), tally.finish());
        let groups = output.groups.iter().map(|range| group(rows, &output.rows[range.clone()])).collect();
        let has_overflow = columns.iter().any(|c| *c.column() == Column::Overflow);
        let overflow = match overflow {
            Some(_) if !has_overflow => Some(BTreeSet::new()),
            Some(names) => Some(names.into_iter().chain(displaced.names).collect()),
            None => None,
        };
        let subjects: Option<Vec<Vec<u32>>> = (like.kind == SegmentKind::Events).then(|| {
            let of = |range: &Range<usize>| &output.rows[range.clone()];
            let subjects = |row: &u32| rows.subjects[*row as usize];
            output.groups.iter().map(|range| of(range).iter().map(subjects).collect()).collect()
        });
        Ok(assemble(meta, log, groups, columns, overflow, subjects.as_deref())?)
    }
}

fn group(rows: &Rows, members: &[u32]) -> RowGroup {
    let names = members.iter().map(|&r| rows.names[rows.name_keys[r as usize] as usize].as_str());
    let subjects: Vec<u32> = members.iter().map(|&r| rows.subjects[r as usize]).collect();
    let times: Vec<i64> = members.iter().map(|&r| rows.times[r as usize]).collect();
    RowGroup::of(names, &subjects, &times)
}

fn into_store(error: CompactError) -> StoreError {
    match error {
        CompactError::Store(error) => error,
        other => StoreError::Encode { key: "(merge)".to_owned(), detail: other.to_string() },
    }
}
