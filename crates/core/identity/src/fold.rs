//! The transition table of chapter 12.3, one operation at a time, in log order.
//!
//! Guarantees: operations that touch disjoint sets of subjects commute, so only the order within a connected
//! component matters (`graph` keeps it). Persons are *nodes*; a merge makes one node the parent of another and
//! the root of a tree is the surviving person. Not here: finding out which operations are late.

use crate::config::{IdentityConfig, SharedDevice};
use crate::op::{Action, IdentityOp, Merge, MergeKind, Refusal, RefusalReason, UNSEEN};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tallymark_model::{Seq, SubjectId, SubjectKind};

/// A person as born: by a subject, or by a device starting afresh after a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    /// The subject that founded it; 0 for node 0, which is nobody.
    pub subject: u32,
    /// 0 = the subject's first person, n = the person of a device's n-th fresh start.
    pub life: u32,
    /// When it began; [`UNSEEN`] while unused.
    pub born: Seq,
    /// The smallest birth among this and what it absorbed.
    pub oldest: Seq,
}

/// What was accepted and refused, per component.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    pub merges: Vec<Merge>,
    pub refusals: Vec<Refusal>,
}

/// The state of the machine: `owner`, `users`, `parent`, `ids` of chapter 12.2, as arrays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fold {
    pub config: IdentityConfig,
    /// Per subject: its own node (life 0).
    pub own: Vec<u32>,
    /// Per subject: node of a user's person, or of a device's current owner; 0 = unknown or freed.
    at: Vec<u32>,
    /// Per subject: the first node it was assigned to; 0 = none yet.
    pub initial: Vec<u32>,
    /// Devices whose owner changed: later assignments, in log order.
    pub timelines: FxHashMap<u32, Vec<(Seq, u32)>>,
    /// Nodes for fresh starts of devices, in the order in which they may be used.
    pub lives: FxHashMap<u32, Vec<u32>>,
    /// Distinct users of devices that had more than one.
    device_users: FxHashMap<u32, Vec<u32>>,
    pub nodes: Arc<Vec<Node>>,
    parent: Vec<u32>,
    /// At a root: number of user ids.
    ids: Vec<u32>,
}

impl Fold {
    pub fn new(config: IdentityConfig) -> Fold {
        let mut fold = Fold { config, own: vec![0], at: vec![0], initial: vec![0], ..Fold::default() };
        fold.add_node(0, 0);
        fold
    }

    pub fn add_subject(&mut self, subject: u32) {
        debug_assert_eq!(self.own.len(), subject as usize);
        let node = self.add_node(subject, 0);
        self.own.push(node);
        self.at.push(0);
        self.initial.push(0);
    }

    /// Reserves one more node for a fresh start of `device`.
    pub fn add_life(&mut self, device: u32) {
        let life = self.lives.get(&device).map_or(0, Vec::len) as u32 + 1;
        let node = self.add_node(device, life);
        self.lives.entry(device).or_default().push(node);
    }

    fn add_node(&mut self, subject: u32, life: u32) -> u32 {
        let node = self.parent.len() as u32;
        Arc::make_mut(&mut self.nodes).push(Node { subject, life, born: UNSEEN, oldest: UNSEEN });
        self.parent.push(node);
        self.ids.push(0);
        node
    }

    /// The surviving person of a node.
    pub fn find(&mut self, mut node: u32) -> u32 {
        while self.parent[node as usize] != node {
            let up = self.parent[self.parent[node as usize] as usize];
            self.parent[node as usize] = up;
            node = up;
        }
        node
    }

    /// All nodes a subject may have founded.
    pub fn nodes_of(&self, subject: u32) -> impl Iterator<Item = u32> + '_ {
        let lives = self.lives.get(&subject).map_or(&[][..], Vec::as_slice);
        std::iter::once(self.own[subject as usize]).chain(lives.iter().copied())
    }

    /// Forgets what operations did to `subject`, so that its component can be folded again.
    pub fn forget(&mut self, subject: u32) {
        self.at[subject as usize] = 0;
        self.initial[subject as usize] = 0;
        self.timelines.remove(&subject);
        self.device_users.remove(&subject);
        let founded: Vec<u32> = self.nodes_of(subject).collect();
        for node in founded {
            self.parent[node as usize] = node;
            self.ids[node as usize] = 0;
            let founded = &mut Arc::make_mut(&mut self.nodes)[node as usize];
            (founded.born, founded.oldest) = (UNSEEN, UNSEEN);
        }
    }

    /// First sight of a subject on an event of its own; nothing if it is known.
    pub fn seen(&mut self, subject: u32, kind: SubjectKind, seq: Seq) -> bool {
        if self.at[subject as usize] != 0 {
            return false;
        }
        match kind {
            SubjectKind::User => self.new_user(subject, seq),
            SubjectKind::Device => self.new_life(subject, seq),
        };
        true
    }

    /// Applies one operation; true if any answer may have changed.
    pub fn step(&mut self, op: &IdentityOp, notes: &mut Notes) -> bool {
        match op.action {
            Action::Seen | Action::Pair => self.event(op, notes),
            Action::Reset => {
                let user = op.user.0;
                let news = user != 0 && self.seen(user, SubjectKind::User, op.seq);
                let owned = self.at[op.device.0 as usize] != 0;
                self.at[op.device.0 as usize] = 0;
                self.note_unborn(op.device.0, op.seq);
                news || owned
            }
            Action::Alias | Action::Merge => {
                let joined = self.join(op, notes);
                // It is also an event with its ids; after the join, so that a user who was unknown until now
                // joins the other's person instead of adopting the device first.
                self.event(op, notes) || joined
            }
        }
    }

    fn event(&mut self, op: &IdentityOp, notes: &mut Notes) -> bool {
        match (op.device.0, op.user.0) {
            (0, 0) => false,
            (device, 0) => self.seen(device, SubjectKind::Device, op.seq),
            (0, user) => self.seen(user, SubjectKind::User, op.seq),
            (device, user) => self.pair(device, user, op.seq, notes),
        }
    }

    fn pair(&mut self, device: u32, user: u32, seq: Seq, notes: &mut Notes) -> bool {
        let users = self.count_user(device, user);
        let owner = self.current(device);
        let person = self.current(user);
        let note = |kind, person, absorbed, subject| Merge {
            seq,
            kind,
            person,
            absorbed,
            subject: SubjectId(subject),
        };
        if owner == 0 {
            let person = if person == 0 { self.new_user(user, seq) } else { person };
            self.assign(device, person, seq);
            return true;
        }
        if owner == person {
            return false;
        }
        let anonymous = self.ids[owner as usize] == 0;
        if anonymous && users <= self.config.max_users_per_device {
            if person == 0 {
                self.attach(owner, user, seq);
                notes.merges.push(note(MergeKind::Adopt, owner, None, user));
            } else {
                self.absorb(person, owner);
                notes.merges.push(note(MergeKind::Identify, person, Some(owner), device));
            }
            return true;
        }
        if anonymous {
            notes.refusals.push(Refusal {
                seq,
                reason: RefusalReason::SharedDevice,
                subject: SubjectId(user),
                other: SubjectId(device),
            });
        }
        let fresh = person == 0;
        let person = if fresh { self.new_user(user, seq) } else { person };
        let moves = self.config.shared_device == SharedDevice::LastUser;
        if moves {
            self.assign(device, person, seq);
        }
        fresh || moves
    }

    /// `$alias` and `$merge`.
    fn join(&mut self, op: &IdentityOp, notes: &mut Notes) -> bool {
        let speaker = op.speaker().0;
        let by_user = !op.user.is_none();
        let mut refuse = |reason, other: SubjectId| {
            notes.refusals.push(Refusal { seq: op.seq, reason, subject: op.speaker(), other });
            false
        };
        let (other_user, other_device) = (op.other_user.0, op.other_device.0);
        let named = if other_user != 0 { op.other_user } else { op.other_device };
        if speaker == 0 || named.is_none() {
            return refuse(RefusalReason::NoUsableId, named);
        }
        if speaker == other_user || (!by_user && speaker == other_device) {
            return refuse(RefusalReason::SameId, named);
        }
        // User ids are looked up first.
        let via = match (self.current(other_user), self.current(other_device)) {
            (0, 0) => named.0,
            (0, _) => other_device,
            _ => other_user,
        };
        let other = self.current(via);
        let person = self.current(speaker);
        let max = self.config.max_ids_per_person;
        let kind = if op.action == Action::Merge { MergeKind::Merge } else { MergeKind::Alias };
        let note = |person, absorbed, subject| Merge {
            seq: op.seq,
            kind,
            person,
            absorbed,
            subject: SubjectId(subject),
        };

        if person == 0 && other != 0 {
            // The newcomer joins the person that the other id already has.
            if by_user && self.ids[other as usize] >= max {
                self.new_user(speaker, op.seq);
                refuse(RefusalReason::TooManyIds, named);
                return true;
            }
            if by_user {
                self.attach(other, speaker, op.seq);
            } else {
                self.assign(speaker, other, op.seq);
            }
            notes.merges.push(note(other, None, speaker));
            return true;
        }
        let fresh = person == 0;
        let person = match (fresh, by_user) {
            (false, _) => person,
            (true, true) => self.new_user(speaker, op.seq),
            (true, false) => self.new_life(speaker, op.seq),
        };
        if other == 0 {
            if via == other_user && self.ids[person as usize] >= max {
                refuse(RefusalReason::TooManyIds, named);
                return fresh;
            }
            if via == other_user {
                self.attach(person, via, op.seq);
            } else {
                self.assign(via, person, op.seq);
            }
            notes.merges.push(note(person, None, via));
            return true;
        }
        if person == other {
            return fresh;
        }
        let (mine, theirs) = (self.ids[person as usize], self.ids[other as usize]);
        if mine > 0 && theirs > 0 && op.action == Action::Alias {
            return refuse(RefusalReason::BothIdentified, SubjectId(via)) || fresh;
        }
        if mine + theirs > max {
            return refuse(RefusalReason::TooManyIds, SubjectId(via)) || fresh;
        }
        if theirs == 0 && via == other_device && self.is_shared(via) {
            return refuse(RefusalReason::SharedDevice, SubjectId(via)) || fresh;
        }
        let first_survives = match (mine > 0, theirs > 0) {
            (true, _) => true,
            (false, true) => false,
            (false, false) => self.older(person, other),
        };
        let (survivor, absorbed) = if first_survives { (person, other) } else { (other, person) };
        self.absorb(survivor, absorbed);
        notes.merges.push(note(survivor, Some(absorbed), via));
        true
    }

    /// The person a user or device belongs to now; 0 = unknown, or no subject.
    fn current(&mut self, subject: u32) -> u32 {
        self.find(self.at[subject as usize])
    }

    fn older(&self, a: u32, b: u32) -> bool {
        (self.nodes[a as usize].oldest, a) < (self.nodes[b as usize].oldest, b)
    }

    fn new_user(&mut self, user: u32, seq: Seq) -> u32 {
        let node = self.own[user as usize];
        self.give_birth(node, seq);
        self.ids[node as usize] = 1;
        self.assign(user, node, seq);
        node
    }

    fn new_life(&mut self, device: u32, seq: Seq) -> u32 {
        let unused = |n: &u32| self.nodes[*n as usize].born == UNSEEN;
        // Every operation that can start a life reserved a node when it was applied; should the own node be
        // all there is, it is used again: two anonymous lives of one device would count as one person.
        let node = self.nodes_of(device).find(unused).unwrap_or(self.own[device as usize]);
        self.give_birth(node, seq);
        self.assign(device, node, seq);
        node
    }

    fn give_birth(&mut self, node: u32, seq: Seq) {
        let node = &mut Arc::make_mut(&mut self.nodes)[node as usize];
        // What a node was noted for before it was anybody does not make its person older.
        node.oldest = if node.born == UNSEEN { seq } else { seq.min(node.oldest) };
        node.born = seq.min(node.born);
    }

    /// A device of which nothing but logouts is known is a person nobody counts; it was first seen at the first.
    fn note_unborn(&mut self, device: u32, seq: Seq) {
        let own = self.own[device as usize] as usize;
        let unborn = |n: &Node| n.born == UNSEEN && seq < n.oldest;
        if device != 0 && self.nodes.get(own).is_some_and(unborn) {
            Arc::make_mut(&mut self.nodes)[own].oldest = seq;
        }
    }

    /// One more user id for a person.
    fn attach(&mut self, person: u32, user: u32, seq: Seq) {
        self.ids[person as usize] += 1;
        self.assign(user, person, seq);
    }

    fn assign(&mut self, subject: u32, node: u32, seq: Seq) {
        self.at[subject as usize] = node;
        let initial = self.initial[subject as usize];
        if initial == 0 {
            self.initial[subject as usize] = node;
            return;
        }
        let last = self.timelines.get(&subject).and_then(|t| t.last()).map_or(initial, |e| e.1);
        if self.find(last) != self.find(node) {
            self.timelines.entry(subject).or_default().push((seq, node));
        }
    }

    fn absorb(&mut self, survivor: u32, absorbed: u32) {
        self.parent[absorbed as usize] = survivor;
        self.ids[survivor as usize] += self.ids[absorbed as usize];
        let oldest = self.nodes[absorbed as usize].oldest;
        let survivor = &mut Arc::make_mut(&mut self.nodes)[survivor as usize];
        survivor.oldest = oldest.min(survivor.oldest);
    }

    /// Counts `user` among the users of `device`, and says how many there are (at least).
    fn count_user(&mut self, device: u32, user: u32) -> u32 {
        let users = self.device_users.entry(device).or_default();
        // Beyond the limit the exact number no longer matters, so the list stays short.
        if users.len() as u32 <= self.config.max_users_per_device && !users.contains(&user) {
            users.push(user);
        }
        users.len() as u32
    }

    fn is_shared(&self, device: u32) -> bool {
        self.device_users.get(&device).is_some_and(|u| u.len() as u32 > self.config.max_users_per_device)
    }
}
