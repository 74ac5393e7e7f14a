//! Records that are in the books already, decided again: what goes in, and what comes out.
//!
//! Guarantees: plain data, and the questions that can be asked of it.
//! Deliberately not here: deciding (`decide`).

use super::decode::{Content, Decoded};
use super::shape;
use tallymark_ledger::Interval;
use tallymark_model::{Event, Millis, Outcome, Position, ProjectId, SubjectKind};
use tallymark_state::{DedupEntry, day_of, dedup_key};
use tallymark_store::{EventRow, PropertyRow};

/// A record that is in the books already and is decided again.
#[derive(Debug, Clone)]
pub struct Again {
    /// It, decoded now.
    pub record: Decoded,
    /// What is in the books.
    pub old: Old,
}

/// What the books, the newest delta that mentions it, and the files say of a record.
#[derive(Debug, Clone)]
pub struct Old {
    /// Whose it is there.
    pub project: ProjectId,
    /// What became of it. Visible if no delta has an exception.
    pub outcome: Outcome,
    /// Its row, if it is visible and the row is at hand. Without it the row is taken to be what the rules at its own
    /// position make of the record; give it if rules or bytes may have been others when the row was written.
    pub row: Option<Box<OldRow>>,
}

/// A row in a file, with its changes of person properties.
#[derive(Debug, Clone)]
pub struct OldRow {
    /// The row.
    pub event: EventRow,
    /// Its changes of person properties.
    pub properties: Vec<PropertyRow>,
}

/// What deciding a record again changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which record.
    pub position: Position,
    /// When it was received.
    pub received_at: Millis,
    /// What the books say.
    pub was: (ProjectId, Outcome),
    /// What they are to say. Equal to `was` (visible) if only the row changed.
    pub now: (ProjectId, Outcome),
}

/// A visible row that is no more, and what records may have leaned on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orphaned {
    /// The row's position: duplicates with this witness are to be decided in the same commit.
    pub witness: Position,
    /// Their key.
    pub key: u64,
}

/// Runs of neighbouring positions.
pub(super) fn runs_of(positions: impl Iterator<Item = Position>) -> Vec<Interval> {
    let mut runs: Vec<Interval> = Vec::new();
    for p in positions {
        match runs.last_mut() {
            Some(last) if last.shard == p.shard() && last.to == p.offset => last.to += 1,
            _ => runs.push(Interval::new(p.shard(), p.offset, p.offset + 1)),
        }
    }
    runs
}

/// The index entry of a row.
pub(super) fn entry_of(record: &Decoded, old: &Old) -> Option<DedupEntry> {
    let key = key_of(old, &record.content)?;
    Some(DedupEntry { key, position: record.position.pack(), day: day_of(record.received_at) })
}

/// The dedup key of a row: from the row if it is at hand.
pub(super) fn key_of(old: &Old, content: &Content) -> Option<u64> {
    if let Some(OldRow { event, .. }) = old.row.as_deref() {
        let who = event.device_id.as_deref().map(|d| (SubjectKind::Device, d));
        let who = who.or(event.user_id.as_deref().map(|u| (SubjectKind::User, u)));
        return event.insert_id.as_deref().map(|id| dedup_key(old.project, who, id));
    }
    let Content::Event { event: Ok(event), .. } = content else { return None };
    event.insert_id.as_deref().map(|id| dedup_key(old.project, who(event), id))
}

/// True if a row would come out as it is.
pub(super) fn same_row(now: &Event, was: &Event, row: Option<&OldRow>) -> bool {
    match row {
        None => now == was,
        Some(row) => shape::is_row_of(row, now),
    }
}

/// Whose insert ids are compared: the device's, without one the user's (chapter 1.1). Events of nobody are compared
/// among themselves, so that importing a file with anonymous rows twice adds nothing.
pub(super) fn who(event: &Event) -> Option<(SubjectKind, &str)> {
    let device = event.device_id.as_deref().map(|d| (SubjectKind::Device, d));
    device.or(event.user_id.as_deref().map(|u| (SubjectKind::User, u)))
}
