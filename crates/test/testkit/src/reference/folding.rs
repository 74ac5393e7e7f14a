//! Options of chapter 1.4 from the text: what a person's properties were at an event.
//! * `user_props: "ingest_order"`: "the value seen at processing": the log is played as it was written, each person
//!   with what had been processed for it until then; persons that merge put their histories together;
//! * `merge_props: "target_wins"`: "target's current values win on conflict": at a merge, for every property that the
//!   target has then, what happened to the other one's until then never happened; of a property that only the other
//!   one has, what happened to its own; where neither has a value, nothing is in conflict.

use super::events::RefEvent;
use super::identity::Replay;
use super::properties::{Properties, fold};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use tallymark_model::{Millis, PropertyOp, PropertyOpKind, Seq};

/// After everything.
const END: (Millis, Seq) = (Millis::MAX, Seq { received_at: Millis::MAX, position: u64::MAX });

/// An operation with when it happened and where it stands.
type Done<'w> = (Millis, Seq, usize, &'w PropertyOp);

/// Properties as options have them.
#[derive(Debug, Default)]
pub struct Folded {
    /// Per event of the log: the person's properties just after its own changes.
    pub at_event: HashMap<Seq, Properties>,
    /// Per person that is left: as of the end.
    pub latest: HashMap<usize, Properties>,
}

/// Plays a log that is sorted by `seq`; operations later than `as_of` do not exist.
pub fn folded(log: &[&RefEvent], people: &Replay, query: &Value, as_of: Millis) -> Folded {
    let ingest_order = query["user_props"] == "ingest_order";
    let target_wins = query["merge_props"] == "target_wins";
    let mut histories: HashMap<usize, Vec<Done>> = HashMap::new();
    let mut seen: HashMap<Seq, Properties> = HashMap::new();
    let mut states: HashMap<usize, Properties> = HashMap::new();
    for (event, person) in log.iter().zip(&people.at_ingest) {
        for (_, absorbed, survivor) in people.merges.iter().filter(|(at, ..)| *at == event.seq) {
            let theirs = histories.remove(absorbed).unwrap_or_default();
            let mine = histories.entry(*survivor).or_default();
            *mine = if target_wins { won(mine, &theirs) } else { [mine.clone(), theirs].concat() };
            mine.sort_by_key(|(_, seq, nth, _)| (*seq, *nth));
            // What was seen until now of the survivor: its state, or all of both in log order.
            let other = states.remove(absorbed).unwrap_or_default();
            let state = states.entry(*survivor).or_default();
            if target_wins {
                for (key, value) in other {
                    state.entry(key).or_insert(value);
                }
            } else {
                *state = Properties::new();
                mine.iter().for_each(|(.., op)| fold(state, op));
            }
        }
        let Some(person) = person else { continue };
        if event.time <= as_of {
            for (nth, op) in event.ops.iter().enumerate() {
                histories.entry(*person).or_default().push((event.time, event.seq, nth, op));
                fold(states.entry(*person).or_default(), op);
            }
        }
        seen.insert(event.seq, states.get(person).cloned().unwrap_or_default());
    }
    let by_time = |person: usize, until: (Millis, Seq)| {
        let mut history = histories.get(&person).cloned().unwrap_or_default();
        history.retain(|(time, seq, ..)| (*time, *seq) <= until);
        history.sort_by_key(|(time, seq, nth, _)| (*time, *seq, *nth));
        let mut properties = Properties::new();
        history.iter().for_each(|(.., op)| fold(&mut properties, op));
        properties
    };
    let mut all = Folded::default();
    for (event, person) in log.iter().zip(&people.persons) {
        let Some(person) = *person else { continue };
        let at_event = if ingest_order {
            seen.remove(&event.seq)
        } else {
            Some(by_time(person, (event.time, event.seq)))
        };
        all.at_event.insert(event.seq, at_event.unwrap_or_default());
        all.latest.entry(person).or_insert_with(|| by_time(person, END));
    }
    all
}

/// Two histories at a merge, property by property.
fn won<'w>(mine: &[Done<'w>], theirs: &[Done<'w>]) -> Vec<Done<'w>> {
    let names = |list: &[Done<'w>]| list.iter().map(|(.., op)| op.name.clone()).collect::<BTreeSet<_>>();
    let mut kept = Vec::new();
    for name in names(mine).union(&names(theirs)) {
        let about = |list: &[Done<'w>]| -> Vec<Done<'w>> {
            let all = |op: &PropertyOp| op.kind == PropertyOpKind::ClearAll;
            let mut list: Vec<Done<'w>> =
                list.iter().filter(|(.., op)| op.name == *name || all(op)).copied().collect();
            list.sort_by_key(|(time, seq, nth, _)| (*time, *seq, *nth));
            list
        };
        let has = |list: Vec<Done<'w>>| {
            let mut now = Properties::new();
            list.iter().for_each(|(.., op)| fold(&mut now, op));
            now.contains_key(name)
        };
        match (has(about(mine)), has(about(theirs))) {
            (true, _) => kept.extend(about(mine)),
            (false, true) => kept.extend(about(theirs)),
            (false, false) => kept.extend([about(mine), about(theirs)].concat()),
        }
    }
    kept
}
