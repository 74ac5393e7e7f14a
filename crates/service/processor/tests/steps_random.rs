//! Random streams through the steps, in order and disturbed: skips, replays, rule changes, records decided again.
//!
//! What must hold: at most one visible row per insert id and a visible witness for every duplicate (I5); the newest
//! deltas give the outcome of every record; state is what the visible rows say, whatever happened on the way (A19-8,
//! R21); a disturbed run ends in the rows and persons of an undisturbed one; every delta can be derived again (I12).
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "steps/world.rs"]
mod world;

use proptest::prelude::*;
use std::collections::BTreeMap;
use tallymark_model::{Control, Outcome, Position, RuleAction, SubjectId, SubjectKind};
use tallymark_processor::steps::rederive::outcomes;
use tallymark_state::{Activity, ProjectStats, StatsBuilder, day_of, dedup_key};
use world::{Item, Log, PROJECT, Sent, World, rule, shards};

#[derive(Debug, Clone)]
enum Move {
    Step(Vec<(usize, u64)>),
    Skip(usize, u64),
    Replay(usize),
    Reprocess(usize, u64, u64, bool),
}

fn sent(inserts: u16, among: usize) -> impl Strategy<Value = Sent> {
    let id = |n: u8| prop::option::weighted(0.7, 0..n);
    let insert = prop::option::weighted(0.8, 0..inserts.max(1));
    (0..among, id(3), id(3), insert, 0u8..11, 0u8..4).prop_map(
        move |(shard, device, user, insert, kind, name)| {
            let insert = insert.filter(|_| inserts > 0);
            Sent { shard: shards()[shard], device, user, insert, kind, name }
        },
    )
}

fn action() -> impl Strategy<Value = RuleAction> {
    let names = || prop::collection::vec((0u8..4).prop_map(|n| format!("event-{n}")), 0..2);
    let above = |n: u8| serde_json::json!({"property": "p", "op": "gt", "value": n});
    prop_oneof![
        (names(), 0u8..3)
            .prop_map(move |(events, n)| RuleAction::Drop { events, conditions: vec![above(n)] }),
        (0u8..3).prop_map(|n| RuleAction::Block { devices: vec![format!("device-{n}")], users: vec![] }),
        Just(RuleAction::Properties { deny: vec!["p".into(), "plan".into()], allow: None }),
        Just(RuleAction::Drop {
            events: vec![],
            conditions: vec![serde_json::json!({"property": "p", "op": "odd"})]
        }),
    ]
}

/// A log: events, and rule records here and there.
/// `shards`: how many of the shards carry events; copies that meet across shards have no order of their own.
fn log(inserts: u16, rules: bool, shards: usize) -> impl Strategy<Value = Log> {
    let event = sent(inserts, shards).prop_map(Some);
    let item = if rules { prop_oneof![12 => event, 1 => Just(None)].boxed() } else { event.boxed() };
    (prop::collection::vec((item, action(), 1u32..3, any::<bool>()), 5..60)).prop_map(|items| {
        let mut log = Log::new();
        let mut versions: BTreeMap<u32, u32> = BTreeMap::new();
        for (item, action, id, enabled) in items {
            match item {
                Some(sent) => {
                    log.append(sent.shard, &Item::Event(sent));
                }
                None => {
                    let version = versions.entry(id).or_default();
                    *version += 1;
                    log.everywhere(&Control::Rule(rule(id, *version, enabled, action)));
                }
            }
        }
        log
    })
}

fn moves(reprocess: bool) -> impl Strategy<Value = Vec<Move>> {
    let step = prop::collection::vec((0..3usize, 1u64..6), 1..4).prop_map(|mut wanted| {
        wanted.sort_unstable();
        wanted.dedup_by_key(|(shard, _)| *shard);
        Move::Step(wanted)
    });
    let skip = (0..3usize, 1u64..6).prop_map(|(shard, n)| Move::Skip(shard, n));
    let replay = (0..9usize).prop_map(Move::Replay);
    let again = (0..3usize, 0u64..25, 1u64..12, any::<bool>())
        .prop_map(|(shard, from, n, rows)| Move::Reprocess(shard, from, n, rows));
    let one = if reprocess {
        prop_oneof![4 => step, 2 => skip, 2 => replay, 3 => again].boxed()
    } else {
        prop_oneof![4 => step, 2 => skip, 2 => replay].boxed()
    };
    prop::collection::vec(one, 0..20)
}

fn run(world: &mut World, moves: &[Move]) {
    for m in moves {
        match m {
            Move::Step(wanted) => world.step(wanted),
            Move::Skip(shard, n) => world.skip(*shard, *n),
            Move::Replay(which) => world.replay(*which),
            Move::Reprocess(shard, from, n, rows) => world.reprocess(*shard, *from, *n, *rows),
        }
    }
}

fn key_of(world: &World, p: Position) -> Option<u64> {
    let row = &world.rows[&p].event;
    let who = row.device_id.as_deref().map(|d| (SubjectKind::Device, d));
    let who = who.or(row.user_id.as_deref().map(|u| (SubjectKind::User, u)));
    Some(dedup_key(PROJECT, who, row.insert_id.as_deref()?))
}

/// Whatever happened: the books, the deltas, the index and the sums say what the rows say.
fn check(world: &World) -> Result<(), TestCaseError> {
    let said = outcomes(&world.deltas);
    let mut keys: BTreeMap<u64, Position> = BTreeMap::new();
    for (position, (project, outcome)) in &world.outcomes {
        let visible = *outcome == Outcome::Visible;
        prop_assert_eq!(visible, world.rows.contains_key(position), "row of {}", position);
        prop_assert_eq!(visible, !said.contains_key(position), "delta about {}", position);
        if let Some((held, found, key)) = said.get(position) {
            prop_assert_eq!((held, found), (project, outcome));
            if let Outcome::Duplicate { witness } = outcome {
                prop_assert_eq!(&world.outcomes[witness].1, &Outcome::Visible, "witness of {}", position);
                prop_assert_eq!(key_of(world, *witness), Some(*key));
            }
        } else if let Some(key) = key_of(world, *position) {
            prop_assert_eq!(keys.insert(key, *position), None, "two rows of one id");
        }
    }
    prop_assert_eq!(world.state.dedup().len(), keys.len());
    for (key, position) in keys {
        let day = day_of(world.rows[&position].event.received_at);
        prop_assert_eq!(world.state.dedup().get(key, day), Some(position));
    }
    let (mut stats, mut active) = (StatsBuilder::default(), BTreeMap::<SubjectId, u64>::new());
    for (position, row) in &world.rows {
        let record = world.log.at(*position);
        let tallymark_processor::steps::decode::Content::Event { event: Ok(event), .. } = record.content
        else {
            panic!("a row of no event");
        };
        let mut event = *event;
        event.properties = row.event.properties.clone();
        event
            .person_ops
            .retain(|op| row.event.subject.is_none() || row.properties.iter().any(|p| p.name == op.name));
        if !row.event.subject.is_none() && !tallymark_model::is_operation(&event.name) {
            *active.entry(row.event.subject).or_default() += 1;
        }
        stats.add(&event);
    }
    let Some(project) = world.state.project(PROJECT) else { return Ok(()) };
    let of_nobody = |s: &ProjectStats| -> BTreeMap<String, u64> {
        s.events.iter().map(|(name, e)| (name.clone(), e.count)).collect()
    };
    prop_assert_eq!(of_nobody(&project.stats), of_nobody(&stats.finish()));
    for n in 1..=project.subjects.len() {
        let found: Activity = project.activity(SubjectId(n));
        prop_assert_eq!(found.events, active.get(&SubjectId(n)).copied().unwrap_or(0));
    }
    Ok(())
}

/// A few hundred take seconds; `STEPS_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("STEPS_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_books_say_what_the_rows_say(
        log in log(6, true, 3),
        moves in moves(true),
        last in prop::option::of((0..3usize, any::<bool>())),
    ) {
        let mut world = World::new(log);
        run(&mut world, &moves);
        check(&world)?;
        world.drain();
        if let Some((shard, rows)) = last {
            world.reprocess(shard, 0, 1000, rows);
            // By the same rules again: nothing to say.
            let before = (world.outcomes.clone(), world.seen());
            world.reprocess(shard, 0, 1000, rows);
            let delta = world.deltas.last().unwrap();
            prop_assert!(delta.restated.is_empty() && delta.projects.is_empty() && delta.dedup_gone.is_empty(), "{:?}", delta);
            prop_assert_eq!((world.outcomes.clone(), world.seen()), before);
        }
        check(&world)?;
        world.rederive_all();
    }

    #[test]
    fn a_disturbed_run_ends_as_an_undisturbed_one(
        log in prop_oneof![log(0, true, 3), log(8, true, 1)],
        moves in moves(false),
    ) {
        let mut straight = World::new(log.clone());
        // In the order of receipt, as far as groups of all shards go.
        for _ in 0..60 {
            straight.step(&[(0, 2), (1, 2), (2, 2)]);
        }
        let mut disturbed = World::new(log);
        run(&mut disturbed, &moves);
        disturbed.drain();
        check(&disturbed)?;
        disturbed.rederive_all();
        prop_assert_eq!(disturbed.seen(), straight.seen());
        prop_assert_eq!(&disturbed.outcomes, &straight.outcomes);
        // Where a row gave way to an earlier copy, its times and first sights stay; counts are exact (see `check`).
        let gave_way = disturbed.deltas.iter().any(|d| !d.restated.is_empty());
        if !gave_way {
            prop_assert_eq!(disturbed.persons(), straight.persons());
            let stats = |w: &World| w.state.project(PROJECT).map(|p| p.stats.clone());
            prop_assert_eq!(stats(&disturbed), stats(&straight));
            let activity = |w: &World| -> BTreeMap<(SubjectKind, String), Activity> {
                let Some(p) = w.state.project(PROJECT) else { return BTreeMap::new() };
                let of = |(id, kind, raw): (SubjectId, SubjectKind, &str)| ((kind, raw.to_owned()), p.activity(id));
                p.subjects.names().iter().map(of).collect()
            };
            prop_assert_eq!(activity(&disturbed), activity(&straight));
        }
        prop_assert_eq!(&disturbed.state.controls().rules, &straight.state.controls().rules);
    }
}
