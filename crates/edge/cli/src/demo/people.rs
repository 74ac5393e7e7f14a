//! The people of the demo: who they are and what will become of them, fixed at birth.
//!
//! Planted stories (the charts reveal them):
//! 1. **The broken checkout.** For six days in the last third of the period, upgrades fail on Android.
//! 2. **The playlist habit.** Those who create a playlist on their first day stay three times as long.
//! 3. **The campaign.** Half-way, an influencer brings a week of sign-ups from Brazil who leave soon.

use super::chance::Chance;

/// How long the planted checkout bug lasts, days.
pub const OUTAGE_DAYS: u32 = 6;

/// The whole cast's parameters.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// Seed of everything.
    pub seed: u64,
    /// Length of the past, days; day `days - 1` is today.
    pub days: u32,
    /// How many people ever visit.
    pub people: u64,
}

impl World {
    /// A world whose past holds about `events` events.
    pub fn sized(seed: u64, days: u32, events: u64) -> World {
        /// Mean events per visitor over their life, measured on the generator itself.
        const EVENTS_PER_PERSON: u64 = 37;
        World { seed, days, people: (events / EVENTS_PER_PERSON).max(20) }
    }

    /// First day of the broken checkout.
    pub fn outage_from(&self) -> u32 {
        self.days * 2 / 3
    }

    /// True while upgrades fail on Android.
    pub fn outage(&self, day: u32) -> bool {
        (self.outage_from()..self.outage_from() + OUTAGE_DAYS).contains(&day)
    }

    /// The person with this number.
    pub fn person(&self, number: u64) -> Person {
        let mut c = Chance::new(&[self.seed, number]);
        let campaign_day = self.days / 2;
        let campaign = c.happens(0.12);
        // Growth: later days bring more people.
        let first_day = if campaign {
            campaign_day + (c.below(7) as u32)
        } else {
            ((c.unit().sqrt()) * f64::from(self.days)) as u32
        }
        .min(self.days - 1);
        let platform = *c.ranked(&["ios", "android", "web"]);
        let signs_up = c.happens(if campaign { 0.55 } else { 0.72 });
        let playlist = signs_up && c.happens(0.34);
        let loyalty = if campaign {
            3.0
        } else if playlist {
            48.0
        } else {
            15.0
        };
        let life_days = c.exponential(loyalty) + 1.0;
        let wants_upgrade = signs_up && !campaign && c.happens(if playlist { 0.42 } else { 0.16 });
        Person {
            number,
            first_day,
            signs_up,
            playlist,
            campaign,
            last_day: first_day.saturating_add(life_days as u32),
            activity: 0.18 + 0.75 * c.unit(),
            upgrade_day: wants_upgrade.then(|| first_day + 1 + c.below(14) as u32),
            platform,
            country: if campaign { "BR" } else { c.ranked::<&str>(&COUNTRIES) },
            genre: c.ranked::<&str>(&GENRES),
            second_device: signs_up && c.happens(0.18),
            plan: if c.happens(0.7) { ("Premium", 9.99) } else { ("Family", 15.99) },
        }
    }
}

/// One visitor.
#[derive(Debug, Clone)]
pub struct Person {
    /// 0-based.
    pub number: u64,
    /// Day of the first visit.
    pub first_day: u32,
    /// Whether they ever get an account (on their first day).
    pub signs_up: bool,
    /// Whether they create a playlist on their first day.
    pub playlist: bool,
    /// Whether the campaign brought them.
    pub campaign: bool,
    /// Last day they may be seen.
    pub last_day: u32,
    /// Chance to be active on a day.
    pub activity: f64,
    /// Day they try to upgrade.
    pub upgrade_day: Option<u32>,
    /// Main platform.
    pub platform: &'static str,
    /// ISO country.
    pub country: &'static str,
    /// Favourite genre.
    pub genre: &'static str,
    /// Whether a second device (anonymous until login) shows up later.
    pub second_device: bool,
    /// What they would buy: name and monthly price in EUR.
    pub plan: (&'static str, f64),
}

impl Person {
    /// The id the product gives them at sign-up.
    pub fn user_id(&self) -> String {
        format!("user-{:06}", self.number)
    }

    /// Device `n` (0 = first).
    pub fn device_id(&self, seed: u64, n: u64) -> String {
        format!("{:016x}", Chance::new(&[seed, self.number, 0xdead, n]).next())
    }
}

const COUNTRIES: [&str; 10] = ["US", "DE", "GB", "BR", "FR", "JP", "IN", "SE", "ES", "NL"];
const GENRES: [&str; 8] = ["pop", "hip-hop", "rock", "electronic", "jazz", "classical", "folk", "metal"];
