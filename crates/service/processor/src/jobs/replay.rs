//! Replay: skipped records are processed at last.
//!
//! Guarantees: what is to be done is what the books call skipped, asked for anew before each chunk, so whatever a
//! crash interrupted is done once; a chunk's account, rows and delta become visible together; records are decided by
//! the rules in force at their own positions.
//! Deliberately not here: deciding (`steps`), the way to being visible (`land`).

use super::counts::Outcomes;
use super::history::{Dependent, History};
use super::reprocess::{held, only_changes, orphan};
use super::spec::{self, ReplaySpec};
use super::{Left, Stepped};
use crate::committer::{Committer, aside};
use crate::config::OnGap;
use crate::error::ProcessorError;
use crate::failpoint::Verb;
use crate::land::{Landed, Work};
use crate::redrive::{Mending, lasting};
use crate::restate;
use crate::source::{self, Stock};
use crate::steps::books::Run;
use crate::steps::decide::{Again, Decided, Rules};
use crate::steps::decode::{Decoded, decode_again};
use crate::telemetry::{self, Laps};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use tallymark_catalog::{Advance, Job, LedgerRow, Origin};
use tallymark_ledger::{Account, Interval, IntervalSet, Restatement, Tally};
use tallymark_log::ReadLimit;
use tallymark_model::{CommitId, Outcome, Position, ProjectId};

/// Refusals in a row until the job gives up.
const REFUSALS_MAX: u32 = 5;
/// Rounds of adding records that have to be decided again; each adds all that the round before asked for.
const ROUNDS_MAX: usize = 16;

pub(crate) struct Replay {
    job: i64,
    dry_run: bool,
    /// None: everything that is skipped.
    asked: Option<IntervalSet>,
    /// A dry run changes nothing in the books, so it notes itself where it was.
    looked_at: IntervalSet,
    left: IntervalSet,
    total: u64,
    replayed: u64,
    outcomes: Outcomes,
    lost: u64,
    ranges: IntervalSet,
    refusals: u32,
    /// A chunk of this shard has to end before this control record.
    before: Option<Position>,
    /// Who leans on whom, behind the skipped ranges.
    history: History,
    began: Instant,
}

/// A part of one skipped row that this chunk covers.
struct Piece {
    run: Run,
    was: Account,
}

impl Replay {
    pub(crate) async fn open(
        committer: &mut Committer,
        job: &Job,
    ) -> Result<Result<Replay, String>, ProcessorError> {
        let partitions = committer.deps.log.partitions();
        let asked = spec::parse::<ReplaySpec>(&job.spec).and_then(|s| spec::ranges(&s.ranges, partitions));
        let asked = match asked {
            Ok(asked) => Some(asked).filter(|a| !a.is_empty()),
            Err(why) => return Ok(Err(why)),
        };
        let mut replay = Replay {
            job: job.id,
            dry_run: job.dry_run,
            asked,
            looked_at: IntervalSet::new(),
            left: IntervalSet::new(),
            total: job.progress.total,
            replayed: 0,
            outcomes: Outcomes::default(),
            lost: 0,
            ranges: IntervalSet::new(),
            refusals: 0,
            before: None,
            history: History::new(IntervalSet::new()),
            began: Instant::now(),
        };
        if replay.open_rows(committer).await?.is_some() {
            replay.total = replay.total.max(replay.left.len());
        }
        Ok(Ok(replay))
    }

    /// The history covers everything behind what is left; a skip that lands while the job runs may add to that.
    fn widen_history(&mut self) {
        if !self.left.iter().all(|i| self.history.covers(i)) {
            let behind = |i: Interval| Interval { to: Position::OFFSET_MAX, ..i };
            self.history = History::new(self.left.iter().map(behind).collect());
        }
    }

    /// The skipped rows that are asked for and not done, oldest first per shard. None: asked to stop.
    async fn open_rows(
        &mut self,
        committer: &mut Committer,
    ) -> Result<Option<Vec<LedgerRow>>, ProcessorError> {
        let catalog = committer.deps.catalog.clone();
        let Some(rows) = committer.patiently("skipped", || catalog.skipped()).await? else { return Ok(None) };
        let mut open = Vec::new();
        self.left = IntervalSet::new();
        for row in rows {
            let whole = IntervalSet::from_iter([row.interval]);
            let wanted = self.asked.as_ref().map_or_else(|| whole.clone(), |asked| whole.intersect(asked));
            for interval in wanted.subtract(&self.looked_at).iter() {
                self.left.insert(interval);
                open.push(LedgerRow { interval, ..row.clone() });
            }
        }
        Ok(Some(open))
    }

    pub(crate) async fn step(
        &mut self,
        committer: &mut Committer,
        limit: ReadLimit,
    ) -> Result<Stepped, ProcessorError> {
        let Some(rows) = self.open_rows(committer).await? else { return Ok(Stepped::Stopped) };
        self.widen_history();
        if rows.is_empty() {
            return Ok(Stepped::Done);
        }
        let (pieces, records) = match self.read(committer, rows, limit).await? {
            Ok(read) => read,
            Err(why) => return Ok(Stepped::Failed(why)),
        };
        let id = CommitId(uuid::Uuid::now_v7());
        let runs: Vec<Run> = pieces.iter().map(|p| p.run.clone()).collect();
        let fresh: Vec<Interval> = runs.iter().map(|r| r.interval).collect();
        let again = match committer.mending(&records, &fresh).await? {
            Mending::Again(again) => again,
            Mending::Stopped => return Ok(Stepped::Stopped),
            Mending::Split(at) => {
                // The next chunk ends before it.
                self.before = Some(at);
                return Ok(Stepped::Chunk(0));
            }
        };
        let Some(rules) = committer.rules(&records, &again).await? else { return Ok(Stepped::Stopped) };
        let Some(decided) = self.settle(committer, id, records, again, rules).await? else {
            return Ok(Stepped::Stopped);
        };
        let mut restate: Vec<Restatement> = decided
            .books
            .advances(&runs)
            .into_iter()
            .zip(pieces)
            .map(|(now, p)| restated(now, p.was))
            .collect();
        if self.dry_run {
            self.before = None;
            return Ok(Stepped::Chunk(self.count(&restate)));
        }
        let replayed = restate.len();
        let Some(others) = restate::by_row(committer, &decided.changes).await? else {
            return Ok(Stepped::Stopped);
        };
        restate.extend(others);
        let others = restate[replayed..].iter().map(|r| r.interval);
        let work = Work {
            id,
            origin: Origin::Replay { job: self.job },
            verb: Some(Verb::Replay),
            rows: decided.rows,
            sources: runs.iter().filter(|r| r.lost.is_none()).map(|r| r.interval).chain(others).collect(),
            advances: Vec::new(),
            restate: restate.clone(),
            masks: restate::masks(&decided.changes),
            delta: decided.delta,
        };
        match committer.land(work, &mut Laps::start()).await? {
            Landed::Committed(..) => {
                self.refusals = 0;
                self.before = None;
                committer.checkpoint_if_due().await?;
                Ok(Stepped::Chunk(self.count(&restate[..replayed])))
            }
            Landed::Unstorable(positions) => {
                committer.unstorable.extend(positions);
                Ok(Stepped::Chunk(0))
            }
            Landed::Refused(answer) if self.refusals < REFUSALS_MAX => {
                tracing::warn!(?answer, "a chunk of the replay was refused; asking the books again");
                telemetry::retried("replay refused");
                self.refusals += 1;
                Ok(Stepped::Chunk(0))
            }
            Landed::Refused(answer) => Ok(Stepped::Failed(format!("the catalog refuses it: {answer:?}"))),
            Landed::Stopped => Ok(Stepped::Stopped),
        }
    }

    /// Decides; later copies that were processed first give their place back to the originals, together with the
    /// duplicates that lean on them. None: asked to stop.
    async fn settle(
        &mut self,
        committer: &mut Committer,
        id: CommitId,
        records: Vec<Decoded>,
        mut again: Vec<Again>,
        mut rules: Rules,
    ) -> Result<Option<Decided>, ProcessorError> {
        let mut known: BTreeSet<Position> = again.iter().map(|a| a.record.position).collect();
        for _ in 0..ROUNDS_MAX {
            let (records, more) = (records.clone(), again.clone());
            let Some(mut decided) = committer.decide(id, records, more, rules.clone()).await? else {
                return Ok(None);
            };
            only_changes(&mut decided, &known);
            if self.dry_run || (decided.overtaken.is_empty() && decided.orphaned.is_empty()) {
                return Ok(Some(decided));
            }
            // Rare: only now is it worth knowing who leans on whom.
            loop {
                match self.history.follow(committer).await? {
                    None => return Ok(None),
                    Some(true) => break,
                    Some(false) => {}
                }
            }
            let of_record: BTreeMap<Position, ProjectId> =
                decided.delta.exceptions.iter().map(|e| (e.position, e.project)).collect();
            let mut missing = Vec::new();
            for (record, witness) in &decided.overtaken {
                let Some(project) = of_record.get(record) else { continue };
                // Its row may have been removed from its file; then it has no place to give back.
                if self.history.erased().contains(*witness) {
                    continue;
                }
                if known.insert(*witness) {
                    let restated = self.history.mended();
                    missing.extend(held(committer, *witness, *project, Outcome::Visible, restated).await?);
                }
                rules.yielding.insert(*witness);
            }
            let left = decided.orphaned.iter().map(|o| o.witness).chain(rules.yielding.iter().copied());
            let leaning: Vec<Dependent> =
                left.flat_map(|witness| self.history.dependents(witness)).cloned().collect();
            for dependent in leaning {
                if known.insert(dependent.position) {
                    missing.extend(orphan(committer, dependent, self.history.mended()).await?);
                }
            }
            if missing.is_empty() {
                return Ok(Some(decided));
            }
            again.extend(missing);
        }
        Err(ProcessorError::Panicked {
            step: "replay",
            message: "duplicates keep losing their witnesses".to_owned(),
        })
    }

    /// The next chunk: a share of every shard that has something, so that records meet as they would have.
    async fn read(
        &mut self,
        committer: &Committer,
        rows: Vec<LedgerRow>,
        limit: ReadLimit,
    ) -> Result<Result<(Vec<Piece>, Vec<Decoded>), String>, ProcessorError> {
        let mut first: Vec<LedgerRow> = Vec::new();
        for row in rows {
            if first.iter().all(|r| r.interval.shard != row.interval.shard) {
                first.push(row);
            }
        }
        let share = ReadLimit {
            records: (limit.records / first.len()).max(1),
            bytes: (limit.bytes / first.len()).max(1),
        };
        let (mut pieces, mut records) = (Vec::new(), Vec::new());
        for mut row in first {
            if let Some(at) =
                self.before.filter(|at| row.interval.contains(*at) && row.interval.from < at.offset)
            {
                row.interval.to = at.offset;
            }
            let stock = source::read(&committer.deps, row.interval, share).await?;
            if let Some((gone, cause, evidence)) =
                stock.gone.iter().find(|(_, cause, _)| committer.config.on_gap(*cause) == OnGap::Stop)
            {
                return Ok(Err(format!(
                    "{gone} cannot be read ({cause:?}: {evidence}); restore the log or the archive, or declare it lost"
                )));
            }
            pieces.extend(cut(&row, &stock));
            records.extend(stock.records);
        }
        // A dead letter that was mended after it was skipped is decided with its mended bytes at once.
        let mended = &committer.state()?.controls().mended;
        let mended = lasting(&committer.deps, &records, mended, &IntervalSet::new()).await?;
        let decode = committer.deps.decode;
        let records = aside("decode", move || decode_again(records, &mended, decode)).await?;
        Ok(Ok((pieces, records)))
    }

    /// Adds a chunk to what will be reported; the number of its records.
    fn count(&mut self, restate: &[Restatement]) -> u64 {
        let mut units = 0;
        for r in restate {
            units += r.interval.len();
            self.left.remove(r.interval);
            self.ranges.insert(r.interval);
            if self.dry_run {
                self.looked_at.insert(r.interval);
            }
            match &r.now {
                Account::Accounted { tally, .. } => {
                    self.replayed += tally.total();
                    self.outcomes.add(*tally, &r.now_parts);
                }
                Account::Lost { .. } | Account::Skipped { .. } => self.lost += r.interval.len(),
            }
        }
        units
    }

    pub(crate) fn left(&self) -> Left {
        let mut left = Left { total: self.total.max(self.left.len()), ..Left::default() };
        for range in self.left.iter() {
            *left.by_shard.entry(range.shard).or_default() += range.len();
        }
        left
    }

    pub(crate) fn report(&self) -> Value {
        let seconds = self.began.elapsed().as_secs_f64();
        json!({
            "replayed": self.replayed,
            "outcomes": self.outcomes.whole,
            "projects": self.outcomes.projects_json(),
            "lost": self.lost,
            "left": self.left.len(),
            "ranges": self.ranges.iter().collect::<Vec<_>>(),
            "seconds": seconds,
            "rate": if seconds > 0.0 { self.replayed as f64 / seconds } else { 0.0 },
        })
    }
}

/// A stretch of a skipped row, cut where the log cannot give records.
fn cut(row: &LedgerRow, stock: &Stock) -> Vec<Piece> {
    let shard = row.interval.shard;
    let whole = Interval { to: stock.to, ..row.interval };
    let gone: IntervalSet = stock.gone.iter().map(|(interval, ..)| *interval).collect();
    let mut pieces: Vec<Piece> = Vec::new();
    for interval in gone.gaps(whole) {
        let inside = |p: &Position| interval.contains(*p);
        let received =
            || stock.records.iter().filter(|(p, _)| inside(p)).map(|(_, r)| source::received_at(r));
        let run = Run {
            interval,
            received_from: received().min().unwrap_or(row.received_from),
            received_to: received().max().unwrap_or(row.received_to),
            holes: stock.holes_in(interval),
            lost: None,
        };
        pieces.push(Piece { run, was: row.account.clone() });
    }
    for (interval, cause, evidence) in &stock.gone {
        telemetry::gap(shard, interval.len(), *cause);
        tracing::error!(range = %interval, ?cause, evidence, "skipped records are gone; booked as lost");
        let run = Run {
            interval: *interval,
            received_from: row.received_from,
            received_to: row.received_to,
            holes: 0,
            lost: Some((*cause, evidence.clone())),
        };
        pieces.push(Piece { run, was: row.account.clone() });
    }
    pieces
}

/// What the books will say instead.
fn restated(now: Advance, was: Account) -> Restatement {
    let interval = now.interval();
    let mut now_parts = now.projects;
    if let Account::Accounted { tally, .. } = &now.account {
        let given = now_parts.iter().fold(Tally::default(), |sum, (_, part, _)| sum + *part);
        // Holes belong to nobody; a restatement names every record.
        let rest = tally.hole - given.hole;
        if rest > 0 {
            match now_parts.iter_mut().find(|(project, ..)| *project == ProjectId::UNKNOWN) {
                Some((_, part, _)) => part.hole += rest,
                None => {
                    let part = Tally { hole: rest, ..Tally::default() };
                    now_parts.push((ProjectId::UNKNOWN, part, Default::default()));
                }
            }
        }
    }
    Restatement {
        interval,
        was,
        was_parts: Vec::new(),
        now: now.account,
        now_parts,
        received_from: now.received_from,
        received_to: now.received_to,
    }
}
