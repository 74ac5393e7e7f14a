//! How golden cases are written: a few events, a query, the same answer whatever the layout of files.

use crate::support::{Layout, engine, run};
use serde_json::Value;
use tallymark_model::{Lane, Millis, Position, Seq};
use tallymark_query::parse_instant;
use tallymark_testkit::reference::{self, RefEvent, World};

pub fn at(text: &str) -> Millis {
    parse_instant(text).unwrap()
}

/// Events of users in the order of the log: (time, user, name, properties).
pub fn world(events: &[(&str, &str, &str, Value)]) -> World {
    let event = |(i, (time, user, name, properties)): (usize, &(&str, &str, &str, Value))| RefEvent {
        time: at(time),
        seq: Seq::new(at(time) + 10, Position { lane: Lane::Live, partition: 0, offset: i as u64 }),
        event: (*name).to_owned(),
        user_id: (!user.is_empty()).then(|| (*user).to_owned()),
        properties: properties.as_object().cloned().unwrap_or_default(),
        ..RefEvent::default()
    };
    World { events: events.iter().enumerate().map(event).collect(), ..World::default() }
}

pub fn ask(world: &World, query: Value) -> Value {
    let mut answers: Vec<Value> = [
        Layout::FRESH,
        Layout::MIXED,
        Layout { commit: 1000, compacted: false, late: false, ..Layout::FRESH },
    ]
    .map(|layout| run(&engine(world, layout), &query).unwrap())
    .into();
    answers.iter_mut().for_each(|a| drop(a.as_object_mut().unwrap().remove("identity_version")));
    assert_eq!(answers[0], answers[1], "the layout of files changes the answer to {query}");
    assert_eq!(answers[0], answers[2], "the layout of files changes the answer to {query}");
    answers.swap_remove(0)
}

/// The same, after looking that the brute-force reference says so too.
pub fn agreed(world: &World, query: Value) -> Value {
    let mut expected = reference::run(world, &query);
    expected.as_object_mut().unwrap().remove("as_of");
    let answer = ask(world, query);
    assert_eq!(reference::difference(&expected, &answer), None, "the reference says otherwise");
    answer
}
