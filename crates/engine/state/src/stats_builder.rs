//! Counts names over the rows of one commit, fast: names are looked up once per value, not allocated.
//!
//! Guarantees: deterministic for the same rows in the same order (I12).
//! Deliberately not here: the statistics themselves and their limits (`stats`).

use crate::stats::TypeSet;
use crate::stats::{EventStats, NAMES_MAX, ProjectStats, PropertyScope, PropertyStats};
use rustc_hash::FxHashSet;
use tallymark_model::{Event, Millis, PropertyOpKind, Value, is_none};

/// Collects the statistics of some rows of one project.
#[derive(Default)]
pub struct StatsBuilder {
    events: Names<EventStats>,
    properties: [Names<PropertyStats>; 2],
    /// (property, event) pairs seen.
    carried: FxHashSet<(u32, u32)>,
    unnamed: u64,
}

impl StatsBuilder {
    /// Counts one visible row.
    pub fn add(&mut self, event: &Event) {
        let number = self.event(&event.name, event.time);
        for (name, value) in &event.properties {
            self.property(PropertyScope::Event, name, value, number);
        }
        for op in &event.person_ops {
            if !matches!(op.kind, PropertyOpKind::Unset | PropertyOpKind::ClearAll | PropertyOpKind::Remove) {
                self.property(PropertyScope::User, &op.name, &op.value, None);
            }
        }
    }

    /// What was counted.
    pub fn finish(self) -> ProjectStats {
        let StatsBuilder { events, properties: [of_events, of_users], carried, unnamed } = self;
        let mut stats = ProjectStats { unnamed, ..ProjectStats::default() };
        let event_names: Vec<String> = events.items.iter().map(|(name, _)| name.clone()).collect();
        stats.events.extend(events.items);
        let mut carried: Vec<(u32, &String)> = carried
            .into_iter()
            .filter_map(|(property, event)| Some((property, event_names.get(event as usize)?)))
            .collect();
        carried.sort_unstable();
        let mut of_events = of_events.items;
        for (property, event) in carried {
            if let Some((_, held)) = of_events.get_mut(property as usize) {
                held.carried_by(event);
            }
        }
        stats.properties.extend(of_events.into_iter().map(|(n, p)| ((PropertyScope::Event, n), p)));
        stats.properties.extend(of_users.items.into_iter().map(|(n, p)| ((PropertyScope::User, n), p)));
        stats
    }

    fn event(&mut self, name: &str, time: Millis) -> Option<u32> {
        let fresh = || EventStats { count: 0, first: time, last: time };
        let Some((number, held)) = self.events.entry(name, fresh) else {
            self.unnamed += 1;
            return None;
        };
        held.count += 1;
        held.first = held.first.min(time);
        held.last = held.last.max(time);
        Some(number)
    }

    fn property(&mut self, scope: PropertyScope, name: &str, value: &Value, event: Option<u32>) {
        if is_none(value) {
            return;
        }
        let Some((number, held)) = self.properties[scope as usize].entry(name, PropertyStats::default) else {
            self.unnamed += 1;
            return;
        };
        held.count += 1;
        held.types.0 |= TypeSet::of(value).0;
        held.offer(value);
        if let Some(event) = event {
            self.carried.insert((number, event));
        }
    }
}

/// Things by name, numbered in order of appearance, at most [`NAMES_MAX`].
struct Names<T> {
    numbers: hashbrown::HashMap<String, u32>,
    items: Vec<(String, T)>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Names { numbers: hashbrown::HashMap::new(), items: Vec::new() }
    }
}

impl<T> Names<T> {
    fn entry(&mut self, name: &str, fresh: impl FnOnce() -> T) -> Option<(u32, &mut T)> {
        let number = match self.numbers.get(name) {
            Some(n) => *n,
            None if self.items.len() >= NAMES_MAX => return None,
            None => {
                let n = self.items.len() as u32;
                self.numbers.insert(name.to_owned(), n);
                self.items.push((name.to_owned(), fresh()));
                n
            }
        };
        self.items.get_mut(number as usize).map(|(_, item)| (number, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Reader, Writer};
    use crate::stats::EVENTS_PER_PROPERTY_MAX;
    use serde_json::json;
    use tallymark_model::PropertyOp;

    fn event(name: &str, time: Millis, properties: Value) -> Event {
        Event {
            name: name.into(),
            time,
            properties: properties.as_object().cloned().unwrap(),
            ..Event::default()
        }
    }

    fn stats(events: &[Event]) -> ProjectStats {
        let mut builder = StatsBuilder::default();
        events.iter().for_each(|e| builder.add(e));
        builder.finish()
    }

    #[test]
    fn counts_names_types_and_examples() {
        let mut events = vec![
            event("Play", 50, json!({"song": "a", "len": 3, "none": null})),
            event("Play", 40, json!({"song": 7, "tags": ["x"]})),
            event("Stop", 60, json!({"song": ""})),
        ];
        events[2].person_ops.push(PropertyOp {
            kind: PropertyOpKind::Set,
            name: "plan".into(),
            value: json!("free"),
        });
        let s = stats(&events);
        assert_eq!(s.events["Play"], EventStats { count: 2, first: 40, last: 50 });
        let song = &s.properties[&(PropertyScope::Event, "song".to_owned())];
        assert_eq!((song.count, song.types.names()), (2, vec!["string", "number"]));
        assert_eq!(song.events.iter().collect::<Vec<_>>(), ["Play"]);
        let texts: BTreeSet<&str> = song.examples.iter().map(|(_, t)| t.as_str()).collect();
        assert_eq!(texts, BTreeSet::from(["7", "a"]));
        assert!(!s.properties.contains_key(&(PropertyScope::Event, "none".to_owned())));
        assert_eq!(s.properties[&(PropertyScope::User, "plan".to_owned())].count, 1);
    }

    #[test]
    fn parts_merge_to_the_whole_and_survive_encoding() {
        let events: Vec<Event> = (0..20)
            .map(|i| event(["A", "B", "C"][i % 3], i as i64, json!({"p": i, "q": i % 2 == 0})))
            .collect();
        let mut merged = stats(&events[..7]);
        merged.merge(&stats(&events[7..]));
        assert_eq!(merged, stats(&events));
        let mut w = Writer::default();
        merged.write(&mut w);
        let mut r = Reader::new(&w.0, "test");
        assert_eq!(ProjectStats::read(&mut r).unwrap(), merged);
        r.end().unwrap();
    }

    #[test]
    fn invented_names_stay_bounded() {
        let events: Vec<Event> =
            (0..NAMES_MAX + 50).map(|i| event(&format!("e{i}"), 1, json!({"p": "x"}))).collect();
        let s = stats(&events);
        assert_eq!((s.events.len(), s.unnamed), (NAMES_MAX, 50));
        assert!(
            s.properties[&(PropertyScope::Event, "p".to_owned())].events.len() <= EVENTS_PER_PROPERTY_MAX
        );
    }

    use std::collections::BTreeSet;
}
