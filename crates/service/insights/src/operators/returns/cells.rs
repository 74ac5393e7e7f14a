//! Columns of a retention table of any kind (4.3 to 4.5): which returns belong to a cell, and who is in it.
//!
//! Offsets never fall along an actor's visits, so the returns of a cell after one start are a stretch of visits; and
//! stretches of later starts end no earlier, so a return counts once however many starts it comes after.

use super::Visit;
use tallymark_model::Millis;
use tallymark_query::{Cancel, QueryError};

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// All members.
    Size,
    /// Enough returns at one offset.
    On(u32),
    /// Enough returns at one single offset of at least this.
    OrAfter(u32),
    /// Enough returns at these offsets together.
    Bracket(u32, u32),
    /// Enough returns at every offset from 1 on.
    Streak(u32),
    /// Enough returns at offsets up to this, together.
    OrBefore(u32),
}

impl Cell {
    /// First and last offset, for the state of the cell (4.5).
    pub fn span(self) -> (u32, u32) {
        match self {
            Cell::Size => (0, 0),
            Cell::On(k) | Cell::OrAfter(k) | Cell::Streak(k) => (k, k),
            Cell::Bracket(a, b) => (a, b),
            Cell::OrBefore(k) => (0, k),
        }
    }

    /// Offsets of its returns: first, and last if there is one.
    fn covers(self) -> (u32, Option<u32>) {
        match self {
            Cell::Size => (1, Some(0)),
            Cell::On(k) => (k, Some(k)),
            Cell::OrAfter(k) => (k, None),
            Cell::Bracket(a, b) => (a, Some(b)),
            Cell::Streak(k) => (1, Some(k)),
            Cell::OrBefore(k) => (0, Some(k)),
        }
    }
}

/// How offsets are counted, and what is asked of them.
#[derive(Debug, Clone)]
pub(crate) struct CellRules {
    /// By elapsed units of this many ms, instead of buckets.
    pub rolling: Option<Millis>,
    /// Times are floored to multiples of this first.
    pub round: Millis,
    pub cells: Vec<Cell>,
    pub min_returns: u64,
}

/// What one actor did after its starts in one cohort. Buffers are reused.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    /// Per cell: whether the actor is in it.
    pub returned: Vec<bool>,
    /// Per cell: visits up to here were given already.
    given: Vec<usize>,
    /// Per offset up to the last that matters, and one more: the first visit at or after it.
    first: Vec<usize>,
    /// Per offset: returns.
    at: Vec<u64>,
}

impl CellRules {
    fn offset(&self, start: &Visit, back: &Visit) -> u64 {
        match self.rolling {
            None => u64::from(back.bucket - start.bucket),
            Some(unit) => {
                let floor = |t: Millis| t.div_euclid(self.round) * self.round;
                ((floor(back.time) - floor(start.time)) / unit) as u64
            }
        }
    }

    /// The last offset that a cell looks at by itself.
    pub fn furthest(&self) -> u32 {
        self.cells.iter().map(|c| c.span().1).max().unwrap_or(0)
    }

    /// Looks at the visits after these starts (ascending) of one cohort; `give(cell, visit)` gets every return of a
    /// cell once, if the start it comes after meets the minimum.
    pub fn outcomes(
        &self,
        visits: &[Visit],
        starts: impl Iterator<Item = usize>,
        out: &mut Outcomes,
        cancel: &Cancel,
        mut give: impl FnMut(usize, usize),
    ) -> Result<(), QueryError> {
        out.returned.clear();
        out.returned.resize(self.cells.len(), false);
        out.given.clear();
        out.given.resize(self.cells.len(), 0);
        for (nth, start) in starts.enumerate() {
            if nth % 64 == 63 {
                cancel.check()?;
            }
            let good = self.look(visits, start, out);
            for (i, cell) in self.cells.iter().enumerate() {
                if !self.holds(*cell, out, &good) {
                    continue;
                }
                out.returned[i] = true;
                let (low, high) = cell.covers();
                let until = high.map_or(visits.len(), |high| out.first[high as usize + 1]);
                let from = out.first[low as usize].max(out.given[i]);
                (from..until).filter(|v| visits[*v].back).for_each(|v| give(i, v));
                out.given[i] = out.given[i].max(until);
            }
        }
        Ok(())
    }

    /// Counts the returns per offset after a start.
    fn look(&self, visits: &[Visit], start: usize, out: &mut Outcomes) -> Good {
        let width = self.furthest() as usize + 2;
        out.at.clear();
        out.at.resize(width, 0);
        out.first.clear();
        out.first.resize(width, visits.len());
        let mut good = Good::default();
        let mut beyond: (u64, u64) = (0, 0);
        for (v, visit) in visits.iter().enumerate().skip(start + 1) {
            let offset = self.offset(&visits[start], visit);
            // This visit is the first at or after all offsets up to its own that have none yet.
            let reach = (offset as usize).min(width - 1);
            out.first[..=reach].iter_mut().rev().take_while(|f| **f == visits.len()).for_each(|f| *f = v);
            if !visit.back {
                continue;
            }
            let count = match out.at.get_mut(offset as usize) {
                Some(count) => {
                    *count += 1;
                    *count
                }
                None if beyond.0 == offset => {
                    beyond.1 += 1;
                    beyond.1
                }
                None => {
                    beyond = (offset, 1);
                    1
                }
            };
            if count >= self.min_returns {
                good.last = Some(offset);
            }
        }
        while good.streak + 1 < width as u32 && out.at[good.streak as usize + 1] >= self.min_returns {
            good.streak += 1;
        }
        good
    }

    fn holds(&self, cell: Cell, out: &Outcomes, good: &Good) -> bool {
        let sum = |a: u32, b: u32| out.at[a as usize..=b as usize].iter().sum::<u64>();
        match cell {
            Cell::Size => true,
            Cell::On(k) => out.at[k as usize] >= self.min_returns,
            Cell::OrAfter(k) => good.last.is_some_and(|last| last >= u64::from(k)),
            Cell::Bracket(a, b) => sum(a, b) >= self.min_returns,
            Cell::Streak(k) => good.streak >= k,
            Cell::OrBefore(k) => sum(0, k) >= self.min_returns,
        }
    }
}

/// Offsets with enough returns.
#[derive(Debug, Default)]
struct Good {
    /// The last one.
    last: Option<u64>,
    /// All from 1 up to this one.
    streak: u32,
}
