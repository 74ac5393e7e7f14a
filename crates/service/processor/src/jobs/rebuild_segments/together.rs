//! Files over the same records whose rows cannot be told apart any more, written again together.
//!
//! A reprocess masks rows in every older file, and merges mix generations: which of several missing files held a row, or
//! whether a masked row was still in one of them, nothing records. What counts is known all the same.
//! Guarantees: every row that counts, of the records under these files, is in a file afterwards, and nothing else is. It
//! is proved against the books, row by row of theirs, by count and fingerprint (I4), before anything is replaced. Rows
//! that are left out are what the files had too much: none without a mask, and never more than the masks allow (I13).
//! Deliberately not here: single files, which are proved by their own count and fingerprint. It is one step: live
//! records wait while the hours under these files are read.

use super::files::{by_level, encode, owner};
use super::{Outcome, Rebuild, SegmentMeta};
use crate::committer::{Committer, aside, now_ms};
use crate::error::ProcessorError;
use crate::jobs::history::History;
use crate::steps::decide::ProjectRows;
use tallymark_catalog::{Commit, LedgerRow, LeftOut, Origin, SegmentKind};
use tallymark_ledger::{Account, Fingerprint, Interval, IntervalSet};
use tallymark_model::{CommitId, Position};
use tallymark_store::{Encoded, SegmentSpec};

/// Offsets read at a time.
const READ: u64 = 50_000;
/// Rows of one file.
const ROWS: usize = 200_000;

impl Rebuild {
    pub(super) async fn together(
        &self,
        committer: &mut Committer,
        history: &mut History,
        group: &[SegmentMeta],
    ) -> Result<Outcome, ProcessorError> {
        let Some(first) = group.first() else { return Ok(Outcome::Gone) };
        let masked: Vec<(&SegmentMeta, &[Interval])> = group
            .iter()
            .filter_map(|meta| self.live.iter().find(|(live, _)| live.id == meta.id))
            .map(|(meta, masked)| (meta, masked.as_slice()))
            .collect();
        if masked.len() < group.len() {
            return Ok(Outcome::Gone);
        }
        let elsewhere = match self.elsewhere(committer, group).await? {
            Ok(elsewhere) => elsewhere,
            Err(why) => return Ok(Outcome::Failed(why)),
        };
        let scope: IntervalSet = group.iter().flat_map(|m| &m.sources).map(|s| s.interval).collect();
        let catalog = committer.deps.catalog.clone();
        let call = || catalog.ledger(Some(first.project), None, None);
        let Some(books) = committer.patiently("books", call).await? else { return Ok(Outcome::Stopped) };
        // As merged ones: the compactor sorts what belongs into files of a day.
        let like = SegmentMeta { level: first.level.min(1), day: None, sources: Vec::new(), ..first.clone() };
        let id = CommitId(uuid::Uuid::now_v7());
        let (mut files, mut pending): (Vec<Encoded>, ProjectRows) = Default::default();
        // What was skipped has no rows yet, what is lost none any more.
        let accounted = books.iter().filter(|row| matches!(row.account, Account::Accounted { .. }));
        for row in accounted.filter(|row| scope.iter().any(|i| i.overlaps(&row.interval))) {
            if !history.covers(row.interval) {
                return Ok(Outcome::Failed(format!("the books say more of {} than before", row.interval)));
            }
            let mut found = (0, Fingerprint::default());
            let mut chunk = Interval { to: row.interval.from, ..row.interval };
            while chunk.to < row.interval.to {
                chunk = Interval { from: chunk.to, to: row.interval.to.min(chunk.to + READ), ..chunk };
                let (records, mut counting) = self.counting(committer, history, chunk).await?;
                let Some(rules) = committer.rules(&records, &[]).await? else { return Ok(Outcome::Stopped) };
                let log = committer.deps.log.id();
                for record in &records {
                    if owner(record, &rules.projects) != Some(first.project) {
                        counting.remove(&record.position);
                    } else if counting.contains(&record.position) {
                        found = (found.0 + 1, found.1 + Fingerprint::of(log, record.position));
                    }
                }
                counting.retain(|p: &Position| scope.contains(*p) && !elsewhere.contains(p));
                let rows = self.rows(committer, history, &like, records, counting, rules).await?;
                pending.events.extend(rows.events);
                pending.properties.extend(rows.properties);
                if pending.events.len() >= ROWS
                    && let Some(failed) = self.pack(committer, id, &like, &mut pending, &mut files).await?
                {
                    return Ok(failed);
                }
            }
            if let Some(why) = disproved(row, found) {
                return Ok(Outcome::Failed(why));
            }
        }
        if let Some(failed) = self.pack(committer, id, &like, &mut pending, &mut files).await? {
            return Ok(failed);
        }
        let left_out = match too_much(&masked, &files) {
            Ok(left_out) => left_out,
            Err(why) => return Ok(Outcome::Failed(why)),
        };
        let commit = Commit {
            remove: group.iter().map(|meta| meta.id).collect(),
            left_out,
            as_of: history.seq(),
            origin: Origin::Repair { job: self.job },
            ..Commit::new(id, committer.epoch, now_ms())
        };
        self.replace(committer, commit, files).await
    }

    /// Makes a file of the rows so far. What cannot be encoded is the answer.
    async fn pack(
        &self,
        committer: &Committer,
        id: CommitId,
        like: &SegmentMeta,
        rows: &mut ProjectRows,
        files: &mut Vec<Encoded>,
    ) -> Result<Option<Outcome>, ProcessorError> {
        let mut rows = std::mem::take(rows);
        by_level(&mut rows, like.level);
        let spec = SegmentSpec {
            level: like.level,
            parent: committer.state()?.tip().map(|(_, id)| id),
            ..SegmentSpec::new(like.project, committer.deps.log.id(), id, committer.epoch)
        };
        let kind = like.kind;
        Ok(match aside("encode", move || encode(kind, rows, &spec)).await? {
            Ok(encoded) => {
                files.extend(encoded);
                None
            }
            Err(error) => Some(Outcome::Failed(error.to_string())),
        })
    }
}

/// Why what was derived of a row of the books is not what it says.
fn disproved(row: &LedgerRow, (rows, sum): (u64, Fingerprint)) -> Option<String> {
    ((row.tally.visible, row.visible) != (rows, sum)).then(|| {
        format!(
            "of {} the log gives {rows} rows with fingerprint {sum}; the books say {} with {}",
            row.interval, row.tally.visible, row.visible
        )
    })
}

/// What the files had that does not count any more, or why that cannot be.
fn too_much(masked: &[(&SegmentMeta, &[Interval])], files: &[Encoded]) -> Result<Vec<LeftOut>, String> {
    let sum = |metas: &mut dyn Iterator<Item = &SegmentMeta>| {
        metas.fold((0, Fingerprint::default()), |(rows, sum), m| (rows + m.rows, sum + m.fingerprint))
    };
    let had = sum(&mut masked.iter().map(|(meta, _)| *meta));
    let have = sum(&mut files.iter().map(|f| &f.meta));
    let events = masked.first().is_some_and(|(meta, _)| meta.kind == SegmentKind::Events);
    // A record can have several operations on properties, but only one row.
    let allowed = match masked.iter().flat_map(|(_, masks)| masks.iter()).map(Interval::len).sum::<u64>() {
        0 => 0,
        positions if events => positions,
        _ => u64::MAX,
    };
    let rows = had.0.checked_sub(have.0).filter(|rows| *rows <= allowed);
    let (Some(rows), fingerprint) = (rows, had.1 - have.1) else {
        return Err(format!("the log gives {} rows; the files had {}", have.0, had.0));
    };
    if rows == 0 && fingerprint != Fingerprint::default() {
        return Err(format!(
            "the log gives as many rows with fingerprint {}; the files had {}",
            have.1, had.1
        ));
    }
    let of = masked.iter().find(|(_, masks)| !masks.is_empty());
    Ok(of
        .filter(|_| rows > 0)
        .map(|(m, _)| LeftOut { segment: m.id, rows, fingerprint })
        .into_iter()
        .collect())
}
