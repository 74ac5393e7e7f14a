//! All files, read in full, one at a time: their checksums, and their rows against the books as of one commit.

use crate::check::rows::RowSums;
use crate::error::Result;
use crate::objects::{self, fault_of, is_live, is_passing};
use crate::read::{aside, books};
use crate::{Deps, Fault};
use tallymark_ledger::{Interval, IntervalSet, SegmentKind, SegmentMeta};
use tallymark_model::{LogId, SegmentId};
use tallymark_store::{ObjectStore, StoreError, verify_segment};

/// One reading of all files.
pub(crate) struct Pass {
    sums: RowSums,
    todo: Vec<(SegmentMeta, Vec<Interval>)>,
    /// A file could not be read, so that its rows are missing in the sums.
    torn: bool,
}

/// What one step brought.
pub(crate) enum Step {
    /// A file was looked at; `None`: it is sound.
    Segment(SegmentId, Option<Box<Fault>>),
    /// A file went away meanwhile: the books moved on, so this reading is over.
    Stale,
    /// All were read; `None`: some could not be, so the sums say nothing.
    Done(Option<Vec<Fault>>),
}

impl Pass {
    /// As of the newest commit; `None`: commits keep coming, try again.
    pub async fn start(deps: &Deps, log: LogId) -> Result<Option<Pass>> {
        let Some(books) = books(deps).await? else { return Ok(None) };
        let live = objects::live(deps, Some(books.seq)).await?;
        let mut todo: Vec<_> = live.values().cloned().collect();
        // Taken from the end: what was received last comes first.
        todo.sort_by_key(|(segment, _)| segment.received_max);
        Ok(Some(Pass { sums: RowSums::new(log, &books.rows), todo, torn: false }))
    }

    /// Looks at one more file.
    pub async fn step(&mut self, deps: &Deps) -> Result<Step> {
        let Some((segment, masked)) = self.todo.pop() else {
            return Ok(Step::Done((!self.torn).then(|| self.sums.faults())));
        };
        let (store, meta) = (deps.store.clone(), segment.clone());
        match aside(move || read(&store, &meta)).await? {
            Ok(positions) => {
                let masked: IntervalSet = masked.into_iter().collect();
                positions.into_iter().filter(|p| !masked.contains(*p)).for_each(|p| self.sums.add(p));
                Ok(Step::Segment(segment.id, None))
            }
            Err(_) if !is_live(deps, &segment).await? => Ok(Step::Stale),
            Err(error) if is_passing(&deps.store, &segment, &error) => Err(error.into()),
            Err(error) => {
                self.torn |= segment.kind == SegmentKind::Events;
                let fault = Box::new(fault_of(&segment, &error));
                Ok(Step::Segment(segment.id, Some(fault)))
            }
        }
    }
}

/// Checks every byte; answers the positions of an events segment's rows.
fn read(store: &ObjectStore, meta: &SegmentMeta) -> Result<Vec<tallymark_model::Position>, StoreError> {
    verify_segment(store, meta)?;
    match meta.kind {
        SegmentKind::Events => crate::read::positions(store, meta),
        SegmentKind::Properties => Ok(Vec::new()),
    }
}
