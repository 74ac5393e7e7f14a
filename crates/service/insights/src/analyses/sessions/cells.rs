//! What is kept of sessions: per group and bucket, and per bar of the histogram.

use crate::query::Bars;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};
use tallymark_model::Millis;
use tallymark_query::{QueryError, Reservation, json_number};

/// The bucket of the whole range.
const WHOLE: u32 = u32::MAX;

/// A session, as far as measures go by it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub actor: u32,
    pub length: Millis,
    pub events: u32,
}

#[derive(Debug, Clone, Default)]
struct Cell {
    /// Lengths of its sessions; kept once, in their bucket, not for the whole range.
    lengths: Vec<Millis>,
    total: Millis,
    events: u64,
    bounced: u64,
    users: u64,
    /// All sessions of an actor come one after the other.
    last_actor: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bar {
    sessions: u64,
    users: u64,
    last_actor: u32,
}

/// How the measures of a group are written.
pub(super) struct Shape<'q> {
    pub buckets: usize,
    /// Bucket by bucket, too.
    pub listed: bool,
    pub bars: Option<&'q Bars>,
    /// What a division by zero gives.
    pub zero: &'q Value,
}

/// One thread's sessions.
pub(super) struct Cells {
    cells: FxHashMap<(u32, u32), Cell>,
    bars: FxHashMap<(u32, i64), Bar>,
    held: Reservation,
    /// Of other threads.
    taken: Vec<Reservation>,
    counted: u64,
    uncounted: u64,
}

impl Bars {
    /// The bar of a length; none below the first.
    pub(super) fn of(&self, length: Millis) -> Option<i64> {
        let seconds = length as f64 / 1000.0;
        (seconds >= self.min).then(|| ((seconds - self.min) / self.width).floor() as i64)
    }
}

impl Cells {
    pub fn new(held: Reservation) -> Cells {
        let (cells, bars) = (FxHashMap::default(), FxHashMap::default());
        Cells { cells, bars, held, taken: Vec::new(), counted: 0, uncounted: 0 }
    }

    /// Adds a session to a group.
    pub fn add(
        &mut self,
        group: u32,
        bucket: u32,
        session: Measured,
        bars: Option<&Bars>,
    ) -> Result<(), QueryError> {
        for (bucket, whole) in [(bucket, false), (WHOLE, true)] {
            let cell = self.cells.entry((group, bucket)).or_default();
            cell.users += u64::from(cell.last_actor != session.actor);
            cell.last_actor = session.actor;
            if !whole {
                cell.lengths.push(session.length);
                cell.total += session.length;
                cell.events += u64::from(session.events);
                cell.bounced += u64::from(session.events == 1);
            }
        }
        if let Some(bar) = bars.and_then(|bars| bars.of(session.length)) {
            let bar = self.bars.entry((group, bar)).or_default();
            bar.sessions += 1;
            bar.users += u64::from(bar.last_actor != session.actor);
            bar.last_actor = session.actor;
        }
        self.uncounted += 1;
        if self.uncounted == 1024 { self.count() } else { Ok(()) }
    }

    /// Counts the memory of what was added: lengths twice, for the vectors' spare room.
    fn count(&mut self) -> Result<(), QueryError> {
        self.counted += std::mem::take(&mut self.uncounted);
        let tables = 160 * self.cells.len() + 64 * self.bars.len();
        self.held.grow_to(16 * self.counted + tables as u64)
    }

    /// Takes in another thread's sessions, of other actors.
    pub fn merge(&mut self, other: Cells) {
        for (key, theirs) in other.cells {
            let cell = self.cells.entry(key).or_default();
            cell.lengths.extend(theirs.lengths);
            cell.total += theirs.total;
            cell.events += theirs.events;
            cell.bounced += theirs.bounced;
            cell.users += theirs.users;
        }
        for (key, theirs) in other.bars {
            let bar = self.bars.entry(key).or_default();
            bar.sessions += theirs.sessions;
            bar.users += theirs.users;
        }
        self.taken.push(other.held);
    }

    /// Groups with their number of sessions.
    pub fn groups(&self) -> Vec<(u32, usize)> {
        let mut sizes: FxHashMap<u32, usize> = FxHashMap::default();
        for ((group, _), cell) in &self.cells {
            *sizes.entry(*group).or_default() += cell.lengths.len();
        }
        sizes.into_iter().collect()
    }

    /// The measures of a group per bucket, over the range, and its histogram.
    pub fn write(&self, group: u32, shape: &Shape<'_>) -> Map<String, Value> {
        let Shape { buckets, listed, bars, zero } = *shape;
        let mut answer = Map::new();
        let mut all = Cell::default();
        let mut lists: Vec<(&str, Vec<Value>)> = NAMES.iter().map(|name| (*name, Vec::new())).collect();
        for bucket in 0..buckets as u32 {
            let mut cell = self.cells.get(&(group, bucket)).cloned().unwrap_or_default();
            all.total += cell.total;
            all.events += cell.events;
            all.bounced += cell.bounced;
            all.lengths.extend_from_slice(&cell.lengths);
            if listed {
                lists.iter_mut().zip(cell.measures(zero)).for_each(|((_, list), value)| list.push(value));
            }
        }
        all.users = self.cells.get(&(group, WHOLE)).map_or(0, |cell| cell.users);
        answer.extend(lists.into_iter().map(|(name, list)| (name.to_owned(), Value::Array(list))));
        let total = NAMES.iter().map(|n| (*n).to_owned()).zip(all.measures(zero)).collect();
        answer.insert("total".to_owned(), Value::Object(total));
        if let Some(bars) = bars {
            let mut found: Vec<(i64, Bar)> =
                self.bars.iter().filter(|((g, _), _)| *g == group).map(|((_, i), bar)| (*i, *bar)).collect();
            found.sort_by_key(|(i, _)| *i);
            let row = |(i, bar): &(i64, Bar)| {
                let from = json_number(bars.min + *i as f64 * bars.width);
                json!({"bar": i, "from_s": from, "sessions": bar.sessions, "users": bar.users})
            };
            answer.insert("histogram".to_owned(), found.iter().map(row).collect());
        }
        answer
    }
}

const NAMES: [&str; 9] = [
    "sessions",
    "users",
    "total_s",
    "avg_s",
    "median_s",
    "per_user",
    "events_per_session",
    "bounced",
    "bounce_rate",
];

impl Cell {
    /// In the order of [`NAMES`].
    fn measures(&mut self, zero: &Value) -> [Value; 9] {
        self.lengths.sort_unstable();
        let n = self.lengths.len();
        let mean = |sum: f64| if n == 0 { Value::Null } else { json_number(sum / n as f64) };
        let rate = |a: f64, b: f64| if b == 0.0 { zero.clone() } else { json_number(a / b) };
        let (count, seconds) = (n as f64, self.total as f64 / 1000.0);
        [
            json!(n),
            json!(self.users),
            json_number(seconds),
            mean(seconds),
            median(&self.lengths).map_or(Value::Null, |ms| json_number(ms / 1000.0)),
            rate(count, self.users as f64),
            mean(self.events as f64),
            json!(self.bounced),
            rate(self.bounced as f64, count),
        ]
    }
}

/// By linear interpolation (chapter 1.8).
fn median(sorted: &[Millis]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle] as f64),
        _ => Some((sorted[middle - 1] + sorted[middle]) as f64 / 2.0),
    }
}
