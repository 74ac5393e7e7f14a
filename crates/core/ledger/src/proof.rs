//! The sums that committing, compacting and auditing compare.
//!
//! Guarantees: each rule (I3, I4, I13) is written once, here; the committer checks it before sending, the catalog
//! asserts it again, and `verify` re-derives it from files.
//! Deliberately not here: reading segments.

use crate::{
    Account, Entry, Fingerprint, Interval, InvariantId, Restatement, SegmentKind, SegmentMeta, Violation,
};
use tallymark_model::SegmentId;

/// I3: an accounted interval is as long as the sum of its outcomes.
pub fn check_sum(interval: Interval, account: &Account) -> Option<Violation> {
    let Account::Accounted { tally, .. } = account else { return None };
    (tally.total() != interval.len()).then(|| {
        let message =
            format!("outcomes add up to {} but the interval has {} offsets", tally.total(), interval.len());
        Violation::at(InvariantId::I3, interval, message)
    })
}

/// I4: visible count and fingerprint of an entry equal those of its rows, as found in segments.
pub fn check_rows(entry: &Entry, rows: u64, fingerprint: Fingerprint) -> Option<Violation> {
    let (expected, sum) = visible_of(&entry.account);
    if rows != expected {
        let message = format!("{expected} visible in the books but {rows} rows in segments");
        return Some(Violation::at(InvariantId::I4, entry.interval, message));
    }
    (fingerprint != sum).then(|| {
        let message = format!("fingerprint {sum} in the books but {fingerprint} over the segments' rows");
        Violation::at(InvariantId::I4, entry.interval, message)
    })
}

/// I3 and I4 of a commit that has not been applied: each advance and each restatement adds up, and the rows of the
/// added event segments are exactly the records that they make visible.
pub fn check_commit(advances: &[Entry], restated: &[Restatement], added: &[SegmentMeta]) -> Vec<Violation> {
    let mut found: Vec<Violation> =
        advances.iter().filter_map(|e| check_sum(e.interval, &e.account)).collect();
    found.extend(restated.iter().flat_map(Restatement::check));
    let now = restated.iter().map(|r| Entry { interval: r.interval, account: r.now.clone() });
    let entries: Vec<Entry> = advances.iter().cloned().chain(now).collect();
    let mut sums = vec![(0u64, Fingerprint::default()); entries.len()];
    for segment in added.iter().filter(|s| s.kind == SegmentKind::Events) {
        found.extend(check_segment(segment));
        for source in &segment.sources {
            match entries.iter().position(|e| e.interval.encloses(&source.interval)) {
                Some(i) => {
                    sums[i].0 += source.rows;
                    sums[i].1 += source.fingerprint;
                }
                None => {
                    let message = format!("segment {} has rows of no advance of its commit", segment.id);
                    found.push(Violation::at(InvariantId::I4, source.interval, message));
                }
            }
        }
    }
    found.extend(entries.iter().zip(sums).filter_map(|(e, (rows, sum))| check_rows(e, rows, sum)));
    found
}

/// I4 within one event segment: its rows and fingerprint are the sums over its sources.
pub fn check_segment(segment: &SegmentMeta) -> Option<Violation> {
    let rows: u64 = segment.sources.iter().map(|s| s.rows).sum();
    let sum = segment.sources.iter().fold(Fingerprint::default(), |sum, s| sum + s.fingerprint);
    (rows != segment.rows || sum != segment.fingerprint).then(|| {
        let message = format!(
            "segment {} says {} rows, fingerprint {}; its sources add up to {rows}, {sum}",
            segment.id, segment.rows, segment.fingerprint
        );
        Violation::of(InvariantId::I4, message)
    })
}

/// I13: what a compaction adds has the rows of what it removes, per project, by count and by fingerprint.
/// Event segments are compared strictly, up to the rows that are left out on purpose (segment, rows, sum over their
/// positions): masked or erased ones. Segments of property operations may shrink (repeated operations are
/// folded), never grow, and never appear from nothing.
pub fn check_compaction(
    removed: &[SegmentMeta],
    added: &[SegmentMeta],
    left_out: &[(SegmentId, u64, Fingerprint)],
) -> Vec<Violation> {
    let mut projects: Vec<_> = removed.iter().chain(added).map(|s| s.project).collect();
    projects.sort_unstable();
    projects.dedup();
    let mut found = Vec::new();
    for project in projects {
        let of = |set: &[SegmentMeta], kind| {
            set.iter()
                .filter(|s| s.project == project && s.kind == kind)
                .fold((0u64, Fingerprint::default()), |(rows, sum), s| (rows + s.rows, sum + s.fingerprint))
        };
        let ours = |id: &SegmentId| {
            removed.iter().any(|s| s.id == *id && s.project == project && s.kind == SegmentKind::Events)
        };
        let (gone, gone_sum) = left_out
            .iter()
            .filter(|(id, ..)| ours(id))
            .fold((0u64, Fingerprint::default()), |(rows, sum), (_, r, f)| (rows + r, sum + *f));
        let (before, after) = (of(removed, SegmentKind::Events), of(added, SegmentKind::Events));
        if before != (after.0 + gone, after.1 + gone_sum) {
            let message = format!(
                "project {project}: {} rows, fingerprint {} in, but {} rows, fingerprint {} out and {gone} left out",
                before.0, before.1, after.0, after.1
            );
            found.push(Violation::of(InvariantId::I13, message));
        }
        let (before, after) = (of(removed, SegmentKind::Properties).0, of(added, SegmentKind::Properties).0);
        if after > before || (after == 0 && before > 0 && left_out.is_empty()) {
            let message = format!("project {project}: {before} property operations in, {after} out");
            found.push(Violation::of(InvariantId::I13, message));
        }
    }
    found
}

fn visible_of(account: &Account) -> (u64, Fingerprint) {
    match account {
        Account::Accounted { tally, visible } => (tally.visible, *visible),
        Account::Skipped { .. } | Account::Lost { .. } => (0, Fingerprint::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Source, Tally};
    use proptest::prelude::*;
    use tallymark_model::{CommitId, CommitSeq, Epoch, Lane, LogId, Position, ProjectId, SegmentId, Shard};
    use uuid::Uuid;

    const SHARD: Shard = Shard { lane: Lane::Live, partition: 0 };
    const LOG: LogId = LogId(Uuid::from_u128(7));

    fn sum(offsets: &[u64]) -> Fingerprint {
        offsets.iter().fold(Fingerprint::default(), |sum, o| {
            sum + Fingerprint::of(LOG, Position { lane: SHARD.lane, partition: SHARD.partition, offset: *o })
        })
    }

    fn segment(project: u32, interval: Interval, offsets: &[u64]) -> SegmentMeta {
        let (rows, fingerprint) = (offsets.len() as u64, sum(offsets));
        SegmentMeta {
            id: SegmentId(Uuid::from_u128(u128::from(project))),
            project: ProjectId(project),
            kind: SegmentKind::Events,
            level: 0,
            key: String::new(),
            bytes: 1,
            rows,
            fingerprint,
            sources: vec![Source { interval, rows, fingerprint }],
            time_min: 0,
            time_max: 0,
            received_min: 0,
            received_max: 0,
            day: None,
            identity: CommitSeq(0),
            commit: CommitId(Uuid::nil()),
            parent: None,
            epoch: Epoch(1),
        }
    }

    fn entry(interval: Interval, offsets: &[u64]) -> Entry {
        let visible = offsets.len() as u64;
        let tally = Tally { visible, duplicate: interval.len() - visible, ..Tally::default() };
        Entry { interval, account: Account::Accounted { tally, visible: sum(offsets) } }
    }

    #[test]
    fn a_commit_must_carry_exactly_the_visible_rows() {
        let interval = Interval::new(SHARD, 0, 6);
        let advance = entry(interval, &[0, 1, 2, 5]);
        let (a, b) = (segment(1, interval, &[0, 5]), segment(2, interval, &[1, 2]));
        assert_eq!(check_commit(std::slice::from_ref(&advance), &[], &[a.clone(), b.clone()]), []);
        // One missing, one row exchanged for another, one foreign.
        for wrong in [vec![a.clone()], vec![a.clone(), segment(2, interval, &[1, 3])]] {
            let found = check_commit(std::slice::from_ref(&advance), &[], &wrong);
            assert_eq!(found.iter().map(|v| v.invariant).collect::<Vec<_>>(), [InvariantId::I4]);
        }
        let foreign = segment(3, Interval::new(SHARD, 6, 9), &[6]);
        assert!(!check_commit(&[advance], &[], &[a, b, foreign]).is_empty());
    }

    #[test]
    fn a_segment_that_contradicts_its_sources_is_found() {
        let mut s = segment(1, Interval::new(SHARD, 0, 6), &[1]);
        assert_eq!(check_segment(&s), None);
        s.rows = 2;
        assert!(check_segment(&s).is_some());
    }

    #[test]
    fn property_operations_may_fold_but_not_vanish() {
        let kind = |rows| {
            let mut s = segment(1, Interval::new(SHARD, 0, 6), &[]);
            s.kind = SegmentKind::Properties;
            s.rows = rows;
            s
        };
        assert!(check_compaction(&[kind(5)], &[kind(3)], &[]).is_empty());
        assert!(!check_compaction(&[kind(5)], &[kind(6)], &[]).is_empty());
        assert!(!check_compaction(&[kind(5)], &[], &[]).is_empty());
        assert!(!check_compaction(&[], &[kind(1)], &[]).is_empty());
    }

    proptest! {
        #[test]
        fn compactions_are_judged_by_what_rows_they_hold(
            rows in proptest::collection::btree_set(0u64..200, 1..40), cut in 0usize..40, swap in proptest::option::of(200u64..210),
        ) {
            let rows: Vec<u64> = rows.into_iter().collect();
            let cut = cut.min(rows.len());
            let whole = Interval::new(SHARD, 0, 210);
            let removed = [segment(1, whole, &rows[..cut]), segment(1, whole, &rows[cut..])];
            let mut out = rows.clone();
            if let Some(other) = swap {
                out[0] = other;
            }
            let sound = check_compaction(&removed, &[segment(1, whole, &out)], &[]).is_empty();
            prop_assert_eq!(sound, swap.is_none());
            // Rows never move to another project.
            prop_assert!(!check_compaction(&removed, &[segment(2, whole, &rows)], &[]).is_empty());
        }

        #[test]
        fn rows_left_out_on_purpose_must_be_said_exactly(
            rows in proptest::collection::btree_set(0u64..200, 2..40), gone in proptest::collection::vec(any::<bool>(), 40),
            lie in prop_oneof![Just(None), (0u8..4).prop_map(Some)],
        ) {
            let rows: Vec<u64> = rows.into_iter().collect();
            let part = |out: bool| -> Vec<u64> {
                rows.iter().enumerate().filter(|(i, _)| gone[*i] == out).map(|(_, o)| *o).collect()
            };
            let (out, kept) = (part(true), part(false));
            let whole = Interval::new(SHARD, 0, 210);
            let removed = [segment(1, whole, &rows)];
            let added: Vec<SegmentMeta> =
                if kept.is_empty() { Vec::new() } else { vec![segment(1, whole, &kept)] };
            let mut left = (removed[0].id, out.len() as u64, sum(&out));
            match lie {
                None => {}
                // One more or one less than there were, others than there were, of a segment that is not removed.
                Some(0) => left.1 += 1,
                Some(1) => left.1 = left.1.saturating_sub(1),
                Some(2) => left.2 += sum(&[209]),
                Some(_) => left.0 = SegmentId(Uuid::from_u128(77)),
            }
            let harmless = matches!(lie, Some(1 | 3)) && out.is_empty();
            let sound = check_compaction(&removed, &added, &[left]).is_empty();
            prop_assert_eq!(sound, lie.is_none() || harmless);
        }
    }
}
