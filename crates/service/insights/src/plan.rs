//! Binding: a query meets a snapshot. Zone, range, `as_of`, buckets, selectors.

use crate::Error;
use crate::cohorts::Directory;
use crate::query::{Common, CountBy, NamesSpec, SelectorSpec, both};
use std::time::{SystemTime, UNIX_EPOCH};
use tallymark_model::Millis;
use tallymark_predicate::Expr;
use tallymark_query::{
    Actor, Buckets, Calendar, Context, Names, Nth, QueryError, Scan, Selector, Snapshot, Unit,
};

/// What all analyses need once a query meets a snapshot.
#[derive(Clone)]
pub(crate) struct Bound<'a> {
    pub snapshot: &'a Snapshot,
    pub context: &'a Context,
    pub threads: usize,
    pub calendar: Calendar,
    /// Events later than this do not exist.
    pub as_of: Millis,
    /// The range, half-open.
    pub range: (Millis, Millis),
    /// Where stored cohorts and ids of persons are looked up.
    directory: Option<&'a Directory>,
}

impl<'a> Bound<'a> {
    /// Resolves range and zone.
    pub fn new(
        snapshot: &'a Snapshot,
        common: &Common,
        context: &'a Context,
        threads: usize,
    ) -> Result<Bound<'a>, Error> {
        let calendar = match common.week_start {
            Some(start) => Calendar::new(&snapshot.project.timezone, start)?,
            None => snapshot.project.calendar()?,
        };
        let as_of = common.as_of.unwrap_or_else(now);
        let range = widened(&calendar, common, common.range.resolve(&calendar, as_of)?)?;
        Ok(Bound { snapshot, context, threads, calendar, as_of, range, directory: None })
    }

    /// With a place to look up stored cohorts and ids of persons.
    pub fn with_directory(self, directory: &'a Directory) -> Bound<'a> {
        Bound { directory: Some(directory), ..self }
    }

    /// That place.
    pub fn directory(&self) -> Result<&'a Directory, Error> {
        let missing = || QueryError::Invalid("nobody here knows cohorts".to_owned());
        Ok(self.directory.ok_or_else(missing)?)
    }

    /// The same with the range `n` units earlier in the calendar, for comparison.
    pub fn earlier(&self, common: &Common, unit: Unit, n: u32) -> Result<Bound<'a>, Error> {
        let range = common.range.resolve(&self.calendar, self.as_of)?;
        let range = self.calendar.earlier(&common.range, range, unit, n)?;
        Ok(Bound { range: widened(&self.calendar, common, range)?, ..self.clone() })
    }

    /// The first instant after `end` that the query may not see.
    pub fn until(&self, end: Millis) -> Millis {
        end.min(self.as_of.saturating_add(1))
    }

    /// Buckets of the range; one for everything if there is no interval.
    pub fn buckets(&self, interval: Option<Unit>) -> Result<Buckets, Error> {
        let (from, to) = self.range;
        Ok(match interval {
            Some(unit) => Buckets::covering(&self.calendar, unit, from, to)?,
            None => Buckets::single(from, to),
        })
    }

    /// True if a stretch of time that ends at `end` may still change.
    pub fn open(&self, end: Millis) -> bool {
        end > self.as_of || self.snapshot.complete_through.is_some_and(|through| end > through)
    }

    /// The same of a bucket: also if records received in it were skipped or lost.
    pub fn lacking(&self, start: Millis, end: Millis) -> bool {
        self.open(end) || self.gap_in(start, end)
    }

    /// True if records received in this stretch of time were skipped or lost.
    pub fn gap_in(&self, start: Millis, end: Millis) -> bool {
        self.snapshot.completeness.gaps_in(start, end).next().is_some()
    }

    /// True if records of the range were decided again lately.
    pub fn decided_again(&self) -> bool {
        let (from, to) = self.range;
        self.snapshot.completeness.restated_in(from, to).next().is_some()
    }

    /// True if an event of the scan was received after its bucket had closed, so that an earlier answer for that
    /// bucket lacked it.
    pub fn late(&self, scan: &Scan, buckets: &Buckets) -> Result<bool, Error> {
        let closed = |t| buckets.find(t).map(|i| buckets.end(i)).filter(|end| *end <= self.as_of);
        Ok(scan.any_late(self.snapshot, self.context, &closed)?)
    }

    /// A selector of the scan.
    pub fn selector(&self, spec: &SelectorSpec, segment: Option<&Expr>) -> Selector {
        let project = &self.snapshot.project;
        let (names, defined) = match &spec.names {
            NamesSpec::Any => (Names::Any, None),
            NamesSpec::Active => (Names::Except(project.sent_inactive()), None),
            NamesSpec::Of(names) => project.vocabulary.meant(names),
        };
        let counted = spec.filter.clone().filter(|_| spec.nth.is_some_and(|nth| !nth.of_event));
        let nth = spec.nth.map(|nth| Nth { k: nth.k, counted: both(defined.clone(), counted) });
        Selector { names, filter: both(both(segment.cloned(), defined), spec.filter.clone()), nth }
    }

    /// A scan of `[from, to)` for these actors; columns for the actor come first.
    pub fn scan(&self, selectors: Vec<Selector>, from: Millis, to: Millis, count_by: &CountBy) -> Scan {
        Scan {
            selectors,
            from,
            to: self.until(to),
            columns: match count_by {
                CountBy::Property(property) => vec![property.clone()],
                CountBy::Person | CountBy::PersonAtIngest | CountBy::Device | CountBy::Group(_) => Vec::new(),
            },
            actor: match count_by {
                CountBy::Device => Actor::Device,
                CountBy::PersonAtIngest => Actor::PersonAtIngest,
                CountBy::Group(kind) => Actor::Group(kind.as_str().into()),
                CountBy::Person | CountBy::Property(_) => Actor::Person,
            },
            actor_text: match count_by {
                CountBy::Property(property) => Some(property.clone()),
                _ => None,
            },
            as_of: self.as_of,
            ..Scan::default()
        }
    }
}

/// The range, to whole buckets if the query wants that.
fn widened(
    calendar: &Calendar,
    common: &Common,
    (from, to): (Millis, Millis),
) -> Result<(Millis, Millis), Error> {
    match common.widen_to.filter(|_| from < to) {
        None => Ok((from, to)),
        Some(unit) => {
            let last = calendar.floor(unit, to - 1)?;
            Ok((calendar.floor(unit, from)?, calendar.next(unit, last)?))
        }
    }
}

/// The clock of queries that name no `as_of`.
pub(crate) fn now() -> Millis {
    // Before 1970 only a broken clock is.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis)
}
