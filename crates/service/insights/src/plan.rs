//! Binding: a query meets a snapshot. Zone, range, `as_of`, buckets, selectors.

use crate::Error;
use crate::cohorts::Directory;
use crate::query::{Common, CountBy, NamesSpec, SelectorSpec, both};
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tallymark_model::Millis;
use tallymark_predicate::Expr;
use tallymark_query::{
    Actor, Buckets, Calendar, Context, Folding, Names, Nth, QueryError, Scan, Selector, Snapshot, Unit,
};

/// What all analyses need once a query meets a snapshot.
#[derive(Clone)]
pub(crate) struct Bound<'a> {
    pub snapshot: &'a Snapshot,
    pub context: &'a Context,
    pub threads: usize,
    pub calendar: Calendar,
    /// Events later than this do not exist. Private, so that every look at it is noted: an answer that depended on it
    /// is not another instant's.
    as_of: Millis,
    /// The range, half-open.
    pub range: (Millis, Millis),
    /// The range before it was widened to whole buckets.
    pub resolved: (Millis, Millis),
    checks: Checks,
    /// Empty text is a value like others.
    empty_is_value: bool,
    /// How properties of persons are folded.
    folding: Folding,
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
        let resolved = common.range.resolve(&calendar, as_of)?;
        let range = widened(&calendar, common, resolved)?;
        Ok(Bound {
            snapshot,
            context,
            threads,
            calendar,
            as_of,
            range,
            resolved,
            checks: Checks::default(),
            empty_is_value: common.empty_is_value,
            folding: common.folding,
            directory: None,
        })
    }

    /// With a place to look up stored cohorts and ids of persons.
    pub fn with_directory(self, directory: &'a Directory) -> Bound<'a> {
        Bound { directory: Some(directory), ..self }
    }

    /// The same as of another instant.
    pub fn at(self, as_of: Millis) -> Bound<'a> {
        Bound { as_of, ..self }
    }

    /// For cohorts, which say who people are whatever the query's options say of its rows. Their conditions have
    /// been given the query's `empty_string` when it was parsed.
    pub fn of_cohorts(self) -> Bound<'a> {
        Bound { empty_is_value: false, folding: Folding::default(), ..self }
    }

    /// The instant the query is asked for, for what depends on it.
    pub fn as_of(&self) -> Millis {
        self.context.reads.to_as_of();
        self.as_of
    }

    /// The same, for what is said about an answer and not in it.
    pub fn asked_as_of(&self) -> Millis {
        self.as_of
    }

    /// Whether an instant has come.
    pub fn reached(&self, instant: Millis) -> bool {
        self.checks.note(Check::Reached(instant), instant <= self.as_of)
    }

    /// What was asked about time and completeness, and the answers.
    pub fn checks(&self) -> Vec<(Check, bool)> {
        self.checks.list()
    }

    /// Whether a question about time and completeness has the same answer here.
    pub fn agrees(&self, (check, then): &(Check, bool)) -> bool {
        *then
            == match *check {
                Check::Reached(instant) => instant <= self.as_of,
                Check::Open(end) => self.is_open(end),
                Check::Gap(start, end) => self.has_gap(start, end),
            }
    }

    /// That place.
    pub fn directory(&self) -> Result<&'a Directory, Error> {
        let missing = || QueryError::Invalid("nobody here knows cohorts".to_owned());
        Ok(self.directory.ok_or_else(missing)?)
    }

    /// The same with the range `n` units earlier in the calendar, for comparison.
    pub fn earlier(&self, common: &Common, unit: Unit, n: u32) -> Result<Bound<'a>, Error> {
        let range = self.calendar.earlier(&common.range, self.resolved, unit, n)?;
        Ok(Bound { range: widened(&self.calendar, common, range)?, ..self.clone() })
    }

    /// The first instant after `end` that the query may not see.
    pub fn until(&self, end: Millis) -> Millis {
        match self.reached(end.saturating_sub(1)) {
            true => end,
            false => self.as_of().saturating_add(1),
        }
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
        self.checks.note(Check::Open(end), self.is_open(end))
    }

    fn is_open(&self, end: Millis) -> bool {
        end > self.as_of || self.snapshot.complete_through.is_some_and(|through| end > through)
    }

    /// The same of a bucket: also if records received in it were skipped or lost.
    pub fn lacking(&self, start: Millis, end: Millis) -> bool {
        self.open(end) || self.gap_in(start, end)
    }

    /// True if records received in this stretch of time were skipped or lost.
    pub fn gap_in(&self, start: Millis, end: Millis) -> bool {
        self.checks.note(Check::Gap(start, end), self.has_gap(start, end))
    }

    fn has_gap(&self, start: Millis, end: Millis) -> bool {
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
        let ends: Vec<Option<Millis>> =
            (0..buckets.len()).map(|i| Some(buckets.end(i)).filter(|end| self.reached(*end))).collect();
        let closed = |t| buckets.find(t).and_then(|i| ends[i]);
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
            empty_is_value: self.empty_is_value,
            folding: self.folding,
            as_of: self.as_of,
            ..Scan::default()
        }
    }
}

/// A question about time and completeness that an answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Check {
    /// Whether this instant has come.
    Reached(Millis),
    /// Whether a stretch that ends here may still change.
    Open(Millis),
    /// Whether something received in this stretch is missing.
    Gap(Millis, Millis),
}

/// Answers so far; shared by the clones of a [`Bound`], which ask for the same query.
#[derive(Clone, Default)]
struct Checks(Arc<Mutex<FxHashMap<Check, bool>>>);

impl Checks {
    fn note(&self, check: Check, answer: bool) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(check, answer);
        answer
    }
    fn list(&self) -> Vec<(Check, bool)> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.iter().map(|(check, answer)| (*check, *answer)).collect()
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
