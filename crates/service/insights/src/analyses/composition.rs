//! `type: "composition"` (chapter 10): distinct actors by property value, each once, with the value of its last
//! event in the range that carries one.

use super::actors::Actors;
use super::groups::OTHER;
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::plan::Bound;
use crate::query::{CompositionQuery, bin_labels};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};
use tallymark_model::Millis;
use tallymark_query::{
    Batch, Buckets, Interner, Prepared, QueryError, Reservation, Scan, ValueRef, json_number,
};

/// Label of actors whose events carry no value.
const NONE: &str = "(none)";
/// One actor in the table of a thread.
const ACTOR_BYTES: u64 = 64;

type Place = (Millis, Millis, u64);

/// What a query becomes when it meets a snapshot.
pub(crate) struct Composition<'a> {
    query: &'a CompositionQuery,
    bound: &'a Bound<'a>,
    scan: Scan,
    actors: Actors,
    labels: Interner,
    bins: Vec<String>,
    column: usize,
}

/// Per actor: where its last value stands, and the number of its label (0 = none).
#[derive(Default)]
struct Part {
    last: FxHashMap<u32, (Place, u32)>,
    held: Option<Reservation>,
}

/// Actors by label, ranked.
type Rows = Vec<(String, Vec<u32>)>;

impl<'a> Composition<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a CompositionQuery, bound: &'a Bound<'a>) -> Result<Composition<'a>, Error> {
        let actors = Actors::new(&query.common.count_by, bound.context);
        let selector = bound.selector(&query.selector, query.common.segment.as_ref());
        let mut scan = bound.scan(vec![selector], bound.range.0, bound.range.1, &query.common.count_by);
        let column = scan.columns.len();
        scan.columns.push(query.property.clone());
        scan.order = true;
        let labels = Interner::new(bound.context.budget.reservation());
        let bins = query.bins.as_deref().map(bin_labels).unwrap_or_default();
        Ok(Composition { query, bound, scan, actors, labels, bins, column })
    }

    /// The number of a value's label; lists are values like any other, so that each actor counts once.
    fn label(&self, value: ValueRef<'_>) -> Result<u32, QueryError> {
        let text = match &self.query.bins {
            Some(bounds) => match value.number() {
                Some(number) => {
                    Some(self.labels.number(&self.bins[bounds.partition_point(|b| *b <= number)]))
                }
                None => None,
            },
            None => value.with_text(|text| self.labels.number(text)),
        };
        text.unwrap_or(Ok(0))
    }

    fn take(&self, part: &mut Part, batch: &Batch) -> Result<(), QueryError> {
        let actors = self.actors.of(batch)?;
        for (row, actor) in actors.iter().enumerate().filter(|(_, actor)| **actor != 0) {
            let label = self.label(batch.columns[self.column].value(row))?;
            let place = match label {
                0 => (Millis::MIN, Millis::MIN, 0),
                _ => (batch.times[row], batch.received[row], batch.positions[row]),
            };
            let last = part.last.entry(*actor).or_insert((place, label));
            *last = (*last).max((place, label));
        }
        let bytes = part.last.len() as u64 * ACTOR_BYTES;
        part.held.get_or_insert_with(|| self.bound.context.budget.reservation()).grow_to(bytes)
    }

    fn rows(&self, prepared: &Prepared<'_>) -> Result<Rows, Error> {
        let parts = prepared.run(self.bound.threads, Part::default, |part, batch| self.take(part, &batch))?;
        let mut all = Part::default();
        for part in parts {
            for (actor, last) in part.last {
                let known = all.last.entry(actor).or_insert(last);
                *known = (*known).max(last);
            }
        }
        let texts = self.labels.texts();
        let mut by_label: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (actor, (_, label)) in all.last {
            by_label.entry(label).or_default().push(actor);
        }
        let text = |label: u32| if label == 0 { NONE.to_owned() } else { texts[label as usize].clone() };
        // A value may read `(none)` too.
        let mut merged: FxHashMap<String, Vec<u32>> = FxHashMap::default();
        for (label, actors) in by_label {
            merged.entry(text(label)).or_default().extend(actors);
        }
        let mut rows: Rows = merged.into_iter().collect();
        rows.sort_unstable_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(&b.0)));
        let rest = rows.split_off(rows.len().min(self.query.limit));
        if !rest.is_empty() && self.query.other {
            rows.push((OTHER.to_owned(), rest.into_iter().flat_map(|(_, actors)| actors).collect()));
        }
        Ok(rows)
    }
}

impl Analysis for Composition<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }

    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }

    fn run(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let rows = self.rows(&prepared)?;
        let total: usize = rows.iter().map(|(_, actors)| actors.len()).sum();
        let row = |(label, actors): &(String, Vec<u32>)| {
            let share = json_number(actors.len() as f64 / total as f64);
            json!({"breakdown": label, "actors": actors.len(), "share": share})
        };
        let mut answer = Map::new();
        answer.insert("rows".to_owned(), rows.iter().map(row).collect());
        answer.insert("total".to_owned(), json!(total));
        Ok(answer)
    }

    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let wanted = point.reader.text("breakdown")?;
        point.finish()?;
        let rows = self.rows(&prepared)?;
        let found = rows.into_iter().filter(|(label, _)| wanted.is_none_or(|wanted| wanted == label));
        let actors: Vec<u32> = found.flat_map(|(_, actors)| actors).collect();
        Ok(Crowd::of(&self.actors, &prepared, actors))
    }
}
