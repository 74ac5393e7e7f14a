//! Events that never reached the log, as the collector counted them: per token and hour.
//!
//! Guarantees: bounded; what is left out by name is still in the sums.
//! Deliberately not here: whose token it is (read when asked, keys move), the throttle rules (`collector`).

use crate::StateError;
use crate::codec::{Reader, Writer};
use std::collections::BTreeMap;
use tallymark_model::Millis;

const HOUR_MS: i64 = 3_600_000;
/// Hours kept per token; older ones are summed into the oldest kept.
const HOURS_MAX: usize = 24 * 92;
/// Tokens kept; notes of further ones are summed under the empty token.
const TOKENS_MAX: usize = 10_000;
/// Reasons, rules and ids kept by name per hour; the rest is summed under [`OTHERS`].
const NAMES_MAX: usize = 20;
/// The name under which what has no name of its own is summed.
const OTHERS: &str = "(others)";

/// Sums of one hour of one token.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RefusalHour {
    /// Hex of the token.
    pub token: String,
    /// Start of the hour, ms UTC.
    pub hour: Millis,
    /// Refused events by reason.
    pub refused: BTreeMap<String, u64>,
    /// Throttled events by rule.
    pub throttled: BTreeMap<String, Throttled>,
}

/// Events that one throttle rule refused or marked.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Throttled {
    /// How many.
    pub count: u64,
    /// Of which by the devices or users that sent most, as far as known.
    pub ids: BTreeMap<String, u64>,
}

/// All sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    tokens: BTreeMap<String, BTreeMap<Millis, RefusalHour>>,
}

impl Refusals {
    /// The sums of these tokens (hex), by token and hour.
    pub fn of(&self, tokens: &[String]) -> Vec<RefusalHour> {
        let mut wanted: Vec<&String> = tokens.iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.into_iter().filter_map(|t| self.tokens.get(t)).flat_map(|h| h.values().cloned()).collect()
    }

    /// Adds refused events.
    pub fn refused(&mut self, token: &str, minute: Millis, count: u64, reason: &str) {
        add(&mut self.hour(token, minute).refused, reason, count, NAMES_MAX);
    }

    /// Adds throttled events.
    pub fn throttled(&mut self, token: &str, minute: Millis, count: u64, rule: &str, id: Option<&str>) {
        let rules = &mut self.hour(token, minute).throttled;
        let name = if rules.contains_key(rule) || rules.len() < NAMES_MAX { rule } else { OTHERS };
        let held = rules.entry(name.to_owned()).or_default();
        held.count += count;
        if let Some(id) = id {
            add(&mut held.ids, id, count, NAMES_MAX);
        }
    }

    fn hour(&mut self, token: &str, minute: Millis) -> &mut RefusalHour {
        let known = self.tokens.contains_key(token) || self.tokens.len() < TOKENS_MAX;
        let token = if known { token } else { "" };
        let hours = self.tokens.entry(token.to_owned()).or_default();
        let mut hour = minute.div_euclid(HOUR_MS) * HOUR_MS;
        if hours.len() >= HOURS_MAX && !hours.contains_key(&hour) {
            match hours.first_key_value().map(|(oldest, _)| *oldest) {
                Some(oldest) if hour < oldest => hour = oldest,
                _ => merge_oldest(hours),
            }
        }
        let fresh = || RefusalHour { token: token.to_owned(), hour, ..RefusalHour::default() };
        hours.entry(hour).or_insert_with(fresh)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        let all: Vec<&RefusalHour> = self.tokens.values().flat_map(BTreeMap::values).collect();
        w.list(all.into_iter(), |w, hour| {
            w.str(&hour.token);
            w.i64(hour.hour);
            counts(w, &hour.refused);
            w.list(hour.throttled.iter(), |w, (rule, throttled)| {
                w.str(rule);
                w.u64(throttled.count);
                counts(w, &throttled.ids);
            });
        });
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Refusals, StateError> {
        let mut refusals = Refusals::default();
        r.list(|r| {
            let (token, hour) = (r.str()?.to_owned(), r.i64()?);
            let refused = read_counts(r)?;
            let throttled =
                r.list(|r| Ok((r.str()?.to_owned(), Throttled { count: r.u64()?, ids: read_counts(r)? })))?;
            let throttled = throttled.into_iter().collect();
            let held = RefusalHour { token: token.clone(), hour, refused, throttled };
            refusals.tokens.entry(token).or_default().insert(hour, held);
            Ok(())
        })?;
        Ok(refusals)
    }
}

fn counts(w: &mut Writer, counts: &BTreeMap<String, u64>) {
    w.list(counts.iter(), |w, (name, count)| {
        w.str(name);
        w.u64(*count);
    });
}

fn read_counts(r: &mut Reader<'_>) -> Result<BTreeMap<String, u64>, StateError> {
    Ok(r.list(|r| Ok((r.str()?.to_owned(), r.u64()?)))?.into_iter().collect())
}

/// Adds to a name; of more than `max` names the smallest goes to [`OTHERS`].
fn add(counts: &mut BTreeMap<String, u64>, name: &str, count: u64, max: usize) {
    *counts.entry(name.to_owned()).or_default() += count;
    if counts.keys().filter(|n| *n != OTHERS).count() <= max {
        return;
    }
    let smallest = counts.iter().filter(|(n, _)| *n != OTHERS).min_by_key(|(n, c)| (**c, (*n).clone()));
    if let Some((name, count)) = smallest.map(|(n, c)| (n.clone(), *c)) {
        counts.remove(&name);
        *counts.entry(OTHERS.to_owned()).or_default() += count;
    }
}

fn merge_oldest(hours: &mut BTreeMap<Millis, RefusalHour>) {
    let Some((_, oldest)) = hours.pop_first() else { return };
    let Some(mut next) = hours.first_entry() else { return };
    let next = next.get_mut();
    for (reason, count) in oldest.refused {
        add(&mut next.refused, &reason, count, NAMES_MAX);
    }
    for (rule, throttled) in oldest.throttled {
        let held = next.throttled.entry(rule).or_default();
        held.count += throttled.count;
        for (id, count) in throttled.ids {
            add(&mut held.ids, &id, count, NAMES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_stay_right_when_names_are_too_many() {
        let mut refusals = Refusals::default();
        for n in 0..100u64 {
            refusals.throttled("aa", 5 * HOUR_MS + n as i64, n, "device", Some(&format!("d{n}")));
            refusals.refused("aa", 5 * HOUR_MS, 1, &format!("reason {}", n % 30));
        }
        refusals.refused("bb", 0, 7, "full");
        let hours = refusals.of(&["aa".into(), "aa".into(), "cc".into()]);
        assert_eq!(hours.len(), 1);
        assert_eq!((hours[0].hour, hours[0].refused.values().sum::<u64>()), (5 * HOUR_MS, 100));
        let device = &hours[0].throttled["device"];
        assert_eq!((device.count, device.ids.values().sum::<u64>()), (4950, 4950));
        assert!(device.ids.len() <= NAMES_MAX + 1 && device.ids["d99"] == 99, "{device:?}");
        let mut w = Writer::default();
        refusals.write(&mut w);
        let mut r = Reader::new(&w.0, "test");
        assert_eq!(Refusals::read(&mut r).unwrap(), refusals);
    }

    #[test]
    fn old_hours_become_one() {
        let mut refusals = Refusals::default();
        for hour in 0..(HOURS_MAX as i64 + 50) {
            refusals.refused("aa", hour * HOUR_MS, 1, "full");
        }
        refusals.refused("aa", 0, 1, "full");
        let hours = refusals.of(&["aa".into()]);
        assert_eq!(hours.len(), HOURS_MAX);
        assert_eq!(hours.iter().map(|h| h.refused["full"]).sum::<u64>(), HOURS_MAX as u64 + 51);
    }
}
