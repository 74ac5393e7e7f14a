//! The world of the deduplication model: its states, its moves, and the search through all of them.

use std::collections::HashSet;

/// Longest log.
const N: usize = 5;

/// When the index learns of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// While deciding, durably, before the commit.
    IndexFirst,
    /// From the delta of a commit that happened.
    CommitFirst,
}

/// What makes a record a duplicate, given the position that the index holds for its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Any position.
    Present,
    /// A smaller position.
    Less,
    /// Another position.
    Other,
}

/// What a lost index is rebuilt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuild {
    /// Read the log again, first come first.
    Log,
    /// The committed rows.
    Rows,
}

/// How much of what is prepared one commit takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Everything.
    Whole,
    /// Everything up to some point in the order of decision.
    Prefix,
    /// One lane's part, leaving the other prepared.
    LaneAlone,
}

/// How a reprocess meets decisions that are prepared but not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reprocess {
    /// It goes through the same driver: what was prepared is dropped and decided again.
    Serial,
    /// It commits beside them.
    Beside,
}

/// One candidate.
#[derive(Debug, Clone, Copy)]
pub struct Design {
    pub order: Order,
    pub index: Index,
    pub rebuild: Rebuild,
    /// Duplicates whose witness is reprocessed away are decided again in the same commit.
    pub orphans: bool,
    pub group: Group,
    pub reprocess: Reprocess,
    /// A replayed original takes its place back from a later copy of its lane, in the commit of the replay.
    pub yields: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Fate {
    Open,
    Visible,
    Duplicate,
    Filtered,
}

/// id -> position of its row.
type Rows = [Option<u8>; 2];

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    /// Committed cursor per lane, as a position.
    cursor: [u8; 2],
    /// Skipped and not yet replayed.
    gaps: u8,
    fate: [Fate; N],
    index: Rows,
    /// Decided, not committed, in the order of decision.
    prepared: Vec<(u8, Fate)>,
    /// What the decisions in `prepared` would add to the index.
    overlay: Rows,
    faults: u8,
    /// A rule that drops odd positions is in force.
    rule: bool,
}

/// What a search found.
#[derive(Default)]
pub struct Found {
    pub states: usize,
    pub quiescent: usize,
    /// Shortest schedule that ends with two rows for one id.
    pub doubled: Option<String>,
    /// Shortest schedule that ends with a duplicate of nothing.
    pub lost: Option<String>,
}

impl Found {
    pub fn is_safe(&self) -> bool {
        self.doubled.is_none() && self.lost.is_none()
    }

    pub fn merge(&mut self, other: Found) {
        self.states += other.states;
        self.quiescent += other.quiescent;
        let shorter = |a: &mut Option<String>, b: Option<String>| {
            if b.as_ref().is_some_and(|b| a.as_ref().is_none_or(|a| b.len() < a.len())) {
                *a = b;
            }
        };
        shorter(&mut self.doubled, other.doubled);
        shorter(&mut self.lost, other.lost);
    }

    pub fn describe(&self) -> String {
        match (&self.doubled, &self.lost) {
            (None, None) => "no violation".into(),
            (d, l) => format!("counts twice: {d:?}; loses: {l:?}"),
        }
    }
}

struct Model<'a> {
    design: Design,
    log: &'a [u8],
    /// Positions below are of the live lane, the rest of the bulk lane.
    live: u8,
    faults_max: u8,
}

/// Explores every schedule of `log`, whose first `live` events are in the live lane.
pub fn explore(design: Design, log: &[u8], live: usize, faults_max: u8) -> Found {
    let model = Model { design, log, live: live as u8, faults_max };
    let start = World {
        cursor: [0, live as u8],
        gaps: 0,
        fate: [Fate::Open; N],
        index: [None; 2],
        prepared: Vec::new(),
        overlay: [None; 2],
        faults: 0,
        rule: false,
    };
    // Breadth first, so that the first counter-example is a shortest one. `from` keeps the way back.
    let mut seen = HashSet::from([start.clone()]);
    let mut all = vec![(start, usize::MAX, String::new())];
    let mut found = Found::default();
    let mut at = 0;
    while at < all.len() {
        let world = all[at].0.clone();
        model.judge(&world, &all, at, &mut found);
        for (label, next) in model.moves(&world) {
            if seen.insert(next.clone()) {
                all.push((next, at, label));
            }
        }
        at += 1;
    }
    found.states = all.len();
    found
}

impl Model<'_> {
    fn n(&self) -> u8 {
        self.log.len() as u8
    }
    fn end(&self, lane: usize) -> u8 {
        [self.live, self.n()][lane]
    }
    fn start(&self, lane: usize) -> u8 {
        [0, self.live][lane]
    }
    fn lane(&self, position: u8) -> usize {
        usize::from(position >= self.live)
    }
    fn id(&self, position: u8) -> usize {
        usize::from(self.log[usize::from(position)])
    }

    fn judge(&self, w: &World, all: &[(World, usize, String)], at: usize, found: &mut Found) {
        let drained = (0..2).all(|lane| w.cursor[lane] == self.end(lane));
        if !drained || w.gaps != 0 || !w.prepared.is_empty() {
            return;
        }
        found.quiescent += 1;
        for id in 0..2 {
            let count =
                |fate| (0..self.n()).filter(|p| self.id(*p) == id && w.fate[usize::from(*p)] == fate).count();
            let (visible, duplicate) = (count(Fate::Visible), count(Fate::Duplicate));
            let slot = match (visible, duplicate) {
                (2.., _) => &mut found.doubled,
                (0, 1..) => &mut found.lost,
                _ => continue,
            };
            if slot.is_none() {
                *slot = Some(self.story(all, at));
            }
        }
    }

    fn story(&self, all: &[(World, usize, String)], mut at: usize) -> String {
        let mut steps = Vec::new();
        while all[at].1 != usize::MAX {
            steps.push(all[at].2.clone());
            at = all[at].1;
        }
        steps.reverse();
        let log: String = self.log.iter().map(|k| char::from(b'a' + k)).collect();
        format!("{}|{}: {}", &log[..usize::from(self.live)], &log[usize::from(self.live)..], steps.join(" "))
    }

    /// Decides positions in order, against `rows`, which learns of the new rows.
    fn decide(&self, positions: &[u8], rows: &mut Rows, rule: bool) -> Vec<(u8, Fate)> {
        let one = |&p: &u8| {
            let duplicate = match (rows[self.id(p)], self.design.index) {
                (None, _) => false,
                (Some(_), Index::Present) => true,
                (Some(at), Index::Less) => at < p,
                (Some(at), Index::Other) => at != p,
            };
            let fate = match (rule && p % 2 == 1, duplicate) {
                (true, _) => Fate::Filtered,
                (false, true) => Fate::Duplicate,
                (false, false) => {
                    rows[self.id(p)] = Some(p);
                    Fate::Visible
                }
            };
            (p, fate)
        };
        positions.iter().map(one).collect()
    }

    fn moves(&self, w: &World) -> Vec<(String, World)> {
        let mut out = Vec::new();
        self.prepare(w, &mut out);
        self.commit(w, &mut out);
        self.replay(w, &mut out);
        if w.faults < self.faults_max {
            self.reprocess(w, &mut out);
            self.break_something(w, &mut out);
        }
        out
    }

    fn prepare(&self, w: &World, out: &mut Vec<(String, World)>) {
        for lane in 0..2 {
            let waiting = w.prepared.iter().filter(|(p, _)| self.lane(*p) == lane).count() as u8;
            let from = w.cursor[lane] + waiting;
            for batch in 1..=2 {
                if from + batch > self.end(lane) || waiting + batch > 2 {
                    continue;
                }
                let positions: Vec<u8> = (from..from + batch).collect();
                let mut next = w.clone();
                let mut rows = [0, 1].map(|id| w.overlay[id].or(w.index[id]));
                next.prepared.extend(self.decide(&positions, &mut rows, w.rule));
                match self.design.order {
                    Order::IndexFirst => next.index = rows,
                    Order::CommitFirst => next.overlay = rows,
                }
                out.push((format!("decide{positions:?}"), next));
            }
        }
    }

    fn commit(&self, w: &World, out: &mut Vec<(String, World)>) {
        let mut take = |label: String, chosen: &dyn Fn(usize, u8) -> bool| {
            let mut next = w.clone();
            next.prepared.clear();
            for (i, (p, fate)) in w.prepared.iter().enumerate() {
                if chosen(i, *p) {
                    next.fate[usize::from(*p)] = *fate;
                    next.cursor[self.lane(*p)] = p + 1;
                    if *fate == Fate::Visible && self.design.order == Order::CommitFirst {
                        next.index[self.id(*p)] = Some(*p);
                    }
                } else {
                    next.prepared.push((*p, *fate));
                }
            }
            if next.prepared.is_empty() {
                next.overlay = [None; 2];
            }
            out.push((label, next));
        };
        let count = w.prepared.len();
        match self.design.group {
            _ if count == 0 => {}
            Group::Whole => take("commit".into(), &|_, _| true),
            Group::Prefix => (1..=count).for_each(|k| take(format!("commit-first-{k}"), &|i, _| i < k)),
            Group::LaneAlone => (0..2)
                .filter(|lane| w.prepared.iter().any(|(p, _)| self.lane(*p) == *lane))
                .for_each(|lane| take(format!("commit-lane-{lane}"), &|_, p| self.lane(p) == lane)),
        }
    }

    /// A replay is a job of its own commit; like a reprocess it goes through the driver.
    fn replay(&self, w: &World, out: &mut Vec<(String, World)>) {
        for p in (0..self.n()).filter(|p| w.gaps >> p & 1 == 1) {
            let mut next = dropped(w);
            next.gaps &= !(1 << p);
            let mut rows = next.index;
            for (p, fate) in self.decide(&[p], &mut rows, w.rule) {
                next.fate[usize::from(p)] = fate;
                let later = rows[self.id(p)].filter(|w| *w > p && self.lane(*w) == self.lane(p));
                if let (true, Fate::Duplicate, Some(witness)) = (self.design.yields, fate, later) {
                    next.fate[usize::from(witness)] = Fate::Duplicate;
                    next.fate[usize::from(p)] = Fate::Visible;
                    rows[self.id(p)] = Some(p);
                }
            }
            next.index = rows;
            out.push((format!("replay({p})"), next));
            if w.faults < self.faults_max && self.design.order == Order::IndexFirst {
                let mut crashed = dropped(w);
                crashed.index = rows;
                crashed.faults += 1;
                out.push((format!("crash-in-replay({p})"), crashed));
            }
        }
    }

    /// The old row and its index entry leave together with the arrival of the new decision.
    fn reprocess(&self, w: &World, out: &mut Vec<(String, World)>) {
        for p in (0..self.n()).filter(|p| w.cursor[self.lane(*p)] > *p && w.gaps >> p & 1 == 0) {
            let mut next = match self.design.reprocess {
                Reprocess::Serial => dropped(w),
                Reprocess::Beside => w.clone(),
            };
            let mut positions = vec![p];
            if self.design.orphans && w.fate[usize::from(p)] == Fate::Visible {
                let orphan = |q: &u8| w.fate[usize::from(*q)] == Fate::Duplicate && self.id(*q) == self.id(p);
                positions.extend((0..self.n()).filter(orphan));
            }
            let mut rows = w.index.map(|at| at.filter(|at| *at != p));
            for (q, fate) in self.decide(&positions, &mut rows, w.rule) {
                next.fate[usize::from(q)] = fate;
            }
            next.index = rows;
            next.faults += 1;
            out.push((format!("reprocess{positions:?}"), next));
        }
    }

    fn break_something(&self, w: &World, out: &mut Vec<(String, World)>) {
        let mut fault = |label: String, change: &dyn Fn(&mut World)| {
            let mut next = w.clone();
            next.faults += 1;
            change(&mut next);
            out.push((label, next));
        };
        if !w.prepared.is_empty() {
            fault("crash".into(), &|n| *n = World { faults: n.faults, ..dropped(n) });
        }
        for lane in 0..2 {
            // By equality (I6) a skip refuses whatever was prepared beyond the old cursor.
            if w.cursor[lane] < self.end(lane) {
                fault(format!("skip({})", w.cursor[lane]), &|n| {
                    *n = dropped(n);
                    n.gaps |= 1 << n.cursor[lane];
                    n.cursor[lane] += 1;
                });
            }
        }
        fault("rule-change".into(), &|n| n.rule = !n.rule);
        fault("index-lost".into(), &|n| n.index = self.rebuilt(w));
    }

    fn rebuilt(&self, w: &World) -> Rows {
        let mut rows = [None; 2];
        for lane in 0..2 {
            for p in self.start(lane)..w.cursor[lane] {
                let fate = w.fate[usize::from(p)];
                match self.design.rebuild {
                    Rebuild::Rows if fate == Fate::Visible => rows[self.id(p)] = Some(p),
                    Rebuild::Log
                        if matches!(fate, Fate::Visible | Fate::Duplicate) && w.gaps >> p & 1 == 0 =>
                    {
                        rows[self.id(p)].get_or_insert(p);
                    }
                    _ => {}
                }
            }
        }
        rows
    }
}

/// The world after the process forgot what it had prepared.
fn dropped(w: &World) -> World {
    World { prepared: Vec::new(), overlay: [None; 2], ..w.clone() }
}
