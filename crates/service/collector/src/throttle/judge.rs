//! Decides, for one request, which of its events are over a limit.
//!
//! How a request is treated depends on what its protocol can say:
//! * native and Amplitude name single events, so each event is judged; the first ones pass as long as there is room;
//! * the others know only "all or nothing", so all events of one sender are judged together, and a request that is
//!   too much in part is taken as a whole: a neighbour in the batch must not suffer. Its events over the limit are
//!   marked (bulk lane) instead.
//!
//! Guarantees: what is not taken is not charged; no event is charged to, or refused for, anybody but its own sender
//! and key. Deliberately not here: answers (`wire`), what is done with the events (`mod`).

use super::bucket::Now;
use super::rules::{Action, Applying, Lookup, Per, Rule};
use super::table::Table;
use std::collections::HashMap;
use std::hash::RandomState;
use tallymark_model::{Lane, ProjectToken};
use tallymark_wire::{Dialect, Sender, Throttled};

/// What is judged.
pub(crate) struct Offer<'a> {
    pub token: ProjectToken,
    pub lane: Lane,
    pub dialect: Dialect,
    pub senders: &'a [Sender],
}

/// What becomes of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    /// Taken, in the bulk lane, because of this group.
    Mark(usize),
    /// Not taken, because of this group.
    Refuse(usize),
}

/// All events of a request that are counted together under one rule.
pub(crate) struct Group<'a> {
    pub rule: &'a Rule,
    /// Empty if the rule is per key.
    pub id: &'a str,
    hash: u64,
    n: u64,
    row: Option<usize>,
    /// Events that would still pass.
    room: u64,
    taken: u64,
}

/// The decision about a request.
pub(crate) struct Verdict<'a> {
    pub groups: Vec<Group<'a>>,
    pub fates: Vec<Fate>,
    /// Given if nothing of the request is taken.
    pub refusal: Option<Throttled>,
    /// Seconds until the refused events may pass.
    pub retry_after_s: u32,
    /// What was taken from the buckets: hash and count.
    pub charges: Vec<(u64, u64)>,
}

/// The groups of a request and, for each event, its groups by kind. Needs no lock.
pub(crate) struct Grouped<'a> {
    groups: Vec<Group<'a>>,
    of_event: Vec<[Option<usize>; 3]>,
}

impl<'a> Grouped<'a> {
    /// `None` if no rule applies to any event.
    pub fn new(rules: &'a Lookup, random: &RandomState, offer: &Offer<'a>) -> Option<Grouped<'a>> {
        let applying: Applying<'a> = rules.applying(offer.token, offer.lane);
        if applying.iter().all(Option::is_none) {
            return None;
        }
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut known: HashMap<(Per, &str), Option<usize>> = HashMap::new();
        let mut of_event = Vec::with_capacity(offer.senders.len());
        for sender in offer.senders {
            let ids = [sender.device.as_deref(), sender.user.as_deref(), Some("")];
            let kinds = [Per::Device, Per::User, Per::Key];
            of_event.push(std::array::from_fn(|kind| {
                let (per, rule, id) = (kinds[kind], applying[kind]?, ids[kind]?);
                let group = *known.entry((per, id)).or_insert_with(|| {
                    if per != Per::Key && rules.is_free(offer.token, per, id) {
                        return None;
                    }
                    let hash = Table::hash(random, &rule.name, offer.token, id);
                    groups.push(Group { rule, id, hash, n: 0, row: None, room: u64::MAX, taken: 0 });
                    Some(groups.len() - 1)
                });
                group.inspect(|group| groups[*group].n += 1)
            }));
        }
        Some(Grouped { groups, of_event })
    }

    /// Judges and, unless the request is refused, charges.
    pub fn judge(mut self, table: &mut Table, offer: &Offer<'_>, now: Now) -> Verdict<'a> {
        for group in &mut self.groups {
            group.row = table.offer(group.hash, group.rule, offer.token, group.id, group.n, now);
        }
        // A newcomer may have taken the row of another group of this very request.
        for group in &mut self.groups {
            group.row = table.row_of_hash_at(group.hash).filter(|_| group.row.is_some());
        }
        for group in &mut self.groups {
            if let Some(row) = group.row {
                group.room = table.row(row).bucket.room(group.rule);
            }
        }
        let names_events = matches!(offer.dialect, Dialect::Native | Dialect::Amplitude);
        let mut fates = if names_events { self.one_by_one() } else { self.by_sender(table) };
        let refused = fates.iter().filter(|fate| matches!(fate, Fate::Refuse(_))).count();
        let whole = match offer.dialect {
            Dialect::Amplitude => refused > 0,
            _ => refused > 0 && refused == fates.len(),
        };
        if !names_events && !whole {
            for fate in &mut fates {
                if let Fate::Refuse(group) = *fate {
                    *fate = Fate::Mark(group);
                }
            }
        }
        let retry_after_s = self.retry_after_s(table, &fates, now);
        let refusal = whole.then(|| self.refusal(table, &fates, offer.senders, retry_after_s, now));
        let charges = if whole { Vec::new() } else { self.charge(table, &fates, now) };
        Verdict { groups: self.groups, fates, refusal, retry_after_s, charges }
    }

    /// Each event in turn, as long as there is room for it everywhere.
    fn one_by_one(&mut self) -> Vec<Fate> {
        let groups = &mut self.groups;
        let judge = |of: &[Option<usize>; 3]| {
            let full = |action| {
                let mut of = of.iter().flatten().copied();
                of.find(|group| groups[*group].rule.action == action && groups[*group].room == 0)
            };
            if let Some(group) = full(Action::Refuse) {
                return Fate::Refuse(group);
            }
            if let Some(group) = full(Action::Mark) {
                return Fate::Mark(group);
            }
            for group in of.iter().flatten() {
                groups[*group].room -= 1;
            }
            Fate::Pass
        };
        self.of_event.iter().map(judge).collect()
    }

    /// All events of a sender alike; the key's limit counts only what its senders' limits leave.
    fn by_sender(&self, table: &mut Table) -> Vec<Fate> {
        let mut fits = |group: &Group<'_>, n: u64| match group.row {
            Some(row) => table.row(row).bucket.fits(n, group.rule),
            None => true,
        };
        let is_key = |group: &Group<'_>| group.rule.per == Per::Key;
        let over: Vec<bool> =
            self.groups.iter().map(|group| !is_key(group) && !fits(group, group.n)).collect();
        let fate = |over: &[bool], of: &[Option<usize>; 3]| {
            let find = |action| {
                let mut of = of.iter().flatten().copied();
                of.find(|group| over[*group] && self.groups[*group].rule.action == action)
            };
            let refuse = find(Action::Refuse).map(Fate::Refuse);
            refuse.or_else(|| find(Action::Mark).map(Fate::Mark)).unwrap_or(Fate::Pass)
        };
        let fates: Vec<Fate> = self.of_event.iter().map(|of| fate(&over, of)).collect();
        let left = fates.iter().filter(|fate| **fate == Fate::Pass).count() as u64;
        let Some(key) =
            self.groups.iter().position(is_key).filter(|key| left > 0 && !fits(&self.groups[*key], left))
        else {
            return fates;
        };
        let key_fate = match self.groups[key].rule.action {
            Action::Refuse => Fate::Refuse(key),
            Action::Mark => Fate::Mark(key),
        };
        fates.into_iter().map(|fate| if fate == Fate::Pass { key_fate } else { fate }).collect()
    }

    /// Takes from the buckets what passes; a marked event costs nothing, its sender's bucket is full anyway.
    fn charge(&mut self, table: &mut Table, fates: &[Fate], now: Now) -> Vec<(u64, u64)> {
        for (fate, of) in fates.iter().zip(&self.of_event) {
            if *fate == Fate::Pass {
                of.iter().flatten().for_each(|group| self.groups[*group].taken += 1);
            }
        }
        let mut charges = Vec::new();
        for group in &self.groups {
            if let (Some(row), 1..) = (group.row, group.taken) {
                table.row(row).bucket.take(group.taken, now);
                charges.push((group.hash, group.taken));
            }
        }
        charges
    }

    fn retry_after_s(&self, table: &mut Table, fates: &[Fate], now: Now) -> u32 {
        let mut refused: HashMap<usize, u64> = HashMap::new();
        for fate in fates {
            if let Fate::Refuse(group) = fate {
                *refused.entry(*group).or_default() += 1;
            }
        }
        let wait = refused.into_iter().filter_map(|(group, n)| {
            let group = &self.groups[group];
            let seconds = table.row(group.row?).bucket.retry_after_s(n, group.rule);
            // Not everybody at once.
            Some(seconds + ((group.hash ^ now.mono_ms) % u64::from(seconds / 4 + 2)) as u32)
        });
        wait.max().unwrap_or(1).min(30)
    }

    fn refusal(
        &self,
        table: &mut Table,
        fates: &[Fate],
        senders: &[Sender],
        retry_after_s: u32,
        now: Now,
    ) -> Throttled {
        let mut said = Throttled { retry_after_s, ..Throttled::default() };
        for (fate, sender) in fates.iter().zip(senders) {
            let Fate::Refuse(index) = fate else { continue };
            said.events.push(sender.index);
            let group = &self.groups[*index];
            let Some(row) = group.row else { continue };
            let bucket = &table.row(row).bucket;
            said.threshold = group.rule.events_per_second.ceil() as u64;
            let (rates, days) = match group.rule.per {
                Per::Device => (&mut said.devices, &mut said.quota_devices),
                Per::User => (&mut said.users, &mut said.quota_users),
                Per::Key => {
                    said.key = true;
                    continue;
                }
            };
            match bucket.over_quota(group.rule) {
                Some(day) => drop(days.insert(group.id.to_owned(), day)),
                None => {
                    let rate = bucket.offered_per_second(now).max(group.rule.events_per_second);
                    rates.insert(group.id.to_owned(), rate.ceil() as u64);
                }
            }
        }
        said
    }
}
