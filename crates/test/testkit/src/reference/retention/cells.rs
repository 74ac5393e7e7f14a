//! The columns of a table (4.3 to 4.5).

use serde_json::Value;
use std::collections::BTreeMap;

/// A column.
#[derive(Debug, Clone, Copy)]
pub enum Cell {
    Size,
    On(i64),
    OrAfter(i64),
    Bracket(i64, i64),
    Streak(i64),
    OrBefore(i64),
}

pub fn cells(query: &Value) -> Result<Vec<Cell>, String> {
    let periods = query["periods"].as_i64().unwrap_or(7);
    let by_size = match query["day0"].as_str().unwrap_or("size") {
        // A sum is not a number of members.
        "size" => query["measure"].is_null(),
        "returned" => false,
        other => return Err(format!("day0: {other} is unknown")),
    };
    let zero = if by_size { Cell::Size } else { Cell::On(0) };
    let of = |cell: fn(i64) -> Cell| Ok([zero].into_iter().chain((1..=periods).map(cell)).collect());
    match query["kind"].as_str().unwrap_or("on") {
        "on" => of(Cell::On),
        "on_or_after" => of(Cell::OrAfter),
        "streak" => of(Cell::Streak),
        "on_or_before" => of(Cell::OrBefore),
        "bracket" => {
            let brackets = query["brackets"].as_array().ok_or("brackets: expected a list")?;
            let bound = |b: &Value, i: usize| b[i].as_i64().ok_or("brackets: expected pairs of numbers");
            let cell = |b| match (bound(b, 0)?, bound(b, 1)?) {
                (0, 0) if by_size => Ok(Cell::Size),
                (a, b) => Ok::<_, String>(Cell::Bracket(a, b)),
            };
            brackets.iter().map(cell).collect()
        }
        other => Err(format!("kind: {other} is not computed by the reference")),
    }
}

impl Cell {
    /// First and last offset, for the state of the cell.
    pub fn span(self) -> (i64, i64) {
        match self {
            Cell::Size => (0, 0),
            Cell::On(k) | Cell::OrAfter(k) | Cell::Streak(k) => (k, k),
            Cell::Bracket(a, b) => (a, b),
            Cell::OrBefore(k) => (0, k),
        }
    }

    /// Whether returns at an offset are returns of the cell.
    pub fn covers(self, offset: i64) -> bool {
        match self {
            Cell::Size => false,
            Cell::On(k) => offset == k,
            Cell::OrAfter(k) => offset >= k,
            Cell::Bracket(a, b) => a <= offset && offset <= b,
            Cell::Streak(k) => 1 <= offset && offset <= k,
            Cell::OrBefore(k) => offset <= k,
        }
    }

    /// Whether the number of returns per offset puts a member into this cell.
    pub fn has(self, returns: &BTreeMap<i64, u64>, min: u64) -> bool {
        let at = |k: i64| returns.get(&k).copied().unwrap_or(0);
        match self {
            Cell::Size => true,
            Cell::On(k) => at(k) >= min,
            Cell::OrAfter(k) => returns.iter().any(|(offset, n)| *offset >= k && *n >= min),
            Cell::Bracket(a, b) => (a..=b).map(at).sum::<u64>() >= min,
            Cell::OrBefore(k) => (0..=k).map(at).sum::<u64>() >= min,
            Cell::Streak(k) => (1..=k).all(|offset| at(offset) >= min),
        }
    }
}
