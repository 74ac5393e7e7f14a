//! The pure checks: no finding in any sound world, and for every single fault one that names the right range.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use std::collections::BTreeMap;
use tallymark_auditor::check::books::{LogEnds, check_books};
use tallymark_auditor::check::commit::{check_advance, check_row};
use tallymark_auditor::check::rows::RowSums;
use tallymark_auditor::check::{Excepted, LogFacts, Seen};
use tallymark_auditor::{Fault, FindingKind};
use tallymark_catalog::{Advance, Books, Cursor, LedgerRow};
use tallymark_ledger::{Account, Fingerprint, GapCause, Interval, Tally};
use tallymark_model::{CommitSeq, Lane, LogId, OutcomeKind, Position, ProjectId, ProjectToken, Shard};

const LOG: LogId = LogId(uuid::Uuid::from_u128(5));
const SHARD: Shard = Shard { lane: Lane::Live, partition: 2 };
const BASE: u64 = 1000;

fn at(offset: u64) -> Position {
    Position { lane: SHARD.lane, partition: SHARD.partition, offset }
}

/// What became of each record, from which everything else follows.
#[derive(Debug, Clone)]
struct Truth(Vec<OutcomeKind>);

impl Truth {
    fn interval(&self) -> Interval {
        Interval::new(SHARD, BASE, BASE + self.0.len() as u64)
    }
    fn offsets(&self, kind: impl Fn(OutcomeKind) -> bool) -> Vec<u64> {
        (BASE..).zip(&self.0).filter(|(_, k)| kind(**k)).map(|(o, _)| o).collect()
    }
    fn visible(&self) -> Vec<u64> {
        self.offsets(|k| k == OutcomeKind::Visible)
    }
    fn facts(&self) -> LogFacts {
        let records =
            (BASE..).zip(&self.0).filter(|(_, k)| **k != OutcomeKind::Hole).map(|(offset, kind)| Seen {
                offset,
                received_at: offset as i64 * 10,
                token: (*kind != OutcomeKind::Control).then_some(ProjectToken([offset as u8 % 3; 16])),
            });
        let holes = self.offsets(|k| k == OutcomeKind::Hole);
        let gap = |o: &u64| (Interval::new(SHARD, *o, o + 1), GapCause::Hole, String::new());
        LogFacts {
            interval: self.interval(),
            records: records.collect(),
            gaps: holes.iter().map(gap).collect(),
        }
    }
    fn exceptions(&self) -> Vec<Excepted> {
        let excepted = |k| matches!(k, OutcomeKind::Duplicate | OutcomeKind::Filtered | OutcomeKind::Dead);
        let of =
            |(offset, kind): (u64, &OutcomeKind)| Excepted { offset, kind: *kind, project: ProjectId(1) };
        (BASE..).zip(&self.0).filter(|(_, k)| excepted(**k)).map(of).collect()
    }
    fn advance(&self) -> Advance {
        let mut tally = Tally::default();
        self.0.iter().for_each(|k| tally.count(*k));
        let visible = sum(&self.visible());
        let Interval { shard, from, to } = self.interval();
        Advance {
            shard,
            from,
            to,
            account: Account::Accounted { tally, visible },
            received_from: from as i64 * 10,
            received_to: (to - 1) as i64 * 10,
            projects: Vec::new(),
        }
    }
}

fn sum(offsets: &[u64]) -> Fingerprint {
    offsets.iter().fold(Fingerprint::default(), |s, o| s + Fingerprint::of(LOG, at(*o)))
}

fn account(advance: &mut Advance) -> (&mut Tally, &mut Fingerprint) {
    match &mut advance.account {
        Account::Accounted { tally, visible } => (tally, visible),
        other => panic!("{other:?}"),
    }
}

fn truths() -> impl Strategy<Value = Truth> {
    let kind = prop_oneof![
        6 => Just(OutcomeKind::Visible), 1 => Just(OutcomeKind::Duplicate), 1 => Just(OutcomeKind::Filtered),
        1 => Just(OutcomeKind::Dead), 1 => Just(OutcomeKind::Control), 1 => Just(OutcomeKind::Hole),
    ];
    prop::collection::vec(kind, 1..60).prop_map(Truth)
}

/// The one fault there is, and that it says what it should.
fn only(found: &[Fault], kind: FindingKind, range: (u64, u64), count: u64) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), 1, "{:?}", found);
    let fault = &found[0];
    prop_assert_eq!(fault.kind, kind, "{}", fault.evidence);
    prop_assert_eq!(fault.interval, Some(Interval::new(SHARD, range.0, range.1)), "{}", fault.evidence);
    prop_assert_eq!(fault.count, Some(count));
    prop_assert!(fault.received.is_none_or(|(from, to)| from <= to));
    Ok(())
}

proptest! {
    #[test]
    fn sound_commits_have_no_findings(truth in truths(), with_rows in any::<bool>()) {
        let rows = truth.visible();
        let found = check_advance(LOG, &truth.advance(), &truth.facts(), &truth.exceptions(), with_rows.then_some(&rows[..]));
        prop_assert_eq!(found, vec![]);
    }

    #[test]
    fn records_that_were_passed_by_are_named(truth in truths(), start in 0usize..60, len in 1usize..30, with_rows in any::<bool>()) {
        let visible = truth.visible();
        let gone: Vec<u64> = visible.iter().copied().skip(start).take(len).collect();
        prop_assume!(!gone.is_empty());
        // The processor books them as empty offsets, as a bug that skips records would.
        let mut advance = truth.advance();
        let (tally, print) = account(&mut advance);
        tally.visible -= gone.len() as u64;
        tally.hole += gone.len() as u64;
        *print -= sum(&gone);
        let rows: Vec<u64> = visible.iter().copied().filter(|o| !gone.contains(o)).collect();
        let found = check_advance(LOG, &advance, &truth.facts(), &truth.exceptions(), with_rows.then_some(&rows[..]));
        if with_rows {
            let range = (gone[0], gone[gone.len() - 1] + 1);
            only(&found, FindingKind::Hole, range, gone.len() as u64)?;
            prop_assert_eq!(found[0].received, Some((gone[0] as i64 * 10, (range.1 - 1) as i64 * 10)));
            prop_assert!(!found[0].tokens.is_empty());
        } else {
            // Without the rows it is known how many and around where.
            prop_assert_eq!((found.len(), found[0].kind, found[0].count), (1, FindingKind::Hole, Some(gone.len() as u64)));
            let range = found[0].interval.unwrap();
            prop_assert!(gone.iter().all(|o| range.contains(at(*o))));
        }
    }

    #[test]
    fn rows_that_are_not_there_or_too_many_are_named(truth in truths(), at_row in 0usize..60, extra in 0usize..60) {
        let visible = truth.visible();
        prop_assume!(!visible.is_empty());
        let check = |rows: &[u64]| check_advance(LOG, &truth.advance(), &truth.facts(), &truth.exceptions(), Some(rows));
        let lost = visible[at_row % visible.len()];
        let without: Vec<u64> = visible.iter().copied().filter(|o| *o != lost).collect();
        only(&check(&without), FindingKind::WrongRows, (lost, lost + 1), 1)?;
        let others = truth.offsets(|k| k != OutcomeKind::Visible);
        if !others.is_empty() {
            let more = others[extra % others.len()];
            let mut with = visible.clone();
            with.push(more);
            with.sort_unstable();
            only(&check(&with), FindingKind::WrongRows, (more, more + 1), 1)?;
        }
        let mut twice = visible.clone();
        twice.push(lost);
        twice.sort_unstable();
        prop_assert_eq!(check(&twice)[0].kind, FindingKind::WrongRows);
    }

    #[test]
    fn wrong_sums_are_found(truth in truths(), what in 0u8..4) {
        let mut advance = truth.advance();
        let interval = truth.interval();
        {
            let (tally, print) = account(&mut advance);
            match what {
                0 => tally.duplicate += 1,
                1 => *print += Fingerprint(1),
                2 => std::mem::swap(&mut tally.control, &mut tally.hole),
                _ => std::mem::swap(&mut tally.filtered, &mut tally.dead),
            }
        }
        prop_assume!(advance != truth.advance());
        let found = check_advance(LOG, &advance, &truth.facts(), &truth.exceptions(), None);
        prop_assert_eq!((found.len(), found[0].kind), (1, FindingKind::WrongSum));
        prop_assert_eq!(found[0].interval, Some(interval));
    }

    #[test]
    fn damage_of_what_was_read_before_is_not_taken_for_a_wrong_sum(truth in truths(), hit in 0usize..60) {
        let mut facts = truth.facts();
        prop_assume!(!facts.records.is_empty());
        let gone = facts.records.remove(hit % facts.records.len()).offset;
        let gap = Interval::new(SHARD, gone, gone + 1);
        facts.gaps.push((gap, GapCause::Corrupt, "file 3".to_owned()));
        let rows = truth.visible();
        let found = check_advance(LOG, &truth.advance(), &facts, &truth.exceptions(), Some(&rows));
        only(&found, FindingKind::DamagedLog, (gone, gone + 1), 1)?;
        // What was given up by permit cannot be compared any more.
        facts.gaps.push((gap, GapCause::Trimmed, String::new()));
        prop_assert_eq!(check_advance(LOG, &truth.advance(), &facts, &truth.exceptions(), Some(&rows)), vec![]);
    }

    #[test]
    fn a_row_of_the_books_is_compared_by_class(truth in truths(), shift in 1u64..3) {
        let advance = truth.advance();
        let mut row = row(advance.interval(), advance.account.clone());
        prop_assert_eq!(check_row(&row, &truth.facts()), Some(vec![]));
        let Account::Accounted { tally, .. } = &mut row.account else { panic!() };
        prop_assume!(tally.visible >= shift);
        tally.visible -= shift;
        tally.hole += shift;
        let found = check_row(&row, &truth.facts()).unwrap();
        prop_assert_eq!((found[0].kind, found[0].count, found[0].interval), (FindingKind::Hole, Some(shift), Some(row.interval)));
    }

    #[test]
    fn books_that_tile_and_add_up_have_no_findings_and_others_name_the_range(
        cuts in prop::collection::btree_set(1u64..500, 2..9), hit in 0usize..9, what in 0u8..6,
    ) {
        let cuts: Vec<u64> = [0].into_iter().chain(cuts).collect();
        let accounted = |from, to| Account::Accounted {
            tally: Tally { visible: to - from, ..Tally::default() }, visible: Fingerprint::default(),
        };
        let rows: Vec<LedgerRow> =
            cuts.windows(2).map(|w| row(Interval::new(SHARD, w[0], w[1]), accounted(w[0], w[1]))).collect();
        let end = cuts[cuts.len() - 1];
        let mut books = Books {
            seq: CommitSeq(1),
            cursors: vec![Cursor { shard: SHARD, position: end, received_to: end as i64 * 10 }],
            rows,
            project: Tally::default(),
            instance: Tally::default(),
            anomalies: Vec::new(),
        };
        let mut ends = LogEnds { id: LOG, bounds: BTreeMap::from([(SHARD, (0, end + 7))]) };
        prop_assert_eq!(check_books(&books, Some(LOG), &ends), vec![]);
        prop_assert_eq!(check_books(&books, Some(LogId(uuid::Uuid::nil())), &ends)[0].kind, FindingKind::LogMismatch);

        let hit = hit % books.rows.len();
        let Interval { from, to, .. } = books.rows[hit].interval;
        match what {
            0 => {
                books.rows.remove(hit);
                only(&check_books(&books, Some(LOG), &ends), FindingKind::Hole, (from, to), to - from)?;
            }
            1 => {
                books.rows[hit].account = accounted(from, to + 1);
                only(&check_books(&books, Some(LOG), &ends), FindingKind::WrongSum, (from, to), to - from)?;
            }
            2 => {
                books.rows[hit].account = Account::Skipped { by: "me".into(), reason: "poison".into() };
                only(&check_books(&books, Some(LOG), &ends), FindingKind::Skipped, (from, to), to - from)?;
            }
            3 => {
                books.rows[hit].account = Account::Lost { cause: GapCause::Missing, evidence: "file 2".into() };
                only(&check_books(&books, Some(LOG), &ends), FindingKind::Lost, (from, to), to - from)?;
            }
            4 => {
                ends.bounds.insert(SHARD, (0, end - 1));
                only(&check_books(&books, Some(LOG), &ends), FindingKind::LogMismatch, (end - 1, end), 1)?;
            }
            _ => {
                ends.bounds.insert(SHARD, (end + 3, end + 7));
                only(&check_books(&books, Some(LOG), &ends), FindingKind::Lost, (end, end + 3), 3)?;
            }
        }
    }

    #[test]
    fn rows_of_all_files_are_summed_per_row_of_the_books(
        truth in truths(), cut in 1u64..60, order in any::<u64>(), what in 0u8..4, hit in 0usize..60,
    ) {
        let whole = truth.interval();
        let middle = BASE + cut.min(whole.len());
        let part = |from: u64, to: u64| {
            let inside: Vec<u64> = truth.visible().into_iter().filter(|o| (from..to).contains(o)).collect();
            let mut tally = Tally { visible: inside.len() as u64, ..Tally::default() };
            tally.hole = (to - from) - tally.visible;
            row(Interval::new(SHARD, from, to), Account::Accounted { tally, visible: sum(&inside) })
        };
        let books: Vec<LedgerRow> =
            [(whole.from, middle), (middle, whole.to)].into_iter().filter(|(f, t)| f < t).map(|(f, t)| part(f, t)).collect();
        let faults = |rows: &[u64]| {
            let mut sums = RowSums::new(LOG, &books);
            let mut rows = rows.to_vec();
            rows.sort_by_key(|o| o.wrapping_mul(order | 1));
            rows.iter().for_each(|o| sums.add(at(*o)));
            sums.faults()
        };
        let visible = truth.visible();
        prop_assert_eq!(faults(&visible), vec![]);
        prop_assume!(!visible.is_empty());
        let one = visible[hit % visible.len()];
        let mut rows = visible.clone();
        match what {
            0 => rows.retain(|o| *o != one),
            1 => rows.push(one),
            // One instead of another: the count is the same, the fingerprint is not.
            2 => {
                let other = truth.offsets(|k| k != OutcomeKind::Visible);
                let same_part = |o: &&u64| (**o < middle) == (one < middle);
                let Some(other) = other.iter().find(same_part) else { return Ok(()) };
                rows.retain(|o| *o != one);
                rows.push(*other);
            }
            _ => rows.push(whole.to + 5),
        }
        let found = faults(&rows);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].kind, FindingKind::WrongRows);
        let named = found[0].interval.unwrap();
        let wrong = if what == 3 { whole.to + 5 } else { one };
        prop_assert!(named.contains(at(wrong)), "{} {}", named, wrong);
        prop_assert!(what == 3 || books.iter().any(|b| b.interval == named), "the row of the books around it");
    }
}

fn row(interval: Interval, account: Account) -> LedgerRow {
    let (tally, visible) = match &account {
        Account::Accounted { tally, visible } => (*tally, *visible),
        _ => Default::default(),
    };
    LedgerRow {
        interval,
        account,
        received_from: interval.from as i64 * 10,
        received_to: (interval.to - 1) as i64 * 10,
        tally,
        visible,
    }
}
