//! The bytes of a delta.
//!
//! ```text
//! commit 16 | projects | dedup: positions and days as differences, keys raw | exceptions
//!     | controls | broken rules | restated intervals | dedup entries gone            (since version 2)
//! project = id, subjects (number, kind, raw, first sight), ops, activity, stats
//!     | sights | retracted activity, stats, ops                                      (since version 2)
//! ```
//! Guarantees: `decode(encode(d)) == d`; damage and trailing bytes are errors; a frame says its version.
//! Deliberately not here: what a delta means (`delta`).

use crate::StateError;
use crate::codec::{FrameKind, Reader, Writer, open, seal};
use crate::control::{BrokenRule, json, position, read_json, read_position};
use crate::dedup::DedupEntry;
use crate::delta::{Delta, DeltaProject, Exception, Retracted, SubjectActivity};
use crate::stats::ProjectStats;
use crate::subjects::NewSubject;
use bytes::Bytes;
use tallymark_identity::{Action, IdentityOp};
use tallymark_ledger::Interval;
use tallymark_model::{CommitId, DeadReason, Outcome, Position, ProjectId, SubjectKind, WireFormat};

pub(crate) fn encode(delta: &Delta) -> Result<Vec<u8>, StateError> {
    let mut w = Writer(Vec::with_capacity(64 + delta.dedup.len() * 11));
    w.0.extend_from_slice(delta.commit.0.as_bytes());
    w.list(delta.projects.iter(), project);
    dedup(&mut w, &delta.dedup);
    w.list(delta.exceptions.iter(), exception);
    w.list(delta.controls.iter(), |w, (at, control)| {
        position(w, *at);
        json(w, control);
    });
    w.list(delta.broken.iter(), |w, b| {
        w.u64(u64::from(b.rule));
        w.u64(u64::from(b.version));
        w.str(&b.problem);
    });
    w.list(delta.restated.iter(), |w, i| {
        position(w, Position { lane: i.shard.lane, partition: i.shard.partition, offset: i.from });
        w.u64(i.to.wrapping_sub(i.from));
    });
    dedup(&mut w, &delta.dedup_gone);
    seal(FrameKind::Delta, &w.0)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Delta, StateError> {
    let (version, body) = open(FrameKind::Delta, bytes)?;
    let mut r = Reader::new(&body, "delta");
    let mut id = [0; 16];
    id.copy_from_slice(r.take(16)?);
    let mut delta = Delta::empty(CommitId(uuid_of(id)));
    delta.projects = r.list(|r| read_project(r, version))?;
    delta.dedup = read_dedup(&mut r)?;
    delta.exceptions = r.list(read_exception)?;
    if version >= 2 {
        delta.controls = r.list(|r| Ok((read_position(r)?, read_json(r)?)))?;
        delta.broken =
            r.list(|r| Ok(BrokenRule { rule: r.u32()?, version: r.u32()?, problem: r.str()?.to_owned() }))?;
        delta.restated = r.list(|r| {
            let from = read_position(r)?;
            Ok(Interval::new(from.shard(), from.offset, from.offset.wrapping_add(r.u64()?)))
        })?;
        delta.dedup_gone = read_dedup(&mut r)?;
    }
    r.end()?;
    Ok(delta)
}

pub(crate) fn uuid_of(bytes: [u8; 16]) -> uuid::Uuid {
    uuid::Uuid::from_bytes(bytes)
}

fn project(w: &mut Writer, p: &DeltaProject) {
    w.u64(u64::from(p.project.0));
    w.list(p.subjects.iter(), |w, s| {
        w.subject(s.id);
        w.u8(s.kind as u8);
        w.str(&s.raw);
        w.seq(s.first_seq);
    });
    w.list(p.ops.iter(), op);
    activity(w, &p.activity);
    p.stats.write(w);
    w.u8(u8::from(p.sights.is_some()));
    w.list(p.sights.iter().flatten().collect::<Vec<_>>().into_iter(), |w, (device, last)| {
        w.subject(*device);
        w.seq(*last);
    });
    activity(w, &p.retracted.activity);
    p.retracted.stats.write(w);
    w.list(p.retracted.ops.iter(), |w, seq| w.seq(*seq));
}

fn activity(w: &mut Writer, activity: &[SubjectActivity]) {
    w.list(activity.iter(), |w, a| {
        w.subject(a.subject);
        w.u64(a.events);
        w.i64(a.first);
        w.i64(a.last.wrapping_sub(a.first));
    });
}

fn read_activity(r: &mut Reader<'_>) -> Result<Vec<SubjectActivity>, StateError> {
    r.list(|r| {
        let (subject, events, first) = (r.subject()?, r.u64()?, r.i64()?);
        Ok(SubjectActivity { subject, events, first, last: first.wrapping_add(r.i64()?) })
    })
}

fn read_project(r: &mut Reader<'_>, version: u8) -> Result<DeltaProject, StateError> {
    let mut project = DeltaProject {
        sights: None,
        retracted: Retracted::default(),
        project: ProjectId(r.u32()?),
        subjects: r.list(|r| {
            Ok(NewSubject {
                id: r.subject()?,
                kind: read_kind(r)?,
                raw: r.str()?.to_owned(),
                first_seq: r.seq()?,
            })
        })?,
        ops: r.list(read_op)?,
        activity: read_activity(r)?,
        stats: ProjectStats::read(r)?,
    };
    if version >= 2 {
        let known = r.u8()? != 0;
        let sights = r.list(|r| Ok((r.subject()?, r.seq()?)))?;
        project.sights = known.then_some(sights);
        let activity = read_activity(r)?;
        project.retracted = Retracted { activity, stats: ProjectStats::read(r)?, ops: r.list(|r| r.seq())? };
    }
    Ok(project)
}

pub(crate) fn read_kind(r: &mut Reader<'_>) -> Result<SubjectKind, StateError> {
    match r.u8()? {
        0 => Ok(SubjectKind::Device),
        1 => Ok(SubjectKind::User),
        n => Err(r.damaged(format!("subject kind {n}"))),
    }
}

pub(crate) fn op(w: &mut Writer, op: &IdentityOp) {
    w.u8(op.action as u8);
    w.seq(op.seq);
    [op.device, op.user, op.other_user, op.other_device].into_iter().for_each(|s| w.subject(s));
}

pub(crate) fn read_op(r: &mut Reader<'_>) -> Result<IdentityOp, StateError> {
    let n = r.u8()?;
    let action = Action::from_u8(n).ok_or_else(|| r.damaged(format!("identity action {n}")))?;
    let seq = r.seq()?;
    let mut subject = || r.subject();
    let (device, user) = (subject()?, subject()?);
    Ok(IdentityOp { seq, action, device, user, other_user: subject()?, other_device: subject()? })
}

fn dedup(w: &mut Writer, entries: &[DedupEntry]) {
    let mut last = DedupEntry { key: 0, position: 0, day: 0 };
    w.list(entries.iter(), |w, e| {
        w.i64(e.position.wrapping_sub(last.position) as i64);
        w.i64(i64::from(e.day) - i64::from(last.day));
        w.raw64(e.key);
        last = *e;
    });
}

fn read_dedup(r: &mut Reader<'_>) -> Result<Vec<DedupEntry>, StateError> {
    let (mut position, mut day) = (0u64, 0i64);
    r.list(|r| {
        position = position.wrapping_add(r.i64()? as u64);
        day = day.wrapping_add(r.i64()?);
        let day = i32::try_from(day).map_err(|_| r.damaged(format!("day {day}")))?;
        Ok(DedupEntry { key: r.raw64()?, position, day })
    })
}

fn exception(w: &mut Writer, e: &Exception) {
    w.u64(e.position.pack());
    w.i64(e.received_at);
    w.u64(u64::from(e.project.0));
    w.raw64(e.key);
    w.u8(e.wire.map_or(0, |f| f as u8));
    w.bytes(&e.body);
    match &e.outcome {
        Outcome::Visible => w.u8(0),
        Outcome::Duplicate { witness } => {
            w.u8(1);
            w.u64(witness.pack());
        }
        Outcome::Filtered { rule } => {
            w.u8(2);
            w.u64(u64::from(*rule));
        }
        Outcome::Dead { reason } => {
            w.u8(3);
            w.str(&reason.code);
            w.str(&reason.message);
        }
        Outcome::Control => w.u8(4),
        Outcome::Hole => w.u8(5),
    }
}

fn read_exception(r: &mut Reader<'_>) -> Result<Exception, StateError> {
    let position = read_position(r)?;
    let (received_at, project, key) = (r.i64()?, ProjectId(r.u32()?), r.raw64()?);
    let wire = match r.u8()? {
        0 => None,
        n => Some(WireFormat::from_u8(n).ok_or_else(|| r.damaged(format!("wire format {n}")))?),
    };
    let body = Bytes::copy_from_slice(r.bytes()?);
    let outcome = match r.u8()? {
        0 => Outcome::Visible,
        1 => Outcome::Duplicate { witness: read_position(r)? },
        2 => Outcome::Filtered { rule: r.u32()? },
        3 => Outcome::Dead { reason: DeadReason { code: r.str()?.to_owned(), message: r.str()?.to_owned() } },
        4 => Outcome::Control,
        5 => Outcome::Hole,
        n => return Err(r.damaged(format!("outcome {n}"))),
    };
    Ok(Exception { position, received_at, project, outcome, key, wire, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{EventStats, PropertyScope, PropertyStats, TypeSet};
    use proptest::prelude::*;
    use tallymark_model::{Control, Erasure, Lane, Seq, SubjectId};

    prop_compose! {
        fn seqs()(received_at: i64, position: u64) -> Seq {
            Seq { received_at, position }
        }
    }

    prop_compose! {
        fn positions()(lane in 0u8..2, partition in 0u16..16_384, offset in 0..=Position::OFFSET_MAX) -> Position {
            Position { lane: Lane::from_index(lane).unwrap(), partition, offset }
        }
    }

    fn ops() -> impl Strategy<Value = IdentityOp> {
        (seqs(), 0u8..5, any::<[u32; 4]>()).prop_map(|(seq, action, [d, u, ou, od])| IdentityOp {
            seq,
            action: Action::from_u8(action).unwrap(),
            device: SubjectId(d),
            user: SubjectId(u),
            other_user: SubjectId(ou),
            other_device: SubjectId(od),
        })
    }

    fn stats() -> impl Strategy<Value = ProjectStats> {
        let events = prop::collection::btree_map(
            any::<String>(),
            any::<(u64, i64, i64)>().prop_map(|(count, first, last)| EventStats { count, first, last }),
            0..3,
        );
        let property = (any::<(u64, u8)>(), any::<Vec<(u64, String)>>(), any::<Vec<String>>()).prop_map(
            |((count, types), examples, events)| PropertyStats {
                count,
                types: TypeSet(types),
                examples: examples.into_iter().collect(),
                events: events.into_iter().collect(),
            },
        );
        let scope = prop_oneof![Just(PropertyScope::Event), Just(PropertyScope::User)];
        let properties = prop::collection::btree_map((scope, any::<String>()), property, 0..3);
        (events, properties, any::<u64>()).prop_map(|(events, properties, unnamed)| ProjectStats {
            events,
            properties,
            unnamed,
        })
    }

    fn projects() -> impl Strategy<Value = DeltaProject> {
        let new =
            (any::<u32>(), any::<bool>(), any::<String>(), seqs()).prop_map(|(id, user, raw, first_seq)| {
                let kind = if user { SubjectKind::User } else { SubjectKind::Device };
                NewSubject { id: SubjectId(id), kind, raw, first_seq }
            });
        let active = any::<(u32, u64, i64, i64)>().prop_map(|(s, events, first, last)| SubjectActivity {
            subject: SubjectId(s),
            events,
            first,
            last,
        });
        (
            any::<u32>(),
            prop::collection::vec(new, 0..4),
            prop::collection::vec(ops(), 0..4),
            prop::collection::vec(active, 0..4),
            stats(),
        )
            .prop_map(|(p, subjects, ops, activity, stats)| DeltaProject {
                project: ProjectId(p),
                subjects,
                sights: (p % 2 == 0).then(|| activity.iter().map(|a| (a.subject, Seq::MIN)).collect()),
                retracted: Retracted {
                    activity: activity.clone(),
                    stats: stats.clone(),
                    ops: ops.iter().map(|op| op.seq).collect(),
                },
                ops,
                activity,
                stats,
            })
    }

    fn exceptions() -> impl Strategy<Value = Exception> {
        let outcome = prop_oneof![
            positions().prop_map(|witness| Outcome::Duplicate { witness }),
            any::<u32>().prop_map(|rule| Outcome::Filtered { rule }),
            any::<(String, String)>()
                .prop_map(|(code, message)| Outcome::Dead { reason: DeadReason { code, message } }),
            Just(Outcome::Hole),
        ];
        (positions(), any::<(i64, u32, u64, Vec<u8>)>(), 0u8..7, outcome).prop_map(
            |(position, (received_at, project, key, body), wire, outcome)| Exception {
                position,
                received_at,
                project: ProjectId(project),
                outcome,
                key,
                wire: WireFormat::from_u8(wire),
                body: body.into(),
            },
        )
    }

    fn controls() -> impl Strategy<Value = Control> {
        let refused = any::<(String, i64, u64, String)>()
            .prop_map(|(token, minute, count, reason)| Control::Refused { token, minute, count, reason });
        let erased = any::<(u32, String, i64, bool)>().prop_map(|(id, raw, made_at, undone)| {
            Control::Erase(Erasure {
                id,
                project: ProjectId(1),
                subjects: vec![(SubjectKind::User, raw)],
                by: "me".into(),
                reason: String::new(),
                made_at,
                undo_until: made_at,
                undone,
            })
        });
        prop_oneof![refused, erased]
    }

    proptest! {
        #[test]
        fn deltas_round_trip(
            commit: u128,
            projects in prop::collection::vec(projects(), 0..3),
            dedup in prop::collection::vec(any::<(u64, u64, i32)>(), 0..20),
            exceptions in prop::collection::vec(exceptions(), 0..5),
            controls in prop::collection::vec((positions(), controls()), 0..5),
            gone in prop::collection::vec((any::<u64>(), positions()), 0..5),
        ) {
            let dedup = dedup.into_iter().map(|(key, position, day)| DedupEntry { key, position, day }).collect();
            let delta = Delta {
                projects,
                dedup,
                exceptions,
                controls,
                broken: vec![BrokenRule { rule: 1, version: 2, problem: "no such operator".into() }],
                restated: gone.iter().map(|(_, p)| Interval::new(p.shard(), p.offset, p.offset + 3)).collect(),
                dedup_gone: gone.iter().map(|(key, p)| DedupEntry { key: *key, position: p.pack(), day: 3 }).collect(),
                ..Delta::empty(CommitId(uuid::Uuid::from_u128(commit)))
            };
            let bytes = delta.encode()?;
            prop_assert_eq!(Delta::decode(&bytes)?, delta);
            prop_assert!(Delta::decode(&bytes[..bytes.len() - 1]).is_err());
        }

        #[test]
        fn sealed_nonsense_is_an_error_not_a_panic(body: Vec<u8>) {
            let bytes = seal(FrameKind::Delta, &body)?;
            if let Ok(delta) = Delta::decode(&bytes) {
                // Whatever decodes must be a delta that encodes to something equal.
                prop_assert_eq!(Delta::decode(&delta.encode()?)?, delta);
            }
        }
    }
}
