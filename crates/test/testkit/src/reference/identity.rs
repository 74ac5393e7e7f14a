//! Chapter 12 from the text: the table row by row, over raw ids, one event after the other in log order.

use super::events::RefEvent;
use std::collections::{BTreeSet, HashMap};
use tallymark_model::{IdentityAction, Seq};

const MAX_USERS_PER_DEVICE: usize = 20;
const MAX_IDS_PER_PERSON: usize = 1000;

/// Who each event belongs to, and what was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Per event of the log: its person in the end, after all merges; none = unattributed.
    pub persons: Vec<Option<usize>>,
    /// Per event of the log: its person when it was processed.
    pub at_ingest: Vec<Option<usize>>,
    /// Per person that is left: the user ids.
    pub user_ids: HashMap<usize, BTreeSet<String>>,
    /// Per person that is left: where it began.
    pub first: HashMap<usize, Seq>,
    /// Per person that is left: the raw id it began with, and whether that is a user id.
    pub founder: HashMap<usize, (String, bool)>,
    /// Per person that is left: the devices it owns or owned.
    pub device_ids: HashMap<usize, BTreeSet<String>>,
    /// Per device that is owned: its last owner.
    pub owners: HashMap<String, usize>,
    /// Refused merges: where and the code.
    pub refused: Vec<(Seq, &'static str)>,
    /// Persons that were absorbed: where, who, by whom.
    pub merges: Vec<(Seq, usize, usize)>,
}

#[derive(Default)]
struct Machine {
    owner: HashMap<String, usize>,
    users: HashMap<String, usize>,
    parent: Vec<usize>,
    ids: Vec<BTreeSet<String>>,
    first: Vec<Seq>,
    founder: Vec<(String, bool)>,
    owned: Vec<(String, usize)>,
    users_of_device: HashMap<String, BTreeSet<String>>,
    first_user_owns_device: bool,
    refused: Vec<(Seq, &'static str)>,
    merges: Vec<(Seq, usize, usize)>,
    now: Seq,
}

/// Replays a log that is sorted by `seq`.
pub fn replay(log: &[&RefEvent], first_user_owns_device: bool) -> Replay {
    let mut machine = Machine { first_user_owns_device, ..Machine::default() };
    let raw: Vec<Option<usize>> = log.iter().map(|event| machine.event(event)).collect();
    let persons: Vec<Option<usize>> = raw.iter().map(|p| p.map(|p| machine.find(p))).collect();
    let left: Vec<usize> = (0..machine.parent.len()).filter(|p| machine.parent[*p] == *p).collect();
    Replay {
        user_ids: left.iter().map(|p| (*p, machine.ids[*p].clone())).collect(),
        first: left.iter().map(|p| (*p, machine.first[*p])).collect(),
        founder: left.iter().map(|p| (*p, machine.founder[*p].clone())).collect(),
        device_ids: left
            .iter()
            .map(|p| {
                let theirs = machine.owned.iter().filter(|(_, owner)| machine.find(*owner) == *p);
                (*p, theirs.map(|(device, _)| device.clone()).collect())
            })
            .collect(),
        owners: machine.owned.iter().map(|(device, owner)| (device.clone(), machine.find(*owner))).collect(),
        persons,
        at_ingest: raw,
        refused: machine.refused,
        merges: machine.merges,
    }
}

impl Machine {
    fn find(&self, mut person: usize) -> usize {
        while self.parent[person] != person {
            person = self.parent[person];
        }
        person
    }

    fn new_person(&mut self, seq: Seq, raw: &str, is_user: bool) -> usize {
        self.founder.push((raw.to_owned(), is_user));
        self.parent.push(self.parent.len());
        self.ids.push(BTreeSet::new());
        self.first.push(seq);
        self.parent.len() - 1
    }

    fn own(&mut self, device: String, person: usize) {
        self.owned.push((device.clone(), person));
        self.owner.insert(device, person);
    }

    fn user(&self, id: &str) -> Option<usize> {
        self.users.get(id).map(|p| self.find(*p))
    }

    fn device(&self, id: &str) -> Option<usize> {
        self.owner.get(id).map(|p| self.find(*p))
    }

    fn user_or_new(&mut self, id: &str, seq: Seq) -> usize {
        if let Some(person) = self.user(id) {
            return person;
        }
        let person = self.new_person(seq, id, true);
        self.ids[person].insert(id.to_owned());
        self.users.insert(id.to_owned(), person);
        person
    }

    fn device_or_new(&mut self, id: &str, seq: Seq) -> usize {
        if let Some(person) = self.device(id) {
            return person;
        }
        let person = self.new_person(seq, id, false);
        self.own(id.to_owned(), person);
        person
    }

    fn identified(&self, person: usize) -> bool {
        !self.ids[person].is_empty()
    }

    fn merge(&mut self, survivor: usize, absorbed: usize) {
        self.merges.push((self.now, absorbed, survivor));
        self.parent[absorbed] = survivor;
        let ids = self.ids[absorbed].clone();
        self.ids[survivor].extend(ids);
        self.first[survivor] = self.first[survivor].min(self.first[absorbed]);
    }

    /// Applies an event and says whose it is at that moment.
    fn event(&mut self, event: &RefEvent) -> Option<usize> {
        let (device, user) = (event.device_id.as_deref(), event.user_id.as_deref());
        self.now = event.seq;
        match &event.action {
            IdentityAction::Reset => {
                let before = device.and_then(|d| self.device(d));
                if let Some(device) = device {
                    self.owner.remove(device);
                }
                return match user {
                    Some(user) => Some(self.user_or_new(user, event.seq)),
                    // A reset is the last event of the device's owner.
                    None => before,
                };
            }
            IdentityAction::Alias { other } => self.join(user, device, other, event.seq, false),
            IdentityAction::Merge { other } => self.join(user, device, other, event.seq, true),
            IdentityAction::None => {}
        }
        match (device, user) {
            (None, None) => None,
            (Some(device), None) => Some(self.device_or_new(device, event.seq)),
            (None, Some(user)) => Some(self.user_or_new(user, event.seq)),
            (Some(device), Some(user)) => Some(self.both(device, user, event.seq)),
        }
    }

    fn both(&mut self, device: &str, user: &str, seq: Seq) -> usize {
        let seen = self.users_of_device.entry(device.to_owned()).or_default();
        seen.insert(user.to_owned());
        let shared = seen.len() > MAX_USERS_PER_DEVICE;
        // device unknown: device -> user's person (created if new)
        let Some(owner) = self.device(device) else {
            let person = self.user_or_new(user, seq);
            self.own(device.to_owned(), person);
            return person;
        };
        // same person: nothing
        if self.user(user) == Some(owner) {
            return owner;
        }
        if !self.identified(owner) && !shared {
            let Some(person) = self.user(user) else {
                // adopt
                self.ids[owner].insert(user.to_owned());
                self.users.insert(user.to_owned(), owner);
                return owner;
            };
            // merge it into the user's person, retroactively
            self.merge(person, owner);
            return person;
        }
        if !self.identified(owner) {
            self.refused.push((seq, "shared_device"));
        }
        // shared device: no merge; event -> the user
        let person = self.user_or_new(user, seq);
        if !self.first_user_owns_device {
            self.own(device.to_owned(), person);
        }
        person
    }

    fn join(&mut self, user: Option<&str>, device: Option<&str>, other: &str, seq: Seq, force: bool) {
        if other.is_empty() || (user.is_none() && device.is_none()) {
            return self.refused.push((seq, "no_usable_id"));
        }
        // An alias of an event without a user speaks for the device's person.
        if user.or(device) == Some(other) {
            return self.refused.push((seq, "same_id"));
        }
        // user ids are looked up first
        let by_user_id = self.user(other);
        let theirs = by_user_id.or(self.device(other));
        let mine = match (user, device) {
            (Some(user), _) => self.user(user),
            (None, Some(device)) => self.device(device),
            (None, None) => None,
        };
        let room = |machine: &Machine, person: usize, more: usize| {
            machine.ids[person].len() + more <= MAX_IDS_PER_PERSON
        };
        match (mine, theirs) {
            // user unknown, other known: user joins other's person
            (None, Some(theirs)) => match (user, device) {
                (Some(user), _) if room(self, theirs, 1) => {
                    self.ids[theirs].insert(user.to_owned());
                    self.users.insert(user.to_owned(), theirs);
                }
                (Some(user), _) => {
                    self.user_or_new(user, seq);
                    self.refused.push((seq, "too_many_ids"));
                }
                (None, Some(device)) => {
                    self.own(device.to_owned(), theirs);
                }
                (None, None) => {}
            },
            // other unknown: other becomes one more id of the user's person
            (_, None) => {
                let mine = match (user, device) {
                    (Some(user), _) => self.user_or_new(user, seq),
                    (None, device) => self.device_or_new(device.unwrap_or_default(), seq),
                };
                if !room(self, mine, 1) {
                    return self.refused.push((seq, "too_many_ids"));
                }
                self.ids[mine].insert(other.to_owned());
                self.users.insert(other.to_owned(), mine);
            }
            (Some(mine), Some(theirs)) if mine == theirs => {}
            (Some(mine), Some(theirs)) => {
                if self.identified(mine) && self.identified(theirs) && !force {
                    return self.refused.push((seq, "merge_refused"));
                }
                if !room(self, mine, self.ids[theirs].len()) {
                    return self.refused.push((seq, "too_many_ids"));
                }
                let users = self.users_of_device.get(other).map_or(0, BTreeSet::len);
                if !self.identified(theirs) && by_user_id.is_none() && users > MAX_USERS_PER_DEVICE {
                    return self.refused.push((seq, "shared_device"));
                }
                // survivor: the identified one; both anonymous: the older; $merge: the first
                let other_survives = match (self.identified(mine), self.identified(theirs)) {
                    (true, _) => false,
                    (false, true) => true,
                    (false, false) => self.first[theirs] < self.first[mine],
                };
                if other_survives { self.merge(theirs, mine) } else { self.merge(mine, theirs) }
            }
        }
    }
}
