//! What control records in the log have said so far: rules, erasures, mended dead letters, refusals.
//!
//! Guarantees: folding the same rule, erasure or mended letter of the same shard again changes nothing, whichever
//! order commits bring them in; notes that count are counted each time, so they travel only with records that are
//! accounted. Deliberately not here: what a rule does to an event (`processor`).

mod erasures;
mod refusals;
mod rules;

pub use erasures::{ErasedSubjects, ErasureInForce, Erasures};
pub use refusals::{RefusalHour, Refusals, Throttled};
pub use rules::{BrokenRule, RuleInForce, RulesInForce};

use crate::StateError;
use crate::codec::{Reader, Writer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use tallymark_model::{Control, Position, ProjectId, Redrive, Shard};

/// Everything that control records have said, as of a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Controls {
    /// Rules, with the offsets from which they are in force.
    pub rules: RulesInForce,
    /// Wishes to forget a person.
    pub erasures: Erasures,
    /// Events that were refused before they reached the log.
    pub refusals: Refusals,
    /// Dead letters that were given other bytes, by the dead letter's position: where that was said, and what.
    pub mended: BTreeMap<Position, (Position, Redrive)>,
}

impl Controls {
    /// Folds one control record in.
    pub fn add(&mut self, position: Position, control: &Control) {
        match control {
            Control::Refused { token, minute, count, reason } => {
                self.refusals.refused(token, *minute, *count, reason);
            }
            Control::Throttled { token, id, minute, count, rule } => {
                self.refusals.throttled(token, *minute, *count, rule, id.as_deref());
            }
            Control::Rule(rule) => self.rules.add(position, rule),
            Control::Erase(erasure) => self.erasures.add(position, erasure),
            Control::Redrive(redrive) => {
                let newest = self.mended.get(&redrive.position).is_none_or(|(at, _)| *at < position);
                if newest {
                    self.mended.insert(redrive.position, (position, redrive.clone()));
                }
            }
        }
    }

    /// True if a control record names this project's subjects or rules.
    pub(crate) fn erases(control: &Control) -> Option<ProjectId> {
        match control {
            Control::Erase(erasure) => Some(erasure.project),
            _ => None,
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        self.rules.write(w);
        self.erasures.write(w);
        self.refusals.write(w);
        w.list(self.mended.values(), |w, (at, redrive)| {
            position(w, *at);
            json(w, redrive);
        });
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Controls, StateError> {
        let (rules, erasures) = (RulesInForce::read(r)?, Erasures::read(r)?);
        let refusals = Refusals::read(r)?;
        let mended = r.list(|r| {
            let at = read_position(r)?;
            let redrive: Redrive = read_json(r)?;
            Ok((redrive.position, (at, redrive)))
        })?;
        Ok(Controls { rules, erasures, refusals, mended: mended.into_iter().collect() })
    }
}

/// From which offset of which shard something is in force.
pub(crate) type From = BTreeMap<Shard, u64>;

pub(crate) fn position(w: &mut Writer, position: Position) {
    w.u64(position.pack());
}

pub(crate) fn read_position(r: &mut Reader<'_>) -> Result<Position, StateError> {
    let packed = r.u64()?;
    Position::unpack(packed).ok_or_else(|| r.damaged(format!("position {packed:#x}")))
}

pub(crate) fn from(w: &mut Writer, from: &From) {
    w.list(from.iter(), |w, (shard, offset)| {
        position(w, Position { lane: shard.lane, partition: shard.partition, offset: *offset });
    });
}

pub(crate) fn read_from(r: &mut Reader<'_>) -> Result<From, StateError> {
    Ok(r.list(read_position)?.into_iter().map(|p| (p.shard(), p.offset)).collect())
}

/// Settings documents are few, so they are kept in the form in which the log has them.
pub(crate) fn json(w: &mut Writer, value: &impl Serialize) {
    // The types written here have text keys and no fallible parts, so this cannot fail.
    w.bytes(&serde_json::to_vec(value).unwrap_or_default());
}

pub(crate) fn read_json<T: DeserializeOwned>(r: &mut Reader<'_>) -> Result<T, StateError> {
    let bytes = r.bytes()?;
    serde_json::from_slice(bytes).map_err(|e| r.damaged(e.to_string()))
}
