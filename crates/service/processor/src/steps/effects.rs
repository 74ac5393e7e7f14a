//! What decisions do to rows, identity and sums: carried out in log order, once all outcomes are known.
//!
//! Guarantees: an operation is offered to the graph in log order, whatever the order of decisions; a row that goes
//! takes with it exactly what it had added (see `state::Retracted` for what only widens).
//! Deliberately not here: outcomes (`decide`).

use super::decide::ProjectRows;
use super::shape::{self, Visible};
use super::sights::Sights;
use rustc_hash::FxHashSet;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tallymark_identity::{IdentityOp, Sight};
use tallymark_model::{
    Event, IdentityAction, Position, ProjectId, Seq, SubjectId, SubjectKind, is_operation,
};
use tallymark_state::{Overlay, ProjectOverlay, StatsBuilder};
use tallymark_wire::ids;

/// What a decision does to rows and identity; carried out in log order, after all outcomes are known.
pub(super) struct Effect {
    pub seq: Seq,
    pub position: Position,
    /// Project and event of a row that goes.
    pub gone: Option<(ProjectId, Box<Event>)>,
    /// Project and event of a row that comes.
    pub row: Option<(ProjectId, Box<Event>)>,
}

/// Carries effects out on an overlay; the rows that come, per project.
pub(super) fn carry_out(
    overlay: &mut Overlay<'_>,
    sights: &Sights,
    mut effects: Vec<Effect>,
) -> BTreeMap<ProjectId, ProjectRows> {
    let mut visible: BTreeMap<ProjectId, Vec<Visible>> = BTreeMap::new();
    let mut gone: BTreeMap<ProjectId, StatsBuilder> = BTreeMap::new();
    effects.sort_unstable_by_key(|e| e.seq);
    // Masked rows cannot speak for their device any more, nor can those that are offered again.
    let masked: FxHashSet<u64> =
        effects.iter().filter(|e| e.gone.is_some()).map(|e| e.seq.position).collect();
    for effect in effects {
        if let Some((project, event)) = effect.gone {
            gone.entry(project).or_default().add(&event);
            let part = overlay.project(project);
            leave(part, sights, project, effect.seq, &event, effect.row.as_ref(), &masked);
        }
        if let Some((project, event)) = effect.row {
            let part = overlay.project(project);
            let row = keep(part, sights, project, effect.position, effect.seq, event, &masked);
            visible.entry(project).or_default().push(row);
        }
    }
    let mut rows = BTreeMap::new();
    for (project, visible) in visible {
        let (shaped, stats) = shape::shape(visible);
        overlay.project(project).stats(&stats);
        rows.insert(project, shaped);
    }
    for (project, stats) in gone {
        overlay.project(project).retract_stats(&stats.finish());
    }
    rows
}

/// Takes back what a row had added, but for an operation that its successor asks for too.
fn leave(
    part: &mut ProjectOverlay<'_>,
    sights: &Sights,
    project: ProjectId,
    seq: Seq,
    event: &Event,
    successor: Option<&(ProjectId, Box<Event>)>,
    masked: &FxHashSet<u64>,
) {
    let (subject, _) = ids_of(part, seq, event);
    if !subject.is_none() && !is_operation(&event.name) {
        part.retract_active(subject, event.time);
    }
    let Some(recorded) = part.recorded(seq) else { return };
    let stays = successor.is_some_and(|(to, next)| *to == project && ids_of(part, seq, next).1 == recorded);
    if !stays {
        let later = unmasked(sights.of(project, recorded.device), masked);
        part.retract_op(recorded, &later);
    }
}

fn keep(
    part: &mut ProjectOverlay<'_>,
    sights: &Sights,
    project: ProjectId,
    position: Position,
    seq: Seq,
    event: Box<Event>,
    masked: &FxHashSet<u64>,
) -> Visible {
    let (subject, op) = ids_of(part, seq, &event);
    if part.recorded(seq) != Some(op) {
        let later = sights.of(project, op.device);
        part.op_among(op, || unmasked(later, masked));
    }
    if !subject.is_none() && !is_operation(&event.name) {
        part.active(subject, event.time);
    }
    Visible { position, received_at: seq.received_at, subject, event }
}

/// Subject and operation of an event, its ids numbered.
fn ids_of(part: &mut ProjectOverlay<'_>, seq: Seq, event: &Event) -> (SubjectId, IdentityOp) {
    let mut number = |kind, raw: &Option<String>| {
        raw.as_deref().map_or(SubjectId::NONE, |raw| part.subject(kind, raw, seq))
    };
    let device = number(SubjectKind::Device, &event.device_id);
    let user = number(SubjectKind::User, &event.user_id);
    let mut others = |other: &str| match ids::usable(Some(other), 1) {
        ids::Id::Usable(id) => (part.mention(SubjectKind::User, &id), part.mention(SubjectKind::Device, &id)),
        ids::Id::Absent | ids::Id::Garbage => (SubjectId::NONE, SubjectId::NONE),
    };
    let op = match &event.action {
        IdentityAction::None => IdentityOp::of_event(seq, device, user),
        IdentityAction::Reset => IdentityOp::reset(seq, device, user),
        IdentityAction::Alias { other } => IdentityOp::alias(seq, (device, user), others(other)),
        IdentityAction::Merge { other } => IdentityOp::merge(seq, (device, user), others(other)),
    };
    (if user.is_none() { device } else { user }, op)
}

fn unmasked<'a>(sights: &'a [Sight], masked: &FxHashSet<u64>) -> Cow<'a, [Sight]> {
    match masked.is_empty() {
        true => Cow::Borrowed(sights),
        false => sights.iter().filter(|s| !masked.contains(&s.seq.position)).copied().collect(),
    }
}
