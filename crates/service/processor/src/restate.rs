//! Changes of outcomes as the books want them: restatements and masks.
//!
//! Guarantees: one restatement per row of the books at most; what it says it replaces is what the changes say.
//! Deliberately not here: what changes (`steps`).

use crate::committer::Committer;
use crate::error::ProcessorError;
use crate::steps::decide::Change;
use std::collections::BTreeMap;
use tallymark_ledger::{Account, Fingerprint, Interval, Part, Restatement, Tally};
use tallymark_model::{LogId, Outcome, OutcomeKind, Position, ProjectId};

type Sums = BTreeMap<ProjectId, (Tally, Fingerprint)>;

/// The restatement of these changes, which are in order and all within one row of the books. None: nothing changes.
pub(crate) fn restatement(log: LogId, changes: &[Change]) -> Option<Restatement> {
    let (first, last) = (changes.first()?, changes.last()?);
    let interval = Interval::new(first.position.shard(), first.position.offset, last.position.offset + 1);
    let (mut was, mut now) = (Sums::new(), Sums::new());
    for change in changes {
        count(&mut was, log, change.position, &change.was);
        count(&mut now, log, change.position, &change.now);
    }
    let received = || changes.iter().map(|c| c.received_at);
    let ((was, was_parts), (now, now_parts)) = (whole(was), whole(now));
    Some(Restatement {
        interval,
        was,
        was_parts,
        now,
        now_parts,
        received_from: received().min().unwrap_or_default(),
        received_to: received().max().unwrap_or_default(),
    })
}

/// One restatement per row of the books that the changes touch. None: asked to stop.
pub(crate) async fn by_row(
    committer: &mut Committer,
    changes: &[Change],
) -> Result<Option<Vec<Restatement>>, ProcessorError> {
    let mut rows: Vec<(Interval, Vec<Change>)> = Vec::new();
    let catalog = committer.deps.catalog.clone();
    for change in changes {
        let p = change.position;
        if let Some((_, held)) = rows.iter_mut().find(|(row, _)| row.contains(p)) {
            held.push(change.clone());
            continue;
        }
        let at = change.received_at;
        let call = || catalog.ledger(None, Some(at), at.checked_add(1));
        let Some(found) = committer.patiently("books", call).await? else { return Ok(None) };
        let alone = Interval::new(p.shard(), p.offset, p.offset + 1);
        let row = found.iter().find(|r| r.interval.contains(p)).map_or(alone, |r| r.interval);
        rows.push((row, vec![change.clone()]));
    }
    let log = committer.deps.log.id();
    Ok(Some(rows.iter().filter_map(|(_, changes)| restatement(log, changes)).collect()))
}

/// The positions whose old rows stop counting.
pub(crate) fn masks(changes: &[Change]) -> Vec<Interval> {
    runs(changes.iter().filter(|c| c.was.1 == Outcome::Visible).map(|c| c.position))
}

/// Runs of neighbouring positions, given in order.
pub(crate) fn runs(positions: impl Iterator<Item = Position>) -> Vec<Interval> {
    let mut runs: Vec<Interval> = Vec::new();
    for p in positions {
        match runs.last_mut() {
            Some(last) if last.shard == p.shard() && last.to == p.offset => last.to += 1,
            _ => runs.push(Interval::new(p.shard(), p.offset, p.offset + 1)),
        }
    }
    runs
}

fn count(sums: &mut Sums, log: LogId, position: Position, (project, outcome): &(ProjectId, Outcome)) {
    let (tally, visible) = sums.entry(*project).or_default();
    tally.count(outcome.kind());
    if outcome.kind() == OutcomeKind::Visible {
        *visible += Fingerprint::of(log, position);
    }
}

fn whole(sums: Sums) -> (Account, Vec<Part>) {
    let tally = sums.values().fold(Tally::default(), |sum, (part, _)| sum + *part);
    let visible = sums.values().fold(Fingerprint::default(), |sum, (_, part)| sum + *part);
    let parts = sums.into_iter().map(|(project, (tally, visible))| (project, tally, visible)).collect();
    (Account::Accounted { tally, visible }, parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_model::{DeadReason, Lane};

    fn change(offset: u64, was: (u32, Outcome), now: (u32, Outcome)) -> Change {
        Change {
            position: Position { lane: Lane::Bulk, partition: 1, offset },
            received_at: 100 + offset as i64,
            was: (ProjectId(was.0), was.1),
            now: (ProjectId(now.0), now.1),
        }
    }

    #[test]
    fn changes_become_one_restatement_that_holds_by_itself() {
        let dead = || Outcome::Dead { reason: DeadReason::new("invalid_json", "") };
        let changes = [
            change(3, (1, Outcome::Visible), (1, Outcome::Filtered { rule: 7 })),
            change(4, (0, dead()), (2, Outcome::Visible)),
            change(9, (1, Outcome::Visible), (1, Outcome::Visible)),
            change(10, (1, Outcome::Visible), (1, dead())),
        ];
        let log = LogId(uuid::Uuid::from_u128(4));
        let r = restatement(log, &changes).unwrap();
        assert_eq!(r.check(), []);
        assert_eq!((r.records(), r.interval.from, r.interval.to), (4, 3, 11));
        assert_eq!((r.received_from, r.received_to), (103, 110));
        let Account::Accounted { tally, visible } = &r.now else { panic!() };
        assert_eq!(*tally, Tally { visible: 2, filtered: 1, dead: 1, ..Tally::default() });
        assert_eq!(
            *visible,
            Fingerprint::of(log, changes[1].position) + Fingerprint::of(log, changes[2].position)
        );
        assert_eq!(r.was_parts.len(), 2);
        let shard = changes[0].position.shard();
        assert_eq!(masks(&changes), [Interval::new(shard, 3, 4), Interval::new(shard, 9, 11)]);
        assert!(restatement(log, &[]).is_none());
    }
}
