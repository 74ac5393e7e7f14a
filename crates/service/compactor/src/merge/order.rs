//! Which rows go to which file, in which order, and where its row groups are cut.

use super::rows::Rows;
use identity::View;
use model::{CommitSeq, Seq, SubjectId};
use std::collections::BTreeMap;
use std::ops::Range;
use tallymark_identity as identity;
use tallymark_model as model;
use tallymark_store::{groups_by_name, groups_by_size};

/// Milliseconds of a UTC day.
const DAY_MS: i64 = 86_400_000;

/// The order of the rows of the output.
#[derive(Debug, Clone, Copy)]
pub enum Order<'a> {
    /// As they came; one file (level 1).
    Arrival,
    /// By UTC day of the event's time; within a day by (event, person, time, position). Days with few rows share one
    /// level 1 file of the same order, so that old days with stray rows do not make a file each.
    Days {
        /// Who is who.
        view: &'a View,
        /// As of which commit.
        seq: CommitSeq,
        /// Rows from which a day gets files of its own.
        min_rows: usize,
    },
    /// Property operations by (name, subject, time, position, index).
    Names {
        /// Level of the output.
        level: u8,
    },
}

/// One file to write.
#[derive(Debug)]
pub(crate) struct Output {
    pub level: u8,
    pub day: Option<i32>,
    pub identity: CommitSeq,
    /// Numbers of the rows, in file order.
    pub rows: Vec<u32>,
    pub groups: Vec<Range<usize>>,
}

/// Divides the rows among files.
pub(crate) fn outputs(rows: &Rows, order: &Order<'_>, max_rows: usize, columns: usize) -> Vec<Output> {
    match order {
        Order::Arrival => {
            let all: Vec<u32> = rows.kept().collect();
            let file = |part: &[u32]| Output {
                level: 1,
                day: None,
                identity: CommitSeq(0),
                rows: part.to_vec(),
                groups: groups_by_size(part.len()),
            };
            all.chunks(max_rows.max(1)).map(file).collect()
        }
        Order::Names { level } => {
            let sorted = by_name(rows);
            files(rows, &sorted, (*level, None, CommitSeq(0)), max_rows, columns)
        }
        Order::Days { view, seq, min_rows } => {
            let mut found = Vec::new();
            let mut few: Vec<u32> = Vec::new();
            for (day, mut members) in by_day(rows) {
                if members.len() < *min_rows {
                    few.append(&mut members);
                } else {
                    let sorted = by_event(rows, view, members);
                    found.extend(files(rows, &sorted, (2, Some(day), *seq), max_rows, columns));
                }
            }
            if !few.is_empty() {
                let sorted = by_event(rows, view, few);
                found.extend(files(rows, &sorted, (1, None, *seq), max_rows, columns));
            }
            found
        }
    }
}

/// The UTC day of a time.
pub(crate) fn day_of(time: i64) -> i32 {
    time.div_euclid(DAY_MS).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

fn by_day(rows: &Rows) -> BTreeMap<i32, Vec<u32>> {
    let mut days: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
    for row in rows.kept() {
        days.entry(day_of(rows.times[row as usize])).or_default().push(row);
    }
    days
}

fn by_event(rows: &Rows, view: &View, members: Vec<u32>) -> Vec<u32> {
    let ranks = rows.name_ranks();
    let person = |row: usize| {
        view.person_of(
            SubjectId(rows.subjects[row]),
            Seq { received_at: rows.received[row], position: rows.positions[row] },
        )
    };
    let key = |row: u32| {
        let at = row as usize;
        let major = (u64::from(ranks[rows.name_keys[at] as usize]) << 32) | u64::from(person(at));
        (major, rows.times[at], rows.positions[at], row)
    };
    let mut keyed: Vec<_> = members.into_iter().map(key).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, _, row)| row).collect()
}

fn by_name(rows: &Rows) -> Vec<u32> {
    let ranks = rows.name_ranks();
    let key = |row: u32| {
        let at = row as usize;
        let major = (u64::from(ranks[rows.name_keys[at] as usize]) << 32) | u64::from(rows.subjects[at]);
        (major, rows.times[at], rows.positions[at], rows.index[at], row)
    };
    let mut keyed: Vec<_> = rows.kept().map(key).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, _, _, row)| row).collect()
}

type Kind = (u8, Option<i32>, CommitSeq);

fn files(rows: &Rows, sorted: &[u32], kind: Kind, max_rows: usize, columns: usize) -> Vec<Output> {
    let (level, day, identity) = kind;
    let name = |row: &u32| rows.name_keys[*row as usize];
    let file = |part: &[u32]| {
        let runs: Vec<usize> = part.chunk_by(|a, b| name(a) == name(b)).map(<[u32]>::len).collect();
        Output { level, day, identity, rows: part.to_vec(), groups: groups_by_name(&runs, columns) }
    };
    sorted.chunks(max_rows.max(1)).map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_utc_and_hold_the_time_before_the_epoch() {
        assert_eq!((day_of(0), day_of(DAY_MS - 1), day_of(DAY_MS), day_of(-1)), (0, 0, 1, -1));
        assert_eq!(day_of(i64::MIN), i32::MIN);
    }
}
