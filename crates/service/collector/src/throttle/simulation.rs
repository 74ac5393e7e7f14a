//! The throttle as a whole against an exact model: whom it refuses, and whom it never does.
//!
//! The model keeps one exact bucket for every sender, charged with what the throttle let pass. Two properties:
//! whatever is refused, the model has no room for either (no false positive, whatever the sketch sees); and over
//! its life no sender gets more than a burst, its rate, and the quarter of a burst that finding it may cost.

use super::bucket::{Bucket, Now};
use super::judge::{Fate, Grouped, Offer};
use super::rules::{Action, Lookup, Per, Rule, Rules};
use super::state::State;
use super::table::{ROWS_MAX, Table};
use proptest::prelude::*;
use std::collections::HashMap;
use tallymark_model::{Lane, ProjectToken};
use tallymark_wire::{Dialect, Sender, token_of};

/// A throttle that can be stopped and started, and its exact model.
struct World {
    rules: Lookup,
    table: Table,
    model: HashMap<(Per, String), Bucket>,
    passed: HashMap<String, u64>,
    token: ProjectToken,
    /// Each start may forgive what only the sketch knew.
    starts: u64,
}

fn at(ms: u64) -> Now {
    Now { mono_ms: ms, wall_ms: ms as i64 }
}

impl World {
    fn new(rules: Vec<Rule>) -> World {
        World {
            rules: Lookup::new(Rules { rules, ..Rules::default() }).unwrap(),
            table: Table::new(),
            model: HashMap::new(),
            passed: HashMap::new(),
            token: token_of("k"),
            starts: 1,
        }
    }

    fn send(&mut self, dialect: Dialect, senders: &[Sender], now: Now) -> Vec<Fate> {
        let offer = Offer { token: self.token, lane: Lane::Live, dialect, senders };
        let random = self.table.random();
        let Some(grouped) = Grouped::new(&self.rules, &random, &offer) else {
            return vec![Fate::Pass; senders.len()];
        };
        let verdict = grouped.judge(&mut self.table, &offer, now);
        let refused_whole = verdict.refusal.is_some();
        let said: Vec<usize> = verdict.refusal.map(|said| said.events).unwrap_or_default();
        for (fate, sender) in verdict.fates.iter().zip(senders) {
            assert_eq!(
                said.contains(&sender.index),
                refused_whole && matches!(fate, Fate::Refuse(_)),
                "the answer names what was refused"
            );
        }
        let fates = verdict.fates;
        self.compare(&fates, dialect, senders, now);
        for (fate, sender) in fates.iter().zip(senders) {
            if *fate == Fate::Pass && !refused_whole {
                for (per, id) in ids(sender) {
                    if let Some(rule) = self.rules.applying(self.token, Lane::Live)[per as usize] {
                        let bucket = self.model.entry((per, id.clone())).or_default();
                        bucket.settle(rule.events_per_second, now);
                        bucket.take(1, now);
                        *self.passed.entry(format!("{per:?} {id}")).or_default() += 1;
                    }
                }
            }
        }
        fates
    }

    /// No false positive: for some id of an event that did not pass, the model has no room for what was sent.
    fn compare(&mut self, fates: &[Fate], dialect: Dialect, senders: &[Sender], now: Now) {
        let mut offered: HashMap<(Per, String), u64> = HashMap::new();
        for sender in senders {
            ids(sender).into_iter().for_each(|id| *offered.entry(id).or_default() += 1);
        }
        for (fate, sender) in fates.iter().zip(senders) {
            if *fate == Fate::Pass {
                continue;
            }
            let is_over = ids(sender).into_iter().any(|(per, id)| {
                let Some(rule) = self.rules.applying(self.token, Lane::Live)[per as usize] else {
                    return false;
                };
                let n = offered[&(per, id.clone())];
                let bucket = self.model.entry((per, id)).or_default();
                bucket.settle(rule.events_per_second, now);
                match dialect {
                    Dialect::Native | Dialect::Amplitude => bucket.room(rule) < n,
                    _ => !bucket.fits(n, rule),
                }
            });
            assert!(is_over, "{sender:?} was {fate:?} although it was within its limits");
        }
    }

    fn restart(&mut self, now: Now) {
        let state = State::of(&mut self.table, Default::default(), now);
        let text = serde_json::to_string(&state).unwrap();
        self.table = Table::new();
        let state: State = serde_json::from_str(&text).unwrap();
        state.restore(&mut self.table, &self.rules, now);
        self.starts += 1;
    }

    fn check_bounds(&self, per: Per, ms: u64) {
        let rule = self.rules.applying(self.token, Lane::Live)[per as usize].unwrap();
        for ((kind, id), _) in self.model.iter().filter(|((kind, _), _)| *kind == per) {
            let passed = self.passed.get(&format!("{kind:?} {id}")).copied().unwrap_or(0) as f64;
            let found = (rule.burst as f64 / 4.0).max(1.0) * self.starts as f64;
            let allowed = rule.burst as f64 + rule.events_per_second * ms as f64 / 1000.0 + found + 1.0;
            assert!(passed <= allowed, "{id} got {passed} of {allowed}");
        }
    }
}

fn ids(sender: &Sender) -> Vec<(Per, String)> {
    let device = sender.device.clone().map(|id| (Per::Device, id));
    device.into_iter().chain(sender.user.clone().map(|id| (Per::User, id))).collect()
}

fn rule(per: Per, rate: f64, burst: u64) -> Rule {
    Rule {
        name: format!("{per:?}").to_lowercase(),
        per,
        events_per_second: rate,
        burst,
        ..Rules::default().rules[0].clone()
    }
}

fn device(index: usize, id: String) -> Sender {
    Sender { index, device: Some(id), user: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn nobody_is_refused_within_its_limits_and_nobody_gets_much_more(
        rate in 1u64..20, burst in 1u64..60,
        dialect in prop::sample::select(vec![Dialect::Native, Dialect::Amplitude, Dialect::Posthog, Dialect::Segment]),
        requests in prop::collection::vec(
            (0u64..1500, prop::collection::vec((0u8..4, 0u8..4), 1..30), prop::bool::weighted(0.05)),
            1..80,
        ),
    ) {
        let rules = vec![rule(Per::Device, rate as f64, burst), rule(Per::User, rate as f64 * 1.5, burst * 2)];
        let (mut world, mut ms) = (World::new(rules), 0);
        for (pause, events, restarts) in requests {
            ms += pause;
            let sender = |(index, (device, user)): (usize, (u8, u8))| Sender {
                index,
                device: (device > 0).then(|| format!("d{device}")),
                user: (user > 0).then(|| format!("u{user}")),
            };
            let senders: Vec<Sender> = events.into_iter().enumerate().map(sender).collect();
            let fates = world.send(dialect, &senders, at(ms));
            // Amplitude's clients send what was not named again, at once; it must pass.
            if dialect == Dialect::Amplitude && fates.iter().any(|fate| *fate != Fate::Pass) {
                let kept: Vec<Sender> = senders
                    .into_iter()
                    .zip(fates)
                    .filter(|(_, fate)| *fate == Fate::Pass)
                    .map(|(sender, _)| sender)
                    .collect();
                let again = world.send(dialect, &kept, at(ms));
                prop_assert!(again.iter().all(|fate| *fate == Fate::Pass), "{again:?}");
            }
            if restarts {
                world.restart(at(ms));
            }
        }
        // A request larger than the whole burst may pass as a whole where events cannot be named.
        if matches!(dialect, Dialect::Native | Dialect::Amplitude) {
            world.check_bounds(Per::Device, ms);
            world.check_bounds(Per::User, ms);
        }
    }
}

/// Ten devices at a thousand times the rate of 100,000 others, with a restart in the middle.
#[test]
fn ten_abusers_among_a_hundred_thousand() {
    let mut world = World::new(vec![rule(Per::Device, 100.0, 2_000)]);
    let (seconds, normal, abusers) = (20u64, 100_000u64, 10u64);
    let mut marked_normal = 0;
    for second in 0..seconds {
        // Normal devices send one event a second, 2,000 devices to a request (a proxy's worst case).
        for request in 0..normal / 2_000 {
            let now = at(second * 1_000 + request * 20);
            let senders: Vec<Sender> =
                (0..2_000).map(|n| device(n, format!("normal-{}", request * 2_000 + n as u64))).collect();
            let fates = world.send(Dialect::Segment, &senders, now);
            marked_normal += fates.iter().filter(|fate| **fate != Fate::Pass).count();
        }
        for tick in 0..10 {
            for abuser in 0..abusers {
                let senders: Vec<Sender> = (0..100).map(|n| device(n, format!("abuser-{abuser}"))).collect();
                world.send(Dialect::Posthog, &senders, at(second * 1_000 + tick * 100));
            }
        }
        if second == seconds / 2 {
            world.restart(at(second * 1_000 + 999));
        }
    }
    assert_eq!(marked_normal, 0, "false positives");
    world.check_bounds(Per::Device, seconds * 1_000);
    let rows = world.table.rows();
    assert!(rows.len() <= 200, "{} rows for ten abusers", rows.len());
    let abusers_seen = rows.iter().filter(|row| row.subject.id.starts_with("abuser")).count();
    assert_eq!(abusers_seen, abusers as usize);
    for abuser in 0..abusers {
        let passed = world.passed[&format!("Device abuser-{abuser}")];
        assert!(passed < 5_000, "abuser {abuser} got {passed} of 20,000 events");
    }
    assert!(rows.len() <= ROWS_MAX);
}

#[test]
fn a_neighbour_in_the_batch_does_not_suffer() {
    let mut world = World::new(vec![rule(Per::Device, 1.0, 10)]);
    let mixed: Vec<Sender> = (0..40)
        .map(|n| device(n, if n % 2 == 0 { "abuser".into() } else { format!("normal-{n}") }))
        .collect();
    let fates = |dialect, world: &mut World| world.send(dialect, &mixed, at(0));
    // The abuser's 20 events do not fit: marked in a protocol that cannot name them, refused in one that can.
    world.send(Dialect::Posthog, &[device(0, "abuser".into()), device(1, "abuser".into())], at(0));
    world.send(Dialect::Posthog, &[device(0, "abuser".into()), device(1, "abuser".into())], at(0));
    for (n, fate) in fates(Dialect::Posthog, &mut world).into_iter().enumerate() {
        assert_eq!(matches!(fate, Fate::Mark(_)), n % 2 == 0, "{n} {fate:?}");
        assert_eq!(fate == Fate::Pass, n % 2 == 1);
    }
    let refused = fates(Dialect::Native, &mut world);
    assert!(refused.iter().enumerate().all(|(n, fate)| n % 2 == 0 || *fate == Fate::Pass));
    assert!(refused.iter().filter(|fate| matches!(fate, Fate::Refuse(_))).count() >= 10);
}

#[test]
fn the_key_counts_what_its_senders_limits_leave() {
    let key = Rule { name: "key".into(), ..rule(Per::Key, 1.0, 100) };
    let mut world = World::new(vec![rule(Per::Device, 1.0, 10), key]);
    // 200 events of one device: its own limit refuses them all, the key's account is not charged.
    let alone: Vec<Sender> = (0..200).map(|n| device(n, "abuser".into())).collect();
    world.send(Dialect::Segment, &alone, at(0));
    world.send(Dialect::Segment, &alone, at(0));
    let others: Vec<Sender> = (0..90).map(|n| device(n, format!("normal-{n}"))).collect();
    // The first request passed, because nothing had been sent before: 200 of 100 are used up.
    let fates = world.table.rows().iter().map(|row| (row.subject.rule.clone(), row.bucket.level() as u64));
    let levels: HashMap<String, u64> = fates.collect();
    assert_eq!((levels["device"], levels["key"]), (200, 200));
    let offer =
        |senders| Offer { token: token_of("k"), lane: Lane::Live, dialect: Dialect::Segment, senders };
    let random = world.table.random();
    let verdict = Grouped::new(&world.rules, &random, &offer(&others)).unwrap().judge(
        &mut world.table,
        &offer(&others),
        at(0),
    );
    let said = verdict.refusal.unwrap();
    assert!(said.key && said.devices.is_empty() && said.events.len() == 90);
    let verdict = Grouped::new(&world.rules, &random, &offer(&others)).unwrap().judge(
        &mut world.table,
        &offer(&others),
        at(200_000),
    );
    assert!(verdict.refusal.is_none());
}

#[test]
fn marking_takes_everything_and_refuses_nothing() {
    let mark = Rule { action: Action::Mark, ..rule(Per::Device, 1.0, 10) };
    let mut world = World::new(vec![mark]);
    let senders: Vec<Sender> = (0..30).map(|n| device(n, "abuser".into())).collect();
    let fates = world.send(Dialect::Native, &senders, at(0));
    assert_eq!(fates.iter().filter(|fate| **fate == Fate::Pass).count(), 10);
    assert_eq!(fates.iter().filter(|fate| matches!(fate, Fate::Mark(_))).count(), 20);
    assert!(world.send(Dialect::Posthog, &senders, at(1)).iter().all(|fate| matches!(fate, Fate::Mark(_))));
}
