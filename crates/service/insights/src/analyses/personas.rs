//! `type: "personas"` (chapter 10): actors clustered by how often they do each of the top events.
//!
//! Guarantees: byte for byte the same answer. Actors stand in order of their names (then of their counts), events
//! in order of their totals (then of their names), and every sum runs in these orders; see `operators::kmeans`.
//! Deliberately not here: a choice of the number of clusters.

use super::actors::Actors;
use super::crowd::name_of;
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::cohorts::{Instants, Tree};
use crate::operators::kmeans;
use crate::plan::Bound;
use crate::query::{NamesSpec, PersonasQuery, SelectorSpec};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value, json};
use tallymark_query::{Buckets, Prepared, Reservation, Scan, json_number};

/// One (event, actor) in the table of a thread.
const COUNT_BYTES: u64 = 32;

/// What a query becomes when it meets a snapshot.
pub(crate) struct Personas<'a> {
    query: &'a PersonasQuery,
    bound: &'a Bound<'a>,
    scan: Scan,
    actors: Actors,
    target: Option<Tree>,
}

#[derive(Default)]
struct Part {
    counts: FxHashMap<(u32, u32), u64>,
    held: Option<Reservation>,
}

/// Clusters in the order of the answer.
struct Found {
    /// Names of the events, the columns of counts.
    events: Vec<String>,
    /// Numbers of actors in their order.
    actors: Vec<u32>,
    /// Per actor one count per event.
    counts: Vec<u64>,
    /// The same as z-scores.
    scores: Vec<f64>,
    /// Places in `actors`.
    clusters: Vec<Vec<usize>>,
    _held: Reservation,
}

impl<'a> Personas<'a> {
    /// Prepares the scan, and the target.
    pub fn new(query: &'a PersonasQuery, bound: &'a Bound<'a>) -> Result<Personas<'a>, Error> {
        let actors = Actors::new(&query.common.count_by, bound.context);
        let active = SelectorSpec { names: NamesSpec::Active, filter: None, nth: None };
        let selectors = vec![bound.selector(&active, query.common.segment.as_ref())];
        let mut scan = bound.scan(selectors, bound.range.0, bound.range.1, &query.common.count_by);
        scan.named = true;
        let target = match &query.target {
            Some(target) => Some(Tree::new(target, bound, bound.directory()?, Instants::AsOf)?),
            None => None,
        };
        Ok(Personas { query, bound, scan, actors, target })
    }

    fn counts(&self, prepared: &Prepared<'_>) -> Result<Part, Error> {
        let parts = prepared.run(self.bound.threads, Part::default, |part, batch| {
            let actors = self.actors.of(&batch)?;
            for (row, actor) in actors.iter().enumerate().filter(|(_, actor)| **actor != 0) {
                *part.counts.entry((batch.names[row], *actor)).or_default() += 1;
            }
            let bytes = part.counts.len() as u64 * COUNT_BYTES;
            part.held.get_or_insert_with(|| self.bound.context.budget.reservation()).grow_to(bytes)
        })?;
        let mut all = Part { held: Some(self.bound.context.budget.reservation()), ..Part::default() };
        for part in parts {
            for (key, count) in part.counts {
                *all.counts.entry(key).or_default() += count;
            }
            all.held.iter_mut().try_for_each(|held| held.grow_to(all.counts.len() as u64 * COUNT_BYTES))?;
        }
        Ok(all)
    }

    fn name(&self, prepared: &Prepared<'_>, texts: &[String], actor: u32) -> String {
        match &self.actors {
            Actors::Resolved if prepared.counts_persons() => name_of(self.bound.snapshot, actor),
            _ => texts.get(actor as usize).cloned().unwrap_or_default(),
        }
    }

    fn found(&self, prepared: &Prepared<'_>) -> Result<Found, Error> {
        let all = self.counts(prepared)?;
        let names = prepared.event_names();
        let mut totals: FxHashMap<u32, u64> = FxHashMap::default();
        let mut places: FxHashMap<u32, usize> = FxHashMap::default();
        for ((event, actor), count) in &all.counts {
            *totals.entry(*event).or_default() += count;
            let next = places.len();
            places.entry(*actor).or_insert(next);
        }
        let mut top: Vec<(u32, u64)> = totals.into_iter().collect();
        top.sort_unstable_by(|a, b| {
            b.1.cmp(&a.1).then_with(|| names[a.0 as usize].cmp(&names[b.0 as usize]))
        });
        top.truncate(self.query.events);
        let width = top.len();
        // Counts twice while they are sorted, scores, and names.
        let _held = self.bound.context.budget.reserve((places.len() * (width * 24 + 128)) as u64)?;
        let columns: FxHashMap<u32, usize> =
            top.iter().enumerate().map(|(i, (event, _))| (*event, i)).collect();
        let mut rows: Vec<Vec<u64>> = vec![vec![0; width]; places.len()];
        for ((event, actor), count) in &all.counts {
            if let Some(column) = columns.get(event) {
                rows[places[actor]][*column] = *count;
            }
        }
        let texts = match &self.actors {
            Actors::ByText(texts) => texts.texts(),
            Actors::Resolved => prepared.actor_names(),
        };
        let mut ordered: Vec<(String, Vec<u64>, u32)> = places
            .into_iter()
            .map(|(actor, place)| {
                (self.name(prepared, &texts, actor), std::mem::take(&mut rows[place]), actor)
            })
            .collect();
        ordered.sort_unstable();
        let counts: Vec<u64> = ordered.iter().flat_map(|(_, row, _)| row.iter().copied()).collect();
        let scores = scores(&counts, width);
        let assigned = kmeans::cluster(
            &scores,
            width,
            self.query.clusters,
            self.query.seed,
            &self.bound.context.cancel,
        )?;
        let mut clusters: Vec<Vec<usize>> = vec![Vec::new(); self.query.clusters];
        assigned.iter().enumerate().for_each(|(place, cluster)| clusters[*cluster].push(place));
        clusters.retain(|c| !c.is_empty());
        clusters.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a[0].cmp(&b[0])));
        Ok(Found {
            events: top.iter().map(|(event, _)| names[*event as usize].clone()).collect(),
            actors: ordered.into_iter().map(|(_, _, actor)| actor).collect(),
            counts,
            scores,
            clusters,
            _held,
        })
    }
}

/// `ln(1 + count)`, then the distance from the column's mean in its standard deviations (of the population).
fn scores(counts: &[u64], width: usize) -> Vec<f64> {
    let mut scores: Vec<f64> = counts.iter().map(|c| (1.0 + *c as f64).ln()).collect();
    let rows = if width == 0 { 0 } else { counts.len() / width };
    for column in 0..width {
        let each = |scores: &[f64]| (0..rows).map(|row| scores[row * width + column]).collect::<Vec<_>>();
        let values = each(&scores);
        let mean = values.iter().sum::<f64>() / rows as f64;
        let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / rows as f64;
        let deviation = variance.sqrt();
        // Where all counts are equal, what is left of the deviation is rounding.
        let same = counts.iter().skip(column).step_by(width).all(|c| *c == counts[column]);
        for (row, x) in values.into_iter().enumerate() {
            scores[row * width + column] = if same { 0.0 } else { (x - mean) / deviation };
        }
    }
    scores
}

impl Analysis for Personas<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }

    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }

    fn run(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let found = self.found(&prepared)?;
        let target: Option<FxHashSet<u32>> = match &self.target {
            Some(tree) => Some(tree.members(self.bound.as_of(), self.bound.threads)?.into_iter().collect()),
            None => None,
        };
        let width = found.events.len();
        let cluster = |places: &Vec<usize>| {
            let size = places.len() as f64;
            let event = |(column, event): (usize, &String)| {
                let total: u64 = places.iter().map(|p| found.counts[p * width + column]).sum();
                let score: f64 = places.iter().map(|p| found.scores[p * width + column]).sum();
                json!({"event": event, "mean": json_number(total as f64 / size), "z": json_number(score / size)})
            };
            let events: Vec<Value> = found.events.iter().enumerate().map(event).collect();
            let share = json_number(size / found.actors.len() as f64);
            let mut row = json!({"size": places.len(), "share": share, "events": events});
            if let Some(target) = &target {
                let both = places.iter().filter(|p| target.contains(&found.actors[**p])).count();
                row["overlap"] = json!({"actors": both, "share": json_number(both as f64 / size)});
            }
            row
        };
        let mut answer = Map::new();
        answer.insert("actors".to_owned(), json!(found.actors.len()));
        answer.insert("clusters".to_owned(), found.clusters.iter().map(cluster).collect());
        Ok(answer)
    }

    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let most = self.query.clusters as i64;
        let cluster = point.reader.integer("cluster", 1, most)?;
        let cluster = cluster.ok_or_else(|| point.reader.missing("cluster", "1 is the largest"))?;
        point.finish()?;
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let found = self.found(&prepared)?;
        let places = found.clusters.get(cluster as usize - 1).cloned().unwrap_or_default();
        let actors: Vec<u32> = places.into_iter().map(|p| found.actors[p]).collect();
        Ok(Crowd::of(&self.actors, &prepared, actors))
    }
}
