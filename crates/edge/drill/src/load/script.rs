//! What is sent: batches drawn from a seed. The same seed gives the same batches.
//!
//! A little product: people look around on a device, sign up (identify), look, add, buy, and change their plan.

use super::shape::{Event, Shape};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// Names of ordinary events, with how often each comes.
const NAMES: [(&str, u32); 4] = [("view", 60), ("search", 20), ("add", 15), ("buy", 5)];
const PLANS: [&str; 3] = ["free", "team", "business"];
const COUNTRIES: [&str; 5] = ["DE", "FR", "US", "JP", "BR"];

/// What kind of load.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Events per second, all connections together.
    pub rate: f64,
    /// Events per request.
    pub batch: usize,
    /// Connections.
    pub connections: usize,
    /// People per connection.
    pub people: usize,
    /// Of a hundred batches, how many speak each vendor's words (the rest is native).
    pub vendors: u32,
    /// Of a hundred events, how many are identify calls.
    pub identify: u32,
    /// Share of events that belong to one device, for hot partitions; 0 = none.
    pub hot: f64,
    /// How long ago the events happened, milliseconds: two months ago they are outside the charts that are compared.
    pub ago_ms: i64,
    /// How many times faster than the clock event time passes.
    pub stretch: f64,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile {
            rate: 1000.0,
            batch: 20,
            connections: 4,
            people: 100,
            vendors: 20,
            identify: 3,
            hot: 0.0,
            ago_ms: 0,
            stretch: 1.0,
        }
    }
}

impl Profile {
    /// The same, outside the span that the compared charts show.
    pub fn outside_charts(self) -> Profile {
        Profile { ago_ms: 60 * 86_400_000, ..self }
    }
}

/// One request to be.
#[derive(Debug, Clone)]
pub struct Batch {
    /// In whose words.
    pub shape: Shape,
    /// What.
    pub events: Vec<Event>,
}

/// Draws batches for one connection.
#[derive(Debug)]
pub struct Script {
    dice: StdRng,
    profile: Profile,
    connection: usize,
    /// Serial number of the next event, and of the run: ids never repeat within a drill.
    serial: u64,
    run: u32,
    /// Who has signed up already.
    known: Vec<bool>,
    /// Time of the last event: times rise strictly within a connection.
    last: i64,
}

impl Script {
    /// The script of one connection of one run.
    pub fn new(seed: u64, run: u32, connection: usize, profile: &Profile) -> Script {
        let mixed = seed ^ (u64::from(run) << 40) ^ ((connection as u64) << 56);
        Script {
            dice: StdRng::seed_from_u64(mixed),
            profile: profile.clone(),
            connection,
            serial: 0,
            run,
            known: vec![false; profile.people],
            last: 0,
        }
    }

    /// The next batch, of events at this time (Unix milliseconds).
    pub fn batch(&mut self, time: i64) -> Batch {
        let shape = match self.dice.random_range(0..100) {
            n if n >= self.profile.vendors => Shape::Native,
            n => [Shape::Amplitude, Shape::Posthog, Shape::Segment][n as usize % 3],
        };
        let count = self.profile.batch;
        let events = (0..count)
            .map(|_| {
                self.last = time.max(self.last + 1);
                self.event(shape, self.last)
            })
            .collect();
        Batch { shape, events }
    }

    fn event(&mut self, shape: Shape, time: i64) -> Event {
        if self.dice.random_bool(self.profile.hot) {
            let name = self.name();
            return self.make(name, None, Some("hot-device".to_owned()), time, Value::Null);
        }
        let person = self.dice.random_range(0..self.known.len());
        let device = format!("device-{}-{}-{person}", self.run, self.connection);
        let user = format!("person-{}-{}-{person}", self.run, self.connection);
        // Who signs up does it in our own words: each vendor's SDK has a call of its own for that.
        if shape == Shape::Native && self.dice.random_range(0..100) < self.profile.identify {
            self.known[person] = true;
            let sets = json!({"signed_up": true, "step": self.serial + 1});
            return self.make("$identify", Some(user), Some(device), time, sets);
        }
        let name = self.name();
        if !self.known[person] {
            return self.make(name, None, Some(device), time, Value::Null);
        }
        let sets = if self.dice.random_range(0..100) < 3 {
            json!({"plan": PLANS[self.dice.random_range(0..PLANS.len())]})
        } else {
            Value::Null
        };
        // PostHog and Segment carry one id or both; one is enough for all.
        self.make(name, Some(user), None, time, sets)
    }

    fn name(&mut self) -> &'static str {
        let mut at = self.dice.random_range(0..NAMES.iter().map(|n| n.1).sum());
        for (name, weight) in NAMES {
            if at < weight {
                return name;
            }
            at -= weight;
        }
        NAMES[0].0
    }

    fn make(
        &mut self,
        name: &str,
        user: Option<String>,
        device: Option<String>,
        time: i64,
        sets: Value,
    ) -> Event {
        let id = self.id();
        let properties = json!({
            "drill_id": id,
            "country": COUNTRIES[self.dice.random_range(0..COUNTRIES.len())],
            "amount": self.dice.random_range(1..500),
        });
        Event { id, name: name.to_owned(), user, device, time, properties, sets }
    }

    /// A UUID made of the run, the connection and the serial number: PostHog asks for UUIDs.
    fn id(&mut self) -> String {
        self.serial += 1;
        format!("{:08x}-{:04x}-4000-8000-{:012x}", self.run, self.connection as u16, self.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_same_seed_gives_the_same_batches_and_no_id_twice() {
        let profile = Profile::default();
        let draw = |seed, run, connection| {
            let mut script = Script::new(seed, run, connection, &profile);
            (0..50).map(|i| script.batch(i)).collect::<Vec<_>>()
        };
        let shown = |b: &[Batch]| format!("{b:?}");
        assert_eq!(shown(&draw(7, 1, 0)), shown(&draw(7, 1, 0)));
        assert_ne!(shown(&draw(7, 1, 0)), shown(&draw(8, 1, 0)));
        let batches = [draw(7, 1, 0), draw(7, 1, 1), draw(7, 2, 0)].concat();
        let ids: Vec<&String> = batches.iter().flat_map(|b| &b.events).map(|e| &e.id).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(batches.iter().any(|b| b.shape == Shape::Posthog));
        assert!(batches.iter().flat_map(|b| &b.events).any(|e| e.name == "$identify"));
    }

    #[test]
    fn a_hot_device_gets_its_share() {
        let profile = Profile { hot: 0.9, ..Profile::default() };
        let mut script = Script::new(1, 1, 0, &profile);
        let events: Vec<Event> = (0..100).flat_map(|i| script.batch(i).events).collect();
        let hot = events.iter().filter(|e| e.owner() == "hot-device").count();
        assert!((1700..1900).contains(&hot), "{hot} of {}", events.len());
    }
}
