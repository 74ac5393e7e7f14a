//! Events on their way: how far each shard is, what waits, whose it is, how fast the log grows.
//!
//! Guarantees: what waits is read from the log itself; at most [`SAMPLE`] records per shard and look.

use std::collections::{BTreeMap, HashMap};
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{Cursor, Project, Settings, Snapshots};
use tallymark_ledger::Account;
use tallymark_log::file::FileLogReader;
use tallymark_log::{Item, LogReader, LogTerms, ReadLimit};
use tallymark_model::{Lane, Millis, Position, ProjectId, ProjectToken, Record, Shard};
use tallymark_monitor::facts::{LossStatement, ProjectFacts, ShardFacts, Share};

/// Records of a shard's backlog that are looked at.
const SAMPLE: usize = 2_000;
/// What arrived so lately may still be on its way without anything being wrong.
const SETTLING_MS: Millis = 15_000;
/// Shares below this are nobody's fault.
const SHARE_MIN: f64 = 0.05;

/// What was seen.
pub struct Seen {
    pub shards: Vec<ShardFacts>,
    pub projects: Vec<ProjectFacts>,
    pub loss: Option<LossStatement>,
    pub log_bytes_per_s: Option<f64>,
}

/// What is remembered between looks.
#[derive(Default)]
pub struct Flow {
    owners: HashMap<ProjectToken, ProjectId>,
}

/// A shard's backlog as far as it was read.
#[derive(Default)]
struct Waiting {
    oldest: Option<Millis>,
    by_project: BTreeMap<ProjectId, (u64, Millis)>,
    by_key: HashMap<(ProjectId, String), u64>,
    read: u64,
}

impl Flow {
    pub async fn observe(
        &mut self,
        log: &FileLogReader,
        cursors: Option<&[Cursor]>,
        catalog: Option<&SqliteCatalog>,
        now: Millis,
    ) -> Result<Seen, String> {
        let known: HashMap<Shard, &Cursor> = cursors.into_iter().flatten().map(|c| (c.shard, c)).collect();
        let (mut shards, mut waiting) = (Vec::new(), Vec::new());
        for shard in all_shards(log.partitions()) {
            let bounds = log.bounds(shard).await.map_err(|e| e.to_string())?;
            // Without a catalog nobody knows how far processing is; the log's end makes no false backlog.
            let cursor = match cursors {
                Some(_) => known.get(&shard).map_or(0, |c| c.position),
                None => bounds.end,
            };
            let here = self.waiting(log, shard, cursor.max(bounds.start), bounds.end, catalog).await?;
            let mut facts = plain(shard, bounds.start, bounds.end, cursor);
            facts.oldest_pending = here.oldest;
            facts.backlog_shares = here.shares();
            shards.push(facts);
            waiting.push(here);
        }
        let terms = LogTerms { retention_ms: 0, archive: false };
        let at = |s: &ShardFacts| position(s.shard, s.cursor);
        let contract = log.contract(&terms, &shards.iter().map(at).collect::<Vec<_>>()).await;
        let contract = contract.map_err(|e| e.to_string())?;
        for shard in &mut shards {
            shard.log_bytes = contract.log_bytes;
        }
        let projects = match catalog {
            Some(catalog) => catalog.projects().await.map_err(|e| e.to_string())?,
            None => Vec::new(),
        };
        let customers = projects.iter().filter(|p| p.name != tallymark_api::CANARY_PROJECT);
        let projects = customers.map(|p| freshness(p, &shards, &waiting, &known, now)).collect();
        let loss = match (catalog, cursors) {
            (Some(catalog), Some(_)) => loss(catalog, &shards, now).await,
            _ => None,
        };
        Ok(Seen { shards, projects, loss, log_bytes_per_s: contract.written_bytes_per_s })
    }

    async fn waiting(
        &mut self,
        log: &FileLogReader,
        shard: Shard,
        from: u64,
        end: u64,
        catalog: Option<&SqliteCatalog>,
    ) -> Result<Waiting, String> {
        let mut waiting = Waiting::default();
        if from >= end {
            return Ok(waiting);
        }
        let limit = ReadLimit { records: SAMPLE, bytes: 1 << 20 };
        let items = log.read(position(shard, from), limit).await.map_err(|e| e.to_string())?;
        for item in items {
            let Item::Records(records) = item else { continue };
            for (_, record) in records {
                waiting.read += 1;
                let Record::Event(event) = record else { continue };
                waiting.oldest.get_or_insert(event.received_at);
                let project = self.owner(event.token, catalog).await;
                let (count, oldest) = waiting.by_project.entry(project).or_insert((0, event.received_at));
                *count += 1;
                *oldest = event.received_at.min(*oldest);
                *waiting.by_key.entry((project, event.key)).or_default() += 1;
            }
        }
        Ok(waiting)
    }

    async fn owner(&mut self, token: ProjectToken, catalog: Option<&SqliteCatalog>) -> ProjectId {
        if let Some(known) = self.owners.get(&token) {
            return *known;
        }
        let Some(catalog) = catalog else { return ProjectId::UNKNOWN };
        match catalog.resolve(token).await {
            Ok(Some((project, _))) => {
                self.owners.insert(token, project);
                project
            }
            _ => ProjectId::UNKNOWN,
        }
    }
}

impl Waiting {
    fn shares(&self) -> Vec<Share> {
        let part = |n: u64| n as f64 / self.read.max(1) as f64;
        let projects =
            self.by_project.iter().map(|(p, (n, _))| Share { project: Some(*p), key: None, share: part(*n) });
        let keys = self.by_key.iter().map(|((p, key), n)| Share {
            project: Some(*p),
            key: Some(key.clone()),
            share: part(*n),
        });
        projects.chain(keys).filter(|s| s.share >= SHARE_MIN).collect()
    }
}

/// A project is as fresh as the slowest shard that holds something of it; a shard whose backlog was not read to its
/// end may hold something of everybody.
fn freshness(
    project: &Project,
    shards: &[ShardFacts],
    waiting: &[Waiting],
    cursors: &HashMap<Shard, &Cursor>,
    now: Millis,
) -> ProjectFacts {
    let (mut watermark, mut pending, mut oldest) = (now, Some(0), None::<Millis>);
    for (shard, waiting) in shards.iter().zip(waiting) {
        if let Some((count, at)) = waiting.by_project.get(&project.id) {
            pending = pending.map(|n| n + count);
            oldest = Some(oldest.map_or(*at, |o| o.min(*at)));
            watermark = watermark.min(*at);
        }
        if shard.pending() > waiting.read {
            pending = None;
            let received = cursors.get(&shard.shard).map_or(0, |c| c.received_to);
            watermark = watermark.min(waiting.oldest.unwrap_or(received).max(received));
        }
    }
    ProjectFacts {
        project: project.id,
        name: project.name.clone(),
        watermark,
        pending,
        oldest_pending: oldest,
    }
}

/// What the books say about everything acknowledged until a moment ago. Shards whose oldest waiting record is
/// younger than that have accounted for all of it.
async fn loss(catalog: &SqliteCatalog, shards: &[ShardFacts], now: Millis) -> Option<LossStatement> {
    let as_of = now - SETTLING_MS;
    let anomalies = catalog.anomalies().await.ok()?;
    let sum = |wanted: fn(&Account) -> bool| -> u64 {
        anomalies.iter().filter(|r| wanted(&r.account)).map(|r| r.interval.len()).sum()
    };
    let skipped = sum(|a| matches!(a, Account::Skipped { .. }));
    let lost = sum(|a| matches!(a, Account::Lost { .. }));
    let (mut acknowledged, mut accounted, mut oldest) = (0, 0, None::<Millis>);
    for shard in shards {
        accounted += shard.cursor.min(shard.log_end);
        let late = shard.pending() > 0 && shard.oldest_pending.is_none_or(|at| at < as_of);
        acknowledged += if late { shard.log_end } else { shard.cursor };
        if late {
            let at = shard.oldest_pending.unwrap_or(as_of);
            oldest = Some(oldest.map_or(at, |o| o.min(at)));
        }
    }
    let waiting = anomalies.iter().filter(|r| matches!(r.account, Account::Skipped { .. }));
    let oldest = waiting.map(|r| r.received_from).chain(oldest).min();
    Some(LossStatement {
        as_of,
        read_at: now,
        acknowledged,
        accounted: accounted.saturating_sub(skipped + lost),
        lost,
        oldest_unaccounted: oldest,
    })
}

fn plain(shard: Shard, log_start: u64, log_end: u64, cursor: u64) -> ShardFacts {
    ShardFacts {
        shard,
        log_start,
        log_end,
        cursor,
        oldest_pending: None,
        newest: None,
        drain_per_s: None,
        arrival_per_s: None,
        backlog_shares: Vec::new(),
        retention_ms: None,
        retention_bytes: None,
        log_bytes: 0,
        needs_permit: true,
    }
}

fn all_shards(partitions: u16) -> impl Iterator<Item = Shard> {
    Lane::ALL
        .into_iter()
        .flat_map(move |lane| (0..partitions).map(move |partition| Shard { lane, partition }))
}

fn position(shard: Shard, offset: u64) -> Position {
    Position { lane: shard.lane, partition: shard.partition, offset }
}
