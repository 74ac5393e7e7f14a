//! What control records do to the records after them: drop, block, leave out, forget, mend.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "steps/world.rs"]
mod world;

use bytes::Bytes;
use tallymark_ledger::Interval;
use tallymark_model::{
    Control, DeadReason, ERASED_RULE, Erasure, Event, Outcome, Position, ProjectId, Record, Redrive,
    RuleAction, Seq, Shard, SubjectKind, WireFormat,
};
use tallymark_processor::steps::decide::{Again, Old, Rules, decide_with};
use tallymark_processor::steps::decode::{Content, Decoded, decode_again, decode_mended};
use tallymark_processor::steps::rules::{Mode, problem_of};
use tallymark_state::State;
use world::{DAY, Item, Log, PROJECT, Sent, TOKEN, World, empty_state, log_id, rule, shards, shared};

const FIRST: usize = 0;

fn sent(name: u8) -> Sent {
    Sent { shard: shards()[FIRST], device: Some(1), user: None, insert: None, kind: 0, name }
}

fn drop_rule(events: &[&str], conditions: serde_json::Value) -> RuleAction {
    let events = events.iter().map(|e| (*e).to_owned()).collect();
    RuleAction::Drop { events, conditions: conditions.as_array().unwrap().clone() }
}

/// Outcomes of a shard's records, in order; control records are left out.
fn shown(world: &World) -> Vec<String> {
    let of = |outcome: &Outcome| match outcome {
        Outcome::Visible => "visible".to_owned(),
        Outcome::Filtered { rule } => format!("filtered by {rule}"),
        other => format!("{:?}", other.kind()),
    };
    world.outcomes.values().map(|(_, outcome)| of(outcome)).collect()
}

#[test]
fn a_rule_decides_what_comes_after_it_in_its_shard() {
    let mut log = Log::new();
    let shard = shards()[FIRST];
    let put = |log: &mut Log, sent: Sent| log.append(shard, &Item::Event(sent));
    let above = serde_json::json!([{"property": "p", "op": "gte", "value": 2}]);
    put(&mut log, sent(2));
    log.everywhere(&Control::Rule(rule(7, 1, true, drop_rule(&["event-2", "event-1"], above))));
    put(&mut log, sent(2));
    put(&mut log, sent(1));
    put(&mut log, sent(3));
    let blocked = RuleAction::Block { devices: vec!["device-1".into()], users: vec![] };
    log.everywhere(&Control::Rule(rule(3, 1, true, blocked.clone())));
    put(&mut log, sent(2));
    log.everywhere(&Control::Rule(rule(3, 2, false, blocked)));
    put(&mut log, sent(2));
    put(&mut log, sent(1));
    let expected =
        ["visible", "filtered by 7", "visible", "visible", "filtered by 3", "filtered by 7", "visible"];
    // One group, or one record at a time: the same.
    for size in [1, 3, 100] {
        let mut world = World::new(log.clone());
        (0..20).for_each(|_| world.step(&[(FIRST, size)]));
        assert_eq!(shown(&world), expected, "groups of {size}");
        let rules = &world.state.controls().rules;
        let since = rules.version(7, 1).unwrap().since().unwrap();
        assert_eq!((since.shard(), since.offset), (shard, 1));
        assert_eq!(rules.now(PROJECT).map(|r| r.rule.id).collect::<Vec<_>>(), [7]);
    }
}

#[test]
fn properties_that_are_denied_are_not_stored() {
    let mut log = Log::new();
    let deny = RuleAction::Properties { deny: vec!["p".into(), "plan".into()], allow: None };
    log.everywhere(&Control::Rule(rule(1, 1, true, deny)));
    log.append(shards()[FIRST], &Item::Event(sent(2)));
    let allow =
        RuleAction::Properties { deny: vec![], allow: Some(vec!["plan".into(), "q".into(), "p".into()]) };
    log.everywhere(&Control::Rule(rule(2, 1, true, allow)));
    log.append(shards()[FIRST], &Item::Event(sent(2)));
    let mut world = World::new(log);
    world.drain();
    let names: Vec<(Vec<String>, Vec<String>)> = world
        .rows
        .values()
        .map(|r| {
            let properties = r.event.properties.keys().cloned().collect();
            (properties, r.properties.iter().map(|p| p.name.clone()).collect())
        })
        .collect();
    let q = vec!["q".to_owned()];
    assert_eq!(names, [(q.clone(), vec!["first".to_owned()]), (q, vec![])]);
    let stats = &world.state.project(PROJECT).unwrap().stats;
    assert!(stats.properties.keys().all(|(_, name)| name != "p" && name != "plan"));
}

#[test]
fn a_rule_that_cannot_be_evaluated_loses_nothing_and_says_so() {
    let odd = serde_json::json!([{"property": "p", "op": "odd"}]);
    let person = serde_json::json!([{"scope": "person", "property": "plan", "op": "is", "value": "pro"}]);
    let mut log = Log::new();
    log.everywhere(&Control::Rule(rule(1, 1, true, drop_rule(&[], odd))));
    log.everywhere(&Control::Rule(rule(2, 1, true, drop_rule(&[], person))));
    log.append(shards()[FIRST], &Item::Event(sent(2)));
    let mut world = World::new(log);
    world.drain();
    assert_eq!(shown(&world), ["visible"]);
    let rules = &world.state.controls().rules;
    let broken = |id| rules.version(id, 1).unwrap().broken.clone().unwrap();
    assert!(broken(1).contains("odd"), "{}", broken(1));
    assert!(broken(2).contains("person"), "{}", broken(2));
    assert!(problem_of(&rule(3, 1, true, drop_rule(&[], serde_json::json!([])))).is_none());
}

fn erasure(undone: bool) -> Control {
    Control::Erase(Erasure {
        id: 4,
        project: PROJECT,
        subjects: vec![(SubjectKind::User, "user-2".into()), (SubjectKind::Device, "device-1".into())],
        by: "me".into(),
        reason: "asked to".into(),
        made_at: DAY + 1_000_000,
        undo_until: DAY + 5_000_000,
        undone,
    })
}

#[test]
fn a_forgotten_person_stays_forgotten_when_skipped_records_are_replayed() {
    let mut log = Log::new();
    let shard = shards()[FIRST];
    let mut put =
        |device, user| log.append(shard, &Item::Event(Sent { device: Some(device), user, ..sent(1) }));
    let (before, skipped, other) = (put(1, None), put(1, None), put(1, Some(3)));
    // A raw id that no row had yet.
    let unknown = put(2, Some(2));
    log.everywhere(&erasure(false));
    let after = log.append(shard, &Item::Event(sent(1)));
    let mut world = World::new(log.clone());
    world.step(&[(FIRST, 1)]);
    world.skip(FIRST, 3);
    world.step(&[(FIRST, 100), (1, 100), (2, 100)]);
    world.replay(0);
    let outcome = |p: Position| world.outcomes[&p].1.clone();
    let erased = Outcome::Filtered { rule: ERASED_RULE };
    assert_eq!((outcome(skipped), outcome(unknown)), (erased.clone(), erased));
    assert_eq!(
        (outcome(other), outcome(after)),
        (Outcome::Visible, Outcome::Visible),
        "another user's row, and a later one"
    );
    let project = world.state.project(PROJECT).unwrap();
    let erased = project.erased();
    let place = |p: Position| Seq::new(world.log.at(p).received_at, p);
    let subject = |p: Position| world.rows[&p].event.subject;
    assert!(erased.hides(subject(before), place(before)));
    assert!(!erased.hides(subject(after), place(after)) && !erased.hides(subject(other), place(other)));
    assert!(!erased.removes(subject(before), place(before), DAY + 4_999_999), "it can still be taken back");
    assert!(erased.removes(subject(before), place(before), DAY + 5_000_000));

    // Taken back before the replay: nothing is hidden, nothing filtered.
    log.everywhere(&erasure(true));
    let mut world = World::new(log);
    world.skip(FIRST, 4);
    world.step(&[(FIRST, 100)]);
    world.replay(0);
    assert!(shown(&world).iter().all(|o| o == "visible"));
    assert!(world.state.project(PROJECT).unwrap().erased().is_empty());
}

#[test]
fn rules_in_a_skipped_range_are_in_force_and_counts_are_counted_once() {
    let mut log = Log::new();
    let shard = shards()[FIRST];
    let blocked = RuleAction::Block { devices: vec!["device-1".into()], users: vec![] };
    log.append(shard, &Item::Event(sent(1)));
    log.everywhere(&Control::Rule(rule(1, 1, true, blocked)));
    let throttled = Control::Throttled {
        token: TOKEN.to_string(),
        id: Some("device-1".into()),
        minute: DAY + 61_000,
        count: 5,
        rule: "device".into(),
    };
    log.append(shard, &Item::Control(Box::new(throttled)));
    log.append(shard, &Item::Event(sent(1)));
    let mut world = World::new(log);
    world.skip(FIRST, 3);
    world.step(&[(FIRST, 9)]);
    assert_eq!(shown(&world), ["filtered by 1"]);
    world.replay(0);
    assert_eq!(shown(&world), ["visible", "filtered by 1"]);
    let hours = world.state.controls().refusals.of(&[TOKEN.to_string()]);
    assert_eq!((hours.len(), hours[0].hour, hours[0].throttled["device"].count), (1, DAY, 5));
    world.rederive_all();
}

fn picky(envelope: &tallymark_model::Envelope) -> Result<Event, DeadReason> {
    match std::str::from_utf8(&envelope.body) {
        Ok("good") => Ok(Event { name: "mended".into(), device_id: Some("d".into()), ..Event::default() }),
        _ => Err(DeadReason::new("invalid_json", "at byte 0")),
    }
}

fn raw(body: &'static [u8]) -> Record {
    Record::Event(tallymark_model::Envelope {
        token: TOKEN,
        wire: WireFormat::NativeV1,
        lane: tallymark_model::Lane::Live,
        key: "k".into(),
        received_at: DAY,
        context: Default::default(),
        body: Bytes::from_static(body),
    })
}

#[test]
fn a_mended_dead_letter_becomes_a_row_in_the_commit_that_says_so() {
    let at = |offset| Position { lane: tallymark_model::Lane::Live, partition: 0, offset };
    let redrive = |body: &str| Redrive {
        position: at(0),
        project: Some(ProjectId(5)),
        wire: WireFormat::NativeV1,
        body: body.into(),
        by: "me".into(),
        made_at: DAY,
    };
    let rules = Rules { projects: [(TOKEN, PROJECT)].into_iter().collect(), ..Rules::default() };
    let state: State = empty_state();
    let dead = Outcome::Dead { reason: DeadReason::new("invalid_json", "at byte 0") };
    let again = |redrive: &Redrive| {
        let record = decode_mended(at(0), raw(b"bad"), redrive, &picky);
        vec![Again { record, old: Old { project: PROJECT, outcome: dead.clone(), row: None } }]
    };
    let said = Decoded {
        position: at(1),
        received_at: DAY + 1,
        content: Content::Control(Box::new(Control::Redrive(redrive("good")))),
    };
    let id = tallymark_model::CommitId(uuid::Uuid::from_u128(1));
    let decided = decide_with(log_id(), id, vec![said], again(&redrive("good")), &state, &rules);
    assert_eq!(decided.changes.len(), 1);
    assert_eq!(
        (&decided.changes[0].was, &decided.changes[0].now),
        (&(PROJECT, dead.clone()), &(ProjectId(5), Outcome::Visible))
    );
    assert_eq!(decided.rows[&ProjectId(5)].events[0].event, "mended");
    let shard = Shard { lane: tallymark_model::Lane::Live, partition: 0 };
    assert_eq!(decided.delta.restated, [Interval::new(shard, 0, 1)]);
    assert!(decided.delta.exceptions.is_empty());

    // From now on it counts with its new bytes.
    let mut moved = empty_state();
    moved.apply(tallymark_model::CommitSeq(1), &decided.delta).unwrap();
    let decoded =
        decode_again(vec![(at(0), raw(b"bad")), (at(2), raw(b"bad"))], &moved.controls().mended, &picky);
    let fine = |d: &Decoded| matches!(&d.content, Content::Event { event, .. } if event.is_ok());
    assert_eq!(decoded.iter().map(fine).collect::<Vec<_>>(), [true, false]);

    // Still bad: it stays dead, with what is wrong now.
    let decided = decide_with(log_id(), id, vec![], again(&redrive("worse")), &state, &rules);
    assert_eq!(decided.changes[0].now.1.kind(), tallymark_model::OutcomeKind::Dead);
    assert_eq!(&decided.delta.exceptions[0].body[..], b"worse");
    assert!(decided.rows.is_empty());
}

#[test]
fn deciding_again_moves_the_duplicates_of_a_row_that_goes() {
    let mut log = Log::new();
    let shard = shards()[FIRST];
    let copy = |name| Sent { insert: Some(1), ..sent(name) };
    let first = log.append(shard, &Item::Event(copy(1)));
    let second = log.append(shards()[1], &Item::Event(copy(2)));
    let third = log.append(shards()[2], &Item::Event(copy(2)));
    log.everywhere(&Control::Rule(rule(1, 1, true, drop_rule(&["event-1"], serde_json::json!([])))));
    let mut world = World::new(log);
    world.step(&[(0, 9), (1, 9), (2, 9)]);
    assert_eq!(world.outcomes[&third].1, Outcome::Duplicate { witness: first });
    world.reprocess(FIRST, 0, 9, false);
    let outcome = |p| world.outcomes[&p].1.clone();
    assert_eq!(outcome(first), Outcome::Filtered { rule: 1 });
    assert_eq!((outcome(second), outcome(third)), (Outcome::Visible, Outcome::Duplicate { witness: second }));
    assert_eq!(world.state.dedup().len(), 1);
    world.rederive_all();

    // A rule that is only tried changes nothing anywhere: it is not in the log.
    let tried = shared(vec![rule(9, 1, true, drop_rule(&[], serde_json::json!([])))]);
    let rules = Rules {
        mode: Mode::With(tried),
        projects: [(TOKEN, PROJECT)].into_iter().collect(),
        ..Rules::default()
    };
    let old = Old { project: PROJECT, outcome: Outcome::Visible, row: None };
    let again = vec![Again { record: world.log.at(second), old }];
    let id = tallymark_model::CommitId(uuid::Uuid::from_u128(77));
    let decided = decide_with(log_id(), id, vec![], again, &world.state, &rules);
    assert_eq!(decided.changes[0].now.1, Outcome::Filtered { rule: 9 });
    assert_eq!(decided.orphaned[0].witness, second);
}
