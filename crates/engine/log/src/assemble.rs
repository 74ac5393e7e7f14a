//! Builds the answer of a read: runs of records and gaps, in order, within the limit. Shared by the backends.

use crate::{Item, ReadLimit};
use tallymark_ledger::GapCause;
use tallymark_model::{Position, Record};

/// Collects items from one position on.
pub(crate) struct Assembler {
    /// Where the next item begins.
    pub(crate) at: Position,
    limit: ReadLimit,
    bytes: usize,
    count: usize,
    items: Vec<Item>,
}

impl Assembler {
    pub(crate) fn new(at: Position, limit: ReadLimit) -> Assembler {
        Assembler { at, limit, bytes: 0, count: 0, items: Vec::new() }
    }

    /// True if the answer should go out as it is. Never before the first item.
    pub(crate) fn is_full(&self) -> bool {
        !self.items.is_empty() && (self.count >= self.limit.records || self.bytes >= self.limit.bytes)
    }

    /// The record at `self.at`.
    pub(crate) fn record(&mut self, record: Record) {
        self.bytes += body_bytes(&record);
        self.count += 1;
        let entry = (self.at, record);
        match self.items.last_mut() {
            Some(Item::Records(run)) => run.push(entry),
            _ => self.items.push(Item::Records(vec![entry])),
        }
        self.at.offset += 1;
    }

    /// Offsets from `self.at` up to `to` cannot be read. Joins the gap before it if the cause is the same.
    pub(crate) fn gap(&mut self, to: u64, cause: GapCause, evidence: &str) {
        if to <= self.at.offset {
            return;
        }
        match self.items.last_mut() {
            Some(Item::Gap { to: end, cause: same, evidence: known, .. }) if *same == cause => {
                *end = to;
                if known != evidence && known.len() + evidence.len() < EVIDENCE_BYTES_MAX {
                    known.push_str("; ");
                    known.push_str(evidence);
                }
            }
            _ => self.items.push(Item::Gap { from: self.at, to, cause, evidence: evidence.to_owned() }),
        }
        self.at.offset = to;
    }

    pub(crate) fn finish(self) -> Vec<Item> {
        self.items
    }
}

/// Evidence of joined gaps stops growing here: it ends in a ledger row.
const EVIDENCE_BYTES_MAX: usize = 2_000;

/// What a record counts against [`ReadLimit::bytes`].
pub(crate) fn body_bytes(record: &Record) -> usize {
    match record {
        Record::Event(e) => e.body.len() + e.key.len(),
        Record::Control { .. } => 64,
    }
}
