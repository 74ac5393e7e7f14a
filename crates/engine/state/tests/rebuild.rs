//! State is a fold: however it is arrived at, it is the same (I8).
//!
//! Random streams of events are turned into deltas through the overlay, as the processor does; then state from all
//! deltas, from a checkpoint and the rest, from a damaged checkpoint, with every delta offered twice, and across an
//! upgrade from reader to writer are compared by digest.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use std::path::Path;
use tallymark_identity::IdentityOp;
use tallymark_model::{
    CommitId, CommitSeq, Event, Lane, Outcome, Position, ProjectId, Seq, SubjectId, SubjectKind,
};
use tallymark_state::{
    Applied, DedupEntry, Delta, Exception, State, StateConfig, StateError, StateReader, StatsBuilder, day_of,
    dedup_key,
};

const CONFIG: StateConfig = StateConfig { dedup_days: 2 };

/// One record of a stream: who, which insert id, what kind, how late.
#[derive(Debug, Clone)]
struct Sent {
    project: u32,
    device: Option<u8>,
    user: Option<u8>,
    insert: u8,
    kind: u8,
    day: u8,
}

fn sent() -> impl Strategy<Value = Sent> {
    let id = |n: u8| prop::option::of(0..n);
    (1u32..3, id(5), id(4), 0u8..12, 0u8..10, 0u8..6).prop_map(
        |(project, device, user, insert, kind, day)| Sent { project, device, user, insert, kind, day },
    )
}

fn id(n: u64) -> CommitId {
    CommitId(uuid::Uuid::from_u128(u128::from(n) << 64 | 7))
}

/// A simple decider: enough of the processor to exercise state.
fn decide(state: &State, offset: u64, batch: &[Sent], commit: CommitId) -> Delta {
    let mut overlay = state.overlay();
    for (i, sent) in batch.iter().enumerate() {
        let position = Position { lane: Lane::Live, partition: 1, offset: offset + i as u64 };
        let seq = Seq::new(i64::from(sent.day) * 86_400_000 + position.offset as i64, position);
        let project = ProjectId(sent.project);
        let device = sent.device.map(|n| format!("device-{n}"));
        let user = sent.user.map(|n| format!("user-{n}"));
        let who = device
            .as_deref()
            .map(|d| (SubjectKind::Device, d))
            .or(user.as_deref().map(|u| (SubjectKind::User, u)));
        let key = dedup_key(project, who, &sent.insert.to_string());
        let day = day_of(seq.received_at);
        if let Some(witness) = overlay.witness(key, day, position) {
            overlay.exception(Exception {
                position,
                received_at: seq.received_at,
                project,
                outcome: Outcome::Duplicate { witness },
                key,
                wire: None,
                body: Default::default(),
            });
            continue;
        }
        overlay.row(DedupEntry { key, position: position.pack(), day });
        let part = overlay.project(project);
        let mut number = |kind, raw: &Option<String>| {
            raw.as_ref().map_or(SubjectId::NONE, |raw| part.subject(kind, raw, seq))
        };
        let (d, u) = (number(SubjectKind::Device, &device), number(SubjectKind::User, &user));
        let op = match sent.kind {
            8 => IdentityOp::reset(seq, d, u),
            9 => {
                let other = format!("user-{}", sent.insert % 4);
                let others =
                    (part.mention(SubjectKind::User, &other), part.mention(SubjectKind::Device, &other));
                IdentityOp::alias(seq, (d, u), others)
            }
            _ => IdentityOp::of_event(seq, d, u),
        };
        part.op(op);
        part.active(if u.is_none() { d } else { u }, seq.received_at);
        let mut stats = StatsBuilder::default();
        stats.add(&Event { name: format!("event-{}", sent.kind), time: seq.received_at, ..Event::default() });
        part.stats(&stats.finish());
    }
    overlay.finish(commit)
}

/// Deltas 1.. of a stream, commit 2, 5, 8 … being a compaction without one.
fn deltas(commits: &[Vec<Sent>]) -> (State, Vec<Option<Delta>>) {
    let mut state = State::empty(CONFIG);
    let mut all = Vec::new();
    let mut offset = 0;
    for batch in commits {
        let seq = CommitSeq(state.applied().0 + 1);
        if seq.0 % 3 == 2 {
            state.pass(seq, id(seq.0)).unwrap();
            all.push(None);
        }
        let seq = CommitSeq(state.applied().0 + 1);
        let delta = decide(&state, offset, batch, id(seq.0));
        let travelled = Delta::decode(&delta.encode().unwrap()).unwrap();
        assert_eq!(travelled, delta);
        state.apply(seq, &travelled).unwrap();
        all.push(Some(travelled));
        offset += batch.len() as u64;
    }
    (state, all)
}

fn feed(state: &mut State, deltas: &[Option<Delta>], from: u64, to: u64) {
    for seq in from..=to {
        offer(state, deltas, seq).unwrap();
    }
}

fn offer(state: &mut State, deltas: &[Option<Delta>], seq: u64) -> Result<Applied, StateError> {
    match &deltas[seq as usize - 1] {
        Some(delta) => state.apply(CommitSeq(seq), delta),
        None => state.pass(CommitSeq(seq), id(seq)),
    }
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_way_of_arriving_gives_the_same_state(
        commits in prop::collection::vec(prop::collection::vec(sent(), 0..12), 2..9),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 2),
        harm in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let (straight, deltas) = deltas(&commits);
        let last = straight.applied().0;
        let dir = tempfile::tempdir().unwrap();
        let mut points: Vec<u64> = cuts.iter().map(|c| c.index(last as usize) as u64 + 1).collect();
        points.sort_unstable();

        // All deltas, each offered twice.
        let mut again = State::empty(CONFIG);
        for seq in 1..=last {
            prop_assert_eq!(offer(&mut again, &deltas, seq)?, Applied::Moved);
            prop_assert_eq!(offer(&mut again, &deltas, seq)?, Applied::Already);
            if points.contains(&seq) {
                again.checkpoint(dir.path())?;
            }
        }
        prop_assert_eq!(again.digest(), straight.digest());

        // Checkpoint and the deltas since.
        let mut resumed = State::open(dir.path(), CONFIG)?;
        prop_assert_eq!(resumed.applied(), CommitSeq(points[1]));
        prop_assert_eq!(resumed.tip(), Some((CommitSeq(points[1]), id(points[1]))));
        feed(&mut resumed, &deltas, points[1] + 1, last);
        prop_assert_eq!(resumed.digest(), straight.digest());

        // A reader that starts from the same file and follows.
        let reader = StateReader::open(dir.path())?;
        for seq in reader.applied().0 + 1..=last {
            match &deltas[seq as usize - 1] {
                Some(delta) => reader.apply(CommitSeq(seq), delta)?,
                None => reader.pass(CommitSeq(seq), id(seq))?,
            };
        }
        for project in [ProjectId(1), ProjectId(2)] {
            let mut graph = straight.project(project).map(|p| p.graph.clone()).unwrap_or_default();
            let (expected, snapshot) = (graph.view(), reader.snapshot(project));
            prop_assert_eq!(snapshot.identity.dense(), expected.dense());
            prop_assert_eq!(snapshot.seq, CommitSeq(last));
            prop_assert_eq!(snapshot.names.len() as usize + 1, expected.dense().len());
        }

        // The newest checkpoint is damaged somewhere: the older one, or nothing, and the deltas.
        let newest = files(dir.path()).pop().unwrap();
        let mut bytes = std::fs::read(&newest).unwrap();
        let at = harm.index(bytes.len());
        bytes[at] ^= flip;
        std::fs::write(&newest, bytes).unwrap();
        let mut mended = State::open(dir.path(), CONFIG)?;
        prop_assert!(mended.applied().0 < points[1]);
        let from = mended.applied().0 + 1;
        feed(&mut mended, &deltas, from, last);
        prop_assert_eq!(mended.digest(), straight.digest());
    }

    #[test]
    fn a_checkpoint_cut_anywhere_is_ignored(
        commits in prop::collection::vec(prop::collection::vec(sent(), 1..12), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let (state, _) = deltas(&commits);
        let dir = tempfile::tempdir().unwrap();
        state.checkpoint(dir.path())?;
        let file = files(dir.path()).pop().unwrap();
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..cut.index(bytes.len())]).unwrap();
        prop_assert_eq!(State::open(dir.path(), CONFIG)?.applied(), CommitSeq(0));
    }
}

fn one(insert: u8) -> Vec<Sent> {
    vec![Sent { project: 1, device: Some(1), user: Some(1), insert, kind: 0, day: 0 }]
}

#[test]
fn gaps_strangers_and_misfits_change_nothing() {
    let (state, deltas) = deltas(&[one(1), one(2), one(3)]);
    let mut other = State::empty(CONFIG);
    feed(&mut other, &deltas, 1, 1);
    let before = other.digest();
    let skipped = other.apply(CommitSeq(3), deltas[2].as_ref().unwrap());
    assert!(
        matches!(skipped, Err(StateError::Gap { applied: CommitSeq(1), offered: CommitSeq(3) })),
        "{skipped:?}"
    );
    let stranger = other.apply(CommitSeq(1), &Delta::empty(id(99)));
    assert!(matches!(stranger, Err(StateError::Foreign { seq: CommitSeq(1), .. })), "{stranger:?}");
    // The first delta numbers subjects from 1; offered as the second it would number them again.
    let misfit = other.apply(CommitSeq(2), deltas[0].as_ref().unwrap());
    assert!(matches!(misfit, Err(StateError::Mismatch { .. })), "{misfit:?}");
    assert_eq!((other.digest(), other.applied()), (before, CommitSeq(1)));
    assert_ne!(other.digest(), state.digest());
}

#[test]
fn only_two_checkpoints_are_kept_and_leftovers_go() {
    let (_, deltas) = deltas(&[one(1), one(2), one(3), one(4)]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("00000000000000000009.tmp-77"), "half").unwrap();
    let mut state = State::empty(CONFIG);
    for seq in 1..=4 {
        offer(&mut state, &deltas, seq).unwrap();
        assert_eq!(state.checkpoint(dir.path()).unwrap(), CommitSeq(seq));
    }
    let names: Vec<_> = files(dir.path()).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["00000000000000000003.state", "00000000000000000004.state"]);
}

#[test]
fn a_resend_in_a_later_commit_has_its_witness() {
    let mut twice = one(1);
    twice.extend(one(1));
    let (state, deltas) = deltas(&[twice, one(1), one(2)]);
    let exceptions: Vec<_> = deltas.iter().flatten().flat_map(|d| &d.exceptions).collect();
    assert_eq!(exceptions.len(), 2);
    for e in exceptions {
        let Outcome::Duplicate { witness } = e.outcome else { panic!("{e:?}") };
        assert_eq!(witness.offset, 0);
    }
    assert_eq!(state.dedup().len(), 2);
    let person = state.project(ProjectId(1)).unwrap();
    assert_eq!(person.activity(SubjectId(2)).events, 2);
}
