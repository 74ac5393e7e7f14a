//! What the files say became of each position: rows in segments, exceptions in deltas.

use super::{Report, VerifyError};
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use std::collections::HashMap;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{CommitRecord, Settings, Snapshots};
use tallymark_ledger::{Fingerprint, SegmentKind, SegmentMeta};
use tallymark_model::{CommitSeq, LogId, Outcome, OutcomeKind, Position};
use tallymark_state::Delta;
use tallymark_store::{Column, ObjectStore, SegmentReader, verify_segment};

/// Everything found, by packed position.
pub struct Evidence {
    /// Sorted positions of visible rows.
    visible: Vec<u64>,
    /// Exceptions, with the duplicates' witnesses.
    exceptions: HashMap<u64, (OutcomeKind, Option<Position>)>,
    log: LogId,
}

impl Evidence {
    /// Reads all live segments and all deltas as of a commit.
    pub async fn collect(
        catalog: &SqliteCatalog,
        store: &ObjectStore,
        commits: &[CommitRecord],
        seq: CommitSeq,
        log: LogId,
        report: &mut Report,
    ) -> Result<Evidence, VerifyError> {
        let mut evidence = Evidence { visible: Vec::new(), exceptions: HashMap::new(), log };
        for project in catalog.projects().await? {
            let snapshot = catalog.snapshot(project.id, Some(seq)).await?;
            for segment in snapshot.segments {
                evidence.read_segment(store, &segment, report);
            }
        }
        evidence.visible.sort_unstable();
        for pair in evidence.visible.windows(2).filter(|p| p[0] == p[1]) {
            report.violation(format!("I3: {} is visible twice", shown(pair[0])));
        }
        for commit in commits {
            evidence.read_delta(store, commit, report).await;
        }
        report.visible = evidence.visible.len() as u64;
        Ok(evidence)
    }

    /// What became of a position; `None`: no trace of it, or two.
    pub fn outcome(&self, packed: u64, report: &mut Report) -> Option<OutcomeKind> {
        let visible = self.visible.binary_search(&packed).is_ok();
        match (visible, self.exceptions.get(&packed)) {
            (true, None) => Some(OutcomeKind::Visible),
            (false, Some((kind, _))) => Some(*kind),
            (true, Some((kind, _))) => {
                report.violation(format!("I3: {} is both visible and {kind:?}", shown(packed)));
                None
            }
            (false, None) => None,
        }
    }

    /// The term of one position in the sum of I4.
    pub fn fingerprint(&self, position: Position) -> Fingerprint {
        Fingerprint::of(self.log, position)
    }

    /// Positions with an outcome inside a packed range: none may be left over outside the books.
    pub fn visible_outside(&self, inside: impl Fn(Position) -> bool, report: &mut Report) {
        let positions = self.visible.iter().chain(self.exceptions.keys());
        for packed in positions.filter(|p| Position::unpack(**p).is_none_or(|p| !inside(p))) {
            report.violation(format!("I2: {} has an outcome but lies outside the books", shown(*packed)));
        }
    }

    /// I5: every duplicate points to a visible row.
    pub fn check_witnesses(&self, report: &mut Report) {
        for (packed, (_, witness)) in &self.exceptions {
            let Some(witness) = witness else { continue };
            if self.visible.binary_search(&witness.pack()).is_err() {
                report.violation(format!(
                    "I5: {} is a duplicate of {witness}, which is not visible",
                    shown(*packed)
                ));
            }
        }
    }

    fn read_segment(&mut self, store: &ObjectStore, meta: &SegmentMeta, report: &mut Report) {
        report.segments += 1;
        if let Err(error) = verify_segment(store, meta) {
            report.violation(format!("I4: {error}"));
            return;
        }
        if meta.kind != SegmentKind::Events {
            return;
        }
        let read = || -> Result<Vec<u64>, tallymark_store::StoreError> {
            let reader = SegmentReader::open(store, meta)?;
            let mut positions = Vec::with_capacity(meta.rows as usize);
            for group in 0..reader.row_groups().len() {
                let batch = reader.read(group, &[Column::Position])?;
                if let Some(column) = batch.column(0).as_primitive_opt::<UInt64Type>() {
                    positions.extend_from_slice(column.values());
                }
            }
            Ok(positions)
        };
        match read() {
            Ok(positions) => self.visible.extend(positions),
            Err(error) => report.violation(format!("I4: {error}")),
        }
    }

    async fn read_delta(&mut self, store: &ObjectStore, commit: &CommitRecord, report: &mut Report) {
        let Some(key) = &commit.delta else { return };
        let delta = match store.get(key).await.map(|bytes| Delta::decode(&bytes)) {
            Ok(Ok(delta)) => delta,
            Ok(Err(error)) => return report.violation(format!("I8: delta {key}: {error}")),
            Err(error) => return report.violation(format!("I8: delta {key}: {error}")),
        };
        for exception in delta.exceptions {
            let witness = match exception.outcome {
                Outcome::Duplicate { witness } => Some(witness),
                _ => None,
            };
            let found = (exception.outcome.kind(), witness);
            if self.exceptions.insert(exception.position.pack(), found).is_some() {
                report.violation(format!("I3: {} has two outcomes", exception.position));
            }
        }
    }
}

fn shown(packed: u64) -> String {
    Position::unpack(packed).map_or_else(|| format!("{packed:#x}"), |p| p.to_string())
}
