//! Which records of a device were seen after one that comes late: what identity needs to stay exact.
//!
//! Guarantees: what is asked for covers everything that deciding the same records can need.
//! Deliberately not here: finding them (rows are read by the caller), what they change (`identity`).

use super::decide::{Again, Rules};
use super::decode::{Content, Decoded};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use tallymark_identity::{IdentityOp, OpFilter, Sight};
use tallymark_model::{Event, IdentityAction, Outcome, ProjectId, Seq, SubjectId, SubjectKind};
use tallymark_state::State;

/// Asks for every committed visible record (masked ones left out, hidden ones not) that carries a device, after a
/// place of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SightAsk {
    /// In which project.
    pub project: ProjectId,
    /// Which device, by number.
    pub device: SubjectId,
    /// Which device, as rows have it.
    pub raw: String,
    /// Records up to and including this one are of no interest.
    pub after: Seq,
}

/// One answer to a [`SightAsk`]: what a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SightRow {
    /// Its place in the log.
    pub seq: Seq,
    /// Its user id.
    pub user: Option<String>,
    /// Its event name.
    pub event: String,
}

/// Answers, for [`Rules::sights`].
#[derive(Debug, Clone, Default)]
pub struct Sights(FxHashMap<(ProjectId, SubjectId), Vec<Sight>>);

impl Sights {
    /// Adds the rows that answer an ask, in any order.
    pub fn add(&mut self, state: &State, ask: &SightAsk, rows: impl IntoIterator<Item = SightRow>) {
        let subjects = state.project(ask.project).map(|p| &p.subjects);
        let number = |raw: &str| subjects.and_then(|s| s.find(SubjectKind::User, raw));
        let held = self.0.entry((ask.project, ask.device)).or_default();
        held.extend(rows.into_iter().filter(|r| r.seq > ask.after).map(|r| Sight {
            seq: r.seq,
            user: r.user.as_deref().and_then(number).unwrap_or(SubjectId::NONE),
            reset: r.event == "$reset",
        }));
        held.sort_unstable();
        held.dedup();
    }

    /// The records of a device that were found, in log order.
    pub fn of(&self, project: ProjectId, device: SubjectId) -> &[Sight] {
        self.0.get(&(project, device)).map_or(&[], Vec::as_slice)
    }
}

/// What must be known before these records can be decided on top of `state`. Empty almost always: only records that
/// are older than others of their device, and change who it belongs to, ask for anything.
pub fn sights_needed(records: &[Decoded], again: &[Again], state: &State, rules: &Rules) -> Vec<SightAsk> {
    let mut asks: BTreeMap<(ProjectId, SubjectId), SightAsk> = BTreeMap::new();
    for record in records.iter().chain(again.iter().map(|a| &a.record)) {
        let Content::Event { token, project, event: Ok(event), .. } = &record.content else { continue };
        let Some(project) = project.or_else(|| rules.projects.get(token).copied()) else { continue };
        ask(&mut asks, state, project, record.seq(), event);
    }
    for again in again.iter().filter(|a| a.old.outcome == Outcome::Visible) {
        let (project, seq) = (again.old.project, again.record.seq());
        let Some(fold) = state.project(project) else { continue };
        let Some(op) = fold.graph.op_at(seq).filter(|op| !op.device.is_none()) else { continue };
        if seq < fold.latest(op.device)
            && let Some((_, raw)) = fold.subjects.names().get(op.device)
        {
            note(&mut asks, project, op.device, raw, seq);
        }
    }
    asks.into_values().collect()
}

fn ask(
    asks: &mut BTreeMap<(ProjectId, SubjectId), SightAsk>,
    state: &State,
    project: ProjectId,
    seq: Seq,
    event: &Event,
) {
    let (Some(raw), Some(fold)) = (event.device_id.as_deref(), state.project(project)) else { return };
    let Some(device) = fold.subjects.find(SubjectKind::Device, raw) else { return };
    if seq >= fold.latest(device) {
        return;
    }
    let user = event.user_id.as_deref().map(|u| fold.subjects.find(SubjectKind::User, u));
    let news = match (&event.action, user) {
        (IdentityAction::Alias { .. } | IdentityAction::Merge { .. }, _) | (_, Some(None)) => true,
        (IdentityAction::None, user) => {
            let user = user.flatten().unwrap_or(SubjectId::NONE);
            OpFilter::is_news(&fold.graph, &IdentityOp::of_event(seq, device, user))
        }
        (IdentityAction::Reset, user) => {
            let user = user.flatten().unwrap_or(SubjectId::NONE);
            OpFilter::is_news(&fold.graph, &IdentityOp::reset(seq, device, user))
        }
    };
    if news {
        note(asks, project, device, raw, seq);
    }
}

fn note(
    asks: &mut BTreeMap<(ProjectId, SubjectId), SightAsk>,
    project: ProjectId,
    device: SubjectId,
    raw: &str,
    after: Seq,
) {
    let fresh = || SightAsk { project, device, raw: raw.to_owned(), after };
    let held = asks.entry((project, device)).or_insert_with(fresh);
    held.after = held.after.min(after);
}
