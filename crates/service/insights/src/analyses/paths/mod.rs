//! Paths (chapter 8): which way actors go from item to item.
//!
//! Guarantees: the text's steps in the text's order; ties go by labels. Memory for the events of the range and one
//! weight per edge; `top` reads the events twice instead of keeping segments.

mod items;
mod through;
mod weights;

use super::actors::{Actors, text_numbers};
use super::gather::{Gathered, Scattered, by_actor, scatter};
use super::owned::{Happening, Owned};
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::operators::segments::{Ending, Node};
use crate::operators::sessionise::{NO_SESSION, Sessioniser, Visit};
use crate::plan::Bound;
use crate::query::{Cut, NamesSpec, PathsQuery, SelectorSpec};
use items::Items;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value, json};
use tallymark_model::Millis;
use tallymark_query::{Batch, Buckets, Interner, Prepared, QueryError, Scan, json_number};
use through::{Stretch, Through};
use weights::{Place, Weights, ranked};

/// Bits of the selectors: takes part; goes by a value.
const PART: u32 = 1;
const VALUED: u32 = 2;

/// What a query becomes when it meets a snapshot.
pub(crate) struct Paths<'a> {
    query: &'a PathsQuery,
    bound: &'a Bound<'a>,
    scan: Scan,
    actors: Actors,
    /// Values that are items, and their column.
    values: Interner,
    column: usize,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    time: Millis,
    received: Millis,
    position: u64,
    /// Code of its item.
    code: u32,
    session: u64,
}

impl Happening for Event {
    fn order(&self) -> impl Ord {
        (self.time, self.received, self.position)
    }
}

/// A number of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spot {
    Edge(u32, u32, u32),
    Node(Place),
    Dropoff(Place),
    Truncated(Place),
}

/// How often the events are looked at, and for what.
struct Pass<'i> {
    items: &'i Items,
    /// Nodes that stay themselves; all others of their step are `$other`.
    kept: Option<FxHashSet<Place>>,
    spot: Option<Spot>,
    /// Which stretch of whose stream, if not all.
    through: Option<&'i FxHashMap<u32, Stretch>>,
}

/// One thread's state.
struct Part {
    weights: Weights,
    crowd: Vec<u32>,
    sessioniser: Sessioniser,
    segment: Vec<Node>,
    /// Beginnings of segments, or numbers of sessions.
    parts: Vec<Vec<Node>>,
}

impl Analysis for Paths<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let (items, weights, _) = self.weigh(&prepared, |_| Ok(None))?;
        Ok(self.write(&items, &weights))
    }
    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        if self.query.totals {
            let problem = "the numbers of `measure: \"totals\"` count segments, not actors";
            return Err(Error::malformed("microscope", problem, "use `measure: \"uniques\"`"));
        }
        let reader = &point.reader;
        let step = reader.integer("step", 1, 100)?.ok_or_else(|| reader.missing("step", "from 1"))? as u32;
        let texts = (reader.text("from")?, reader.text("to")?, reader.text("item")?);
        let state = reader.choice("state", &[("dropped", 1), ("truncated", 2)])?;
        point.finish()?;
        let spot = |items: &Items| {
            // An item that occurs nowhere has a number of its own, at which nobody is.
            let number =
                |text: &str| items.texts.binary_search_by(|t| t.as_str().cmp(text)).unwrap_or(usize::MAX);
            let number = |text: &str| u32::try_from(number(text)).unwrap_or(u32::MAX);
            match (texts, state) {
                ((Some(from), Some(to), None), None) => Ok(Some(Spot::Edge(step, number(from), number(to)))),
                ((None, None, Some(item)), None) => Ok(Some(Spot::Node((step, number(item))))),
                ((None, None, Some(item)), Some(1)) => Ok(Some(Spot::Dropoff((step, number(item))))),
                ((None, None, Some(item)), Some(_)) => Ok(Some(Spot::Truncated((step, number(item))))),
                _ => {
                    let problem = "must name an edge or a node";
                    Err(Error::malformed("microscope", problem, "{step, from, to} or {step, item, state?}"))
                }
            }
        };
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let (_, _, crowd) = self.weigh(&prepared, spot)?;
        Ok(Crowd::of(&self.actors, &prepared, crowd))
    }
}

impl<'a> Paths<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a PathsQuery, bound: &'a Bound<'a>) -> Result<Paths<'a>, Error> {
        let (from, to) = bound.range;
        let named = |names| SelectorSpec { names, filter: None, nth: None };
        let segment = query.common.segment.as_ref();
        let include = match (&query.include, &query.cut) {
            // Inactive events neither open nor extend sessions.
            (NamesSpec::Of(names), Cut::Sessions(_)) => {
                let inactive = &bound.snapshot.project.inactive_events;
                NamesSpec::Of(names.iter().filter(|name| !inactive.contains(*name)).cloned().collect())
            }
            (names, _) => names.clone(),
        };
        let mut selectors = vec![bound.selector(&named(include), segment)];
        if let Some(item) = &query.item {
            let events = item.events.clone().map_or(NamesSpec::Any, NamesSpec::Of);
            selectors.push(bound.selector(&named(events), None));
        }
        // Steps may lie after the range, and with a tolerance before it.
        let (from, to) = match &query.through {
            None => (from, to),
            Some(through) => {
                let funnel = &through.funnel;
                let early = funnel.tolerance * (funnel.steps.len() as Millis - 1);
                (from - early, to.saturating_add(funnel.window))
            }
        };
        let mut scan = bound.scan(selectors, from, to, &query.common.count_by);
        scan.order = true;
        scan.named = true;
        scan.sessions = matches!(query.cut, Cut::Sessions(_));
        let column = scan.columns.len();
        scan.columns.extend(query.item.iter().map(|item| item.property.clone()));
        let actors = Actors::new(&query.common.count_by, bound.context);
        let values = Interner::new(bound.context.budget.reservation());
        Ok(Paths { query, bound, scan, actors, values, column })
    }

    fn weigh(
        &self,
        prepared: &Prepared<'_>,
        spot: impl Fn(&Items) -> Result<Option<Spot>, Error>,
    ) -> Result<(Items, Weights, Vec<u32>), Error> {
        let through = self.query.through.as_ref().map(|spec| Through::find(spec, self.bound)).transpose()?;
        let mut scattered = self.scatter(prepared)?;
        let through = through.map(|through| through.by_number(&self.actors, prepared));
        let through = through.as_ref();
        let items = Items::new(self.query, prepared.event_names(), &self.values);
        let spot = spot(&items)?;
        let mut kept = None;
        if let Some(top) = self.query.top {
            let all = Pass { items: &items, kept: None, spot: None, through };
            let nodes = ranked(&self.pass(scattered, &all)?.0.nodes);
            let steps = nodes.chunk_by(|a, b| a.0.0 == b.0.0);
            kept = Some(steps.flat_map(|step| step.iter().take(top)).map(|(place, _)| *place).collect());
            // Codes stay the same: they are the query's.
            scattered = self.scatter(prepared)?;
        }
        let (weights, crowd) = self.pass(scattered, &Pass { items: &items, kept, spot, through })?;
        Ok((items, weights, crowd))
    }

    fn scatter<'f>(&'f self, prepared: &'f Prepared<'_>) -> Result<Gathered<'f, Owned<Event>>, Error> {
        let collect = move |scattered: &mut Scattered<Owned<Event>>, batch: &Batch| {
            let actors = self.actors.of(batch)?;
            let values = match self.query.item {
                None => None,
                Some(_) => Some(text_numbers(&batch.columns[self.column], &self.values)?),
            };
            for (row, actor) in actors.iter().enumerate().filter(|(row, _)| batch.masks[*row] & PART != 0) {
                let code = match &values {
                    Some(values) if batch.masks[row] & VALUED != 0 => items::of_value(values[row]),
                    _ => items::of_name(batch.names[row]),
                };
                let session = batch.sessions.get(row).copied().unwrap_or(0);
                let (time, received, position) =
                    (batch.times[row], batch.received[row], batch.positions[row]);
                scattered.push(Owned::new(*actor, Event { time, received, position, code, session }));
            }
            Ok(())
        };
        Ok(scatter(prepared, self.bound.context, self.bound.threads, collect)?)
    }

    fn pass(
        &self,
        scattered: Gathered<'_, Owned<Event>>,
        pass: &Pass<'_>,
    ) -> Result<(Weights, Vec<u32>), Error> {
        let context = self.bound.context;
        let empty = || Weights::new(self.query.totals, context.budget.reservation());
        let new = || Part {
            weights: empty(),
            crowd: Vec::new(),
            sessioniser: Sessioniser::default(),
            segment: Vec::new(),
            parts: Vec::new(),
        };
        let fold = |part: &mut Part, events: &[Owned<Event>]| self.fold(part, events, pass);
        let (mut weights, mut crowd) = (empty(), Vec::new());
        for part in by_actor(scattered, context, self.bound.threads, new, fold)? {
            weights.merge(part.weights);
            crowd.extend(part.crowd);
        }
        Ok((weights, crowd))
    }

    /// One actor: cut, shape, weigh.
    fn fold(&self, part: &mut Part, events: &[Owned<Event>], pass: &Pass<'_>) -> Result<(), QueryError> {
        let Part { weights, crowd, sessioniser, segment, parts } = part;
        let actor = events[0].actor;
        let events = match pass.through.map(|through| through.get(&actor)) {
            None => events,
            Some(None) => return Ok(()),
            Some(Some((first, last))) => {
                let place = |e: &Owned<Event>| (e.what.time, e.what.received, e.what.position);
                let begin = events.partition_point(|e| place(e) < *first);
                let end = events.partition_point(|e| place(e) <= *last);
                &events[begin..end.max(begin)]
            }
        };
        if events.is_empty() {
            return Ok(());
        }
        let node = |e: &Owned<Event>| Node { item: pass.items.of(e.what.code), time: Some(e.what.time) };
        // True once no further segment of this actor counts.
        let mut close = |segment: &mut Vec<Node>| {
            let ending = pass.items.shape.apply(segment);
            if ending != Ending::Vanished {
                add(weights, crowd, actor, segment, ending, pass, self.query.end.is_some());
            }
            segment.clear();
            self.query.first_only && ending != Ending::Vanished
        };
        segment.clear();
        match &self.query.cut {
            Cut::Gap(gap) => {
                for stretch in events.chunk_by(|a, b| b.what.time - a.what.time <= *gap) {
                    segment.extend(stretch.iter().map(node));
                    if close(segment) {
                        break;
                    }
                }
            }
            Cut::Within(within) => {
                let mut until = Millis::MIN;
                for event in events {
                    let node = node(event);
                    if event.what.time > until || segment.is_empty() {
                        if !segment.is_empty() && close(segment) {
                            break;
                        }
                        if pass.items.shape.start.is_some_and(|start| start != node.item) {
                            continue;
                        }
                        until = event.what.time.saturating_add(*within);
                    }
                    segment.push(node);
                }
                if !segment.is_empty() {
                    close(segment);
                }
            }
            Cut::Sessions(rules) => {
                let visit =
                    |e: &Owned<Event>| Visit { time: e.what.time, id: e.what.session, ..Visit::default() };
                let numbers = sessioniser
                    .number(events.iter().map(visit), &rules.operator(&self.bound.snapshot.project));
                // Only as many as this actor has: the most of any actor is far above the usual.
                let mut used = 0;
                for (event, number) in events.iter().zip(numbers).filter(|(_, n)| **n != NO_SESSION) {
                    let at = *number as usize;
                    if parts.len() <= at {
                        parts.resize_with(at + 1, Vec::new);
                    }
                    while used <= at {
                        parts[used].clear();
                        used += 1;
                    }
                    parts[at].push(node(event));
                }
                for part in parts[..used].iter_mut().filter(|part| !part.is_empty()) {
                    if close(part) {
                        break;
                    }
                }
            }
        }
        weights.count()
    }

    fn write(&self, items: &Items, weights: &Weights) -> Map<String, Value> {
        let text = |item: u32| json!(items.texts[item as usize]);
        let mut edges: Vec<_> =
            weights.edges.iter().filter(|(_, w)| w.count >= self.query.min_weight).collect();
        edges.sort_unstable_by_key(|((step, from, to), w)| (*step, std::cmp::Reverse(w.count), *from, *to));
        let edge = |((step, from, to), weight): &(&(u32, u32, u32), &weights::Weight)| {
            let avg = weight.seconds().map_or(Value::Null, json_number);
            json!({"step": step, "from": text(*from), "to": text(*to), "count": weight.count, "avg_s": avg})
        };
        let rows = |places| -> Value {
            let row = |((step, item), n): (Place, u64)| json!([step, text(item), n]);
            ranked(places).into_iter().map(row).collect()
        };
        let mut answer = Map::new();
        answer.insert("edges".to_owned(), edges.iter().map(edge).collect());
        answer.insert("nodes".to_owned(), rows(&weights.nodes));
        answer.insert("dropoffs".to_owned(), rows(&weights.dropoffs));
        answer.insert("truncated".to_owned(), rows(&weights.truncated));
        answer.insert("segments".to_owned(), json!(weights.segments));
        answer
    }
}

/// Counts a shaped segment.
fn add(
    weights: &mut Weights,
    crowd: &mut Vec<u32>,
    actor: u32,
    segment: &mut [Node],
    ending: Ending,
    pass: &Pass<'_>,
    to_an_end: bool,
) {
    if let Some(kept) = &pass.kept {
        for (step, node) in (1..).zip(segment.iter_mut()) {
            if !kept.contains(&(step, node.item)) {
                node.item = pass.items.other;
            }
        }
    }
    weights.segments += 1;
    let mut here = |spot: Spot| {
        if pass.spot == Some(spot) && crowd.last() != Some(&actor) {
            crowd.push(actor);
        }
    };
    for (step, node) in (1..).zip(segment.iter()) {
        weights.node((step, node.item), actor);
        here(Spot::Node((step, node.item)));
    }
    for (step, pair) in (1..).zip(segment.windows(2)) {
        let time = pair[1].time.zip(pair[0].time).map(|(b, a)| b - a);
        weights.edge(step, pair[0].item, pair[1].item, actor, time);
        here(Spot::Edge(step, pair[0].item, pair[1].item));
    }
    if let Some(last) = segment.last().filter(|_| !to_an_end) {
        let place = (segment.len() as u32, last.item);
        if ending == Ending::Truncated {
            weights.truncation(place, actor);
            here(Spot::Truncated(place));
        } else {
            weights.dropoff(place, actor);
            here(Spot::Dropoff(place));
        }
    }
}
