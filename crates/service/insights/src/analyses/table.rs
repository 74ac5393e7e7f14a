//! Cells of one scan by series, group and bucket, filled by several threads.

use crate::operators::cell::{Cell, CellKind};
use rustc_hash::FxHashMap;
use tallymark_query::{QueryError, Reservation};

const BUCKET_BITS: u32 = 15;
const GROUP_BITS: u32 = 32;

/// Series, group and bucket in one word; ordered in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(u64);

impl Key {
    /// `bucket` is below 2^15: a query has at most 20,000.
    pub fn new(series: usize, group: u32, bucket: usize) -> Key {
        Key(((series as u64) << (BUCKET_BITS + GROUP_BITS))
            | (u64::from(group) << BUCKET_BITS)
            | bucket as u64)
    }
    pub fn series(self) -> usize {
        (self.0 >> (BUCKET_BITS + GROUP_BITS)) as usize
    }
    pub fn group(self) -> u32 {
        (self.0 >> BUCKET_BITS) as u32
    }
    pub fn bucket(self) -> usize {
        (self.0 & ((1 << BUCKET_BITS) - 1)) as usize
    }
}

/// One thread's cells.
pub(crate) struct Part {
    kinds: Vec<CellKind>,
    index: FxHashMap<Key, u32>,
    cells: Vec<(Key, Cell)>,
    last: (Key, u32),
    held: Reservation,
    /// Rows added since memory was last counted.
    uncounted: usize,
}

impl Part {
    /// Without cells; `kinds[series]` says what they keep.
    pub fn new(kinds: Vec<CellKind>, held: Reservation) -> Part {
        Part {
            kinds,
            index: FxHashMap::default(),
            cells: Vec::new(),
            last: (Key(u64::MAX), 0),
            held,
            uncounted: 0,
        }
    }

    /// The cell of a key.
    #[inline]
    pub fn cell(&mut self, key: Key) -> &mut Cell {
        if self.last.0 != key {
            let next = self.cells.len() as u32;
            let at = *self.index.entry(key).or_insert(next);
            if at == next {
                self.cells.push((key, Cell::new(self.kinds[key.series()])));
            }
            self.last = (key, at);
        }
        &mut self.cells[self.last.1 as usize].1
    }

    /// Reports rows as added; counts memory now and then.
    pub fn added(&mut self, rows: usize) -> Result<(), QueryError> {
        self.uncounted += rows;
        if self.uncounted * 4 >= self.cells.len() {
            self.uncounted = 0;
            let bytes: usize = self.cells.iter().map(|(_, c)| c.bytes() + 24).sum();
            self.held.grow_to(bytes as u64)?;
        }
        Ok(())
    }
}

/// All cells of a scan, by key.
pub(crate) struct Table {
    cells: Vec<(Key, Cell)>,
    _held: Vec<Reservation>,
}

impl Table {
    /// Merges the threads' cells.
    pub fn of(parts: Vec<Part>) -> Table {
        let mut held = Vec::new();
        let mut all: Vec<(Key, Cell)> = Vec::new();
        for part in parts {
            held.push(part.held);
            all.extend(part.cells);
        }
        all.sort_unstable_by_key(|(key, _)| *key);
        let mut cells: Vec<(Key, Cell)> = Vec::with_capacity(all.len());
        for (key, cell) in all {
            match cells.last_mut() {
                Some((last, into)) if *last == key => into.merge(&cell),
                _ => cells.push((key, cell)),
            }
        }
        Table { cells, _held: held }
    }

    /// The cells of a series, group by group, buckets ascending.
    pub fn groups(&mut self, series: usize) -> impl Iterator<Item = &mut [(Key, Cell)]> {
        let from = self.cells.partition_point(|(k, _)| k.series() < series);
        let to = self.cells.partition_point(|(k, _)| k.series() <= series);
        self.cells[from..to].chunk_by_mut(|a, b| a.0.group() == b.0.group())
    }

    /// The cells of one group of a series, buckets ascending.
    pub fn group(&mut self, series: usize, group: u32) -> &mut [(Key, Cell)] {
        let place = |(k, _): &(Key, Cell)| (k.series(), k.group());
        let from = self.cells.partition_point(|c| place(c) < (series, group));
        let to = self.cells.partition_point(|c| place(c) <= (series, group));
        &mut self.cells[from..to]
    }
}
