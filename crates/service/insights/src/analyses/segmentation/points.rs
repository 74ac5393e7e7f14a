//! Who is behind a number (chapter 1.10): `{series:"A", bucket?, breakdown?, bar?, compare?}`.
//!
//! Guarantees: the actors are those of the same pass over the same events that makes the number; without `bucket`
//! the point is the total. Numbers that count no actors (a sum, an average) name the actors whose events they are
//! made of. Deliberately not here: points of formulas and of averages over buckets, which belong to nobody.

use super::fill::Only;
use super::lines::fold;
use super::{Segmentation, letter};
use crate::Error;
use crate::analyses::groups::OTHER;
use crate::analyses::{Crowd, Point};
use crate::operators::cell::{Cell, CellKind, State};
use crate::query::{Measure, Reader, Shape};
use rustc_hash::FxHashSet;
use serde_json::Value;

/// Where a number stands.
struct Place {
    series: usize,
    bucket: Option<String>,
    breakdown: Option<Vec<String>>,
    /// Exactly so many events.
    bar: Option<u64>,
    compare: bool,
}

impl Segmentation<'_> {
    /// The actors of a point.
    pub(super) fn who(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let place = self.place(&point.reader)?;
        match (self.query.compare, place.compare) {
            (Some((n, unit)), true) => {
                let earlier = self.bound.earlier(&self.query.common, unit, n)?;
                Segmentation::new(self.query, &earlier)?.at(&place)
            }
            (None, true) => {
                let why = "names a point of `compare`, and the query has none";
                Err(Error::combination("microscope.compare", "`compare`", why))
            }
            _ => self.at(&place),
        }
    }

    fn place(&self, from: &Reader<'_>) -> Result<Place, Error> {
        let series = match from.text("series")? {
            None if self.query.series.len() == 1 && self.query.formulas.is_empty() => 0,
            None => return Err(from.missing("series", "the letter of a series, such as \"A\"")),
            Some(name) => {
                let found = (0..self.query.series.len()).find(|i| letter(*i) == name);
                let hint = "the letter of a series; formulas have no actors";
                found.ok_or_else(|| from.wrong("series", format!("{name:?} is no series"), hint))?
            }
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let breakdown = match from.get("breakdown") {
            None => None,
            Some(Value::Array(list)) => list.iter().map(text).collect::<Option<Vec<_>>>(),
            Some(single) => text(single).map(|t| vec![t]),
        };
        let dimensions = self.query.breakdown.len();
        let fits = match &breakdown {
            None => dimensions == 0,
            Some(labels) => labels.len() == dimensions || labels.as_slice() == [OTHER],
        };
        if !fits || (dimensions == 0 && breakdown.is_some()) {
            let hint = "the value as the answer shows it: a text, or a list with one text per dimension";
            return Err(from.wrong("breakdown", "does not fit the breakdown of the query", hint));
        }
        let bar = from.integer("bar", 1, i64::MAX)?.map(|bar| bar as u64);
        if bar.is_some() && self.query.series[series].measure != Measure::Frequency {
            let why = "is a bar of a histogram, and the series has another measure";
            return Err(Error::combination("microscope.bar", "`bar`", why));
        }
        let bucket = from.text("bucket")?.map(str::to_owned);
        let place = Place { series, bucket, breakdown, bar, compare: from.flag("compare")?.unwrap_or(false) };
        from.check()?;
        Ok(place)
    }

    fn at(&self, place: &Place) -> Result<Crowd, Error> {
        let series = place.series;
        let window = match &place.bucket {
            None => self.frame.range(),
            Some(label) => self.window_of(series, label)?,
        };
        let prepared = self.prepare()?;
        let groups = match &place.breakdown {
            None => FxHashSet::from_iter([0]),
            Some(labels) => {
                let (mut table, _) = self.pass(&prepared, None)?;
                let names = self.groups.labels();
                if labels.as_slice() == [OTHER] {
                    self.ranking(series, &mut table, &names).rest
                } else {
                    names.iter().filter(|(_, l)| *l == labels).map(|(group, _)| *group).collect()
                }
            }
        };
        let kind = if place.bar.is_some() { CellKind::Times } else { CellKind::Actors };
        let (mut table, _) = self.pass(&prepared, Some(&Only { series, groups: &groups, kind }))?;
        let actors = fold(table.group(series, 0), &[window], kind, |_, cell| numbers(cell, place.bar));
        let actors = actors.into_iter().next().unwrap_or_default();
        Ok(Crowd::of(&self.actors, &prepared, actors))
    }

    /// The slots of a bucket's point.
    fn window_of(&self, series: usize, label: &str) -> Result<super::frame::Window, Error> {
        let shape = self.query.series[series].shape;
        if matches!(shape, Shape::RollingAverage { .. } | Shape::RunningSum) {
            let why = "of a line of averages or sums of other points has no actors of its own";
            return Err(Error::combination("microscope.bucket", "`bucket`", why));
        }
        let labels = match self.query.interval {
            Some(unit) => self.buckets.labels(&self.bound.calendar, unit)?,
            None => Vec::new(),
        };
        let nth = labels.iter().position(|l| l == label).ok_or_else(|| {
            let hint = "one of `buckets` of the answer; leave it out for the total";
            Error::malformed("microscope.bucket", format!("{label:?} is no bucket of the query"), hint)
        })?;
        Ok(self.frame.windows(shape)[nth])
    }
}

fn numbers(cell: &mut Cell, bar: Option<u64>) -> Vec<u32> {
    match &mut cell.state {
        State::Actors(actors) => actors.ids(),
        State::Times(times) => {
            times.iter().filter(|(_, n)| Some(**n) == bar).map(|(actor, _)| *actor).collect()
        }
        _ => Vec::new(),
    }
}
