//! Subjects to persons.

use crate::Snapshot;
use tallymark_model::{Millis, Seq, SubjectId};

/// Persons of subjects.
pub(crate) struct Persons<'a> {
    dense: &'a [u32],
    view: &'a tallymark_identity::View,
}

impl<'a> Persons<'a> {
    pub const VARYING: u32 = tallymark_identity::View::VARYING;

    pub fn of(snapshot: &'a Snapshot) -> Persons<'a> {
        Persons { dense: snapshot.identity.dense(), view: &snapshot.identity }
    }

    /// The person, or [`Persons::VARYING`].
    #[inline]
    pub fn plain(&self, subject: u32) -> u32 {
        self.dense.get(subject as usize).copied().unwrap_or(0)
    }

    /// The person at this place in the log.
    pub fn of_row(&self, subject: u32, received_at: Millis, position: u64) -> u32 {
        match self.plain(subject) {
            Self::VARYING => self.view.person_of(SubjectId(subject), Seq { received_at, position }),
            person => person,
        }
    }
}
