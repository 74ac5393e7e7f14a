//! The product's own test events do not come through.
//!
//! Guarantees: tells whether they could not be sent or did not arrive: the first is collection, the second the rest.
//! Deliberately not here: sending them.

use super::{age_text, finding, seconds};
use crate::config::Thresholds;
use crate::facts::Facts;
use crate::{Component, Finding, Impact, Monitor, Severity};
use tallymark_model::Millis;

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let Some(canary) = &facts.canary else { return Vec::new() };
    let Some(sent) = canary.sent else { return Vec::new() };
    let why = canary.error.as_ref().map_or(String::new(), |e| format!(" Last error: {e}"));
    let late = |since: Millis, patience: f64| seconds(facts.at - since) >= t.canary_critical_s + patience;
    let tell = |component, impact, detail: String, since| {
        let title = "Test events do not come through";
        let mut f = finding(Monitor::Canary, "canary", Severity::Critical, component, title, detail, since);
        f.impact = impact;
        vec![f]
    };
    if late(sent, seconds(canary.every_ms)) {
        let detail = format!("No test event has been accepted {}.{why}", age_text(sent, facts.at));
        return tell(Component::Collection, Impact::Critical, detail, sent);
    }
    // The one sent last may still be on its way; what was seen must not be older than its turn.
    let seen = canary.seen.unwrap_or(Millis::MIN / 2).min(sent);
    if seen < sent && late(seen, seconds(canary.every_ms)) {
        let detail = match canary.seen {
            Some(at) => format!(
                "The newest test event that a query returns was sent {} ago.{why}",
                crate::status::duration_text(facts.at - at)
            ),
            None => format!("Test events are accepted, but no query has ever returned one.{why}"),
        };
        return tell(Component::Processing, Impact::Major, detail, canary.seen.unwrap_or(sent));
    }
    Vec::new()
}
