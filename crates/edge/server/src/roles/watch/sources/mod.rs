//! Who sends what: listens to the log, and keeps what was heard of every source.
//!
//! Guarantees: read from the log itself, from where the last watch ended; at most [`READ_MAX`] records per shard and
//! look, of more a part that is spread over all of it is counted for all; at most [`SOURCES_MAX`] sources, and nobody
//! without a valid key is one, so strangers cannot crowd out customers.
//! Deliberately not here: what is usual (`monitor::sources`), what to think of it (`monitor::checks`).

mod library;
mod owners;

use owners::Owners;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_log::file::FileLogReader;
use tallymark_log::{Item, LogReader, ReadLimit};
use tallymark_model::{Envelope, Lane, Millis, Position, ProjectToken, Record, Shard};
use tallymark_monitor::WatchStore;
use tallymark_monitor::checks::{SourceState, source_state};
use tallymark_monitor::config::Thresholds;
use tallymark_monitor::facts::{Source, SourceFacts};
use tallymark_monitor::sources::Heard;
use tallymark_monitor::store::{SourceChoice, SourceRow};

const READ_MAX: u64 = 5_000;
const READ_BYTES_MAX: usize = 4 << 20;
/// Parts of what arrived that are looked at, if it is too much.
const SPANS: u64 = 10;
const SOURCES_MAX: usize = 2_000;
/// Libraries of one key and protocol; more are one source without a name.
const LIBRARIES_MAX: usize = 20;
const MINUTE: Millis = 60_000;
/// A source that is silent for longer has ended.
const FORGOTTEN_AFTER: Millis = 30 * 24 * 60 * MINUTE;
/// Without an event for so long a source makes room for another, if there are too many.
const ROOM_AFTER: Millis = 60 * MINUTE;
/// So many changed sources are written at once in every round, more once a minute.
const WRITTEN_AT_ONCE: usize = 100;

/// What tells a source from others.
type Key = (ProjectToken, Lane, &'static str, Option<String>);

/// What is remembered of every source.
#[derive(Default)]
pub struct Sources {
    loaded: bool,
    next: HashMap<Shard, u64>,
    rows: BTreeMap<String, SourceRow>,
    libraries: HashMap<(ProjectToken, Lane, &'static str), BTreeSet<String>>,
    owners: Owners,
    changed: BTreeSet<String>,
    gone: BTreeSet<String>,
    written: Millis,
}

/// What a round needs to judge.
pub struct Judging<'a> {
    pub now: Millis,
    /// As `collecting_since` says.
    pub collecting: Option<Millis>,
    pub thresholds: &'a Thresholds,
}

impl Sources {
    /// Listens to what has arrived since the last look, and says how every source is.
    pub async fn look(
        &mut self,
        log: &FileLogReader,
        catalog: &SqliteCatalog,
        store: &WatchStore,
        judging: Judging<'_>,
    ) -> Result<Vec<SourceFacts>, String> {
        self.load(store).await?;
        let anew = self.owners.begin(catalog, judging.now).await?;
        for lane in Lane::ALL {
            for partition in 0..log.partitions() {
                self.listen(log, Shard { lane, partition }, catalog).await?;
            }
        }
        if anew {
            self.look_up(catalog).await?;
        }
        let choices = store.source_choices().await.map_err(|e| e.to_string())?;
        self.decided(&choices);
        self.forget(judging.now);
        let facts = self.judge(&choices, &judging);
        self.write(store, judging.now).await?;
        Ok(facts)
    }

    async fn load(&mut self, store: &WatchStore) -> Result<(), String> {
        if self.loaded {
            return Ok(());
        }
        let offsets = store.source_offsets().await.map_err(|e| e.to_string())?;
        for row in store.sources(None).await.map_err(|e| e.to_string())? {
            self.rows.insert(row.source.id.clone(), row);
        }
        for lane in Lane::ALL {
            for (name, next) in &offsets {
                let partition = name.strip_prefix(&format!("{lane}/")).and_then(|p| p.parse().ok());
                if let Some(partition) = partition {
                    self.next.insert(Shard { lane, partition }, *next);
                }
            }
        }
        self.loaded = true;
        Ok(())
    }

    /// The first time only the end of the log is heard.
    async fn listen(
        &mut self,
        log: &FileLogReader,
        shard: Shard,
        catalog: &SqliteCatalog,
    ) -> Result<(), String> {
        let bounds = log.bounds(shard).await.map_err(|e| e.to_string())?;
        let first = bounds.end.saturating_sub(READ_MAX);
        // A log that ends before what was heard is another one.
        let next = self.next.get(&shard).copied().filter(|next| *next <= bounds.end).unwrap_or(first);
        let next = next.max(bounds.start);
        let waiting = bounds.end.saturating_sub(next);
        let (spans, each) = if waiting > READ_MAX { (SPANS, READ_MAX / SPANS) } else { (1, READ_MAX) };
        for span in 0..spans {
            let (from, to) = (next + waiting * span / spans, next + waiting * (span + 1) / spans);
            let events = read(log, shard, from.max(to.saturating_sub(each)), to).await?;
            let stand_for = stand_for(to - from, each);
            for event in events {
                self.hear(&event, stand_for, catalog).await?;
            }
        }
        self.next.insert(shard, bounds.end);
        Ok(())
    }

    async fn hear(&mut self, event: &Envelope, events: u64, catalog: &SqliteCatalog) -> Result<(), String> {
        let Some(protocol) = library::protocol(event.wire) else { return Ok(()) };
        let Some((project, key_name)) = self.owners.of(event.token, catalog).await? else { return Ok(()) };
        let (library, version) = library::library(event).unzip();
        let version = version.flatten();
        let library = self.known_library((event.token, event.lane, protocol, library));
        let id = Source::id_of(event.token, event.lane, protocol, library.as_deref());
        if !self.rows.contains_key(&id)
            && self.rows.len() >= SOURCES_MAX
            && !self.make_room(event.received_at)
        {
            return Ok(());
        }
        let row = self.rows.entry(id.clone()).or_insert_with(|| SourceRow {
            source: Source {
                id: id.clone(),
                project,
                lane: event.lane,
                key: key_name,
                protocol: protocol.to_owned(),
                library,
                version: None,
            },
            token: event.token,
            heard: Heard::new(event.received_at),
            state: SourceState::Learning,
            silent_after: None,
            key_ended: false,
        });
        row.heard.hear(event.received_at, events);
        if version.is_some() {
            row.source.version = version;
        }
        self.gone.remove(&id);
        self.changed.insert(id);
        Ok(())
    }

    /// A client that makes up names does not become a hundred sources.
    fn known_library(&mut self, (token, lane, protocol, library): Key) -> Option<String> {
        let known = self.libraries.entry((token, lane, protocol)).or_default();
        let library = library?;
        if !known.contains(&library) {
            if known.len() >= LIBRARIES_MAX {
                return None;
            }
            known.insert(library.clone());
        }
        Some(library)
    }

    /// Forgets whoever has been silent longest; false if all send.
    fn make_room(&mut self, now: Millis) -> bool {
        let oldest = self.rows.values().min_by_key(|r| r.heard.last());
        let oldest = oldest.filter(|r| now - r.heard.last() >= ROOM_AFTER).map(|r| r.source.id.clone());
        oldest.is_some_and(|id| self.drop(&id))
    }

    /// Names of keys, and whether they are valid still.
    async fn look_up(&mut self, catalog: &SqliteCatalog) -> Result<(), String> {
        for (id, row) in &mut self.rows {
            let owner = self.owners.of(row.token, catalog).await?;
            let ended = owner.is_none();
            let name = owner.map_or_else(|| row.source.key.clone(), |(_, name)| name);
            if ended != row.key_ended || name != row.source.key {
                (row.key_ended, row.source.key) = (ended, name);
                self.changed.insert(id.clone());
            }
        }
        Ok(())
    }

    /// What ended is forgotten; what came after that begins anew.
    fn decided(&mut self, choices: &BTreeMap<String, SourceChoice>) {
        for (id, choice) in choices {
            let Some(ended_at) = choice.ended_at else { continue };
            let row = self.rows.get(id).cloned();
            self.drop(id);
            let Some(mut row) = row.filter(|row| row.heard.last() > ended_at) else { continue };
            row.heard = Heard::new(row.heard.last());
            row.silent_after = None;
            self.rows.insert(id.clone(), row);
        }
    }

    fn forget(&mut self, now: Millis) {
        let over = |r: &&SourceRow| now - r.heard.last() >= FORGOTTEN_AFTER;
        let ids: Vec<String> = self.rows.values().filter(over).map(|r| r.source.id.clone()).collect();
        for id in ids {
            self.drop(&id);
        }
    }

    fn drop(&mut self, id: &str) -> bool {
        self.changed.remove(id);
        self.gone.insert(id.to_owned());
        self.rows.remove(id).is_some()
    }

    fn judge(&mut self, choices: &BTreeMap<String, SourceChoice>, judging: &Judging<'_>) -> Vec<SourceFacts> {
        let Judging { now, collecting, thresholds } = *judging;
        let mut all = Vec::with_capacity(self.rows.len());
        for (id, row) in &mut self.rows {
            let watched = choices.get(id).is_none_or(|c| c.watched);
            let facts = row.facts(watched, now);
            let state = source_state(&facts, now, collecting, thresholds);
            let silent_after = (state == SourceState::Silent).then(|| row.heard.last());
            if state != row.state || silent_after != row.silent_after {
                (row.state, row.silent_after) = (state, silent_after);
                self.changed.insert(id.clone());
            }
            all.push(facts);
        }
        all
    }

    async fn write(&mut self, store: &WatchStore, now: Millis) -> Result<(), String> {
        let all = self.changed.len() + self.gone.len();
        if all == 0 || (all > WRITTEN_AT_ONCE && (0..MINUTE).contains(&(now - self.written))) {
            return Ok(());
        }
        let rows: Vec<&SourceRow> = self.changed.iter().filter_map(|id| self.rows.get(id)).collect();
        let gone: Vec<String> = self.gone.iter().cloned().collect();
        let offsets: Vec<(String, u64)> = self.next.iter().map(|(s, next)| (s.to_string(), *next)).collect();
        store.save_sources(&rows, &gone, &offsets).await.map_err(|e| e.to_string())?;
        self.changed.clear();
        self.gone.clear();
        self.written = now;
        Ok(())
    }
}

/// How many records each one of the last `each` of `all` is counted for.
fn stand_for(all: u64, each: u64) -> u64 {
    ((all + each / 2) / each).max(1)
}

async fn read(log: &FileLogReader, shard: Shard, from: u64, to: u64) -> Result<Vec<Envelope>, String> {
    let (mut next, mut events) = (from, Vec::new());
    while next < to {
        let limit = ReadLimit { records: (to - next) as usize, bytes: READ_BYTES_MAX };
        let at = Position { lane: shard.lane, partition: shard.partition, offset: next };
        let items = log.read(at, limit).await.map_err(|e| e.to_string())?;
        let before = next;
        for item in items {
            match item {
                Item::Records(records) => {
                    for (position, record) in records {
                        next = next.max(position.offset + 1);
                        if let Record::Event(event) = record {
                            events.push(event);
                        }
                    }
                }
                Item::Gap { to, .. } => next = next.max(to),
            }
        }
        if next == before {
            break;
        }
    }
    Ok(events)
}
