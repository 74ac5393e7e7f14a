//! A dry run: what would be added, what is there already, what would be refused, with samples. Sends nothing.
//!
//! Guarantees: rows are read, mapped and checked by the same code as when they are taken.

use crate::check::check;
use crate::convert::{Converter, Lineage};
use crate::place::{Fault, Faults, Listed, Place};
use crate::rejects::Reject;
use crate::round::{Due, Report, Shared, due, found};
use crate::rows::{Kind, Packing, ReadOptions};
use crate::take::{brief, open_rows};
use crate::{Record, Source, VacuumError};
use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

/// Insert ids that are asked about at a time.
const ASKED: usize = 1_000;
/// Ids that are remembered to find repeated ones.
const REMEMBERED: usize = 20_000_000;

/// How to look.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// Rows read of each object; the rest is not counted.
    pub rows_per_object: u64,
    /// Events and refused rows that are shown.
    pub samples: usize,
}

/// Knows which insert ids a project has.
#[async_trait]
pub trait Seen: Send + Sync {
    /// How many of these are there.
    async fn count(&self, insert_ids: &[String]) -> Result<u64, String>;
}

/// What would happen.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// Objects that would be read.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that were taken before.
    pub known: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Rows that would be added.
    pub added: u64,
    /// Rows that the project has, or that come twice.
    pub duplicates: u64,
    /// Rows that would be refused.
    pub rejected: u64,
    /// True if objects have more rows than were read.
    pub partial: bool,
    /// Added rows by event.
    pub events: BTreeMap<String, u64>,
    /// The first events, as they would be sent.
    pub samples: Vec<Value>,
    /// The first refused rows.
    pub rejects: Vec<Reject>,
    /// Known objects with another content; they would not be taken.
    pub changed: Vec<String>,
    /// Objects that cannot be read to their end, and why.
    pub failed: Vec<(String, String)>,
    /// Objects whose name says nothing about their kind.
    pub unknown: Vec<String>,
    /// Files that were written too recently.
    pub unsettled: u64,
    /// Why nobody could say which rows the project has.
    pub duplicates_unknown: Option<String>,
}

/// Looks at what a round would do.
pub async fn plan(
    source: &Source,
    record: &Arc<Mutex<Record>>,
    folder: &Path,
    project: &str,
    options: &PlanOptions,
    seen: &dyn Seen,
) -> Result<Plan, VacuumError> {
    let config = |why| VacuumError::Config { path: source.name.clone(), why };
    source.check().map_err(config)?;
    let place = Place::open(&source.from).map_err(config)?;
    let (mut plan, mut report) = (Plan::default(), Report::default());
    let mut ids = HashSet::new();
    for (listed, kind) in found(source, &place, &mut report).await? {
        let (after, version) = match due(source, &place, &listed, &Shared(record.clone()), project).await? {
            Due::Known => {
                plan.known += 1;
                continue;
            }
            Due::Failed(why) => {
                plan.failed.push((listed.key, why));
                continue;
            }
            Due::Changed(..) => {
                plan.changed.push(listed.key);
                continue;
            }
            Due::Take(entry) => (entry.line, entry.version),
        };
        plan.objects += 1;
        plan.bytes += listed.bytes;
        let look = Look {
            source: source.clone(),
            place: place.clone(),
            listed: listed.clone(),
            kind,
            after,
            version,
            folder: folder.to_owned(),
            options: options.clone(),
        };
        let looked = tokio::task::spawn_blocking(move || {
            let looked = look.rows(&mut ids);
            (looked, ids)
        });
        let Ok((looked, back)) = looked.await else {
            plan.failed.push((listed.key, "its decoder gave up: it is not what its name says".to_owned()));
            ids = HashSet::new();
            continue;
        };
        ids = back;
        add(&mut plan, looked, &listed.key, options, seen).await;
    }
    (plan.unknown, plan.unsettled) = (report.unknown, report.unsettled);
    Ok(plan)
}

async fn add(plan: &mut Plan, looked: Looked, key: &str, options: &PlanOptions, seen: &dyn Seen) {
    plan.rows += looked.rows;
    plan.rejected += looked.rejected;
    plan.partial |= looked.partial;
    let mut there = 0;
    for ids in looked.ids.chunks(ASKED) {
        match seen.count(ids).await {
            Ok(count) => there += count,
            Err(why) => {
                plan.duplicates_unknown.get_or_insert(why);
                break;
            }
        }
    }
    let fresh = looked.ids.len() as u64;
    plan.duplicates += looked.repeated + there.min(fresh);
    plan.added += fresh - there.min(fresh);
    for (name, count) in looked.events {
        *plan.events.entry(name).or_default() += count;
    }
    plan.samples.extend(looked.samples);
    plan.samples.truncate(options.samples);
    plan.rejects.extend(looked.rejects);
    plan.rejects.truncate(options.samples);
    if let Some(why) = looked.failed {
        plan.failed.push((key.to_owned(), why));
    }
}

struct Look {
    source: Source,
    place: Place,
    listed: Listed,
    kind: (Kind, Packing),
    after: u64,
    version: String,
    folder: std::path::PathBuf,
    options: PlanOptions,
}

#[derive(Default)]
struct Looked {
    rows: u64,
    rejected: u64,
    repeated: u64,
    partial: bool,
    ids: Vec<String>,
    events: BTreeMap<String, u64>,
    samples: Vec<Value>,
    rejects: Vec<Reject>,
    failed: Option<String>,
}

impl Look {
    fn rows(&self, seen: &mut HashSet<u64>) -> Looked {
        let mut looked = Looked::default();
        let faults = Faults::default();
        if let Err(error) = self.read(seen, &faults, &mut looked) {
            looked.failed = Some(match faults.get() {
                Some(Fault::Changed) => "it changed while it was read".to_owned(),
                Some(Fault::Later(why)) => why,
                None => error.to_string(),
            });
        }
        looked
    }

    fn read(&self, seen: &mut HashSet<u64>, faults: &Faults, looked: &mut Looked) -> std::io::Result<()> {
        let lineage = Lineage {
            source: self.source.name.clone(),
            object: self.listed.at.clone(),
            key: self.listed.key.clone(),
            version: self.version.clone(),
        };
        let converter = Converter::new(self.source.format, self.source.map.as_ref(), lineage)
            .map_err(std::io::Error::other)?;
        let options = ReadOptions { after: self.after, digests: false };
        let counter = Arc::new(AtomicU64::new(0));
        let rows = open_rows(&self.place, &self.listed, self.kind, options, &counter, &self.folder, faults)?;
        for numbered in rows {
            let numbered = numbered?;
            if looked.rows >= self.options.rows_per_object {
                looked.partial = true;
                return Ok(());
            }
            looked.rows += 1;
            let row = numbered.row.map_err(|bad| (bad.why, bad.text));
            let converted = row.and_then(|row| {
                let shown = serde_json::to_vec(&row.fields).unwrap_or_default();
                converter.event(numbered.line, row).map_err(|why| (why, brief(&shown)))
            });
            let checked = converted.and_then(|event| {
                let text = serde_json::to_vec(&event).unwrap_or_default();
                check(&text).map_or(Ok(event), |why| Err((why, brief(&text))))
            });
            match checked {
                Ok(event) => looked.event(event, seen, self.options.samples),
                Err((why, text)) => {
                    looked.rejected += 1;
                    if looked.rejects.len() < self.options.samples {
                        let (object, version) = (self.listed.at.clone(), self.version.clone());
                        looked.rejects.push(Reject { object, version, row: numbered.line, why, text });
                    }
                }
            }
        }
        Ok(())
    }
}

impl Looked {
    fn event(&mut self, event: Map<String, Value>, seen: &mut HashSet<u64>, samples: usize) {
        let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let insert_id = match event.get("insert_id") {
            Some(Value::String(id)) => id.trim().to_owned(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        // As the processor tells them apart: per device, else per user.
        let mut hasher = DefaultHasher::new();
        let device = text("device_id");
        let whose = if device.is_empty() { text("user_id") } else { device };
        (whose, &insert_id).hash(&mut hasher);
        if seen.len() < REMEMBERED && !seen.insert(hasher.finish()) {
            self.repeated += 1;
            return;
        }
        *self.events.entry(text("event")).or_default() += 1;
        self.ids.push(insert_id);
        if self.samples.len() < samples {
            self.samples.push(Value::Object(event));
        }
    }
}
