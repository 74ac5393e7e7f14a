//! The document of throttle rules: what an operator writes, checked, and made quick to look up.
//!
//! Guarantees: unknown members, impossible numbers and rules that contradict each other are errors that name the
//! place; for one event at most one rule per kind applies (a rule for its key before the rule for all).
//! Deliberately not here: files (`file`), counting (`table`).

use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};
use tallymark_model::{Lane, ProjectToken};

const VERSION: u32 = 1;
const RULES_MAX: usize = 1_000;
const EXEMPT_MAX: usize = 10_000;
const NAME_BYTES_MAX: usize = 64;
const RATE_MAX: f64 = 1e9;
const COUNT_MAX: u64 = 1 << 50;

/// What the collector refuses or marks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// Version of this document's form.
    pub version: u32,
    #[serde(default)]
    pub rules: Vec<Rule>,
    #[serde(default)]
    pub exempt: Vec<Exempt>,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Stands in counts and metrics.
    pub name: String,
    pub per: Per,
    /// What may be sent for long.
    pub events_per_second: f64,
    /// What may be sent beyond that at once.
    pub burst: u64,
    /// What an id that was throttled once may send within 24 hours.
    #[serde(default)]
    pub daily: Option<u64>,
    #[serde(default)]
    pub action: Action,
    #[serde(default = "live")]
    pub lanes: Vec<Lane>,
    /// Hex tokens of the keys that it is for; empty means every key without a rule of its own.
    #[serde(default)]
    pub tokens: Vec<String>,
}

/// Whose events are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Per {
    Device = 0,
    User = 1,
    Key = 2,
}

/// What happens to events over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// 429.
    #[default]
    Refuse,
    /// Taken, but in the bulk lane.
    Mark,
}

/// Who is not limited: a key as a whole, or one device or user, of one key or of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exempt {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Why a document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct RulesError(String);

fn live() -> Vec<Lane> {
    vec![Lane::Live]
}

impl Default for Rules {
    /// No device or person reaches this: 100 events a second for long, 20,000 at once (a phone that was offline
    /// for weeks). Amplitude's own limit is 30 a second. Imports (the bulk lane) are free.
    fn default() -> Rules {
        let rule = |name: &str, per| Rule {
            name: name.to_owned(),
            per,
            events_per_second: 100.0,
            burst: 20_000,
            daily: None,
            action: Action::Refuse,
            lanes: live(),
            tokens: Vec::new(),
        };
        Rules {
            version: VERSION,
            rules: vec![rule("device", Per::Device), rule("user", Per::User)],
            exempt: Vec::new(),
        }
    }
}

/// Rules ready for use.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub document: Rules,
    /// By lane and kind.
    general: [[Option<usize>; 3]; 2],
    special: HashMap<(ProjectToken, Lane, Per), usize>,
    free_keys: HashSet<ProjectToken>,
    free_ids: HashSet<(Per, String)>,
    free_ids_of: HashSet<(ProjectToken, Per, String)>,
}

/// The rules for events of one key in one lane, by kind.
pub(crate) type Applying<'a> = [Option<&'a Rule>; 3];

impl Lookup {
    /// Reads and checks a document.
    pub fn parse(text: &[u8]) -> Result<Lookup, RulesError> {
        let document: Rules = serde_json::from_slice(text).map_err(|e| RulesError(e.to_string()))?;
        Lookup::new(document)
    }

    /// Checks a document.
    pub fn new(document: Rules) -> Result<Lookup, RulesError> {
        if document.version != VERSION {
            return Err(RulesError(format!("version must be {VERSION}")));
        }
        let too_many = |what, max| Err(RulesError(format!("more than {max} {what}")));
        if document.rules.len() > RULES_MAX {
            return too_many("rules", RULES_MAX);
        }
        if document.exempt.len() > EXEMPT_MAX {
            return too_many("exemptions", EXEMPT_MAX);
        }
        let mut lookup = Lookup {
            document: Rules { version: VERSION, rules: Vec::new(), exempt: Vec::new() },
            general: [[None; 3]; 2],
            special: HashMap::new(),
            free_keys: HashSet::new(),
            free_ids: HashSet::new(),
            free_ids_of: HashSet::new(),
        };
        let mut names = BTreeSet::new();
        for (index, rule) in document.rules.iter().enumerate() {
            let wrong = |why: String| RulesError(format!("rules[{index}] ('{}'): {why}", rule.name));
            check(rule).map_err(wrong)?;
            if !names.insert(&rule.name) {
                return Err(wrong("another rule has this name".to_owned()));
            }
            lookup.place(index, rule).map_err(wrong)?;
        }
        for (index, exempt) in document.exempt.iter().enumerate() {
            lookup.exempt(exempt).map_err(|why| RulesError(format!("exempt[{index}]: {why}")))?;
        }
        lookup.document = document;
        Ok(lookup)
    }

    fn place(&mut self, index: usize, rule: &Rule) -> Result<(), String> {
        for lane in &rule.lanes {
            let taken = |other: usize| format!("rules[{other}] is for the same events");
            if rule.tokens.is_empty() {
                let place = &mut self.general[*lane as usize][rule.per as usize];
                place.replace(index).map_or(Ok(()), |other| Err(taken(other)))?;
            }
            for token in &rule.tokens {
                let other = self.special.insert((token_of_hex(token)?, *lane, rule.per), index);
                other.map_or(Ok(()), |other| Err(taken(other)))?;
            }
        }
        Ok(())
    }

    fn exempt(&mut self, exempt: &Exempt) -> Result<(), String> {
        let token = exempt.token.as_deref().map(token_of_hex).transpose()?;
        let id = match (&exempt.device, &exempt.user) {
            (Some(_), Some(_)) => return Err("give a device or a user, not both".to_owned()),
            (Some(device), None) => Some((Per::Device, device.clone())),
            (None, Some(user)) => Some((Per::User, user.clone())),
            (None, None) => None,
        };
        match (token, id) {
            (None, None) => return Err("give a token, a device or a user".to_owned()),
            (Some(token), None) => drop(self.free_keys.insert(token)),
            (None, Some(id)) => drop(self.free_ids.insert(id)),
            (Some(token), Some((per, id))) => drop(self.free_ids_of.insert((token, per, id))),
        }
        Ok(())
    }

    /// The rules for events of `token` in `lane`.
    pub fn applying(&self, token: ProjectToken, lane: Lane) -> Applying<'_> {
        if self.free_keys.contains(&token) {
            return [None; 3];
        }
        [Per::Device, Per::User, Per::Key].map(|per| {
            let special = self.special.get(&(token, lane, per)).copied();
            special.or(self.general[lane as usize][per as usize]).map(|index| &self.document.rules[index])
        })
    }

    /// True if this id is not limited.
    pub fn is_free(&self, token: ProjectToken, per: Per, id: &str) -> bool {
        // Nearly always both are empty, and nothing is copied.
        (!self.free_ids.is_empty() && self.free_ids.contains(&(per, id.to_owned())))
            || (!self.free_ids_of.is_empty() && self.free_ids_of.contains(&(token, per, id.to_owned())))
    }

    /// The rule with this name.
    pub fn named(&self, name: &str) -> Option<&Rule> {
        self.document.rules.iter().find(|rule| rule.name == name)
    }
}

fn check(rule: &Rule) -> Result<(), String> {
    let fine = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_' | b'.');
    if rule.name.is_empty() || rule.name.len() > NAME_BYTES_MAX || !rule.name.bytes().all(fine) {
        return Err(format!("a name has 1 to {NAME_BYTES_MAX} characters of a-z, 0-9, '-', '_' and '.'"));
    }
    if !(rule.events_per_second > 0.0 && rule.events_per_second <= RATE_MAX) {
        return Err(format!("events_per_second must be above 0 and at most {RATE_MAX}"));
    }
    if !(1..=COUNT_MAX).contains(&rule.burst) {
        return Err(format!("burst must be from 1 to {COUNT_MAX}"));
    }
    if rule.daily.is_some_and(|daily| !(1..=COUNT_MAX).contains(&daily)) {
        return Err(format!("daily must be from 1 to {COUNT_MAX}"));
    }
    if rule.lanes.is_empty() {
        return Err("lanes must not be empty".to_owned());
    }
    if rule.action == Action::Mark && rule.lanes.contains(&Lane::Bulk) {
        return Err("'mark' moves events to the bulk lane, so it is for the live lane only".to_owned());
    }
    Ok(())
}

/// The token that this hex text is.
pub(crate) fn token_of_hex(hex: &str) -> Result<ProjectToken, String> {
    let wrong = || format!("'{hex}' is not the 32 hex digits of a key's token");
    if hex.len() != 32 || !hex.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let number = u128::from_str_radix(hex, 16).map_err(|_| wrong())?;
    Ok(ProjectToken(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_wire::token_of;

    fn refused(text: &str) -> String {
        Lookup::parse(text.as_bytes()).map(|_| ()).unwrap_err().to_string()
    }

    fn with_rule(rule: &str) -> String {
        format!(r#"{{"version":1,"rules":[{rule}]}}"#)
    }

    #[test]
    fn the_built_in_rules_are_valid_and_leave_imports_alone() {
        let lookup = Lookup::new(Rules::default()).unwrap();
        let token = token_of("k");
        assert!(lookup.applying(token, Lane::Live)[Per::Device as usize].is_some());
        assert!(lookup.applying(token, Lane::Live)[Per::Key as usize].is_none());
        assert_eq!(lookup.applying(token, Lane::Bulk), [None; 3]);
        let text = serde_json::to_vec(&lookup.document).unwrap();
        assert_eq!(Lookup::parse(&text).unwrap().document, lookup.document);
    }

    #[test]
    fn a_rule_for_a_key_comes_before_the_rule_for_all() {
        let (own, other) = (token_of("own"), token_of("other"));
        let text = format!(
            r#"{{"version":1,"rules":[
                {{"name":"all","per":"user","events_per_second":1,"burst":2}},
                {{"name":"own","per":"user","events_per_second":5,"burst":9,"tokens":["{own}"],"lanes":["live","bulk"]}}],
              "exempt":[{{"user":"free"}},{{"token":"{own}","device":"d"}},{{"token":"{}"}}]}}"#,
            token_of("free key")
        );
        let lookup = Lookup::parse(text.as_bytes()).unwrap();
        let name = |token, lane| lookup.applying(token, lane)[Per::User as usize].map(|r| r.name.as_str());
        assert_eq!(name(own, Lane::Live), Some("own"));
        assert_eq!(name(own, Lane::Bulk), Some("own"));
        assert_eq!(name(other, Lane::Live), Some("all"));
        assert_eq!(name(other, Lane::Bulk), None);
        assert_eq!(name(token_of("free key"), Lane::Live), None);
        assert!(lookup.is_free(other, Per::User, "free") && !lookup.is_free(other, Per::Device, "free"));
        assert!(lookup.is_free(own, Per::Device, "d") && !lookup.is_free(other, Per::Device, "d"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        for (text, why) in [
            ("{", "EOF"),
            (r#"{"version":2}"#, "version must be 1"),
            (r#"{"version":1,"rulez":[]}"#, "unknown field `rulez`"),
            (
                &with_rule(r#"{"name":"a","per":"ip","events_per_second":1,"burst":1}"#),
                "unknown variant `ip`",
            ),
            (&with_rule(r#"{"name":"a","per":"key","burst":1}"#), "missing field `events_per_second`"),
            (
                &with_rule(r#"{"name":"a b","per":"key","events_per_second":1,"burst":1}"#),
                "rules[0] ('a b'): a name",
            ),
            (&with_rule(r#"{"name":"a","per":"key","events_per_second":0,"burst":1}"#), "above 0"),
            (&with_rule(r#"{"name":"a","per":"key","events_per_second":1,"burst":0}"#), "burst must be"),
            (
                &with_rule(r#"{"name":"a","per":"key","events_per_second":1,"burst":1,"daily":0}"#),
                "daily must be",
            ),
            (
                &with_rule(r#"{"name":"a","per":"key","events_per_second":1,"burst":1,"lanes":[]}"#),
                "lanes must",
            ),
            (
                &with_rule(r#"{"name":"a","per":"key","events_per_second":1,"burst":1,"tokens":["xyz"]}"#),
                "'xyz' is not",
            ),
            (
                &with_rule(
                    r#"{"name":"a","per":"key","events_per_second":1,"burst":1,"action":"mark","lanes":["bulk"]}"#,
                ),
                "live lane only",
            ),
            (
                &with_rule(
                    r#"{"name":"a","per":"key","events_per_second":1,"burst":1},{"name":"a","per":"user","events_per_second":1,"burst":1}"#,
                ),
                "another rule has this name",
            ),
            (
                &with_rule(
                    r#"{"name":"a","per":"key","events_per_second":1,"burst":1},{"name":"b","per":"key","events_per_second":1,"burst":1}"#,
                ),
                "rules[1] ('b'): rules[0] is for the same events",
            ),
            (r#"{"version":1,"exempt":[{}]}"#, "exempt[0]: give a token"),
            (r#"{"version":1,"exempt":[{"device":"a","user":"b"}]}"#, "not both"),
        ] {
            let said = refused(text);
            assert!(said.contains(why), "{text} -> {said}");
        }
    }
}
