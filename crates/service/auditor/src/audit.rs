//! One round after the other: what is new, what stands, what was not looked at for longest.

use crate::check::books::{LogEnds, check_books};
use crate::check::commit::{check_advance, check_restatement, check_row};
use crate::conflicts;
use crate::error::Result;
use crate::objects;
use crate::pass::{Pass, Step};
use crate::read::{RowCache, aside, books, delta, duplicates, exceptions, log_range, positions};
use crate::tracker::Tracker;
use crate::{AuditorConfig, Catalog, Deps, Fault, FindingKind, FindingSink, Progress};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tallymark_catalog::{CommitRecord, Snapshot};
use tallymark_ledger::{Account, Interval, SegmentKind};
use tallymark_model::{CommitSeq, Lane, Millis, Position, Shard};
use tallymark_state::Delta;

/// Commits read from the feed at a time.
const PAGE: usize = 200;
/// Prefix of all deltas.
const DELTAS: &str = "deltas";
/// Deltas that are remembered, so that one that vanishes is noticed at once.
const DELTAS_MAX: usize = 1_000_000;

/// The state of the auditor; tests drive it round by round.
pub struct Auditor {
    config: AuditorConfig,
    deps: Deps,
    tracker: Tracker,
    progress: Progress,
    /// Commits up to here were read from the feed.
    fed: Option<CommitSeq>,
    /// Not compared yet, the newest at the end.
    news: Vec<CommitRecord>,
    /// Old commits are compared downwards from here.
    sweep: CommitSeq,
    swept: Option<Instant>,
    books_at: Option<Instant>,
    /// How long that took: it is done the more seldom the longer it takes.
    booking: Duration,
    /// Deltas of the commits that were compared, which should all be there.
    deltas: BTreeMap<String, CommitSeq>,
    /// Commits whose duplicates were compared with their originals.
    compared: BTreeSet<CommitSeq>,
    deltas_at: Option<Instant>,
    /// How long listing them took: it is done the more seldom the longer it takes.
    listing: Duration,
    /// Positions of rows that were looked up lately.
    rows: RowCache,
    pass: Option<Pass>,
    passed: Option<Instant>,
    /// Working time that reading in turns may still take.
    credit: Duration,
    credited: Instant,
}

impl Auditor {
    /// Takes over what an earlier life reported.
    pub async fn open(config: AuditorConfig, deps: Deps, sink: Arc<dyn FindingSink>) -> Result<Auditor> {
        Ok(Auditor {
            config,
            deps,
            tracker: Tracker::open(sink).await?,
            progress: Progress::default(),
            fed: None,
            news: Vec::new(),
            sweep: CommitSeq(0),
            swept: None,
            books_at: None,
            booking: Duration::ZERO,
            deltas: BTreeMap::new(),
            compared: BTreeSet::new(),
            deltas_at: None,
            listing: Duration::ZERO,
            rows: RowCache::default(),
            pass: None,
            passed: None,
            credit: Duration::ZERO,
            credited: Instant::now(),
        })
    }

    /// How far it is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// One round.
    pub async fn round(&mut self) -> Result<()> {
        self.listen().await?;
        self.read_news().await?;
        let pause = self.config.books.max(self.rest_after(self.booking));
        if self.books_at.is_none_or(|at| at.elapsed() >= pause) {
            let began = Instant::now();
            self.books().await?;
            self.booking = began.elapsed();
            self.again().await?;
            self.missing_deltas().await?;
            self.books_at = Some(Instant::now());
        }
        self.in_turns().await?;
        self.tracker.settle("catalog", Vec::new(), None).await?;
        self.progress.rounds += 1;
        self.progress.waiting = self.news.len() as u64;
        self.progress.open = self.tracker.len() as u64;
        let alive = self.tracker.sink().heartbeat(&self.progress).await;
        alive.map_err(crate::AuditError::Sink)
    }

    /// Looks at everything once, however long it takes.
    pub async fn everything(&mut self) -> Result<()> {
        self.round().await?;
        while let Some(commit) = self.news.pop() {
            self.commit(&commit).await?;
        }
        while self.sweep_one().await? {}
        loop {
            if self.pass_one().await? {
                return Ok(());
            }
        }
    }

    /// Fetches the commits since the last round.
    async fn listen(&mut self) -> Result<()> {
        let latest = self.deps.catalog.latest_seq().await?;
        // A catalog that was restored to an earlier moment starts a new history.
        let start = CommitSeq(latest.0.saturating_sub(self.config.first));
        let mut fed = self.fed.filter(|fed| *fed <= latest).unwrap_or(start);
        if self.fed.is_none() {
            self.sweep = start;
        }
        while fed < latest {
            let page = self.deps.catalog.feed(fed, PAGE).await?;
            let Some(last) = page.last() else { break };
            fed = last.seq;
            self.news.extend(page);
        }
        self.fed = Some(fed);
        Ok(())
    }

    async fn read_news(&mut self) -> Result<()> {
        let began = Instant::now();
        while let Some(commit) = self.news.pop() {
            self.commit(&commit).await?;
            if began.elapsed() > self.config.news {
                break;
            }
        }
        Ok(())
    }

    /// The books as a whole, and the presence of every file.
    async fn books(&mut self) -> Result<()> {
        let catalog = Arc::clone(&self.deps.catalog);
        let bound = catalog.log_id().await?;
        let Some(books) = books(&self.deps).await? else { return Ok(()) };
        // The log after the books: it only grows, and a trim needs what the books say now.
        let log = self.log_ends().await?;
        self.progress.books += 1;
        let mut by_scope: BTreeMap<&str, Vec<Fault>> = BTreeMap::new();
        for scope in ["skipped", "lost", "log", "books"] {
            by_scope.insert(scope, Vec::new());
        }
        for mut fault in check_books(&books, bound, &log) {
            let scope = match fault.kind {
                FindingKind::Skipped => "skipped",
                FindingKind::Lost => "lost",
                FindingKind::LogMismatch => "log",
                _ => "books",
            };
            self.name_senders(&mut fault).await?;
            by_scope.entry(scope).or_default().push(fault);
        }
        for (scope, faults) in by_scope {
            self.tracker.settle(scope, faults, Some(catalog.as_ref())).await?;
        }
        let (live, mut missing) = objects::missing(&self.deps).await?;
        for scope in self.tracker.scopes("segment") {
            let id = scope.trim_start_matches("segment/");
            let known = live.values().find(|(s, _)| s.id.to_string() == id);
            // One that is live and where it should be may still be damaged: the next full reading tells.
            let gone = known.is_none();
            if gone || known.is_some_and(|(s, _)| missing.contains_key(&s.id)) {
                let fault = known.and_then(|(s, _)| missing.remove(&s.id));
                self.tracker.settle(&scope, fault.into_iter().collect(), Some(catalog.as_ref())).await?;
            } else if let Some((segment, _)) = known {
                let (store, meta) = (self.deps.store.clone(), segment.clone());
                let fault = aside(move || tallymark_store::verify_segment(&store, &meta).err()).await?;
                let fault = fault.map(|e| objects::fault_of(segment, &e));
                self.tracker.settle(&scope, fault.into_iter().collect(), Some(catalog.as_ref())).await?;
            }
        }
        for (id, fault) in missing {
            self.tracker.settle(&format!("segment/{id}"), vec![fault], Some(catalog.as_ref())).await?;
        }
        Ok(())
    }

    /// Whose records are in a range that has no outcome: only the log knows.
    async fn name_senders(&self, fault: &mut Fault) -> Result<()> {
        const LOOKED_AT: u64 = 50_000;
        let Some(interval) =
            fault.interval.filter(|_| matches!(fault.kind, FindingKind::Skipped | FindingKind::Hole))
        else {
            return Ok(());
        };
        let to = interval.to.min(interval.from.saturating_add(LOOKED_AT));
        let facts = log_range(&self.deps, Interval { to, ..interval }).await?;
        fault.tokens.extend(facts.events().filter_map(|e| e.token));
        Ok(())
    }

    /// Pause after which work of this length takes no more than its share of the time.
    fn rest_after(&self, work: Duration) -> Duration {
        work.mul_f64(1.0 / self.config.share.max(0.01))
    }

    async fn log_ends(&self) -> Result<LogEnds> {
        let log = &self.deps.log;
        let mut bounds = BTreeMap::new();
        for lane in Lane::ALL {
            for partition in 0..log.partitions() {
                let shard = Shard { lane, partition };
                let found = log.bounds(shard).await?;
                bounds.insert(shard, (found.start, found.end));
            }
        }
        Ok(LogEnds { id: log.id(), bounds })
    }

    /// Commits with findings are compared again, so that what was mended is resolved soon.
    async fn again(&mut self) -> Result<()> {
        let scopes = self.tracker.scopes("commit").into_iter().chain(self.tracker.scopes("delta"));
        for scope in scopes.collect::<Vec<_>>() {
            let Some(seq) = scope.split('/').nth(1).and_then(|seq| seq.parse::<u64>().ok()) else { continue };
            let found = self.deps.catalog.feed(CommitSeq(seq.saturating_sub(1)), 1).await?;
            match found.into_iter().find(|c| c.seq.0 == seq) {
                Some(commit) => self.commit(&commit).await?,
                None => self.tracker.settle(&scope, Vec::new(), None).await?,
            }
        }
        Ok(())
    }

    /// Deltas that were there and are not any more; reading them all again takes its turn, this is quick.
    async fn missing_deltas(&mut self) -> Result<()> {
        let pause = self.rest_after(self.listing);
        if self.deltas_at.is_some_and(|at| at.elapsed() < pause) {
            return Ok(());
        }
        let began = Instant::now();
        let listed: BTreeSet<String> =
            self.deps.store.list(DELTAS).await?.into_iter().map(|object| object.key).collect();
        let gone: Vec<CommitSeq> =
            self.deltas.iter().filter(|(key, _)| !listed.contains(*key)).map(|(_, seq)| *seq).collect();
        for seq in gone {
            let found = self.deps.catalog.feed(CommitSeq(seq.0.saturating_sub(1)), 1).await?;
            if let Some(commit) = found.iter().find(|c| c.seq == seq) {
                self.commit(commit).await?;
            }
        }
        self.listing = began.elapsed();
        self.deltas_at = Some(Instant::now());
        Ok(())
    }

    /// Reads files and old commits, a little at a time.
    async fn in_turns(&mut self) -> Result<()> {
        self.credit += self.credited.elapsed().mul_f64(self.config.share.clamp(0.0, 1.0));
        self.credit = self.credit.min(Duration::from_secs(2));
        self.credited = Instant::now();
        loop {
            let began = Instant::now();
            let rested = |at: Option<Instant>| at.is_none_or(|at| at.elapsed() >= self.config.full);
            let (files, commits) = (self.pass.is_some() || rested(self.passed), rested(self.swept));
            if self.credit.is_zero() || !(files || commits) {
                return Ok(());
            }
            if files {
                self.pass_one().await?;
            }
            if commits {
                self.sweep_one().await?;
            }
            self.credit = self.credit.saturating_sub(began.elapsed());
        }
    }

    /// One more file; true when all were read.
    async fn pass_one(&mut self) -> Result<bool> {
        let mut pass = match self.pass.take() {
            Some(pass) => pass,
            None => match Pass::start(&self.deps, self.deps.log.id()).await? {
                Some(pass) => pass,
                None => return Ok(false),
            },
        };
        let catalog = Arc::clone(&self.deps.catalog);
        match pass.step(&self.deps).await? {
            Step::Segment(segment, fault) => {
                self.progress.segments += 1;
                let faults = fault.into_iter().map(|fault| *fault).collect();
                self.tracker.settle(&format!("segment/{segment}"), faults, Some(catalog.as_ref())).await?;
                self.pass = Some(pass);
                Ok(false)
            }
            Step::Stale => Ok(false),
            Step::Done(faults) => {
                if let Some(faults) = faults {
                    self.tracker.settle("rows", faults, Some(catalog.as_ref())).await?;
                }
                self.passed = Some(Instant::now());
                self.progress.files_read_at = Some(now());
                Ok(true)
            }
        }
    }

    /// One more old commit; false when all were compared, after which it starts again at the newest.
    async fn sweep_one(&mut self) -> Result<bool> {
        if self.sweep.0 == 0 {
            self.sweep = self.fed.unwrap_or_default();
            self.swept = Some(Instant::now());
            self.progress.commits_read_at = Some(now());
            return Ok(false);
        }
        let before = CommitSeq(self.sweep.0 - 1);
        let found = self.deps.catalog.feed(before, 1).await?;
        self.sweep = before;
        match found.first() {
            Some(commit) => self.commit(commit).await?,
            None => self.sweep = CommitSeq(0),
        }
        Ok(true)
    }

    /// Compares one commit with the log, its delta and, while they are there, its files.
    async fn commit(&mut self, commit: &CommitRecord) -> Result<()> {
        let catalog = Arc::clone(&self.deps.catalog);
        let scope = format!("delta/{}", commit.seq.0);
        if let Some(key) = commit.delta.clone().filter(|_| self.deltas.len() < DELTAS_MAX) {
            self.deltas.insert(key, commit.seq);
        }
        let delta = match delta(&self.deps, commit).await? {
            Ok(delta) => delta,
            Err((kind, why)) => {
                let fault = delta_fault(commit, kind, &why);
                self.tracker.settle(&scope, vec![fault], Some(catalog.as_ref())).await?;
                self.count(commit);
                return Ok(());
            }
        };
        self.tracker.settle(&scope, Vec::new(), None).await?;
        let rows = self.rows_of(commit).await?;
        let mut faults = Vec::new();
        for advance in &commit.advances {
            let interval = advance.interval();
            if !matches!(advance.account, Account::Accounted { .. }) {
                continue;
            }
            let facts = log_range(&self.deps, interval).await?;
            let excepted = exceptions(delta.as_ref(), interval);
            let inside = rows.as_ref().map(|rows| within(rows, interval));
            let found = check_advance(self.deps.log.id(), advance, &facts, &excepted, inside.as_deref());
            faults.extend(self.still_so(catalog.as_ref(), commit.seq, found).await?);
        }
        for restated in &commit.restated {
            let interval = restated.interval;
            let whole = !matches!(restated.was, Account::Accounted { .. });
            let facts = if whole { Some(log_range(&self.deps, interval).await?) } else { None };
            let excepted = exceptions(delta.as_ref(), interval);
            let inside = rows.as_ref().map(|rows| within(rows, interval));
            let log = self.deps.log.id();
            let found = check_restatement(log, restated, facts.as_ref(), &excepted, inside.as_deref());
            faults.extend(self.still_so(catalog.as_ref(), commit.seq, found).await?);
        }
        if let Some(delta) = &delta {
            faults.extend(self.witnesses(delta).await?);
            self.conflicts(commit, delta).await?;
        }
        self.tracker.settle(&format!("commit/{}", commit.seq.0), faults, Some(catalog.as_ref())).await?;
        self.count(commit);
        Ok(())
    }

    /// Tells conflicts among the duplicates of a commit, once in this life.
    async fn conflicts(&mut self, commit: &CommitRecord, delta: &Delta) -> Result<()> {
        if !self.compared.insert(commit.seq) {
            return Ok(());
        }
        let found = conflicts::conflicts(&self.deps, commit, delta).await?;
        if found.is_empty() {
            return Ok(());
        }
        let found: Vec<_> =
            found.into_iter().map(|((project, hour), count)| (project, hour, count)).collect();
        self.tracker.sink().conflicts(commit.seq, &found).await.map_err(crate::AuditError::Sink)
    }

    fn count(&mut self, commit: &CommitRecord) {
        self.progress.commits += 1;
        self.progress.audited = self.progress.audited.max(commit.seq);
    }

    /// Positions of the rows that a commit added, sorted; `None` if its files were merged away, or cannot be read
    /// (the reading of all files says so).
    async fn rows_of(&self, commit: &CommitRecord) -> Result<Option<Vec<Position>>> {
        let visible = |account: &Account| match account {
            Account::Accounted { tally, .. } => tally.visible,
            Account::Skipped { .. } | Account::Lost { .. } => 0,
        };
        let booked: u64 = commit.advances.iter().map(|a| visible(&a.account)).sum::<u64>()
            + commit.restated.iter().map(|r| visible(&r.now)).sum::<u64>();
        let files: Vec<_> = commit.added.iter().filter(|s| s.kind == SegmentKind::Events).cloned().collect();
        let known: u64 = files.iter().map(|s| s.rows).sum();
        if !commit.removed.is_empty() || known != booked {
            return Ok(None);
        }
        let mut rows = Vec::new();
        for segment in files {
            let store = self.deps.store.clone();
            match aside(move || positions(&store, &segment)).await? {
                Ok(found) => rows.extend(found),
                Err(_) => return Ok(None),
            }
        }
        rows.sort_unstable();
        Ok(Some(rows))
    }

    /// Drops faults that a later commit put right: where it restated the range, the row of the books around it is
    /// compared with the log instead.
    async fn still_so(
        &self,
        catalog: &dyn Catalog,
        seq: CommitSeq,
        faults: Vec<Fault>,
    ) -> Result<Vec<Fault>> {
        let mut stand = Vec::new();
        for fault in faults {
            let Some(interval) = fault.interval else {
                stand.push(fault);
                continue;
            };
            let (from, to) =
                fault.received.map_or((None, None), |(a, b)| (Some(a), Some(b.saturating_add(1))));
            let later = catalog.restatements(from, to, 10_000).await?;
            if !later.iter().any(|r| r.seq > seq && r.restatement.interval.overlaps(&interval)) {
                stand.push(fault);
                continue;
            }
            let rows = catalog.ledger(None, from, to).await?;
            let mut sound = true;
            for row in rows.iter().filter(|r| r.interval.overlaps(&interval)) {
                let facts = log_range(&self.deps, row.interval).await?;
                sound &= check_row(row, &facts).is_none_or(|found| found.is_empty());
            }
            if !sound {
                stand.push(fault);
            }
        }
        Ok(stand)
    }

    /// I5 of some duplicates: their originals have a row, or had one that was taken out on purpose.
    async fn witnesses(&mut self, delta: &Delta) -> Result<Vec<Fault>> {
        let all: Vec<_> = duplicates(delta).collect();
        let step = all.len().div_ceil(self.config.witnesses.max(1)).max(1);
        let mut snapshots = BTreeMap::new();
        let mut lost = Vec::new();
        for (position, witness, project) in all.into_iter().step_by(step) {
            let snapshot = match snapshots.entry(project) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(self.deps.catalog.snapshot(project, None).await?),
            };
            if self.is_visible(snapshot, witness).await? || self.was_restated(witness).await? {
                continue;
            }
            let text = format!("{position} is a duplicate of {witness}, which has no row");
            let at = Interval::new(position.shard(), position.offset, position.offset + 1);
            let mut fault = Fault::new(FindingKind::MissingWitness, text).at(at);
            fault.count = Some(1);
            fault.projects.insert(project);
            lost.push(fault);
        }
        Ok(lost)
    }

    async fn is_visible(&mut self, snapshot: &Snapshot, position: Position) -> Result<bool> {
        for segment in &snapshot.segments {
            let from_there = segment.sources.iter().any(|s| s.interval.contains(position));
            if segment.kind != SegmentKind::Events || !from_there {
                continue;
            }
            if snapshot.masked.get(&segment.id).is_some_and(|m| m.iter().any(|i| i.contains(position))) {
                continue;
            }
            match self.rows.of(&self.deps.store, segment).await? {
                Some(rows) if rows.binary_search(&position).is_ok() => return Ok(true),
                Some(_) => {}
                // Merged away meanwhile, or damaged, which is a finding of its own: nothing is known about this row.
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    async fn was_restated(&self, position: Position) -> Result<bool> {
        let history = self.deps.catalog.restatements(None, None, 100_000).await?;
        Ok(history.iter().any(|r| r.restatement.interval.contains(position)))
    }
}

fn within(rows: &[Position], interval: Interval) -> Vec<u64> {
    rows.iter().filter(|p| interval.contains(**p)).map(|p| p.offset).collect()
}

fn delta_fault(commit: &CommitRecord, kind: FindingKind, why: &str) -> Fault {
    let text = format!("the delta of commit {} cannot be read: {why}", commit.seq.0);
    let mut fault = Fault::new(kind, text);
    if let Some(advance) = commit.advances.first() {
        fault = fault.at(advance.interval());
    }
    let received = commit
        .advances
        .iter()
        .fold((Millis::MAX, Millis::MIN), |span, a| (span.0.min(a.received_from), span.1.max(a.received_to)));
    let count = commit.advances.iter().map(|a| a.interval().len()).sum();
    fault.projects.extend(commit.advances.iter().flat_map(|a| &a.projects).map(|(project, ..)| *project));
    fault.of(count, received)
}

/// Wall clock, ms UTC: for people only.
fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis)
}
