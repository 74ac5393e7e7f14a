//! One day of the demo: every event that happens on it, in time order.

use super::chance::Chance;
use super::people::{Person, World};
use serde_json::{Map, Value, json};

const DAY_MS: i64 = 86_400_000;

/// One event to send, as an element of the native API's `events`.
#[derive(Debug, Clone)]
pub struct DemoEvent {
    /// When, ms UTC.
    pub time: i64,
    /// The JSON object.
    pub body: Value,
}

/// All events of a day, in time order. `start` is the day's first instant, ms UTC.
pub fn events_of_day(world: &World, day: u32, start: i64) -> Vec<DemoEvent> {
    let mut out = Vec::new();
    for number in 0..world.people {
        let person = world.person(number);
        if day < person.first_day || day > person.last_day {
            continue;
        }
        let mut chance = Chance::new(&[world.seed, number, u64::from(day), 1]);
        // Weekends are quieter on the web and livelier on phones.
        let weekend = (start / DAY_MS + 4).rem_euclid(7) >= 5;
        let lift = if weekend && person.platform == "web" { 0.6 } else { 1.0 };
        if day == person.first_day || chance.happens(person.activity * lift) {
            Visit::new(world, &person, day, start, chance).play(&mut out);
        }
    }
    out.sort_by_key(|e| e.time);
    out
}

/// One person's day.
pub struct Visit<'a> {
    world: &'a World,
    person: &'a Person,
    day: u32,
    time: i64,
    chance: Chance,
    count: u32,
    device: u64,
    known: bool,
    session: i64,
    key: String,
}

impl<'a> Visit<'a> {
    /// A visit at a believable hour of the day that starts at `start`.
    pub fn new(world: &'a World, person: &'a Person, day: u32, start: i64, mut chance: Chance) -> Visit<'a> {
        let hour = 6.0 + 16.0 * (chance.unit() + chance.unit()) / 2.0;
        let time = start + (hour * 3_600_000.0) as i64 + chance.below(60_000) as i64;
        Visit::at(world, person, day, time, chance, format!("{day}"))
    }

    /// A visit that begins at an instant; `key` makes its insert ids unique.
    pub fn at(
        world: &'a World,
        person: &'a Person,
        day: u32,
        time: i64,
        chance: Chance,
        key: String,
    ) -> Visit<'a> {
        let known = person.signs_up && day > person.first_day;
        Visit { world, person, day, time, chance, count: 0, device: 0, known, session: time, key }
    }

    /// Appends the visit's events.
    pub fn play(mut self, out: &mut Vec<DemoEvent>) {
        let first = self.day == self.person.first_day;
        // A second device is anonymous until its owner logs in: its history joins theirs.
        if !first && self.person.second_device && self.chance.happens(0.4) {
            self.device = 1;
            if self.day.is_multiple_of(3) {
                self.known = false;
                self.send(out, "Page Viewed", json!({"page": "/", "referrer": "newsletter"}));
                self.known = true;
                self.send(out, "Logged In", json!({"method": "password"}));
            }
        }
        if first {
            self.arrive(out);
        } else {
            self.send(
                out,
                "App Opened",
                json!({"source": if self.chance.clone().happens(0.3) {"push"} else {"icon"}}),
            );
        }
        if self.person.signs_up || !first {
            self.listen(out);
        }
        self.upgrade(out);
        if self.day == self.person.last_day && self.person.signs_up && self.chance.happens(0.6) {
            self.send(
                out,
                "Account Cancelled",
                json!({"reason": *self.chance.clone().ranked(&["price", "catalogue", "not using it"])}),
            );
        }
    }

    fn arrive(&mut self, out: &mut Vec<DemoEvent>) {
        let referrer = if self.person.campaign {
            "influencer"
        } else {
            *self.chance.ranked(&["search", "direct", "friend", "blog"])
        };
        self.send(out, "Page Viewed", json!({"page": "/", "referrer": referrer}));
        if self.chance.happens(0.6) {
            self.send(out, "Page Viewed", json!({"page": "/pricing", "referrer": referrer}));
        }
        if self.person.signs_up {
            self.known = true;
            let set = json!({"plan": "Free", "country": self.person.country, "signed_up_via": referrer});
            self.send_with(
                out,
                "Signed Up",
                json!({"method": *self.chance.clone().ranked(&["email", "apple", "google"])}),
                Some(set),
            );
            if self.person.playlist {
                self.send(out, "Playlist Created", json!({"songs": 5 + self.chance.clone().below(30)}));
            }
        }
    }

    fn listen(&mut self, out: &mut Vec<DemoEvent>) {
        if self.chance.happens(0.35) {
            self.send(out, "Searched", json!({"results": self.chance.clone().below(60)}));
        }
        let songs = 1 + self.chance.exponential(2.6) as u32;
        for _ in 0..songs.min(20) {
            let genre = if self.chance.happens(0.7) {
                self.person.genre
            } else {
                self.chance.ranked(&["pop", "rock", "electronic"])
            };
            let seconds = (25.0 + self.chance.exponential(140.0)).min(900.0) as u64;
            self.send(
                out,
                "Song Played",
                json!({"genre": genre, "seconds": seconds, "offline": self.chance.clone().happens(0.15)}),
            );
        }
        if self.chance.happens(0.06) {
            self.send(
                out,
                "Song Shared",
                json!({"channel": *self.chance.clone().ranked(&["link", "story", "message"])}),
            );
        }
    }

    fn upgrade(&mut self, out: &mut Vec<DemoEvent>) {
        let Some(due) = self.person.upgrade_day else { return };
        if self.day < due || self.person.last_day < due {
            return;
        }
        // They try on the first active day after they decided, and once more a few days later if it failed.
        let try_today = self.day == due || (self.day < due + 4 && self.chance.happens(0.5));
        if !try_today {
            return;
        }
        let (plan, price) = self.person.plan;
        self.send(out, "Upgrade Viewed", json!({"plan": plan}));
        self.send(out, "Checkout Started", json!({"plan": plan, "price": price}));
        let broken = self.person.platform == "android" && self.world.outage(self.day);
        if self.chance.happens(if broken { 0.93 } else { 0.12 }) {
            let reason = if broken { "billing client crashed" } else { "card declined" };
            self.send(out, "Payment Failed", json!({"plan": plan, "reason": reason}));
        } else if self.day == due || self.chance.happens(0.4) {
            let set = json!({"plan": plan});
            self.send_with(
                out,
                "Upgraded",
                json!({"plan": plan, "revenue": price, "currency": "EUR"}),
                Some(set),
            );
        }
    }

    fn send(&mut self, out: &mut Vec<DemoEvent>, event: &str, properties: Value) {
        self.send_with(out, event, properties, None);
    }

    fn send_with(&mut self, out: &mut Vec<DemoEvent>, event: &str, properties: Value, set: Option<Value>) {
        let mut properties = if let Value::Object(map) = properties { map } else { Map::new() };
        properties.insert("platform".into(), self.person.platform.into());
        properties.insert("app_version".into(), app_version(self.day, self.world.days).into());
        let mut body = json!({
            "event": event,
            "time": self.time,
            "device_id": self.person.device_id(self.world.seed, self.device),
            "insert_id": format!("{}-{}-{}-{}", self.world.seed, self.person.number, self.key, self.count),
            "session_id": self.session.to_string(),
            "properties": properties,
        });
        if self.known {
            body["user_id"] = self.person.user_id().into();
        }
        if let Some(set) = set {
            body["user_properties"] = set;
        }
        out.push(DemoEvent { time: self.time, body });
        self.count += 1;
        self.time += 2_000 + self.chance.exponential(45_000.0) as i64;
    }
}

fn app_version(day: u32, days: u32) -> String {
    let release = day * 9 / days.max(1);
    format!("5.{release}.0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(world: &World) -> usize {
        (0..world.days).map(|d| events_of_day(world, d, i64::from(d) * DAY_MS).len()).sum()
    }

    #[test]
    fn a_seed_gives_the_same_product_again() {
        let world = World::sized(7, 30, 3_000);
        let day =
            |w: &World| events_of_day(w, 20, 0).into_iter().map(|e| e.body.to_string()).collect::<Vec<_>>();
        assert_eq!(day(&world), day(&world));
        assert_ne!(day(&world), day(&World { seed: 8, ..world }));
    }

    #[test]
    fn the_size_is_about_what_was_asked_for() {
        let asked = 40_000;
        let got = count(&World::sized(1, 90, asked)) as f64;
        assert!((0.7..1.4).contains(&(got / asked as f64)), "{got}");
    }

    #[test]
    fn the_outage_shows_in_android_upgrades() {
        let world = World::sized(3, 90, 400_000);
        let mut failed = [0u32; 2];
        let mut started = [0u32; 2];
        for day in world.outage_from()..world.outage_from() + super::super::people::OUTAGE_DAYS {
            for event in events_of_day(&world, day, 0) {
                let android = usize::from(event.body["properties"]["platform"] == "android");
                match event.body["event"].as_str() {
                    Some("Checkout Started") => started[android] += 1,
                    Some("Payment Failed") => failed[android] += 1,
                    _ => {}
                }
            }
        }
        let rate = |i: usize| f64::from(failed[i]) / f64::from(started[i].max(1));
        assert!(rate(1) > 0.8 && rate(0) < 0.3, "android {} others {}", rate(1), rate(0));
    }

    #[test]
    fn insert_ids_are_unique() {
        let world = World::sized(5, 20, 5_000);
        let mut seen = std::collections::HashSet::new();
        for d in 0..world.days {
            for e in events_of_day(&world, d, i64::from(d) * DAY_MS) {
                assert!(seen.insert(e.body["insert_id"].to_string()), "{}", e.body["insert_id"]);
            }
        }
    }
}
