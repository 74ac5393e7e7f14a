//! What persons did, per selector: counted where one number per person is enough, else event by event.

use crate::Error;
use crate::plan::Bound;
use crate::query::CountBy;
use std::sync::Arc;
use tallymark_model::Millis;
use tallymark_predicate::PropertyRef;
use tallymark_query::{
    Batch, Buckets, Interner, Names, QueryError, Reservation, SELECTORS_MAX, Selector, Unit,
};

/// One selector of a definition and what must be known of its events.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub selector: Selector,
    pub of: Of,
    /// Whether the order of events at the same time matters.
    pub order: bool,
    /// Only how many lie in this half-open stretch, if that is all that is asked.
    pub within: Option<(Millis, Millis)>,
}

/// What is noted of an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Of {
    Nothing,
    /// The start of its local day.
    Day,
    /// The number that a property holds.
    Number(PropertyRef),
    /// The values of a property, each element of a list for itself.
    Texts(PropertyRef),
}

/// Beyond every time that occurs; rows yet further out come with their own times.
const FAR: Millis = 1 << 60;
/// The value of an event that carries none.
pub(crate) const NOTHING: u64 = u64::MAX;

/// An event of a person; of `Texts` one for each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deed {
    person: u32,
    pub time: Millis,
    pub received: Millis,
    pub position: u64,
    /// Bits of the number, number of the text, start of the day; or [`NOTHING`].
    pub value: u64,
}

/// What was found for one selector.
#[derive(Debug)]
pub(crate) enum Evidence {
    /// Per person: how many events.
    Counts(Vec<u32>),
    /// Deeds of person `p`: `deeds[starts[p]..starts[p + 1]]`, in stream order.
    Deeds { starts: Vec<u32>, deeds: Vec<Deed> },
}

impl Evidence {
    /// A person's deeds.
    pub fn deeds(&self, person: u32) -> &[Deed] {
        match self {
            Evidence::Deeds { starts, deeds } => {
                match (starts.get(person as usize), starts.get(person as usize + 1)) {
                    (Some(from), Some(to)) => &deeds[*from as usize..*to as usize],
                    _ => &[],
                }
            }
            Evidence::Counts(_) => &[],
        }
    }

    /// The first deed of all.
    pub fn earliest(&self) -> Option<Millis> {
        match self {
            Evidence::Deeds { deeds, .. } => deeds.iter().map(|d| d.time).min(),
            Evidence::Counts(_) => None,
        }
    }
}

/// One thread's findings for one selector.
enum Part {
    Counts(Vec<u32>),
    Deeds(Vec<Deed>),
}

/// Looks everything up, and what holds the memory.
pub(crate) fn find(bound: &Bound<'_>, wanted: &[Wanted]) -> Result<(Vec<Evidence>, Vec<Reservation>), Error> {
    let (mut found, mut held) = (Vec::new(), Vec::new());
    for wanted in wanted.chunks(SELECTORS_MAX) {
        let (evidence, more) = scan(bound, wanted)?;
        found.extend(evidence);
        held.extend(more);
    }
    Ok((found, held))
}

fn scan(bound: &Bound<'_>, wanted: &[Wanted]) -> Result<(Vec<Evidence>, Vec<Reservation>), Error> {
    let persons = bound.snapshot.identity.bound() as usize;
    let from = wanted.iter().map(|w| w.within.map_or(Millis::MIN, |w| w.0)).min().unwrap_or(Millis::MIN);
    let selectors = wanted.iter().map(|w| w.selector.clone()).collect();
    let mut scan = bound.scan(selectors, from, Millis::MAX, &CountBy::Person);
    let mut columns: Vec<Option<usize>> = Vec::new();
    for w in wanted {
        columns.push(match &w.of {
            Of::Number(property) | Of::Texts(property) => {
                scan.columns.push(property.clone());
                Some(scan.columns.len() - 1)
            }
            Of::Nothing | Of::Day => None,
        });
    }
    scan.order = wanted.iter().any(|w| w.order);
    if let Some(spans) = wanted.iter().map(|w| w.within).collect::<Option<Vec<_>>>() {
        let near = |t: Millis| t.clamp(-FAR, FAR);
        let mut bounds: Vec<Millis> = spans.iter().flat_map(|(from, to)| [near(*from), near(*to)]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        scan.stretches = Some(Buckets::of_bounds(bounds));
        scan.spans = spans;
    }
    let days = days(bound)?;
    let texts = Interner::new(bound.context.budget.reservation());
    let prepared = scan.prepare(bound.snapshot, bound.context)?;
    let new = || {
        let part = |w: &Wanted| match w.within {
            Some(_) => Part::Counts(vec![0; persons]),
            None => Part::Deeds(Vec::new()),
        };
        (wanted.iter().map(part).collect::<Vec<_>>(), bound.context.budget.reservation())
    };
    let parts = prepared.run(bound.threads, new, |(parts, held), batch| {
        for (i, (part, w)) in parts.iter_mut().zip(wanted).enumerate() {
            let rows = (0..batch.len()).filter(|r| batch.masks[*r] & (1 << i) != 0 && batch.actors[*r] != 0);
            match (part, w.within) {
                (Part::Counts(counts), Some((from, to))) => {
                    rows.filter(|r| from <= batch.times[*r] && batch.times[*r] < to)
                        .for_each(|r| counts[batch.actors[r] as usize] += 1);
                }
                (Part::Deeds(deeds), _) => {
                    let before = deeds.len();
                    for row in rows {
                        note(&batch, row, w, columns[i], &days, &texts, deeds)?;
                    }
                    // Once more for growing, and once for sorting all parts together.
                    held.grow((deeds.len() - before) as u64 * size_of::<Deed>() as u64 * 3)?;
                }
                (Part::Counts(_), None) => {}
            }
        }
        held.grow_to(wanted.iter().filter(|w| w.within.is_some()).count() as u64 * persons as u64 * 4)
    })?;
    let (parts, held): (Vec<Vec<Part>>, Vec<Reservation>) = parts.into_iter().unzip();
    let mut merged: Vec<Option<Part>> = wanted.iter().map(|_| None).collect();
    for part in parts {
        merged.iter_mut().zip(part).for_each(|(all, part)| *all = Some(merge(all.take(), part)));
    }
    let evidence = merged.into_iter().map(|part| evidence(part, persons)).collect();
    Ok((evidence, held))
}

fn note(
    batch: &Batch,
    row: usize,
    wanted: &Wanted,
    column: Option<usize>,
    days: &Days<'_>,
    texts: &Interner,
    deeds: &mut Vec<Deed>,
) -> Result<(), QueryError> {
    let time = batch.times[row];
    let (received, position) =
        if wanted.order { (batch.received[row], batch.positions[row]) } else { (0, 0) };
    let deed = |value: u64| Deed { person: batch.actors[row], time, received, position, value };
    let Some(column) = column else {
        deeds.push(deed(if wanted.of == Of::Day { days.start(time)? as u64 } else { NOTHING }));
        return Ok(());
    };
    let value = batch.columns[column].value(row);
    if let Of::Number(_) = wanted.of {
        deeds.push(deed(value.number().map_or(NOTHING, |n| (n + 0.0).to_bits())));
        return Ok(());
    }
    let before = deeds.len();
    let mut failure = None;
    value.elements(false, |element| match element.with_text(|text| texts.number(text)) {
        Some(Ok(number)) => deeds.push(deed(u64::from(number))),
        Some(Err(error)) => failure = Some(error),
        None => {}
    });
    if deeds.len() == before {
        deeds.push(deed(NOTHING));
    }
    failure.map_or(Ok(()), Err)
}

fn merge(all: Option<Part>, part: Part) -> Part {
    match (all, part) {
        (Some(Part::Counts(mut all)), Part::Counts(more)) => {
            all.iter_mut().zip(more).for_each(|(a, m)| *a += m);
            Part::Counts(all)
        }
        (Some(Part::Deeds(mut all)), Part::Deeds(more)) => {
            all.extend(more);
            Part::Deeds(all)
        }
        (_, part) => part,
    }
}

fn evidence(part: Option<Part>, persons: usize) -> Evidence {
    match part {
        Some(Part::Counts(counts)) => Evidence::Counts(counts),
        Some(Part::Deeds(mut deeds)) => {
            deeds.sort_unstable();
            let mut starts = vec![0u32; persons + 1];
            deeds.iter().for_each(|d| starts[d.person as usize + 1] += 1);
            for i in 0..persons {
                starts[i + 1] += starts[i];
            }
            Evidence::Deeds { starts, deeds }
        }
        None => Evidence::Deeds { starts: vec![0; persons + 1], deeds: Vec::new() },
    }
}

/// Per person: the time of its first row of these names; `Millis::MAX` without any.
pub(crate) fn first_times(bound: &Bound<'_>, names: Names) -> Result<(Arc<Vec<Millis>>, Reservation), Error> {
    let persons = bound.snapshot.identity.bound() as usize;
    let held = bound.context.budget.reserve(persons as u64 * 8 * (bound.threads as u64 + 1))?;
    let selector = Selector { names, filter: None, nth: None };
    let scan = bound.scan(vec![selector], Millis::MIN, Millis::MAX, &CountBy::Person);
    let prepared = scan.prepare(bound.snapshot, bound.context)?;
    let parts = prepared.run(
        bound.threads,
        || vec![Millis::MAX; persons],
        |first, batch| {
            for (person, time) in batch.actors.iter().zip(batch.times.iter()) {
                let slot = &mut first[*person as usize];
                *slot = (*slot).min(*time);
            }
            Ok(())
        },
    )?;
    let mut first = vec![Millis::MAX; persons];
    for part in parts {
        first.iter_mut().zip(part).for_each(|(a, b)| *a = (*a).min(b));
    }
    Ok((Arc::new(first), held))
}

/// Starts of local days: from a table, or by computing where the files reach too far.
struct Days<'a> {
    bound: &'a Bound<'a>,
    table: Option<Buckets>,
}

fn days<'a>(bound: &'a Bound<'a>) -> Result<Days<'a>, Error> {
    let segments = || bound.snapshot.segments.iter();
    let from = segments().map(|s| s.time_min).min().unwrap_or(0);
    let to = segments().map(|s| s.time_max).max().unwrap_or(0).min(bound.as_of());
    let table = Buckets::covering(&bound.calendar, Unit::Day, from, to.saturating_add(1)).ok();
    Ok(Days { bound, table })
}

impl Days<'_> {
    fn start(&self, time: Millis) -> Result<Millis, QueryError> {
        let table = self.table.as_ref().and_then(|t| t.find(time).map(|i| t.start(i)));
        table.map_or_else(|| self.bound.calendar.floor(Unit::Day, time), Ok)
    }
}
