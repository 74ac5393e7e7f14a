//! Random worlds.

use crate::reference::{RefEvent, World};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};
use tallymark_model::{IdentityAction, Lane, Millis, Position, PropertyOp, PropertyOpKind, Seq};

/// What a random world is like.
#[derive(Debug, Clone)]
pub struct WorldShape {
    /// At most this many events.
    pub events: usize,
    /// Number of different user ids.
    pub users: u32,
    /// Number of different device ids.
    pub devices: u32,
    /// Length of the stretch of time the events lie in, from 2025-10-24 (with the end of summer time in
    /// Europe and America inside if it is longer than ten days).
    pub days: i64,
    /// Event times are multiples of this: coarse clocks make ties.
    pub tick_ms: Millis,
    /// `$alias`, `$merge` and `$reset` among the events.
    pub operations: bool,
}

impl Default for WorldShape {
    fn default() -> Self {
        WorldShape { events: 60, users: 4, devices: 4, days: 14, tick_ms: 3_600_000, operations: true }
    }
}

/// 2025-10-24T00:00:00Z.
const BEGIN: Millis = 1_761_264_000_000;

/// Random worlds of a shape. Log positions are dense per partition and receive times grow with them; events
/// are in log order.
pub fn world(shape: WorldShape) -> impl Strategy<Value = World> {
    let zones =
        select(vec!["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"]);
    let events = prop::collection::vec(event(&shape), 0..=shape.events);
    (events, zones, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(events, zone, sunday_weeks, first_user_owns_device)| World {
            events: placed(events),
            timezone: zone.to_owned(),
            sunday_weeks,
            first_user_owns_device,
            inactive: vec!["push".into()],
            ..World::default()
        },
    )
}

/// One world of a shape, the same for the same seed on every machine.
pub fn seeded(seed: u64, shape: WorldShape) -> World {
    let mut bytes = [0u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    // Exactly as many events as the shape says, not at most.
    let events = prop::collection::vec(event(&shape), shape.events..=shape.events);
    let tree = events.new_tree(&mut runner);
    let events = tree.map(|t| t.current()).unwrap_or_default();
    World { events: placed(events), inactive: vec!["push".into()], ..World::default() }
}

/// Logs that are mostly identity transitions, in log order.
pub fn identity_log(events: usize, users: u32, devices: u32) -> impl Strategy<Value = Vec<RefEvent>> {
    let id =
        |prefix: &'static str, n: u32| prop::option::of((0..n).prop_map(move |i| format!("{prefix}{i}")));
    // Names of both kinds, of nobody, and one that is a user and a device alike.
    let other = prop_oneof![
        3 => (0..users).prop_map(|i| format!("u{i}")),
        3 => (0..devices).prop_map(|i| format!("d{i}")),
        1 => (0..3u32).prop_map(|i| format!("x{i}")),
        1 => Just("both".to_owned()),
    ];
    let both = |ids: (Option<String>, Option<String>, u8)| match ids.2 {
        0 => (Some("both".to_owned()), ids.1),
        1 => (ids.0, Some("both".to_owned())),
        _ => (ids.0, ids.1),
    };
    let ids = (id("u", users), id("d", devices), 0..20u8).prop_map(both);
    let action = prop_oneof![
        6 => Just(IdentityAction::None),
        1 => Just(IdentityAction::Reset),
        1 => other.clone().prop_map(|other| IdentityAction::Alias { other }),
        1 => other.prop_map(|other| IdentityAction::Merge { other }),
    ];
    let event = (ids, action).prop_map(|((user_id, device_id), action)| RefEvent {
        event: name_of(&action).to_owned(),
        user_id,
        device_id,
        action,
        ..RefEvent::default()
    });
    prop::collection::vec(event, 0..=events).prop_map(placed)
}

fn name_of(action: &IdentityAction) -> &'static str {
    match action {
        IdentityAction::None => "visit",
        IdentityAction::Reset => "$reset",
        IdentityAction::Alias { .. } => "$alias",
        IdentityAction::Merge { .. } => "$merge",
    }
}

/// Gives events their places in the log: three partitions in turn, receive times that often tie.
fn placed(mut events: Vec<RefEvent>) -> Vec<RefEvent> {
    for (i, event) in events.iter_mut().enumerate() {
        let position = Position { lane: Lane::Live, partition: (i % 3) as u16, offset: (i / 3) as u64 };
        event.seq = Seq::new(BEGIN + (i as Millis / 4) * 1000, position);
    }
    events.sort_by_key(|e| e.seq);
    events
}

fn event(shape: &WorldShape) -> impl Strategy<Value = RefEvent> + use<> {
    let ticks = shape.days * 86_400_000 / shape.tick_ms;
    let tick = shape.tick_ms;
    let time = (0..ticks).prop_map(move |t| BEGIN + t * tick);
    let ids = (prop::option::of(0..shape.users), prop::option::weighted(0.8, 0..shape.devices));
    let name = prop_oneof![
        4 => Just("view"), 4 => Just("cart"), 3 => Just("buy"), 1 => Just("push"), 1 => Just("$identify"),
    ];
    let weight = u32::from(shape.operations);
    let devices = shape.devices;
    let users = shape.users;
    let action = prop_oneof![
        20 => Just(IdentityAction::None),
        weight => Just(IdentityAction::Reset),
        weight => (0..devices).prop_map(|d| IdentityAction::Alias { other: format!("d{d}") }),
        weight => (0..users).prop_map(|u| IdentityAction::Alias { other: format!("u{u}") }),
        weight => (0..users).prop_map(|u| IdentityAction::Merge { other: format!("u{u}") }),
    ];
    let insert_id = prop::option::weighted(0.2, (0..10u8).prop_map(|i| format!("i{i}")));
    let group = prop::option::weighted(0.5, (0..3u8).prop_map(|g| ("team".to_owned(), format!("g{g}"))));
    let ops = prop::collection::vec(property_op(), 0..3);
    let group_op = (0..3u8, property_op()).prop_map(|(g, op)| ("team".to_owned(), format!("g{g}"), op));
    let group_ops = prop::collection::vec(group_op, 0..2);
    let session = prop::option::weighted(0.3, select(vec!["s0", "s1", "s2", "-1"]));
    (time, ids, name, action, insert_id, properties(), group, ops, group_ops, session).prop_map(
        |(time, (user, device), name, action, insert_id, properties, group, ops, group_ops, session)| {
            RefEvent {
                time,
                seq: Seq::default(),
                event: if action == IdentityAction::None { name } else { name_of(&action) }.to_owned(),
                user_id: user.map(|u| format!("u{u}")),
                device_id: device.map(|d| format!("d{d}")),
                session_id: session.map(str::to_owned),
                insert_id,
                properties,
                ops,
                groups: group.into_iter().collect(),
                group_ops,
                action,
            }
        },
    )
}

fn quarter() -> impl Strategy<Value = Value> {
    (-8..40i32).prop_map(|q| json!(f64::from(q) * 0.25))
}

fn colour() -> impl Strategy<Value = Value> {
    select(vec!["red", "Red", "green", "blue", "", "1", "true", "bluegreen"]).prop_map(Value::from)
}

/// Values of every JSON type, many of them equal as text.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => colour(),
        4 => quarter(),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        2 => prop::collection::vec(prop_oneof![colour(), quarter()], 0..4).prop_map(Value::Array),
        1 => select(vec!["2025-10-26", "2025-11-02T06:00:00Z", "1761500000"]).prop_map(Value::from),
        1 => colour().prop_map(|c| json!({"inner": c})),
    ]
}

fn properties() -> impl Strategy<Value = Map<String, Value>> {
    let maybe = |v: BoxedStrategy<Value>| prop::option::weighted(0.7, v);
    // A key that reads like a path, beside the object that the path leads into.
    let literal = prop::option::weighted(0.1, colour());
    (maybe(any_value().boxed()), maybe(quarter().boxed()), maybe(colour().boxed()), literal).prop_map(
        |(mixed, amount, colour, literal)| {
            let entries =
                [("mixed", mixed), ("amount", amount), ("colour", colour), ("mixed.inner", literal)];
            entries.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?))).collect()
        },
    )
}

fn property_op() -> impl Strategy<Value = PropertyOp> {
    use PropertyOpKind::*;
    let set = (select(vec![Set, SetOnce]), select(vec!["plan", "score"]), prop_oneof![colour(), quarter()]);
    let add = (Just(Add), Just("score"), quarter());
    let edits = vec![Append, Prepend, Remove, PostInsert, PreInsert];
    let list = (select(edits), select(vec!["tags", "plan"]), colour());
    let unset = (Just(Unset), select(vec!["plan", "score", "tags"]), Just(Value::Null));
    prop_oneof![6 => set, 2 => add, 3 => list, 1 => unset].prop_map(|(kind, name, value)| PropertyOp {
        kind,
        name: name.to_owned(),
        value,
    })
}
