//! What the books say after rows of an erased person are gone: filtered instead of visible.
//!
//! Guarantees: one restatement per row of the books, of exactly the records that lie in it; a row of a file that the
//! books do not know is a violation, never passed over.
//! Deliberately not here: committing.

use crate::{CompactError, ErasedRow, Result};
use ledger::{Account, Fingerprint, Interval, InvariantId, Restatement, Tally, Violation};
use model::{LogId, Millis, ProjectId};
use tallymark_catalog::LedgerRow;
use tallymark_ledger as ledger;
use tallymark_model as model;

/// Restatements for these rows of one project. `rows_of_books` = the rows of the books around them.
pub(crate) fn restatements(
    project: ProjectId,
    log: LogId,
    erased: &[ErasedRow],
    rows_of_books: &[LedgerRow],
) -> Result<Vec<Restatement>> {
    let mut erased = erased.to_vec();
    erased.sort_unstable_by_key(|row| row.position);
    let mut books: Vec<Interval> = rows_of_books
        .iter()
        .filter(|row| matches!(row.account, Account::Accounted { .. }))
        .map(|row| row.interval)
        .collect();
    books.sort_unstable();
    let mut found = Vec::new();
    let mut rest = &erased[..];
    while let Some(first) = rest.first() {
        let after =
            books.partition_point(|i| (i.shard, i.from) <= (first.position.shard(), first.position.offset));
        let row = after.checked_sub(1).map(|at| books[at]).filter(|row| row.contains(first.position));
        let Some(row) = row else {
            let at = Interval::new(first.position.shard(), first.position.offset, first.position.offset + 1);
            let message = "a file has a row here that is not visible in the books";
            return Err(CompactError::Unbalanced(vec![Violation::at(InvariantId::I4, at, message)]));
        };
        let (inside, after) = rest.split_at(rest.partition_point(|e| row.contains(e.position)));
        found.push(restatement(project, log, inside));
        rest = after;
    }
    Ok(found)
}

/// `inside` is not empty and ascends within one row of the books.
fn restatement(project: ProjectId, log: LogId, inside: &[ErasedRow]) -> Restatement {
    let (first, last) = (inside[0].position, inside[inside.len() - 1].position);
    let records = inside.len() as u64;
    let sum = inside.iter().fold(Fingerprint::default(), |sum, e| sum + Fingerprint::of(log, e.position));
    let was = Tally { visible: records, ..Tally::default() };
    let now = Tally { filtered: records, ..Tally::default() };
    let received = || inside.iter().map(|e| e.received_at);
    Restatement {
        interval: Interval::new(first.shard(), first.offset, last.offset + 1),
        was: Account::Accounted { tally: was, visible: sum },
        was_parts: vec![(project, was, sum)],
        now: Account::Accounted { tally: now, visible: Fingerprint::default() },
        now_parts: vec![(project, now, Fingerprint::default())],
        received_from: received().min().unwrap_or(Millis::MAX),
        received_to: received().max().unwrap_or(Millis::MIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Lane, Position, Shard};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const LOG: LogId = LogId(uuid::Uuid::from_u128(4));

    fn shard(n: u16) -> Shard {
        Shard { lane: Lane::Live, partition: n }
    }

    fn row(shard: Shard, from: u64, to: u64) -> LedgerRow {
        let tally = Tally { visible: to - from, ..Tally::default() };
        LedgerRow {
            interval: Interval::new(shard, from, to),
            account: Account::Accounted { tally, visible: Fingerprint::default() },
            received_from: 0,
            received_to: 0,
            tally,
            visible: Fingerprint::default(),
        }
    }

    fn erased(shard: Shard, offset: u64) -> ErasedRow {
        let position = Position { lane: shard.lane, partition: shard.partition, offset };
        ErasedRow { position, received_at: offset as i64 * 10 }
    }

    proptest! {
        #[test]
        fn every_row_leaves_the_books_once_where_it_stands(
            cuts in prop::collection::btree_set(1u64..60, 0..6), gone in prop::collection::btree_set((0u16..3, 0u64..60), 1..30),
        ) {
            let bounds: Vec<u64> = [0].into_iter().chain(cuts).chain([60]).collect();
            let books: Vec<LedgerRow> =
                (0..3).flat_map(|s| bounds.windows(2).map(move |w| row(shard(s), w[0], w[1])).collect::<Vec<_>>()).collect();
            let rows: Vec<ErasedRow> = gone.iter().map(|(s, o)| erased(shard(*s), *o)).collect();
            let found = restatements(ProjectId(1), LOG, &rows, &books).unwrap();
            let mut seen = BTreeSet::new();
            let mut sum = Fingerprint::default();
            for one in &found {
                prop_assert!(one.check().is_empty(), "{:?}", one.check());
                prop_assert!(books.iter().any(|b| b.interval.encloses(&one.interval)));
                let Account::Accounted { visible, .. } = one.was else { panic!() };
                sum += visible;
                let inside = rows.iter().filter(|e| one.interval.contains(e.position)).count() as u64;
                prop_assert_eq!(one.records(), inside);
                prop_assert!(seen.insert(books.iter().position(|b| b.interval.encloses(&one.interval))), "one per row");
            }
            prop_assert_eq!(found.iter().map(Restatement::records).sum::<u64>(), rows.len() as u64);
            let all = rows.iter().fold(Fingerprint::default(), |s, e| s + Fingerprint::of(LOG, e.position));
            prop_assert_eq!(sum, all);
        }
    }

    #[test]
    fn a_row_outside_the_books_is_a_violation() {
        let books = [row(shard(0), 0, 5)];
        assert!(restatements(ProjectId(1), LOG, &[erased(shard(0), 4)], &books).is_ok());
        for stray in [erased(shard(0), 5), erased(shard(1), 0)] {
            let refused = restatements(ProjectId(1), LOG, &[stray], &books);
            assert!(matches!(refused, Err(CompactError::Unbalanced(_))));
        }
    }
}
