//! What the files say became of each position: rows in segments, exceptions in deltas.

use super::{Report, VerifyError};
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use std::collections::BTreeMap;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{CommitRecord, Origin, Settings, Snapshots};
use tallymark_ledger::{Fingerprint, Interval, IntervalSet, SegmentKind, SegmentMeta};
use tallymark_model::{CommitSeq, ERASED_RULE, LogId, Outcome, OutcomeKind, Position};
use tallymark_state::Delta;
use tallymark_store::{Column, ObjectStore, SegmentReader, StoreError, verify_segment};

/// Everything found, by packed position.
pub struct Evidence {
    /// Sorted positions of visible rows, masked ones not among them.
    visible: Vec<u64>,
    exceptions: BTreeMap<u64, Exceptional>,
    /// Where rows of deleted projects were, of which no file tells any more.
    erased: IntervalSet,
    log: LogId,
}

/// What became of a record that is no row.
#[derive(Debug, Clone, Copy)]
struct Exceptional {
    kind: OutcomeKind,
    /// Of a duplicate.
    witness: Option<Position>,
    /// Filtered because a person is to be forgotten.
    erased: bool,
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
        let mut evidence =
            Evidence { visible: Vec::new(), exceptions: BTreeMap::new(), erased: IntervalSet::new(), log };
        let mut segments = Vec::new();
        let kept = catalog.projects().await?.into_iter().map(|p| p.id);
        let deleted = tallymark_catalog::Tombstones::deleted_projects(catalog).await?;
        let mut projects: Vec<_> = kept.chain(deleted.into_iter().map(|(p, _)| p.id)).collect();
        projects.sort_unstable();
        projects.dedup();
        for project in projects {
            let mut snapshot = catalog.snapshot(project, Some(seq)).await?;
            for segment in snapshot.segments {
                let masked = snapshot.masked.remove(&segment.id).unwrap_or_default();
                segments.push((segment, masked));
            }
        }
        report.segments += segments.len() as u64;
        for found in read_all(store, segments).await {
            match found {
                Ok(positions) => evidence.visible.extend(positions),
                Err(error) => report.violation(format!("I4: {error}")),
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

    /// What became of each offset of an interval; `None`: no trace of it, or two.
    pub fn outcomes(&self, interval: Interval, report: &mut Report) -> Vec<Option<OutcomeKind>> {
        let mut found = vec![None; interval.len() as usize];
        let (from, to) = (packed(interval, interval.from), packed(interval, interval.to));
        for (packed, exceptional) in self.exceptions.range(from..to) {
            found[(packed - from) as usize] = Some(exceptional.kind);
        }
        let first = self.visible.partition_point(|v| *v < from);
        for packed in self.visible[first..].iter().take_while(|v| **v < to) {
            let place = &mut found[(packed - from) as usize];
            *place = match place {
                None | Some(OutcomeKind::Visible) => Some(OutcomeKind::Visible),
                Some(kind) => {
                    report.violation(format!("I3: {} is both visible and {kind:?}", shown(*packed)));
                    None
                }
            };
        }
        found
    }

    /// True if a row was here that left with its whole project.
    pub fn was_erased(&self, position: Position) -> bool {
        self.erased.contains(position)
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

    /// I5: every duplicate points to a visible row, or to one that was erased on purpose.
    pub fn check_witnesses(&self, report: &mut Report) {
        for (packed, exceptional) in &self.exceptions {
            let Some(witness) = exceptional.witness else { continue };
            let at = witness.pack();
            let erased = || self.exceptions.get(&at).is_some_and(|e| e.erased) || self.was_erased(witness);
            if self.visible.binary_search(&at).is_err() && !erased() {
                report.violation(format!(
                    "I5: {} is a duplicate of {witness}, which is not visible",
                    shown(*packed)
                ));
            }
        }
    }

    async fn read_delta(&mut self, store: &ObjectStore, commit: &CommitRecord, report: &mut Report) {
        let Some(key) = &commit.delta else {
            if commit.origin == Origin::Compaction {
                commit.restated.iter().for_each(|r| self.erased.insert(r.interval));
            }
            return;
        };
        let delta = match store.get(key).await.map(|bytes| Delta::decode(&bytes)) {
            Ok(Ok(delta)) => delta,
            Ok(Err(error)) => return report.violation(format!("I8: delta {key}: {error}")),
            Err(error) => return report.violation(format!("I8: delta {key}: {error}")),
        };
        // What a commit changed has the outcome that this commit gives it: a row, unless it is excepted again.
        for interval in &delta.restated {
            let (from, to) = (packed(*interval, interval.from), packed(*interval, interval.to));
            let gone: Vec<u64> = self.exceptions.range(from..to).map(|(packed, _)| *packed).collect();
            gone.iter().for_each(|packed| {
                self.exceptions.remove(packed);
            });
        }
        for exception in delta.exceptions {
            let witness = match exception.outcome {
                Outcome::Duplicate { witness } => Some(witness),
                _ => None,
            };
            let erased = exception.outcome == Outcome::Filtered { rule: ERASED_RULE };
            let found = Exceptional { kind: exception.outcome.kind(), witness, erased };
            if self.exceptions.insert(exception.position.pack(), found).is_some() {
                report.violation(format!("I3: {} has two outcomes", exception.position));
            }
        }
    }
}

type Positions = Result<Vec<u64>, StoreError>;

/// Reads and checks segments on all cores.
async fn read_all(store: &ObjectStore, segments: Vec<(SegmentMeta, Vec<Interval>)>) -> Vec<Positions> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut shares: Vec<Vec<(SegmentMeta, Vec<Interval>)>> = vec![Vec::new(); cores];
    for (nth, segment) in segments.into_iter().enumerate() {
        shares[nth % cores].push(segment);
    }
    let work = |share: Vec<(SegmentMeta, Vec<Interval>)>| {
        let store = store.clone();
        tokio::task::spawn_blocking(move || -> Vec<Positions> {
            share.into_iter().map(|(segment, masked)| read_segment(&store, &segment, &masked)).collect()
        })
    };
    let mut found = Vec::new();
    for reading in shares.into_iter().map(work).collect::<Vec<_>>() {
        match reading.await {
            Ok(part) => found.extend(part),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    found
}

fn read_segment(store: &ObjectStore, meta: &SegmentMeta, masked: &[Interval]) -> Positions {
    verify_segment(store, meta)?;
    if meta.kind != SegmentKind::Events {
        return Ok(Vec::new());
    }
    let masked: IntervalSet = masked.iter().copied().collect();
    let reader = SegmentReader::open(store, meta)?;
    let mut positions = Vec::with_capacity(meta.rows as usize);
    for group in 0..reader.row_groups().len() {
        let batch = reader.read(group, &[Column::Position])?;
        if let Some(column) = batch.column(0).as_primitive_opt::<UInt64Type>() {
            let counts = |packed: &u64| {
                masked.is_empty() || !Position::unpack(*packed).is_some_and(|p| masked.contains(p))
            };
            positions.extend(column.values().iter().copied().filter(counts));
        }
    }
    Ok(positions)
}

fn packed(interval: Interval, offset: u64) -> u64 {
    Position { lane: interval.shard.lane, partition: interval.shard.partition, offset }.pack()
}

fn shown(packed: u64) -> String {
    Position::unpack(packed).map_or_else(|| format!("{packed:#x}"), |p| p.to_string())
}
